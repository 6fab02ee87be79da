//! The meters of connections on their way from the transport, which has no ids, to the node's loop, which does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use darkswap_connectivity::quality::{Kind, Measurement, Meter, Transport};
use libp2p::PeerId;
use libp2p::core::ConnectedPoint;
use tokio::time::Instant;

use crate::event::TransportKind;
use crate::transport::address::carrier;
use crate::transport::{self, webrtc::signalled::address as signalled};

/// Meters that nobody has claimed, at most. The loop claims one as soon as it hears of the connection; those of connections that were
/// refused end with them. More than a node has handshakes under way.
const UNCLAIMED: usize = 512;

/// The meters of open connections, until the node's loop claims them.
///
/// A connection is told by its peer and its ends. Of several with the same ones, the meters are claimed in the order in which the
/// connections were made, which is the order in which the loop hears of them.
#[derive(Debug, Clone)]
pub(crate) struct Meters {
    started: Instant,
    unclaimed: Arc<Mutex<VecDeque<Unclaimed>>>,
}

#[derive(Debug)]
struct Unclaimed {
    peer: PeerId,
    point: ConnectedPoint,
    meter: Weak<Mutex<Meter<PeerId>>>,
}

impl Meters {
    /// No meters. Times are counted from `started`.
    pub(crate) fn new(started: Instant) -> Self {
        Self { started, unclaimed: Arc::default() }
    }

    /// The meter of a connection that was made now.
    pub(crate) fn register(&self, peer: PeerId, point: ConnectedPoint) -> SharedMeter {
        let meter = Meter::new(self.started.elapsed(), kind(peer, &point));
        let meter = SharedMeter { started: self.started, meter: Arc::new(Mutex::new(meter)) };
        let mut unclaimed = self.unclaimed();
        unclaimed.retain(|it| it.meter.strong_count() > 0);
        if unclaimed.len() >= UNCLAIMED {
            unclaimed.pop_front();
        }
        unclaimed.push_back(Unclaimed { peer, point, meter: Arc::downgrade(&meter.meter) });
        drop(unclaimed);
        meter
    }

    /// The meter of a connection of which the loop hears now. A new one that nothing feeds when the connection is gone already.
    pub(crate) fn claim(&self, peer: PeerId, point: &ConnectedPoint) -> SharedMeter {
        let mut unclaimed = self.unclaimed();
        while let Some(index) = unclaimed.iter().position(|it| it.peer == peer && it.point == *point) {
            let found = unclaimed.remove(index).and_then(|it| it.meter.upgrade());
            if let Some(meter) = found {
                return SharedMeter { started: self.started, meter };
            }
        }
        let meter = Meter::new(self.started.elapsed(), kind(peer, point));
        SharedMeter { started: self.started, meter: Arc::new(Mutex::new(meter)) }
    }

    fn unclaimed(&self) -> MutexGuard<'_, VecDeque<Unclaimed>> {
        self.unclaimed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn test_meter(&self) -> SharedMeter {
        let address: libp2p::Multiaddr = "/ip4/10.0.0.1/udp/1/quic-v1".parse().unwrap();
        let point = ConnectedPoint::Listener { local_addr: address.clone(), send_back_addr: address };
        self.register(PeerId::random(), point)
    }
}

/// What was measured of one connection, shared by the connection and the node's loop. Nobody holds its lock for longer than a step.
#[derive(Debug, Clone)]
pub(crate) struct SharedMeter {
    started: Instant,
    meter: Arc<Mutex<Meter<PeerId>>>,
}

impl SharedMeter {
    pub(super) fn sent(&self, bytes: usize) {
        if bytes > 0 {
            let now = self.started.elapsed();
            self.lock().sent(now, bytes as u64);
        }
    }

    pub(super) fn received(&self, bytes: usize) {
        if bytes > 0 {
            let now = self.started.elapsed();
            self.lock().received(now, bytes as u64);
        }
    }

    /// What was received is of use to somebody.
    pub(super) fn used(&self) {
        let now = self.started.elapsed();
        self.lock().used(now);
    }

