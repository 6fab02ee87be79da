//! What no correct Electrum server does, with the evidence.

use bitcoin::{BlockHash, Txid};
use thiserror::Error;

use super::headers::HeaderFault;
use super::lines::MAX_LINE;

/// What a server did that no correct one does. Evidence is in the fields.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Misbehaviour {
    /// A certificate that is not trusted.
    #[error(
        "found a certificate that is not trusted: {0}; if it is the right one nevertheless, pin it: add `#sha256=` and its \
         fingerprint to the server in `trading.electrum`"
    )]
    Certificate(String),
    /// A line without an end.
    #[error("found a line longer than {MAX_LINE} bytes")]
    Line,
    /// A line that is no message.
    #[error("found a line that is neither an answer nor a notification of JSON-RPC 2.0: {0}")]
    Message(String),
    /// An answer to nothing.
    #[error("found an answer to request {0}, which was not asked")]
    Unasked(u32),
    /// An answer that does not fit the question.
    #[error("found an answer to {method} that does not fit it: {found}")]
    Answer {
        /// The method asked for.
        method: String,
        /// What is wrong with the answer.
        found: String,
    },
    /// More notifications than there are subscriptions, in the time of one answer.
    #[error("found more notifications than were subscribed to")]
    Flood,
    /// Another transaction than was asked for.
    #[error("asked for transaction {asked}, found {found}")]
    Transaction {
        /// Asked for.
        asked: Txid,
        /// Answered.
        found: Txid,
    },
    /// A merkle branch that does not lead to the block.
    #[error("found a merkle proof for transaction {txid} that does not lead to the block of height {height}")]
    Proof {
        /// The transaction.
        txid: Txid,
        /// Where it is said to be.
        height: u32,
    },
    /// A header that cannot be in a chain.
    #[error("found a header of height {height} that cannot be there: {fault}")]
    Header {
        /// Its height.
        height: u32,
        /// Why not.
        fault: HeaderFault,
    },
    /// A chain without the checkpoint.
    #[error(
        "found a chain without block {expected} at height {height}: a server of another network, or of another chain"
    )]
    Checkpoint {
        /// The checkpoint's height.
        height: u32,
        /// Its hash.
        expected: BlockHash,
    },
    /// A tip with less work than others show.
    #[error("found a tip at height {found} where others show {known}: the server is behind")]
    Lagging {
        /// Its tip.
        found: u32,
        /// The best one.
        known: u32,
    },
    /// A tip beside the chain with the most work.
    #[error("found block {found} at height {height} where the chain with the most work has another")]
    OtherChain {
        /// The height.
        height: u32,
        /// What it says.
        found: BlockHash,
    },
    /// A history longer than anybody's.
    #[error("found a history of {found} transactions, expected at most {limit}")]
    History {
        /// Its length.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// It said that it broadcast, and others do not have it though they would take it.
    #[error("acknowledged transaction {0} and did not broadcast it")]
    Swallowed(Txid),
}

impl Misbehaviour {
    /// Its kind, as records and logs name it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "certificate",
            Self::Line => "line",
            Self::Message(_) => "message",
            Self::Unasked(_) => "unasked",
            Self::Answer { .. } => "answer",
            Self::Flood => "flood",
            Self::Transaction { .. } => "transaction",
            Self::Proof { .. } => "proof",
            Self::Header { .. } => "header",
            Self::Checkpoint { .. } => "checkpoint",
            Self::Lagging { .. } => "lagging",
            Self::OtherChain { .. } => "other_chain",
            Self::History { .. } => "history",
            Self::Swallowed(_) => "swallowed",
        }
    }

    /// Whether it may be bad luck: a server that is slow to learn of a block does no harm once it did, and a line may be
    /// long because a stranger made us ask for the history of an exchange.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::Lagging { .. } | Self::OtherChain { .. } | Self::Line)
    }
}

/// Why a connection, or what was asked over it, came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The world failed: no answer, no connection, or an error where none should be.
    Lost(String),
    /// The server said that it does not answer this question.
    Refused(String),
    /// The server is at fault.
    Misbehaved(Misbehaviour),
    /// The chain moved while it was asked about. Ask again.
    Moved,
    /// Whoever asked is gone.
    Stopped,
}

impl From<Misbehaviour> for Trouble {
    fn from(misbehaviour: Misbehaviour) -> Self {
        Self::Misbehaved(misbehaviour)
    }
}
