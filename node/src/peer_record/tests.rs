use proptest::prelude::*;

use super::*;
use crate::transport::arbitrary;

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn identity(byte: u8) -> Keypair {
    Keypair::ed25519_from_bytes([byte; 32]).unwrap()
}

fn id(identity: &Keypair) -> PeerId {
    identity.public().to_peer_id()
}

fn circuit(port: u16) -> Multiaddr {
    let relay = id(&identity(9));
    format!("/ip4/198.51.100.7/udp/{port}/quic-v1/p2p/{relay}/p2p-circuit").parse().unwrap()
}

fn sequence(time: Duration) -> u64 {
    next_sequence(0, time)
}

/// An envelope around this payload, as a peer that makes its own might sign it.
fn envelope(signer: &Keypair, domain: &str, payload: &Wire) -> Vec<u8> {
    let payload = payload.encode_to_vec();
    let envelope = SignedEnvelope::new(signer, domain.to_owned(), PAYLOAD_TYPE.to_vec(), payload).unwrap();
    envelope.into_protobuf_encoding()
}

#[test]
fn a_record_tells_who_signed_it_when_and_where_the_peer_is() {
    let alice = identity(1);
    let addresses = vec![circuit(1), circuit(2)];
    let record = sign(&alice, sequence(NOW), &addresses).unwrap();
    let found = verify(&key(&id(&alice)), &record).unwrap();
    assert_eq!(found, PeerRecord { peer: id(&alice), sequence: sequence(NOW), addresses });
    assert_eq!(found.check_age(NOW), Ok(()));
}

#[test]
fn a_record_under_the_key_of_another_peer_is_forged() {
    let (alice, mallory) = (identity(1), identity(2));
    let record = sign(&mallory, 1, &[circuit(1)]).unwrap();
    assert!(matches!(verify(&key(&id(&alice)), &record), Err(RecordError::Forged(_))));
    let about_alice = Wire { peer_id: id(&alice).to_bytes(), sequence: 1, addresses: Vec::new() };
    let record = envelope(&mallory, DOMAIN, &about_alice);
    for peer in [id(&alice), id(&mallory)] {
        assert!(matches!(verify(&key(&peer), &record), Err(RecordError::Forged(_))));
    }
}

#[test]
fn an_envelope_that_was_signed_for_another_purpose_is_forged() {
    let alice = identity(1);
    let payload = Wire { peer_id: id(&alice).to_bytes(), sequence: 1, addresses: Vec::new() };
    let record = envelope(&alice, "libp2p-peer-record", &payload);
    assert!(matches!(verify(&key(&id(&alice)), &record), Err(RecordError::Forged(_))));
}

#[test]
fn a_record_that_is_too_large_is_refused_before_it_is_read() {
    let alice = identity(1);
    let found = verify(&key(&id(&alice)), &vec![0; SIZE + 1]);
    assert_eq!(found, Err(RecordError::Oversized { what: "bytes", found: SIZE + 1, limit: SIZE }));
    let addresses = vec![WireAddress { multiaddr: Vec::new() }; ADDRESSES + 1];
    let payload = Wire { peer_id: id(&alice).to_bytes(), sequence: 1, addresses };
    let found = verify(&key(&id(&alice)), &envelope(&alice, DOMAIN, &payload));
    assert_eq!(found, Err(RecordError::Oversized { what: "addresses", found: ADDRESSES + 1, limit: ADDRESSES }));
}

#[test]
fn a_record_is_believed_for_its_lifetime_only() {
    let alice = identity(1);
    let record = verify(&key(&id(&alice)), &sign(&alice, sequence(NOW), &[]).unwrap()).unwrap();
    assert_eq!(record.check_age(NOW + LIFETIME + SKEW), Ok(()));
    assert!(matches!(record.check_age(NOW + LIFETIME + SKEW + Duration::from_secs(1)), Err(RecordError::Stale(_))));
    assert_eq!(record.check_age(NOW - SKEW), Ok(()));
    assert!(matches!(record.check_age(NOW - SKEW - Duration::from_secs(1)), Err(RecordError::Stale(_))));
}

#[test]
fn sequence_numbers_grow_even_when_the_clock_does_not() {
    let first = next_sequence(0, NOW);
    assert_eq!(next_sequence(first, NOW), first + 1);
    assert_eq!(next_sequence(first, NOW - Duration::from_secs(60)), first + 1);
    assert_eq!(next_sequence(first, NOW + Duration::from_secs(1)), first + 1_000);
}

proptest! {
    #![proptest_config(crate::cases())]
    #[test]
    fn reading_a_record_never_panics(
        key in prop::collection::vec(any::<u8>(), 0..64),
        value in prop::collection::vec(any::<u8>(), 0..SIZE + 10),
    ) {
        let _ = verify(&key, &value);
        let _ = verify(&super::key(&id(&identity(1))), &value);
    }

    #[test]
    fn a_changed_record_is_refused_or_says_the_same(at in any::<prop::sample::Index>(), change in 1..=255_u8) {
        let alice = identity(1);
        let mut record = sign(&alice, 7, &[circuit(1)]).unwrap();
        let genuine = verify(&key(&id(&alice)), &record).unwrap();
        let at = at.index(record.len());
        record[at] ^= change;
        if let Ok(found) = verify(&key(&id(&alice)), &record) {
            prop_assert_eq!(found, genuine);
        }
    }

    #[test]
    fn whatever_is_signed_fits_and_is_read_again(
        sequence in any::<u64>(),
        addresses in prop::collection::vec(arbitrary::multiaddr(), 0..20),
    ) {
        let alice = identity(1);
        let record = sign(&alice, sequence, &addresses).unwrap();
        prop_assert!(record.len() <= SIZE, "{} bytes", record.len());
        let found = verify(&key(&id(&alice)), &record).unwrap();
        prop_assert_eq!((found.peer, found.sequence), (id(&alice), sequence));
        prop_assert!(found.addresses.len() <= ADDRESSES);
        prop_assert!(found.addresses.iter().all(|address| addresses.contains(address)));
    }

    #[test]
    fn only_the_key_of_a_peer_names_one(key in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Some(peer) = peer_of(&key) {
            prop_assert_eq!(super::key(&peer), key);
        }
    }
}
