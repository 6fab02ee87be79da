//! Data channels with a label, of applications.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use darkswap_node::transport::DataChannels;
use darkswap_node::transport::webrtc::data_channel::{ChannelOptions, DataChannelError, Priority, Reliability};
use libp2p::PeerId;

use crate::common::PATIENCE;
use crate::peers::{Server, echo, round_trip};

fn named(label: &str) -> ChannelOptions {
    ChannelOptions { label: label.to_owned(), ..ChannelOptions::default() }
}

#[tokio::test]
async fn a_channel_carries_messages_whole_with_its_label_and_promises_beside_substreams() {
    let mut server = Server::start().await;
    let (mut dialler, listener) = server.connection().await;
    let (ours, theirs) = (DataChannels::default(), DataChannels::default());
    let (server_id, client_id) = (PeerId::random(), PeerId::random());
    ours.add(server_id, &dialler);
    theirs.add(client_id, &listener);
    echo(listener);
    let options = ChannelOptions {
        ordered: false,
        reliability: Reliability::Lifetime(Duration::from_millis(500)),
        priority: Priority::High,
        ..named("quotes")
    };
    let channel = ours.open(server_id, options.clone()).unwrap();
    channel.send(Bytes::from_static(b"first")).await.unwrap();
    let (peer, accepted) = tokio::time::timeout(PATIENCE, theirs.accept()).await.unwrap();
    assert_eq!((peer, accepted.options()), (client_id, &options));
    assert_eq!(accepted.receive().await.as_deref(), Some(&b"first"[..]));
    accepted.send(Bytes::from(vec![7; 16_000])).await.unwrap();
    assert_eq!(channel.receive().await.map(|message| message.len()), Some(16_000));
    round_trip(&mut dialler, b"a substream meanwhile").await;
    accepted.send(Bytes::from_static(b"last")).await.unwrap();
    drop(accepted);
    let last = tokio::time::timeout(PATIENCE, channel.receive()).await.unwrap();
    assert_eq!(last.as_deref(), Some(&b"last"[..]));
    assert_eq!(tokio::time::timeout(PATIENCE, channel.receive()).await.unwrap(), None);
    assert!(matches!(channel.send(Bytes::new()).await, Err(DataChannelError::Closed)));
}

#[tokio::test]
async fn channels_that_nobody_accepts_are_bounded() {
    let mut server = Server::start().await;
    let (dialler, listener) = server.connection().await;
    let ours = DataChannels::default();
    let peer = PeerId::random();
    ours.add(peer, &dialler);
    let channels: Vec<_> = (0..70).map(|_| ours.open(peer, named("unwanted")).unwrap()).collect();
    let refused = async {
        while listener.refused_channels() < 6 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert_eq!(tokio::time::timeout(PATIENCE, channels[69].receive()).await.unwrap(), None);
}

#[tokio::test]
async fn a_channel_needs_a_label_and_a_connection_and_ends_with_it() {
    let mut server = Server::start().await;
    let (dialler, listener) = server.connection().await;
    let channels = Arc::new(DataChannels::default());
    let peer = PeerId::random();
    channels.add(peer, &dialler);
    assert!(matches!(channels.open(peer, named("")), Err(DataChannelError::NoLabel)));
    assert!(matches!(channels.open(PeerId::random(), named("x")), Err(DataChannelError::NoConnection)));
    let channel = channels.open(peer, named("x")).unwrap();
    drop(listener);
    assert_eq!(tokio::time::timeout(PATIENCE, channel.receive()).await.unwrap(), None);
    assert!(matches!(channels.open(peer, named("y")), Err(DataChannelError::NoConnection)));
}
