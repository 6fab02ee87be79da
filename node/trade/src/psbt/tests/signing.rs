//! Signatures: taken, verified, refused, combined.

use std::convert::Infallible;

use bitcoin::secp256k1::schnorr;
use bitcoin::{Amount, Psbt, TapSighashType, Witness};

use super::fixture::{Keys, Kind, World};
use crate::psbt::{CheckedPsbt, PartlySigned, Party, PsbtRefusal, ReceivedPsbt, SignError, SignatureError};

fn checked(world: &World, party: Party) -> CheckedPsbt {
    world.check(world.psbt(), party).unwrap()
}

fn signed(world: &World, party: Party) -> PartlySigned {
    checked(world, party).sign(|psbt| Ok::<_, Infallible>(world.keys(party).sign(psbt.psbt()))).unwrap()
}

#[test]
fn the_second_to_sign_finishes() {
    for first in [Party::Seller, Party::Buyer] {
        let world = World::usual();
        let bytes = signed(&world, first).encode();
        let received = ReceivedPsbt::decode(&bytes).unwrap();
        let second = received.check(&world.terms, first.other(), &world.coins).unwrap();
        assert!(second.is_signed_by_other());
        assert!(!checked(&world, first).is_signed_by_other());
        let complete = second.clone().signed(&world.keys(first.other()).sign(second.psbt())).unwrap();
        assert!(complete.is_complete());
        let txid = complete.txid();
        let tx = complete.finalize().unwrap();
        assert_eq!(tx.compute_txid(), txid);
        world.assert_valid(&tx);
    }
}

#[test]
fn both_halves_combine_to_the_same_transaction() {
    let world = World::usual();
    let [seller, buyer] = [Party::Seller, Party::Buyer].map(|party| signed(&world, party));
    let halves = [seller.clone(), buyer.clone()].map(|half| ReceivedPsbt::decode(&half.encode()).unwrap());
    let one = seller.combine(&halves[1]).unwrap().finalize().unwrap();
    let other = buyer.combine(&halves[0]).unwrap().finalize().unwrap();
    assert_eq!(one, other);
    world.assert_valid(&one);
}

#[test]
fn half_a_transaction_is_not_finished() {
    let world = World::usual();
    assert!(!signed(&world, Party::Seller).is_complete());
    assert_eq!(signed(&world, Party::Seller).finalize().unwrap_err().input, 2);
    assert_eq!(signed(&world, Party::Buyer).finalize().unwrap_err().input, 0);
}

#[test]
fn a_restored_half_goes_on() {
    let world = World::usual();
    let half = signed(&world, Party::Buyer);
    let restored = ReceivedPsbt::decode(&half.encode()).unwrap();
    let restored = restored.check(&world.terms, Party::Buyer, &world.coins).unwrap().into_partly_signed();
    assert_eq!(restored, half);
}

#[test]
fn a_forged_signature_is_refused() {
    let world = World::usual();
    let forge = |change: &dyn Fn(&mut Psbt)| {
        let mut psbt = world.seller.sign(&world.psbt());
        change(&mut psbt);
        let Err(PsbtRefusal::Signature(error)) = world.check(psbt.clone(), Party::Buyer) else { panic!("accepted") };
        let own = signed(&world, Party::Buyer).combine(&ReceivedPsbt::from(psbt)).unwrap_err();
        assert_eq!(own, PsbtRefusal::Signature(error.clone()));
        error
    };
    let bit = |psbt: &mut Psbt| {
        let found = psbt.inputs[0].tap_key_sig.as_mut().unwrap();
        let mut bytes = found.signature.serialize();
        bytes[40] ^= 1;
        found.signature = schnorr::Signature::from_slice(&bytes).unwrap();
    };
    assert_eq!(forge(&bit), SignatureError::Invalid { input: 0 });
    let sighash = |psbt: &mut Psbt| psbt.inputs[0].tap_key_sig.as_mut().unwrap().sighash_type = TapSighashType::None;
    assert_eq!(forge(&sighash), SignatureError::Sighash { input: 0 });
    let elsewhere = |psbt: &mut Psbt| psbt.inputs[2].tap_key_sig = psbt.inputs[0].tap_key_sig;
    assert_eq!(forge(&elsewhere), SignatureError::Invalid { input: 2 });
    let kind = |psbt: &mut Psbt| psbt.inputs[0].partial_sigs = psbt.inputs[1].partial_sigs.clone();
    assert_eq!(forge(&kind), SignatureError::Kind { input: 0 });
    let key = |psbt: &mut Psbt| psbt.inputs[3].partial_sigs = psbt.inputs[1].partial_sigs.clone();
    assert_eq!(forge(&key), SignatureError::Key { input: 3 });
    let ecdsa = |psbt: &mut Psbt| {
        let sig = psbt.inputs[1].partial_sigs.values_mut().next().unwrap();
        let mut bytes = sig.signature.serialize_compact();
        bytes[40] ^= 1;
        sig.signature = bitcoin::secp256k1::ecdsa::Signature::from_compact(&bytes).unwrap();
    };
    assert_eq!(forge(&ecdsa), SignatureError::Invalid { input: 1 });
}

