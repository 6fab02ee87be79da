use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, TxOut};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

fn transaction(script: ScriptBuf) -> Transaction {
    let output = |script_pubkey| TxOut { value: Amount::ZERO, script_pubkey };
    let output = vec![output(ScriptBuf::new()), output(script)];
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: Vec::new(), output }
}

fn edict(block: u128, tx: u128, amount: u128, output: u32) -> Edict {
    Edict { id: AlkaneId { block, tx }, amount, output }
}

/// Cuts varints into the values of a protocol field.
fn values(integers: &[u128]) -> Vec<u128> {
    let bytes: Vec<u8> = integers.iter().flat_map(|integer| varint::encode(*integer)).collect();
    let value = |chunk: &[u8]| chunk.iter().rev().fold(0_u128, |value, byte| (value << 8) | u128::from(*byte));
    bytes.chunks(15).map(value).collect()
}

#[test]
fn a_mint_as_wallets_write_it_is_read() {
    let script = ScriptBuf::from_hex("6a5d0eff7f818cec82d08bc0a88281d215").unwrap();
    let expected = Protostone {
        protocol_tag: 1,
        pointer: Some(0),
        refund: Some(0),
        message: vec![u128::from_le_bytes(*b"\x02\x00\x4d\0\0\0\0\0\0\0\0\0\0\0\0\0")],
        ..Protostone::default()
    };
    assert_eq!(protostones(&transaction(script)), Ok(vec![expected]));
}

#[test]
fn the_layout_is_that_of_the_specification() {
    let stone = Protostone {
        protocol_tag: 1,
        edicts: vec![edict(2, 5, 9, 1), edict(2, 3, 7, 0), edict(4, 1, 8, 1)],
        pointer: Some(3),
        refund: Some(2),
        ..Protostone::default()
    };
    let integers = [1, 17, 91, 3, 93, 2, 0, 2, 3, 7, 0, 0, 2, 9, 1, 2, 1, 8, 1];
    assert_eq!(encode(&[stone]), Ok(values(&integers)));
    assert_eq!(values(&[1, 4, 83, 0, 91, 3]), [0x035b_0053_0401], "the first byte is the lowest");
}

#[test]
fn no_runestone_and_no_protocol_field_mean_no_protostones() {
    assert_eq!(protostones(&transaction(ScriptBuf::new())), Ok(Vec::new()));
    assert_eq!(protostones(&transaction(Runestone::default().encipher())), Ok(Vec::new()));
    assert_eq!(decode(&[]), Ok(Vec::new()));
}

#[test]
fn a_cenotaph_has_no_protostones() {
    // A sound protocol field, and tag 24, which is even and unknown.
    let script = ScriptBuf::from_hex("6a5d0dff7f818cec82d08bc0a8061800").unwrap();
    assert!(matches!(protostones(&transaction(script)), Err(ProtostoneError::Cenotaph { .. })));
}

#[test]
fn unknown_fields_mean_nothing() {
    let read = decode(&values(&[1, 6, 97, 5, 91, 1, 97, 6])).unwrap();
    assert_eq!(read, [Protostone { protocol_tag: 1, pointer: Some(1), ..Protostone::default() }]);
}

