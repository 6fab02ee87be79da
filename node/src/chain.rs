//! The chain, as Electrum servers tell it: answers to what a trader asks, without believing a server more than it proves.
//!
//! | module | noun |
//! |---|---|
//! | `desk` | the one task: a server at a time, what was asked, what is urgent |
//! | `servers` | which server to ask, and for how long not |
//! | `tls` | TLS, by issuer or by fingerprint |
//! | `connection` | questions and answers over one stream |
//! | `lines` | bytes to messages, bounded |
//! | `headers` | the chain with the most work, from a checkpoint on |
//! | `difficulty` | the difficulty and the time that a header has to have |
//! | `checkpoint` | where to begin, by network |
//! | `header_file` | headers on the disk |
//! | `tip` | which chain has the most work, and what it costs to be in its next blocks |
//! | `evidence` | transactions, histories and proofs, checked |
//! | `proof` | histories and merkle branches, judged by themselves |
//! | `transactions` | what was fetched already |
//! | `wallet` | answers to scans and syncs |
//! | `watch` | where a transaction is, and what spends the same |
//! | `coins` | unspent outputs with the assets on them |
//! | [`assets`] | the seam to an index of assets |
//! | `second_opinion` | what another server says of tip and broadcasts |
//!
//! # What is proven, and what is believed
//!
//! | fact | |
//! |---|---|
//! | a transaction is what its id says | proven |
//! | a transaction is in a block of the chain with the most work | proven, as far as `headers` says |
//! | a transaction waits; nothing spends an output; a history is complete | believed |
//! | the tip is the newest one | believed, and compared with another server's, if there is one |
//! | a broadcast went out | believed, and looked up at another server, if there is one |
//!
//! # Invariants
//! - What was asked is answered once it can be, by whatever server: a question outlives connections, and the time without any. Of a
//!   wallet's questions the newest of each kind is answered.
//! - Broadcasts, coins and watches do not wait for a wallet's scan.
//! - Every queue is bounded. Requests beyond a bound are [refused](Refused) to whoever asks; answers wait for the reader.
//!
//! Deliberately absent: servers found by peers.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{FeeRate, Network, Txid};
use darkswap_trader::chain::{ChainInput, ChainRequest};
use darkswap_wallet::bdk_chain::BlockId;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::config::ElectrumServer;
use crate::runtime::Runtime;

pub mod assets;
mod checkpoint;
mod coins;
mod connection;
mod desk;
mod difficulty;
mod evidence;
mod header_file;
mod headers;
mod lines;
mod misbehaviour;
mod proof;
mod second_opinion;
mod servers;
mod tip;
mod tls;
mod transactions;
mod wallet;
mod watch;

pub use assets::{AssetIndex, NoAssetIndex, Place};
pub use coins::MAX_COINS;
pub use headers::HeaderFault;
pub use misbehaviour::Misbehaviour;
pub use servers::{LAG_REST, MAX_SERVERS, MISBEHAVIOUR_REST};

/// Requests that wait for the task to take them; as many again wait inside of it.
pub const MAX_REQUESTS: usize = 256;

/// Answers that wait for their reader. The task waits while there are more.
pub const MAX_INPUTS: usize = 256;

/// Reports that wait for their reader; later ones are only logged.
pub const MAX_EVENTS: usize = 256;

/// Transactions watched at once: swaps under way, ten times what a busy maker has.
pub const MAX_WATCHES: usize = 4_096;

/// Scripts that are subscribed to on one connection, for wallet and watches; servers allow 50,000. Beyond them changes are
/// noticed at the next block.
pub const MAX_SCRIPTS: usize = 40_000;

/// What an operator decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainSettings {
    /// Whose rules headers follow.
    pub network: Network,
    /// The servers, in order of preference. At most [`MAX_SERVERS`] are used.
    pub servers: Vec<ElectrumServer>,
    /// A block that is in the chain for sure: headers are fetched and checked from there. Older ones, which a wallet may need, have
    /// to lead to it.
    pub checkpoint: BlockId,
    /// The file in which headers are kept; without one all are fetched again after a restart.
    pub headers: Option<PathBuf>,
    /// The lowest and the highest fee rate that is told, whatever a server estimates. The lowest is told where it does not.
    pub fee_rates: (FeeRate, FeeRate),
    /// Within how many blocks a transaction should confirm that pays the told fee rate.
    pub fee_target: u16,
    /// How often another server is asked for its tip.
    pub second_opinion: Duration,
}

