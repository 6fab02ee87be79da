//! The Electrum protocol 1.4 as a pure session: lines in, lines out.
//!
//! Whoever carries the bytes keeps one [`Session`] per connection and does three things:
//! - on bytes: [`Session::receive`], then [`Server::next_answer`] until it returns `None`; close on [`Closed`];
//! - after every change of the node or of the faults: [`Server::notifications`] for each session;
//! - end every line that is sent with a newline.
//!
//! Methods and errors are those of electrs, but for `blockchain.scripthash.get_mempool`, proofs up to a checkpoint and
//! `blockchain.transaction.id_from_pos`, which follow the protocol's text, because electrs lacks or changes them.

mod block;
mod fee;
mod script;
mod session;
mod transaction;
mod version;
mod view;

use std::time::Duration;

use serde_json::{Value, json};

pub use session::{Closed, MAX_LINE, MAX_SUBSCRIPTIONS, Session};
pub use version::PROTOCOL_VERSION;

use crate::fault::Faults;
use crate::full_node::FullNode;
use crate::json_rpc::{Call, CallError, Calls, params, parse};
use view::View;

/// Calls in one batch: a wallet asks for all of its scripts at once, and not for more.
pub const MAX_BATCH: usize = 10_000;
/// The size of an answer in bytes; a batch gets errors for what is beyond it, as ElectrumX does it.
pub const MAX_RESPONSE: usize = 16 * 1024 * 1024;

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// The answer to `server.banner`.
    pub banner: String,
    /// The name and version of its software.
    pub software: String,
    /// Whether it estimates fees from the mempool; a server of an empty or young chain cannot.
    pub estimates_fees: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            banner: "A simulated chain".into(),
            software: concat!("darkswap-chain/", env!("CARGO_PKG_VERSION")).into(),
            estimates_fees: true,
        }
    }
}

/// An Electrum server in front of a [`FullNode`].
#[derive(Debug, Clone, Default)]
pub struct Server {
    config: ServerConfig,
    faults: Faults,
}

/// Why a call failed, as electrs numbers it.
pub(crate) enum Failure {
    /// JSON-RPC's own errors.
    Call(CallError),
    /// Error 1: the server cannot do it.
    BadRequest(String),
    /// Error 2: the node behind the server refused it.
    Daemon(String),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl Failure {
    fn to_value(&self) -> Value {
        match self {
            Self::Call(error) => error.to_value(),
            Self::BadRequest(message) => json!({"code": 1, "message": message}),
            Self::Daemon(message) => json!({"code": 2, "message": message}),
        }
    }
}

impl Server {
    /// A server without faults.
    pub fn new(config: ServerConfig) -> Self {
        Self { config, faults: Faults::default() }
    }

    /// How it misbehaves.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Makes it misbehave.
    pub fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// Answers the next complete line that a session received; `None` when there is no more, or the server is down.
    ///
    /// Call it until it returns `None` after every [`Session::receive`].
    pub fn next_answer(&mut self, session: &mut Session, node: &mut FullNode, now: Duration) -> Option<String> {
        while let Some(line) = session.next_line() {
            if let Some(answer) = self.answer_bytes(session, node, now, &line) {
                return Some(answer);
            }
        }
        None
    }

    /// Answers one line, without its newline; `None` if the server is down.
    pub fn answer(&mut self, session: &mut Session, node: &mut FullNode, now: Duration, line: &str) -> Option<String> {
        self.answer_bytes(session, node, now, line.as_bytes())
    }

    /// What a session must be told now: changed scripts, then a new tip. Lines without newlines.
    ///
    /// Call it after everything that may have changed the node or the faults.
    pub fn notifications(&mut self, session: &mut Session, node: &FullNode) -> Vec<String> {
        if self.faults.down {
            return Vec::new();
        }
        let mut lines = Vec::new();
        for script in session.stale_scripts(node, &self.faults) {
            let status = self.view(node).status(&script);
            if session.status_changed(&script, status) {
                lines.push(notification(
                    "blockchain.scripthash.subscribe",
                    json!([script.to_string(), status_json(status)]),
                ));
            }
        }
        if let Some(known) = session.tip {
            let (tip, answer) = block::tip(&self.view(node));
            if tip != known {
                session.tip = Some(tip);
                lines.push(notification("blockchain.headers.subscribe", json!([answer])));
            }
        }
        lines
    }

