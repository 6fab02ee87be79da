//! Etchings and mints as the node makes them, before bitcoind and ord.

#[path = "wallet/ledger.rs"]
mod ledger;
#[path = "wallet/sync.rs"]
mod sync;
#[path = "wallet/world.rs"]
mod world;

use bitcoin::{Amount, OutPoint};
use darkswap_trade::asset::Asset;
use darkswap_trade::rune::{etching_script, mint_script};
use darkswap_wallet::payment::etching::{REVEAL_LOCK, Reveal};
use darkswap_wallet::{Keychain, Wallet};
use ordinals::RuneId;
use world::{MINT, PREMINE, World, bitcoin_of, etching, name, rate, units_of, wallet};

/// A commitment that waits, and what spends it to etch.
fn commit(world: &mut World, wallet: &mut Wallet) -> Reveal {
    let runestone = etching_script(etching(), Some(0), 2).expect("a runestone");
    let value = wallet.commitment_value(name().rune, &runestone, rate(5)).expect("a value");
    let payment = wallet.pay(wallet.commitment(name().rune), value, rate(5)).expect("it has a coin");
    let txid = world.broadcast(&payment.transaction).expect("bitcoind takes it");
    Reveal {
        rune: name().rune,
        commitment: OutPoint::new(txid, 0),
        value,
        runestone: Some(runestone),
        receive: wallet.address(Keychain::External).script_pubkey(),
        change: wallet.address(Keychain::Internal).script_pubkey(),
        fee_rate: rate(5),
        replaced: Amount::ZERO,
    }
}

#[test]
fn a_name_is_revealed_as_soon_as_the_protocol_allows_and_never_before() {
    let mut world = World::start();
    let mut alice = wallet(1);
    world.fund(&mut alice, &[200_000]);
    let before = bitcoin_of(&alice);
    let reveal = commit(&mut world, &mut alice);
    let early = alice.reveal(&reveal).expect("it can be paid");
    for _ in 1..REVEAL_LOCK {
        world.env.mine(1).expect("a block");
        let refused = world.broadcast(&early.transaction).expect_err("too early");
        assert!(refused.contains("non-BIP68-final"), "{refused}");
    }
    world.env.mine(1).expect("a block");
    world.broadcast(&early.transaction).expect("bitcoind takes it");
    // What was held back pays for a higher fee.
    let raised = Reveal { fee_rate: rate(15), replaced: early.fee, ..reveal };
    let raised = alice.reveal(&raised).expect("it can be paid");
    let txid = world.broadcast(&raised.transaction).expect("bitcoind replaces it");
    world.env.mine(1).expect("a block");
    world.refresh(&mut alice);

    let id = RuneId { block: world.env.height().expect("a height").into(), tx: 1 };
    assert_eq!(units_of(&alice, Asset::Rune(id)), PREMINE);
    let commitment =
        alice.transactions().into_iter().find(|it| it.transaction.compute_txid() != txid && it.sent > Amount::ZERO);
    let committed = commitment.and_then(|it| it.fee).expect("its fee is known");
    assert_eq!(bitcoin_of(&alice) + raised.fee + committed, before, "nothing but the fees is gone");
    let ord = world.env.ord().expect("ord starts");
    let balances = ord.balances(OutPoint::new(txid, 0)).expect("ord answers");
    assert_eq!(balances, [(name(), PREMINE)].into());
    drop(ord);

    let mint = mint_script(id, Some(0), 2).expect("a runestone");
    let minted = alice.carry(mint, rate(5)).expect("it has clean coins").transaction;
    let txid = world.broadcast(&minted).expect("bitcoind takes it");
    world.env.mine(1).expect("a block");
    world.refresh(&mut alice);
    assert_eq!(units_of(&alice, Asset::Rune(id)), PREMINE + MINT);
    let ord = world.env.ord().expect("ord starts");
    assert_eq!(ord.balances(OutPoint::new(txid, 0)).expect("ord answers"), [(name(), MINT)].into());
}

#[test]
fn the_bitcoin_of_a_commitment_comes_back_from_the_mempool_and_instead_of_the_etching() {
    let mut world = World::start();
    let mut alice = wallet(1);
    world.fund(&mut alice, &[200_000]);
    let reveal = commit(&mut world, &mut alice);
    let back = alice.reveal(&Reveal { runestone: None, ..reveal }).expect("it can be paid");
    world.broadcast(&back.transaction).expect("bitcoind takes it on a commitment that waits");
    world.env.mine(1).expect("a block");
    world.refresh(&mut alice);

    let reveal = commit(&mut world, &mut alice);
    world.env.mine(u32::from(REVEAL_LOCK)).expect("blocks");
    let etching = alice.reveal(&reveal).expect("it can be paid");
    world.broadcast(&etching.transaction).expect("bitcoind takes it");
    let back = alice.reveal(&Reveal { runestone: None, replaced: etching.fee, ..reveal }).expect("it can be paid");
    world.broadcast(&back.transaction).expect("bitcoind replaces the etching");
    world.env.mine(1).expect("a block");
    world.refresh(&mut alice);
    assert!(alice.assets().is_empty());
    assert_eq!(alice.balance().locked, Amount::ZERO);
}
