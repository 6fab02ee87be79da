//! Each row of the table, broken alone.

use bitcoin::absolute::LockTime;
use bitcoin::script::Builder;
use bitcoin::transaction::Version;
use bitcoin::{Amount, EcdsaSighashType, FeeRate, OutPoint, Psbt, ScriptBuf, Sequence, TapSighashType, TxOut, opcodes};
use ordinals::{Edict, Etching, Flaw, RuneId, Runestone};

use super::fixture::{ALKANE, Kind, OTHER_RUNE, RUNE, World};
use crate::asset::{AlkaneId, Asset};
use crate::coin::Holdings;
use crate::psbt::build::LONGEST_RUNESTONE;
use crate::psbt::{BuildError, MAX_FEE_RATE, MAX_STAKE_INPUTS, MIN_FEE_RATE, POSTAGE, Party, PsbtRefusal};
use crate::{alkane, rune};

const SAT: Amount = Amount::ONE_SAT;
const RUNESTONE: usize = 3;
const CHANGE: usize = 4;

/// What a changed PSBT is refused for, by both sides alike.
fn refusal(world: &World, change: impl FnOnce(&mut Psbt)) -> PsbtRefusal {
    let mut psbt = world.psbt();
    change(&mut psbt);
    let [seller, buyer] =
        [Party::Seller, Party::Buyer].map(|party| world.check(psbt.clone(), party).expect_err("a broken row"));
    assert_eq!(seller, buyer);
    seller
}

/// What changed terms or coins are refused for, with the PSBT of the terms before.
fn terms_refusal(change: impl FnOnce(&mut World)) -> BuildError {
    let mut world = World::usual();
    let psbt = world.psbt();
    change(&mut world);
    let PsbtRefusal::Terms(error) = world.check(psbt, Party::Buyer).expect_err("broken terms") else {
        panic!("refused for another reason than its terms");
    };
    assert_eq!(crate::psbt::build(&world.terms, &world.coins), Err(error.clone()));
    error
}

fn first(world: &mut World) -> &mut crate::coin::Coin {
    world.coins.get_mut(&world.terms.seller.inputs[0]).unwrap()
}

/// Another runestone, with change for its length so that the fee stays right.
fn replace_runestone(psbt: &mut Psbt, script: ScriptBuf) {
    let outputs = &mut psbt.unsigned_tx.output;
    let fee = |script: &ScriptBuf| Amount::from_sat(script.len() as u64 * 10);
    outputs[CHANGE].value = outputs[CHANGE].value + fee(&outputs[RUNESTONE].script_pubkey) - fee(&script);
    outputs[RUNESTONE].script_pubkey = script;
}

fn edict(asset: Asset, amount: u128, output: u32) -> Edict {
    let Asset::Rune(id) = asset else { panic!("not a rune") };
    Edict { id, amount, output }
}

fn runestone(edicts: &[Edict], pointer: Option<u32>) -> ScriptBuf {
    rune::transfer_script(edicts, pointer, 5).unwrap()
}

fn holdings<const N: usize>(entries: [(Asset, u128); N]) -> Holdings {
    entries.into()
}

#[test]
fn what_both_sides_build_passes() {
    for world in [World::usual(), World::with_alkane()] {
        for party in [Party::Seller, Party::Buyer] {
            let checked = world.check(world.psbt(), party).unwrap();
            assert_eq!(checked.psbt(), &world.psbt());
            assert_eq!(checked.our_inputs(), if party == Party::Seller { 0..2 } else { 2..4 });
        }
    }
}

#[test]
fn terms_without_units_are_refused() {
    assert_eq!(terms_refusal(|world| world.terms.units = 0), BuildError::NoUnits);
}

#[test]
fn terms_without_a_sane_payment_are_refused() {
    for found in [Amount::ZERO, Amount::MAX_MONEY + SAT, Amount::MAX] {
        assert_eq!(terms_refusal(|world| world.terms.payment = found), BuildError::Payment { found });
    }
}

#[test]
fn a_fee_rate_out_of_bounds_is_refused() {
    let below = FeeRate::from_sat_per_kwu(MIN_FEE_RATE.to_sat_per_kwu() - 1);
    let above = FeeRate::from_sat_per_kwu(MAX_FEE_RATE.to_sat_per_kwu() + 1);
    for found in [FeeRate::ZERO, below, above, FeeRate::MAX] {
        assert_eq!(terms_refusal(|world| world.terms.fee_rate = found), BuildError::FeeRate { found });
    }
}

