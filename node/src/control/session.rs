//! One client's connection, as the node sees it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::timeout;

use super::lines::{Line, Lines};
use super::reply::{ErrorKind, Refusal, Reply};
use super::request::Request;
use super::subscribers::Subscribers;
use super::wire;
use crate::handle::Handle;

/// How long a client may take to read what is written to it.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// What a session needs of its node.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) handle: Handle,
    pub(super) subscribers: Subscribers,
    /// Becomes `true` when the node ends.
    pub(super) ending: watch::Receiver<bool>,
    pub(super) line_limit: usize,
}

/// Answers one client until it leaves, breaks the protocol's framing or the node ends.
pub(super) async fn session(stream: impl AsyncRead + AsyncWrite, mut node: Node) -> io::Result<()> {
    let (reader, mut writer) = tokio::io::split(stream);
    tokio::pin!(reader);
    let mut lines = Lines::new(reader, node.line_limit);
    loop {
        let line = tokio::select! {
            line = lines.next() => line?,
            _ = node.ending.wait_for(|ending| *ending) => return Ok(()),
        };
        match line {
            Line::End => return Ok(()),
            Line::TooLong => {
                let message = format!("found a line of more than {} bytes", node.line_limit);
                return answer(&mut writer, None, Err(Refusal { kind: ErrorKind::TooLong, message })).await;
            }
            Line::Complete(line) => match wire::decode_request(&line) {
                Ok((id, Request::Subscribe)) => return events(&mut writer, id, &node.subscribers).await,
                Ok((id, request)) => answer(&mut writer, Some(id), execute(&node.handle, request).await).await?,
                Err((id, refusal)) => answer(&mut writer, id, Err(refusal)).await?,
            },
        }
    }
}

/// Tells a client that there are too many of them.
pub(super) async fn refuse(stream: impl AsyncRead + AsyncWrite, clients: usize) -> io::Result<()> {
    let (_, mut writer) = tokio::io::split(stream);
    let message = format!("found {clients} clients already, no more are allowed");
    answer(&mut writer, None, Err(Refusal { kind: ErrorKind::Busy, message })).await
}

async fn execute(handle: &Handle, request: Request) -> Result<Reply, Refusal> {
    Ok(match request {
        Request::Status => Reply::Status(handle.status().await?.into()),
        Request::Relays => Reply::Relays(handle.relays().await?.into_iter().map(Into::into).collect()),
        Request::Peers => Reply::Peers(handle.peers().await?.into_iter().map(Into::into).collect()),
        Request::Connect { peer, addresses } => {
            Reply::Connected { path: handle.connect(peer, addresses).await?.into() }
        }
        Request::Disconnect { peer } => {
            handle.disconnect(peer).await?;
            Reply::Done
        }
        Request::Send { peer, payload } => Reply::Sent(handle.send(peer, bytes(payload)?).await?.into()),
        Request::Publish { topic, payload } => {
            handle.publish(&topic, bytes(payload)?).await?;
            Reply::Done
        }
        Request::Trade(command) => {
            let trading = handle.trading().ok_or_else(|| Refusal {
                kind: ErrorKind::NotTrading,
                message: "the node does not trade; set trading.enabled = true in its configuration and restart it"
                    .to_owned(),
            })?;
            Reply::Trade(trading.ask(command).await?)
        }
        Request::Subscribe => Reply::Subscribed,
        Request::Stop => {
            handle.stop().await?;
            Reply::Done
        }
    })
}

fn bytes(payload: super::Payload) -> Result<bytes::Bytes, Refusal> {
    payload.into_bytes().map_err(|error| Refusal { kind: ErrorKind::Malformed, message: error.to_string() })
}

async fn events(writer: &mut (impl AsyncWrite + Unpin), id: u64, subscribers: &Subscribers) -> io::Result<()> {
    let mut subscription = subscribers.subscribe();
    answer(writer, Some(id), Ok(Reply::Subscribed)).await?;
    while let Some(event) = subscription.next().await {
        write(writer, wire::encode_event(id, &event)).await?;
    }
    Ok(())
}

async fn answer(
    writer: &mut (impl AsyncWrite + Unpin),
    id: Option<u64>,
    answer: Result<Reply, Refusal>,
) -> io::Result<()> {
    write(writer, wire::encode_answer(id, answer)?).await
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), mut line: Vec<u8>) -> io::Result<()> {
    line.push(b'\n');
    timeout(WRITE_TIME, async {
        writer.write_all(&line).await?;
        writer.flush().await
    })
    .await?
}
