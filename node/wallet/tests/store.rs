//! The wallet as bytes.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails there fails the test")]

mod common;

use bitcoin::Network;
use common::{World, alkane, at, holdings, sat, seed, stranger};
use darkswap_wallet::{Holder, Keychain, Wallet, Write, wallet::LoadError};
use proptest::prelude::*;

/// What a store holds.
#[derive(Default)]
struct Stored {
    kept: Vec<Vec<u8>>,
    replaced: u32,
}

impl Stored {
    fn take(&mut self, wallet: &mut Wallet) {
        match wallet.take_changes() {
            Some(Write::Append(bytes)) => self.kept.push(bytes),
            Some(Write::Replace(bytes)) => {
                self.replaced += 1;
                self.kept = vec![bytes];
            }
            None => {}
        }
    }

    fn load(&self) -> Wallet {
        Wallet::load(&seed(1), Network::Regtest, &self.kept).unwrap()
    }
}

/// Everything that can be seen of a wallet.
fn assert_same(a: &Wallet, b: &Wallet) {
    assert_eq!(a.coins(), b.coins());
    assert_eq!(a.balance(), b.balance());
    assert_eq!(a.assets(), b.assets());
    assert_eq!(a.transactions(), b.transactions());
    assert_eq!(a.reservations(), b.reservations());
    assert_eq!(a.height(), b.height());
}

#[test]
fn a_stored_wallet_comes_back_after_every_change() {
    let mut world = World::new();
    let mut stored = Stored::default();
    stored.take(&mut world.wallet);
    assert_same(&stored.load(), &world.wallet);

    let carrying = world.carrying(9_000, holdings(alkane(1), u128::MAX));
    let clean = world.clean(50_000);
    stored.take(&mut world.wallet);
    assert_same(&stored.load(), &world.wallet);

    world.wallet.reserve(Holder([3; 32]), &[carrying].into(), at(500)).unwrap();
    stored.take(&mut world.wallet);
    assert_same(&stored.load(), &world.wallet);

    let payment = world.wallet.pay(stranger(), sat(7_000), common::rate(3)).unwrap();
    world.see(&payment.transaction);
    stored.take(&mut world.wallet);
    assert_same(&stored.load(), &world.wallet);
    assert!(!stored.load().coins().iter().any(|coin| coin.outpoint == clean));

    world.wallet.release(Holder([3; 32]));
    world.confirm([payment.transaction]);
    world.reorganise(1);
    stored.take(&mut world.wallet);
    assert_same(&stored.load(), &world.wallet);
    let mut loaded = stored.load();
    assert_eq!(loaded.address(Keychain::External), world.wallet.address(Keychain::External));
    assert_eq!(loaded.address(Keychain::Internal), world.wallet.address(Keychain::Internal));
}

#[test]
fn snapshots_bound_what_is_stored_and_lose_nothing() {
    let mut world = World::new();
    let mut stored = Stored::default();
    let first = world.carrying(9_000, holdings(alkane(1), 5));
    for round in 0..1_200 {
        world.wallet.reserve(Holder([1; 32]), &[first].into(), at(round)).unwrap();
        if round % 100 == 0 {
            world.clean(1_000);
        }
        world.confirm([]);
        let before = stored.replaced;
        stored.take(&mut world.wallet);
        assert!(stored.kept.len() <= 256);
        if stored.replaced > before {
            assert_same(&stored.load(), &world.wallet);
        }
    }
    assert_eq!(stored.replaced, 4);
    assert_same(&stored.load(), &world.wallet);
    // Old empty blocks are left out; the chain is still the same one.
    let mut loaded = World { wallet: stored.load(), ..world };
    loaded.reorganise(3);
    assert_eq!(loaded.wallet.coins().len(), 13);
}

#[test]
fn without_changes_there_is_nothing_to_store() {
    let mut world = World::new();
    assert!(matches!(world.wallet.take_changes(), Some(Write::Append(_))));
    assert_eq!(world.wallet.take_changes(), None);
}

#[test]
fn no_secret_is_stored() {
    let mut world = World::new();
    let Some(Write::Append(bytes)) = world.wallet.take_changes() else { panic!("nothing to store") };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains("tpub") && !text.contains("tprv"), "{text}");
    assert!(!format!("{:?}", world.wallet).contains("tprv"));
}

#[test]
fn another_seed_network_or_version_is_told() {
    let mut world = World::new();
    let mut stored = Stored::default();
    stored.take(&mut world.wallet);
    let load = |number, network, kept: &[Vec<u8>]| Wallet::load(&seed(number), network, kept).unwrap_err();
    assert!(matches!(load(2, Network::Regtest, &stored.kept), LoadError::OtherSeed));
    assert!(matches!(load(1, Network::Signet, &stored.kept), LoadError::OtherNetwork { .. }));
    assert!(matches!(load(1, Network::Regtest, &[]), LoadError::Empty));
    let mut other = stored.kept.clone();
    other[0][0] = 2;
    assert!(matches!(load(1, Network::Regtest, &other), LoadError::Version { found: 2 }));
    assert!(matches!(load(1, Network::Regtest, &[Vec::new()]), LoadError::Damaged { number: 0, .. }));
    // Two wallets in one store.
    let mut second = Wallet::create(&seed(2), Network::Regtest).unwrap();
    stored.take(&mut second);
    assert!(matches!(load(1, Network::Regtest, &stored.kept), LoadError::OtherSeed));
}

fn honest() -> Vec<u8> {
    let mut world = World::new();
    let coin = world.carrying(9_000, holdings(alkane(1), 5));
    world.wallet.reserve(Holder([1; 32]), &[coin].into(), at(9)).unwrap();
    match world.wallet.take_changes() {
        Some(Write::Append(bytes)) => bytes,
        other => panic!("expected changes, found {other:?}"),
    }
}

proptest! {
    #[test]
    fn damaged_bytes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut in any::<prop::sample::Index>()
    ) {
        let mut bytes = honest();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut.index(2) == 0 {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(wallet) = Wallet::load(&seed(1), Network::Regtest, [&bytes]) {
            let _ = (wallet.balance(), wallet.assets(), wallet.transactions());
        }
    }
}
