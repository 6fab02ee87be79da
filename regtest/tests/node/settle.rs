//! Swaps that settle, in both directions and both styles.

use bitcoin::Amount;
use darkswap_trade::order::Side;
use serde_json::json;

use crate::market::{MAKER, Market, PRICE, TAKER};
use crate::world::{PREMINE, sat};

/// So many units of the rune at the price.
fn price(units: u128) -> Amount {
    sat(PRICE * u64::try_from(units).expect("few units"))
}

#[test]
fn a_maker_sells_its_runes_in_two_fills() {
    let mut market = Market::open(Side::Sell);
    let order = market.place(Side::Sell, PREMINE);
    market.take(&order, 60);
    market.finish();
    assert_eq!(market.judge().settled, 1);
    assert_eq!(market.wealth(TAKER).assets, [(market.asset, 60)].into());
    assert_eq!(market.wealth(MAKER).bitcoin, market.before[MAKER].bitcoin + price(60));

    market.take(&market.left(40), 40);
    market.finish();
    assert_eq!(market.judge().settled, 2);
    assert_eq!(market.wealth(TAKER).assets, [(market.asset, PREMINE)].into());
    assert_eq!(market.wealth(MAKER).bitcoin, market.before[MAKER].bitcoin + price(PREMINE));
    let orders = market.ask(MAKER, &["order", "list"]);
    assert_eq!(orders, json!([]), "nothing is left of the order");
}

#[test]
fn a_maker_buys_runes_and_the_taker_pays_the_fee() {
    let mut market = Market::open(Side::Buy);
    let order = market.place(Side::Buy, PREMINE);
    market.take(&order, 70);
    market.finish();
    assert_eq!(market.judge().settled, 1);
    let maker = market.wealth(MAKER);
    assert_eq!(maker.assets, [(market.asset, 70)].into());
    assert_eq!(maker.bitcoin, market.before[MAKER].bitcoin - price(70));
}

#[test]
fn a_presigned_order_is_taken_while_its_maker_is_down() {
    let mut market = Market::open(Side::Sell);
    let order = market.offer(Side::Sell, PREMINE, &["--presigned"]);
    market.nodes[MAKER].kill();
    let swap = market.take(&order, PREMINE);
    market.await_phase(TAKER, &swap, "broadcast");
    let transaction = market.waiting();
    let signatures: Vec<usize> = transaction.input.iter().map(|input| input.witness.size()).collect();
    assert_eq!(signatures[..2], [67, 66], "the ask's signature names its sighash type, the taker's is the default");

    market.world.env.mine(1).expect("a block");
    market.restart(MAKER);
    market.finish();
    assert_eq!(market.judge().settled, 1);
    assert_eq!(market.wealth(MAKER).bitcoin, market.before[MAKER].bitcoin + price(PREMINE));
}

#[test]
fn an_order_reaches_others_and_goes_when_it_is_cancelled() {
    let market = Market::open(Side::Sell);
    let order = market.place(Side::Sell, PREMINE);
    market.ask(MAKER, &["order", "cancel", &order]);
    let gone = || (!market.sees(&order)).then_some(());
    market.nodes[TAKER].wait("book without the order", gone).expect("the cancellation comes by gossip");
    let refused = market.nodes[TAKER].refusal(&["trade", "take", &order, "--yes"]).expect("a refusal");
    assert!(refused.contains("found no order"), "{refused}");
}
