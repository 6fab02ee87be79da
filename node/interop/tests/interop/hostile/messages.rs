//! Messages and acknowledgements that break the protocol.

use std::time::Duration;

use bytes::Bytes;
use darkswap_node::Config;
use darkswap_node::event::Misbehaviour;
use darkswap_node::handle::CommandError;
use darkswap_node::limits::Limits;
use libp2p::identity::Keypair;

use super::Siege;
use crate::carrier::Carrier;
use crate::common::listening;
use crate::frame;
use crate::raw::Raw;
use crate::stock::{Answer, Role, Stock};

/// What a peer sends, and what it is counted as.
type Case = (&'static str, fn() -> Vec<u8>, Misbehaviour);

const BROKEN: [Case; 5] = [
    ("a payload beyond the limit", || frame::header(1, 0, u32::MAX), Misbehaviour::Oversized),
    ("one byte beyond the limit", || frame::header(1, 0, (1 << 20) + 1), Misbehaviour::Oversized),
    ("another version", || frame::header(2, 0, 0), Misbehaviour::Malformed),
    ("half a header", || frame::header(1, 0, 0)[..9].to_vec(), Misbehaviour::Malformed),
    ("half a payload", || frame::message(0, &[7; 1_000])[..500].to_vec(), Misbehaviour::Malformed),
];

#[tokio::test]
async fn a_broken_message_is_refused_and_counted_and_its_sender_may_go_on() {
    for carrier in [Carrier::Tcp, Carrier::Quic] {
        let mut siege = Siege::begin(listening(carrier.loopback())).await;
        let identity = Keypair::generate_ed25519();
        let peer = Raw::dial(&siege.address, &identity).await;
        for (what, bytes, expected) in BROKEN {
            let mut stream = peer.open(frame::PROTOCOL).await;
            stream.write(&bytes()).await;
            let answer = stream.rest().await;
            assert!(answer.is_empty(), "{carrier:?}: {what} was answered with {answer:?}");
            let (kind, evidence) = siege.counted(identity.public().to_peer_id()).await;
            assert_eq!(kind, expected, "{carrier:?}: {what} was counted with the evidence {evidence:?}");
        }
        siege.serves().await;

        let good = frame::message(0, b"sorry");
        let mut stream = peer.open(frame::PROTOCOL).await;
        stream.write(&good).await;
        assert_eq!(stream.rest().await, frame::acknowledgement(&good));
    }
}

/// What a peer answers, and what it is counted as.
const ANSWERS: [(&str, Answer, Misbehaviour); 3] = [
    ("another message's id", |_| frame::acknowledgement(&frame::message(99, b"")), Misbehaviour::Unsolicited),
    ("another version", |message| [&[2], &frame::acknowledgement(message)[1..]].concat(), Misbehaviour::Malformed),
    ("an unknown verdict", |message| [&message[..17], &[9]].concat(), Misbehaviour::Malformed),
];

#[tokio::test]
async fn a_broken_acknowledgement_is_counted_and_the_sender_is_told_that_the_message_was_not_acknowledged() {
    let limits = Limits { message_deadline: Duration::from_secs(2), ..Limits::default() };
    let mut siege = Siege::begin(Config { limits, ..listening(Carrier::Tcp.loopback()) }).await;
    for (what, answer, expected) in ANSWERS {
        let mut stock = Stock::start(&Role { answer, ..Role::peer(Carrier::Tcp) });
        let to = stock.address().await;
        siege.node.handle.connect(stock.id, vec![to]).await.unwrap();
        let sent = siege.node.handle.send(stock.id, Bytes::from_static(b"hello")).await;
        assert!(matches!(sent, Err(CommandError::NotAcknowledged { .. })), "{what}: {sent:?}");
        let (kind, evidence) = siege.counted(stock.id).await;
        assert_eq!(kind, expected, "{what} was counted with the evidence {evidence:?}");
        siege.serves().await;
    }
}
