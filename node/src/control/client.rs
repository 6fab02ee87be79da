//! The client's end of the control endpoint.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use thiserror::Error;
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::endpoint::{self, ClientStream};
use super::lines::{Line, Lines};
use super::reply::{Refusal, Reply};
use super::request::Request;
use super::wire::{self, Answer};

/// Longest line that is read from a node: an event with the largest message, every byte of it escaped.
const LINE_LIMIT: usize = 128 << 20;

/// A connection to a running node.
#[derive(Debug)]
pub struct Client {
    lines: Lines<ReadHalf<ClientStream>>,
    writer: WriteHalf<ClientStream>,
    last_id: u64,
}

/// The events of a running node.
#[derive(Debug)]
pub struct EventStream {
    client: Client,
}

/// Why there is no answer, or which one.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no node is running with the control socket {}", .0.display())]
    NotRunning(PathBuf),
    /// The host's error.
    #[error("cannot talk to the node through the control socket {}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// The host's error.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to the node broke")]
    Broken(#[source] io::Error),
    /// The node closed the connection without an answer.
    #[error("the node closed the connection without an answer")]
    Closed,
    /// The answer is not of this protocol.
    #[error("the node's answer is not understood: {0}")]
    NotUnderstood(String),
    /// The node did not do what was asked.
    #[error(transparent)]
    Refused(Refusal),
}

impl Client {
    /// Connects to the node that listens on this socket.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`], [`ClientError::Io`].
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = endpoint::connect(path).await.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning(path.to_owned()),
            _ => ClientError::Io { path: path.to_owned(), source },
        })?;
        let (reader, writer) = tokio::io::split(stream);
        Ok(Self { lines: Lines::new(reader, LINE_LIMIT), writer, last_id: 0 })
    }

    /// Asks and waits for the answer. A call must not be abandoned when others follow.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when the node did not do it, another [`ClientError`] when it is not known whether it did.
    pub async fn call(&mut self, request: &Request) -> Result<Reply, ClientError> {
        self.last_id += 1;
        let mut line =
            wire::encode_request(self.last_id, request).map_err(|error| ClientError::Broken(error.into()))?;
        line.push(b'\n');
        // A node that refuses the connection says why and closes it: that is worth more than the error of the write.
        let written = self.writer.write_all(&line).await;
        match (self.read().await, written) {
            (Ok(Some(Answer::Reply(reply))), _) => Ok(reply),
            (Ok(Some(Answer::Refused(refusal))), _) => Err(ClientError::Refused(refusal)),
            (Ok(Some(Answer::Event(_))), _) => {
                Err(ClientError::NotUnderstood("found an event, expected a reply".to_owned()))
            }
            (Ok(None) | Err(_), Err(error)) => Err(ClientError::Broken(error)),
            (Ok(None), Ok(())) => Err(ClientError::Closed),
            (Err(error), Ok(())) => Err(error),
        }
    }

    /// Listens to the node's events from now on.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn events(mut self) -> Result<EventStream, ClientError> {
        match self.call(&Request::Subscribe).await? {
            Reply::Subscribed => Ok(EventStream { client: self }),
            other => Err(ClientError::NotUnderstood(format!("found {other:?}, expected that events follow"))),
        }
    }

    /// Waits until the node has closed the connection, which is when it has ended.
    pub async fn closed(mut self) {
        while matches!(self.read().await, Ok(Some(_))) {}
    }

    async fn read(&mut self) -> Result<Option<Answer>, ClientError> {
        match self.lines.next().await.map_err(ClientError::Broken)? {
            Line::End => Ok(None),
            Line::TooLong => Err(ClientError::NotUnderstood(format!("found a line of more than {LINE_LIMIT} bytes"))),
            Line::Complete(line) => wire::decode_answer(&line).map(Some).map_err(ClientError::NotUnderstood),
        }
    }
}

impl EventStream {
    /// The next event; `None` when the node has ended.
    ///
    /// # Errors
    /// [`ClientError::Broken`], [`ClientError::NotUnderstood`].
    pub async fn next(&mut self) -> Result<Option<Map<String, Value>>, ClientError> {
        match self.client.read().await? {
            Some(Answer::Event(event)) => Ok(Some(event)),
            Some(Answer::Refused(refusal)) => Err(ClientError::Refused(refusal)),
            Some(Answer::Reply(_)) => Err(ClientError::NotUnderstood("found a reply, expected an event".to_owned())),
            None => Ok(None),
        }
    }
}