#[test]
fn a_side_without_inputs_or_with_too_many_is_refused() {
    let error = terms_refusal(|world| world.terms.seller.inputs.clear());
    assert_eq!(error, BuildError::InputCount { party: Party::Seller, found: 0 });
    let found = MAX_STAKE_INPUTS + 1;
    let error = terms_refusal(|world| world.terms.buyer.inputs = vec![OutPoint::null(); found]);
    assert_eq!(error, BuildError::InputCount { party: Party::Buyer, found });
}

#[test]
fn an_input_named_twice_is_refused_also_across_sides() {
    let outpoint = World::usual().terms.seller.inputs[1];
    for party in [Party::Seller, Party::Buyer] {
        let error = terms_refusal(|world| match party {
            Party::Seller => world.terms.seller.inputs.push(outpoint),
            Party::Buyer => world.terms.buyer.inputs.push(outpoint),
        });
        assert_eq!(error, BuildError::Twice { outpoint });
    }
}

#[test]
fn an_input_that_does_not_exist_or_is_spent_is_refused() {
    let stakes = World::usual().terms;
    for (party, outpoint) in [(Party::Seller, stakes.seller.inputs[1]), (Party::Buyer, stakes.buyer.inputs[0])] {
        let error = terms_refusal(|world| drop(world.coins.remove(&outpoint)));
        assert_eq!(error, BuildError::Missing { party, outpoint });
    }
}

#[test]
fn a_view_of_the_chain_that_answers_with_another_output_is_not_believed() {
    let error = terms_refusal(|world| first(world).outpoint.vout += 1);
    assert!(matches!(error, BuildError::Missing { party: Party::Seller, .. }));
}

#[test]
fn an_unconfirmed_input_is_refused_of_the_seller_only() {
    let error = terms_refusal(|world| first(world).height = None);
    assert!(matches!(error, BuildError::Unconfirmed { .. }));
    let mut world = World::usual();
    let outpoint = world.terms.buyer.inputs[0];
    world.coins.get_mut(&outpoint).unwrap().height = None;
    world.check(world.psbt(), Party::Seller).unwrap();
}

#[test]
fn an_input_of_an_unknown_kind_is_refused() {
    let script = ScriptBuf::from_bytes([&[0, 32][..], &[1; 32]].concat());
    let error = terms_refusal(|world| first(world).output.script_pubkey = script);
    assert!(matches!(error, BuildError::Unspendable { .. }));
}

#[test]
fn a_script_that_could_not_be_paid_safely_is_refused() {
    let op_return = Builder::new().push_opcode(opcodes::all::OP_RETURN).into_script();
    let long = ScriptBuf::from_bytes(vec![0x51; 10_000]);
    for script in [ScriptBuf::new(), op_return, long] {
        let error = terms_refusal(|world| world.terms.seller.change = script.clone());
        assert_eq!(error, BuildError::Script { party: Party::Seller, script: script.clone() });
        let error = terms_refusal(|world| world.terms.buyer.receive = script.clone());
        assert_eq!(error, BuildError::Script { party: Party::Buyer, script });
    }
}

#[test]
fn an_asset_on_an_input_of_the_buyer_is_refused() {
    for asset in [OTHER_RUNE, ALKANE] {
        let outpoint = World::usual().terms.buyer.inputs[1];
        let error = terms_refusal(|world| {
            world.coins.get_mut(&outpoint).unwrap().holdings.insert(asset, 1);
        });
        assert_eq!(error, BuildError::BuyerHolds { outpoint, asset });
    }
}

#[test]
fn too_few_units_are_refused() {
    let error = terms_refusal(|world| world.terms.units = 1_001);
    assert_eq!(error, BuildError::NotEnoughUnits { found: 1_000, expected: 1_001 });
    let error = terms_refusal(|world| world.terms.asset = ALKANE);
    assert_eq!(error, BuildError::NotEnoughUnits { found: 0, expected: 400 });
}

#[test]
fn a_buyer_that_cannot_pay_is_refused() {
    let error = terms_refusal(|world| world.terms.payment = Amount::from_sat(100_000));
    assert!(matches!(error, BuildError::NotEnoughBitcoin { party: Party::Buyer, .. }));
}

