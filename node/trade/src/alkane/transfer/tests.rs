use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, TxIn, TxOut};
use ordinals::{Edict as RuneEdict, RuneId, Runestone};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::alkane::protostone::encode;
use crate::alkane::{AlkaneScriptError, Transfer, transfer_script};
use crate::rune;
use crate::rune::script::{ScriptError, write};

const A: AlkaneId = AlkaneId { block: 2, tx: 0 };
const B: AlkaneId = AlkaneId { block: 2, tx: 7 };
const RUNE: RuneId = RuneId { block: 10, tx: 1 };

fn output(script_pubkey: ScriptBuf) -> TxOut {
    TxOut { value: Amount::from_sat(546), script_pubkey }
}

fn plain() -> TxOut {
    output(ScriptBuf::new())
}

fn op_return() -> TxOut {
    output(ScriptBuf::new_op_return([]))
}

fn transaction(output: Vec<TxOut>) -> Transaction {
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![TxIn::default()], output }
}

/// One input with the runestone in output 0, then: plain, an empty OP_RETURN, plain. Virtual outputs begin at 5.
fn with(stones: &[Protostone]) -> Transaction {
    let script = write(Runestone::default(), &encode(stones).unwrap(), 4).unwrap();
    transaction(vec![output(script), plain(), op_return(), plain()])
}

fn holds(units: &[(AlkaneId, u128)]) -> Holdings {
    units.iter().map(|(id, units)| (Asset::Alkane(*id), *units)).collect()
}

fn edict(id: AlkaneId, amount: u128, output: u32) -> Edict {
    Edict { id, amount, output }
}

fn stone(edicts: &[Edict], pointer: Option<u32>) -> Protostone {
    Protostone { protocol_tag: PROTOCOL, edicts: edicts.to_vec(), pointer, ..Protostone::default() }
}

/// What outputs 1 and 3 hold, and what is burned, after 10 units of A came in.
fn after(stones: &[Protostone]) -> Result<[Vec<u128>; 3], AlkaneRefusal> {
    let Allocation { outputs, burned } = allocate(&with(stones), &[holds(&[(A, 10)])])?;
    assert_eq!([&outputs[0], &outputs[2]], [&holds(&[]); 2]);
    Ok([&outputs[1], &outputs[3], &burned].map(|holdings| holdings.values().copied().collect()))
}

#[test]
fn an_edict_moves_its_amount_and_the_pointer_gets_the_rest() {
    assert_eq!(after(&[stone(&[edict(A, 4, 3)], Some(1))]), Ok([vec![6], vec![4], vec![]]));
    assert_eq!(after(&[stone(&[edict(A, 4, 1)], Some(3))]), Ok([vec![4], vec![6], vec![]]));
    assert_eq!(
        after(&[stone(&[edict(A, 4, 3)], None)]),
        Ok([vec![6], vec![4], vec![]]),
        "the first that is not OP_RETURN"
    );
    assert_eq!(after(&[stone(&[edict(A, 7, 3), edict(A, 7, 1)], None)]), Ok([vec![3], vec![7], vec![]]));
    assert_eq!(after(&[stone(&[edict(A, 0, 3)], None)]), Ok([vec![], vec![10], vec![]]), "zero is all");
    assert_eq!(after(&[stone(&[edict(B, 4, 3)], None)]), Ok([vec![10], vec![], vec![]]), "none of those are here");
}

#[test]
fn zero_units_to_the_number_of_outputs_are_split_evenly_and_a_fixed_amount_is_refused() {
    assert_eq!(after(&[stone(&[edict(A, 3, 1), edict(A, 0, 4)], None)]), Ok([vec![7], vec![3], vec![]]));
    assert_eq!(after(&[stone(&[edict(A, 3, 4)], None)]), Err(AlkaneRefusal::Split { amount: 3 }));
}

#[test]
fn without_a_protostone_for_alkanes_they_are_burned() {
    let foreign = Protostone { protocol_tag: 20_000, pointer: Some(1), ..Protostone::default() };
    let cenotaph = ScriptBuf::from_hex("6a5d0dff7f818cec82d08bc0a8061800").unwrap();
    for tx in [
        transaction(vec![plain()]),
        transaction(vec![plain(), output(Runestone::default().encipher())]),
        transaction(vec![plain(), output(cenotaph)]),
        with(&[foreign]),
    ] {
        assert!(!is_protected(&tx));
        let allocation = allocate(&tx, &[holds(&[(A, 10)])]).unwrap();
        assert_eq!(allocation.burned, holds(&[(A, 10)]));
        assert!(allocation.outputs.iter().all(Holdings::is_empty));
    }
    assert!(is_protected(&with(&[stone(&[], None)])));
}

