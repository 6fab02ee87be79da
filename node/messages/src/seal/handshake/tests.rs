use proptest::prelude::*;

use super::*;

fn entropy(number: u8) -> Entropy {
    Entropy::new([number; 32])
}

fn party(number: u8) -> Party {
    crate::identity::identity(number).party()
}

#[test]
fn both_ends_get_one_session_and_know_each_other() {
    let (one, two) = (handshakes(1), handshakes(2));
    let (first, second) = sessions(&one, &two);
    assert_eq!((first.peer(), second.peer()), (party(2), party(1)));
    assert_eq!(first.channel(), second.channel());
    assert_eq!((first.capabilities().zstd, second.capabilities().zstd), (false, true));
    assert!(first.is_initiator() && !second.is_initiator());
}

/// These bytes were made once. Others mean that peers of another version do not understand us: change the version instead.
#[test]
fn the_bytes_of_version_1_stay() {
    let (one, two) = (handshakes(1), handshakes(2));
    let (opened, hello) = one.open(party(2), entropy(31));
    let (_, answer) = two.answer(party(1), &hello, entropy(32)).unwrap();
    let (mut session, finish) = one.finish(opened, Time::ZERO, &answer).unwrap();
    let sealed = session.seal(b"attack at dawn").unwrap();
    let shown: Vec<String> = [&hello, &answer, &finish, &sealed].iter().map(|bytes| summary(bytes)).collect();
    assert_eq!(shown, VECTORS);
}

/// Length, the first and the last eight bytes.
fn summary(bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{} {} {}", bytes.len(), hex(&bytes[..8]), hex(&bytes[bytes.len() - 8..]))
}

const VECTORS: [&str; 4] = [
    "32 2bd3950461202e24 b7923b226d853343",
    "226 06453fcd9cef5a1f 1241f2eccb9c2559",
    "194 b9dd0e156a33c7f2 f2dbba4782280225",
    "50 f5cb2e449d07d443 065abe8ba3075087",
];

#[test]
fn the_longest_message_is_the_answer() {
    let (one, two) = (handshakes(1), handshakes(2));
    let (_, hello) = one.open(party(2), entropy(31));
    let (_, answer) = two.answer(party(1), &hello, entropy(32)).unwrap();
    assert_eq!(answer.len(), HANDSHAKE);
}

#[test]
fn somebody_else_who_answers_is_found_out() {
    let (alice, mallory) = (handshakes(1), handshakes(3));
    // Alice wants Bob; Mallory answers as Bob, with all that is public, and her own key and certificate.
    let (opened, hello) = alice.open(party(2), entropy(31));
    let mut posed = mallory.start(party(1), party(2), false, entropy(32));
    posed.read(&hello).unwrap();
    let answer = posed.write(&mallory.carried());
    let refused = alice.finish(opened, Time::ZERO, &answer).unwrap_err();
    assert_eq!(refused, HandshakeError::Spoofed { found: party(3), expected: party(2) });
    assert!(refused.is_spoofed());
}

#[test]
fn a_certificate_of_another_does_not_help_without_its_key() {
    let (alice, bob, mallory) = (handshakes(1), handshakes(2), handshakes(3));
    let (opened, hello) = alice.open(party(2), entropy(31));
    let mut posed = mallory.start(party(1), party(2), false, entropy(32));
    posed.read(&hello).unwrap();
    let answer = posed.write(&bob.carried());
    let refused = alice.finish(opened, Time::ZERO, &answer).unwrap_err();
    assert_eq!(refused, HandshakeError::Spoofed { found: party(2), expected: party(2) });
}

#[test]
fn a_handshake_for_another_peer_is_no_handshake_for_us() {
    let (alice, bob, carol) = (handshakes(1), handshakes(2), handshakes(4));
    // Bob passes Alice's hello on to Carol, as if it were for her.
    let (opened, hello) = alice.open(party(2), entropy(31));
    let (_, answer) = carol.answer(party(1), &hello, entropy(32)).unwrap();
    let refused = alice.finish(opened, Time::ZERO, &answer).unwrap_err();
    assert!(matches!(refused, HandshakeError::Noise { .. }), "{refused}");
    // And a recorded finish fits no other handshake.
    let (opened, hello) = alice.open(party(2), entropy(33));
    let (_, answer) = bob.answer(party(1), &hello, entropy(34)).unwrap();
    let (_, finish) = alice.finish(opened, Time::ZERO, &answer).unwrap();
    let (again, _) = bob.answer(party(1), &hello, entropy(35)).unwrap();
    assert!(matches!(bob.finished(again, Time::ZERO, &finish), Err(HandshakeError::Noise { .. })));
}

#[test]
fn other_versions_and_unknown_flags_are_refused() {
    let (alice, bob) = (handshakes(1), handshakes(2));
    for (version, flags) in [(2, 0), (1, 2), (0, 0)] {
        let (opened, hello) = alice.open(party(2), entropy(31));
        let mut answers = bob.start(party(1), party(2), false, entropy(32));
        answers.read(&hello).unwrap();
        let mut carried = bob.carried();
        carried[..2].copy_from_slice(&[version, flags]);
        let answer = answers.write(&carried);
        let refused = alice.finish(opened, Time::ZERO, &answer).unwrap_err();
        assert_eq!(refused, HandshakeError::Version { version, flags });
    }
}

#[test]
fn every_change_and_every_cut_of_an_answer_is_refused() {
    let (alice, bob) = (handshakes(1), handshakes(2));
    for at in (0..HANDSHAKE).step_by(7) {
        let (opened, hello) = alice.open(party(2), entropy(31));
        let (_, mut answer) = bob.answer(party(1), &hello, entropy(32)).unwrap();
        answer[at] ^= 1;
        assert!(alice.finish(opened, Time::ZERO, &answer).is_err(), "byte {at}");
        let (opened, hello) = alice.open(party(2), entropy(31));
        let (_, answer) = bob.answer(party(1), &hello, entropy(32)).unwrap();
        assert!(alice.finish(opened, Time::ZERO, &answer[..at]).is_err(), "cut at {at}");
    }
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn no_bytes_make_a_handshake_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (alice, bob) = (handshakes(1), handshakes(2));
        let (opened, hello) = alice.open(party(2), entropy(31));
        prop_assert!(alice.finish(opened, Time::ZERO, &bytes).is_err());
        if let Ok((answered, _)) = bob.answer(party(1), &bytes, entropy(32)) {
            prop_assert!(bob.finished(answered, Time::ZERO, &bytes).is_err());
        }
        let (answered, _) = bob.answer(party(1), &hello, entropy(32)).unwrap();
        prop_assert!(bob.finished(answered, Time::ZERO, &bytes).is_err());
    }
}
