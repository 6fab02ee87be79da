//! Replacement by fee.

use bitcoin::{OutPoint, Sequence};
use darkswap_chain::{Policy, Refusal};

use crate::common::{ALICE, BOB, NOW, fund, funded, input, node_with, output, pass_on, pay, reason, transaction};

#[test]
fn a_better_paid_double_spend_replaces_the_first_and_its_descendants() {
    let (mut node, coins) = funded(1);
    let first = node.broadcast(NOW, pay(coins[0], &[99_000])).unwrap();
    let child = node.broadcast(NOW, pass_on(first, 0, 98_000)).unwrap();
    let second = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    assert!(node.mempool().entry(&first).is_none() && node.mempool().entry(&child).is_none());
    assert_eq!(node.mempool().spender(&coins[0]).unwrap().txid, second);
    assert_eq!(node.counters().replaced, 2);
}

#[test]
fn a_replacement_pays_for_all_that_it_evicts_and_for_its_own_relay() {
    let (mut node, coins) = funded(1);
    let payment = |fee: u64| pay(coins[0], &[100_000 - fee]);
    let first = node.broadcast(NOW, payment(1_000)).unwrap();
    node.broadcast(NOW, pass_on(first, 0, 95_000)).unwrap();
    let paid = 5_000;
    let relay = (payment(0).vsize() as u64).div_ceil(10);
    let detail = |refusal: Refusal| match refusal {
        Refusal::InsufficientFee(detail) => detail,
        other => panic!("it must be about the fee, not {other}"),
    };
    let same_rate = detail(node.broadcast(NOW, pay(coins[0], &[99_000 - 1, 330])).unwrap_err());
    assert!(same_rate.contains("feerate"), "{same_rate}");
    let less = detail(node.broadcast(NOW, payment(paid - 1)).unwrap_err());
    assert!(less.contains("less fees than conflicting"), "{less}");
    let unpaid_relay = detail(node.broadcast(NOW, payment(paid + relay - 1)).unwrap_err());
    assert!(unpaid_relay.contains("not enough additional fees to relay"), "{unpaid_relay}");
    node.broadcast(NOW, payment(paid + relay)).unwrap();
    assert_eq!(node.mempool().len(), 1);
}

#[test]
fn without_full_rbf_only_what_signalled_can_be_replaced() {
    let (mut node, coins) = fund(node_with(Policy { full_rbf: false, ..Policy::default() }), 2);
    let mut silent = pay(coins[0], &[99_000]);
    silent.input[0].sequence = Sequence::MAX;
    node.broadcast(NOW, silent).unwrap();
    assert_eq!(reason(&mut node, pay(coins[0], &[90_000])), "txn-mempool-conflict");
    node.broadcast(NOW, pay(coins[1], &[99_000])).unwrap();
    node.broadcast(NOW, pay(coins[1], &[90_000])).unwrap();
}

#[test]
fn a_replacement_adds_no_unconfirmed_inputs() {
    let (mut node, coins) = funded(2);
    let parent = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    node.broadcast(NOW, pay(coins[1], &[99_000])).unwrap();
    let inputs = vec![input(coins[1], ALICE), input(OutPoint::new(parent, 0), BOB)];
    assert_eq!(reason(&mut node, transaction(inputs, vec![output(BOB, 150_000)])), "replacement-adds-unconfirmed");
}

#[test]
fn a_transaction_cannot_spend_what_it_replaces() {
    let (mut node, coins) = funded(1);
    let parent = node.broadcast(NOW, pay(coins[0], &[90_000])).unwrap();
    let inputs = vec![input(coins[0], ALICE), input(OutPoint::new(parent, 0), BOB)];
    assert_eq!(reason(&mut node, transaction(inputs, vec![output(BOB, 150_000)])), "bad-txns-spends-conflicting-tx");
}

#[test]
fn a_replacement_evicts_no_more_than_a_hundred() {
    let (mut node, coins) = funded(5);
    for coin in &coins {
        let parent = node.broadcast(NOW, pay(*coin, &[4_000; 20])).unwrap();
        for vout in 0..20 {
            node.broadcast(NOW, pass_on(parent, vout, 3_800)).unwrap();
        }
    }
    let conflict = transaction(coins.iter().map(|coin| input(*coin, ALICE)).collect(), vec![output(BOB, 100_000)]);
    assert_eq!(reason(&mut node, conflict), "too many potential replacements");
}
