//! `/webrtc` on real sockets of this machine: two nodes that cannot be dialled, and a relay.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod common;
#[path = "webrtc_signalled/cut.rs"]
mod cut;
#[path = "webrtc_signalled/liar.rs"]
mod liar;
#[path = "webrtc_signalled/roaming.rs"]
mod roaming;

use std::sync::Arc;

use bytes::Bytes;
use common::{PATIENCE, Running, listening};
use cut::Cut;
use darkswap_core::path::PathKind;
use darkswap_node::config::{Config, PeerAddress, Reachability, WebrtcConfig};
use darkswap_node::event::{Event, Misbehaviour, NegotiationRole, TransportKind};
use darkswap_node::handle::{ChannelOptions, Reliability};
use darkswap_node::{Runtime, TokioRuntime};
use liar::{Liar, candidate, message};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// A relay and how to reach it.
struct Relay {
    node: Running,
    address: Multiaddr,
}

impl Relay {
    async fn start() -> Self {
        let config = Config { reachability: Reachability::Public, relay_server: true, ..listening(QUIC) };
        let mut node = Running::start(config);
        let address = node.address().await;
        Self { node, address }
    }

    /// A node that nobody can dial, with a reservation.
    async fn client(&self, webrtc: WebrtcConfig) -> Running {
        self.client_on(Arc::new(TokioRuntime), webrtc).await
    }

    async fn client_on(&self, runtime: Arc<dyn Runtime>, webrtc: WebrtcConfig) -> Running {
        let config = Config {
            listen: Vec::new(),
            reachability: Reachability::Private,
            relays: vec![PeerAddress { peer: self.node.id(), address: self.address.clone() }],
            hole_punching: false,
            webrtc,
            ..listening(QUIC)
        };
        let mut node = Running::start_on(runtime, config);
        node.wait("reservation", |event| matches!(event, Event::ReservationAccepted { .. }).then_some(())).await;
        node
    }

    fn circuit(&self) -> Multiaddr {
        self.address.clone().with(Protocol::P2p(self.node.id())).with(Protocol::P2pCircuit)
    }
}

async fn direct(node: &mut Running) {
    node.wait("direct path", |event| match event {
        Event::PathChanged { to: Some(PathKind::Direct), transport, .. } => {
            assert_eq!(*transport, Some(TransportKind::WebRtc));
            Some(())
        }
        _ => None,
    })
    .await;
}

async fn exchange_messages(a: &mut Running, b: &mut Running) {
    for size in [0, 1, 100_000, 1 << 20] {
        let payload = Bytes::from(vec![7; size]);
        a.handle.send(b.id(), payload.clone()).await.unwrap();
        b.handle.send(a.id(), payload).await.unwrap();
    }
}

