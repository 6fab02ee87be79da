//! Addresses, and what a seed finds again.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails there fails the test")]

mod common;

use bitcoin::Network;
use common::{World, seed};
use darkswap_wallet::{
    Keychain, Seed, Update, Wallet,
    wallet::{GAP_LIMIT, NetworkError},
};

/// The test vectors of BIP 86.
const WORDS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

#[test]
fn addresses_are_those_of_bip_86_in_order() {
    let mut wallet = Wallet::create(&Seed::from_words(WORDS).unwrap(), Network::Bitcoin).unwrap();
    let mut next = |keychain| wallet.address(keychain).to_string();
    assert_eq!(next(Keychain::External), "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr");
    assert_eq!(next(Keychain::External), "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh");
    assert_eq!(next(Keychain::Internal), "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7");
}

#[test]
fn each_network_has_its_addresses_and_old_testnet_has_none() {
    for (network, prefix) in [
        (Network::Bitcoin, "bc1p"),
        (Network::Testnet4, "tb1p"),
        (Network::Signet, "tb1p"),
        (Network::Regtest, "bcrt1p"),
    ] {
        let mut wallet = Wallet::create(&seed(1), network).unwrap();
        assert!(wallet.address(Keychain::External).to_string().starts_with(prefix));
        assert_eq!(wallet.network(), network);
    }
    assert_eq!(Wallet::create(&seed(1), Network::Testnet).unwrap_err(), NetworkError(Network::Testnet));
}

#[test]
fn addresses_that_nobody_pays_take_turns_so_that_a_restored_wallet_finds_all() {
    let mut world = World::new();
    let first: Vec<_> = (0..GAP_LIMIT).map(|_| world.script()).collect();
    let again: Vec<_> = (0..GAP_LIMIT).map(|_| world.script()).collect();
    assert_eq!(first, again);
    // The last of them is paid: a scan that stops after the limit still sees it, and new addresses follow.
    let payment = world.payment_of([(first.last().unwrap().clone(), 10_000)]);
    world.confirm([payment]);
    assert!(!first.contains(&world.script()));
}

#[test]
fn a_wallet_restored_from_its_seed_finds_the_same_addresses_and_coins() {
    let mut world = World::new();
    for value in [1_000, 2_000, 3_000] {
        world.receive(value);
    }
    let words = seed(1).words();
    let mut restored = Wallet::create(&Seed::from_words(&words).unwrap(), Network::Regtest).unwrap();
    assert_eq!(restored.descriptor(Keychain::External), world.wallet.descriptor(Keychain::External));

    // What a scan does: scripts in order, until so many in a row have nothing.
    let mut request = restored.scan_request(common::at(99));
    let known = world.wallet.transactions();
    let mut update = Update { chain: world.update([]).chain, ..Default::default() };
    for keychain in [Keychain::External, Keychain::Internal] {
        let mut unused = 0;
        for (index, script) in request.iter_spks(keychain) {
            let paid = known.iter().filter(|tx| tx.transaction.output.iter().any(|o| o.script_pubkey == script));
            let paid: Vec<_> = paid.collect();
            unused = if paid.is_empty() { unused + 1 } else { 0 };
            for tx in paid {
                update.last_active_indices.insert(keychain, index);
                update.tx_update.txs.push(tx.transaction.clone());
                let block_id = world.blocks[usize::try_from(tx.height.unwrap()).unwrap()];
                let anchor = darkswap_wallet::bdk_chain::ConfirmationBlockTime { block_id, confirmation_time: 0 };
                update.tx_update.anchors.insert((anchor, tx.transaction.compute_txid()));
            }
            if unused == GAP_LIMIT {
                break;
            }
        }
    }
    restored.apply(update).unwrap();
    assert_eq!(restored.coins(), world.wallet.coins());
    assert_eq!(restored.address(Keychain::External), world.wallet.address(Keychain::External));
}