#[test]
fn a_seller_that_cannot_pay_the_fee_is_refused() {
    let error = terms_refusal(|world| {
        world.terms.fee_payer = Party::Seller;
        world.terms.payment = SAT;
        world.terms.fee_rate = FeeRate::from_sat_per_vb_u32(100);
    });
    assert!(matches!(error, BuildError::NotEnoughBitcoin { party: Party::Seller, .. }));
}

#[test]
fn a_seller_that_would_get_dust_is_refused() {
    let error = terms_refusal(|world| {
        first(world).output.value = POSTAGE;
        let second = world.terms.seller.inputs.pop().unwrap();
        world.coins.remove(&second);
        world.terms.payment = Amount::from_sat(329);
    });
    assert_eq!(error, BuildError::Dust { found: Amount::from_sat(329), expected: Amount::from_sat(330) });
}

#[test]
fn sums_that_cannot_be_are_refused() {
    let error = terms_refusal(|world| {
        let second = world.terms.seller.inputs[1];
        world.coins.get_mut(&second).unwrap().holdings.insert(RUNE, u128::MAX);
    });
    assert_eq!(error, BuildError::Overflow);
    assert_eq!(terms_refusal(|world| first(world).output.value = Amount::MAX_MONEY), BuildError::Overflow);
    assert_eq!(terms_refusal(|world| first(world).output.value = Amount::MAX), BuildError::Overflow);
}

#[test]
fn a_rune_that_cannot_be_is_refused() {
    for id in [RuneId { block: 0, tx: 0 }, RuneId { block: 0, tx: 5 }] {
        let error = terms_refusal(|world| {
            world.terms.asset = Asset::Rune(id);
            first(world).holdings.insert(Asset::Rune(id), 400);
        });
        assert!(matches!(error, BuildError::Runestone { .. }), "{error}");
    }
}

#[test]
fn another_version_or_lock_time_is_refused() {
    let world = World::usual();
    let found = refusal(&world, |psbt| psbt.unsigned_tx.version = Version::ONE);
    assert_eq!(found, PsbtRefusal::Version { found: 1 });
    let found = refusal(&world, |psbt| psbt.unsigned_tx.lock_time = LockTime::from_consensus(7));
    assert_eq!(found, PsbtRefusal::LockTime { found: 7 });
}

#[test]
fn other_inputs_than_the_agreed_ones_are_refused() {
    let world = World::usual();
    let found = refusal(&world, |psbt| psbt.unsigned_tx.input[1].previous_output.vout += 1);
    assert!(matches!(found, PsbtRefusal::Input { input: 1, .. }));
    let found = refusal(&world, |psbt| psbt.unsigned_tx.input.swap(0, 2));
    assert!(matches!(found, PsbtRefusal::Input { input: 0, .. }));
    let found = refusal(&world, |psbt| {
        psbt.unsigned_tx.input.push(psbt.unsigned_tx.input[0].clone());
        psbt.inputs.push(psbt.inputs[0].clone());
    });
    assert_eq!(found, PsbtRefusal::InputCount { found: 5, expected: 4 });
    let found = refusal(&world, |psbt| {
        psbt.unsigned_tx.input.pop();
        psbt.inputs.pop();
    });
    assert_eq!(found, PsbtRefusal::InputCount { found: 3, expected: 4 });
}

#[test]
fn another_sequence_is_refused() {
    let found = refusal(&World::usual(), |psbt| psbt.unsigned_tx.input[3].sequence = Sequence::MAX);
    assert_eq!(found, PsbtRefusal::Sequence { input: 3, found: u32::MAX });
}

#[test]
fn another_previous_output_than_on_the_chain_is_refused() {
    let world = World::usual();
    assert_eq!(refusal(&world, |psbt| psbt.inputs[2].witness_utxo = None), PsbtRefusal::WitnessUtxo { input: 2 });
    let found = refusal(&world, |psbt| psbt.inputs[0].witness_utxo.as_mut().unwrap().value += SAT);
    assert_eq!(found, PsbtRefusal::WitnessUtxo { input: 0 });
}

