//! Two and three nodes on real sockets of this machine.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::{PATIENCE, Running, listening};
use darkswap_core::path::PathKind;
use darkswap_node::config::{Config, PeerAddress, Reachability};
use darkswap_node::event::Event;
use darkswap_node::{Node, TokioRuntime};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;

#[tokio::test]
async fn two_nodes_exchange_messages_over_every_transport() {
    for address in ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"] {
        let (mut a, mut b) = (Running::start(listening(address)), Running::start(listening(address)));
        let to = b.address().await;
        assert_eq!(a.handle.connect(b.id(), vec![to]).await, Ok(PathKind::Direct), "{address}");
        for size in [0, 1, 100_000, 1 << 20] {
            let sent = a.handle.send(b.id(), Bytes::from(vec![7; size])).await.unwrap();
            let received = b.wait("message", |event| match event {
                Event::MessageReceived { id, payload, .. } => Some((*id, payload.len())),
                _ => None,
            });
            assert_eq!(received.await, (sent.id, size));
        }
        b.handle.send(a.id(), Bytes::from_static(b"back")).await.unwrap();
        let gone = tokio::time::timeout(PATIENCE, b.handle.stop());
        gone.await.unwrap().unwrap();
        a.wait("close", |event| matches!(event, Event::ConnectionClosed { .. }).then_some(())).await;
    }
}

#[tokio::test]
async fn two_private_nodes_meet_through_the_relay_and_become_direct() {
    let quic = "/ip4/127.0.0.1/udp/0/quic-v1";
    let mut relay =
        Running::start(Config { reachability: Reachability::Public, relay_server: true, ..listening(quic) });
    let relay_address = relay.address().await;
    let relays = vec![PeerAddress { peer: relay.id(), address: relay_address.clone() }];
    let private = || Config { reachability: Reachability::Private, relays: relays.clone(), ..listening(quic) };
    let (mut a, mut b) = (Running::start(private()), Running::start(private()));
    for node in [&mut a, &mut b] {
        node.wait("reservation", |event| matches!(event, Event::ReservationAccepted { .. }).then_some(())).await;
    }
    let circuit = relay_address.with(Protocol::P2p(relay.id())).with(Protocol::P2pCircuit);
    assert_eq!(a.handle.connect(b.id(), vec![circuit]).await, Ok(PathKind::Relayed));
    let receipt = a.handle.send(b.id(), Bytes::from_static(b"hello")).await.unwrap();
    assert!(receipt.elapsed < PATIENCE);
    a.wait("upgrade", |event| matches!(event, Event::PathChanged { to: Some(PathKind::Direct), .. }).then_some(()))
        .await;
    a.handle.send(b.id(), Bytes::from_static(b"hello again")).await.unwrap();
    assert_eq!(
        b.handle.peers().await.unwrap().iter().find(|peer| peer.peer == a.id()).unwrap().path,
        Some(PathKind::Direct)
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_reported_with_the_hosts_reason() {
    for address in ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"] {
        let mut first = Running::start(listening(address));
        let taken = first.address().await.to_string();
        let refused = Node::new(listening(&taken), Keypair::generate_ed25519(), Arc::new(TokioRuntime));
        let error = refused.expect_err("two nodes on one port").to_string();
        assert!(error.contains(&taken) && error.contains("in use"), "{error}");
    }
}

#[tokio::test]
async fn both_ends_of_a_connection_count_the_same_bytes() {
    /// What identify, pings and the message protocol add in each direction, and what may be on its way at the end.
    const OVERHEAD: u64 = 16 << 10;
    const SIZE: u64 = 1 << 20;
    for address in ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"] {
        let (mut a, mut b) = (Running::start(listening(address)), Running::start(listening(address)));
        let to = b.address().await;
        a.handle.connect(b.id(), vec![to]).await.unwrap();
        a.handle.send(b.id(), Bytes::from(vec![7; 1 << 20])).await.unwrap();
        let status = a.handle.peers().await.unwrap().remove(0);
        assert!(status.quality.is_some_and(|quality| quality.sent >= SIZE), "{address}");
        a.handle.disconnect(b.id()).await.unwrap();
        let closed = |event: &Event| match event {
            Event::ConnectionClosed { sent, received, .. } => Some((*sent, *received)),
            _ => None,
        };
        let (ours, theirs) = (a.wait("close", closed).await, b.wait("close", closed).await);
        assert!((SIZE..SIZE + OVERHEAD).contains(&ours.0), "{address}: {ours:?}");
        assert!(ours.0.abs_diff(theirs.1) < 1_024 && ours.1.abs_diff(theirs.0) < 1_024, "{ours:?} {theirs:?}");
    }
}
