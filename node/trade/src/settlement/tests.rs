use bitcoin::hashes::Hash as _;
use ordinals::RuneId;
use proptest::prelude::*;

use super::*;

const ALICE: TraderKey = TraderKey([1; 32]);
const BOB: TraderKey = TraderKey([2; 32]);
const GOLD: Asset = Asset::Rune(RuneId { block: 840_000, tx: 3 });
const FEE: u64 = 700;

fn sat(sats: u64) -> Amount {
    Amount::from_sat(sats)
}

fn wealth(sats: u64, units: u128) -> Wealth {
    Wealth { bitcoin: sat(sats), assets: [(GOLD, units)].into() }
}

fn txid(number: u8) -> Txid {
    Txid::from_byte_array([number; 32])
}

/// Alice sells to Bob, who takes her order: what both say when it is over.
fn sale(units: u128, sats: u64, phase: Phase) -> [Claim; 2] {
    let claim = |trader, peer, role| Claim {
        trader,
        peer,
        swap: SwapId([7; 16]),
        role,
        side: Side::Sell,
        asset: GOLD,
        units,
        payment: sat(sats),
        phase,
        txid: Some(txid(1)),
    };
    [claim(ALICE, BOB, Role::Maker), claim(BOB, ALICE, Role::Taker)]
}

fn accounts(alice: [Wealth; 2], bob: [Wealth; 2]) -> BTreeMap<TraderKey, Account> {
    let account = |[before, after]: [Wealth; 2]| Account { before, after, ..Account::default() };
    [(ALICE, account(alice)), (BOB, account(bob))].into()
}

fn block(fee: u64) -> BTreeMap<Txid, Settlement> {
    [(txid(1), Settlement { fee: sat(fee), highest: sat(FEE) })].into()
}

/// Before and after a sale of 60 units for 3,000 satoshis.
fn settled() -> BTreeMap<TraderKey, Account> {
    accounts([wealth(10_000, 100), wealth(13_000, 40)], [wealth(20_000, 0), wealth(17_000 - FEE, 60)])
}

#[test]
fn a_settled_swap_moves_exactly_what_was_agreed_and_its_taker_pays_the_fee() {
    let verdict = judge(&settled(), &sale(60, 3_000, Phase::Done), &block(FEE)).unwrap();
    assert!(verdict.is_exact(), "{verdict}");
    assert_eq!((verdict.settled, verdict.aborted), (1, 0));
}

#[test]
fn the_taker_of_a_purchase_gives_the_asset_and_pays_the_fee() {
    let accounts = accounts([wealth(10_000, 0), wealth(7_000, 60)], [wealth(20_000, 100), wealth(23_000 - FEE, 40)]);
    let mut claims = sale(60, 3_000, Phase::Done);
    claims.iter_mut().for_each(|claim| claim.side = Side::Buy);
    let verdict = judge(&accounts, &claims, &block(FEE)).unwrap();
    assert!(verdict.is_exact(), "{verdict}");
}

#[test]
fn a_maker_that_says_nothing_is_judged_by_what_its_taker_says() {
    let [_, taker] = sale(60, 3_000, Phase::Done);
    let verdict = judge(&settled(), &[taker], &block(FEE)).unwrap();
    assert!(verdict.is_exact(), "{verdict}");
}

#[test]
fn whoever_has_less_has_lost_it_and_whoever_has_more_has_gained_it() {
    let mut accounts = settled();
    let alice = accounts.get_mut(&ALICE).unwrap();
    (alice.after.bitcoin, *alice.after.assets.get_mut(&GOLD).unwrap()) = (sat(12_990), 41);
    let verdict = judge(&accounts, &sale(60, 3_000, Phase::Done), &block(FEE)).unwrap();
    assert!(!verdict.is_lossless() && !verdict.is_exact());
    assert_eq!(verdict.lost, [(ALICE, Wealth::of(sat(10)))].into());
    assert_eq!(verdict.gained, [(ALICE, wealth(0, 1))].into());
}

#[test]
fn a_swap_without_a_block_moves_nothing() {
    let nothing = BTreeMap::new();
    let verdict = judge(&settled(), &sale(60, 3_000, Phase::Aborted), &nothing).unwrap();
    assert_eq!(verdict.lost, [(ALICE, wealth(0, 60)), (BOB, Wealth::of(sat(3_000 + FEE)))].into());
    assert_eq!((verdict.settled, verdict.aborted), (0, 1));
}

