//! What the harness must know of TCP connections, because turmoil-net gets it wrong.
//!
//! | situation | a real kernel | turmoil-net | the harness |
//! |---|---|---|---|
//! | data for a connection that the application left | resets it | takes it until the buffer is full | resets both ends |
//! | the application leaves bytes unread | resets it | does so (but our reads leave nothing there) | resets both ends |
//! | a reset ends a handshake at its server | forgets it | keeps a dead entry that holds the port for ever | completes the handshake first |

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use turmoil_net::{Packet, TcpFlags, TcpSegment};

use super::SocketPair;

/// The few connections that need attention, named as the host sees them that needs it.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// Servers that wait for the last segment of a handshake, with the number that it will acknowledge.
    handshakes: BTreeMap<SocketPair, u32>,
    /// Connections that the application left while the remote end may still send.
    left: BTreeSet<SocketPair>,
}

/// What must happen for a segment to be received as a real kernel would.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The stack does the right thing.
    Ordinary,
    /// The stack must see this segment before.
    After(Packet),
    /// The segment resets the connection: the stack sees the first segment instead, the remote end receives the second.
    Reset { here: Packet, there: Packet },
}

impl Connections {
    /// A host sent a segment.
    pub(crate) fn sent(&mut self, packet: &Packet, segment: &TcpSegment) {
        if segment.flags.syn && segment.flags.ack {
            let pair = SocketPair::of_sender(packet, segment);
            self.handshakes.insert(pair, segment.seq.wrapping_add(1));
        } else if segment.flags.rst {
            self.forget(SocketPair::of_sender(packet, segment));
        }
    }

    /// A segment is about to reach a host.
    pub(crate) fn arriving(&mut self, packet: &Packet, segment: &TcpSegment) -> Arrival {
        if self.handshakes.is_empty() && self.left.is_empty() {
            return Arrival::Ordinary;
        }
        let pair = SocketPair::of_receiver(packet, segment);
        if segment.flags.rst {
            self.left.remove(&pair);
            return match self.handshakes.remove(&pair) {
                Some(acknowledged) => Arrival::After(last_of_handshake(pair, segment, acknowledged)),
                None => Arrival::Ordinary,
            };
        }
        if segment.flags.ack && self.handshakes.get(&pair) == Some(&segment.ack) {
            self.handshakes.remove(&pair);
        }
        if segment.payload.is_empty() {
            if segment.flags.fin {
                self.left.remove(&pair);
            }
        } else if self.left.remove(&pair) {
            return Arrival::Reset { here: pair.reversed().reset(segment.seq), there: pair.reset(segment.ack) };
        }
        Arrival::Ordinary
    }

    /// The application left a connection; from now on data for it resets it.
    pub(crate) fn left(&mut self, pair: SocketPair) {
        if !pair.is_loopback() {
            self.left.insert(pair);
        }
    }

    /// The connection is gone.
    pub(crate) fn forget(&mut self, pair: SocketPair) {
        self.handshakes.remove(&pair);
        self.left.remove(&pair);
    }

    /// All connections of a host are gone.
    pub(crate) fn forget_host(&mut self, addresses: &[IpAddr]) {
        self.handshakes.retain(|pair, _| !addresses.contains(&pair.local.ip()));
        self.left.retain(|pair| !addresses.contains(&pair.local.ip()));
    }
}

/// The acknowledgement that the server at `pair.local` waits for.
fn last_of_handshake(pair: SocketPair, reset: &TcpSegment, acknowledged: u32) -> Packet {
    let flags = TcpFlags { ack: true, ..TcpFlags::default() };
    pair.reversed().segment(reset.seq, acknowledged, flags)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use turmoil_net::Transport;

    use super::*;

    const ACK: TcpFlags = TcpFlags { syn: false, ack: true, fin: false, rst: false, psh: false, urg: false };

    fn pair() -> SocketPair {
        SocketPair { local: ([10, 0, 0, 1], 80).into(), remote: ([10, 0, 0, 2], 50_000).into() }
    }

    fn parts(packet: &Packet) -> &TcpSegment {
        match &packet.payload {
            Transport::Tcp(segment) => segment,
            Transport::Udp(_) => unreachable!("these tests are about TCP"),
        }
    }

    /// A segment from the remote end, which acknowledges 1,001.
    fn from_remote(flags: TcpFlags, payload: &'static [u8]) -> Packet {
        let mut packet = pair().reversed().segment(500, 1_001, flags);
        if let Transport::Tcp(segment) = &mut packet.payload {
            segment.payload = Bytes::from_static(payload);
        }
        packet
    }

    fn arrive(connections: &mut Connections, packet: &Packet) -> Arrival {
        connections.arriving(packet, parts(packet))
    }

    fn in_handshake() -> Connections {
        let mut connections = Connections::default();
        let answer = pair().segment(1_000, 1, TcpFlags { syn: true, ..ACK });
        connections.sent(&answer, parts(&answer));
        connections
    }

    #[test]
    fn a_reset_during_the_handshake_comes_after_its_end() {
        let mut connections = in_handshake();
        let reset = pair().reversed().reset(500);
        let last = pair().reversed().segment(500, 1_001, ACK);
        assert_eq!(arrive(&mut connections, &reset), Arrival::After(last));
        assert_eq!(arrive(&mut connections, &reset), Arrival::Ordinary);
    }

    #[test]
    fn a_reset_after_the_handshake_is_ordinary() {
        let mut connections = in_handshake();
        assert_eq!(arrive(&mut connections, &from_remote(ACK, b"")), Arrival::Ordinary);
        assert_eq!(arrive(&mut connections, &pair().reversed().reset(500)), Arrival::Ordinary);
    }

    #[test]
    fn only_data_resets_a_connection_that_was_left() {
        let mut connections = Connections::default();
        connections.left(pair());
        assert_eq!(arrive(&mut connections, &from_remote(ACK, b"")), Arrival::Ordinary);
        let reset = Arrival::Reset { here: pair().reversed().reset(500), there: pair().reset(1_001) };
        assert_eq!(arrive(&mut connections, &from_remote(ACK, b"more")), reset);
        assert_eq!(arrive(&mut connections, &from_remote(ACK, b"more")), Arrival::Ordinary);
    }

    #[test]
    fn a_connection_that_both_ends_left_is_forgotten() {
        let mut connections = Connections::default();
        connections.left(pair());
        let end = from_remote(TcpFlags { fin: true, ..ACK }, b"");
        assert_eq!(arrive(&mut connections, &end), Arrival::Ordinary);
        assert!(connections.left.is_empty());
    }

    #[test]
    fn a_crashed_host_is_forgotten() {
        let mut connections = in_handshake();
        connections.left(pair());
        connections.forget_host(&[IpAddr::from([10, 0, 0, 1])]);
        assert!(connections.handshakes.is_empty() && connections.left.is_empty());
    }
}
