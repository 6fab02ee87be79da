//! Asks that are signed beforehand.

use std::convert::Infallible;

use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, FeeRate, OutPoint, Psbt, Sequence, TapSighashType};
use ordinals::{Artifact, Runestone};

use super::fixture::{ALKANE, Kind, OTHER_RUNE, RUNE, World};
use crate::asset::Asset;
use crate::coin::Holdings;
use crate::psbt::presigned::{Ask, build_ask, check_ask, complete_ask};
use crate::psbt::{BuildError, CheckedPsbt, POSTAGE, Party, PsbtRefusal, ReceivedPsbt, SignatureError, Style};

const RATE: FeeRate = FeeRate::from_sat_per_kwu(2_500);

/// A seller with one output of 400 units and a buyer with bitcoin.
fn world(kind: Kind, asset: Asset) -> (World, Ask) {
    let mut world = World::new(kind);
    let outpoint = world.add(Party::Seller, kind, 10_000, [(asset, 400)]);
    world.add(Party::Buyer, Kind::Taproot, 100_000, []);
    let ask = Ask {
        asset,
        units: 400,
        payment: Amount::from_sat(50_000),
        outpoint,
        receive: world.terms.seller.receive.clone(),
    };
    (world, ask)
}

fn published(world: &World, ask: &Ask) -> Psbt {
    let checked = build_ask(ask, &world.coins).unwrap();
    let signed = checked.sign(|psbt| Ok::<_, Infallible>(world.seller.sign(psbt.psbt()))).unwrap();
    signed.psbt().clone()
}

fn complete(world: &World, ask: &Ask, psbt: Psbt) -> Result<CheckedPsbt, PsbtRefusal> {
    let received = ReceivedPsbt::decode(&psbt.serialize())?;
    let checked = check_ask(&received, ask, &world.coins)?;
    complete_ask(&checked, &world.terms.buyer, RATE, &world.coins)
}

#[test]
fn a_buyer_completes_an_ask_without_its_seller() {
    for (kind, asset) in [(Kind::Taproot, RUNE), (Kind::Wpkh, RUNE), (Kind::Taproot, ALKANE)] {
        let (world, ask) = world(kind, asset);
        let checked = complete(&world, &ask, published(&world, &ask)).unwrap();
        assert_eq!((checked.our_inputs(), checked.style()), (1..2, Style::Presigned));
        assert!(checked.is_signed_by_other());
        let fee = checked.fee();
        let signed = world.buyer.sign(checked.psbt());
        let tx = checked.signed(&signed).unwrap().finalize().unwrap();
        world.assert_valid(&tx);
        assert_eq!(tx.output[0].value, Amount::from_sat(60_000), "the seller keeps its bitcoin");
        assert_eq!(tx.output[0].script_pubkey, ask.receive);
        assert_eq!(tx.output[1].script_pubkey, world.terms.buyer.receive);
        assert_eq!(tx.output[1].value, POSTAGE);
        let inputs = [Holdings::from([(asset, 400)]), Holdings::new()];
        let runes = crate::rune::allocate(&tx, &inputs, Default::default()).unwrap();
        let moved = runes.merge(crate::alkane::allocate(&tx, &inputs).unwrap());
        assert_eq!(moved.outputs[1], inputs[0]);
        if kind == Kind::Taproot {
            assert_eq!(RATE.fee_wu(tx.weight()), Some(fee), "{asset}");
            assert_eq!(tx.input[0].witness.nth(0).unwrap()[64], TapSighashType::SinglePlusAnyoneCanPay as u8);
        }
    }
}

#[test]
fn without_its_runestone_a_completed_ask_is_refused() {
    let (world, ask) = world(Kind::Taproot, RUNE);
    let terms = crate::psbt::Terms { fee_payer: Party::Buyer, ..world.terms.clone() };
    let mut psbt = complete(&world, &ask, published(&world, &ask)).unwrap().psbt().clone();
    let plain = crate::rune::transfer_script(&[], Some(0), 4).unwrap();
    let shorter = psbt.unsigned_tx.output[2].script_pubkey.len() - plain.len();
    psbt.unsigned_tx.output[2].script_pubkey = plain;
    psbt.unsigned_tx.output[3].value += Amount::from_sat(shorter as u64 * 10);
    let received = ReceivedPsbt::from(psbt);
    let found = received.check_style(&terms, Style::Presigned, Party::Buyer, &world.coins).unwrap_err();
    assert!(matches!(found, PsbtRefusal::Stray { output: 0, .. }), "{found}");
}

#[test]
fn an_ask_for_part_of_an_output_is_not_built() {
    for extra in [(RUNE, 401), (OTHER_RUNE, 1), (ALKANE, 1)] {
        let (mut world, ask) = world(Kind::Taproot, RUNE);
        world.coins.get_mut(&ask.outpoint).unwrap().holdings.extend([extra]);
        assert!(matches!(build_ask(&ask, &world.coins), Err(BuildError::NotWhole { .. })));
    }
}

#[test]
fn an_ask_whose_output_is_not_as_it_says_is_refused() {
    let (mut world, ask) = world(Kind::Taproot, RUNE);
    let psbt = published(&world, &ask);
    let less = Ask { units: 399, ..ask.clone() };
    assert!(matches!(complete(&world, &less, psbt.clone()), Err(PsbtRefusal::Terms(BuildError::NotWhole { .. }))));
    world.coins.get_mut(&ask.outpoint).unwrap().height = None;
    let found = complete(&world, &ask, psbt.clone());
    assert!(matches!(found, Err(PsbtRefusal::Terms(BuildError::Unconfirmed { .. }))));
    world.coins.remove(&ask.outpoint);
    assert!(matches!(complete(&world, &ask, psbt), Err(PsbtRefusal::Terms(BuildError::Missing { .. }))));
}

