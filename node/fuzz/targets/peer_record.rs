//! Signed peer records of the DHT: bytes of anybody, and payloads in envelopes whose signature holds. What is read is bounded, and can be
//! signed and read again.
#![no_main]

// The record's own file names libp2p; here that is this crate with the two parts of it that the file needs.
extern crate self as libp2p;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
pub use libp2p_core::{Multiaddr, PeerId};

/// What the record needs of `libp2p::core`.
pub mod core {
    pub use libp2p_core::SignedEnvelope;
}

/// What it needs of `libp2p::identity`.
pub mod identity {
    pub use libp2p_identity::{Keypair, SigningError};
}

/// The node's own file. `darkswap-node` itself would bring all of libp2p.
#[path = "../../src/peer_record.rs"]
#[allow(dead_code, reason = "the node uses more of it")]
mod peer_record;

use crate::core::SignedEnvelope;
use crate::identity::Keypair;

static ALICE: LazyLock<Keypair> =
    LazyLock::new(|| Keypair::ed25519_from_bytes([1; 32]).expect("any 32 bytes are an Ed25519 key"));

fuzz_target!(|bytes: &[u8]| {
    let peer = ALICE.public().to_peer_id();
    let key = peer_record::key(&peer);
    // Nobody but Alice signs for Alice.
    assert!(peer_record::verify(&key, bytes).is_err());
    if let Some(named) = peer_record::peer_of(bytes) {
        assert_eq!(peer_record::key(&named), bytes);
    }
    let envelope = SignedEnvelope::new(&ALICE, "darkswap-peer-record/1".to_owned(), vec![3, 1], bytes.to_vec());
    let value = envelope.expect("Ed25519 signs anything").into_protobuf_encoding();
    let Ok(found) = peer_record::verify(&key, &value) else { return };
    assert_eq!(found.peer, peer);
    assert!(found.addresses.len() <= peer_record::ADDRESSES);
    let again = peer_record::sign(&ALICE, found.sequence, &found.addresses).expect("Ed25519 signs anything");
    let again = peer_record::verify(&key, &again).expect("what was read can be read again");
    assert_eq!((again.peer, again.sequence), (found.peer, found.sequence));
    assert!(again.addresses.iter().all(|address| found.addresses.contains(address)));
});
