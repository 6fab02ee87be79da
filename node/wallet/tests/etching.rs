//! Commitments to names, what spends them, and runestones that move nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails there fails the test")]

mod common;

use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, TapLeafHash, TapSighashType, Transaction, TxOut, Witness,
    hashes::Hash as _,
    key::Secp256k1,
    secp256k1::{Message, XOnlyPublicKey, schnorr::Signature},
    sighash::{Prevouts, SighashCache},
    taproot::{ControlBlock, LeafVersion},
};
use common::{World, assert_signed, rate, runestone, sat, seed, stranger};
use darkswap_wallet::{
    Wallet,
    payment::{
        POSTAGE, PaymentError,
        etching::{REVEAL_LOCK, Reveal},
    },
};
use ordinals::Rune;
use proptest::prelude::*;

const RUNE: Rune = Rune(99_246_114_928_149_462);

fn reveal(value: Amount) -> Reveal {
    Reveal {
        rune: RUNE,
        commitment: OutPoint::new(bitcoin::Txid::from_byte_array([7; 32]), 3),
        value,
        runestone: Some(runestone()),
        receive: stranger(),
        change: stranger(),
        fee_rate: rate(5),
        replaced: Amount::ZERO,
    }
}

/// As a node checks it (BIP 341 and 342), and as the protocol looks for the name in it.
fn assert_reveals(wallet: &Wallet, transaction: &Transaction, value: Amount) {
    let script = wallet.commitment(RUNE);
    let [signature, leaf, control] = &transaction.input[0].witness.to_vec()[..] else { panic!("three elements") };
    let secp = Secp256k1::verification_only();
    let leaf = ScriptBuf::from_bytes(leaf.clone());
    let output = XOnlyPublicKey::from_slice(&script.as_bytes()[2..]).unwrap();
    assert!(ControlBlock::decode(control).unwrap().verify_taproot_commitment(&secp, output, &leaf));
    let spent = [TxOut { value, script_pubkey: script }];
    let hash = TapLeafHash::from_script(&leaf, LeafVersion::TapScript);
    let hash = SighashCache::new(transaction)
        .taproot_script_spend_signature_hash(0, &Prevouts::All(&spent), hash, TapSighashType::Default)
        .unwrap();
    let key = XOnlyPublicKey::from_slice(&leaf.as_bytes()[1..33]).unwrap();
    secp.verify_schnorr(&Signature::from_slice(signature).unwrap(), &Message::from(hash), &key).unwrap();
    let name = RUNE.commitment();
    let pushes =
        leaf.instructions().map(Result::unwrap).filter_map(|it| it.push_bytes().map(|it| it.as_bytes().to_vec()));
    assert!(pushes.into_iter().any(|push| push == name));
}

fn fee(transaction: &Transaction, value: Amount) -> Amount {
    value - transaction.output.iter().map(|output| output.value).sum::<Amount>()
}

#[test]
fn a_commitment_follows_from_seed_and_name() {
    let wallet = |number| Wallet::create(&seed(number), bitcoin::Network::Regtest).unwrap();
    assert!(wallet(1).commitment(RUNE).is_p2tr());
    assert_eq!(wallet(1).commitment(RUNE), wallet(1).commitment(RUNE));
    assert_ne!(wallet(1).commitment(RUNE), wallet(2).commitment(RUNE));
    assert_ne!(wallet(1).commitment(RUNE), wallet(1).commitment(Rune(RUNE.n() + 1)));
    // The same key: the name is in the leaf.
    assert_ne!(wallet(1).commitment(RUNE), wallet(1).commitment(Rune(RUNE.n() + (1 << 31))));
    assert!(!wallet(1).is_mine(&wallet(1).commitment(RUNE)), "it is no address of the wallet");
}

#[test]
fn what_reveals_pays_its_fee_and_cannot_be_too_early() {
    let wallet = World::new().wallet;
    let value = wallet.commitment_value(RUNE, &runestone(), rate(5)).unwrap();
    let payment = wallet.reveal(&reveal(value)).unwrap();
    let transaction = &payment.transaction;
    assert_reveals(&wallet, transaction, value);
    assert_eq!(transaction.input[0].sequence, Sequence::from_height(REVEAL_LOCK));
    assert_eq!((transaction.version.0, transaction.is_explicitly_rbf()), (2, true));
    assert_eq!(transaction.output[0], TxOut { value: POSTAGE, script_pubkey: stranger() });
    assert_eq!(transaction.output[1].script_pubkey, runestone());
    assert_eq!(payment.fee, rate(5).fee_wu(transaction.weight()).unwrap());
    assert_eq!(payment.fee, fee(transaction, value));
    // What is held back for higher fees comes back.
    assert_eq!(transaction.output[2].value, value - POSTAGE - payment.fee);
    assert!(payment.fee * 4 + POSTAGE <= value);
}

