//! Fee bumps, with bitcoind's own mempool as the judge.

use std::time::Duration;

use bitcoin::{Amount, FeeRate, Transaction};
use darkswap_wallet::payment::PaymentError;
use darkswap_wallet::{Keychain, Wallet};
use serde_json::{Value, json};

use crate::world::{World, bitcoin_of, rate, sat, wallet};

/// What is paid.
const AMOUNT: Amount = Amount::from_sat(40_000);

/// A payment that waits in the mempool, and its wallet.
fn waiting(world: &mut World) -> (Wallet, Transaction) {
    let mut alice = wallet(1);
    world.fund(&mut alice, &[100_000]);
    let payment = pay(&mut alice, rate(5));
    world.broadcast(&payment).expect("bitcoind takes it");
    world.refresh(&mut alice);
    (alice, payment)
}

fn pay(alice: &mut Wallet, fee_rate: FeeRate) -> Transaction {
    let recipient = wallet(2).address(Keychain::External).script_pubkey();
    alice.pay(recipient, AMOUNT, fee_rate).expect("it has a coin").transaction
}

/// The same payment by a wallet that has not heard of the first one: a replacement that nobody checked.
fn unchecked(world: &mut World, fee_rate: FeeRate) -> Transaction {
    let mut twin = wallet(1);
    world.scan(&mut twin);
    let known = twin.transactions().into_iter().find(|tx| tx.height.is_none()).expect("the payment waits");
    twin.apply_evicted([known.transaction.compute_txid()], world.now + Duration::from_secs(1));
    world.tell_holdings(&mut twin);
    pay(&mut twin, fee_rate)
}

/// The fee of a transaction in the mempool, as bitcoind says.
fn fee(world: &World, transaction: &Transaction) -> Amount {
    let entry: Value = world.env.rpc("getmempoolentry", &[json!(transaction.compute_txid())]).expect("it waits");
    Amount::from_btc(entry["fees"]["base"].as_f64().expect("a number")).expect("an amount")
}

#[test]
fn a_waiting_payment_is_replaced_by_one_that_pays_more() {
    let mut world = World::start();
    let (mut alice, payment) = waiting(&mut world);
    let bumped = alice.bump(payment.compute_txid(), rate(12)).expect("it waits");
    let txid = world.broadcast(&bumped.transaction).expect("bitcoind takes it");
    assert_eq!(world.env.mempool().expect("a mempool"), [txid]);
    assert_eq!(fee(&world, &bumped.transaction), bumped.fee);
    world.env.mine(1).expect("a block");
    world.refresh(&mut alice);
    assert_eq!(bitcoin_of(&alice), sat(100_000) - AMOUNT - bumped.fee);
    assert!(alice.transaction(payment.compute_txid()).is_none(), "the replaced one is gone");
}

#[test]
fn the_least_bump_that_the_wallet_makes_is_taken() {
    let mut world = World::start();
    let (mut alice, payment) = waiting(&mut world);
    let before = fee(&world, &payment);
    let rates = (rate(5).to_sat_per_kwu()..).map(FeeRate::from_sat_per_kwu);
    let bumped =
        rates.map(|rate| alice.bump(payment.compute_txid(), rate)).find_map(Result::ok).expect("some rate does");
    // BIP 125, rules 3 and 4: at most one satoshi more, for rounding.
    let required = before + sat(bumped.transaction.vsize() as u64);
    assert!((required..=required + Amount::ONE_SAT).contains(&bumped.fee), "{} for {required}", bumped.fee);
    world.broadcast(&bumped.transaction).expect("bitcoind takes it");
}

#[test]
fn a_bump_that_does_not_pay_for_its_own_relay_is_refused_by_wallet_and_bitcoind() {
    let mut world = World::start();
    let (mut alice, payment) = waiting(&mut world);
    // A twentieth of a satoshi per virtual byte more: less than any version of bitcoind asks for.
    let little = FeeRate::from_sat_per_kwu(rate(5).to_sat_per_kwu() + 12);
    let refused = alice.bump(payment.compute_txid(), little).expect_err("too little");
    let PaymentError::PaysTooLittle { offered, replaced, .. } = refused else { panic!("{refused}") };
    assert_eq!(replaced, fee(&world, &payment));
    assert!(offered > replaced, "rule 3 is kept, rule 4 is not");
    assert!(refused.to_string().contains("rule 4"), "{refused}");
    let unchecked = unchecked(&mut world, little);
    let said = world.broadcast(&unchecked).expect_err("too little");
    assert!(said.contains("insufficient fee") && said.contains("not enough additional fees to relay"), "{said}");
    assert_eq!(world.env.mempool().expect("a mempool"), [payment.compute_txid()]);
}

#[test]
fn a_bump_that_pays_less_than_what_it_replaces_is_refused_by_wallet_and_bitcoind() {
    let mut world = World::start();
    let (mut alice, payment) = waiting(&mut world);
    let refused = alice.bump(payment.compute_txid(), rate(4)).expect_err("less than before");
    let PaymentError::PaysTooLittle { offered, replaced, .. } = refused else { panic!("{refused}") };
    assert!(offered < replaced);
    let unchecked = unchecked(&mut world, rate(4));
    let said = world.broadcast(&unchecked).expect_err("less than before");
    assert!(said.contains("insufficient fee"), "{said}");
}

#[test]
fn a_payment_in_a_block_is_not_replaced() {
    let mut world = World::start();
    let (mut alice, payment) = waiting(&mut world);
    world.env.mine(1).expect("a block");
    world.refresh(&mut alice);
    let refused = alice.bump(payment.compute_txid(), rate(9)).expect_err("it is too late");
    assert!(matches!(refused, PaymentError::Confirmed { .. }), "{refused}");
}
