//! A relay of ours and its clients on real sockets of this machine.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{PATIENCE, Running, listening};
use darkswap_connectivity::relay::server::{Limits, Pace};
use darkswap_core::path::PathKind;
use darkswap_node::config::{Config, PeerAddress, Reachability, WebrtcConfig};
use darkswap_node::event::{CircuitEnd, CircuitRefusal, Denied, Event, RelayServerEvent, ReservationEnd};
use darkswap_node::handle::CommandError;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Enough for a circuit's handshake and a message, below what a circuit carries in these tests.
const PAYLOAD: usize = 20_000;

struct Scene {
    relay: Running,
    address: Multiaddr,
}

impl Scene {
    async fn with(relay_limits: Limits) -> Self {
        let quic = listening("/ip4/127.0.0.1/udp/0/quic-v1");
        let config = Config { reachability: Reachability::Public, relay_server: true, relay_limits, ..quic };
        let mut relay = Running::start(config);
        let address = relay.address().await;
        Self { relay, address }
    }

    /// A node that only the relay leads to.
    fn node(&self) -> Running {
        Running::start(Config {
            reachability: Reachability::Private,
            relays: vec![PeerAddress { peer: self.relay.id(), address: self.address.clone() }],
            listen: Vec::new(),
            discovery: false,
            hole_punching: false,
            webrtc: WebrtcConfig { enabled: false, ..WebrtcConfig::default() },
            ..Config::default()
        })
    }

    /// The same, when it has its reservation.
    async fn client(&self) -> Running {
        let mut node = self.node();
        node.wait("reservation", |event| matches!(event, Event::ReservationAccepted { .. }).then_some(())).await;
        node
    }

    fn circuit(&self) -> Multiaddr {
        self.address.clone().with(Protocol::P2p(self.relay.id())).with(Protocol::P2pCircuit)
    }

    async fn connect(&self, from: &Running, to: &Running) -> Result<PathKind, CommandError> {
        from.handle.connect(to.id(), vec![self.circuit()]).await
    }

    async fn sees<T>(&mut self, what: &str, mut found: impl FnMut(&RelayServerEvent) -> Option<T>) -> T {
        self.relay
            .wait(what, |event| match event {
                Event::RelayServer(event) => found(event),
                _ => None,
            })
            .await
    }

    async fn refuses_a_reservation(&mut self, reason: Denied) {
        let found = self
            .sees("refusal", |event| match event {
                RelayServerEvent::ReservationDenied { reason, .. } => Some(*reason),
                _ => None,
            })
            .await;
        assert_eq!(found, reason);
    }

    async fn refuses_a_circuit(&mut self, reason: Denied) {
        let found = self
            .sees("refusal", |event| match event {
                RelayServerEvent::CircuitDenied { reason, .. } => Some(reason.clone()),
                _ => None,
            })
            .await;
        assert_eq!(found, CircuitRefusal::Denied(reason));
    }
}

#[tokio::test]
async fn what_peers_use_is_in_their_accounts() {
    let mut scene = Scene::with(Limits::default()).await;
    let (a, b) = (scene.client().await, scene.client().await);
    assert_eq!(scene.connect(&a, &b).await, Ok(PathKind::Relayed));
    let receipt = a.handle.send(b.id(), Bytes::from(vec![1; PAYLOAD])).await.unwrap();
    assert_eq!(receipt.path, PathKind::Relayed);
    let (from, to) = scene
        .sees("circuit", |event| match event {
            RelayServerEvent::CircuitOpened { from, to } => Some((*from, *to)),
            _ => None,
        })
        .await;
    assert_eq!((from, to), (a.id(), b.id()));
    let service = scene.relay.handle.status().await.unwrap().relay.unwrap();
    assert_eq!((service.reservations, service.circuits), ((2, 1_024), (1, 1_024)));
    let account = |peer| service.accounts.iter().find(|(it, _)| *it == peer).unwrap().1;
    assert_eq!((account(a.id()).opened, account(a.id()).reached, account(b.id()).reached), (1, 0, 1));
    assert!(account(a.id()).bytes > PAYLOAD as u64 && account(b.id()).bytes == 0, "{service:?}");
    assert_eq!(service.bytes, account(a.id()).bytes);

    let carried = service.bytes;
    a.handle.disconnect(b.id()).await.unwrap();
    let bytes = scene
        .sees("end", |event| match event {
            RelayServerEvent::CircuitClosed { bytes, end, .. } => Some((*bytes, end.clone())),
            _ => None,
        })
        .await;
    assert!(bytes.0 >= carried && !matches!(bytes.1, CircuitEnd::Denied(_)), "{bytes:?}");
    let id = a.id();
    a.handle.stop().await.unwrap();
    let ended = scene.sees("end", |event| match event {
        RelayServerEvent::ReservationEnded { peer, end } if *peer == id => Some(*end),
        _ => None,
    });
    assert_eq!(ended.await, ReservationEnd::Disconnected);
}

