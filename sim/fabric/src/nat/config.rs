//! Everything that distinguishes one NAT from another.

use std::time::Duration;

use super::behaviour::{Behaviour, NatKind};
use crate::packet::Transport;

/// How the NAT picks the external port of a new mapping (RFC 4787, section 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortAssignment {
    /// The internal port is kept if possible: "port preservation".
    Preserve {
        /// What happens if the port is taken.
        on_clash: OnClash,
    },
    /// The port after the one assigned last, starting at a random one.
    Sequential,
    /// Any free port.
    Random,
}

/// What a port-preserving NAT does if the wanted external port is in use (RFC 4787, section 4.2.1).
///
/// Two mappings of the *same* internal endpoint never share a port: a NAT with dependent mapping that preserved the
/// port for every destination would be one with endpoint-independent mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnClash {
    /// "Port overloading": two internal endpoints share the external port and inbound packets are told apart by the
    /// remote endpoint alone. If that matches both, the one that sent last receives.
    Overload,
    /// The next free port above, wrapping at the end of the range.
    NextFree,
}

/// Which packets prolong the life of a mapping and of its filter state (RFC 4787, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refresh {
    /// Packets from the inside, as RFC 4787 REQ-6 demands.
    Outbound,
    /// Accepted packets from the outside; those from the inside create but do not prolong.
    Inbound,
    /// Both.
    Both,
}

impl Refresh {
    pub(crate) const fn by_outbound(self) -> bool {
        matches!(self, Self::Outbound | Self::Both)
    }

    pub(crate) const fn by_inbound(self) -> bool {
        matches!(self, Self::Inbound | Self::Both)
    }
}

/// How long an idle mapping lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MappingLife {
    /// Time without a refreshing packet after which the mapping is gone (RFC 4787, REQ-5).
    pub life: Duration,
    /// Which packets count.
    pub refresh: Refresh,
}

/// Whether two internal hosts can talk through their external endpoints (RFC 4787, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hairpinning {
    /// Packets from the inside to the NAT's own external address are dropped.
    Off,
    /// They are turned around, presented with the "external source IP address and port" (REQ-9), and filtered as if
    /// they came from the outside.
    ExternalSource,
}

/// What happens to a packet from the outside that no mapping accepts. It is dropped in both cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unsolicited {
    /// It leaves no trace.
    Drop,
    /// It leaves a connection-tracking entry for its remote endpoint and the external port. A later outbound flow to
    /// that endpoint which would use the port is moved to another one, so an early hole-punching packet of the peer
    /// spoils the punch. Linux does so if the packet reaches the router's own input chain.
    Track,
}

/// Bounds of a NAT's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NatLimits {
    /// Mappings in all.
    pub mappings: usize,
    /// Mappings of one internal address.
    pub mappings_per_host: usize,
    /// Remote endpoints that the filter state of one mapping holds; the one that expires first makes room.
    pub sessions_per_mapping: usize,
    /// Entries that [`Unsolicited::Track`] keeps; beyond them unsolicited packets leave no trace.
    pub tracked: usize,
}

impl NatLimits {
    /// Bounds of a generous home or carrier router.
    pub const DEFAULT: Self =
        Self { mappings: 16_384, mappings_per_host: 4_096, sessions_per_mapping: 4_096, tracked: 16_384 };
}

impl Default for NatLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Idle life of a UDP mapping by default: the minimum of RFC 4787, REQ-5.
pub const UDP_MAPPING_LIFE: Duration = Duration::from_secs(120);
/// Idle life of an established TCP mapping by default: 2 hours 4 minutes (RFC 5382, REQ-5).
pub const TCP_MAPPING_LIFE: Duration = Duration::from_secs(7_440);
/// Idle life of a TCP session after FIN or RST by default: 4 minutes (RFC 5382, REQ-5).
pub const TCP_CLOSING_LIFE: Duration = Duration::from_secs(240);

/// The complete behaviour of a NAT with one external address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NatConfig {
    /// Mapping and filtering behaviour.
    pub kind: NatKind,
    /// How external ports are chosen.
    pub ports: PortAssignment,
    /// Whether an even internal port gets an even external one and an odd one an odd one (RFC 4787, section 4.2.2). A
    /// new mapping is refused if no port of its parity is left.
    pub parity: bool,
    /// Life of UDP mappings.
    pub udp: MappingLife,
    /// Life of TCP mappings.
    pub tcp: MappingLife,
    /// Life of a TCP session after FIN or RST, until the next SYN.
    pub tcp_closing: Duration,
    /// Whether packets to the own external address are turned around.
    pub hairpinning: Hairpinning,
    /// What packets leave behind that no mapping accepts.
    pub unsolicited: Unsolicited,
    /// Bounds of memory.
    pub limits: NatLimits,
}

impl NatConfig {
    /// A NAT of this kind that is otherwise what RFC 4787 and RFC 5382 ask for: outbound refresh, hairpinning,
    /// unsolicited packets dropped; port parity, which they only recommend, is not kept. Ports are preserved (next free on a clash) with endpoint-independent mapping and
    /// random otherwise.
    pub const fn new(kind: NatKind) -> Self {
        let ports = match kind.mapping {
            Behaviour::EndpointIndependent => PortAssignment::Preserve { on_clash: OnClash::NextFree },
            Behaviour::AddressDependent | Behaviour::AddressAndPortDependent => PortAssignment::Random,
        };
        Self {
            kind,
            ports,
            parity: false,
            udp: MappingLife { life: UDP_MAPPING_LIFE, refresh: Refresh::Outbound },
            tcp: MappingLife { life: TCP_MAPPING_LIFE, refresh: Refresh::Both },
            tcp_closing: TCP_CLOSING_LIFE,
            hairpinning: Hairpinning::ExternalSource,
            unsolicited: Unsolicited::Drop,
            limits: NatLimits::DEFAULT,
        }
    }

    pub(crate) const fn life(&self, transport: Transport) -> MappingLife {
        match transport {
            Transport::Udp => self.udp,
            Transport::Tcp => self.tcp,
        }
    }
}
