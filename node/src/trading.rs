//! Trading: the task that drives a trader, between the node's loop, the chain, the disk and the operator.
//!
//! | module | noun |
//! |---|---|
//! | `task` | the task: inputs to the trader, its outputs carried out in order |
//! | `link` | the queues between the node's loop and the task |
//! | `desk` | the operator's end: commands and their answers |
//! | `open` | a trader from its configuration |
//! | `key` | a trader's key and its peer id |
//! | `codec` | the two protocols of traders on a stream |
//! | `limits` | every bound of trading in the node |
//!
//! | who waits for whom | and when it is full |
//! |---|---|
//! | the loop for the task | never: gossip is ignored, a request gets no answer, and its sender repeats it |
//! | the task for the loop | as long as it takes |
//! | the task for the chain | never: what the chain does not take yet is asked again soon, in order |
//! | an operator for the task | as long as it takes |
//!
//! A node without `[trading]` has nothing of this. A trader whose disk fails stops, says so, and leaves the node running: what it may
//! have promised is on the disk and goes on when the node is started again.

pub(crate) mod codec;
mod desk;
pub(crate) mod key;
pub(crate) mod limits;
pub(crate) mod link;
mod open;
pub(crate) mod task;
#[cfg(test)]
mod tests;

use darkswap_trader::Time;
use darkswap_trader::chain::{ChainInput, ChainRequest};
use darkswap_trader::input::Input;
use darkswap_trader::output::Output;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::chain::{ChainEvent, Refused};
use crate::store::{Store, StoreError};

pub use desk::{Trading, TradingError};
pub use key::NotEd25519;
pub(crate) use open::open;

/// The gossip topic of order statements.
pub const ORDERS: &str = "darkswap/orders/1";

/// Why a node cannot trade.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in the store cannot be used.
    #[error("the state of trading cannot be used: {0}")]
    State(String),
    /// The identity is of another kind.
    #[error("{0}; make an Ed25519 identity with `darkswap init`")]
    Identity(#[from] NotEd25519),
}

/// What decides: a trader. Whoever tests traders against one that breaks the rules puts a machine of its own around the honest one
/// ([`Node::with_trader`](crate::Node::with_trader)).
pub trait Machine: Send + 'static {
    /// Takes note of what happened. [`poll`](Self::poll) is drained afterwards.
    fn handle(&mut self, now: Time, input: Input);
    /// What is to be done next, in order.
    fn poll(&mut self) -> Option<Output>;
    /// When [`Input::Tick`] is due if nothing else happens.
    fn deadline(&self) -> Option<Time>;
}

/// The chain, as the task sees it.
pub(crate) struct Chain {
    pub(crate) ask: Box<dyn FnMut(ChainRequest) -> Result<(), Refused> + Send>,
    pub(crate) inputs: mpsc::Receiver<ChainInput>,
    pub(crate) events: mpsc::Receiver<ChainEvent>,
}

/// Everything that a node needs to trade.
pub(crate) struct Parts {
    pub(crate) machine: Box<dyn Machine>,
    pub(crate) store: Store,
    pub(crate) chain: Chain,
}
