//! What a granted reservation says, and its voucher.

use std::time::Duration;

use darkswap_connectivity::relay::message::{
    HopMessage, Limit, Reservation, Status, VOUCHER_DOMAIN, VOUCHER_TYPE, Voucher,
};
use darkswap_connectivity::relay::server::Limits;
use libp2p::core::SignedEnvelope;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::limits::fixed::relay_server::ADDRESSES;

/// What a circuit may carry, as clients are told.
pub(super) fn limit(limits: &Limits) -> Limit {
    let seconds = limits.circuit_life.as_secs();
    Limit { duration: Some(u32::try_from(seconds).unwrap_or(u32::MAX)), data: Some(limits.circuit_bytes) }
}

/// The answer to a granted reservation that ends at this time since the Unix epoch.
pub(super) fn granted<'a>(
    relay: &Keypair,
    peer: PeerId,
    addresses: impl Iterator<Item = &'a Multiaddr>,
    ends: Duration,
    limit: Limit,
) -> HopMessage {
    let own = relay.public().to_peer_id();
    let expires = ends.as_secs();
    let voucher = Voucher { relay: own.to_bytes(), peer: peer.to_bytes(), expires };
    let signed = SignedEnvelope::new(relay, VOUCHER_DOMAIN.to_owned(), VOUCHER_TYPE.to_vec(), voucher.encode());
    HopMessage::Status {
        status: Status::Ok,
        reservation: Some(Reservation {
            expires,
            addresses: within(ADDRESSES, addresses.map(|address| complete(address, own).to_vec())),
            // A key that cannot sign is not ours; the voucher is optional.
            voucher: signed.ok().map(SignedEnvelope::into_protobuf_encoding),
        }),
        limit: Some(limit),
    }
}

/// The first ones that have no more bytes than this in all.
fn within(bytes: usize, addresses: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut left = bytes;
    addresses
        .take_while(|address| {
            let fits = address.len() <= left;
            left = left.saturating_sub(address.len());
            fits
        })
        .collect()
}

/// The address with the relay's peer id at its end.
fn complete(address: &Multiaddr, relay: PeerId) -> Multiaddr {
    match address.iter().last() {
        Some(Protocol::P2p(_)) => address.clone(),
        _ => address.clone().with(Protocol::P2p(relay)),
    }
}
