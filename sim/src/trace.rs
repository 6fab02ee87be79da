//! The trace hash: one number over every packet that was delivered in a run.
//!
//! Two runs with the same hash delivered the same bytes between the same addresses at the same times, so they are the same run. The
//! hash sees packets as the receiving host sees them, after translation by NATs. Packets that never leave their host (loopback) are
//! not part of it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use turmoil_net::{Packet, TcpFlags, Transport};
use twox_hash::xxhash3_128::Hasher;

/// The protocol numbers of IANA's registry.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// The hash of a whole run, printed as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceHash(pub u128);

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The trace of a run while it grows.
pub(crate) struct Trace {
    hasher: Hasher,
    record: Vec<u8>,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self { hasher: Hasher::new(), record: Vec::with_capacity(64) }
    }

    /// Adds a packet that reached its host `at` this time.
    pub(crate) fn delivered(&mut self, at: Duration, packet: &Packet) {
        self.record.clear();
        let nanoseconds = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        self.record.extend_from_slice(&nanoseconds.to_le_bytes());
        self.address(packet.src);
        self.address(packet.dst);
        let payload = match &packet.payload {
            Transport::Udp(datagram) => {
                self.record.push(UDP);
                self.port(datagram.src_port);
                self.port(datagram.dst_port);
                &datagram.payload
            }
            Transport::Tcp(segment) => {
                self.record.push(TCP);
                self.port(segment.src_port);
                self.port(segment.dst_port);
                self.record.extend_from_slice(&segment.seq.to_le_bytes());
                self.record.extend_from_slice(&segment.ack.to_le_bytes());
                self.record.push(bits(segment.flags));
                self.record.extend_from_slice(&segment.window.to_le_bytes());
                &segment.payload
            }
        };
        self.record.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        self.hasher.write(&self.record);
        self.hasher.write(payload);
    }

    pub(crate) fn hash(&self) -> TraceHash {
        TraceHash(self.hasher.finish_128())
    }

    fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => {
                self.record.push(4);
                self.record.extend_from_slice(&address.octets());
            }
            IpAddr::V6(address) => {
                self.record.push(6);
                self.record.extend_from_slice(&address.octets());
            }
        }
    }

    fn port(&mut self, port: u16) {
        self.record.extend_from_slice(&port.to_le_bytes());
    }
}

/// The flags as in the TCP header (RFC 9293, section 3.1).
fn bits(flags: TcpFlags) -> u8 {
    [flags.fin, flags.syn, flags.rst, flags.psh, flags.ack, flags.urg]
        .into_iter()
        .enumerate()
        .fold(0, |bits, (position, set)| bits | u8::from(set) << position)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use turmoil_net::UdpDatagram;

    use super::*;

    fn datagram(payload: &'static [u8]) -> Packet {
        Packet {
            src: IpAddr::from([10, 0, 0, 1]),
            dst: IpAddr::from([10, 0, 0, 2]),
            ttl: 64,
            payload: Transport::Udp(UdpDatagram { src_port: 1, dst_port: 2, payload: Bytes::from_static(payload) }),
        }
    }

    fn hash(packets: &[(u64, Packet)]) -> TraceHash {
        let mut trace = Trace::new();
        for (at, packet) in packets {
            trace.delivered(Duration::from_millis(*at), packet);
        }
        trace.hash()
    }

    #[test]
    fn equal_runs_hash_equally() {
        assert_eq!(
            hash(&[(1, datagram(b"a")), (2, datagram(b"b"))]),
            hash(&[(1, datagram(b"a")), (2, datagram(b"b"))])
        );
    }

    #[test]
    fn time_payload_and_boundaries_count() {
        let reference = hash(&[(1, datagram(b"ab"))]);
        assert_ne!(reference, hash(&[(2, datagram(b"ab"))]));
        assert_ne!(reference, hash(&[(1, datagram(b"ac"))]));
        assert_ne!(reference, hash(&[(1, datagram(b"a")), (1, datagram(b"b"))]));
    }

    #[test]
    fn a_hash_is_printed_with_32_digits() {
        assert_eq!(TraceHash(0xa5).to_string(), "000000000000000000000000000000a5");
    }
}
