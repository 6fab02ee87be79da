//! Messages on a stream: a client's request and its answer, and the question to a destination.
//!
//! Nothing is read beyond a message, so that what follows it belongs to the circuit.

use std::future::Future;
use std::io;

use darkswap_connectivity::relay::message::{self, HopMessage, Limit, MAX_PREFIX, Malformed, Status, StopMessage};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::PeerId;
use thiserror::Error;

use crate::event::Misbehaviour;
use crate::limits::fixed::relay_server::{REQUEST, STOP};

/// What a client asked for.
#[derive(Debug)]
pub(crate) enum Asked<S> {
    /// A reservation.
    Reserve(S),
    /// A circuit.
    Connect { stream: S, to: PeerId },
    /// Something that is no request; it was told so.
    Nonsense { kind: Misbehaviour, evidence: String },
    /// Nothing: the stream ended before.
    Nothing,
}

/// Why a destination did not take a circuit.
#[derive(Debug, Error)]
pub(crate) enum NotTaken {
    /// It said so.
    #[error("the destination answered {0:?}")]
    Refused(Status),
    /// The stream ended.
    #[error("the destination's stream ended: {0}")]
    Io(#[from] io::Error),
    /// It broke the protocol.
    #[error("{0}")]
    Nonsense(String),
    /// It took too long.
    #[error("the destination has not answered within {STOP:?}")]
    TimedOut,
    /// It does not speak the protocol, or opened no stream.
    #[error("the destination opened no stream: {0}")]
    NoStream(String),
    /// Its connection ended.
    #[error("the destination's connection ended")]
    Disconnected,
}

#[derive(Debug, Error)]
enum NotRead {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Reads a client's request. What is none is answered here.
pub(super) async fn request<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> Asked<S> {
    let nonsense = |kind, status, evidence| (kind, status, evidence);
    let (kind, status, evidence) = match in_time(read(&mut stream)).await.map(|bytes| HopMessage::decode(&bytes)) {
        Ok(Ok(HopMessage::Reserve)) => return Asked::Reserve(stream),
        Ok(Ok(HopMessage::Connect { peer })) => match PeerId::from_bytes(&peer) {
            Ok(to) => return Asked::Connect { stream, to },
            Err(error) => {
                let evidence = format!("found a circuit to what is no peer id: {error}");
                nonsense(Misbehaviour::Malformed, Status::MalformedMessage, evidence)
            }
        },
        Ok(Ok(HopMessage::Status { .. })) => {
            let evidence = "found the status of a relay, expected a request".to_owned();
            nonsense(Misbehaviour::Unsolicited, Status::UnexpectedMessage, evidence)
        }
        Ok(Err(malformed)) | Err(NotRead::Malformed(malformed)) => {
            let kind = match malformed {
                Malformed::TooLarge { .. } => Misbehaviour::Oversized,
                _ => Misbehaviour::Malformed,
            };
            nonsense(kind, Status::MalformedMessage, malformed.to_string())
        }
        Err(NotRead::Io(_)) => return Asked::Nothing,
    };
    // It may not want to hear it.
    let _ = answer(stream, refusal(status)).await;
    Asked::Nonsense { kind, evidence }
}

/// The message of a refusal.
pub(super) fn refusal(status: Status) -> HopMessage {
    HopMessage::Status { status, reservation: None, limit: None }
}

/// Writes an answer and ends the stream.
pub(super) async fn answer(mut stream: impl AsyncWrite + Unpin, answer: HopMessage) -> io::Result<()> {
    let written = in_time(async {
        stream.write_all(&answer.encode()).await?;
        stream.close().await
    });
    written.await
}

/// Tells a client that its circuit is open. What comes after that belongs to the circuit.
pub(super) async fn accept(stream: &mut (impl AsyncWrite + Unpin), limit: Limit) -> io::Result<()> {
    let answer = HopMessage::Status { status: Status::Ok, reservation: None, limit: Some(limit) };
    let written = in_time(async {
        stream.write_all(&answer.encode()).await?;
        stream.flush().await
    });
    written.await
}

/// Asks a destination to take a circuit.
pub(super) async fn offer<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    from: PeerId,
    limit: Limit,
) -> Result<S, NotTaken> {
    let question = StopMessage::Connect { peer: from.to_bytes(), limit: Some(limit) };
    let asked = async {
        stream.write_all(&question.encode()).await?;
        stream.flush().await?;
        match read(&mut stream).await {
            Ok(bytes) => Ok(StopMessage::decode(&bytes)),
            Err(NotRead::Malformed(malformed)) => Ok(Err(malformed)),
            Err(NotRead::Io(error)) => Err(error),
        }
    };
    match tokio::time::timeout(STOP, asked).await.map_err(|_| NotTaken::TimedOut)?? {
        Ok(StopMessage::Status(Status::Ok)) => Ok(stream),
        Ok(StopMessage::Status(status)) => Err(NotTaken::Refused(status)),
        Ok(StopMessage::Connect { .. }) => {
            Err(NotTaken::Nonsense("found a circuit, expected the status of the destination".to_owned()))
        }
        Err(malformed) => Err(NotTaken::Nonsense(malformed.to_string())),
    }
}

/// Reads one message, without its length, and no byte more.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, NotRead> {
    let mut prefix = [0; MAX_PREFIX];
    for read in 0..MAX_PREFIX {
        stream.read_exact(&mut prefix[read..=read]).await?;
        if let Some(length) = message::length(&prefix[..=read])? {
            // Four kilobytes at most.
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).await?;
            return Ok(bytes);
        }
    }
    Err(NotRead::Malformed(Malformed::TooLarge { found: message::MAX_MESSAGE + 1 }))
}

/// A client's part within its time.
async fn in_time<T, E: From<io::Error>>(part: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("not done within {REQUEST:?}"));
    tokio::time::timeout(REQUEST, part).await.unwrap_or_else(|_| Err(late().into()))
}
