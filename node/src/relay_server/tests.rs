//! Circuits over pipes in memory, and clients that break the rules of their streams.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use darkswap_connectivity::relay::message::{HopMessage, Limit, Status, StopMessage};
use darkswap_connectivity::relay::server::{Circuit, Denied, Limits};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, FutureExt as _};
use libp2p::PeerId;
use proptest::prelude::*;
use tokio::io::{AsyncRead as _, AsyncWrite as _, DuplexStream, ReadBuf};
use tokio::time::{Instant, timeout};

use super::circuit::carry;
use super::exchange::{self, Asked, NotTaken};
use super::shared::Shared;
use crate::event::{CircuitEnd, Misbehaviour};

const PATIENCE: Duration = Duration::from_secs(30);

/// A pipe's end as libp2p knows streams.
#[derive(Debug)]
struct Pipe(DuplexStream);

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        Pin::new(&mut self.0).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn pipe() -> (Pipe, Pipe) {
    let (a, b) = tokio::io::duplex(1 << 10);
    (Pipe(a), Pipe(b))
}

/// A circuit that is open.
struct Open {
    shared: Shared,
    circuit: Circuit,
    opener: Pipe,
    other: Pipe,
    end: futures::future::BoxFuture<'static, CircuitEnd>,
}

fn open(limits: Limits) -> Open {
    let shared = Shared::new(limits);
    let (a, b) = (PeerId::random(), PeerId::random());
    let address = "198.51.100.7".parse().unwrap();
    let circuit = shared.ask(|now, server| {
        server.reserve(now, b, address).unwrap();
        server.connect(now, a, address, b).unwrap()
    });
    let ((opener, hop), (other, stop)) = (pipe(), pipe());
    let end = carry(shared.clone(), circuit, hop, stop).boxed();
    Open { shared, circuit, opener, other, end }
}