#[test]
fn a_signature_of_another_transaction_is_refused() {
    let world = World::usual();
    let mut other = world.psbt();
    other.unsigned_tx.output[4].value -= Amount::ONE_SAT;
    let other = world.seller.sign(&other);
    let mut psbt = world.psbt();
    psbt.inputs[0].tap_key_sig = other.inputs[0].tap_key_sig;
    let found = world.check(psbt, Party::Buyer).unwrap_err();
    assert_eq!(found, PsbtRefusal::Signature(SignatureError::Invalid { input: 0 }));
    let own = signed(&world, Party::Buyer).combine(&ReceivedPsbt::from(other)).unwrap_err();
    assert_eq!(own, PsbtRefusal::Different);
}

#[test]
fn a_signer_that_does_something_else_is_refused() {
    let world = World::usual();
    let unsigned = checked(&world, Party::Buyer).signed(&world.psbt()).unwrap_err();
    assert_eq!(unsigned, SignatureError::Missing { input: 2 });
    let mut other = world.psbt();
    other.unsigned_tx.output[0].value += Amount::ONE_SAT;
    let changed = checked(&world, Party::Buyer).signed(&world.buyer.sign(&other)).unwrap_err();
    assert_eq!(changed, SignatureError::Transaction);
    let mut wrong = world.buyer.sign(&world.psbt());
    wrong.inputs[2].tap_key_sig = world.seller.sign(&world.psbt()).inputs[0].tap_key_sig;
    let wrong = checked(&world, Party::Buyer).signed(&wrong).unwrap_err();
    assert_eq!(wrong, SignatureError::Invalid { input: 2 });
    let failed = checked(&world, Party::Buyer).sign(|_| Err("locked")).unwrap_err();
    assert_eq!(failed, SignError::Signer("locked"));
}

#[test]
fn a_signer_may_return_final_witnesses() {
    let world = World::usual();
    let mut psbt = world.buyer.sign(&world.psbt());
    let taproot = psbt.inputs[2].tap_key_sig.take().unwrap();
    psbt.inputs[2].final_script_witness = Some(Witness::p2tr_key_spend(&taproot));
    let (key, ecdsa) = psbt.inputs[3].partial_sigs.pop_first().unwrap();
    psbt.inputs[3].final_script_witness = Some(Witness::p2wpkh(&ecdsa, &key.inner));
    assert_eq!(checked(&world, Party::Buyer).signed(&psbt).unwrap(), signed(&world, Party::Buyer));
}

#[test]
fn an_own_output_that_the_other_side_names_as_its_own_stays_unsigned() {
    let mut world = World::usual();
    // The seller names an output of the buyer's wallet as its second input.
    let script = world.buyer.script(Kind::Taproot);
    let named = world.terms.seller.inputs[1];
    world.coins.get_mut(&named).unwrap().output.script_pubkey = script;
    let all = world.buyer.sign(&world.psbt());
    assert!(all.inputs[1].tap_key_sig.is_some(), "a wallet signs all that it can");
    let half = checked(&world, Party::Buyer).signed(&all).unwrap();
    assert!(half.psbt().inputs[1].tap_key_sig.is_none());
    assert!(half.psbt().inputs[2].tap_key_sig.is_some());
}

#[test]
fn what_a_received_psbt_says_beyond_signatures_never_reaches_the_signer() {
    let world = World::usual();
    let mut psbt = world.seller.sign(&world.psbt());
    let mut stranger = Keys::new(Party::Seller);
    psbt.inputs[2].redeem_script = Some(stranger.script(Kind::Wpkh));
    psbt.inputs[2].final_script_witness = Some(Witness::from_slice(&[[1; 64]]));
    psbt.unknown.insert(bitcoin::psbt::raw::Key { type_value: 0xee, key: vec![1] }, vec![2]);
    let checked = world.check(psbt, Party::Buyer).unwrap();
    assert_eq!(checked.psbt(), &world.seller.sign(&world.psbt()));
}