#[test]
fn another_sighash_type_is_refused() {
    let world = World::usual();
    let none: Option<bitcoin::psbt::PsbtSighashType> = None;
    let taproot = [TapSighashType::All, TapSighashType::SinglePlusAnyoneCanPay, TapSighashType::None];
    for found in taproot.into_iter().map(|found| Some(found.into())).chain([none]) {
        let found = refusal(&world, |psbt| psbt.inputs[0].sighash_type = found);
        assert_eq!(found, PsbtRefusal::Sighash { input: 0 });
    }
    let found = refusal(&world, |psbt| psbt.inputs[3].sighash_type = Some(EcdsaSighashType::None.into()));
    assert_eq!(found, PsbtRefusal::Sighash { input: 3 });
}

#[test]
fn more_or_fewer_outputs_are_refused() {
    let world = World::usual();
    for add in [true, false] {
        let found = refusal(&world, |psbt| {
            let outputs = &mut psbt.unsigned_tx.output;
            if add {
                outputs.push(TxOut { value: Amount::from_sat(1_000), ..outputs[0].clone() });
            } else {
                outputs.truncate(3);
            }
        });
        assert_eq!(found, PsbtRefusal::OutputCount { found: if add { 6 } else { 3 }, expected: 4 });
    }
}

#[test]
fn an_output_to_another_script_is_refused() {
    let world = World::usual();
    let thief = World::new(Kind::Taproot).buyer.script(Kind::Taproot);
    for output in 0..5 {
        let found = refusal(&world, |psbt| psbt.unsigned_tx.output[output].script_pubkey = thief.clone());
        assert!(matches!(found, PsbtRefusal::Output { output: at, .. } if at == output), "{found}");
    }
}

#[test]
fn dust_is_refused() {
    for output in [0, 1, 2, CHANGE] {
        let found = refusal(&World::usual(), |psbt| psbt.unsigned_tx.output[output].value = Amount::from_sat(329));
        assert_eq!(found, PsbtRefusal::Dust { output, found: Amount::from_sat(329), expected: Amount::from_sat(330) });
    }
}

#[test]
fn a_fee_above_or_below_the_agreed_rate_is_refused() {
    let world = World::usual();
    let fee = world.check(world.psbt(), Party::Buyer).unwrap().fee();
    let above = refusal(&world, |psbt| psbt.unsigned_tx.output[CHANGE].value -= SAT);
    assert_eq!(above, PsbtRefusal::Fee { found: Some(fee + SAT), expected: fee, limit: fee });
    let below = refusal(&world, |psbt| psbt.unsigned_tx.output[0].value += SAT);
    assert_eq!(below, PsbtRefusal::Fee { found: Some(fee - SAT), expected: fee, limit: fee });
    let more_than_all = refusal(&world, |psbt| psbt.unsigned_tx.output[0].value = Amount::MAX_MONEY);
    assert!(matches!(more_than_all, PsbtRefusal::Fee { found: None, .. }));
    let wrapping = refusal(&world, |psbt| psbt.unsigned_tx.output[0].value = Amount::MAX);
    assert!(matches!(wrapping, PsbtRefusal::Fee { found: None, .. }));
}

#[test]
fn change_that_vanishes_into_the_fee_is_refused() {
    let found = refusal(&World::usual(), |psbt| drop(psbt.unsigned_tx.output.pop()));
    assert!(matches!(found, PsbtRefusal::Fee { .. }), "{found}");
}

#[test]
fn a_satoshi_moved_between_outputs_is_refused() {
    let world = World::usual();
    let moved = |from: usize, to: usize| {
        refusal(&world, |psbt| {
            psbt.unsigned_tx.output[from].value -= SAT;
            psbt.unsigned_tx.output[to].value += SAT;
        })
    };
    assert!(matches!(moved(CHANGE, 0), PsbtRefusal::Change { .. }));
    assert!(matches!(moved(0, CHANGE), PsbtRefusal::Change { .. }));
    assert!(matches!(moved(0, 1), PsbtRefusal::Payment { .. }));
    assert!(matches!(moved(2, 0), PsbtRefusal::Payment { .. }));
    assert_eq!(moved(2, 1), PsbtRefusal::Postage { output: 1, found: POSTAGE + SAT });
}

#[test]
fn bitcoin_on_the_runestone_is_refused() {
    let found = refusal(&World::usual(), |psbt| {
        psbt.unsigned_tx.output[RUNESTONE].value = SAT;
        psbt.unsigned_tx.output[CHANGE].value -= SAT;
    });
    assert_eq!(found, PsbtRefusal::RunestoneValue { found: SAT });
}