impl ChainSettings {
    /// The settings of a network: everything is checked from the newest block on that is taken for granted.
    #[must_use]
    pub fn new(network: Network, servers: Vec<ElectrumServer>) -> Self {
        Self {
            network,
            servers,
            checkpoint: checkpoint::checkpoint(network),
            headers: None,
            fee_rates: (FeeRate::BROADCAST_MIN, FeeRate::from_sat_per_vb_u32(1_000)),
            fee_target: 3,
            second_opinion: Duration::from_secs(600),
        }
    }
}

/// What an operator may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainEvent {
    /// A server is asked from now on.
    Connected {
        /// Which.
        server: ElectrumServer,
    },
    /// A server is not asked any more, because of the world.
    Left {
        /// Which.
        server: ElectrumServer,
        /// Why.
        reason: String,
    },
    /// A server did what no correct one does; it is left alone for [`MISBEHAVIOUR_REST`], or for [`LAG_REST`] if it may be
    /// bad luck.
    Misbehaved {
        /// Which.
        server: ElectrumServer,
        /// What, with the evidence.
        misbehaviour: Misbehaviour,
        /// How often it did something of the kind so far.
        times: u32,
    },
    /// Blocks were replaced by others with more work.
    Reorganised {
        /// Which server showed them.
        server: ElectrumServer,
        /// The last height that both chains have.
        fork: u32,
        /// The last block before.
        from: BlockId,
        /// The last block now.
        to: BlockId,
    },
}

impl ChainEvent {
    /// The server that it is about.
    #[must_use]
    pub fn server(&self) -> &ElectrumServer {
        match self {
            Self::Connected { server }
            | Self::Left { server, .. }
            | Self::Misbehaved { server, .. }
            | Self::Reorganised { server, .. } => server,
        }
    }
}

/// The ends of the chain's task. It ends when [`requests`](Self::requests) or [`inputs`](Self::inputs) is dropped.
#[derive(Debug)]
pub struct ChainHandle {
    /// Where to ask.
    pub requests: Requests,
    /// Where answers come.
    pub inputs: mpsc::Receiver<ChainInput>,
    /// Where reports come. Nobody has to read them.
    pub events: mpsc::Receiver<ChainEvent>,
}

/// Where to ask.
#[derive(Debug)]
pub struct Requests {
    sender: mpsc::Sender<ChainRequest>,
    watched: BTreeSet<Txid>,
}

/// Why a request was not taken; it comes back.
#[derive(Debug, Error)]
pub enum Refused {
    /// Too many wait.
    #[error("{MAX_REQUESTS} requests wait for the chain already: ask again later")]
    Full(Box<ChainRequest>),
    /// Too many transactions are watched.
    #[error("{MAX_WATCHES} transactions are watched already: stop watching one first")]
    Watches(Box<ChainRequest>),
    /// The task is gone.
    #[error("the chain's task is gone: start the node again")]
    Gone(Box<ChainRequest>),
}

impl Requests {
    /// Asks. The answer comes by [`ChainHandle::inputs`].
    ///
    /// # Errors
    /// [`Refused`], with the request.
    pub fn send(&mut self, request: ChainRequest) -> Result<(), Refused> {
        let (watch, unwatch) = match &request {
            ChainRequest::Watch { txid, .. } => (Some(*txid), None),
            ChainRequest::Unwatch(txid) => (None, Some(*txid)),
            _ => (None, None),
        };
        if self.watched.len() >= MAX_WATCHES && watch.is_some_and(|txid| !self.watched.contains(&txid)) {
            return Err(Refused::Watches(Box::new(request)));
        }
        self.sender.try_send(request).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(request) => Refused::Full(Box::new(request)),
            mpsc::error::TrySendError::Closed(request) => Refused::Gone(Box::new(request)),
        })?;
        self.watched.extend(watch);
        if let Some(txid) = unwatch {
            self.watched.remove(&txid);
        }
        Ok(())
    }
}

/// Starts the chain's task. Without servers it says [`ChainInput::Down`] and refuses what can be refused.
#[must_use]
pub fn spawn(settings: ChainSettings, assets: Arc<dyn AssetIndex>, runtime: Arc<dyn Runtime>) -> ChainHandle {
    let (sender, requests) = mpsc::channel(MAX_REQUESTS);
    let (tell, inputs) = mpsc::channel(MAX_INPUTS);
    let (report, events) = mpsc::channel(MAX_EVENTS);
    let desk = desk::Desk::new(settings, assets, runtime.clone(), requests, tell, report);
    runtime.spawn("chain", Box::pin(desk.run()));
    ChainHandle { requests: Requests { sender, watched: BTreeSet::new() }, inputs, events }
}