#[test]
fn an_ask_for_another_price_than_announced_is_refused() {
    let (world, ask) = world(Kind::Taproot, RUNE);
    let dearer = Ask { payment: Amount::from_sat(50_001), ..ask.clone() };
    let found = complete(&world, &ask, published(&world, &dearer)).unwrap_err();
    let sats = Amount::from_sat;
    assert_eq!(found, PsbtRefusal::Payment { found: sats(60_001), expected: sats(60_000) });
    let mut forged = published(&world, &dearer);
    forged.unsigned_tx.output[0].value = sats(60_000);
    let found = complete(&world, &ask, forged).unwrap_err();
    assert_eq!(found, PsbtRefusal::Signature(SignatureError::Invalid { input: 0 }));
}

#[test]
fn any_change_to_an_ask_is_refused() {
    let (mut world, ask) = world(Kind::Taproot, RUNE);
    let elsewhere = world.buyer.script(Kind::Taproot);
    let psbt = published(&world, &ask);
    let refusal = |change: &dyn Fn(&mut Psbt)| {
        let mut psbt = psbt.clone();
        change(&mut psbt);
        let Err(found) = check_ask(&ReceivedPsbt::from(psbt), &ask, &world.coins) else { panic!("accepted") };
        found
    };
    assert_eq!(refusal(&|p| p.unsigned_tx.version = Version::ONE), PsbtRefusal::Version { found: 1 });
    let found = refusal(&|p| p.unsigned_tx.lock_time = LockTime::from_consensus(9));
    assert_eq!(found, PsbtRefusal::LockTime { found: 9 });
    let found = refusal(&|p| p.unsigned_tx.input[0].previous_output = OutPoint::null());
    assert!(matches!(found, PsbtRefusal::Input { .. }));
    let found = refusal(&|p| p.unsigned_tx.input[0].sequence = Sequence::ZERO);
    assert_eq!(found, PsbtRefusal::Sequence { input: 0, found: 0 });
    let found = refusal(&|p| p.inputs[0].sighash_type = Some(TapSighashType::Default.into()));
    assert_eq!(found, PsbtRefusal::Sighash { input: 0 });
    assert_eq!(refusal(&|p| p.inputs[0].witness_utxo = None), PsbtRefusal::WitnessUtxo { input: 0 });
    let found = refusal(&|p| p.unsigned_tx.output[0].script_pubkey = elsewhere.clone());
    assert!(matches!(found, PsbtRefusal::Output { output: 0, .. }));
    let found = refusal(&|p| p.unsigned_tx.output.push(p.unsigned_tx.output[0].clone()));
    assert_eq!(found, PsbtRefusal::OutputCount { found: 2, expected: 1 });
    let found = refusal(&|p| p.inputs[0].tap_key_sig = None);
    assert_eq!(found, PsbtRefusal::Signature(SignatureError::Missing { input: 0 }));
}

#[test]
fn an_interactive_signature_is_no_ask() {
    let (world, ask) = world(Kind::Taproot, RUNE);
    let mut psbt = build_ask(&ask, &world.coins).unwrap().psbt().clone();
    psbt.inputs[0].sighash_type = Some(TapSighashType::Default.into());
    let mut psbt = world.seller.sign(&psbt);
    psbt.inputs[0].sighash_type = Some(TapSighashType::SinglePlusAnyoneCanPay.into());
    let found = complete(&world, &ask, psbt).unwrap_err();
    assert_eq!(found, PsbtRefusal::Signature(SignatureError::Sighash { input: 0 }));
}

#[test]
fn a_buyer_of_an_ask_needs_the_price_and_the_fee() {
    let (mut world, ask) = world(Kind::Taproot, RUNE);
    let psbt = published(&world, &ask);
    let coin = world.terms.buyer.inputs[0];
    world.coins.get_mut(&coin).unwrap().output.value = Amount::from_sat(50_600);
    let found = complete(&world, &ask, psbt).unwrap_err();
    assert!(matches!(found, PsbtRefusal::Terms(BuildError::NotEnoughBitcoin { party: Party::Buyer, .. })), "{found}");
}

#[test]
fn an_ask_whose_output_is_found_to_hold_more_is_not_completed() {
    let (mut world, ask) = world(Kind::Taproot, RUNE);
    let received = ReceivedPsbt::from(published(&world, &ask));
    let checked = check_ask(&received, &ask, &world.coins).unwrap();
    world.coins.get_mut(&ask.outpoint).unwrap().holdings.insert(OTHER_RUNE, 1);
    let found = complete_ask(&checked, &world.terms.buyer, RATE, &world.coins).unwrap_err();
    assert!(matches!(found, PsbtRefusal::Terms(BuildError::NotWhole { inputs: 1, .. })), "{found}");
}

#[test]
fn a_completed_ask_points_at_the_buyer() {
    let (world, ask) = world(Kind::Taproot, RUNE);
    let tx = complete(&world, &ask, published(&world, &ask)).unwrap().psbt().unsigned_tx.clone();
    let Some(Artifact::Runestone(runestone)) = Runestone::decipher(&tx) else { panic!("no runestone") };
    assert_eq!((runestone.pointer, runestone.edicts[0].output, runestone.edicts[0].amount), (Some(1), 1, 400));
}
