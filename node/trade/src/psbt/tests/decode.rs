//! Bytes that are no PSBT of a swap.

use bitcoin::psbt::raw;
use bitcoin::{Psbt, TxIn, TxOut, Witness};
use proptest::prelude::*;

use super::fixture::World;
use crate::psbt::{DecodeError, MAX_PROPRIETARY_FIELDS, MAX_PSBT_BYTES, MAX_STAKE_INPUTS, Party, ReceivedPsbt};

fn refusal(psbt: &Psbt) -> DecodeError {
    ReceivedPsbt::decode(&psbt.serialize()).expect_err("a hostile PSBT")
}

fn of(inputs: usize, outputs: usize) -> Psbt {
    let mut tx = World::usual().psbt().unsigned_tx;
    tx.input = vec![TxIn::default(); inputs];
    tx.output = vec![TxOut { value: bitcoin::Amount::ZERO, script_pubkey: Default::default() }; outputs];
    Psbt::from_unsigned_tx(tx).unwrap()
}

#[test]
fn a_psbt_comes_back_as_it_was_sent() {
    let world = World::with_alkane();
    for psbt in [world.psbt(), world.seller.sign(&world.psbt()), world.buyer.sign(&world.seller.sign(&world.psbt()))] {
        assert_eq!(ReceivedPsbt::decode(&psbt.serialize()).unwrap(), ReceivedPsbt::from(psbt));
    }
}

#[test]
fn the_largest_swap_fits() {
    let mut world = World::with_alkane();
    for party in [Party::Seller, Party::Buyer] {
        for _ in 2..MAX_STAKE_INPUTS {
            world.add(party, super::fixture::Kind::Wpkh, 10_000, []);
        }
    }
    let bytes = world.buyer.sign(&world.seller.sign(&world.psbt())).serialize();
    assert!(bytes.len() < MAX_PSBT_BYTES, "{}", bytes.len());
    let received = ReceivedPsbt::decode(&bytes).unwrap();
    assert!(received.check(&world.terms, Party::Seller, &world.coins).unwrap().is_signed_by_other());
}

#[test]
fn too_much_is_refused() {
    let found = MAX_PSBT_BYTES + 1;
    assert_eq!(ReceivedPsbt::decode(&vec![0; found]), Err(DecodeError::TooLarge { found }));
    assert_eq!(refusal(&of(65, 1)), DecodeError::Inputs { found: 65 });
    assert_eq!(refusal(&of(1, 17)), DecodeError::Outputs { found: 17 });
}

#[test]
fn an_announced_length_without_bytes_is_refused() {
    let mut bytes = b"psbt\xff\xfe\x00\x09\x3d\x00".to_vec();
    assert_eq!(ReceivedPsbt::decode(&bytes), Err(DecodeError::Truncated { at: 10 }));
    bytes = b"psbt\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec();
    assert_eq!(ReceivedPsbt::decode(&bytes), Err(DecodeError::Truncated { at: 14 }));
}

#[test]
fn what_follows_the_last_map_is_refused() {
    let mut bytes = World::usual().psbt().serialize();
    bytes.push(0);
    assert_eq!(ReceivedPsbt::decode(&bytes), Err(DecodeError::Maps { found: 11, expected: 10 }));
    bytes.truncate(bytes.len() - 2);
    assert_eq!(ReceivedPsbt::decode(&bytes), Err(DecodeError::Maps { found: 9, expected: 10 }));
}

#[test]
fn fields_that_a_key_spend_does_not_need_are_refused() {
    let mut psbt = World::usual().psbt();
    psbt.inputs[0].final_script_witness = Some(Witness::from_slice(&[[1; 64]]));
    assert_eq!(refusal(&psbt), DecodeError::Field { map: 1, kind: 0x08 });
    let mut psbt = World::usual().psbt();
    psbt.inputs[3].witness_script = Some(Default::default());
    assert_eq!(refusal(&psbt), DecodeError::Field { map: 4, kind: 0x05 });
    let mut psbt = World::usual().psbt();
    psbt.outputs[0].redeem_script = Some(Default::default());
    assert_eq!(refusal(&psbt), DecodeError::Field { map: 5, kind: 0x00 });
    let mut psbt = World::usual().psbt();
    psbt.unknown.insert(raw::Key { type_value: 0xee, key: vec![1] }, vec![2]);
    assert_eq!(refusal(&psbt), DecodeError::Field { map: 0, kind: 0xee });
}

#[test]
fn a_few_proprietary_fields_are_dropped_and_more_are_refused() {
    let world = World::usual();
    let mut psbt = world.psbt();
    for subtype in 0..=MAX_PROPRIETARY_FIELDS {
        let received = ReceivedPsbt::decode(&psbt.serialize()).unwrap();
        let checked = received.check(&world.terms, Party::Seller, &world.coins).unwrap();
        assert_eq!(checked.psbt(), &world.psbt());
        let key = raw::ProprietaryKey { prefix: b"x".to_vec(), subtype: subtype as u8, key: vec![] };
        psbt.inputs[subtype % 4].proprietary.insert(key, vec![1; 8]);
    }
    assert_eq!(refusal(&psbt), DecodeError::Proprietary);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), magic: bool) {
        let bytes = if magic { [&b"psbt\xff\x01\x00"[..], &bytes].concat() } else { bytes };
        let _ = ReceivedPsbt::decode(&bytes);
    }

    #[test]
    fn cut_and_spliced_psbts_never_panic(
        cut in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        patch in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let world = World::with_alkane();
        let mut bytes = world.seller.sign(&world.psbt()).serialize();
        let at = at.index(bytes.len());
        let end = (at + patch.len()).min(bytes.len());
        bytes.splice(at..end, patch);
        bytes.truncate(cut.index(bytes.len()).max(bytes.len() / 2));
        if let Ok(received) = ReceivedPsbt::decode(&bytes) {
            let _ = received.check(&world.terms, Party::Buyer, &world.coins);
        }
    }

    #[test]
    fn a_flipped_bit_never_changes_what_is_signed(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let world = World::usual();
        let mut bytes = world.seller.sign(&world.psbt()).serialize();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(received) = ReceivedPsbt::decode(&bytes)
            && let Ok(checked) = received.check(&world.terms, Party::Buyer, &world.coins)
        {
            // All that can have happened is that a signature is hidden in another field.
            prop_assert_eq!(&checked.psbt().unsigned_tx, &world.psbt().unsigned_tx);
            prop_assert!(!checked.is_signed_by_other());
        }
    }
}
