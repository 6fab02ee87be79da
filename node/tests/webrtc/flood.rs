//! Strangers who send much to a listener and never prove who they are.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use darkswap_node::transport::webrtc::direct::Counts;
use darkswap_node::{Runtime as _, TokioRuntime, UdpSocket};
use darkswap_webrtc::mux::{self, DropReason, MuxSettings};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::time::Instant;

use crate::common::PATIENCE;
use crate::peers::{Server, echo, round_trip};

#[tokio::test]
async fn a_flood_of_half_open_connections_is_bounded_and_leaves_an_open_one_alone() {
    let mut server = Server::start().await;
    let (mut dialler, listener) = server.connection().await;
    echo(listener);
    let bounds = MuxSettings::default();
    let sockets: Vec<_> = (1..=8).map(stranger).collect();
    let to = socket(&server.address);
    for sent in 0..4_000_u32 {
        // Eight hosts, so that the bound of each does not hide the bound of all.
        let from = &sockets[(sent % 8) as usize];
        let fresh = TokioRuntime.bind_udp((from.local_addr().unwrap().ip(), 0).into()).unwrap();
        send(&fresh, &binding_request(&ufrag()), to).await;
        if sent % 200 == 0 {
            round_trip(&mut dialler, b"meanwhile").await;
            let counts = server.counts();
            assert!(counts.occupancy.half_open <= bounds.half_open, "{counts:?}");
        }
    }
    let refused = |counts: &Counts| counts.dropped.get(&DropReason::TooManyHalfOpen).copied().unwrap_or_default();
    let counts = settled(&server, |counts| refused(counts) > 3_000).await;
    assert_eq!(counts.occupancy.half_open, bounds.half_open, "{counts:?}");
    assert!(counts.waiting_bytes <= bounds.half_open * (32 << 10), "{counts:?}");
    round_trip(&mut dialler, b"afterwards").await;
    // Their time is bounded too.
    settled(&server, |counts| counts.occupancy.half_open == 0).await;
    round_trip(&mut dialler, b"and later").await;
    assert_eq!(server.counts().occupancy.connections, 1);
    let _again = server.connection().await;
}

#[tokio::test]
async fn one_host_cannot_take_every_half_open_connection() {
    let mut server = Server::start().await;
    let bound = MuxSettings::default().half_open_per_source;
    for _ in 0..3 * bound {
        send(&stranger(2), &binding_request(&ufrag()), socket(&server.address)).await;
    }
    let refused = |counts: &Counts| counts.dropped.get(&DropReason::TooManyFromSource).copied().unwrap_or_default();
    let counts = settled(&server, |counts| refused(counts) > 0).await;
    assert!(counts.occupancy.half_open <= bound, "{counts:?}");
    let _another_host_still_gets_in = server.connection().await;
}

#[tokio::test]
async fn bytes_that_are_no_connection_are_dropped_and_counted() {
    let server = Server::start().await;
    let from = stranger(1);
    for length in 0..200 {
        send(&from, &vec![0xff; length], socket(&server.address)).await;
    }
    let counts = settled(&server, |counts| counts.dropped.get(&DropReason::NotStun) == Some(&200)).await;
    assert_eq!(counts.occupancy.connections, 0);
}

fn stranger(host: u8) -> Arc<dyn UdpSocket> {
    TokioRuntime.bind_udp(([127, 0, 0, host], 0).into()).unwrap()
}

fn ufrag() -> String {
    let mut entropy = [0; 32];
    TokioRuntime.fill_random(&mut entropy);
    mux::ufrag(entropy)
}

async fn send(from: &Arc<dyn UdpSocket>, payload: &[u8], to: SocketAddr) {
    loop {
        poll_fn(|cx| from.poll_writable(cx)).await.unwrap();
        match from.try_send(payload, to) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return sent.unwrap(),
        }
    }
}

fn socket(address: &Multiaddr) -> SocketAddr {
    let port = address.iter().find_map(|part| if let Protocol::Udp(port) = part { Some(port) } else { None });
    ([127, 0, 0, 1], port.unwrap()).into()
}

/// RFC 8489: a header, and a USERNAME of the same ufrag twice.
fn binding_request(ufrag: &str) -> Vec<u8> {
    let username = format!("{ufrag}:{ufrag}").into_bytes();
    let padding = username.len().next_multiple_of(4) - username.len();
    let attribute = [&[0, 6], &u16::try_from(username.len()).unwrap().to_be_bytes()[..], &username, &vec![0; padding]];
    let attribute = attribute.concat();
    let length = u16::try_from(attribute.len()).unwrap().to_be_bytes();
    [&[0, 1], &length[..], &[0x21, 0x12, 0xa4, 0x42], &[7; 12], &attribute].concat()
}

async fn settled(server: &Server, reached: impl Fn(&Counts) -> bool) -> Counts {
    let end = Instant::now() + PATIENCE;
    loop {
        let counts = server.counts();
        if reached(&counts) {
            return counts;
        }
        assert!(Instant::now() < end, "{counts:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