#[test]
fn what_is_paid_and_got_elsewhere_is_accounted_for() {
    let mut accounts = accounts([wealth(10_000, 100), wealth(9_400, 75)], [wealth(500, 0), wealth(500, 30)]);
    accounts.get_mut(&ALICE).unwrap().spent = wealth(600, 30);
    accounts.get_mut(&ALICE).unwrap().received = wealth(0, 5);
    accounts.get_mut(&BOB).unwrap().received = wealth(0, 30);
    let verdict = judge(&accounts, &[], &BTreeMap::new()).unwrap();
    assert!(verdict.is_exact(), "{verdict}");
}

#[test]
fn what_a_trader_says_has_to_be_what_the_chain_has() {
    let swap = Key { maker: ALICE, taker: BOB, swap: SwapId([7; 16]) };
    let faults = |claims: [Claim; 2], chain| judge(&settled(), &claims, &chain).unwrap().faults;

    let denied = |trader| Fault::Denied { swap, trader, txid: txid(1) };
    assert_eq!(faults(sale(60, 3_000, Phase::Aborted), block(FEE)), [denied(ALICE), denied(BOB)]);
    let unsettled = |trader| Fault::Unsettled { swap, trader };
    assert_eq!(faults(sale(60, 3_000, Phase::Done), BTreeMap::new()), [unsettled(ALICE), unsettled(BOB)]);
    let fee = Fault::Fee { swap, fee: sat(FEE + 1), highest: sat(FEE) };
    assert_eq!(faults(sale(60, 3_000, Phase::Done), block(FEE + 1)), [fee]);

    let mut other_units = sale(60, 3_000, Phase::Done);
    other_units[1].units = 61;
    assert_eq!(faults(other_units, block(FEE)), [Fault::Contradiction { swap }]);
    let mut other_transaction = sale(60, 3_000, Phase::Done);
    other_transaction[1].txid = Some(txid(2));
    assert_eq!(faults(other_transaction, block(FEE)), [Fault::Contradiction { swap }]);
}

#[test]
fn a_swap_that_is_not_over_for_somebody_is_open() {
    let mut claims = sale(60, 3_000, Phase::Done);
    claims[0].phase = Phase::Confirming;
    let verdict = judge(&settled(), &claims, &block(FEE)).unwrap();
    assert_eq!(verdict.open, [Key { maker: ALICE, taker: BOB, swap: SwapId([7; 16]) }]);
    assert!(verdict.is_lossless() && !verdict.is_exact());
    assert!(verdict.to_string().starts_with("1 settled, 0 aborted, 1 open\nopen: swap 0707"), "{verdict}");
}

#[test]
fn the_highest_fee_is_the_agreed_rate_and_change_that_is_dust() {
    let rate = FeeRate::from_sat_per_vb_u32(4);
    assert_eq!(highest_fee(Weight::from_vb_unwrap(200), rate), Some(sat(800 + 546)));
    assert_eq!(highest_fee(Weight::MAX, FeeRate::MAX), None);
}

proptest! {
    #[test]
    fn amounts_of_any_size_never_panic(
        sats: [u64; 4], units: [u128; 4], payment: u64, traded: u128, fee: u64, is_sale: bool,
    ) {
        let mut accounts = accounts(
            [wealth(sats[0], units[0]), wealth(sats[1], units[1])],
            [wealth(sats[2], units[2]), wealth(sats[3], units[3])],
        );
        accounts.get_mut(&ALICE).unwrap().spent = wealth(sats[2], units[1]);
        let mut claims = sale(traded, payment, Phase::Done);
        claims.iter_mut().for_each(|claim| claim.side = if is_sale { Side::Sell } else { Side::Buy });
        if let Ok(verdict) = judge(&accounts, &claims, &block(fee)) {
            prop_assert!(!verdict.to_string().is_empty());
        }
    }

    #[test]
    fn what_one_loses_the_other_gains(stolen in 1..1_000u64, units in 0..40u128) {
        let mut accounts = settled();
        let mut shift = |trader, sats, more: u128, less: u128| {
            let after: &mut Wealth = &mut accounts.get_mut(&trader).unwrap().after;
            after.bitcoin = sats;
            let held = after.assets.get_mut(&GOLD).unwrap();
            *held = *held + more - less;
        };
        shift(ALICE, sat(13_000 - stolen), 0, units);
        shift(BOB, sat(17_000 - FEE + stolen), units, 0);
        let verdict = judge(&accounts, &sale(60, 3_000, Phase::Done), &block(FEE)).unwrap();
        prop_assert_eq!(verdict.lost.get(&ALICE), verdict.gained.get(&BOB));
        prop_assert_eq!(verdict.lost.len(), 1);
    }
}
