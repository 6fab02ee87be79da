//! As many requests, messages and streams as a peer can make, all at once.

use std::time::Duration;

use darkswap_connectivity::relay::message::{HopMessage, Status};
use darkswap_messages::wire::{Request, Response};
use futures::future::join_all;
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::{PeerId, StreamProtocol};
use tokio::time::timeout;

use super::victim::{Victim, draw};
use super::{Reply, Report};
use crate::worker::line::relay_message;

const PLAIN: StreamProtocol = StreamProtocol::new("/darkswap/message/1");
const HOP: StreamProtocol = StreamProtocol::new("/libp2p/circuit/relay/0.2.0/hop");
/// Hellos at once. A node answers one in 200 ms.
const HELLOS: usize = 10;
/// Messages at once, and the bytes of each.
const MESSAGES: u64 = 200;
const PAYLOAD: usize = 4 << 10;
/// Streams at once, each of which announces the largest message and brings nothing of it. A node reads 128 at once.
const STREAMS: usize = 200;
const ANNOUNCED: u32 = 1 << 20;
/// Requests for a reservation or a circuit at once. A relay reads 10 of a connection.
const REQUESTS: usize = 40;
/// How soon a stream ends that is refused. A node gives up a silent one after 10 s, which must not look like a refusal.
const REFUSAL: Duration = Duration::from_secs(3);

/// Does all of it to a node; circuits are asked for to `other`.
pub(super) async fn flood(victim: &Victim, other: Option<PeerId>, report: &Report) {
    hellos(victim, report).await;
    messages(victim, report).await;
    streams(victim, report).await;
    if victim.is_relay {
        requests(victim, "reservation", &HopMessage::Reserve, report).await;
        if let Some(peer) = other.map(PeerId::to_bytes) {
            requests(victim, "circuit", &HopMessage::Connect { peer }, report).await;
        }
    }
}

/// Hellos of handshakes that nobody finishes.
async fn hellos(victim: &Victim, report: &Report) {
    let all = (0..HELLOS).map(|_| async {
        let mut sessions = super::victim::sessions(&report.identity, report.runtime.as_ref())?;
        let hello = sessions.open(report.now(), victim.party, draw(report.runtime.as_ref()))?;
        victim.ask(&Request::Hello(hello.into())).await
    });
    for response in join_all(all).await {
        let reply = match response {
            Some(Response::Refused(_)) => Reply::Refused,
            Some(Response::Answer(_) | Response::Sealed(_)) => Reply::Taken,
            None => Reply::Failed,
        };
        report.record(&victim.name, "hello", reply);
    }
}

/// Messages that are as they should be, but for their number.
async fn messages(victim: &Victim, report: &Report) {
    // Numbers of this burst, and of none before.
    let first = u64::try_from(report.now().as_micros()).unwrap_or(u64::MAX);
    let all = (first..).take(MESSAGES as usize).map(|sequence| async move {
        let message = [&header(sequence, PAYLOAD as u32)[..], &[0; PAYLOAD]].concat();
        victim.exchange(PLAIN, &message).await
    });
    for answer in join_all(all).await {
        // Delivered, or known already.
        let is_taken = answer.is_some_and(|answer| !answer.is_empty());
        report.record(&victim.name, "message", if is_taken { Reply::Taken } else { Reply::Refused });
    }
}

/// Streams that bring half a message.
async fn streams(victim: &Victim, report: &Report) {
    let all = (0..STREAMS).map(|_| async {
        let mut stream = victim.line.open(victim.peer, PLAIN).await?;
        stream.write_all(&header(0, ANNOUNCED)).await.ok()?;
        stream.flush().await.ok()?;
        Some(timeout(REFUSAL, stream.read_to_end(&mut Vec::new())).await.is_err())
    });
    for is_held in join_all(all).await {
        report.record(&victim.name, "stream", if is_held == Some(true) { Reply::Taken } else { Reply::Refused });
    }
}

/// Requests to a relay.
async fn requests(victim: &Victim, how: &'static str, request: &HopMessage, report: &Report) {
    let request = request.encode();
    let all = (0..REQUESTS).map(|_| async {
        let answered = async {
            let mut stream = victim.line.open(victim.peer, HOP).await?;
            stream.write_all(&request).await.ok()?;
            stream.flush().await.ok()?;
            HopMessage::decode(&relay_message(&mut stream).await?).ok()
        };
        timeout(REFUSAL, answered).await.ok()?
    });
    for answer in join_all(all).await {
        let is_taken = matches!(answer, Some(HopMessage::Status { status: Status::Ok, .. }));
        report.record(&victim.name, how, if is_taken { Reply::Taken } else { Reply::Refused });
    }
}

/// What precedes a payload of the plain protocol: version, session, sequence number, length.
fn header(sequence: u64, length: u32) -> Vec<u8> {
    [&[1][..], &7_u64.to_be_bytes(), &sequence.to_be_bytes(), &length.to_be_bytes()].concat()
}
