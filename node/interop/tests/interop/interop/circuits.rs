//! Relays, circuits and hole punches between the node and stock peers.

use bytes::Bytes;
use darkswap_core::path::PathKind;
use darkswap_node::Config;
use darkswap_node::config::{PeerAddress, Reachability};
use darkswap_node::event::{Event, HolePunchRole, TransportKind};
use libp2p::dcutr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId};

use crate::carrier::Carrier;
use crate::common::{Running, listening};
use crate::frame;
use crate::stock::{BehaviourEvent, Role, Stock};

fn circuit(relay: PeerId, address: Multiaddr) -> Multiaddr {
    address.with(Protocol::P2p(relay)).with(Protocol::P2pCircuit)
}

/// A relay of ours and where it is.
async fn our_relay(carrier: Carrier) -> (Running, Multiaddr) {
    let config = Config { reachability: Reachability::Public, relay_server: true, ..listening(carrier.loopback()) };
    let mut relay = Running::start(config);
    let address = relay.address().await;
    (relay, address)
}

/// A node that is reached through a relay.
async fn private(relay: PeerId, address: &Multiaddr, listen: Vec<Multiaddr>) -> Running {
    let relays = vec![PeerAddress { peer: relay, address: address.clone() }];
    let config = Config { reachability: Reachability::Private, relays, listen, discovery: false, ..Config::default() };
    let mut node = Running::start(config);
    node.wait("reservation", |event| matches!(event, Event::ReservationAccepted { .. }).then_some(())).await;
    node
}

#[tokio::test]
async fn two_nodes_meet_through_a_stock_relay() {
    for carrier in Carrier::ALL {
        let mut relay = Stock::start(&Role { relay: true, ..Role::peer(carrier) });
        let address = relay.address().await;
        let external = address.clone();
        relay.with(|swarm| swarm.add_external_address(external)).await;
        // Without listeners there is no direct path, so what arrives came through the relay.
        let (a, mut b) = (private(relay.id, &address, vec![]).await, private(relay.id, &address, vec![]).await);
        let path = a.handle.connect(b.id(), vec![circuit(relay.id, address)]).await;
        assert_eq!(path, Ok(PathKind::Relayed), "{carrier:?}");
        let receipt = a.handle.send(b.id(), Bytes::from_static(b"hello")).await.unwrap();
        assert_eq!(receipt.path, PathKind::Relayed);
        let arrived = b.wait("message", |event| match event {
            Event::MessageReceived { payload, path, .. } => Some((payload.clone(), *path)),
            _ => None,
        });
        assert_eq!(arrived.await, (Bytes::from_static(b"hello"), PathKind::Relayed));
    }
}

#[tokio::test]
async fn a_stock_peer_behind_our_relay_is_reached_by_stock_peers_and_by_nodes() {
    for carrier in Carrier::ALL {
        let (relay, address) = our_relay(carrier).await;
        let mut listener = Stock::start(&Role { hidden: true, ..Role::peer(carrier) });
        listener.reserve(relay.id(), address.clone()).await;
        let through = circuit(relay.id(), address);

        let mut dialer = Stock::start(&Role { hidden: true, ..Role::peer(carrier) });
        dialer.dial(listener.id, through.clone()).await;
        let message = frame::message(0, b"stock");
        assert_eq!(dialer.exchange(listener.id, message.clone()).await, frame::acknowledgement(&message));

        let node = Running::start(Config { listen: vec![], hole_punching: false, ..listening(carrier.loopback()) });
        assert_eq!(node.handle.connect(listener.id, vec![through]).await, Ok(PathKind::Relayed), "{carrier:?}");
        let receipt = node.handle.send(listener.id, Bytes::from_static(b"ours")).await.unwrap();
        assert_eq!(receipt.path, PathKind::Relayed);
    }
}

#[tokio::test]
async fn a_node_that_dials_a_stock_peer_through_a_relay_becomes_direct_as_the_client_of_a_hole_punch() {
    let (relay, address) = our_relay(Carrier::Quic).await;
    let mut stock = Stock::start(&Role { hidden: true, ..Role::peer(Carrier::Quic) });
    stock.reserve(relay.id(), address.clone()).await;
    let mut node = Running::start(listening(Carrier::Quic.loopback()));
    let through = circuit(relay.id(), address);
    assert_eq!(node.handle.connect(stock.id, vec![through]).await, Ok(PathKind::Relayed));
    becomes_direct(&mut node, &mut stock, HolePunchRole::Client).await;
}

#[tokio::test]
async fn a_stock_peer_that_dials_a_node_through_a_relay_becomes_direct_with_the_node_as_server_of_the_hole_punch() {
    let (relay, address) = our_relay(Carrier::Quic).await;
    let mut node = private(relay.id(), &address, vec![Carrier::Quic.address()]).await;
    let mut stock = Stock::start(&Role { hidden: true, ..Role::peer(Carrier::Quic) });
    // Its observed address at the relay is its candidate.
    stock.dial(relay.id(), address.clone()).await;
    stock.event("candidate", |event| matches!(event, SwarmEvent::NewExternalAddrCandidate { .. }).then_some(())).await;
    stock.dial(node.id(), circuit(relay.id(), address)).await;
    becomes_direct(&mut node, &mut stock, HolePunchRole::Server).await;
}

/// Waits for a hole punch on both sides and sends a message over what came out of it.
async fn becomes_direct(node: &mut Running, stock: &mut Stock, expected: HolePunchRole) {
    let id = stock.id;
    let punched = node.wait("hole punch", |event| match event {
        Event::HolePunch { peer, role, succeeded, reason } if *peer == id => Some((*role, *succeeded, reason.clone())),
        // Without latency the peer's connection may be complete before the node begins to punch. It then has nothing to do
        // but to close the circuit.
        Event::ConnectionClosed { peer, path: PathKind::Relayed, .. } if *peer == id => Some((expected, true, None)),
        _ => None,
    });
    assert_eq!(punched.await, (expected, true, None));
    let other = node.id();
    stock
        .event("hole punch", |event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Dcutr(dcutr::Event { remote_peer_id, result }))
                if *remote_peer_id == other =>
            {
                assert!(result.is_ok(), "{result:?}");
                Some(())
            }
            _ => None,
        })
        .await;
    let receipt = node.handle.send(id, Bytes::from_static(b"direct")).await.unwrap();
    assert_eq!(receipt.path, PathKind::Direct);
    let peers = node.handle.peers().await.unwrap();
    let address = peers.iter().find(|peer| peer.peer == id).unwrap().address.clone().unwrap();
    assert_eq!(darkswap_node::transport::kind(&address), TransportKind::Quic);
}
