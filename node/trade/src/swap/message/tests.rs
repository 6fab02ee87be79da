use std::time::Duration;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, Sequence, TxIn, TxOut, Txid, Witness};
use proptest::prelude::*;

use super::*;

fn any_outpoint() -> impl Strategy<Value = OutPoint> {
    (any::<[u8; 32]>(), any::<u32>()).prop_map(|(txid, vout)| OutPoint { txid: Txid::from_byte_array(txid), vout })
}

fn any_script() -> impl Strategy<Value = ScriptBuf> {
    any::<[u8; 32]>().prop_map(|program| {
        let mut bytes = vec![0x51, 0x20];
        bytes.extend(program);
        ScriptBuf::from_bytes(bytes)
    })
}

fn any_stake() -> impl Strategy<Value = Stake> {
    let inputs = prop::collection::btree_set(any_outpoint(), 1..=MAX_INPUTS);
    (inputs, any_script(), any_script()).prop_map(|(inputs, receive, change)| Stake {
        inputs: inputs.into_iter().collect(),
        receive,
        change,
    })
}

fn any_rejection() -> impl Strategy<Value = Rejection> {
    use Rejection::*;
    prop::sample::select(vec![
        Other, Unknown, Order, Expired, Units, FeeRate, Stake, Busy, Funds, Late, Proposal, Withdrawn,
    ])
}

fn any_transaction() -> impl Strategy<Value = Transaction> {
    (prop::collection::vec(any_outpoint(), 1..4), any_script(), any::<u32>(), 0..1_000_000_u64).prop_map(
        |(inputs, script, sequence, value)| Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: inputs
                .into_iter()
                .map(|previous_output| TxIn {
                    previous_output,
                    script_sig: ScriptBuf::new(),
                    sequence: Sequence(sequence),
                    witness: Witness::from_slice(&[[7_u8; 64]]),
                })
                .collect(),
            output: vec![TxOut { value: Amount::from_sat(value), script_pubkey: script }],
        },
    )
}

fn any_message() -> impl Strategy<Value = Message> {
    let body = prop_oneof![
        (any::<[u8; 32]>(), any::<u128>(), any::<u64>(), any_stake()).prop_map(|(order, units, fee_rate, stake)| {
            let fee_rate = FeeRate::from_sat_per_kwu(fee_rate);
            Body::Request(Request { order: OrderId(order), units, fee_rate, stake })
        }),
        (any_stake(), any::<u64>())
            .prop_map(|(stake, millis)| Body::Accept(Accept { stake, deadline: Duration::from_millis(millis) })),
        any_rejection().prop_map(Body::Reject),
        prop::collection::vec(any::<u8>(), 0..2_000).prop_map(|psbt| Body::Proposal(psbt.into())),
        any_transaction().prop_map(Body::Settled),
    ];
    (any::<[u8; 16]>(), body).prop_map(|(swap, body)| Message { swap: SwapId(swap), body })
}

proptest! {
    #[test]
    fn what_was_encoded_decodes_to_the_same(message in any_message()) {
        prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Message::decode(&bytes);
    }

    #[test]
    fn a_damaged_message_decodes_to_something_encodable_or_is_refused(
        message in any_message(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = message.encode();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.truncate(cut.index(bytes.len() * 8) + 1);
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        }
    }
}

fn outpoint(vout: u32) -> OutPoint {
    OutPoint { txid: Txid::all_zeros(), vout }
}

fn script() -> ScriptBuf {
    ScriptBuf::from_bytes([&[0x51, 0x20][..], &[5; 32][..]].concat())
}

fn accept(inputs: Vec<OutPoint>, change: ScriptBuf) -> Vec<u8> {
    let stake = Stake { inputs, receive: script(), change };
    Message { swap: SwapId([1; 16]), body: Body::Accept(Accept { stake, deadline: Duration::from_secs(1) }) }.encode()
}

#[test]
fn an_input_that_is_named_twice_is_refused() {
    let bytes = accept(vec![outpoint(1), outpoint(1)], script());
    assert_eq!(Message::decode(&bytes), Err(MessageRefusal::Repeated { outpoint: outpoint(1) }));
}

#[test]
fn a_side_without_inputs_or_with_too_many_is_refused() {
    assert_eq!(Message::decode(&accept(vec![], script())), Err(MessageRefusal::Missing { field: "input" }));
    let many = (0..=MAX_INPUTS).map(|vout| outpoint(u32::try_from(vout).unwrap())).collect();
    let refusal = MessageRefusal::Oversized { field: "inputs", found: MAX_INPUTS + 1, limit: MAX_INPUTS };
    assert_eq!(Message::decode(&accept(many, script())), Err(refusal));
}

#[test]
fn a_script_that_is_no_witness_program_is_refused() {
    let bytes = accept(vec![outpoint(1)], ScriptBuf::new_op_return([1; 3]));
    assert_eq!(Message::decode(&bytes), Err(MessageRefusal::Script { field: "change script" }));
}

#[test]
fn another_version_and_an_empty_message_are_refused() {
    assert_eq!(Message::decode(&[]), Err(MessageRefusal::Version { found: 0 }));
    assert_eq!(Message::decode(&[8, 9]), Err(MessageRefusal::Version { found: 9 }));
    assert_eq!(Message::decode(&[8, 1]), Err(MessageRefusal::Length { field: "swap id", found: 0, expected: 16 }));
}

#[test]
fn more_bytes_than_a_message_has_are_refused_unread() {
    assert_eq!(Message::decode(&vec![0; MAX_MESSAGE + 1]), Err(MessageRefusal::TooLarge { found: MAX_MESSAGE + 1 }));
}

#[test]
fn a_rejection_of_a_later_version_is_still_a_rejection() {
    let mut bytes = Message { swap: SwapId([1; 16]), body: Body::Reject(Rejection::Withdrawn) }.encode();
    *bytes.last_mut().unwrap() = 99;
    assert_eq!(Message::decode(&bytes).unwrap().body, Body::Reject(Rejection::Other));
}
