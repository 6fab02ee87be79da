//! What travels: packets and deliveries.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use crate::topology::HostIndex;

/// The transport protocol of a packet without its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// User datagrams: may be lost, reordered and duplicated.
    Udp,
    /// TCP segments: links delay them, see [`crate::tcp`].
    Tcp,
}

/// The transport protocol of a packet, with the TCP flags that a NAT reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A user datagram.
    Udp,
    /// A TCP segment.
    Tcp(TcpFlags),
}

impl Protocol {
    /// The protocol without flags.
    pub const fn transport(self) -> Transport {
        match self {
            Self::Udp => Transport::Udp,
            Self::Tcp(_) => Transport::Tcp,
        }
    }

    /// The TCP flags; none are set on a datagram.
    pub const fn flags(self) -> TcpFlags {
        match self {
            Self::Udp => TcpFlags { syn: false, fin: false, rst: false },
            Self::Tcp(flags) => flags,
        }
    }
}

/// The TCP control flags that matter below the transport layer (RFC 9293, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TcpFlags {
    /// Opens a connection.
    pub syn: bool,
    /// Closes one direction.
    pub fin: bool,
    /// Aborts the connection.
    pub rst: bool,
}

/// One IPv4 packet with a body that the fabric never looks into.
///
/// Endpoints are [`SocketAddr`] for the caller's convenience; an IPv6 endpoint is unroutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<P> {
    /// Where the packet comes from; NATs on the way rewrite it.
    pub source: SocketAddr,
    /// Where the packet goes; NATs on the way rewrite it.
    pub destination: SocketAddr,
    /// UDP, or TCP with flags.
    pub protocol: Protocol,
    /// Bytes on the wire, headers included.
    pub size: u32,
    /// The caller's own representation of the packet.
    pub body: P,
}

impl<P> Packet<P> {
    /// Both endpoints if both are IPv4.
    pub(crate) fn endpoints(&self) -> Option<(SocketAddrV4, SocketAddrV4)> {
        match (self.source, self.destination) {
            (SocketAddr::V4(source), SocketAddr::V4(destination)) => Some((source, destination)),
            (SocketAddr::V6(_), _) | (_, SocketAddr::V6(_)) => None,
        }
    }
}

/// A packet that has reached a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery<P> {
    /// The host that receives the packet.
    pub host: HostIndex,
    /// The host that sent it, whatever the translated source says.
    pub sender: HostIndex,
    /// When the packet arrived, since the start of the simulation; not later than the `now` it was popped at.
    pub at: Duration,
    /// The packet with translated endpoints: its destination is the host's own address.
    pub packet: Packet<P>,
}
