//! Money for scenarios.

use bitcoin::Amount;
use darkswap_chain::{FullNode, FundError, NodeConfig, spendable_script};

use crate::common::{ALICE, NOW, node, pay};

#[test]
fn coins_are_confirmed_in_the_amount_and_number_asked_for() {
    let mut node = node();
    let coins = node.fund(NOW, &spendable_script(ALICE), Amount::from_sat(1_234), 5_000).unwrap();
    assert_eq!(coins.len(), 5_000);
    for coin in &coins {
        let found = node.chain().coins().coin(coin).expect("it is confirmed");
        assert_eq!(
            (found.output.value, &found.output.script_pubkey),
            (Amount::from_sat(1_234), &spendable_script(ALICE))
        );
    }
    assert!(node.mempool().is_empty());
}

#[test]
fn a_second_call_mines_one_block_only() {
    let mut node = node();
    node.fund(NOW, &spendable_script(ALICE), Amount::from_sat(100_000), 1).unwrap();
    let height = node.chain().height();
    let coins = node.fund(NOW, &spendable_script(ALICE), Amount::from_sat(100_000), 1).unwrap();
    assert_eq!(node.chain().height(), height + 1);
    node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
}

#[test]
fn a_coin_can_hold_more_than_one_reward() {
    let mut node = node();
    let coins = node.fund(NOW, &spendable_script(ALICE), Amount::from_int_btc(120), 2).unwrap();
    assert_eq!(node.chain().coins().coin(&coins[1]).unwrap().output.value, Amount::from_int_btc(120));
}

#[test]
fn nothing_and_more_than_there_can_be_are_refused() {
    assert_eq!(node().fund(NOW, &spendable_script(ALICE), Amount::ZERO, 1), Err(FundError::Nothing));
    let too_much = |node: &mut FullNode, amount, count| node.fund(NOW, &spendable_script(ALICE), amount, count);
    let amount = Amount::from_int_btc(21_000_000);
    assert_eq!(too_much(&mut node(), amount, 2), Err(FundError::TooMuch { count: 2, amount }));
    let poor = NodeConfig { halving_interval: 1, ..NodeConfig::default() };
    let amount = Amount::from_int_btc(200);
    assert_eq!(too_much(&mut FullNode::new(poor, 1), amount, 1), Err(FundError::TooMuch { count: 1, amount }));
}