#[test]
fn change_below_the_dust_limit_goes_to_the_miner_and_no_more() {
    let mut world = World::usual();
    let rest = world.psbt().unsigned_tx.output[CHANGE].value;
    let coin = world.terms.buyer.inputs[0];
    world.coins.get_mut(&coin).unwrap().output.value -= rest - Amount::from_sat(329);
    // 43 bytes of an output at 10 sat/vB, which is not made, and 329 sats.
    let required = world.psbt().fee().unwrap() - Amount::from_sat(430 + 329);
    assert_eq!(world.psbt().unsigned_tx.output.len(), 4);
    world.check(world.psbt(), Party::Seller).unwrap();
    let found = refusal(&world, |psbt| {
        psbt.unsigned_tx.output[0].value += SAT;
    });
    assert!(matches!(found, PsbtRefusal::Change { .. }), "{found}");
    let found = refusal(&world, |psbt| psbt.unsigned_tx.output[0].value -= SAT);
    let limit = required + Amount::from_sat(430 + 329);
    assert_eq!(found, PsbtRefusal::Fee { found: Some(limit + SAT), expected: required, limit });
}

#[test]
fn a_cenotaph_is_refused() {
    let body = |output: u128| {
        let integers = [22, 2, 0, 840_000, 1, 400, output];
        let payload: Vec<u8> = integers.into_iter().flat_map(ordinals::varint::encode).collect();
        let payload = bitcoin::script::PushBytesBuf::try_from(payload).unwrap();
        let start = Builder::new().push_opcode(opcodes::all::OP_RETURN).push_opcode(Runestone::MAGIC_NUMBER);
        start.push_slice(payload).into_script()
    };
    let world = World::usual();
    world
        .check(
            {
                let mut psbt = world.psbt();
                replace_runestone(&mut psbt, body(1));
                psbt
            },
            Party::Buyer,
        )
        .expect("the encoding that the builder uses");
    let found = refusal(&world, |psbt| replace_runestone(psbt, body(9)));
    assert_eq!(found, PsbtRefusal::Cenotaph { flaw: Some(Flaw::EdictOutput) });
    let none = Builder::new().push_opcode(opcodes::all::OP_RETURN).push_opcode(Runestone::MAGIC_NUMBER);
    let opcode = none.push_opcode(opcodes::all::OP_NOP).into_script();
    let found = refusal(&world, |psbt| replace_runestone(psbt, opcode));
    assert_eq!(found, PsbtRefusal::Cenotaph { flaw: Some(Flaw::Opcode) });
}

#[test]
fn a_missing_runestone_is_refused() {
    let found = refusal(&World::usual(), |psbt| {
        let plain = Builder::new().push_opcode(opcodes::all::OP_RETURN).push_slice([0; 8]).into_script();
        replace_runestone(psbt, plain);
    });
    assert_eq!(found, PsbtRefusal::NoRunestone);
}

#[test]
fn a_runestone_that_etches_or_mints_is_refused() {
    let Asset::Rune(mint) = RUNE else { unreachable!() };
    let usual = Runestone { edicts: vec![edict(RUNE, 400, 1)], pointer: Some(2), ..Runestone::default() };
    let mints = Runestone { mint: Some(mint), edicts: usual.edicts.clone(), pointer: Some(2), etching: None };
    let etches = Runestone { etching: Some(Etching::default()), ..usual };
    for other in [mints, etches] {
        let found = refusal(&World::usual(), |psbt| replace_runestone(psbt, other.encipher()));
        assert_eq!(found, PsbtRefusal::Purpose);
    }
}

#[test]
fn alkanes_without_a_protostone_are_refused() {
    let plain = runestone(&[edict(RUNE, 400, 1)], Some(2));
    let found = refusal(&World::with_alkane(), |psbt| replace_runestone(psbt, plain));
    assert_eq!(found, PsbtRefusal::NoProtostone);
}

#[test]
fn alkanes_that_go_elsewhere_are_refused() {
    let Asset::Alkane(id) = ALKANE else { unreachable!() };
    let runes = [edict(RUNE, 400, 1)];
    let alkanes = [alkane::Edict { id, amount: 5, output: 1 }];
    let transfer = alkane::Transfer { alkanes: &alkanes, runes: &runes, pointer: 2, outputs: 5 };
    let script = alkane::transfer_script(transfer).unwrap();
    let found = refusal(&World::with_alkane(), |psbt| replace_runestone(psbt, script));
    let expected = holdings([(RUNE, 400)]);
    assert_eq!(found, PsbtRefusal::BuyerGets { found: holdings([(RUNE, 400), (ALKANE, 5)]), expected });
}

