//! Sends, transfers, bumps, reclaims.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails there fails the test")]

mod common;

use bitcoin::{Amount, FeeRate, OutPoint, ScriptBuf, Sequence, TxOut, Weight};
use common::{World, alkane, assert_signed, at, holdings, rate, rune, runestone, sat, stranger};
use darkswap_trade::coin::Holdings;
use darkswap_wallet::{
    Holder, SelectionError,
    payment::{MAX_RUNESTONE, POSTAGE, Payment, PaymentError, Transfer},
};

fn assert_pays(payment: &Payment, fee_rate: FeeRate) {
    let least = fee_rate.fee_wu(payment.transaction.weight()).unwrap();
    // A change below the dust limit and the rounding of each input may come on top.
    let most = least + sat(330) + fee_rate.fee_wu(Weight::from_wu(172)).unwrap() + sat(10);
    assert!(payment.fee >= least && payment.fee <= most, "{} is not within {least} and {most}", payment.fee);
}

#[test]
fn a_payment_pays_its_recipient_its_fee_and_the_rest_to_us() {
    let mut world = World::new();
    world.clean(100_000);
    let payment = world.wallet.pay(stranger(), sat(20_000), rate(7)).unwrap();
    let transaction = &payment.transaction;
    assert_eq!(transaction.output[0], TxOut { value: sat(20_000), script_pubkey: stranger() });
    assert!(world.wallet.is_mine(&transaction.output[1].script_pubkey));
    assert_eq!(payment.fee, rate(7).fee_wu(transaction.weight()).unwrap());
    assert_eq!(payment.fee + transaction.output[1].value, sat(80_000));
    assert!(transaction.is_explicitly_rbf());
    assert_signed(transaction, &world.spent(transaction));
    world.confirm([payment.transaction]);
    assert_eq!(world.wallet.balance().unknown + payment.fee, sat(80_000));
}

#[test]
fn the_same_wallet_makes_the_same_payment() {
    let pay = || {
        let mut world = World::new();
        world.clean(60_000);
        world.clean(60_000);
        world.wallet.pay(stranger(), sat(90_000), rate(3)).unwrap().transaction
    };
    assert_eq!(pay(), pay());
}

#[test]
fn change_that_would_be_dust_goes_to_the_fee() {
    let mut world = World::new();
    world.clean(10_000);
    let payment = world.wallet.pay(stranger(), sat(9_600), rate(1)).unwrap();
    assert_eq!(payment.transaction.output.len(), 1);
    assert_eq!(payment.fee, sat(400));
    assert_pays(&payment, rate(1));
}

#[test]
fn what_cannot_be_paid_is_refused_with_numbers() {
    let mut world = World::new();
    world.clean(10_000);
    let mut pay = |amount, rate| world.wallet.pay(stranger(), amount, rate).unwrap_err();
    assert!(matches!(pay(sat(10_000), rate(1)), PaymentError::Selection(SelectionError::NotEnough { .. })));
    assert_eq!(pay(sat(293), rate(1)), PaymentError::Dust { found: sat(293), least: sat(294) });
    assert_eq!(pay(Amount::MAX, rate(1)), PaymentError::Overflow);
    assert_eq!(pay(sat(1_000), FeeRate::ZERO), PaymentError::FeeRate(FeeRate::ZERO));
    assert_eq!(pay(sat(1_000), FeeRate::MAX), PaymentError::FeeRate(FeeRate::MAX));
    assert_eq!(pay(sat(1_000), rate(2_001)), PaymentError::FeeRate(rate(2_001)));
}

fn transfer(units: u128) -> Transfer {
    Transfer { asset: rune(), units, recipient: stranger(), runestone: runestone(), fee_rate: rate(5) }
}

