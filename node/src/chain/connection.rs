//! One connection to an Electrum server: questions out, answers to whoever asked, notifications aside.
//!
//! The task that carries the bytes ends with the connection, and the connection with the last handle of it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, BytesMut};
use electrum_streaming_client::{RawRequest, Request};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::MAX_SCRIPTS;
use super::lines::{Lines, Message, Notice, shown};
use super::misbehaviour::{Misbehaviour, Trouble};
use super::servers::Bytes;
use crate::runtime::Runtime;

/// Questions under way at once: enough to fill a round trip, and less than what servers take for an attack.
pub(super) const IN_FLIGHT: usize = 32;

/// How long an answer may take: servers read from disks, and histories are long.
pub(super) const ANSWER: Duration = Duration::from_secs(30);

/// Bytes that wait to be written before another question is taken: a transaction that fills a block, in hexadecimal.
const MAX_UNWRITTEN: usize = 8 << 20;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// A question on its way.
#[derive(Debug)]
struct Question {
    method: String,
    params: Vec<Value>,
    answer: oneshot::Sender<Result<Value, String>>,
}

/// A handle to a connection. What a server says is not believed: answers are decoded here, and judged by whoever asked.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    questions: mpsc::Sender<Question>,
    /// Why it ended.
    end: Arc<OnceLock<Trouble>>,
}

impl Connection {
    /// Takes a stream into a task of its own. Notifications come by the receiver, which ends with the connection.
    pub(super) fn start(runtime: &dyn Runtime, stream: Box<dyn Bytes>) -> (Self, mpsc::Receiver<Notice>) {
        let (questions, asked) = mpsc::channel(IN_FLIGHT);
        // A block may touch every script, and a tip comes with it.
        let (notices, told) = mpsc::channel(MAX_SCRIPTS + IN_FLIGHT);
        let end = Arc::new(OnceLock::new());
        let ended = end.clone();
        let carry = async move {
            let trouble = match carry(stream, asked, notices).await {
                Ok(()) => Trouble::Stopped,
                Err(trouble) => trouble,
            };
            let _ = ended.set(trouble);
        };
        runtime.spawn("electrum connection", Box::pin(carry));
        (Self { questions, end }, told)
    }

    /// Why it ended.
    pub(super) fn trouble(&self) -> Trouble {
        self.end.get().cloned().unwrap_or(Trouble::Lost("the connection ended".into()))
    }

    /// Asks, and waits for the answer. The inner error is the server's word why it does not answer.
    pub(super) async fn ask<R: Request>(&self, request: R) -> Result<Result<R::Response, String>, Trouble> {
        let (method, params) = request.to_method_and_params();
        let method = method.into_owned();
        let (answer, answered) = oneshot::channel();
        let question = Question { method: method.clone(), params, answer };
        let exchange = async {
            self.questions.send(question).await.map_err(|_| self.trouble())?;
            match answered.await {
                Ok(answer) => Ok(answer),
                Err(_) => {
                    // Let the task that dropped the question say why.
                    self.questions.closed().await;
                    Err(self.trouble())
                }
            }
        };
        match timeout(ANSWER, exchange).await {
            Err(_) => Err(Trouble::Lost(format!("no answer to {method} within {} s", ANSWER.as_secs()))),
            Ok(Err(trouble)) => Err(trouble),
            Ok(Ok(Err(word))) => Ok(Err(word)),
            Ok(Ok(Ok(value))) => match serde_json::from_value(value) {
                Ok(response) => Ok(Ok(response)),
                Err(error) => Err(Misbehaviour::Answer { method, found: shown(&error.to_string()) }.into()),
            },
        }
    }

    /// Asks where a correct server has an answer.
    pub(super) async fn demand<R: Request>(&self, request: R) -> Result<R::Response, Trouble> {
        let (method, _) = request.to_method_and_params();
        self.ask(request).await?.map_err(|word| Trouble::Refused(format!("the server refused {method}: {word}")))
    }

    /// Asks many questions, up to [`IN_FLIGHT`] at once. Answers are in the order of the questions.
    pub(super) async fn ask_all<R>(&self, requests: Vec<R>) -> Result<Vec<Result<R::Response, String>>, Trouble>
    where
        R: Request + Send + 'static,
    {
        let questions = requests.into_iter().map(|request| {
            let connection = self.clone();
            async move { connection.ask(request).await }
        });
        stream::iter(questions.collect::<Vec<_>>()).buffered(IN_FLIGHT).try_collect().await
    }

    /// As [`ask_all`](Self::ask_all), where a correct server has an answer to each.
    pub(super) async fn demand_all<R>(&self, requests: Vec<R>) -> Result<Vec<R::Response>, Trouble>
    where
        R: Request + Send + 'static,
    {
        let refused = |word| Trouble::Refused(format!("the server refused: {word}"));
        self.ask_all(requests).await?.into_iter().map(|answer| answer.map_err(refused)).collect()
    }
}

/// Carries bytes until either end is gone.
async fn carry(
    stream: Box<dyn Bytes>,
    mut asked: mpsc::Receiver<Question>,
    notices: mpsc::Sender<Notice>,
) -> Result<(), Trouble> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (mut lines, mut unwritten) = (Lines::default(), BytesMut::new());
    let mut pending: BTreeMap<u32, oneshot::Sender<Result<Value, String>>> = BTreeMap::new();
    let mut next: u32 = 0;
    let lost = |error: io::Error| Trouble::Lost(format!("the connection broke: {error}"));
    loop {
        lines.buffer().reserve(CHUNK);
        tokio::select! {
            read = reader.read_buf(lines.buffer()) => {
                if read.map_err(lost)? == 0 {
                    return Err(Trouble::Lost("the server closed the connection".into()));
                }
                while let Some(message) = lines.next_message()? {
                    deliver(message, &mut pending, &notices)?;
                }
            }
            written = writer.write(&unwritten), if !unwritten.is_empty() => {
                unwritten.advance(written.map_err(lost)?);
            }
            question = asked.recv(), if pending.len() < IN_FLIGHT && unwritten.len() < MAX_UNWRITTEN => {
                let Some(Question { method, params, answer }) = question else { return Ok(()) };
                let request = RawRequest::new(next, method.into(), params);
                serde_json::to_writer((&mut unwritten).writer(), &request).expect("requests are JSON");
                unwritten.put_u8(b'\n');
                pending.insert(next, answer);
                next = next.wrapping_add(1);
            }
        }
    }
}

fn deliver(
    message: Message,
    pending: &mut BTreeMap<u32, oneshot::Sender<Result<Value, String>>>,
    notices: &mpsc::Sender<Notice>,
) -> Result<(), Misbehaviour> {
    match message {
        Message::Answer(id, answer) => {
            let asker = pending.remove(&id).ok_or(Misbehaviour::Unasked(id))?;
            // Who gave up in the meantime does not want it.
            let _ = asker.send(answer);
        }
        Message::Notice(Some(notice)) => notices.try_send(notice).map_err(|_| Misbehaviour::Flood)?,
        Message::Notice(None) => {}
    }
    Ok(())
}
