//! What is on coins, who has them, and which of them pay.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails there fails the test")]

mod common;

use std::collections::BTreeSet;

use bitcoin::{Amount, OutPoint};
use common::{World, alkane, at, holdings, rate, rune, sat, stranger};
use darkswap_trade::coin::Holdings;
use darkswap_wallet::{
    CoinState, Holder, ReservationError, SelectionError,
    wallet::{AssetBalance, Balance, HoldingsError},
};
use proptest::prelude::*;

const ALICE: Holder = Holder([1; 32]);
const BOB: Holder = Holder([2; 32]);

#[test]
fn a_coin_pays_only_after_somebody_said_that_nothing_is_on_it() {
    let mut world = World::new();
    let coin = world.receive(10_000);
    assert_eq!(world.wallet.unknown(), [coin]);
    assert_eq!(world.wallet.balance(), Balance { unknown: sat(10_000), ..Balance::default() });
    assert!(world.wallet.select_bitcoin(sat(1_000), rate(1)).is_err());
    assert!(world.wallet.pay(stranger(), sat(1_000), rate(1)).is_err());

    world.wallet.set_holdings(coin, Holdings::new()).unwrap();
    assert_eq!(world.wallet.unknown(), []);
    assert_eq!(world.wallet.balance(), Balance { confirmed: sat(10_000), ..Balance::default() });
    assert_eq!(world.wallet.select_bitcoin(sat(1_000), rate(1)).unwrap().outpoints, [coin]);

    world.wallet.set_holdings(coin, holdings(rune(), 1)).unwrap();
    assert_eq!(world.wallet.balance(), Balance { locked: sat(10_000), ..Balance::default() });
    assert!(world.wallet.select_bitcoin(sat(1_000), rate(1)).is_err());
}

#[test]
fn each_coin_counts_once_in_the_balance() {
    let mut world = World::new();
    world.clean(1);
    world.receive(20);
    world.carrying(300, holdings(rune(), 5));
    let reserved = world.carrying(4_000, holdings(rune(), 6));
    world.wallet.reserve(ALICE, &[reserved].into(), at(9_999)).unwrap();
    let script = world.script();
    let waiting = world.payment_of([(script, 50_000)]);
    world.see(&waiting);
    let balance =
        Balance { confirmed: sat(1), unknown: sat(20), locked: sat(300), reserved: sat(4_000), pending: sat(50_000) };
    assert_eq!(world.wallet.balance(), balance);
    let assets = AssetBalance { confirmed: 5, pending: 0, reserved: 6 };
    assert_eq!(world.wallet.assets(), [(rune(), assets)].into());
}

#[test]
fn holdings_are_taken_for_own_coins_only_and_without_zeros() {
    let mut world = World::new();
    let coin = world.receive(10_000);
    let strange = OutPoint::new(coin.txid, 1);
    assert_eq!(world.wallet.set_holdings(strange, Holdings::new()), Err(HoldingsError::NotOurs(strange)));
    assert_eq!(world.wallet.set_holdings(coin, holdings(rune(), 0)), Err(HoldingsError::Zero(rune())));
    let many: Holdings = (0..2_000).map(|number| (alkane(number), 1)).collect();
    assert_eq!(world.wallet.set_holdings(coin, many), Err(HoldingsError::TooMany(2_000)));
    assert_eq!(world.wallet.coins()[0].state, CoinState::Unknown);
    assert_eq!(world.wallet.coins()[0].checked(), None);
}

#[test]
fn the_fewest_and_then_the_oldest_coins_pay() {
    let mut world = World::new();
    let coins: Vec<_> = [3_000, 8_000, 3_000, 8_000].map(|value| world.clean(value)).into();
    let pick = |amount| world.wallet.select_bitcoin(sat(amount), rate(1)).unwrap().outpoints;
    assert_eq!(pick(1_000), [coins[0]]);
    assert_eq!(pick(5_000), [coins[1]]);
    assert_eq!(pick(10_000), [coins[0], coins[1]]);
    assert_eq!(pick(12_000), [coins[1], coins[3]]);
    // 58 virtual bytes (57.5) at 1 satoshi each are the price of a coin.
    assert_eq!(pick(2_942), [coins[0]]);
    assert_eq!(pick(2_943), [coins[1]]);
    let error = world.wallet.select_bitcoin(sat(22_000), rate(1)).unwrap_err();
    assert_eq!(error, SelectionError::NotEnough { needed: sat(22_000), available: sat(22_000 - 4 * 58) });
}