#[test]
fn a_transfer_has_every_output_where_the_runestone_expects_it() {
    let mut world = World::new();
    let asset = world.carrying(546, holdings(rune(), 100));
    world.carrying(9_000, holdings(alkane(1), 100));
    let clean = world.clean(30_000);
    let payment = world.wallet.transfer(transfer(60)).unwrap();
    let transaction = &payment.transaction;
    let inputs: Vec<_> = transaction.input.iter().map(|input| input.previous_output).collect();
    assert_eq!(inputs, [asset, clean]);
    assert_eq!(transaction.output.len(), 4);
    assert!(world.wallet.is_mine(&transaction.output[0].script_pubkey));
    assert_eq!(transaction.output[0].value, POSTAGE);
    assert_eq!(transaction.output[1], TxOut { value: POSTAGE, script_pubkey: stranger() });
    assert_eq!(transaction.output[2], TxOut { value: Amount::ZERO, script_pubkey: runestone() });
    assert!(world.wallet.is_mine(&transaction.output[3].script_pubkey));
    assert_ne!(transaction.output[0].script_pubkey, transaction.output[3].script_pubkey);
    assert_eq!(payment.fee, rate(5).fee_wu(transaction.weight()).unwrap());
    assert_signed(transaction, &world.spent(transaction));
}

#[test]
fn a_transfer_without_units_fee_or_runestone_is_refused() {
    let mut world = World::new();
    world.carrying(546, holdings(rune(), 100));
    let more = world.wallet.transfer(transfer(101)).unwrap_err();
    assert!(matches!(more, PaymentError::Selection(SelectionError::NotEnoughUnits { available: 100, .. })), "{more}");
    let poor = world.wallet.transfer(transfer(1)).unwrap_err();
    assert!(matches!(poor, PaymentError::Selection(SelectionError::NotEnough { .. })), "{poor}");
    for script in [ScriptBuf::new(), stranger(), ScriptBuf::from_bytes(vec![0x6a; MAX_RUNESTONE + 1])] {
        let found = script.len();
        let error = world.wallet.transfer(Transfer { runestone: script, ..transfer(1) }).unwrap_err();
        assert_eq!(error, PaymentError::Runestone { found });
    }
}

#[test]
fn a_bump_keeps_recipients_and_takes_the_fee_from_the_change() {
    let mut world = World::new();
    world.clean(100_000);
    let payment = world.wallet.pay(stranger(), sat(20_000), rate(2)).unwrap();
    world.see(&payment.transaction);
    let bump = world.wallet.bump(payment.transaction.compute_txid(), rate(10)).unwrap();
    assert_eq!(bump.transaction.input.len(), 1);
    assert_eq!(bump.transaction.output.len(), 2);
    assert_eq!(bump.transaction.output[0], payment.transaction.output[0]);
    assert_eq!(bump.transaction.output[1].script_pubkey, payment.transaction.output[1].script_pubkey);
    assert_eq!(bump.fee, rate(10).fee_wu(bump.transaction.weight()).unwrap());
    assert_signed(&bump.transaction, &world.spent(&bump.transaction));
    world.see(&bump.transaction);
    assert!(world.wallet.transaction(payment.transaction.compute_txid()).is_none());
    assert_eq!(world.wallet.balance().pending + bump.fee, sat(80_000));
}

#[test]
fn a_bump_beyond_the_change_adds_a_clean_coin_of_a_block_and_no_other() {
    let mut world = World::new();
    world.clean(22_000);
    let payment = world.wallet.pay(stranger(), sat(20_000), rate(2)).unwrap();
    world.see(&payment.transaction);
    world.carrying(90_000, holdings(alkane(1), 5));
    world.receive(80_000);
    let script = world.script();
    let waiting = world.payment_of([(script, 70_000)]);
    world.see(&waiting);
    world.wallet.set_holdings(OutPoint::new(waiting.compute_txid(), 0), Holdings::new()).unwrap();
    let reserved = world.clean(60_000);
    world.wallet.reserve(Holder([1; 32]), &[reserved].into(), at(9_999)).unwrap();
    let txid = payment.transaction.compute_txid();
    let error = world.wallet.bump(txid, rate(50)).unwrap_err();
    assert!(matches!(error, PaymentError::Selection(SelectionError::NotEnough { .. })), "{error}");

    let clean = world.clean(30_000);
    let bump = world.wallet.bump(txid, rate(50)).unwrap();
    let inputs: Vec<_> = bump.transaction.input.iter().map(|input| input.previous_output).collect();
    assert_eq!(inputs, [payment.transaction.input[0].previous_output, clean]);
    assert_eq!(bump.transaction.output[0], payment.transaction.output[0]);
    assert_pays(&bump, rate(50));
}

