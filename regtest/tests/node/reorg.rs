//! Swaps whose block gives way to another.

use darkswap_regtest::node::CONFIRMATIONS;
use darkswap_trade::order::Side;

use crate::cheat::conflict;
use crate::market::{MAKER, Market};

#[test]
fn a_swap_whose_block_is_disconnected_comes_back() {
    let mut market = Market::open(Side::Sell);
    let order = market.place(Side::Sell, 60);
    let swap = market.take(&order, 60);
    market.await_both(&swap, "broadcast");
    market.world.env.mine(1).expect("a block");
    market.await_both(&swap, "confirming");
    market.world.env.reorg(1).expect("its block gives way");
    market.await_both(&swap, "broadcast");
    market.finish();
    market.await_both(&swap, "done");
    assert_eq!(market.judge().settled, 1);
}

#[test]
fn a_settled_swap_survives_a_deeper_reorganisation_that_keeps_its_transaction() {
    let mut market = Market::open(Side::Buy);
    let order = market.place(Side::Buy, 60);
    let swap = market.take(&order, 60);
    market.await_both(&swap, "broadcast");
    market.world.env.mine(CONFIRMATIONS).expect("blocks");
    market.await_both(&swap, "done");
    market.world.env.reorg(CONFIRMATIONS).expect("its block gives way");
    market.waiting();
    market.world.env.mine(1).expect("a block");
    market.await_both(&swap, "done");
    assert_eq!(market.judge().settled, 1);
}

#[test]
fn a_swap_whose_block_gives_way_to_a_conflict_is_undone_for_both() {
    let mut market = Market::open(Side::Sell);
    let order = market.place(Side::Sell, 60);
    let mut twin = market.wallet(MAKER);
    let swap = market.take(&order, 60);
    market.await_both(&swap, "broadcast");
    let transaction = market.waiting();
    let theft = conflict(&mut twin, &transaction);
    market.world.env.mine(1).expect("a block");
    market.await_both(&swap, "confirming");
    market.world.env.reorg_with(1, &[theft]).expect("its block gives way");
    market.finish();
    market.await_both(&swap, "aborted");
    assert_eq!(market.judge().settled, 0);
}
