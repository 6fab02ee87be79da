//! Pure predicates: can two hosts behind NATs reach each other directly?
//!
//! A host is described by the kinds of the NATs in front of it, the one nearest to the host first; the empty chain is a
//! public host. The chains must have no NAT in common: hosts behind the same NAT are a matter of hairpinning and of
//! routes within the shared network. Unsolicited packets are assumed to be dropped
//! ([`Unsolicited::Drop`](crate::Unsolicited::Drop)); with tracking the outcome depends on who sends first.
//!
//! # What is known and what is tried
//! Each side has sent one packet to a public observer (a STUN server or a relay, at an address of its own) and knows
//! the endpoint that the observer saw of the other: its *observed* endpoint. Both send to the observed endpoint of the
//! other, again and again, and answer to wherever packets come from (peer-reflexive candidates, RFC 8445 section
//! 7.3.1.3). A pair is *direct* if this ends in two endpoints through which packets pass in both directions, as ICE
//! demands (RFC 8445, section 7.2.5.2.1: an answer must come from the endpoint that was asked). Ports are not guessed.
//!
//! # Derivation
//! Let `A` and `B` be chains. At a level `i` of a chain two destinations share a mapping only if the mappings of all
//! levels up to `i` allow it, so the level behaves like a single NAT with the strictest mapping among them, `M_i`, and
//! its own filtering `f_i`. `M` of a chain is that of its outermost level: it decides whether the peer sees the
//! observed endpoint (`M` endpoint-independent) or another one with the same address.
//!
//! **Reach.** A packet of `A` to the observed endpoint of `B` arrives at the mappings that `B` used towards the
//! observer.
//! - `M_i` endpoint-independent: it is the only mapping, so it has sent to the observed endpoint of `A` too. Filtering
//!   by address admits the packet; filtering by port admits it if it comes from the observed endpoint, that is if `M`
//!   of `A` is endpoint-independent.
//! - `M_i` dependent: this mapping has sent to the observer only (filter state is per mapping), so the level admits the
//!   packet only if it does not filter.
//!
//! **Settle.** If `A` reaches `B`, then `B` answers to where the packet came from.
//! - `M` of `B` endpoint-independent: the answer comes from the endpoint that `A` sent to, and passes. Direct.
//! - Otherwise it comes from a new port. It passes the NATs of `A` if none of them filters by port. `A` then sends to
//!   the new port, and that packet passes, because it comes from the address that `B` has answered to. If the mapping
//!   of one side at least does not depend on the port, that side's endpoint stays the same from here on: direct. If
//!   both depend on the port, every answer comes from yet another port: not direct.
//!
//! A pair is direct if `A` reaches `B` and settles, or the other way round. If neither reaches the other, nothing ever
//! arrives and nothing is learnt.

use crate::nat::{Behaviour, NatKind};

/// Whether ICE-like checks from both sides end in a direct path; symmetric in its arguments.
///
/// Each argument lists the NATs from the host outwards; see the [module](self) for the derivation.
pub fn can_be_direct(a: &[NatKind], b: &[NatKind]) -> bool {
    settles(a, b) || settles(b, a)
}

/// Whether a QUIC connection comes about by DCUtR, where the roles are fixed.
///
/// The dialer of the relayed connection is the QUIC client. It sends its Initial to the server's observed endpoint
/// while the server sends random datagrams to the client's (libp2p DCUtR specification, "hole punching over QUIC"). The
/// Initial must pass the server's NATs, and the server's answer must come from the endpoint that the client sent to: a
/// client discards packets from an unknown server address (RFC 9000, section 9). So the mapping of the server has to be
/// endpoint-independent, and if it filters by port, so has that of the client.
pub fn hole_punch_by_role(client: &[NatKind], server: &[NatKind]) -> bool {
    reaches(client, server) && mapping(server) == Behaviour::EndpointIndependent
}

/// Whether a packet of `sender` to the observed endpoint of `receiver` arrives while both send.
///
/// This alone lets the receiver learn where the sender is; it does not say that an answer comes back.
pub fn reaches(sender: &[NatKind], receiver: &[NatKind]) -> bool {
    let sender_is_as_observed = mapping(sender) == Behaviour::EndpointIndependent;
    let mut effective = Behaviour::EndpointIndependent;
    receiver.iter().all(|nat| {
        effective = effective.max(nat.mapping);
        match (effective, nat.filtering) {
            (_, Behaviour::EndpointIndependent) => true,
            (Behaviour::EndpointIndependent, Behaviour::AddressDependent) => true,
            (Behaviour::EndpointIndependent, Behaviour::AddressAndPortDependent) => sender_is_as_observed,
            (Behaviour::AddressDependent | Behaviour::AddressAndPortDependent, _) => false,
        }
    })
}

/// Whether the exchange that begins with a packet of `a` to the observed endpoint of `b` ends in a direct path.
fn settles(a: &[NatKind], b: &[NatKind]) -> bool {
    let a_filters_by_port = a.iter().any(|nat| nat.filtering == Behaviour::AddressAndPortDependent);
    let stays = |chain| mapping(chain) != Behaviour::AddressAndPortDependent;
    reaches(a, b) && (mapping(b) == Behaviour::EndpointIndependent || (!a_filters_by_port && (stays(a) || stays(b))))
}

/// The mapping that a chain shows to the outside.
fn mapping(chain: &[NatKind]) -> Behaviour {
    chain.iter().map(|nat| nat.mapping).max().unwrap_or(Behaviour::EndpointIndependent)
}
