//! Whole nodes.

use bytes::Bytes;
use darkswap_core::path::PathKind;
use darkswap_node::config::{Config, WebrtcConfig};
use darkswap_node::event::{Event, TransportKind};
use darkswap_webrtc::certificate::Certificate;
use libp2p::Multiaddr;

use crate::common::{PATIENCE, Running, listening};

const ANY_PORT: &str = "/ip4/127.0.0.1/udp/0/webrtc-direct";

#[tokio::test]
async fn two_nodes_exchange_messages_over_webrtc_direct() {
    let (mut a, mut b) = (Running::start(listening(ANY_PORT)), Running::start(listening(ANY_PORT)));
    let to = b.address().await;
    assert_eq!(a.handle.connect(b.id(), vec![to]).await, Ok(PathKind::Direct));
    let kind = a.wait("connection", |event| match event {
        Event::ConnectionOpened { transport, .. } => Some(*transport),
        _ => None,
    });
    assert_eq!(kind.await, TransportKind::WebRtc);
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

#[tokio::test]
async fn a_restarted_node_with_the_same_certificate_is_found_under_the_same_address() {
    let certificate = Certificate::generate().unwrap();
    let config = |address: &str| Config {
        webrtc: WebrtcConfig { certificate: Some(certificate.clone()), ..WebrtcConfig::default() },
        ..listening(address)
    };
    let mut first = Running::start(config(ANY_PORT));
    let before = first.address().await;
    tokio::time::timeout(PATIENCE, first.handle.stop()).await.unwrap().unwrap();
    let listener: Multiaddr = before.iter().take(3).collect();
    let mut second = Running::start(config(&listener.to_string()));
    assert_eq!(second.address().await, before);
    let dialler = Running::start(Config::default());
    assert_eq!(dialler.handle.connect(second.id(), vec![before]).await, Ok(PathKind::Direct));
    dialler.handle.send(second.id(), Bytes::from_static(b"again")).await.unwrap();
}

#[tokio::test]
async fn a_node_without_webrtc_refuses_to_listen_on_it() {
    let webrtc = WebrtcConfig { enabled: false, ..WebrtcConfig::default() };
    let config = Config { webrtc, ..listening(ANY_PORT) };
    let identity = libp2p::identity::Keypair::generate_ed25519();
    let runtime = std::sync::Arc::new(darkswap_node::TokioRuntime);
    let error = darkswap_node::Node::new(config, identity, runtime).expect_err("WebRTC is off").to_string();
    assert!(error.contains(ANY_PORT), "{error}");
}
