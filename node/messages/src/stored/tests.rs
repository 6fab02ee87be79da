use proptest::prelude::*;

use super::*;
use crate::seal::handshakes;

const TODAY: Duration = Duration::from_secs(1_800_000_000);

fn sealed(message: &[u8]) -> Vec<u8> {
    seal(&handshakes(1), handshakes(2).certificate(), TODAY, message, Entropy::new([9; 32])).unwrap()
}

#[test]
fn a_box_is_opened_by_its_recipient_who_learns_the_sender() {
    let sealed = sealed(b"an offer");
    let opened = open(&handshakes(2), &sealed).unwrap();
    assert_eq!((opened.sender, opened.written), (handshakes(1).identity().party(), TODAY));
    assert_eq!(opened.message, b"an offer");
    assert_eq!(open(&handshakes(3), &sealed), Err(BoxError::Forged));
    assert_eq!(open(&handshakes(1), &sealed), Err(BoxError::Forged));
}

#[test]
fn a_large_message_has_several_records() {
    let message: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    let sealed = sealed(&message);
    assert_eq!(open(&handshakes(2), &sealed).unwrap().message, message);
    let cut = &sealed[..=RECORD];
    assert!(matches!(open(&handshakes(2), cut), Err(BoxError::Length { announced: 200_000, .. })));
    let from = (handshakes(1), vec![0; MESSAGE + 1]);
    let refused = seal(&from.0, handshakes(2).certificate(), TODAY, &from.1, Entropy::new([9; 32]));
    assert_eq!(refused, Err(BoxError::Oversized { found: MESSAGE + 1 }));
}

#[test]
fn a_box_in_the_name_of_another_is_found_out() {
    let (alice, bob, mallory) = (handshakes(1), handshakes(2), handshakes(3));
    // Mallory puts Alice's certificate, which everybody knows, into a box of her own.
    let mut noise = mallory.one_way(bob.identity().party(), Some(bob.certificate().key()), Entropy::new([9; 32]));
    let within = [&alice.certificate().encode()[..], &[0; 8], &1_u32.to_be_bytes(), b"x"].concat();
    let mut posed = vec![VERSION; 1 + OVERHEAD + within.len()];
    noise.write_message(&within, &mut posed[1..]).unwrap();
    assert_eq!(open(&bob, &posed), Err(BoxError::Spoofed { claimed: alice.identity().party() }));
}

#[test]
fn every_change_and_every_cut_of_a_box_is_refused() {
    let sealed = sealed(b"an offer");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(open(&handshakes(2), &changed).is_err(), "byte {at}");
        assert!(open(&handshakes(2), &sealed[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_box_is_delivered_once_and_while_it_is_fresh() {
    let opened = open(&handshakes(2), &sealed(b"an offer")).unwrap();
    let mut shelf = Shelf::new();
    assert!(matches!(shelf.admit(TODAY - SKEW * 2, &opened), Err(BoxError::Date { .. })));
    assert_eq!(shelf.admit(TODAY + KEEP, &opened), Ok(()));
    assert_eq!(shelf.admit(TODAY + KEEP, &opened), Err(BoxError::Replayed { sender: opened.sender }));
    assert!(matches!(shelf.admit(TODAY + KEEP * 2, &opened), Err(BoxError::Date { .. })));
}

#[test]
fn a_flood_of_boxes_fills_its_senders_part_of_the_shelf_and_no_other() {
    let mut shelf = Shelf::new();
    let mut of = |sender: u16, number: u64, now: Duration| {
        let (mut party, mut id) = ([0; 32], [0; 32]);
        party[..2].copy_from_slice(&sender.to_be_bytes());
        id[..8].copy_from_slice(&number.to_be_bytes());
        shelf.admit(now, &Opened { sender: Party(party), written: now, id, message: Vec::new() })
    };
    for number in 0..BOXES as u64 {
        assert_eq!(of(1, number, TODAY), Ok(()));
    }
    assert_eq!(of(1, u64::MAX, TODAY), Err(BoxError::Full));
    for sender in 2..=SENDERS as u16 {
        assert_eq!(of(sender, 0, TODAY), Ok(()));
    }
    assert_eq!(of(9_999, 0, TODAY), Err(BoxError::Full));
    assert_eq!(of(9_999, 0, TODAY + KEEP * 2), Ok(()));
}

/// These bytes were made once. Others mean that peers of another version do not understand us: change the version instead.
#[test]
fn the_bytes_of_version_1_stay() {
    let sealed = sealed(b"an offer");
    assert_eq!((sealed.len(), &sealed[sealed.len() - 8..]), VECTOR);
}

const VECTOR: (usize, &[u8]) = (245, &[53, 197, 240, 236, 90, 207, 23, 154]);

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn no_bytes_make_the_opener_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(open(&handshakes(2), &bytes).is_err());
        prop_assert!(open(&handshakes(2), &[&[VERSION], &bytes[..]].concat()).is_err());
    }

    #[test]
    fn a_box_round_trips(message in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert_eq!(open(&handshakes(2), &sealed(&message)).unwrap().message, message);
    }
}