#[test]
fn a_bump_of_a_transfer_moves_no_output() {
    let mut world = World::new();
    world.carrying(546, holdings(rune(), 100));
    world.clean(30_000);
    let payment = world.wallet.transfer(transfer(60)).unwrap();
    world.see(&payment.transaction);
    let bump = world.wallet.bump(payment.transaction.compute_txid(), rate(20)).unwrap();
    assert_eq!(bump.transaction.output[..3], payment.transaction.output[..3]);
    assert_eq!(bump.transaction.output.len(), 4);
    assert_pays(&bump, rate(20));
}

#[test]
fn a_bump_adds_no_coin_that_waits() {
    let mut world = World::new();
    world.clean(90_000);
    let first = world.wallet.pay(stranger(), sat(20_000), rate(2)).unwrap();
    world.see(&first.transaction);
    world.clean(22_000);
    let second = world.wallet.pay(stranger(), sat(20_000), rate(2)).unwrap();
    world.see(&second.transaction);
    // The change of the first could pay for anything but a replacement (BIP 125 rule 2).
    let change = OutPoint::new(first.transaction.compute_txid(), 1);
    world.wallet.set_holdings(change, Holdings::new()).unwrap();
    assert_eq!(world.wallet.select_bitcoin(sat(50_000), rate(2)).unwrap().outpoints, [change]);
    let error = world.wallet.bump(second.transaction.compute_txid(), rate(50)).unwrap_err();
    assert!(matches!(error, PaymentError::Selection(SelectionError::NotEnough { .. })), "{error}");
}

#[test]
fn a_bump_of_a_transfer_keeps_the_change_even_when_it_needs_another_coin_for_it() {
    let mut world = World::new();
    world.carrying(546, holdings(rune(), 100));
    world.clean(3_500);
    let payment = world.wallet.transfer(transfer(60)).unwrap();
    assert_eq!(payment.transaction.output.len(), 4);
    world.see(&payment.transaction);
    let txid = payment.transaction.compute_txid();
    // Without its change the transfer could pay this, but an output fewer alters what edicts mean.
    let rest = payment.transaction.output[3].value - sat(100);
    let vsize = u64::try_from(payment.transaction.vsize()).unwrap();
    let tight = rate((payment.fee + rest).to_sat() / vsize);
    let error = world.wallet.bump(txid, tight).unwrap_err();
    assert!(matches!(error, PaymentError::Selection(SelectionError::NotEnough { .. })), "{error}");
    world.clean(30_000);
    let bump = world.wallet.bump(txid, tight).unwrap();
    assert_eq!(bump.transaction.input.len(), 3);
    assert_eq!(bump.transaction.output[..3], payment.transaction.output[..3]);
    assert_eq!(bump.transaction.output[3].script_pubkey, payment.transaction.output[3].script_pubkey);
}

