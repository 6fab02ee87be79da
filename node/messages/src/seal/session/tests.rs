use proptest::prelude::*;

use super::*;
use crate::seal::handshake::{handshakes, sessions};

const LIMIT: usize = 1 << 20;

fn pair() -> (Session, Session) {
    sessions(&handshakes(1), &handshakes(2))
}

#[test]
fn messages_pass_both_ways_and_in_any_order() {
    let (mut one, mut two) = pair();
    let sealed: Vec<_> = (0..5_u8).map(|n| one.seal(&[n]).unwrap()).collect();
    for n in [4, 0, 2, 3, 1] {
        assert_eq!(two.open(&sealed[usize::from(n)], LIMIT), Ok(vec![n]));
    }
    let back = two.seal(b"back").unwrap();
    assert_eq!(one.open(&back, LIMIT).unwrap(), b"back");
    assert_eq!(back.len(), b"back".len() + OVERHEAD);
}

#[test]
fn a_message_is_opened_once() {
    let (mut one, mut two) = pair();
    let first = one.seal(b"pay").unwrap();
    assert!(two.open(&first, LIMIT).is_ok());
    assert_eq!(two.open(&first, LIMIT), Err(OpenError::Replayed { number: 0 }));
    for _ in 0..=WINDOW {
        let next = one.seal(b"").unwrap();
        assert!(two.open(&next, LIMIT).is_ok());
    }
    let stale = two.open(&first, LIMIT).unwrap_err();
    assert_eq!(stale, OpenError::Stale { number: 0 });
    assert!(stale.is_replayed());
}

#[test]
fn a_message_is_not_opened_by_its_sender() {
    let (mut one, _) = pair();
    let sealed = one.seal(b"reflected").unwrap();
    assert_eq!(one.open(&sealed, LIMIT), Err(OpenError::Forged));
}

#[test]
fn a_message_of_another_session_is_unknown_and_a_forged_one_changes_nothing() {
    let (mut one, mut two) = pair();
    let (mut other, _) = sessions(&handshakes(3), &handshakes(2));
    assert_eq!(two.open(&other.seal(b"hello").unwrap(), LIMIT), Err(OpenError::UnknownSession));
    let sealed = one.seal(b"hello").unwrap();
    for at in 8..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 0x80;
        assert_eq!(two.open(&changed, LIMIT), Err(OpenError::Forged), "byte {at}");
    }
    assert_eq!(two.open(&sealed, LIMIT).unwrap(), b"hello");
}

#[test]
fn a_large_message_has_several_records_and_none_may_be_missing() {
    let (mut one, mut two) = pair();
    let message: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    let sealed = one.seal(&message).unwrap();
    assert_eq!(sealed.len(), sealed_length(message.len()));
    let cut = &sealed[..HEADER + 2 * RECORD];
    assert!(matches!(two.open(cut, LIMIT), Err(OpenError::Length { announced: 200_000, .. })));
    let (mut one, mut two) = pair();
    let mut swapped = one.seal(&message).unwrap();
    let (first, second) = swapped[HEADER..].split_at_mut(RECORD);
    first.swap_with_slice(&mut second[..RECORD]);
    assert_eq!(two.open(&swapped, LIMIT), Err(OpenError::Forged));
    let sealed = one.seal(&message).unwrap();
    assert_eq!(two.open(&sealed, LIMIT), Ok(message));
}

#[test]
fn a_message_beyond_the_limit_is_refused_before_it_is_decrypted() {
    let (mut one, mut two) = pair();
    let sealed = one.seal(&[0; 101]).unwrap();
    assert!(matches!(two.open(&sealed, 100), Err(OpenError::Oversized { .. })));
    assert!(two.open(&sealed, 101).is_ok());
    assert!(matches!(one.seal(&vec![0; PLAINTEXT + 1]), Err(SealError::Oversized { .. })));
}

#[test]
fn a_session_ends_before_its_numbers_do() {
    let (mut one, mut two) = pair();
    one.next = NUMBERS - 1;
    let last = one.seal(b"last").unwrap();
    assert!(two.open(&last, LIMIT).is_ok());
    assert_eq!(one.seal(b"one more"), Err(SealError::Exhausted));
    let mut beyond = last;
    beyond[8..16].copy_from_slice(&u64::MAX.to_be_bytes());
    assert_eq!(two.open(&beyond, LIMIT), Err(OpenError::Forged));
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn no_bytes_make_a_session_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), number: u64) {
        let (_, mut two) = pair();
        prop_assert!(two.open(&bytes, LIMIT).is_err());
        let named = [&two.channel.label()[..], &number.to_be_bytes(), &bytes].concat();
        prop_assert!(two.open(&named, LIMIT).is_err());
    }

    #[test]
    fn a_message_round_trips(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2_000), 1..5)) {
        let (mut one, mut two) = pair();
        for message in messages {
            let sealed = one.seal(&message).unwrap();
            prop_assert_eq!(two.open(&sealed, LIMIT), Ok(message));
        }
    }
}
