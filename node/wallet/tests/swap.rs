//! Two wallets sign a swap that each of them checked.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails there fails the test")]

mod common;

use std::collections::BTreeMap;

use bitcoin::{FeeRate, Network, OutPoint};
use common::{World, at, holdings, rate, rune, sat, seed};
use darkswap_trade::{
    coin::Coin,
    psbt::{Party, ReceivedPsbt, Stake, Terms, build, presigned},
};
use darkswap_wallet::{Holder, Keychain, Wallet};

/// A seller with runes, a buyer with bitcoin.
fn traders() -> (World, World) {
    let mut seller = World::new();
    seller.carrying(546, holdings(rune(), 100));
    let mut buyer = World::over(Wallet::create(&seed(2), Network::Regtest).unwrap());
    // Other transactions than the seller's.
    buyer.made = 1_000;
    buyer.clean(200_000);
    (seller, buyer)
}

fn stake(world: &mut World, inputs: Vec<OutPoint>) -> Stake {
    let mut script = |keychain| world.wallet.address(keychain).script_pubkey();
    Stake { inputs, receive: script(Keychain::External), change: script(Keychain::Internal) }
}

fn coins(worlds: [&World; 2]) -> BTreeMap<OutPoint, Coin> {
    let coins = worlds.into_iter().flat_map(|world| world.wallet.coins());
    coins.filter_map(|coin| coin.checked()).map(|coin| (coin.outpoint, coin)).collect()
}

fn terms(seller: &mut World, buyer: &mut World, fee_rate: FeeRate) -> Terms {
    let sold = seller.wallet.select_asset(rune(), 60).unwrap().outpoints;
    let paid = buyer.wallet.select_bitcoin(sat(60_000), fee_rate).unwrap().outpoints;
    seller.wallet.reserve(Holder::from([7; 16]), &sold.iter().copied().collect(), at(600)).unwrap();
    buyer.wallet.reserve(Holder::from([7; 16]), &paid.iter().copied().collect(), at(600)).unwrap();
    Terms {
        asset: rune(),
        units: 60,
        payment: sat(50_000),
        seller: stake(seller, sold),
        buyer: stake(buyer, paid),
        fee_rate,
        fee_payer: Party::Buyer,
    }
}

#[test]
fn a_swap_is_signed_by_both_and_settles() {
    let (mut seller, mut buyer) = traders();
    let terms = terms(&mut seller, &mut buyer, rate(3));
    let coins = coins([&seller, &buyer]);
    let drafted = build(&terms, &coins).unwrap().serialize();

    let checked = ReceivedPsbt::decode(&drafted).unwrap().check(&terms, Party::Buyer, &coins).unwrap();
    let proposal = checked.sign(|checked| buyer.wallet.sign(checked)).unwrap().encode();

    let received = ReceivedPsbt::decode(&proposal).unwrap();
    let checked = received.check(&terms, Party::Seller, &coins).unwrap();
    assert!(checked.is_signed_by_other());
    let transaction = checked.sign(|checked| seller.wallet.sign(checked)).unwrap().finalize().unwrap();
    let spent: Vec<_> = transaction.input.iter().map(|input| coins[&input.previous_output].output.clone()).collect();
    common::assert_signed(&transaction, &spent);

    for world in [&mut seller, &mut buyer] {
        world.see(&transaction);
        world.confirm([transaction.clone()]);
    }
    assert_eq!(seller.wallet.balance().unknown, sat(50_000 + 546));
    assert!(buyer.wallet.balance().unknown < sat(150_000 + 546));
}

#[test]
fn the_wrong_wallet_signs_nothing() {
    let (mut seller, mut buyer) = traders();
    let terms = terms(&mut seller, &mut buyer, rate(3));
    let coins = coins([&seller, &buyer]);
    let drafted = build(&terms, &coins).unwrap().serialize();
    let checked = ReceivedPsbt::decode(&drafted).unwrap().check(&terms, Party::Buyer, &coins).unwrap();
    let mine = terms.seller.inputs[0];
    assert_eq!(seller.wallet.sign(&checked).unwrap_err(), darkswap_wallet::signing::SigningError::Unexpected(mine));
}

#[test]
fn a_presigned_ask_is_completed_by_a_buyer() {
    let (mut seller, mut buyer) = traders();
    let outpoint = seller.wallet.select_asset(rune(), 100).unwrap().outpoints[0];
    let receive = seller.script();
    let ask = presigned::Ask { asset: rune(), units: 100, payment: sat(50_000), outpoint, receive };
    let coins = coins([&seller, &buyer]);
    let half = presigned::build_ask(&ask, &coins).unwrap();
    let published = half.sign(|half| seller.wallet.sign(half)).unwrap().encode();

    let received = ReceivedPsbt::decode(&published).unwrap();
    let checked = presigned::check_ask(&received, &ask, &coins).unwrap();
    let paid = buyer.wallet.select_bitcoin(sat(60_000), rate(3)).unwrap().outpoints;
    let stake = stake(&mut buyer, paid);
    let whole = presigned::complete_ask(&checked, &stake, rate(3), &coins).unwrap();
    let transaction = whole.sign(|whole| buyer.wallet.sign(whole)).unwrap().finalize().unwrap();
    assert_eq!(transaction.input[0].witness.nth(0).unwrap().len(), 65);
    seller.confirm([transaction]);
    assert_eq!(seller.wallet.balance().unknown, sat(50_000 + 546));
}
