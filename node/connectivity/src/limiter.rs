//! Who may go, who waits, in which order and how long; and how many bytes may pass.
//!
//! | part | noun |
//! |---|---|
//! | [`Machine`] | work that runs at once is bounded; the rest waits in a bounded queue, by priority |
//! | [`bandwidth`] | bytes per second of each connection and of the node, by the time of day |
//!
//! **Order.** A free place goes to the oldest of the highest [`Priority`] that waits, except that a class which was passed over
//! [`PATIENCE`] times in a row goes first. So trades do not wait for chat, and chat still moves: of `PATIENCE + 2` places in a
//! row, a class of which somebody could go gets one. Within a class nobody who could go is overtaken.
//!
//! **Kept places.** Work that a dead peer will never answer holds its place for long. Places that only trades may use let a trade
//! go at once however many others are stuck; it waits for other trades only.
//!
//! **Floods.** Each peer has a bound of its own, on what waits and on what runs, so that one peer's flood ends in refusals for that
//! peer while others pass it by. When the queue is full all the same, the youngest of the lowest class gives way to a higher one.

pub mod bandwidth;
mod machine;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use machine::Machine;
use thiserror::Error;

/// How often a class that waits is passed over in a row.
pub const PATIENCE: u32 = 8;

/// What an operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What runs at once.
    pub running: usize,
    /// What runs at once for one peer.
    pub running_per_peer: usize,
    /// Of what runs at once, what only trades may use.
    pub kept: usize,
    /// The same for one peer.
    pub kept_per_peer: usize,
    /// What waits.
    pub waiting: usize,
    /// What waits for one peer.
    pub waiting_per_peer: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { running: 64, running_per_peer: 8, kept: 0, kept_per_peer: 0, waiting: 1_024, waiting_per_peer: 64 }
    }
}

/// What goes first. A higher one compares greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// What may take as long as it likes: gossip history, files.
    Bulk,
    /// What a person waits for.
    Chat,
    /// What costs money when it is late.
    Trade,
}

impl Priority {
    /// Every class, the lowest first.
    pub const ALL: [Self; 3] = [Self::Bulk, Self::Chat, Self::Trade];
}

/// A number for one `Ask`, unique in the life of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Why work may not go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum RefusalReason {
    /// Everything is in use, and nothing lower waits.
    #[error("found {limit} waiting, expected fewer: try again later")]
    QueueFull {
        /// The bound.
        limit: usize,
    },
    /// This peer's share of the queue is in use.
    #[error("found {limit} waiting for this peer, expected fewer: try again when some of them are done")]
    PeerFull {
        /// The bound.
        limit: usize,
    },
    /// It waited, and something more urgent took its place.
    #[error("gave way to something more urgent: try again later")]
    Displaced,
    /// It waited for as long as it was to.
    #[error("found no free place within {within:?}: try again later, or allow more time")]
    TimedOut {
        /// How long that was.
        within: Duration,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<P> {
    /// Something wants to go. It is admitted or refused, once.
    Ask {
        /// Its number.
        ticket: Ticket,
        /// With whom.
        peer: P,
        /// How urgent it is.
        priority: Priority,
        /// How long it waits.
        within: Duration,
    },
    /// Something admitted is done, or something that waits no longer wants to go.
    Done {
        /// Its number.
        ticket: Ticket,
    },
    /// Time passed; nothing else happened.
    Tick,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// It may go. Answer with `Done`.
    Admit {
        /// Its number.
        ticket: Ticket,
    },
    /// It may not.
    Refuse {
        /// Its number.
        ticket: Ticket,
        /// Why.
        reason: RefusalReason,
    },
}