#[test]
fn coins_with_nothing_else_on_them_give_an_asset_first() {
    let mut world = World::new();
    let both: Holdings = [(rune(), 10), (alkane(1), 1)].into();
    world.carrying(546, both);
    let two_runes: Holdings =
        [(rune(), 10), (darkswap_trade::asset::Asset::Rune("840000:2".parse().unwrap()), 1)].into();
    let mixed = world.carrying(546, two_runes);
    let small = world.carrying(546, holdings(rune(), 4));
    let large = world.carrying(546, holdings(rune(), 6));
    world.clean(100_000);
    let pick = |units| world.wallet.select_asset(rune(), units).map(|selection| selection.outpoints);
    assert_eq!(pick(4), Ok(vec![small]));
    assert_eq!(pick(5), Ok(vec![large]));
    assert_eq!(pick(10), Ok(vec![small, large]));
    assert_eq!(pick(11), Ok(vec![mixed, small]));
    // An alkane that came along would burn.
    assert_eq!(pick(21), Err(SelectionError::NotEnoughUnits { asset: rune(), needed: 21, available: 20 }));
    assert_eq!(world.wallet.select_asset(alkane(1), 1).map(|selection| selection.outpoints.len()), Ok(1));
}

#[test]
fn own_change_pays_before_it_is_in_a_block_and_a_strangers_payment_does_not() {
    let mut world = World::new();
    world.clean(100_000);
    let payment = world.wallet.pay(stranger(), sat(10_000), rate(1)).unwrap().transaction;
    world.see(&payment);
    let change = OutPoint::new(payment.compute_txid(), 1);
    world.wallet.set_holdings(change, Holdings::new()).unwrap();
    assert_eq!(world.wallet.select_bitcoin(sat(1_000), rate(1)).unwrap().outpoints, [change]);

    let script = world.script();
    let gift = world.payment_of([(script, 500_000)]);
    world.see(&gift);
    world.wallet.set_holdings(OutPoint::new(gift.compute_txid(), 0), Holdings::new()).unwrap();
    assert!(world.wallet.select_bitcoin(sat(200_000), rate(1)).is_err());

    // Nor does one whose inputs are known and in blocks: its sender can still spend them elsewhere.
    let source = world.payment_of([(stranger(), 600_000)]);
    world.confirm([source.clone()]);
    let script = world.script();
    let gift = common::transaction([OutPoint::new(source.compute_txid(), 0)], [(script, 590_000)]);
    world.see(&gift);
    world.wallet.set_holdings(OutPoint::new(gift.compute_txid(), 0), Holdings::new()).unwrap();
    assert!(world.wallet.select_bitcoin(sat(200_000), rate(1)).is_err());
}

#[test]
fn reserved_coins_are_not_chosen_until_they_are_released_or_expire() {
    let mut world = World::new();
    let (a, b) = (world.clean(10_000), world.clean(10_000));
    world.wallet.reserve(ALICE, &[a].into(), at(100)).unwrap();
    assert_eq!(world.wallet.select_bitcoin(sat(1_000), rate(1)).unwrap().outpoints, [b]);
    let taken = ReservationError::Taken { outpoint: a, holder: ALICE };
    assert_eq!(world.wallet.reserve(BOB, &[a, b].into(), at(100)), Err(taken));
    world.wallet.reserve(BOB, &[b].into(), at(200)).unwrap();
    assert!(world.wallet.select_bitcoin(sat(1_000), rate(1)).is_err());

    assert_eq!(world.wallet.deadline(), Some(at(100)));
    assert_eq!(world.wallet.expire(at(100)), [ALICE]);
    assert_eq!(world.wallet.select_bitcoin(sat(1_000), rate(1)).unwrap().outpoints, [a]);
    assert_eq!(world.wallet.release(BOB), [b].into());
    assert_eq!(world.wallet.release(BOB), BTreeSet::new());
    assert_eq!(world.wallet.deadline(), None);

    let strange = OutPoint::new(a.txid, 9);
    let error = world.wallet.reserve(ALICE, &[a, strange].into(), at(300)).unwrap_err();
    assert_eq!(error, ReservationError::NotOurs { outpoint: strange });
    assert!(world.wallet.reservations().is_empty());
}

