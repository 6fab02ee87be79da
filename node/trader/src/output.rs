//! What to do, in order.

use bytes::Bytes;
use darkswap_trade::order::TraderKey;

use crate::chain::ChainRequest;
use crate::command::{CommandError, Reply};
use crate::store::Write;

/// Whether gossip is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is valid and new: pass it on.
    Accept,
    /// It is stale, known, or beyond a bound of this node: do not pass it on; nobody is to blame.
    Ignore,
    /// It is malformed or forged: do not pass it on, and count it against whoever passed it here.
    Reject,
}

/// What to do, in order: a [`Persist`](Self::Persist) is durable before anything after it is carried out.
#[derive(Debug)]
pub enum Output {
    /// Write all of these, or none.
    Persist(Vec<Write>),
    /// Publish an order's statement.
    Publish(Bytes),
    /// Answer gossip.
    Verdict {
        /// From the input.
        token: u64,
        /// What.
        verdict: Verdict,
    },
    /// Make a path to a trader and keep it.
    Connect(TraderKey),
    /// The path to a trader is not needed any more.
    Release(TraderKey),
    /// Send in a swap, once, if there is a path; the swap repeats what matters.
    Send {
        /// To whom.
        to: TraderKey,
        /// What.
        bytes: Bytes,
    },
    /// Ask a peer a step of reconciliation.
    SyncAsk {
        /// Comes back with the answer.
        token: u64,
        /// Whom.
        to: TraderKey,
        /// What.
        bytes: Bytes,
    },
    /// Answer a peer's step; none refuses it.
    SyncAnswer {
        /// From the input.
        token: u64,
        /// What.
        bytes: Option<Bytes>,
    },
    /// Ask the chain.
    Chain(ChainRequest),
    /// Answer the operator.
    Answer {
        /// From the input.
        token: u64,
        /// What came of it.
        outcome: Result<Reply, CommandError>,
    },
    /// Report.
    Event(crate::command::TradeEvent),
}
