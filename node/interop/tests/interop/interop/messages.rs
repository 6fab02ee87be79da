//! Messages between the node and stock peers.

use bytes::Bytes;
use darkswap_core::path::PathKind;
use darkswap_node::Config;
use darkswap_node::event::Event;
use darkswap_node::limits::Limits;
use libp2p::swarm::SwarmEvent;
use libp2p::{identify, ping};

use crate::carrier::Carrier;
use crate::common::{Running, listening};
use crate::frame;
use crate::raw::Raw;
use crate::stock::{BehaviourEvent, Role, Seen, Stock};

const LARGE: usize = 16 << 20;

fn received(event: &Event) -> Option<Bytes> {
    match event {
        Event::MessageReceived { payload, .. } => Some(payload.clone()),
        _ => None,
    }
}

fn request(seen: &Seen) -> Option<Vec<u8>> {
    match seen {
        Seen::Request(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

/// Sends a payload each way over an open connection, as number `sequence` of the stock peer's messages.
async fn exchange(node: &mut Running, stock: &mut Stock, sequence: u64, payload: &[u8]) {
    let receipt = node.handle.send(stock.id, Bytes::copy_from_slice(payload)).await.unwrap();
    assert_eq!(receipt.path, PathKind::Direct);
    let arrived = stock.wait("message", request).await;
    assert!(frame::payload(&arrived) == payload, "another payload arrived");

    let message = frame::message(sequence, payload);
    let answer = stock.exchange(node.id(), message.clone()).await;
    assert_eq!(answer, frame::acknowledgement(&message));
    assert!(node.wait("message", received).await == payload, "another payload arrived");
}

/// Two connected peers, dialled from either side.
async fn connected(carrier: Carrier, node_dials: bool, config: Config) -> (Running, Stock) {
    let (mut node, mut stock) = (Running::start(config), Stock::start(&Role::peer(carrier)));
    if node_dials {
        let to = stock.address().await;
        assert_eq!(node.handle.connect(stock.id, vec![to]).await, Ok(PathKind::Direct), "{carrier:?}");
    } else {
        let to = node.address().await;
        stock.dial(node.id(), to).await;
        stock
            .event("connection", |event| matches!(event, SwarmEvent::ConnectionEstablished { .. }).then_some(()))
            .await;
    }
    (node, stock)
}

#[tokio::test]
async fn messages_pass_both_ways_over_every_transport_whoever_dials() {
    for carrier in Carrier::ALL {
        for node_dials in [true, false] {
            let (mut node, mut stock) = connected(carrier, node_dials, listening(carrier.loopback())).await;
            exchange(&mut node, &mut stock, 0, b"hello").await;
            exchange(&mut node, &mut stock, 1, b"").await;
        }
    }
}

#[tokio::test]
async fn sixteen_mebibytes_pass_both_ways_over_every_transport() {
    let limits = Limits { message_size: LARGE, ..Limits::default() };
    let payload: Vec<u8> = (0..LARGE).map(|index| (index % 251) as u8).collect();
    for carrier in Carrier::ALL {
        let config = Config { limits: limits.clone(), ..listening(carrier.loopback()) };
        let (mut node, mut stock) = connected(carrier, true, config).await;
        exchange(&mut node, &mut stock, 0, &payload).await;
    }
}

#[tokio::test]
async fn a_peer_that_fills_the_whole_window_with_each_yamux_frame_uploads_sixteen_mebibytes() {
    let limits = Limits { message_size: LARGE, ..Limits::default() };
    let carrier = Carrier::Tcp;
    let mut node = Running::start(Config { limits, ..listening(carrier.loopback()) });
    let to = node.address().await;
    let peer = Raw::dial_without_restraint(&to).await;
    let payload: Vec<u8> = (0..LARGE).map(|index| (index % 251) as u8).collect();
    let message = frame::message(0, &payload);
    let mut stream = peer.open(frame::PROTOCOL).await;
    stream.write(&message).await;
    assert_eq!(stream.rest().await, frame::acknowledgement(&message));
    assert!(node.wait("message", received).await == payload, "another payload arrived");
}

#[tokio::test]
async fn ping_and_identify_tell_both_sides_of_each_other() {
    for carrier in Carrier::ALL {
        let (mut node, mut stock) = connected(carrier, true, listening(carrier.loopback())).await;
        let id = stock.id;
        node.wait("ping", |event| matches!(event, Event::Ping { peer, .. } if *peer == id).then_some(())).await;
        let (mut pinged, mut identified) = (false, None);
        let identified = stock
            .event("ping and identify", |event| {
                match event {
                    SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { result, .. })) => pinged |= result.is_ok(),
                    SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { info, .. })) => {
                        identified = Some(info.clone());
                    }
                    _ => {}
                }
                identified.clone().filter(|_| pinged)
            })
            .await;
        assert_eq!(identified.protocol_version, "/darkswap/1");
        assert!(identified.agent_version.starts_with("darkswap/"), "{}", identified.agent_version);
        assert!(identified.protocols.iter().any(|protocol| protocol.as_ref() == frame::PROTOCOL));
        let peers = node.handle.peers().await.unwrap();
        let agent = peers.iter().find(|peer| peer.peer == id).unwrap().agent.clone();
        assert!(agent.unwrap().starts_with("rust-libp2p/"));
    }
}
