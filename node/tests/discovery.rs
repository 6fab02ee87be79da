//! Nodes that know one other node find the public rest through the DHT, on real sockets of this machine.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod common;

use common::{Running, listening};
use darkswap_core::path::PathKind;
use darkswap_node::config::{Config, PeerAddress, Reachability};
use darkswap_node::event::Event;
use libp2p::{Multiaddr, PeerId};

fn public(bootstrap: &[PeerAddress]) -> Config {
    Config {
        reachability: Reachability::Public,
        discovery: true,
        bootstrap: bootstrap.to_vec(),
        ..listening("/ip4/127.0.0.1/udp/0/quic-v1")
    }
}

async fn until_direct(node: &mut Running, to: PeerId) {
    let direct = |event: &Event| {
        matches!(event, Event::PathChanged { peer, to: Some(PathKind::Direct), .. } if *peer == to).then_some(())
    };
    node.wait("direct path", direct).await;
}

#[tokio::test]
async fn a_peer_of_which_nothing_but_its_id_is_known_is_found_through_the_dht() {
    let mut known = Running::start(public(&[]));
    let bootstrap = [PeerAddress { peer: known.id(), address: known.address().await }];
    let (mut a, b) = (Running::start(public(&bootstrap)), Running::start(public(&bootstrap)));
    // B may not be in the DHT yet: then this fails, and the node goes on looking.
    if let Ok(path) = a.handle.connect(b.id(), Vec::new()).await {
        assert_eq!(path, PathKind::Direct);
    }
    until_direct(&mut a, b.id()).await;

    // Now it is, so that whoever asks waits for the answer and gets the path.
    let mut newcomer = Running::start(public(&bootstrap));
    assert_eq!(newcomer.handle.connect(b.id(), Vec::new()).await, Ok(PathKind::Direct));
    until_direct(&mut newcomer, b.id()).await;
}

#[tokio::test]
async fn whoever_asks_for_a_peer_that_is_not_in_the_dht_is_told() {
    let mut known = Running::start(public(&[]));
    let bootstrap = [PeerAddress { peer: known.id(), address: known.address().await }];
    let a = Running::start(public(&bootstrap));
    let error = a.handle.connect(PeerId::random(), Vec::new()).await.unwrap_err().to_string();
    assert!(error.contains("no address is known"), "{error}");
}

#[tokio::test]
async fn a_node_that_only_a_relay_leads_to_is_not_in_the_dht() {
    // Nobody is declared public, so that nobody dials back and makes the hidden one public, too.
    let address = format!("/ip4/127.0.0.1/udp/{}/quic-v1", free_port()).parse::<Multiaddr>().unwrap();
    let automatic = |listen: &str| Config { discovery: true, ..listening(listen) };
    let known = Running::start(Config {
        relay_server: true,
        external: vec![address.clone()],
        ..automatic(&address.to_string())
    });
    let known = PeerAddress { peer: known.id(), address };
    let knows = |listen| Config { bootstrap: vec![known.clone()], relays: vec![known.clone()], ..automatic(listen) };
    let mut hidden = Running::start(knows("/ip4/127.0.0.1/udp/0/quic-v1"));
    hidden.wait("reservation", |event| matches!(event, Event::ReservationAccepted { .. }).then_some(())).await;
    // A question and its answer: time for what the hidden one tells of itself to arrive.
    let nobody = hidden.handle.connect(PeerId::random(), Vec::new()).await;
    assert!(nobody.is_err());

    let newcomer = Running::start(public(&[known]));
    assert!(newcomer.handle.connect(hidden.id(), Vec::new()).await.is_err());
}

#[expect(clippy::disallowed_types, reason = "asks this machine for a port that nobody uses")]
fn free_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
