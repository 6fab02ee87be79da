//! Messages to and from one peer: delivered once, or the sender is told.
//!
//! A sender numbers its messages within a session (one run of the node). [`Outbox`] retries until an acknowledgement or a
//! deadline; [`Inbox`] lets each number through once. Together they deliver a message at most once, over any number of
//! connections, and report every message that was not acknowledged. A receiver that restarts forgets its inbox.

mod inbox;
mod outbox;

use std::fmt;

pub use inbox::{Inbox, SESSIONS};
pub use outbox::{Outbox, Output, SubmitError};

/// How many sequence numbers an inbox remembers of a session, and how far a sender may run ahead of its oldest message that
/// waits for an acknowledgement. Equal on both sides, so a stale verdict cannot hit an honest sender.
pub const WINDOW: u64 = 1_024;

/// A sender's id for a message, unique for the sender and the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Random number of the sender's run.
    pub session: u64,
    /// Number of the message to this peer in that run, from 0.
    pub sequence: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.session, self.sequence)
    }
}