#[test]
fn a_bump_that_pays_too_little_says_what_bip_125_asks_for() {
    let mut world = World::new();
    world.clean(100_000);
    let payment = world.wallet.pay(stranger(), sat(20_000), rate(10)).unwrap();
    world.see(&payment.transaction);
    let vsize = u64::try_from(payment.transaction.vsize()).unwrap();
    let bumped = world.wallet.bump(payment.transaction.compute_txid(), FeeRate::from_sat_per_kwu(10 * 250 + 100));
    let PaymentError::PaysTooLittle { offered, required, replaced, relay, vsize: found } = bumped.unwrap_err() else {
        panic!("expected a fee that is too low");
    };
    assert_eq!((found, replaced, relay), (vsize, payment.fee, sat(vsize)));
    assert_eq!(required, replaced + relay);
    assert!(offered < required);
    world.wallet.bump(payment.transaction.compute_txid(), rate(12)).unwrap();
}

#[test]
fn a_bump_pays_for_what_hangs_on_the_original() {
    let mut world = World::new();
    world.clean(100_000);
    let parent = world.wallet.pay(stranger(), sat(20_000), rate(2)).unwrap();
    world.see(&parent.transaction);
    let change = OutPoint::new(parent.transaction.compute_txid(), 1);
    world.wallet.set_holdings(change, Holdings::new()).unwrap();
    let child = world.wallet.pay(stranger(), sat(20_000), rate(30)).unwrap();
    world.see(&child.transaction);
    let error = world.wallet.bump(parent.transaction.compute_txid(), rate(20)).unwrap_err();
    let PaymentError::PaysTooLittle { replaced, .. } = error else { panic!("{error}") };
    assert_eq!(replaced, parent.fee + child.fee);
    world.wallet.bump(parent.transaction.compute_txid(), rate(60)).unwrap();
}

#[test]
fn what_cannot_be_replaced_is_refused() {
    let mut world = World::new();
    let unknown = world.payment_of([]).compute_txid();
    assert_eq!(world.wallet.bump(unknown, rate(9)).unwrap_err(), PaymentError::UnknownTransaction(unknown));

    world.clean(100_000);
    let payment = world.wallet.pay(stranger(), sat(20_000), rate(2)).unwrap();
    let txid = payment.transaction.compute_txid();
    world.confirm([payment.transaction]);
    let height = world.wallet.height();
    assert_eq!(world.wallet.bump(txid, rate(9)).unwrap_err(), PaymentError::Confirmed { txid, height });

    let script = world.script();
    let gift = world.payment_of([(script.clone(), 5_000)]);
    world.see(&gift);
    let error = world.wallet.bump(gift.compute_txid(), rate(9)).unwrap_err();
    assert_eq!(error, PaymentError::FeeUnknown(gift.compute_txid()));

    let mut last = world.payment_of([(script, 6_000)]);
    last.input[0].sequence = Sequence::MAX;
    world.see(&last);
    let error = world.wallet.bump(last.compute_txid(), rate(9)).unwrap_err();
    assert_eq!(error, PaymentError::NotReplaceable(last.compute_txid()));
}

/// A coin of somebody else, whose transaction the wallet was told for the sake of a fee.
fn strangers_coin(world: &mut World, value: u64) -> OutPoint {
    let payment = world.payment_of([(stranger(), value)]);
    world.confirm([payment.clone()]);
    OutPoint::new(payment.compute_txid(), 0)
}

#[test]
fn a_transaction_that_others_signed_too_is_not_bumped_by_us_alone() {
    let mut world = World::new();
    let own = world.clean(50_000);
    let foreign = strangers_coin(&mut world, 5_000);
    let swap = common::transaction([own, foreign], [(stranger(), 10_000)]);
    world.see(&swap);
    let txid = swap.compute_txid();
    let error = world.wallet.bump(txid, rate(2_000)).unwrap_err();
    assert_eq!(error, PaymentError::ForeignInput { txid, outpoint: foreign });
}

#[test]
fn a_reclaim_takes_a_reserved_coin_back_to_us() {
    let mut world = World::new();
    let coin = world.clean(50_000);
    world.wallet.reserve(Holder([1; 32]), &[coin].into(), at(9_999)).unwrap();
    let reclaim = world.wallet.reclaim(&[coin].into(), None, rate(3)).unwrap();
    assert_eq!(reclaim.transaction.input.len(), 1);
    assert_eq!(reclaim.transaction.output.len(), 1);
    assert!(world.wallet.is_mine(&reclaim.transaction.output[0].script_pubkey));
    assert_eq!(reclaim.transaction.output[0].value + reclaim.fee, sat(50_000));
    assert_signed(&reclaim.transaction, &world.spent(&reclaim.transaction));
}

