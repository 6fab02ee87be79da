//! Swaps that settle.

use bitcoin::{Transaction, Txid};
use bytes::Bytes;
use darkswap_trade::order::{Order, Side};
use darkswap_trade::psbt::presigned;
use darkswap_trade::swap::{Phase, Swap};
use darkswap_wallet::Keychain;
use electrum_client::ElectrumApi as _;

use crate::market::{MAKER, Market, POLICY, RATE, TAKER, price};
use crate::world::{PREMINE, sat};

/// What was broadcast, which is what both agreed on and nothing else waits.
fn waiting(market: &Market, txid: Txid) -> Transaction {
    assert_eq!(market.world.env.mempool().expect("a mempool"), [txid]);
    let transaction = market.world.electrum.transaction_get(&txid).expect("electrs has it");
    assert_eq!(market.fee(txid), RATE.fee_wu(transaction.weight()).expect("a small fee"), "the agreed rate, exactly");
    transaction
}

#[test]
fn a_maker_sells_its_runes_in_two_fills() {
    let mut market = Market::open(Side::Sell);
    let before = market.wealth();
    assert_eq!((before[MAKER].1, before[TAKER].1), (PREMINE, 0));
    let order = market.order(Side::Sell);

    market.take(&order, 60);
    let first = market.txid();
    let transaction = waiting(&market, first);
    assert_eq!(transaction.output.len(), 5, "payment, asset, remainder, runestone, change");
    let mut fees = market.fee(first);
    market.mine(2, &order);
    assert_eq!(market.phases(), [Phase::Done; 2]);
    assert_eq!(market.traders[MAKER].fills.left(order.id, &order.offer), 40);
    assert_eq!(market.units(first, 5), [0, 60, 40, 0, 0]);
    let after = market.wealth();
    assert_eq!(after[MAKER], (before[MAKER].0 + price(60), 40));
    assert_eq!(after[TAKER], (before[TAKER].0 - price(60) - fees, 60));

    market.take(&order, 40);
    let second = market.txid();
    let transaction = waiting(&market, second);
    assert_eq!(transaction.output.len(), 4, "nothing remains");
    fees += market.fee(second);
    market.mine(2, &order);
    assert_eq!(market.phases(), [Phase::Done; 2]);
    assert_eq!(market.traders[MAKER].fills.left(order.id, &order.offer), 0);
    assert_eq!(market.units(second, 4), [0, 40, 0, 0]);
    let after = market.wealth();
    assert_eq!(after[MAKER], (before[MAKER].0 + price(100), 0));
    assert_eq!(after[TAKER], (before[TAKER].0 - price(100) - fees, 100));
    assert!(market.traders.iter().all(|trader| trader.wallet.reservations().is_empty()), "all promises are over");
}

#[test]
fn a_maker_buys_runes_and_the_taker_pays_the_fee() {
    let mut market = Market::open(Side::Buy);
    let before = market.wealth();
    assert_eq!((before[MAKER].1, before[TAKER].1), (0, PREMINE));
    let order = market.order(Side::Buy);
    market.take(&order, 70);
    let txid = market.txid();
    waiting(&market, txid);
    let fee = market.fee(txid);
    market.mine(2, &order);
    assert_eq!(market.phases(), [Phase::Done; 2]);
    assert_eq!(market.units(txid, 5), [0, 70, 30, 0, 0]);
    let after = market.wealth();
    assert_eq!(after[MAKER], (before[MAKER].0 - price(70), 70));
    assert_eq!(after[TAKER], (before[TAKER].0 + price(70) - fee, 30));
}

#[test]
fn a_presigned_ask_is_completed_while_its_maker_is_away() {
    let mut market = Market::open(Side::Sell);
    let before = market.wealth();
    let order = take_presigned(&mut market);
    let txid = market.txid();
    let transaction = waiting(&market, txid);
    let signatures: Vec<usize> = transaction.input.iter().map(|input| input.witness.size()).collect();
    assert_eq!(signatures[..2], [67, 66], "the ask's signature names its sighash type, the taker's is the default");
    let fee = market.fee(txid);
    market.mine(2, &order);
    assert_eq!(market.traders[TAKER].phase(), Phase::Done);
    assert_eq!(market.units(txid, 4), [0, PREMINE, 0, 0]);
    let after = market.wealth();
    assert_eq!(after[MAKER], (before[MAKER].0 + price(PREMINE), 0));
    assert_eq!(after[TAKER], (before[TAKER].0 - price(PREMINE) - fee, PREMINE));
}

/// Takes all of a presigned order.
fn take_presigned(market: &mut Market) -> Order {
    let order = market.order(Side::Sell);
    let ask = publish(market);
    let taking = market.taking(&order, PREMINE);
    let swap = Swap::take_presigned(market.world.now, taking, ask, POLICY).expect("an honest ask");
    market.begin(swap);
    market.run(&order);
    order
}

/// The maker signs an ask for all its runes.
fn publish(market: &mut Market) -> Bytes {
    let maker = &mut market.traders[MAKER].wallet;
    let outpoint = maker.select_asset(market.asset, PREMINE).expect("it has them").outpoints[0];
    let receive = maker.address(Keychain::External).script_pubkey();
    let (asset, payment) = (market.asset, price(PREMINE));
    let ask = presigned::Ask { asset, units: PREMINE, payment, outpoint, receive };
    let coins = market.coins(&[outpoint]);
    let half = presigned::build_ask(&ask, &coins).expect("a whole output");
    let maker = &market.traders[MAKER].wallet;
    half.sign(|half| maker.sign(half)).expect("its own input").encode().into()
}

#[test]
fn an_ask_that_was_withdrawn_by_spending_its_output_is_refused() {
    let mut market = Market::open(Side::Sell);
    let before = market.wealth();
    market.traders[TAKER].keeps = true;
    take_presigned(&mut market);
    let completed = market.traders[TAKER].kept.pop().expect("it was about to broadcast");
    let sold = completed.input[0].previous_output;
    let withdrawal = market.traders[MAKER].wallet.reclaim(&[sold].into(), None, RATE).expect("its own coin");
    market.world.broadcast(&withdrawal.transaction).expect("bitcoind takes it");
    market.world.env.mine(1).expect("a block");
    let refused = market.world.broadcast(&completed).expect_err("its input is spent");
    assert!(refused.contains("bad-txns-inputs-missingorspent"), "{refused}");
    let after = market.wealth();
    assert_eq!(after[MAKER], (before[MAKER].0 - withdrawal.fee, PREMINE));
    assert_eq!(after[TAKER], before[TAKER]);
    assert!(withdrawal.fee > sat(0));
}