#[tokio::test]
async fn a_circuit_carries_both_directions_to_their_ends_and_counts_every_byte() {
    let Open { shared, circuit, mut opener, mut other, end } = open(Limits::default());
    let there: Vec<u8> = (0..50_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    let back = vec![7; 30_001];
    let work = async {
        let sides = async {
            let first = async {
                opener.write_all(&there).await.unwrap();
                opener.close().await.unwrap();
                let mut got = Vec::new();
                opener.read_to_end(&mut got).await.unwrap();
                got
            };
            let second = async {
                let mut got = Vec::new();
                // The half-close of the first direction arrives while the second one is still silent.
                other.read_to_end(&mut got).await.unwrap();
                other.write_all(&back).await.unwrap();
                other.close().await.unwrap();
                got
            };
            futures::join!(first, second)
        };
        futures::join!(sides, end)
    };
    let ((at_opener, at_other), end) = timeout(PATIENCE, work).await.unwrap();
    assert_eq!((at_other, at_opener, end), (there, back, CircuitEnd::Finished));
    assert_eq!(shared.end(circuit), 80_001);
}

#[tokio::test]
async fn a_circuit_carries_its_last_byte_and_not_one_more() {
    let limits = Limits { circuit_bytes: 10_000, ..Limits::default() };
    let Open { shared, circuit, mut opener, mut other, end } = open(limits);
    let work = async {
        let sides = async {
            let mut got = Vec::new();
            let write = opener.write_all(&[1; 20_000]);
            let read = other.read_to_end(&mut got);
            let _ = futures::join!(write, read);
            got
        };
        futures::join!(sides, end)
    };
    let (got, end) = timeout(PATIENCE, work).await.unwrap();
    assert_eq!((got.len(), end), (10_000, CircuitEnd::Denied(Denied::CircuitBytes { limit: 10_000 })));
    assert_eq!(shared.end(circuit), 10_000);
}

#[tokio::test]
async fn a_circuit_is_no_faster_than_its_rate() {
    let limits = Limits { peer_rate: 100_000, ..Limits::default() };
    let Open { mut opener, mut other, end, .. } = open(limits);
    let began = Instant::now();
    let work = async {
        let sides = async {
            let write = async {
                opener.write_all(&[1; 150_000]).await.unwrap();
                opener.close().await.unwrap();
            };
            let read = async {
                let mut got = Vec::new();
                other.read_to_end(&mut got).await.unwrap();
                other.close().await.unwrap();
                got.len()
            };
            futures::join!(write, read).1
        };
        futures::join!(sides, end)
    };
    let (got, end) = timeout(PATIENCE, work).await.unwrap();
    assert_eq!((got, end), (150_000, CircuitEnd::Finished));
    // A second's worth goes at once, and one chunk more than there is.
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_side_that_breaks_off_ends_the_circuit() {
    let Open { opener, other, end, .. } = open(Limits::default());
    drop((opener, other));
    assert!(matches!(timeout(PATIENCE, end).await.unwrap(), CircuitEnd::Finished | CircuitEnd::Broken(_)));
}

#[tokio::test]
async fn a_circuit_that_the_server_has_closed_carries_nothing() {
    let Open { shared, circuit, mut opener, end, .. } = open(Limits::default());
    assert_eq!(shared.end(circuit), 0);
    opener.write_all(b"late").await.unwrap();
    assert_eq!(timeout(PATIENCE, end).await.unwrap(), CircuitEnd::Denied(Denied::NoCircuit));
}

/// What a relay makes of a client's bytes, and what it answers.
async fn asked(bytes: &[u8]) -> (Asked<Pipe>, Option<HopMessage>) {
    let (mut client, relay) = pipe();
    client.write_all(bytes).await.unwrap();
    client.close().await.unwrap();
    let asked = timeout(PATIENCE, exchange::request(relay)).await.unwrap();
    let mut answer = Vec::new();
    let answer = match &asked {
        Asked::Nonsense { .. } => {
            client.read_to_end(&mut answer).await.unwrap();
            Some(HopMessage::decode(&answer[1..]).unwrap())
        }
        _ => None,
    };
    (asked, answer)
}

#[tokio::test]
async fn a_request_is_read_to_its_end_and_not_further() {
    let to = PeerId::random();
    let (mut client, relay) = pipe();
    client.write_all(&HopMessage::Connect { peer: to.to_bytes() }.encode()).await.unwrap();
    client.write_all(b"of the circuit").await.unwrap();
    let Asked::Connect { mut stream, to: found } = exchange::request(relay).await else { panic!("no circuit") };
    assert_eq!(found, to);
    let mut rest = [0; 14];
    stream.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"of the circuit");
}

#[tokio::test]
async fn what_is_no_request_is_answered_and_named() {
    let status = |status| Some(exchange::refusal(status));
    for (bytes, kind, expected) in [
        (vec![0xff, 0xff, 0xff], Misbehaviour::Oversized, Status::MalformedMessage),
        (vec![0], Misbehaviour::Malformed, Status::MalformedMessage),
        (vec![2, 0xff, 0xff], Misbehaviour::Malformed, Status::MalformedMessage),
        (HopMessage::Connect { peer: vec![1, 2, 3] }.encode(), Misbehaviour::Malformed, Status::MalformedMessage),
        (exchange::refusal(Status::Ok).encode(), Misbehaviour::Unsolicited, Status::UnexpectedMessage),
    ] {
        let (found, answer) = asked(&bytes).await;
        assert!(matches!(found, Asked::Nonsense { kind: found, .. } if found == kind), "{bytes:?}: {found:?}");
        assert_eq!(answer, status(expected), "{bytes:?}");
    }
    assert!(matches!(asked(&[]).await.0, Asked::Nothing));
    assert!(matches!(asked(&[5, 1]).await.0, Asked::Nothing), "half a message");
}

#[tokio::test]
async fn a_destination_takes_a_circuit_or_says_why_not() {
    let (from, limit) = (PeerId::random(), Limit { duration: Some(60), data: Some(1 << 20) });
    let answers = [
        (StopMessage::Status(Status::Ok), "taken"),
        (StopMessage::Status(Status::PermissionDenied), "refused"),
        (StopMessage::Connect { peer: vec![], limit: None }, "nonsense"),
    ];
    for (answer, expected) in answers {
        let (mut destination, relay) = pipe();
        destination.write_all(&answer.encode()).await.unwrap();
        let found = match exchange::offer(relay, from, limit).await {
            Ok(_) => "taken",
            Err(NotTaken::Refused(Status::PermissionDenied)) => "refused",
            Err(NotTaken::Nonsense(_)) => "nonsense",
            Err(other) => panic!("{other}"),
        };
        assert_eq!(found, expected);
        let question = StopMessage::Connect { peer: from.to_bytes(), limit: Some(limit) }.encode();
        let mut read = vec![0; question.len()];
        destination.read_exact(&mut read).await.unwrap();
        assert_eq!(read, question);
    }
    let (destination, relay) = pipe();
    drop(destination);
    assert!(matches!(exchange::offer(relay, from, limit).await, Err(NotTaken::Io(_))));
}

proptest! {
    #![proptest_config(crate::cases())]
    #[test]
    fn no_bytes_of_a_client_make_a_relay_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _ = runtime.block_on(asked(&bytes));
    }
}
