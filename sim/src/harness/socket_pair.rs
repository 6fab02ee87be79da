//! The name of a TCP connection.

use std::net::SocketAddr;

use bytes::Bytes;
use turmoil_net::{Packet, TcpFlags, TcpSegment, Transport};

/// The two ends of a TCP connection as one host sees them (the "socket pair" of RFC 9293, section 3.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SocketPair {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

impl SocketPair {
    /// The pair as the sender of the segment sees it.
    pub(crate) fn of_sender(packet: &Packet, segment: &TcpSegment) -> Self {
        Self {
            local: SocketAddr::new(packet.src, segment.src_port),
            remote: SocketAddr::new(packet.dst, segment.dst_port),
        }
    }

    /// The pair as the receiver of the segment sees it.
    pub(crate) fn of_receiver(packet: &Packet, segment: &TcpSegment) -> Self {
        Self::of_sender(packet, segment).reversed()
    }

    pub(crate) const fn reversed(self) -> Self {
        Self { local: self.remote, remote: self.local }
    }

    pub(crate) const fn is_loopback(self) -> bool {
        self.local.ip().is_loopback()
    }

    /// A segment without data from the local to the remote end.
    pub(crate) const fn segment(self, seq: u32, ack: u32, flags: TcpFlags) -> Packet {
        let window = if flags.rst { 0 } else { u16::MAX };
        let (src_port, dst_port) = (self.local.port(), self.remote.port());
        let segment = TcpSegment { src_port, dst_port, seq, ack, flags, window, payload: Bytes::new() };
        Packet { src: self.local.ip(), dst: self.remote.ip(), ttl: 64, payload: Transport::Tcp(segment) }
    }

    /// A reset from the local to the remote end.
    pub(crate) fn reset(self, seq: u32) -> Packet {
        self.segment(seq, 0, TcpFlags { rst: true, ..TcpFlags::default() })
    }
}
