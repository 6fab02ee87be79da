use ordinals::Terms;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

const ID: RuneId = RuneId { block: 840_000, tx: 3 };

fn edict(amount: u128, output: u32) -> Edict {
    Edict { id: ID, amount, output }
}

fn read(script: &Script, outputs: u32) -> Runestone {
    match read_in(script, outputs) {
        Some(Artifact::Runestone(runestone)) => runestone,
        other => panic!("expected a runestone, found {other:?}"),
    }
}

#[test]
fn a_transfer_is_read_as_it_was_given() {
    let other = Edict { id: RuneId { block: 1, tx: 0 }, amount: u128::MAX, output: 0 };
    let script = transfer_script(&[edict(5, 2), other, edict(1, 1)], Some(1), 3).unwrap();
    let runestone = read(&script, 3);
    assert_eq!(runestone.edicts, [other, edict(5, 2), edict(1, 1)]);
    assert_eq!(runestone.pointer, Some(1));
}

#[test]
fn an_empty_runestone_is_no_cenotaph() {
    assert_eq!(read(&transfer_script(&[], None, 2).unwrap(), 2), Runestone::default());
}

#[test]
fn what_would_be_a_cenotaph_is_refused() {
    assert_eq!(
        transfer_script(&[edict(5, 4)], None, 3),
        Err(ScriptError::Cenotaph { flaw: Flaw::EdictOutput }),
        "an edict beyond the outputs"
    );
    assert_eq!(
        transfer_script(&[edict(5, 0)], Some(3), 3),
        Err(ScriptError::Cenotaph { flaw: Flaw::UnrecognizedEvenTag }),
        "a pointer beyond the outputs"
    );
    let invalid = Edict { id: RuneId { block: 0, tx: 1 }, amount: 1, output: 0 };
    assert_eq!(transfer_script(&[invalid], None, 3), Err(ScriptError::Cenotaph { flaw: Flaw::EdictRuneId }));
    let terms = Terms { amount: Some(2), cap: Some(u128::MAX), ..Terms::default() };
    let etching = Etching { terms: Some(terms), ..Etching::default() };
    assert_eq!(etching_script(etching, None, 3), Err(ScriptError::Cenotaph { flaw: Flaw::SupplyOverflow }));
}

#[test]
fn what_would_be_read_differently_is_refused() {
    let etching = Etching { divisibility: Some(39), ..Etching::default() };
    assert_eq!(etching_script(etching, None, 2), Err(ScriptError::Unfaithful));
    let etching = Etching { spacers: Some(u32::MAX), ..Etching::default() };
    assert_eq!(etching_script(etching, None, 2), Err(ScriptError::Unfaithful));
}

#[test]
fn amount_zero_reserved_names_and_a_mint_of_nothing_are_refused() {
    assert_eq!(transfer_script(&[edict(0, 1)], None, 2), Err(ScriptError::ZeroAmount { id: ID }));
    let rune = Rune::reserved(5, 5);
    let etching = Etching { rune: Some(rune), ..Etching::default() };
    assert_eq!(etching_script(etching, None, 2), Err(ScriptError::Reserved { rune }));
    assert_eq!(mint_script(RuneId::default(), None, 2), Err(ScriptError::Mint { id: RuneId::default() }));
    assert_eq!(
        mint_script(RuneId { block: 0, tx: 1 }, None, 2),
        Err(ScriptError::Cenotaph { flaw: Flaw::UnrecognizedEvenTag })
    );
}

#[test]
fn the_number_of_outputs_and_edicts_is_bounded() {
    assert_eq!(transfer_script(&[], None, 0), Err(ScriptError::Outputs { found: 0 }));
    assert_eq!(transfer_script(&[], None, OUTPUT_LIMIT + 1), Err(ScriptError::Outputs { found: OUTPUT_LIMIT + 1 }));
    assert_eq!(transfer_script(&[edict(1, 0); 1_001], None, 2), Err(ScriptError::Edicts { found: 1_001 }));
}

#[test]
fn mint_and_etching_are_read_as_they_were_given() {
    assert_eq!(read(&mint_script(ID, Some(1), 2).unwrap(), 2).mint, Some(ID));
    let etching = Etching {
        divisibility: Some(2),
        premine: Some(1_000),
        rune: Some(Rune(1 << 80)),
        spacers: Some(1),
        symbol: Some('$'),
        terms: Some(Terms { amount: Some(5), cap: Some(9), height: (Some(1), None), offset: (None, Some(7)) }),
        turbo: true,
    };
    assert_eq!(read(&etching_script(etching, Some(0), 2).unwrap(), 2).etching, Some(etching));
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_written_is_read_back_or_refused(
        edicts in prop::collection::vec((0..4_u64, 0..3_u32, any::<u128>(), 0..6_u32), 0..8),
        pointer in prop::option::of(0..6_u32),
        outputs in 0..6_u32,
    ) {
        let edicts: Vec<Edict> = edicts
            .into_iter()
            .map(|(block, tx, amount, output)| Edict { id: RuneId { block, tx }, amount, output })
            .collect();
        if let Ok(script) = transfer_script(&edicts, pointer, outputs) {
            let mut sorted = edicts;
            sorted.sort_by_key(|edict| edict.id);
            prop_assert_eq!(read(&script, outputs), Runestone { edicts: sorted, pointer, ..Runestone::default() });
        }
    }

    #[test]
    fn no_script_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = payload_of(Script::from_bytes(&bytes));
        let mut script = vec![0x6a, 0x5d];
        script.extend(bytes);
        let _ = payload_of(Script::from_bytes(&script));
    }
}