#[tokio::test]
async fn reservations_are_bounded_in_all_and_for_a_prefix() {
    let mut scene = Scene::with(Limits { reservations: 1, ..Limits::default() }).await;
    let _first = scene.client().await;
    let _second = scene.node();
    scene.refuses_a_reservation(Denied::Reservations { limit: 1 }).await;

    let mut scene = Scene::with(Limits { reservations_per_prefix: 1, ..Limits::default() }).await;
    let _first = scene.client().await;
    let mut second = scene.node();
    scene.refuses_a_reservation(Denied::PrefixReservations { limit: 1 }).await;
    let lost = second.wait("refusal", |event| match event {
        Event::ReservationLost { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    let reason = lost.await;
    assert!(reason.contains("resource limit"), "{reason}");
}

#[tokio::test]
async fn circuits_are_bounded_in_all_for_a_peer_and_for_a_prefix() {
    for (limits, reason) in [
        (Limits { circuits: 1, ..Limits::default() }, Denied::Circuits { limit: 1 }),
        (Limits { circuits_per_peer: 1, ..Limits::default() }, Denied::PeerCircuits { limit: 1 }),
        (Limits { circuits_per_prefix: 1, ..Limits::default() }, Denied::PrefixCircuits { limit: 1 }),
    ] {
        let mut scene = Scene::with(limits).await;
        let (a, b, c) = (scene.client().await, scene.client().await, scene.client().await);
        assert_eq!(scene.connect(&a, &b).await, Ok(PathKind::Relayed));
        assert!(scene.connect(&c, &b).await.is_err());
        scene.refuses_a_circuit(reason).await;
    }
}

#[tokio::test]
async fn a_circuit_needs_a_reservation_of_its_destination() {
    let mut scene = Scene::with(Limits::default()).await;
    let a = scene.client().await;
    let stranger = Running::start(Config { listen: Vec::new(), discovery: false, ..Config::default() });
    assert!(scene.connect(&a, &stranger).await.is_err());
    scene.refuses_a_circuit(Denied::NoReservation).await;
}

#[tokio::test]
async fn a_circuit_ends_with_its_bytes_and_with_its_life() {
    for (limits, reason) in [
        (Limits { circuit_bytes: 10_000, ..Limits::default() }, Denied::CircuitBytes { limit: 10_000 }),
        (
            Limits { circuit_life: Duration::from_secs(1), ..Limits::default() },
            Denied::CircuitLife { limit: Duration::from_secs(1) },
        ),
    ] {
        let mut scene = Scene::with(limits).await;
        let (a, b) = (scene.client().await, scene.client().await);
        assert_eq!(scene.connect(&a, &b).await, Ok(PathKind::Relayed));
        let (handle, to) = (a.handle.clone(), b.id());
        let sent = tokio::time::timeout(Duration::from_secs(2), handle.send(to, Bytes::from(vec![1; PAYLOAD])));
        let (_, (bytes, end)) = tokio::join!(
            sent,
            scene.sees("end", |event| match event {
                RelayServerEvent::CircuitClosed { bytes, end, .. } => Some((*bytes, end.clone())),
                _ => None,
            })
        );
        assert_eq!(end, CircuitEnd::Denied(reason));
        assert!(bytes <= limits.circuit_bytes);
        if limits.circuit_bytes == 10_000 {
            assert_eq!(bytes, 10_000, "all that it may, and not one more");
        }
    }
}

#[tokio::test]
async fn connections_of_one_network_are_accepted_at_a_pace() {
    let accepts = Pace { burst: 1, interval: Duration::from_secs(60) };
    let scene = Scene::with(Limits { accepts, ..Limits::default() }).await;
    let _first = scene.client().await;
    let mut second = scene.node();
    second.wait("loss", |event| matches!(event, Event::ReservationLost { .. }).then_some(())).await;
    let service = scene.relay.handle.status().await.unwrap().relay.unwrap();
    assert!(service.denied["accepts"] >= 1, "{service:?}");
    // A request of the first one is none of these connections.
    scene.relay.handle.drain(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn a_drain_lets_go_and_admits_nobody() {
    let mut scene = Scene::with(Limits::default()).await;
    let (a, b) = (scene.client().await, scene.client().await);
    assert_eq!(scene.connect(&a, &b).await, Ok(PathKind::Relayed));
    let relay = scene.relay.handle.clone();
    let drained = tokio::time::timeout(PATIENCE, relay.drain(Duration::from_secs(1))).await.unwrap();
    assert_eq!(drained, Ok(1), "the circuit was still open");
    let end = scene.sees("end", |event| match event {
        RelayServerEvent::ReservationEnded { end, .. } => Some(*end),
        _ => None,
    });
    assert_eq!(end.await, ReservationEnd::Drained);
    let _late = scene.node();
    scene.refuses_a_reservation(Denied::Draining).await;
    assert_eq!(relay.drain(Duration::from_secs(60)).await, Ok(1), "it is over already");
    let service = relay.status().await.unwrap().relay.unwrap();
    assert_eq!((service.reservations.0, service.circuits.0, service.load.drains_in), (0, 0, Some(0)));
    assert_eq!(a.handle.drain(Duration::ZERO).await, Err(CommandError::NoRelay));
}
