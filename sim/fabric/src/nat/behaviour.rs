//! The three behaviours of RFC 4787 and the kind of NAT that two of them make.

use std::fmt;
use std::net::SocketAddrV4;

use crate::hash::pack;

/// On how much of the remote endpoint a decision of the NAT depends (RFC 4787, sections 4.1 and 5).
///
/// Ordered from the most permissive to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Behaviour {
    /// Not at all.
    EndpointIndependent,
    /// On the remote address.
    AddressDependent,
    /// On the remote address and port.
    AddressAndPortDependent,
}

impl Behaviour {
    /// All behaviours, from the most permissive to the strictest.
    pub const ALL: [Self; 3] = [Self::EndpointIndependent, Self::AddressDependent, Self::AddressAndPortDependent];

    /// The part of a remote endpoint that the behaviour distinguishes, tagged so that parts of different kinds differ.
    pub(crate) fn part_of(self, remote: SocketAddrV4) -> u64 {
        match self {
            Self::EndpointIndependent => 0,
            Self::AddressDependent => 1 << 56 | u64::from(remote.ip().to_bits()),
            Self::AddressAndPortDependent => 2 << 56 | pack(remote),
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        })
    }
}

/// How a NAT maps and filters: the two answers that decide reachability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NatKind {
    /// When a new destination gets a new external endpoint (RFC 4787, section 4.1).
    pub mapping: Behaviour,
    /// Which sources may use an external endpoint (RFC 4787, section 5).
    pub filtering: Behaviour,
}

impl NatKind {
    /// Makes a kind from its two behaviours.
    pub const fn new(mapping: Behaviour, filtering: Behaviour) -> Self {
        Self { mapping, filtering }
    }

    /// All nine kinds, in order of mapping and then filtering.
    pub fn all() -> impl Iterator<Item = Self> {
        Behaviour::ALL
            .into_iter()
            .flat_map(|mapping| Behaviour::ALL.into_iter().map(move |filtering| Self { mapping, filtering }))
    }
}

impl fmt::Display for NatKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} mapping, {} filtering", self.mapping, self.filtering)
    }
}
