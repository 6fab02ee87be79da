//! The signed record in which a peer tells under which addresses it can be reached, as it is kept in the DHT.
//!
//! It is a libp2p peer record (RFC 0003) in a signed envelope (RFC 0002), with two things of our own: the domain of the signature, so
//! that an envelope that was signed for another purpose, or another purpose's from this one, is never taken; and the sequence number,
//! which is the signer's time of day in milliseconds since the Unix epoch. So it grows over restarts without being stored, and whoever
//! reads the record knows its age.
//!
//! Nothing here reads a clock: the time is an argument.

use std::time::Duration;

use libp2p::core::SignedEnvelope;
use libp2p::identity::{Keypair, SigningError};
use libp2p::{Multiaddr, PeerId};
use prost::Message as _;
use thiserror::Error;

/// What signatures are for. The number is the version of the record.
const DOMAIN: &str = "darkswap-peer-record/1";
/// The multicodec of `libp2p-peer-record`, the type that RFC 0003 gives the payload.
const PAYLOAD_TYPE: &[u8] = &[0x03, 0x01];
/// What stands before the bytes of the peer id in a record's key.
const KEY: &[u8] = b"/darkswap/peer/1/";

/// Largest record in bytes. Eight circuits of 150 bytes, which names and certificates make long, fit with the envelope.
pub(crate) const SIZE: usize = 2_048;
/// Addresses in a record: a home relay, its standbys, and a few direct ones.
pub(crate) const ADDRESSES: usize = 8;
/// How long a record is believed after it was signed. Long enough to survive two failed renewals, short enough that a peer that is gone
/// is soon not dialled any more.
pub(crate) const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How far two clocks may be apart.
pub(crate) const SKEW: Duration = Duration::from_secs(10 * 60);

/// The message `PeerRecord` of RFC 0003.
#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(bytes = "vec", tag = "1")]
    peer_id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    sequence: u64,
    #[prost(message, repeated, tag = "3")]
    addresses: Vec<WireAddress>,
}

/// The message `AddressInfo` of RFC 0003.
#[derive(Clone, PartialEq, prost::Message)]
struct WireAddress {
    #[prost(bytes = "vec", tag = "1")]
    multiaddr: Vec<u8>,
}

/// A record whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerRecord {
    /// Whom it is about, and who signed it.
    pub(crate) peer: PeerId,
    /// When it was signed, by the signer's clock, in milliseconds since the Unix epoch.
    pub(crate) sequence: u64,
    /// Where the peer says it can be reached.
    pub(crate) addresses: Vec<Multiaddr>,
}

/// Why a record was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum RecordError {
    /// Too long, or too many addresses.
    #[error("{what} of a peer record: found {found}, expected at most {limit}")]
    Oversized {
        /// Of what.
        what: &'static str,
        /// How much there was.
        found: usize,
        /// How much may be.
        limit: usize,
    },
    /// Bytes that are no record.
    #[error("found {0}, expected a signed peer record")]
    Malformed(&'static str),
    /// Not signed by the peer that it is about.
    #[error("{0}")]
    Forged(&'static str),
    /// Older than a record that is known, or than a record may be; or from the future.
    #[error("{0}")]
    Stale(String),
}

/// The key of a peer's record.
pub(crate) fn key(peer: &PeerId) -> Vec<u8> {
    [KEY, &peer.to_bytes()].concat()
}

/// The peer in the key of a record. None: it is no such key.
pub(crate) fn peer_of(key: &[u8]) -> Option<PeerId> {
    PeerId::from_bytes(key.strip_prefix(KEY)?).ok()
}

/// A signed record with these addresses, the first ones where there are too many or they are too long.
pub(crate) fn sign(identity: &Keypair, sequence: u64, addresses: &[Multiaddr]) -> Result<Vec<u8>, SigningError> {
    // What the envelope and the fields around the addresses take, with room to spare.
    const REST: usize = 256;
    let mut room = SIZE - REST;
    let mut kept = Vec::new();
    for address in addresses.iter().take(ADDRESSES) {
        let multiaddr = address.to_vec();
        // Two tags with lengths of at most two bytes stand before it.
        let Some(left) = room.checked_sub(multiaddr.len() + 6) else { continue };
        room = left;
        kept.push(WireAddress { multiaddr });
    }
    let peer_id = identity.public().to_peer_id().to_bytes();
    let payload = Wire { peer_id, sequence, addresses: kept }.encode_to_vec();
    let envelope = SignedEnvelope::new(identity, DOMAIN.to_owned(), PAYLOAD_TYPE.to_vec(), payload)?;
    Ok(envelope.into_protobuf_encoding())
}

/// The record under a key, when its signature holds. Addresses that this version cannot read are left out.
pub(crate) fn verify(key: &[u8], value: &[u8]) -> Result<PeerRecord, RecordError> {
    let peer = peer_of(key).ok_or(RecordError::Malformed("a key without a peer"))?;
    if value.len() > SIZE {
        return Err(RecordError::Oversized { what: "bytes", found: value.len(), limit: SIZE });
    }
    let envelope = SignedEnvelope::from_protobuf_encoding(value)
        .map_err(|_| RecordError::Malformed("bytes that are no signed envelope"))?;
    let (payload, signer) = envelope
        .payload_and_signing_key(DOMAIN.to_owned(), PAYLOAD_TYPE)
        .map_err(|_| RecordError::Forged("found a peer record whose signature does not hold"))?;
    if signer.to_peer_id() != peer {
        return Err(RecordError::Forged("found a peer record that another peer signed, expected the one in its key"));
    }
    let wire = Wire::decode(payload).map_err(|_| RecordError::Malformed("an envelope without a peer record"))?;
    if wire.peer_id != peer.to_bytes() {
        return Err(RecordError::Forged("found a peer record about another peer than the one that signed it"));
    }
    if wire.addresses.len() > ADDRESSES {
        let found = wire.addresses.len();
        return Err(RecordError::Oversized { what: "addresses", found, limit: ADDRESSES });
    }
    let addresses = wire.addresses.into_iter().filter_map(|address| address.multiaddr.try_into().ok()).collect();
    Ok(PeerRecord { peer, sequence: wire.sequence, addresses })
}

impl PeerRecord {
    /// Refuses a record that is too old at this time of day, or from a time that is not yet.
    pub(crate) fn check_age(&self, time_of_day: Duration) -> Result<(), RecordError> {
        let signed = Duration::from_millis(self.sequence);
        let (age, ahead) = (time_of_day.saturating_sub(signed), signed.saturating_sub(time_of_day));
        if age > LIFETIME + SKEW {
            let limit = LIFETIME.as_secs();
            return Err(RecordError::Stale(format!(
                "found a peer record of {} s ago, expected one of the last {limit} s: it was not renewed, or a clock is wrong",
                age.as_secs()
            )));
        }
        if ahead > SKEW {
            return Err(RecordError::Stale(format!(
                "found a peer record that is {} s ahead of this host's clock, expected at most {} s: set the clock that is wrong",
                ahead.as_secs(),
                SKEW.as_secs()
            )));
        }
        Ok(())
    }
}

/// The sequence number of the next record at this time of day: never one that was used before.
pub(crate) fn next_sequence(last: u64, time_of_day: Duration) -> u64 {
    let now = u64::try_from(time_of_day.as_millis()).unwrap_or(u64::MAX);
    now.max(last.saturating_add(1))
}

// By its path, which holds as well where the fuzz target takes this file.
#[cfg(test)]
#[path = "peer_record/tests.rs"]
mod tests;
