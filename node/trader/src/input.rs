//! What happens.

use bytes::Bytes;
use darkswap_trade::order::TraderKey;

use crate::chain::ChainInput;
use crate::command::Command;

/// What happens.
#[derive(Debug)]
pub enum Input {
    /// An order's statement came by gossip. Answered by [`Output::Verdict`](crate::output::Output::Verdict).
    Statement {
        /// Comes back with the verdict.
        token: u64,
        /// Who passed it on, which need not be its maker.
        from: TraderKey,
        /// The statement as its maker signed it.
        bytes: Bytes,
    },
    /// A peer said something in a swap.
    Message {
        /// Who, authenticated by the connection.
        from: TraderKey,
        /// What.
        bytes: Bytes,
    },
    /// There is a path to a trader.
    Connected(TraderKey),
    /// There is none any more.
    Disconnected(TraderKey),
    /// A peer asks a step of reconciliation. Answered by [`Output::SyncAnswer`](crate::output::Output::SyncAnswer).
    SyncRequest {
        /// Comes back with the answer.
        token: u64,
        /// Who.
        from: TraderKey,
        /// What.
        bytes: Bytes,
    },
    /// A peer's answer to [`Output::SyncAsk`](crate::output::Output::SyncAsk); none when it did not.
    SyncAnswered {
        /// From the request.
        token: u64,
        /// What.
        bytes: Option<Bytes>,
    },
    /// From the chain.
    Chain(ChainInput),
    /// From the operator. Answered by [`Output::Answer`](crate::output::Output::Answer), at once or later.
    Command {
        /// Comes back with the answer.
        token: u64,
        /// What.
        command: Command,
    },
    /// Time passed; nothing else happened.
    Tick,
}