#[test]
fn what_is_sent_to_op_return_or_to_no_output_is_burned() {
    for place in [0, 2, 4, 6, u32::MAX] {
        assert_eq!(after(&[stone(&[], Some(place))]), Ok([vec![], vec![], vec![10]]), "pointer {place}");
    }
    for place in [0, 2, 6, u32::MAX] {
        assert_eq!(after(&[stone(&[edict(A, 4, place)], None)]), Ok([vec![6], vec![], vec![4]]), "edict to {place}");
    }
    let tx = transaction(vec![output(write(Runestone::default(), &encode(&[stone(&[], None)]).unwrap(), 1).unwrap())]);
    assert_eq!(allocate(&tx, &[holds(&[(A, 10)])]).unwrap().burned, holds(&[(A, 10)]));
}

#[test]
fn a_later_protostone_moves_what_it_is_given_and_an_earlier_one_loses_it() {
    let (first, second) = (5, 6);
    assert_eq!(
        after(&[stone(&[edict(A, 4, second)], Some(1)), stone(&[edict(A, 1, 1)], Some(3))]),
        Ok([vec![7], vec![3], vec![]])
    );
    assert_eq!(
        after(&[stone(&[edict(A, 4, second)], Some(1)), stone(&[edict(A, 3, first)], Some(3))]),
        Ok([vec![6], vec![1], vec![3]])
    );
    assert_eq!(after(&[stone(&[edict(A, 4, first)], Some(1))]), Ok([vec![6], vec![], vec![4]]), "its own");
    let foreign = Protostone { protocol_tag: 7, pointer: Some(3), ..Protostone::default() };
    assert_eq!(
        after(&[foreign.clone(), stone(&[], Some(1))]),
        Ok([vec![10], vec![], vec![]]),
        "the first for alkanes gets them"
    );
    assert_eq!(after(&[stone(&[], Some(second)), foreign]), Err(AlkaneRefusal::Foreign { index: 1 }));
}

#[test]
fn what_needs_a_contract_or_an_indexer_of_runes_is_refused() {
    let message = Protostone { message: vec![2], ..stone(&[], Some(1)) };
    assert_eq!(after(&[stone(&[], Some(1)), message]), Err(AlkaneRefusal::Message { index: 1 }));
    let burn = Protostone { burn: Some(1), ..stone(&[], Some(1)) };
    assert_eq!(after(&[burn]), Err(AlkaneRefusal::Protoburn { index: 0 }));
    let mint = transaction(vec![plain(), output(ScriptBuf::from_hex("6a5d0bff7f818cec82d08bc0a806").unwrap())]);
    assert_eq!(
        allocate(&mint, &[Holdings::new()]),
        Err(AlkaneRefusal::Message { index: 0 }),
        "even with nothing on the inputs"
    );
}

#[test]
fn malformed_protostones_and_impossible_holdings_are_refused() {
    let script = write(Runestone::default(), &[1], 2).unwrap();
    let tx = transaction(vec![plain(), output(script)]);
    assert_eq!(
        allocate(&tx, &[holds(&[(A, 1)])]).map(|allocation| allocation.burned),
        Ok(holds(&[])),
        "one empty protostone"
    );
    let script = write(Runestone::default(), &[1 << 120], 2).unwrap();
    let tx = transaction(vec![plain(), output(script)]);
    assert_eq!(allocate(&tx, &[holds(&[(A, 1)])]), Err(AlkaneRefusal::Malformed(ProtostoneError::Chunk)));
    assert_eq!(allocate(&tx, &[]), Err(AlkaneRefusal::Inputs { found: 0, expected: 1 }));
    let mut two = transaction(vec![plain()]);
    two.input.push(TxIn::default());
    let full = [holds(&[(A, u128::MAX)]), holds(&[(A, 1)])];
    assert_eq!(allocate(&two, &full), Err(AlkaneRefusal::Overflow { id: A }));
}

#[test]
fn one_runestone_moves_alkanes_and_runes() {
    let runes = [RuneEdict { id: RUNE, amount: 30, output: 1 }];
    let transfer = Transfer { alkanes: &[edict(A, 4, 1)], runes: &runes, pointer: 2, outputs: 3 };
    let tx = transaction(vec![output(transfer_script(transfer).unwrap()), plain(), plain()]);
    assert!(is_protected(&tx));
    let mut holdings = holds(&[(A, 10), (B, 1)]);
    holdings.insert(Asset::Rune(RUNE), 100);
    let alkanes = allocate(&tx, &[holdings.clone()]).unwrap();
    let all = rune::allocate(&tx, &[holdings], rune::Context::default()).unwrap().merge(alkanes);
    let mut bought = holds(&[(A, 4)]);
    bought.insert(Asset::Rune(RUNE), 30);
    let mut rest = holds(&[(A, 6), (B, 1)]);
    rest.insert(Asset::Rune(RUNE), 70);
    assert_eq!(all, Allocation { outputs: vec![holds(&[]), bought, rest], burned: holds(&[]) });
}

