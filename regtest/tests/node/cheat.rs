//! A counterparty that spends its coin elsewhere while the swap waits.

use bitcoin::Transaction;
use darkswap_trade::order::Side;
use darkswap_wallet::Wallet;

use crate::market::{MAKER, Market, TAKER};
use crate::world::rate;

/// What spends the same coin of the wallet as `swap` does, and pays more. The wallet must not know of the swap.
pub(crate) fn conflict(wallet: &mut Wallet, swap: &Transaction) -> Transaction {
    let own: Vec<_> = wallet.coins().into_iter().map(|coin| coin.outpoint).collect();
    let spent = swap.input.iter().map(|input| input.previous_output).find(|outpoint| own.contains(outpoint));
    let input = spent.expect("an input of this side");
    wallet.reclaim(&[input].into(), None, rate(60)).expect("its own coin").transaction
}

fn double_spend(side: Side, thief: usize) {
    let mut market = Market::open(side);
    let order = market.place(side, 60);
    let mut twin = market.wallet(thief);
    let swap = market.take(&order, 60);
    market.await_both(&swap, "broadcast");
    let transaction = market.waiting();
    let theft = conflict(&mut twin, &transaction);
    market.world.broadcast(&theft).expect("it replaces the swap");
    market.finish();
    assert_eq!(market.judge().settled, 0);
    market.await_both(&swap, "aborted");
    let honest = 1 - thief;
    assert_eq!(market.wealth(honest), market.before[honest]);
}

#[test]
fn a_maker_that_double_spends_its_runes_costs_the_taker_nothing() {
    double_spend(Side::Sell, MAKER);
}

#[test]
fn a_taker_that_double_spends_its_runes_costs_the_maker_nothing() {
    double_spend(Side::Buy, TAKER);
}