#[test]
fn a_message_to_a_contract_is_refused() {
    let stone = alkane::Protostone {
        protocol_tag: alkane::PROTOCOL,
        pointer: Some(2),
        refund: Some(2),
        message: vec![2, 1, 77],
        ..alkane::Protostone::default()
    };
    let values = alkane::protostone::encode(&[stone]).unwrap();
    let moves = rune::script::transfer(&[edict(RUNE, 400, 1)], Some(2)).unwrap();
    let script = rune::script::write(moves, &values, 5).unwrap();
    for world in [World::with_alkane(), World::usual()] {
        let found = refusal(&world, |psbt| replace_runestone(psbt, script.clone()));
        assert!(matches!(found, PsbtRefusal::Alkane(alkane::AlkaneRefusal::Message { .. })), "{found}");
    }
}

#[test]
fn units_that_would_be_burned_are_refused() {
    let script = runestone(&[edict(RUNE, 400, 1), edict(RUNE, 1, 3)], Some(2));
    let found = refusal(&World::usual(), |psbt| replace_runestone(psbt, script));
    assert_eq!(found, PsbtRefusal::Burned { asset: RUNE, units: 1 });
    let script = runestone(&[edict(RUNE, 400, 1)], Some(3));
    let found = refusal(&World::usual(), |psbt| replace_runestone(psbt, script));
    assert_eq!(found, PsbtRefusal::Burned { asset: RUNE, units: 600 });
}

#[test]
fn any_other_gain_of_the_buyer_is_refused() {
    let expected = holdings([(RUNE, 400)]);
    for (edicts, pointer, gets) in [
        (vec![edict(RUNE, 399, 1)], 2, holdings([(RUNE, 399)])),
        (vec![edict(RUNE, 401, 1)], 2, holdings([(RUNE, 401)])),
        (vec![edict(RUNE, 400, 1), edict(OTHER_RUNE, 1, 1)], 2, holdings([(RUNE, 400), (OTHER_RUNE, 1)])),
        (vec![edict(RUNE, 400, 1)], 1, holdings([(RUNE, 1_000), (OTHER_RUNE, 7)])),
        (vec![edict(RUNE, 400, 2)], 2, holdings([])),
    ] {
        let script = runestone(&edicts, Some(pointer));
        let found = refusal(&World::usual(), |psbt| replace_runestone(psbt, script));
        assert_eq!(found, PsbtRefusal::BuyerGets { found: gets, expected: expected.clone() });
    }
}

#[test]
fn a_remainder_elsewhere_is_refused() {
    for output in [0, 4] {
        let script = runestone(&[edict(RUNE, 400, 1)], Some(output));
        let found = refusal(&World::usual(), |psbt| replace_runestone(psbt, script));
        let rest = holdings([(RUNE, 600), (OTHER_RUNE, 7)]);
        match output {
            0 => assert_eq!(found, PsbtRefusal::Stray { output: 0, found: rest }),
            _ => assert!(matches!(found, PsbtRefusal::SellerGets { .. }), "{found}"),
        }
    }
}

#[test]
fn another_way_to_say_the_same_is_refused() {
    // The same outcome, but not the transaction that both derive.
    let script = runestone(&[edict(RUNE, 400, 1), edict(RUNE, 600, 2)], Some(2));
    let found = refusal(&World::usual(), |psbt| replace_runestone(psbt, script));
    assert_eq!(found, PsbtRefusal::Different);
}

#[test]
fn the_longest_runestone_is_shorter_than_its_bound() {
    let longest = Asset::Alkane(AlkaneId { block: (1 << 119) + 1, tx: (1 << 119) + 1 });
    for asset in [longest, Asset::Rune(RuneId { block: u64::MAX, tx: u32::MAX })] {
        let mut world = World::with_alkane();
        world.terms.asset = asset;
        world.terms.units = (1 << 119) + 1;
        first(&mut world).holdings.insert(asset, u128::MAX);
        let psbt = world.psbt();
        let length = psbt.unsigned_tx.output[RUNESTONE].script_pubkey.len();
        assert!(length <= LONGEST_RUNESTONE, "{asset}: {length}");
        world.check(psbt, Party::Seller).unwrap();
    }
}
