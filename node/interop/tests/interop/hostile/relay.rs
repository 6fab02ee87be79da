//! Clients of a relay of ours that keep no rule.

use std::time::Duration;

use darkswap_connectivity::relay::message::{HopMessage, Status};
use darkswap_node::Config;
use darkswap_node::config::Reachability;
use darkswap_node::event::{Event, Misbehaviour, RelayServerEvent};
use libp2p::futures::future::join_all;
use libp2p::identity::Keypair;

use super::Siege;
use crate::carrier::Carrier;
use crate::common::listening;
use crate::raw::Raw;

const HOP: &str = "/libp2p/circuit/relay/0.2.0/hop";
/// Requests of one connection that the relay has at once.
const SERVED: usize = 10;

async fn siege() -> Siege {
    let quic = listening(Carrier::Tcp.loopback());
    Siege::begin(Config { reachability: Reachability::Public, relay_server: true, ..quic }).await
}

/// The status in a relay's answer.
fn status(answer: &[u8]) -> Status {
    match HopMessage::decode(&answer[1..]).unwrap() {
        HopMessage::Status { status, .. } => status,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_counted() {
    let mut siege = siege().await;
    let peer = Keypair::generate_ed25519();
    let raw = Raw::dial(&siege.address, &peer).await;
    let to_nobody = HopMessage::Connect { peer: peer.public().to_peer_id().to_bytes() };
    for (bytes, expected, kind) in [
        (vec![0xff; 8], Status::MalformedMessage, Some(Misbehaviour::Oversized)),
        (vec![3, 1, 2, 3], Status::MalformedMessage, Some(Misbehaviour::Malformed)),
        (vec![4, 0x08, 2, 0x28, 1], Status::MalformedMessage, Some(Misbehaviour::Malformed)),
        (vec![4, 0x08, 2, 0x28, 100], Status::UnexpectedMessage, Some(Misbehaviour::Unsolicited)),
        (to_nobody.encode(), Status::NoReservation, None),
    ] {
        let mut stream = raw.open(HOP).await;
        stream.write(&bytes).await;
        assert_eq!(status(&stream.rest().await), expected, "{bytes:?}");
        if let Some(kind) = kind {
            assert_eq!(siege.counted(peer.public().to_peer_id()).await.0, kind, "{bytes:?}");
        }
    }
    siege.serves().await;
    siege.serves_newcomers().await;
}

#[tokio::test]
async fn requests_without_end_are_bounded_at_once_and_over_time() {
    let mut siege = siege().await;
    let peer = Keypair::generate_ed25519();
    let raw = Raw::dial(&siege.address, &peer).await;
    // Streams that say nothing.
    let silent = join_all((0..2 * SERVED).map(|_| raw.open(HOP))).await;
    let (kind, evidence) = siege.counted(peer.public().to_peer_id()).await;
    assert_eq!(kind, Misbehaviour::Oversized, "{evidence}");
    drop(silent);

    let hasty = Raw::dial(&siege.address, &Keypair::generate_ed25519()).await;
    let mut answers = Vec::new();
    for _ in 0..40 {
        let mut stream = hasty.open(HOP).await;
        stream.write(&HopMessage::Reserve.encode()).await;
        let answer = stream.rest().await;
        answers.push(answer.len() < 20);
    }
    assert!(answers[..30].iter().all(|refused| !refused), "{answers:?}");
    assert!(answers[30..].iter().filter(|refused| **refused).count() >= 8, "{answers:?}");
    let denied = siege.node.wait("refusal", |event| match event {
        Event::RelayServer(RelayServerEvent::ReservationDenied { reason, .. }) => Some(reason.name()),
        _ => None,
    });
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), denied).await, Ok("pace"));
    siege.serves_newcomers().await;
}
