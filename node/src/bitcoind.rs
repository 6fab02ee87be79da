//! A client of bitcoind's JSON-RPC: blocks, what they spend, and transactions that wait.
//!
//! | part | noun |
//! |---|---|
//! | `connection` | one HTTP/1.1 connection through the seam, and a bounded answer over it |
//! | `login` | what the header `Authorization` says (RFC 7617) |
//! | `answer` | bodies to typed answers, checked as far as they prove themselves; pure |
//! | [`RpcError`] | why there is no answer, and what to do |
//!
//! # What is proven, and what is believed
//! A block is the one that its hash names, with all of its transactions and witnesses; a transaction is what its id says. Which block is at
//! a height, and what stood in the outputs that a block spends, is believed: bitcoind is the operator's own.
//!
//! # Invariants
//! - Whatever the other end says or does not say is a value or an [`RpcError`] within [`REQUEST`], and an answer is never longer than
//!   its bound, [`MAX_VERBOSE_BLOCK`] at most.
//! - One request at a time, over one connection, which is opened when it is needed and again when bitcoind has closed it.
//! - Requests only read, so one that finds its old connection gone is asked again.
//! - The password is never shown.
//!
//! Deliberately absent: TLS, which bitcoind does not speak (use it on the same host, or through a tunnel); batches; `txindex`, which
//! nothing here needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Block, BlockHash, OutPoint, Transaction, Txid};
use bytes::Bytes;
use darkswap_trade::rune::PreviousOutput;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::config::Bitcoind;
use crate::runtime::Runtime;

mod answer;
mod connection;
mod error;
mod login;

pub use answer::Tip;
pub use error::RpcError;

use answer::{Fault, code};
use connection::{Broken, Connection, Reply};

/// How long one request may take, with the connection it may need: a full block with what it spends takes a slow disk seconds.
pub const REQUEST: Duration = Duration::from_secs(60);

/// The longest answer in bytes where a few fields are expected: the warnings of `getblockchaininfo` are text.
pub const MAX_SHORT: usize = 64 << 10;

/// The longest block or transaction in bytes: 4 MB in hexadecimal, and what is around it.
pub const MAX_HEX: usize = 9 << 20;

/// The longest block in JSON with what it spends. A full one of today takes some 20 MB; this is three times as much.
pub const MAX_VERBOSE_BLOCK: usize = 64 << 20;

/// A client. Clones share one connection and wait for each other.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    bitcoind: Bitcoind,
    runtime: Arc<dyn Runtime>,
    /// Not there before the first request and while one is under way: one that is given up takes its connection with it.
    connection: Mutex<Option<Connection>>,
}

/// Never shows the login.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.shared.bitcoind.address).finish_non_exhaustive()
    }
}

/// What is asked.
#[derive(Debug)]
struct Question {
    method: &'static str,
    params: Value,
    /// The longest answer in bytes.
    limit: usize,
}

impl Client {
    /// A client of a bitcoind. It connects when it is asked.
    #[must_use]
    pub fn new(bitcoind: Bitcoind, runtime: Arc<dyn Runtime>) -> Self {
        Self { shared: Arc::new(Shared { bitcoind, runtime, connection: Mutex::new(None) }) }
    }

    /// The newest block of the chain with the most work that bitcoind has checked (`getblockchaininfo`).
    ///
    /// # Errors
    /// [`RpcError`].
    pub async fn tip(&self) -> Result<Tip, RpcError> {
        let question = Question { method: "getblockchaininfo", params: json!([]), limit: MAX_SHORT };
        self.ask(question, answer::tip).await
    }

    /// The block at a height (`getblockhash`); none above the tip.
    ///
    /// # Errors
    /// [`RpcError`].
    pub async fn block_hash(&self, height: u32) -> Result<Option<BlockHash>, RpcError> {
        let question = Question { method: "getblockhash", params: json!([height]), limit: MAX_SHORT };
        none_for(code::INVALID_PARAMETER, self.ask(question, answer::block_hash).await)
    }

    /// A block (`getblock` with verbosity 0), also one of a chain that lost.
    ///
    /// # Errors
    /// [`RpcError`]: [`RpcError::Pruned`] when bitcoind has deleted it, [`RpcError::Malformed`] when it is not the block with this hash.
    pub async fn block(&self, hash: BlockHash) -> Result<Block, RpcError> {
        let question = Question { method: "getblock", params: json!([hash, 0]), limit: MAX_HEX };
        pruned(hash, self.ask(question, |body| answer::block(body, hash)).await)
    }

    /// The outputs that a block spends (`getblock` with verbosity 3, which bitcoind knows since version 23): of each that is wanted, the
    /// script and the height of its block.
    ///
    /// # Errors
    /// [`RpcError`]: [`RpcError::Malformed`] when bitcoind does not tell of all that are wanted.
    pub async fn previous_outputs(
        &self,
        hash: BlockHash,
        wanted: &BTreeSet<OutPoint>,
    ) -> Result<BTreeMap<OutPoint, PreviousOutput>, RpcError> {
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let question = Question { method: "getblock", params: json!([hash, 3]), limit: MAX_VERBOSE_BLOCK };
        pruned(hash, self.ask(question, |body| answer::previous_outputs(body, hash, wanted)).await)
    }

