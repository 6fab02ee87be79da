//! Confirmed swaps whose block gives way to another.

use darkswap_trade::order::Side;
use darkswap_trade::swap::{Phase, Reason, Stage, Status};

use crate::market::{MAKER, Market, TAKER, price};
use crate::world::{PREMINE, rate};

#[test]
fn a_swap_whose_block_is_disconnected_comes_back() {
    let mut market = Market::open(Side::Sell);
    let before = market.wealth();
    let order = market.order(Side::Sell);
    market.take(&order, 60);
    let txid = market.txid();
    let fee = market.fee(txid);
    market.mine(1, &order);
    assert_eq!(market.phases(), [Phase::Confirming; 2]);
    assert_eq!(market.wealth()[TAKER].1, 60);

    market.world.env.reorg(1).expect("its block gives way");
    market.observe(&order);
    assert_eq!(market.phases(), [Phase::Broadcast; 2]);
    assert_eq!(market.traders[MAKER].status, Some(Status::InMempool));
    // What an output holds only blocks say.
    assert_eq!((market.wealth()[MAKER].1, market.wealth()[TAKER].1), (0, 0));

    market.mine(2, &order);
    assert_eq!(market.phases(), [Phase::Done; 2]);
    assert_eq!(market.units(txid, 5), [0, 60, 40, 0, 0]);
    let after = market.wealth();
    assert_eq!(after[MAKER], (before[MAKER].0 + price(60), 40));
    assert_eq!(after[TAKER], (before[TAKER].0 - price(60) - fee, 60));
}

#[test]
fn a_swap_whose_block_gives_way_to_a_conflict_is_undone_for_both() {
    let mut market = Market::open(Side::Sell);
    let before = market.wealth();
    let order = market.order(Side::Sell);
    market.traders[MAKER].keeps = true;
    market.traders[TAKER].keeps = true;
    market.take(&order, 60);
    let swap = market.traders[MAKER].kept.pop().expect("it was about to broadcast");
    // Signed before the swap was broadcast, and brought to a miner later.
    let input = swap.input[0].previous_output;
    let conflict = market.traders[MAKER].wallet.reclaim(&[input].into(), None, rate(5)).expect("its own coin");
    let txid = market.world.broadcast(&swap).expect("bitcoind takes it");
    market.mine(1, &order);
    assert_eq!(market.phases(), [Phase::Confirming; 2]);
    assert_eq!(market.wealth()[TAKER].1, 60);

    market.world.env.reorg_with(1, std::slice::from_ref(&conflict.transaction)).expect("its block gives way");
    let refused = market.world.broadcast(&swap).expect_err("its input is spent");
    assert!(refused.contains("bad-txns-inputs-missingorspent"), "{refused}");
    market.observe(&order);
    let by = conflict.transaction.compute_txid();
    let aborted = |reason| Stage::Aborted { reason };
    assert_eq!(*market.traders[TAKER].stage(), aborted(Reason::DoubleSpent { outpoint: input, by }));
    assert_eq!(*market.traders[MAKER].stage(), aborted(Reason::Reclaimed { outpoint: input, by }));
    let after = market.wealth();
    assert_eq!(after[TAKER], before[TAKER]);
    assert_eq!(after[MAKER], (before[MAKER].0 - conflict.fee, PREMINE));
    assert!(market.traders[TAKER].wallet.transaction(txid).is_none(), "the swap never was");
}