#[test]
fn a_reclaim_replaces_the_swap_that_spends_its_coin() {
    let mut world = World::new();
    let coin = world.clean(50_000);
    let foreign = strangers_coin(&mut world, 5_000);
    let swap = common::transaction([coin, foreign], [(stranger(), 50_000)]);
    world.see(&swap);
    let error = world.wallet.reclaim(&[coin].into(), None, rate(20)).unwrap_err();
    let PaymentError::PaysTooLittle { replaced, required, .. } = error else { panic!("{error}") };
    assert_eq!(replaced, sat(5_000));
    let reclaim = world.wallet.reclaim(&[coin].into(), None, rate(60)).unwrap();
    assert!(reclaim.fee >= required);
    world.see(&reclaim.transaction);
    assert!(world.wallet.transaction(swap.compute_txid()).is_none());

    world.confirm([swap.clone()]);
    let error = world.wallet.reclaim(&[coin].into(), None, rate(60)).unwrap_err();
    assert_eq!(error, PaymentError::Confirmed { txid: swap.compute_txid(), height: world.wallet.height() });
}

#[test]
fn reclaimed_assets_stay_together_on_the_first_output() {
    let mut world = World::new();
    let (a, b) = (world.carrying(546, holdings(rune(), 1)), world.carrying(9_000, holdings(rune(), 2)));
    world.clean(20_000);
    let reclaim = world.wallet.reclaim(&[a, b].into(), None, rate(2)).unwrap();
    assert_eq!(reclaim.transaction.input.len(), 2);
    assert_eq!(reclaim.transaction.output[0].value, POSTAGE);
    assert_eq!(reclaim.transaction.output.len(), 2);
    let outputs = reclaim.transaction.output.iter();
    assert!(outputs.map(|output| &output.script_pubkey).all(|script| world.wallet.is_mine(script)));
    // One that cannot pay for itself gets a clean coin; that stays a bump's only source, too.
    let reclaim = world.wallet.reclaim(&[a].into(), None, rate(2)).unwrap();
    assert_eq!(reclaim.transaction.input.len(), 2);
    world.see(&reclaim.transaction);
    let bump = world.wallet.bump(reclaim.transaction.compute_txid(), rate(9)).unwrap();
    assert_eq!(bump.transaction.output[0], reclaim.transaction.output[0]);
    assert_pays(&bump, rate(9));
}

#[test]
fn a_reclaim_burns_nothing() {
    let mut world = World::new();
    world.clean(20_000);
    let unknown = world.receive(9_000);
    let carrying = world.carrying(9_000, holdings(alkane(1), 1));
    let mut reclaim = |outpoint, script| world.wallet.reclaim(&[outpoint].into(), script, rate(2));
    assert_eq!(reclaim(unknown, None).unwrap_err(), PaymentError::UnknownAssets(unknown));
    assert_eq!(reclaim(carrying, None).unwrap_err(), PaymentError::NeedsProtostone(carrying));
    let stranger = OutPoint::new(unknown.txid, 5);
    assert_eq!(reclaim(stranger, None).unwrap_err(), PaymentError::NotOurs(stranger));
    let payment = reclaim(carrying, Some(runestone())).unwrap();
    assert_eq!(payment.transaction.output[0].value, POSTAGE);
    assert_eq!(payment.transaction.output[1].script_pubkey, runestone());
    let nothing = world.wallet.reclaim(&std::collections::BTreeSet::new(), None, rate(2)).unwrap_err();
    assert_eq!(nothing, PaymentError::NothingToReclaim);
}
