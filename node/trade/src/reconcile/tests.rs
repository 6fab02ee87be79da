//! Whole sessions, and peers that break their rules.

use bitcoin::hashes::{Hash as _, sha256};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use prost::Message as _;

use super::message::Wire;
use super::*;

/// The id of the statement with this number.
fn id(number: u32) -> OrderId {
    OrderId(sha256::Hash::hash(&number.to_be_bytes()).to_byte_array())
}

/// Statements by number; several share a revision.
fn snapshot(numbers: impl IntoIterator<Item = u32>) -> Snapshot {
    Snapshot::new(numbers.into_iter().map(|number| (u64::from(number / 7), id(number))))
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<OrderId> {
    numbers.into_iter().map(id).collect()
}

/// What a whole session found and cost.
struct Outcome {
    initiator: Difference,
    responder: Difference,
    rounds: u32,
    bytes: usize,
}

fn run(ours: Snapshot, theirs: Snapshot) -> Result<Outcome, ReconcileRefusal> {
    let (mut initiator, mut message) = Initiator::new(ours);
    let mut responder = Responder::new(theirs);
    let mut bytes = 0;
    loop {
        assert!(message.len() <= MAX_MESSAGE, "{} bytes", message.len());
        bytes += message.len();
        let answer = match responder.handle(&message)? {
            Step::Send(answer) => answer,
            Step::Done => break,
            Step::SendLast(_) => unreachable!("the initiator has the last word"),
        };
        assert!(answer.len() <= MAX_MESSAGE, "{} bytes", answer.len());
        bytes += answer.len();
        message = match initiator.handle(&answer)? {
            Step::Send(next) | Step::SendLast(next) => next,
            Step::Done => unreachable!("the initiator has the last word"),
        };
    }
    let rounds = initiator.rounds();
    Ok(Outcome { initiator: initiator.difference().clone(), responder: responder.difference().clone(), rounds, bytes })
}

/// Runs a session and compares with the truth.
fn check(ours: &BTreeSet<u32>, theirs: &BTreeSet<u32>) -> Outcome {
    let outcome = run(snapshot(ours.iter().copied()), snapshot(theirs.iter().copied())).expect("both are honest");
    let lacking = ids(theirs.difference(ours).copied());
    let peer_lacks = ids(ours.difference(theirs).copied());
    assert_eq!(outcome.initiator.lacking, lacking);
    assert_eq!(outcome.initiator.peer_lacks, peer_lacks);
    assert_eq!(outcome.responder.lacking, peer_lacks);
    assert_eq!(outcome.responder.peer_lacks, lacking);
    outcome
}

#[test]
fn equal_sets_cost_one_round_and_little() {
    let set: BTreeSet<_> = (0..10_000).collect();
    let outcome = check(&set, &set);
    assert_eq!(outcome.rounds, 1);
    assert!(outcome.bytes < 600, "{} bytes", outcome.bytes);
}

#[test]
fn a_late_joiner_learns_of_a_whole_book() {
    let all: BTreeSet<_> = (0..50_000).collect();
    let outcome = check(&BTreeSet::new(), &all);
    assert!(outcome.rounds < 20, "{} rounds", outcome.rounds);
    let outcome = check(&all, &BTreeSet::new());
    assert!(outcome.rounds < 20, "{} rounds", outcome.rounds);
}

#[test]
fn sets_without_anything_in_common_are_told_apart_through_cut_frames() {
    let (even, odd) = (0..40_000).partition(|number| number % 2 == 0);
    let outcome = check(&even, &odd);
    assert!(outcome.rounds < 40, "{} rounds", outcome.rounds);
}

#[test]
fn the_cost_grows_with_the_difference_and_not_with_the_sets() {
    let cost = |size: u32| {
        let ours: BTreeSet<_> = (0..size).collect();
        let theirs = ours.iter().copied().filter(|number| number % (size / 10) != 5).collect();
        check(&ours, &theirs).bytes
    };
    let (small, large) = (cost(3_000), cost(60_000));
    assert!(large < small * 3, "{small} bytes, and {large} for sets 20 times as large");
}

#[test]
fn the_same_sets_give_the_same_messages() {
    let messages = || {
        let (mut initiator, first) = Initiator::new(snapshot(0..3_000));
        let mut responder = Responder::new(snapshot(100..3_300));
        let mut all = vec![first];
        loop {
            let last = all.last().expect("there is a first message").clone();
            let Ok(Step::Send(answer)) = responder.handle(&last) else { break all };
            all.push(answer.clone());
            match initiator.handle(&answer).expect("both are honest") {
                Step::Send(next) | Step::SendLast(next) => all.push(next),
                Step::Done => unreachable!("the initiator has the last word"),
            }
        }
    };
    assert_eq!(messages(), messages());
}

#[test]
fn a_responder_that_never_ends_is_left_after_the_last_round() {
    let (mut initiator, _) = Initiator::new(snapshot(0..1_000));
    // One range to infinity with a fingerprint that is never ours.
    let mut frame = vec![0x61, 0, 0, 1];
    frame.extend([0xee; 16]);
    let answer = Wire { frame, ..Wire::default() }.encode_to_vec();
    let refusal = loop {
        match initiator.handle(&answer) {
            Ok(Step::Send(_)) => {}
            Ok(step) => panic!("{step:?}"),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal, ReconcileRefusal::TooManyRounds);
    assert_eq!(initiator.rounds(), MAX_ROUNDS);
    assert_eq!(initiator.handle(&answer), Err(ReconcileRefusal::Over));
}

#[test]
fn an_initiator_that_never_ends_is_left_after_the_last_round() {
    let mut responder = Responder::new(snapshot(0..1_000));
    let (_, question) = Initiator::new(snapshot(0..500));
    for _ in 0..MAX_ROUNDS {
        assert!(matches!(responder.handle(&question), Ok(Step::Send(_))));
    }
    assert_eq!(responder.handle(&question), Err(ReconcileRefusal::TooManyRounds));
}

#[test]
fn a_message_beyond_the_limit_is_refused() {
    let found = MAX_MESSAGE + 1;
    let mut responder = Responder::new(snapshot(0..10));
    assert_eq!(responder.handle(&vec![0; found]), Err(ReconcileRefusal::TooLarge { found }));
}

#[test]
fn findings_that_contradict_our_own_set_are_refused() {
    let told = |have: Vec<u8>, want: Vec<u8>| {
        let message = Wire { have, want, last: true, ..Wire::default() }.encode_to_vec();
        Responder::new(snapshot(0..10)).handle(&message)
    };
    assert_eq!(told(id(20).0.to_vec(), id(3).0.to_vec()), Ok(Step::Done));
    assert_eq!(told(id(3).0.to_vec(), Vec::new()), Err(ReconcileRefusal::Contradiction { id: id(3) }));
    assert_eq!(told(Vec::new(), id(20).0.to_vec()), Err(ReconcileRefusal::Contradiction { id: id(20) }));
    assert_eq!(told(vec![1; 33], Vec::new()), Err(ReconcileRefusal::Findings { found: 33 }));
    let found = (MAX_FOUND + 1) * 32;
    assert_eq!(told(vec![1; found], Vec::new()), Err(ReconcileRefusal::Findings { found }));
}

#[test]
fn a_responder_that_lists_what_we_have_in_a_wrong_range_is_refused() {
    let (mut initiator, _) = Initiator::new(snapshot(0..1_000));
    // A list for the revisions below 1 that has an id of a higher one.
    let mut frame = vec![0x61, 2, 0, 2, 1];
    frame.extend(id(900).0);
    let answer = Wire { frame, ..Wire::default() }.encode_to_vec();
    assert_eq!(initiator.handle(&answer), Err(ReconcileRefusal::Contradiction { id: id(900) }));
}

#[test]
fn an_announced_length_is_not_believed() {
    // A list of 2^34 ids, with none following.
    let frame = vec![0x61, 0, 0, 2, 0xc0, 0x80, 0x80, 0x80, 0];
    let message = Wire { frame, ..Wire::default() }.encode_to_vec();
    let refusal = Responder::new(snapshot(0..10)).handle(&message);
    assert!(matches!(refusal, Err(ReconcileRefusal::Frame { .. })), "{refusal:?}");
}

#[test]
fn parts_out_of_place_are_refused() {
    let unexpected = |step: Result<Step, ReconcileRefusal>| {
        assert!(matches!(step, Err(ReconcileRefusal::Unexpected { .. })), "{step:?}");
    };
    unexpected(Responder::new(snapshot(0..10)).handle(&[]));
    let (_, first) = Initiator::new(snapshot(0..5));
    let last = Wire { last: true, ..Wire::decode(first.as_slice()).expect("ours") }.encode_to_vec();
    unexpected(Responder::new(snapshot(0..10)).handle(&last));
    unexpected(Initiator::new(snapshot(0..5)).0.handle(&[]));
    unexpected(Initiator::new(snapshot(0..5)).0.handle(&last));
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn both_ends_learn_exactly_the_difference(
        both in proptest::collection::btree_set(0..5_000_u32, 0..600),
        ours in proptest::collection::btree_set(0..5_000_u32, 0..200),
        theirs in proptest::collection::btree_set(0..5_000_u32, 0..200),
    ) {
        check(&(&both | &ours), &(&both | &theirs));
    }

    #[test]
    fn no_message_makes_a_session_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Initiator::new(snapshot(0..100)).0.handle(&bytes);
        let _ = Responder::new(snapshot(0..100)).handle(&bytes);
    }

    #[test]
    fn no_frame_makes_a_session_panic(body in proptest::collection::vec(0..4_u8, 0..80), noise in any::<[u8; 40]>()) {
        // Small numbers are modes, lengths and short bounds, so that frames get further than random bytes would.
        let frame = [&[0x61][..], &body, &noise].concat();
        let message = Wire { frame, ..Wire::default() }.encode_to_vec();
        let _ = Initiator::new(snapshot(0..100)).0.handle(&message);
        let _ = Responder::new(snapshot(0..100)).handle(&message);
    }
}