#[test]
fn what_reveals_can_be_replaced_up_to_what_the_commitment_holds() {
    let wallet = World::new().wallet;
    let value = wallet.commitment_value(RUNE, &runestone(), rate(5)).unwrap();
    let first = wallet.reveal(&reveal(value)).unwrap();
    let raised = wallet.reveal(&Reveal { replaced: first.fee, ..reveal(value) }).unwrap();
    assert!(raised.fee >= first.fee + sat(raised.transaction.vsize() as u64), "BIP 125, rules 3 and 4");
    let all = wallet.reveal(&Reveal { fee_rate: rate(20), ..reveal(value) }).unwrap();
    assert!(all.fee >= rate(20).fee_wu(all.transaction.weight()).unwrap());
    let refused = wallet.reveal(&Reveal { fee_rate: rate(40), ..reveal(value) }).unwrap_err();
    assert!(
        matches!(refused, PaymentError::Commitment { found, needed } if found == value && needed > value),
        "{refused}"
    );
}

#[test]
fn a_commitment_that_is_given_up_comes_back_at_once() {
    let wallet = World::new().wallet;
    let value = wallet.commitment_value(RUNE, &runestone(), rate(5)).unwrap();
    let back = wallet.reveal(&Reveal { runestone: None, ..reveal(value) }).unwrap();
    assert_reveals(&wallet, &back.transaction, value);
    assert_eq!(back.transaction.input[0].sequence, Sequence::ENABLE_RBF_NO_LOCKTIME);
    assert_eq!(back.transaction.output, [TxOut { value: value - back.fee, script_pubkey: stranger() }]);
    let dust = wallet.reveal(&Reveal { runestone: None, value: sat(700), ..reveal(value) }).unwrap_err();
    assert!(matches!(dust, PaymentError::Commitment { .. }), "{dust}");
}

#[test]
fn a_runestone_that_moves_nothing_takes_clean_coins_only() {
    let mut world = World::new();
    let clean = world.clean(50_000);
    world.carrying(90_000, common::holdings(common::rune(), 5));
    let payment = world.wallet.carry(runestone(), rate(3)).unwrap();
    let transaction = &payment.transaction;
    assert_eq!(transaction.input.iter().map(|input| input.previous_output).collect::<Vec<_>>(), [clean]);
    assert_eq!((transaction.output[0].value, &transaction.output[1].script_pubkey), (POSTAGE, &runestone()));
    assert!([0, 2].iter().all(|at| world.wallet.is_mine(&transaction.output[*at].script_pubkey)));
    assert_signed(transaction, &world.spent(transaction));
    let refused = world.wallet.carry(stranger(), rate(3)).unwrap_err();
    assert!(matches!(refused, PaymentError::Runestone { .. }), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_revealed_pays_what_was_asked_and_loses_nothing(
        number: u128,
        value in 0..200_000_u64,
        per_vb in 1..100_u64,
        replaced in 0..20_000_u64,
        etches: bool,
    ) {
        let wallet = World::new().wallet;
        let value = sat(value);
        let of = Reveal {
            rune: Rune(number),
            runestone: etches.then(runestone),
            fee_rate: rate(per_vb),
            replaced: sat(replaced),
            ..reveal(value)
        };
        let Ok(payment) = wallet.reveal(&of) else { return Ok(()) };
        let transaction = &payment.transaction;
        prop_assert_eq!(payment.fee, fee(transaction, value));
        prop_assert!(payment.fee >= rate(per_vb).fee_wu(transaction.weight()).unwrap());
        prop_assert!(replaced == 0 || payment.fee >= sat(replaced + transaction.vsize() as u64));
        prop_assert!(transaction.output.iter().all(|output| output.value >= output.script_pubkey.minimal_non_dust()
            || output.script_pubkey.is_op_return()));
        prop_assert!(transaction.input[0].witness != Witness::new());
    }
}