#[test]
fn malformed_protostones_are_refused_with_the_reason() {
    // Zeros that fill the last value are integers as well.
    let cases: [(&[u128], ProtostoneError); 11] = [
        (&[1, 4, 91, 0], ProtostoneError::Truncated { found: 1, expected: 4 }),
        (&[1, u128::MAX], ProtostoneError::Truncated { found: 10, expected: u128::MAX }),
        (&[1, 3, 91, 0, 93], ProtostoneError::Truncated { found: 1, expected: 2 }),
        (&[1, 4, 0, 2, 1, 5], ProtostoneError::Truncated { found: 3, expected: 4 }),
        (&[1, 4, 91, 0, 91, 1], ProtostoneError::Repeated { field: 91 }),
        (&[1, 2, 91, 1 << 32], ProtostoneError::Output { found: 1 << 32 }),
        (&[1, 5, 0, 2, 1, 5, 1 << 32], ProtostoneError::Output { found: 1 << 32 }),
        (&[1, 5, 0, 0, 1, 5, 0], ProtostoneError::Id),
        (&[1, 9, 0, 1, u128::MAX, 5, 0, 0, 1, 5, 0], ProtostoneError::Id),
        (&[1, 2, 81, 1 << 120], ProtostoneError::Chunk),
        (&[0, 1], ProtostoneError::Padding),
    ];
    for (integers, error) in cases {
        assert_eq!(decode(&values(integers)), Err(error), "{integers:?}");
    }
    assert_eq!(decode(&[1 | (0x80 << 112)]), Err(ProtostoneError::Varint), "the last varint has no end");
    assert_eq!(decode(&[1 << 120]), Err(ProtostoneError::Chunk));
    assert_eq!(decode(&[0, 0]), Err(ProtostoneError::Padding));
    assert_eq!(decode(&vec![0; 5_001]), Err(ProtostoneError::TooLong));
}

#[test]
fn what_cannot_be_written_is_refused() {
    assert_eq!(encode(&[Protostone::default()]), Err(ProtostoneError::Tag));
    let stone = Protostone { protocol_tag: 1, ..Protostone::default() };
    assert_eq!(encode(&vec![stone.clone(); 65]), Err(ProtostoneError::TooMany));
    assert_eq!(decode(&values(&[1, 0].repeat(65))), Err(ProtostoneError::TooMany));
    assert_eq!(encode(&[Protostone { message: vec![1 << 120], ..stone.clone() }]), Err(ProtostoneError::Chunk));
    assert_eq!(encode(&[Protostone { message: vec![1; 75_000], ..stone.clone() }]), Err(ProtostoneError::TooLong));
    assert_eq!(encode(&[Protostone { edicts: vec![edict(0, 0, 1, 0)], ..stone }]), Err(ProtostoneError::Id));
}

fn any_stone() -> impl Strategy<Value = Protostone> {
    let edict = (1..4_u128, any::<u128>(), any::<u128>(), any::<u32>()).prop_map(|(block, tx, amount, output)| Edict {
        id: AlkaneId { block, tx },
        amount,
        output,
    });
    (
        1..u128::MAX,
        prop::collection::vec(edict, 0..5),
        any::<(Option<u32>, Option<u32>, Option<u128>)>(),
        prop::collection::vec(any::<u32>(), 0..3),
        prop::collection::vec(0..1_u128 << 120, 0..3),
    )
        .prop_map(|(protocol_tag, mut edicts, (pointer, refund, burn), from, message)| {
            edicts.sort_by_key(|edict| edict.id);
            Protostone { protocol_tag, edicts, pointer, refund, burn, from, message }
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_written_is_read_back(stones in prop::collection::vec(any_stone(), 0..4)) {
        prop_assert_eq!(decode(&encode(&stones).unwrap()), Ok(stones));
    }

    #[test]
    fn no_values_make_the_reader_panic(
        raw in prop::collection::vec(any::<u128>(), 0..8),
        integers in prop::collection::vec(prop_oneof![0..6_u128, 80..96_u128, any::<u128>()], 0..30),
    ) {
        let _ = decode(&raw);
        let _ = decode(&raw.iter().map(|value| value >> 8).collect::<Vec<u128>>());
        if let Ok(stones) = decode(&values(&integers)) {
            // Everything that is understood can be written, and means the same then.
            let mut sorted = stones;
            for stone in &mut sorted {
                stone.edicts.sort_by_key(|edict| edict.id);
            }
            prop_assert_eq!(decode(&encode(&sorted).unwrap()), Ok(sorted));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = protostones(&transaction(ScriptBuf::from_bytes([&[0x6a, 0x5d][..], &bytes].concat())));
        let field = [&[0x6a, 0x5d, u8::try_from(bytes.len() + 2).unwrap().min(75), 0xff, 0x7f][..], &bytes].concat();
        let _ = protostones(&transaction(ScriptBuf::from_bytes(field)));
    }
}
