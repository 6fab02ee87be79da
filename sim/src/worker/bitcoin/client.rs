//! A raw Electrum client: one connection, one question at a time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use darkswap_node::{Runtime, TcpStream};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

/// The longest line that is read.
const MAX_LINE: u64 = 1 << 20;
/// Notifications that wait while an answer is awaited.
const MAX_WAITING: usize = 1_024;
/// How long a connection or an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Client {
    stream: BufReader<Box<dyn TcpStream>>,
    /// Numbers of calls.
    calls: u64,
    waiting: VecDeque<Notification>,
}

/// What the server says without being asked.
#[derive(Debug, Clone)]
pub(super) struct Notification {
    pub(super) method: String,
    pub(super) params: Value,
}

impl Client {
    /// Connects and agrees on the protocol.
    pub(super) async fn connect(runtime: &dyn Runtime, remote: SocketAddr) -> Result<Self> {
        let stream = timeout(PATIENCE, runtime.connect_tcp(remote)).await.context("nobody answers")??;
        let mut client = Self { stream: BufReader::new(stream), calls: 0, waiting: VecDeque::new() };
        client.call("server.version", json!(["darkswap-sim", "1.4"])).await?;
        Ok(client)
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`Refused`] when the server says no; anything else when the connection is of no use any more.
    pub(super) async fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        self.calls += 1;
        let id = self.calls;
        let mut line = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
        line.push('\n');
        self.stream.write_all(line.as_bytes()).await?;
        loop {
            let mut said = timeout(PATIENCE, self.line()).await.context("no answer")??;
            if said.get("id").and_then(Value::as_u64) == Some(id) {
                if let Some(error) = said.get("error") {
                    bail!(Refused(error.to_string()));
                }
                return Ok(said["result"].take());
            }
            if let Some(notification) = notification(said) {
                ensure!(self.waiting.len() < MAX_WAITING, "more notifications than anybody could need");
                self.waiting.push_back(notification);
            }
        }
    }

    /// The next notification.
    pub(super) async fn next(&mut self) -> Result<Notification> {
        loop {
            if let Some(notification) = self.waiting.pop_front() {
                return Ok(notification);
            }
            let said = self.line().await?;
            self.waiting.extend(notification(said));
        }
    }

    async fn line(&mut self) -> Result<Value> {
        let mut line = Vec::new();
        (&mut self.stream).take(MAX_LINE).read_until(b'\n', &mut line).await?;
        ensure!(line.ends_with(b"\n"), "the server hung up, or sent a line of more than {MAX_LINE} bytes");
        Ok(serde_json::from_slice(&line)?)
    }
}

fn notification(mut said: Value) -> Option<Notification> {
    let method = said.get("method")?.as_str()?.to_owned();
    Some(Notification { method, params: said["params"].take() })
}

/// The server answered with an error.
#[derive(Debug, thiserror::Error)]
#[error("refused: {0}")]
pub(super) struct Refused(String);