    /// A transaction that waits in bitcoind's mempool (`getrawtransaction` with verbosity 1); none when it is in a block, or nowhere.
    ///
    /// # Errors
    /// [`RpcError`].
    pub async fn waiting(&self, txid: Txid) -> Result<Option<Transaction>, RpcError> {
        let question = Question { method: "getrawtransaction", params: json!([txid, 1]), limit: MAX_HEX };
        let answer = self.ask(question, |body| answer::waiting(body, txid)).await;
        Ok(none_for(code::INVALID_ADDRESS_OR_KEY, answer)?.flatten())
    }

    async fn ask<T>(&self, question: Question, read: impl FnOnce(&[u8]) -> Result<T, Fault>) -> Result<T, RpcError> {
        let method = question.method;
        let mut slot = self.shared.connection.lock().await;
        let exchange = timeout(REQUEST, self.exchange(&mut slot, &question)).await;
        drop(slot);
        let reply = exchange.map_err(|_| RpcError::Timeout { method, after: REQUEST })??;
        match read(&reply.body) {
            Ok(answer) => Ok(answer),
            Err(Fault::Refused { code: code::IN_WARMUP, message }) => Err(RpcError::Starting { message }),
            Err(Fault::Refused { code, message }) => Err(RpcError::Refused { method, code, message }),
            Err(Fault::Malformed { found, expected }) => {
                let found = if reply.succeeded { found } else { format!("an error of HTTP with {found}") };
                Err(RpcError::Malformed { method, found, expected })
            }
        }
    }

    /// One request over the kept connection, or over a new one if bitcoind has closed it, as it does after some silence.
    async fn exchange(&self, slot: &mut Option<Connection>, question: &Question) -> Result<Reply, RpcError> {
        let Question { method, params, limit } = question;
        // Requests and answers alternate on a connection, so nothing is told apart by the id.
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": method, "params": params});
        let body = Bytes::from(body.to_string());
        if let Some(mut kept) = slot.take() {
            match kept.post(body.clone(), *limit).await {
                Ok(reply) => return self.accept(slot, kept, reply, method),
                Err(Broken::Lost(_)) => {}
                Err(broken) => return Err(self.broken(broken, question)),
            }
        }
        let mut fresh = Connection::open(&*self.shared.runtime, &self.shared.bitcoind).await?;
        match fresh.post(body, *limit).await {
            Ok(reply) => self.accept(slot, fresh, reply, method),
            Err(broken) => Err(self.broken(broken, question)),
        }
    }

    /// Sorts what HTTP says out, and keeps the connection where it is of further use.
    fn accept(
        &self,
        slot: &mut Option<Connection>,
        connection: Connection,
        reply: Reply,
        method: &'static str,
    ) -> Result<Reply, RpcError> {
        let address = || self.shared.bitcoind.address.clone();
        match reply.status {
            401 => return Err(RpcError::Login { address: address(), login: connection.login().to_owned() }),
            403 => return Err(RpcError::Forbidden { address: address() }),
            503 => return Err(RpcError::Busy { address: address() }),
            // Before version 2.0 of JSON-RPC, bitcoind says in the status that a call failed, and the body says why.
            200 | 400 | 404 | 500 => {}
            status => {
                let found = format!("the HTTP status {status}");
                return Err(RpcError::Malformed { method, found, expected: "200, or one of bitcoind's errors" });
            }
        }
        *slot = Some(connection);
        Ok(reply)
    }

    fn broken(&self, broken: Broken, question: &Question) -> RpcError {
        let Question { method, limit, .. } = *question;
        match broken {
            Broken::Lost(reason) => RpcError::Unreachable { address: self.shared.bitcoind.address.clone(), reason },
            Broken::TooLarge => RpcError::TooLarge { method, limit },
            Broken::NoHttp(found) => RpcError::Malformed { method, found, expected: "an answer in HTTP/1.1" },
        }
    }
}

/// Takes a refusal with this code for the answer that there is none.
fn none_for<T>(code: i64, answer: Result<T, RpcError>) -> Result<Option<T>, RpcError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(RpcError::Refused { code: found, .. }) if found == code => Ok(None),
        Err(error) => Err(error),
    }
}

/// bitcoind has no code of its own for a block that it deleted.
fn pruned<T>(hash: BlockHash, answer: Result<T, RpcError>) -> Result<T, RpcError> {
    answer.map_err(|error| match error {
        RpcError::Refused { code: code::MISC, message, .. } if message.contains("pruned data") => {
            RpcError::Pruned { hash }
        }
        error => error,
    })
}