#[test]
fn a_transfer_that_would_lose_something_is_not_written() {
    let good = Transfer { alkanes: &[edict(A, 4, 1)], runes: &[], pointer: 2, outputs: 3 };
    assert_eq!(refused(Transfer { pointer: 3, ..good }), AlkaneScriptError::Output { found: 3, outputs: 3 });
    assert_eq!(refused(Transfer { outputs: 1, ..good }), AlkaneScriptError::Output { found: 1, outputs: 1 });
    assert_eq!(refused(Transfer { alkanes: &[edict(A, 0, 1)], ..good }), AlkaneScriptError::ZeroAmount { id: A });
    let id = AlkaneId { block: 0, tx: 1 };
    assert_eq!(refused(Transfer { alkanes: &[edict(id, 1, 1)], ..good }), ProtostoneError::Id.into());
    let zero = [RuneEdict { id: RUNE, amount: 0, output: 1 }];
    assert_eq!(refused(Transfer { runes: &zero, ..good }), ScriptError::ZeroAmount { id: RUNE }.into());
    let many = vec![edict(A, 1, 1); 1_001];
    assert_eq!(refused(Transfer { alkanes: &many, ..good }), ScriptError::Edicts { found: 1_001 }.into());
}

fn refused(transfer: Transfer<'_>) -> AlkaneScriptError {
    transfer_script(transfer).unwrap_err()
}

fn any_stone() -> impl Strategy<Value = Protostone> {
    let edict = (2..4_u128, 0..3_u128, 0..30_u128, 0..9_u32)
        .prop_map(|(block, tx, amount, output)| edict(AlkaneId { block, tx }, amount, output));
    let tag = prop_oneof![6 => Just(PROTOCOL), 1 => Just(9_u128)];
    (tag, prop::collection::vec(edict, 0..5), prop::option::of(0..9_u32))
        .prop_map(|(protocol_tag, edicts, pointer)| Protostone { protocol_tag, ..stone(&edicts, pointer) })
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn units_are_conserved(
        stones in prop::collection::vec(any_stone(), 0..4),
        units in prop::collection::btree_map((2..4_u128, 0..3_u128), 1..100_u128, 0..4),
    ) {
        let holdings: Holdings =
            units.into_iter().map(|((block, tx), units)| (Asset::Alkane(AlkaneId { block, tx }), units)).collect();
        let tx = with(&stones);
        if let Ok(Allocation { outputs, burned }) = allocate(&tx, std::slice::from_ref(&holdings)) {
            let mut sum = Holdings::new();
            for (asset, units) in outputs.iter().chain([&burned]).flatten() {
                prop_assert!(*units > 0);
                add(&mut sum, *asset, *units).unwrap();
            }
            prop_assert_eq!(sum, holdings);
            prop_assert!(outputs[0].is_empty() && outputs[2].is_empty(), "nothing rests on OP_RETURN");
        }
    }

    #[test]
    fn a_written_transfer_does_what_it_says(
        held in 1..u128::MAX,
        share in 1..u128::MAX,
        target in 1..4_u32,
        pointer in 1..4_u32,
    ) {
        let units = share.min(held);
        let transfer = Transfer { alkanes: &[edict(A, units, target)], runes: &[], pointer, outputs: 4 };
        let tx = transaction(vec![output(transfer_script(transfer).unwrap()), plain(), plain(), plain()]);
        let allocation = allocate(&tx, &[holds(&[(A, held), (B, 5)])]).unwrap();
        let mut expected = vec![holds(&[]); 4];
        let mut give = |output: u32, id, units| {
            add(&mut expected[usize::try_from(output).unwrap()], Asset::Alkane(id), units).unwrap();
        };
        give(target, A, units);
        give(pointer, A, held - units);
        give(pointer, B, 5);
        prop_assert_eq!(allocation, Allocation { outputs: expected, burned: holds(&[]) });
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..75), length: u8) {
        let field = [&[0x6a, 0x5d, length.min(75), 0xff, 0x7f][..], &bytes].concat();
        for script in [[&[0x6a, 0x5d][..], &bytes].concat(), field] {
            let tx = transaction(vec![plain(), output(ScriptBuf::from_bytes(script))]);
            let _ = is_protected(&tx);
            let _ = allocate(&tx, &[holds(&[(A, u128::MAX)])]);
        }
    }
}
