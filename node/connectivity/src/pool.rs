//! The pool: one entry per peer, one dial per peer however many ask, and the best connection for each who asks.
//!
//! An entry in the [`Machine`] is in one state:
//!
//! | state | dropped for room | leaves it by |
//! |---|---|---|
//! | dialling | no | `Opened`: every waiter is answered; `DialFailed`, [`DIAL`]: every waiter is told |
//! | busy: somebody holds a ticket for one of its connections | no | `Return` of the last ticket: idle |
//! | pinned, by us | no | `Unpin`: idle |
//! | idle | yes, the least recently used first, those that nobody here ever asked for before all others | `Get`: busy; the idle time-out, if it was asked for here: closed |
//!
//! **Which connection** answers: a direct one before a relayed one; of direct ones the oldest, of relayed ones the newest, which are
//! those that the [path machine](darkswap_core::path) keeps. Whoever holds a ticket for a relayed connection keeps it; a `Get` after
//! the upgrade gets the direct one. The pool closes peers as a whole; which of several connections to one peer is surplus is for the
//! path machine to say.
//!
//! **Strangers.** A connection that a peer opened never pushes out an entry that was asked for here: a flood finds room among other
//! strangers, or is closed. Without need of the room it is not closed for being idle: whoever opened it knows what for.

mod machine;
#[cfg(test)]
mod tests;

use std::time::Duration;

use darkswap_core::path::{ConnectionKey, PathKind};
pub use machine::Machine;
use thiserror::Error;

/// How long a dial may take, relay and hole punch included. After it, its waiters are told and another dial is possible.
pub const DIAL: Duration = Duration::from_secs(60);

/// Connections of one peer, at most: a direct and a relayed one of each direction, twice. More
/// are not taken note of, and nobody is given one of them.
pub const CONNECTIONS: usize = 8;

/// What an operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Entries at most.
    pub peers: usize,
    /// Tickets at most, waiting and in use together. Each is a task somewhere in this node.
    pub tickets: usize,
    /// How long an entry that was asked for here is kept when nobody uses it.
    pub idle: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { peers: 1_024, tickets: 4_096, idle: Duration::from_secs(120) }
    }
}

/// A number for one `Get`, unique in the life of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A connection that was found or made for a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The connection.
    pub connection: ConnectionKey,
    /// Its kind.
    pub kind: PathKind,
}

/// Why there is no connection for a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum GetError {
    /// Every entry is busy, pinned or dialling.
    #[error("found all {limit} connections of the pool in use, expected an idle one: try again, or raise the limit")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// Too many wait already.
    #[error("found {limit} tickets out, expected fewer: return some, or raise the limit")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The peer could not be reached.
    #[error("the peer could not be reached: is it online, and are its addresses known?")]
    Unreachable,
    /// The time that the caller gave is over.
    #[error("found no connection within {within:?}: the dial goes on, try again")]
    TimedOut {
        /// What was given.
        within: Duration,
    },
    /// The pool was told to drop the peer.
    #[error("the peer was dropped while it was dialled")]
    Dropped,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<P> {
    /// Somebody needs a connection to the peer. Each ticket is answered once.
    Get {
        /// The peer.
        peer: P,
        /// The caller's number.
        ticket: Ticket,
        /// How long the caller waits.
        within: Duration,
    },
    /// A ticket is given back: answered and no longer used, or no longer waited for.
    Return {
        /// The ticket.
        ticket: Ticket,
    },
    /// The peer's entry is kept, whether somebody uses it or not: a swap is under way, say.
    Pin {
        /// The peer.
        peer: P,
        /// Whether that is for something of ours, which counts as asking for it. What others want of this node (a circuit through
        /// it, say) leaves a stranger a stranger.
        asked: bool,
    },
    /// It need not be kept any more.
    Unpin {
        /// The peer.
        peer: P,
    },
    /// Something came from the peer, or went to it: it is not idle yet.
    Used {
        /// The peer.
        peer: P,
    },
    /// A connection was opened, by either side.
    Opened {
        /// To this peer.
        peer: P,
        /// Its number.
        connection: ConnectionKey,
        /// Its kind.
        kind: PathKind,
    },
    /// A connection ended.
    Closed {
        /// To this peer.
        peer: P,
        /// Its number.
        connection: ConnectionKey,
    },
    /// A dial ended without a connection.
    DialFailed {
        /// To this peer.
        peer: P,
    },
    /// The peer misbehaved: whatever there is with it ends.
    Drop {
        /// The peer.
        peer: P,
    },
    /// Time passed; nothing else happened.
    Tick,
}

/// How an entry is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Usage {
    /// Nobody uses it.
    Idle,
    /// It is dialled, or somebody holds a ticket.
    Busy,
    /// It is kept.
    Pinned,
}

impl Usage {
    /// The word for it in tables and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Pinned => "pinned",
        }
    }
}

/// Why a peer is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// Nobody used it for long.
    Idle,
    /// Another peer needed the room.
    Pruned,
    /// There was no room for it.
    NoRoom,
    /// It misbehaved, or is not wanted any more.
    Dropped,
}

impl CloseReason {
    /// The word for it in events and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Pruned => "pruned",
            Self::NoRoom => "no_room",
            Self::Dropped => "dropped",
        }
    }
}

/// What to do, or what to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output<P> {
    /// Get a path to the peer. Answer with `Opened` or `DialFailed`.
    Dial {
        /// The peer.
        peer: P,
    },
    /// Stop dialling the peer. Needs no answer.
    Abandon {
        /// The peer.
        peer: P,
    },
    /// Close every connection to the peer.
    Close {
        /// The peer.
        peer: P,
        /// Why.
        reason: CloseReason,
    },
    /// Here is the answer for a ticket. A lease is held until the ticket is returned.
    Answer {
        /// The ticket.
        ticket: Ticket,
        /// What came of it.
        result: Result<Lease, GetError>,
    },
    /// The connection of a lease is gone. The ticket counts as returned.
    Broken {
        /// The ticket.
        ticket: Ticket,
    },
}