    /// A ping was answered.
    pub(crate) fn answered(&self, round_trip: Duration) {
        self.lock().answered(round_trip);
    }

    /// A ping was lost.
    pub(crate) fn unanswered(&self) {
        self.lock().unanswered();
    }

    /// What is known now.
    pub(crate) fn measure(&self) -> Measurement<PeerId> {
        let now = self.started.elapsed();
        self.lock().measure(now)
    }

    fn lock(&self) -> MutexGuard<'_, Meter<PeerId>> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a connection reaches its peer.
fn kind(peer: PeerId, point: &ConnectedPoint) -> Kind<PeerId> {
    let remote = point.get_remote_address();
    if point.is_relayed() && !signalled::is_signalled(remote) {
        return Kind::Relayed(carrier(point).unwrap_or(peer));
    }
    Kind::Direct(match transport::kind(remote) {
        TransportKind::Quic => Transport::Quic,
        TransportKind::WebSocket => Transport::WebSocket,
        TransportKind::WebRtc => Transport::WebRtc,
        TransportKind::Tcp | TransportKind::Circuit => Transport::Tcp,
    })
}

#[cfg(test)]
mod tests {
    use libp2p::Multiaddr;
    use libp2p::core::Endpoint;
    use libp2p::core::transport::PortUse;

    use super::*;

    fn dialled(address: &str) -> ConnectedPoint {
        let address: Multiaddr = address.parse().unwrap();
        ConnectedPoint::Dialer { address, role_override: Endpoint::Dialer, port_use: PortUse::Reuse }
    }

    #[tokio::test(start_paused = true)]
    async fn two_connections_to_one_peer_are_told_apart() {
        let (meters, peer) = (Meters::new(Instant::now()), PeerId::random());
        let points = [dialled("/ip4/10.0.0.1/udp/1/quic-v1"), dialled("/ip4/10.0.0.1/tcp/1")];
        let open = points.clone().map(|point| meters.register(peer, point));
        open[0].sent(7);
        open[1].sent(9);
        let sent = |point| meters.claim(peer, point).measure().sent;
        assert_eq!((sent(&points[1]), sent(&points[0])), (9, 7));
    }

    #[tokio::test(start_paused = true)]
    async fn connections_with_the_same_ends_are_claimed_in_their_order() {
        let (meters, peer) = (Meters::new(Instant::now()), PeerId::random());
        let point = dialled("/ip4/10.0.0.1/udp/1/quic-v1");
        let refused = meters.register(peer, point.clone());
        let open = [7, 9].map(|bytes| {
            let meter = meters.register(peer, point.clone());
            meter.received(bytes);
            meter
        });
        drop(refused);
        let claimed = [(); 2].map(|()| meters.claim(peer, &point).measure().received);
        assert_eq!(claimed, [7, 9]);
        drop(open);
        assert_eq!(meters.claim(peer, &point).measure().received, 0, "of a connection that is gone, nothing is known");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_claims_is_bounded() {
        let meters = Meters::new(Instant::now());
        let all: Vec<_> = (0..UNCLAIMED + 10).map(|_| meters.test_meter()).collect();
        assert_eq!(meters.unclaimed().len(), UNCLAIMED);
        drop(all);
        let _last = meters.test_meter();
        assert_eq!(meters.unclaimed().len(), 1);
    }

    #[test]
    fn a_circuit_is_known_by_its_relay() {
        let (relay, peer) = (PeerId::random(), PeerId::random());
        let circuit = format!("/ip4/10.0.0.1/udp/1/quic-v1/p2p/{relay}/p2p-circuit");
        assert_eq!(kind(peer, &dialled(&format!("{circuit}/p2p/{peer}"))), Kind::Relayed(relay));
        let send_back_addr: Multiaddr = format!("/p2p/{peer}").parse().unwrap();
        let inbound = ConnectedPoint::Listener { local_addr: circuit.parse().unwrap(), send_back_addr };
        assert_eq!(kind(peer, &inbound), Kind::Relayed(relay));
        assert_eq!(kind(peer, &dialled("/ip4/10.0.0.1/tcp/1/ws")), Kind::Direct(Transport::WebSocket));
    }
}
