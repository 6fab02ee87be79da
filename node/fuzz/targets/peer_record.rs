//! Signed records of peers in the DHT: what is believed was signed by the peer that it is about, within its bounds, and reads the same
//! when it is signed again.
//!
//! The first byte says what the rest is: a record and a key as they come, changes of an honest record, or a payload that its peer really
//! signed: a fuzzer has no keys, and random bytes do not get past a signature.
#![no_main]

use std::time::Duration;

use darkswap_fuzz::mutate;
use libfuzzer_sys::fuzz_target;
// The parts of it that the node's file names. The whole would bring the swarm and its protocols.
pub use libp2p_core as core;
pub use libp2p_core::{Multiaddr, PeerId, SignedEnvelope};
pub use libp2p_identity as identity;
use libp2p_identity::Keypair;

extern crate self as libp2p;

/// The node's own file.
#[path = "../../src/peer_record.rs"]
#[allow(dead_code, reason = "the node uses more of it")]
mod peer_record;

use peer_record::{ADDRESSES, SIZE};

/// What a record is signed for, and the type of its payload: as in the node, which keeps them to itself.
const DOMAIN: &str = "darkswap-peer-record/1";
const PAYLOAD_TYPE: &[u8] = &[0x03, 0x01];

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let signer = Keypair::ed25519_from_bytes([1; 32]).expect("32 bytes are a key");
    let key = peer_record::key(&signer.public().to_peer_id());
    match kind % 3 {
        0 => {
            if let Some(peer) = peer_record::peer_of(bytes) {
                assert_eq!(peer_record::key(&peer), bytes);
            }
            assert!(peer_record::verify(bytes, bytes).is_err());
            judge(&signer, &key, bytes);
        }
        1 => {
            let addresses = ["/ip4/198.51.100.7/udp/1/quic-v1", "/dns4/relay.example.org/tcp/443"];
            let addresses = addresses.map(|text| text.parse::<Multiaddr>().expect("an address"));
            let honest = peer_record::sign(&signer, 7, &addresses).expect("an identity signs");
            let mut changed = honest.clone();
            mutate(&mut changed, bytes);
            if let Ok(found) = peer_record::verify(&key, &changed) {
                assert_eq!(Ok(found), peer_record::verify(&key, &honest), "a changed record was believed");
            }
        }
        _ => {
            let (domain, payload_type) = (DOMAIN.to_owned(), PAYLOAD_TYPE.to_vec());
            let envelope = SignedEnvelope::new(&signer, domain, payload_type, bytes.to_vec());
            judge(&signer, &key, &envelope.expect("an identity signs").into_protobuf_encoding());
        }
    }
});

/// A record that is believed holds its bounds, and what it says can be said again.
fn judge(signer: &Keypair, key: &[u8], record: &[u8]) {
    let Ok(found) = peer_record::verify(key, record) else { return };
    assert!(record.len() <= SIZE && found.addresses.len() <= ADDRESSES);
    assert_eq!(peer_record::key(&found.peer), key);
    let _ = found.check_age(Duration::from_secs(1_800_000_000));
    let again = peer_record::sign(signer, found.sequence, &found.addresses).expect("an identity signs");
    let again = peer_record::verify(key, &again).expect("it was signed here");
    assert_eq!((again.peer, again.sequence), (found.peer, found.sequence));
    assert!(again.addresses.iter().all(|address| found.addresses.contains(address)));
}