    fn answer_bytes(
        &mut self,
        session: &mut Session,
        node: &mut FullNode,
        now: Duration,
        line: &[u8],
    ) -> Option<String> {
        if self.faults.down {
            self.faults.touched.dropped += 1;
            return None;
        }
        let calls = match parse(line) {
            Ok(Calls::Batch(calls)) if calls.len() > MAX_BATCH => Err(CallError::invalid_request()),
            parsed => parsed,
        };
        Some(match calls {
            Ok(Calls::Single(call)) => self.respond(session, node, now, call),
            Ok(Calls::Batch(calls)) => self.respond_to_batch(session, node, now, calls),
            Err(error) => failed(&Value::Null, &Failure::Call(error)),
        })
    }

    fn respond_to_batch(
        &mut self,
        session: &mut Session,
        node: &mut FullNode,
        now: Duration,
        calls: Vec<Call>,
    ) -> String {
        let mut batch = String::from("[");
        for call in calls {
            if batch.len() > 1 {
                batch.push(',');
            }
            if batch.len() < MAX_RESPONSE {
                batch.push_str(&self.respond(session, node, now, call));
            } else {
                let error = CallError::new(-101, "response too large (over 16 MiB)");
                batch.push_str(&failed(&call.id, &Failure::Call(error)));
            }
        }
        batch.push(']');
        batch
    }

    fn respond(&mut self, session: &mut Session, node: &mut FullNode, now: Duration, call: Call) -> String {
        let Call { id, method, params, .. } = call;
        match self.call(session, node, now, &method, params) {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string(),
            Err(failure) => failed(&id, &failure),
        }
    }

    fn call(
        &mut self,
        session: &mut Session,
        node: &mut FullNode,
        now: Duration,
        method: &str,
        value: Value,
    ) -> Result<Value, Failure> {
        if let Some(method) = method.strip_prefix("blockchain.scripthash.") {
            return script::call(self, session, node, method, value);
        }
        if let Some(method) = method.strip_prefix("blockchain.transaction.") {
            return transaction::call(self, node, now, method, value);
        }
        match method {
            "blockchain.block.header" => block::header(&self.view(node), value),
            "blockchain.block.headers" => block::headers(&self.view(node), value),
            "blockchain.estimatefee" => {
                let (blocks,): (u16,) = params(value)?;
                let estimate = self.config.estimates_fees.then(|| fee::estimate(node.mempool(), blocks));
                Ok(estimate.flatten().map_or(json!(-1), |rate| json!(fee::btc_per_kvb(rate))))
            }
            "blockchain.headers.subscribe" => {
                let (tip, answer) = block::tip(&self.view(node));
                session.tip = Some(tip);
                Ok(answer)
            }
            "blockchain.relayfee" => Ok(json!(fee::btc_per_kvb(node.mempool().policy().min_relay_fee_rate))),
            "mempool.get_fee_histogram" => Ok(fee::histogram(node.mempool())),
            "server.banner" => Ok(json!(self.config.banner)),
            "server.donation_address" | "server.ping" => Ok(Value::Null),
            "server.features" => Ok(version::features(&self.config, node)),
            "server.peers.subscribe" => Ok(json!([])),
            "server.version" => version::negotiate(&self.config, value),
            _ => Err(CallError::method_not_found().into()),
        }
    }

    /// What the server sees now, faults included.
    fn view<'a>(&'a mut self, node: &'a FullNode) -> View<'a> {
        View::new(node, &mut self.faults)
    }
}

fn failed(id: &Value, failure: &Failure) -> String {
    json!({"jsonrpc": "2.0", "id": id, "error": failure.to_value()}).to_string()
}

fn notification(method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string()
}

fn status_json(status: Option<bitcoin::hashes::sha256::Hash>) -> Value {
    status.map_or(Value::Null, |status| json!(status.to_string()))
}