async fn misbehaviour(node: &mut Running) -> (Misbehaviour, String) {
    node.wait("misbehaviour", |event| match event {
        Event::Misbehaviour { kind, evidence, .. } => Some((*kind, evidence.clone())),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn two_nodes_that_nobody_can_dial_become_direct_and_survive_the_relay() {
    let relay = Relay::start().await;
    let mut a = relay.client(WebrtcConfig::default()).await;
    let mut b = relay.client(WebrtcConfig::default()).await;
    assert_eq!(a.handle.connect(b.id(), vec![relay.circuit()]).await, Ok(PathKind::Relayed));
    for (node, expected) in [(&mut a, NegotiationRole::Offerer), (&mut b, NegotiationRole::Answerer)] {
        node.wait("negotiation", |event| match event {
            Event::Negotiation { role, succeeded, reason, .. } => {
                assert_eq!((*role, *succeeded, reason), (expected, true, &None));
                Some(())
            }
            _ => None,
        })
        .await;
        direct(node).await;
    }
    exchange_messages(&mut a, &mut b).await;
    let gone = tokio::time::timeout(PATIENCE, relay.node.handle.stop());
    gone.await.unwrap().unwrap();
    exchange_messages(&mut a, &mut b).await;
    assert_eq!(
        a.handle.peers().await.unwrap().iter().find(|it| it.peer == b.id()).unwrap().path,
        Some(PathKind::Direct)
    );
}

#[tokio::test]
async fn a_node_announces_the_address_at_which_it_can_be_negotiated_with() {
    let relay = Relay::start().await;
    let mut b = relay.client(WebrtcConfig::default()).await;
    let announced = b
        .wait("external address", |event| match event {
            Event::ExternalAddress { address } if address.iter().any(|it| it == Protocol::WebRTC) => {
                Some(address.clone())
            }
            _ => None,
        })
        .await;
    let expected = relay.circuit().with(Protocol::WebRTC).with(Protocol::P2p(b.id()));
    assert_eq!(announced, expected);
    let mut a = relay.client(WebrtcConfig::default()).await;
    a.handle.connect(b.id(), vec![announced]).await.unwrap();
    direct(&mut a).await;
}

#[tokio::test]
async fn a_peer_without_webrtc_stays_relayed_and_is_not_asked_again() {
    let relay = Relay::start().await;
    let mut a = relay.client(WebrtcConfig::default()).await;
    let b = relay.client(WebrtcConfig { enabled: false, ..WebrtcConfig::default() }).await;
    assert_eq!(a.handle.connect(b.id(), vec![relay.circuit()]).await, Ok(PathKind::Relayed));
    let reason = a
        .wait("negotiation", |event| match event {
            Event::Negotiation { succeeded: false, reason, .. } => reason.clone(),
            _ => None,
        })
        .await;
    assert!(reason.contains("does not speak"), "{reason}");
    assert_eq!(a.handle.send(b.id(), Bytes::from_static(b"hello")).await.unwrap().path, PathKind::Relayed);
}

#[tokio::test]
async fn applications_open_and_accept_channels_with_a_label() {
    let relay = Relay::start().await;
    let mut a = relay.client(WebrtcConfig::default()).await;
    let mut b = relay.client(WebrtcConfig::default()).await;
    let options = ChannelOptions {
        label: "prices".to_owned(),
        ordered: false,
        reliability: Reliability::Retransmits(0),
        ..ChannelOptions::default()
    };
    assert!(a.handle.open_channel(b.id(), options.clone()).is_err());
    a.handle.connect(b.id(), vec![relay.circuit()]).await.unwrap();
    direct(&mut a).await;
    let ours = a.handle.open_channel(b.id(), options.clone()).unwrap();
    ours.send(Bytes::from_static(b"7")).await.unwrap();
    let theirs = tokio::time::timeout(PATIENCE, b.handle.accept_channel()).await.unwrap().unwrap();
    assert_eq!((theirs.peer, theirs.channel.options()), (a.id(), &options));
    assert_eq!(theirs.channel.receive().await.unwrap(), "7");
    b.wait("channel", |event| matches!(event, Event::ChannelOpened { label, .. } if label == "prices").then_some(()))
        .await;
    theirs.channel.send(Bytes::from_static(b"8")).await.unwrap();
    assert_eq!(ours.receive().await.unwrap(), "8");
}

/// Two nodes with a direct connection whose relayed one is closed, and `offerer`'s sockets can be cut.
async fn settled(relay: &Relay, offerer: &Arc<Cut>) -> (Running, Running) {
    settled_between(relay, offerer, &Arc::new(Cut::default())).await
}

/// The same for two hosts that can be cut.
async fn settled_between(relay: &Relay, offerer: &Arc<Cut>, answerer: &Arc<Cut>) -> (Running, Running) {
    let mut a = relay.client_on(Arc::clone(offerer) as Arc<dyn Runtime>, WebrtcConfig::default()).await;
    offerer.mark();
    let mut b = relay.client_on(Arc::clone(answerer) as Arc<dyn Runtime>, WebrtcConfig::default()).await;
    a.handle.connect(b.id(), vec![relay.circuit()]).await.unwrap();
    direct(&mut a).await;
    direct(&mut b).await;
    let to = b.id();
    a.wait("close of the circuit", |event| {
        matches!(event, Event::ConnectionClosed { peer, path: PathKind::Relayed, .. } if *peer == to).then_some(())
    })
    .await;
    (a, b)
}

#[tokio::test]
async fn a_lost_mapping_is_restored_by_an_ice_restart_and_what_is_under_way_arrives() {
    let relay = Relay::start().await;
    let cut = Arc::new(Cut::default());
    let (mut a, mut b) = settled(&relay, &cut).await;
    let channel =
        a.handle.open_channel(b.id(), ChannelOptions { label: "long".to_owned(), ..ChannelOptions::default() });
    let channel = channel.unwrap();
    channel.send(Bytes::from_static(b"before")).await.unwrap();
    let theirs = b.handle.accept_channel().await.unwrap().channel;
    assert_eq!(theirs.receive().await.unwrap(), "before");
    cut.cut();
    channel.send(Bytes::from_static(b"meanwhile")).await.unwrap();
    for node in [&mut a, &mut b] {
        node.wait("restart", |event| match event {
            Event::Negotiation { restart: true, succeeded, reason, .. } => {
                assert!(succeeded, "{reason:?}");
                Some(())
            }
            _ => None,
        })
        .await;
    }
    let arrived = tokio::time::timeout(PATIENCE, theirs.receive()).await.unwrap();
    assert_eq!(arrived.unwrap(), "meanwhile", "on the same channel of the same connection");
    exchange_messages(&mut a, &mut b).await;
}

#[tokio::test]
async fn a_signalling_peer_that_lies_is_refused_and_counted() {
    let relay = Relay::start().await;
    let mut node = relay.client(WebrtcConfig::default()).await;
    let mut liar = Liar::start();
    liar.connect(relay.circuit().with(Protocol::P2p(node.id()))).await;
    let cases: [(Vec<u8>, Misbehaviour); 6] = [
        (vec![0x03, 0xff, 0xff, 0xff], Misbehaviour::Malformed),
        (vec![0xff, 0xff, 0x7f], Misbehaviour::Oversized),
        (message(1, "v=0\r\n"), Misbehaviour::OutOfOrder),
        (message(0, "v=0\r\na=ice-ufrag:abcd\r\n"), Misbehaviour::Malformed),
        (message(0, ""), Misbehaviour::Oversized),
        ((0..100).flat_map(candidate).collect(), Misbehaviour::Oversized),
    ];
    for (bytes, expected) in cases {
        liar.say(node.id(), bytes.clone());
        let (kind, evidence) = tokio::select! {
            found = misbehaviour(&mut node) => found,
            () = liar.run() => unreachable!("a liar lies for ever"),
        };
        assert_eq!(kind, expected, "{bytes:?}: {evidence}");
    }
    assert!(node.handle.status().await.is_ok());
}

#[tokio::test]
async fn an_answer_that_lies_is_refused_and_counted() {
    let relay = Relay::start().await;
    let mut node = relay.client(WebrtcConfig::default()).await;
    let mut liar = Liar::start();
    let circuit = liar.reserve(relay.circuit()).await;
    liar.answer(message(1, "v=0\r\na=ice-ufrag:abcd\r\n"));
    let connecting = node.handle.clone();
    let to = liar.id();
    let (kind, evidence) = tokio::select! {
        found = async {
            connecting.connect(to, vec![circuit]).await.unwrap();
            misbehaviour(&mut node).await
        } => found,
        () = liar.run() => unreachable!("a liar lies for ever"),
    };
    assert_eq!(kind, Misbehaviour::Malformed, "{evidence}");
}

#[tokio::test]
async fn signalling_on_a_direct_connection_is_refused_and_counted() {
    let mut node = Running::start(listening(QUIC));
    let mut liar = Liar::start();
    let address = node.address().await;
    liar.connect(address.with(Protocol::P2p(node.id()))).await;
    liar.say(node.id(), message(0, "v=0\r\n"));
    let (kind, evidence) = tokio::select! {
        found = misbehaviour(&mut node) => found,
        () = liar.run() => unreachable!("a liar lies for ever"),
    };
    assert_eq!(kind, Misbehaviour::Unsolicited);
    assert!(evidence.contains("direct"), "{evidence}");
}
