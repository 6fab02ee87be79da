//! The node's wallet on a real chain: runes, payments, fee bumps, restoring.

#[path = "wallet/bump.rs"]
mod bump;
#[path = "wallet/ledger.rs"]
mod ledger;
#[path = "wallet/parity.rs"]
mod parity;
#[path = "wallet/sync.rs"]
mod sync;
#[path = "wallet/world.rs"]
mod world;

use std::collections::BTreeMap;

use bitcoin::{Amount, OutPoint};
use darkswap_trade::asset::Asset;
use darkswap_trade::psbt::POSTAGE;
use darkswap_trade::rune::{mint_script, transfer_script};
use darkswap_wallet::payment::{PaymentError, Transfer};
use darkswap_wallet::{Keychain, Wallet};
use ordinals::{Edict, RuneId, SpacedRune};
use world::{MINT, PREMINE, World, bitcoin_of, name, rate, sat, units_of, wallet};

fn one(units: u128) -> BTreeMap<SpacedRune, u128> {
    [(name(), units)].into()
}

/// A transfer of so many units.
fn transfer(id: RuneId, units: u128, to: &mut Wallet) -> Transfer {
    let runestone = transfer_script(&[Edict { id, amount: units, output: 1 }], Some(0), 4).expect("a runestone");
    let recipient = to.address(Keychain::External).script_pubkey();
    Transfer { asset: Asset::Rune(id), units, recipient, runestone, fee_rate: rate(5) }
}

#[test]
fn a_rune_is_etched_minted_and_transferred() {
    let mut world = World::start();
    let (mut alice, mut bob) = (wallet(1), wallet(2));
    world.fund(&mut alice, &[200_000]);
    let id = world.etch(&mut alice);
    let asset = Asset::Rune(id);
    assert_eq!(units_of(&alice, asset), PREMINE);
    assert_eq!(alice.balance().locked, POSTAGE);

    let coin = world.fund(&mut bob, &[20_000, 30_000])[0];
    let mint = mint_script(id, Some(1), 2).expect("a runestone");
    let minted = bob.reclaim(&[coin].into(), Some(mint), rate(5)).expect("its own clean coin").transaction;
    let minted = OutPoint::new(world.broadcast(&minted).expect("bitcoind takes it"), 1);
    world.env.mine(1).expect("a block");
    world.refresh(&mut bob);
    assert_eq!(units_of(&bob, asset), MINT);

    let payment = alice.transfer(transfer(id, 30, &mut bob)).expect("it has them");
    let (before, fee) = (bitcoin_of(&alice), payment.fee);
    let txid = world.broadcast(&payment.transaction).expect("bitcoind takes it");
    world.env.mine(1).expect("a block");
    world.refresh(&mut alice);
    world.refresh(&mut bob);
    assert_eq!((units_of(&alice, asset), units_of(&bob, asset)), (PREMINE - 30, MINT + 30));
    assert_eq!(bitcoin_of(&alice), before - POSTAGE - fee);

    let ord = world.env.ord().expect("ord starts");
    let rune = ord.rune(name().rune).expect("ord answers").expect("it was etched");
    assert_eq!((rune.id, rune.premine, rune.mints, rune.burned), (id, PREMINE, 1, 0));
    let expected = [
        (OutPoint::new(txid, 0), one(PREMINE - 30)),
        (OutPoint::new(txid, 1), one(30)),
        (OutPoint::new(txid, 3), BTreeMap::new()),
        (minted, one(MINT)),
    ];
    let outpoints = expected.each_ref().map(|(outpoint, _)| *outpoint);
    assert_eq!(ord.balances_of(&outpoints).expect("ord answers"), BTreeMap::from(expected));
}

#[test]
fn a_restored_wallet_finds_the_same_coins_and_assets() {
    let mut world = World::start();
    let mut alice = wallet(1);
    world.fund(&mut alice, &[200_000, 70_000]);
    let id = world.etch(&mut alice);
    // Coins beyond unused addresses, but within the gap, and one that waits.
    for _ in 0..15 {
        alice.address(Keychain::External);
    }
    world.fund(&mut alice, &[30_000]);
    let mut stranger = wallet(9);
    let payment = alice.transfer(transfer(id, 10, &mut stranger)).expect("it has them").transaction;
    world.broadcast(&payment).expect("bitcoind takes it");
    world.env.mine(1).expect("a block");
    let waiting = alice.address(Keychain::External).script_pubkey();
    world.env.fund(&waiting, sat(40_000)).expect("the faucet pays");
    world.refresh(&mut alice);

    let mut restored = wallet(1);
    world.scan(&mut restored);
    assert_eq!(restored.coins(), alice.coins());
    assert_eq!(restored.balance(), alice.balance());
    assert_eq!(restored.assets(), alice.assets());
    assert_eq!(restored.transactions(), alice.transactions());
    assert_eq!(units_of(&restored, Asset::Rune(id)), PREMINE - 10);
    assert_eq!(restored.balance().pending, sat(40_000));
    assert_eq!(restored.balance().unknown, Amount::ZERO);

    // It spends what it found, and gives no address out again.
    let address = restored.address(Keychain::External);
    assert!(
        alice
            .transactions()
            .iter()
            .all(|tx| { tx.transaction.output.iter().all(|output| output.script_pubkey != address.script_pubkey()) })
    );
    let all = restored.balance().confirmed;
    let spent = restored.pay(stranger.address(Keychain::External).script_pubkey(), all - sat(5_000), rate(2));
    world.broadcast(&spent.expect("it has all coins").transaction).expect("bitcoind takes it");
}

#[test]
fn coins_of_which_nobody_said_what_they_carry_are_not_spent() {
    let mut world = World::start();
    let mut alice = wallet(1);
    let script = alice.address(Keychain::External).script_pubkey();
    world.env.fund(&script, sat(50_000)).expect("the faucet pays");
    world.env.mine(1).expect("a block");
    let update = sync::sync(&world.electrum, alice.sync_request(world.now));
    alice.apply(update).expect("an honest answer");
    assert_eq!(alice.balance().unknown, sat(50_000));
    let recipient = wallet(2).address(Keychain::External).script_pubkey();
    let refused = alice.pay(recipient.clone(), sat(10_000), rate(2)).expect_err("it may carry anything");
    assert!(matches!(refused, PaymentError::Selection(_)), "{refused}");
    world.refresh(&mut alice);
    let payment = alice.pay(recipient, sat(10_000), rate(2)).expect("it is clean now").transaction;
    world.broadcast(&payment).expect("bitcoind takes it");
}
