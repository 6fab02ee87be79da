//! Messages above the transport, on real sockets of this machine: sealed, compressed, batched, or plain where that is agreed.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Running, listening};
use darkswap_core::path::PathKind;
use darkswap_node::config::{Config, MessagesConfig, Sealing};
use darkswap_node::event::Event;
use darkswap_node::handle::CommandError;
use darkswap_node::limits::Limits;

fn node(sealing: Sealing) -> Running {
    let messages = MessagesConfig { sealing, ..MessagesConfig::default() };
    let limits = Limits { message_deadline: Duration::from_secs(5), ..Limits::default() };
    Running::start(Config { messages, limits, ..listening("/ip4/127.0.0.1/udp/0/quic-v1") })
}

async fn pair(first: Sealing, second: Sealing) -> (Running, Running) {
    let (first, mut second) = (node(first), node(second));
    let to = second.address().await;
    assert_eq!(first.handle.connect(second.id(), vec![to]).await, Ok(PathKind::Direct));
    (first, second)
}

async fn received(node: &mut Running) -> Bytes {
    node.wait("message", |event| match event {
        Event::MessageReceived { payload, .. } => Some(payload.clone()),
        _ => None,
    })
    .await
}

/// The next parcel of a node: messages, their bytes, and those of the request.
async fn parcel(node: &mut Running) -> (usize, usize, usize) {
    node.wait("parcel", |event| match event {
        Event::MessageBytes { messages, plain, wire, .. } => Some((*messages, *plain, *wire)),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn messages_are_sealed_in_one_session_both_ways() {
    let (mut a, mut b) = pair(Sealing::Preferred, Sealing::Required).await;
    a.handle.send(b.id(), Bytes::from_static(b"hello")).await.unwrap();
    assert_eq!(received(&mut b).await, &b"hello"[..]);
    b.handle.send(a.id(), Bytes::from_static(b"back")).await.unwrap();
    assert_eq!(received(&mut a).await, &b"back"[..]);
    // Had either opened a second one, it would have come before this.
    a.handle.send(b.id(), Bytes::from_static(b"again")).await.unwrap();
    let mut opened = 0;
    b.wait("the last message", |event| {
        opened += u32::from(matches!(event, Event::SessionOpened { .. }));
        matches!(event, Event::MessageReceived { payload, .. } if &payload[..] == b"again").then_some(())
    })
    .await;
    assert_eq!(opened, 0, "the first was opened before the first message");
}

#[tokio::test]
async fn text_is_compressed_and_small_messages_share_a_request() {
    let (mut a, mut b) = pair(Sealing::Preferred, Sealing::Preferred).await;
    let text: String = (0..2_000).map(|n| format!("ask {n} of 20 for 3, ")).collect();
    a.handle.send(b.id(), Bytes::from(text.clone())).await.unwrap();
    assert_eq!(received(&mut b).await, text.as_bytes());
    let (messages, plain, wire) = parcel(&mut a).await;
    assert_eq!((messages, plain), (1, text.len()));
    assert!(wire < plain / 2, "{plain} bytes took {wire}");

    let many = (0..20_u8).map(|n| a.handle.send(b.id(), Bytes::from(vec![n; 10])));
    for sent in futures::future::join_all(many).await {
        sent.unwrap();
    }
    let (mut parcels, mut sent) = (0, 0);
    while sent < 20 {
        sent += parcel(&mut a).await.0;
        parcels += 1;
    }
    assert!(parcels < 10, "20 messages took {parcels} requests");
}

#[tokio::test]
async fn a_peer_that_never_sealed_gets_plain_messages() {
    for (first, second) in [(Sealing::Preferred, Sealing::Off), (Sealing::Off, Sealing::Preferred)] {
        let (a, mut b) = pair(first, second).await;
        a.handle.send(b.id(), Bytes::from_static(b"hello")).await.unwrap();
        assert_eq!(received(&mut b).await, &b"hello"[..]);
    }
}

#[tokio::test]
async fn where_sealing_is_required_nothing_travels_plain() {
    for (first, second) in [(Sealing::Required, Sealing::Off), (Sealing::Off, Sealing::Required)] {
        let (a, b) = pair(first, second).await;
        let sent = a.handle.send(b.id(), Bytes::from_static(b"hello")).await;
        assert!(matches!(sent, Err(CommandError::NotAcknowledged { .. })), "{first:?} to {second:?}: {sent:?}");
    }
}

#[tokio::test]
async fn two_that_open_a_session_at_once_both_deliver() {
    let (mut a, mut b) = pair(Sealing::Preferred, Sealing::Preferred).await;
    let (there, back) = futures::join!(
        a.handle.send(b.id(), Bytes::from_static(b"there")),
        b.handle.send(a.id(), Bytes::from_static(b"back")),
    );
    there.unwrap();
    back.unwrap();
    assert_eq!(received(&mut b).await, &b"there"[..]);
    assert_eq!(received(&mut a).await, &b"back"[..]);
}