/// What may happen to a coin.
#[derive(Clone, Debug)]
enum Kind {
    Unknown,
    Clean,
    Rune(u128),
    Alkane(u128),
    Reserved,
    Waiting,
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => Just(Kind::Unknown),
        3 => Just(Kind::Clean),
        2 => (1_u128..1_000).prop_map(Kind::Rune),
        1 => (1_u128..1_000).prop_map(Kind::Alkane),
        1 => Just(Kind::Reserved),
        1 => Just(Kind::Waiting),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_payment_bump_or_reclaim_spends_an_asset_as_bitcoin(
        coins in prop::collection::vec((kinds(), 600_u64..60_000), 1..12),
        amount in 330_u64..80_000,
        units in 1_u128..1_500,
        fee in 1_u64..40,
        reclaimed in any::<prop::sample::Index>(),
    ) {
        let mut world = World::new();
        let mut clean = BTreeSet::new();
        for (number, (kind, value)) in coins.iter().enumerate() {
            match kind {
                Kind::Unknown => drop(world.receive(*value)),
                Kind::Clean => drop(clean.insert(world.clean(*value))),
                Kind::Rune(units) => drop(world.carrying(*value, holdings(rune(), *units))),
                Kind::Alkane(units) => drop(world.carrying(*value, holdings(alkane(1), *units))),
                Kind::Reserved => {
                    let coin = world.clean(*value);
                    let holder = Holder([u8::try_from(number).unwrap(); 32]);
                    world.wallet.reserve(holder, &[coin].into(), at(1_000_000)).unwrap();
                }
                Kind::Waiting => {
                    let script = world.script();
                    let payment = world.payment_of([(script, *value)]);
                    world.see(&payment);
                    world.wallet.set_holdings(OutPoint::new(payment.compute_txid(), 0), Holdings::new()).unwrap();
                }
            }
        }
        let all: Vec<_> = world.wallet.coins();
        let inputs = |transaction: &bitcoin::Transaction| -> BTreeSet<OutPoint> {
            transaction.input.iter().map(|input| input.previous_output).collect()
        };

        // A transfer moves coins of its asset; everything else on its inputs is clean.
        let transfer = darkswap_wallet::payment::Transfer {
            asset: rune(),
            units,
            recipient: stranger(),
            runestone: common::runestone(),
            fee_rate: rate(fee),
        };
        if let Ok(transfer) = world.wallet.transfer(transfer) {
            let chosen: BTreeSet<_> = world.wallet.select_asset(rune(), units).unwrap().outpoints.into_iter().collect();
            prop_assert!(inputs(&transfer.transaction).difference(&chosen).all(|input| clean.contains(input)));
            prop_assert!(chosen.is_subset(&inputs(&transfer.transaction)));
        }

        // A reclaim takes what it is told, and clean coins.
        let told = all[reclaimed.index(all.len())].outpoint;
        if let Ok(reclaim) = world.wallet.reclaim(&[told].into(), None, rate(fee)) {
            let spent = inputs(&reclaim.transaction);
            prop_assert!(spent.contains(&told));
            prop_assert!(spent.iter().all(|input| *input == told || clean.contains(input)));
            prop_assert!(reclaim.transaction.output.iter().all(|output| world.wallet.is_mine(&output.script_pubkey)));
        }

        // A payment and its bump take clean coins.
        if let Ok(payment) = world.wallet.pay(stranger(), sat(amount), rate(fee)) {
            common::assert_signed(&payment.transaction, &world.spent(&payment.transaction));
            let spent = inputs(&payment.transaction);
            prop_assert!(spent.is_subset(&clean));
            world.see(&payment.transaction);
            if let Ok(bump) = world.wallet.bump(payment.transaction.compute_txid(), rate(fee + 5)) {
                prop_assert!(spent.is_subset(&inputs(&bump.transaction)));
                prop_assert!(inputs(&bump.transaction).is_subset(&clean));
                prop_assert_eq!(bump.transaction.output[0].value, sat(amount));
                prop_assert!(bump.fee > payment.fee);
            }
        } else {
            let can: Amount = clean
                .iter()
                .map(|coin| all.iter().find(|other| other.outpoint == *coin).unwrap().output.value)
                .sum();
            let most = sat(amount) + rate(fee).fee_vb(11 + 43 + 58 * u64::try_from(clean.len()).unwrap()).unwrap();
            prop_assert!(can < most, "{can} should suffice for {most}");
        }
    }
}
