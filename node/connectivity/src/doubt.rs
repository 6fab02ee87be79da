//! When a connection on which answers are late is doubted, and when it is given up: in seconds, where a transport's idle time-out
//! takes tens of them.
//!
//! One [`Machine`] per peer. It knows which requests to the peer wait for an answer, but not on which connection they went, so a late
//! answer puts a question to every connection on which nothing was heard since. A connection is in one state:
//!
//! | state | leaves it by |
//! |---|---|
//! | trusted | a request without an answer and silence for [`LATE`] or twice the RTO: a `Probe` goes out: asked |
//! | asked | `Heard`: trusted; [`ANSWER`] or twice the RTO: `Doubted`, another `Probe`: doubted |
//! | doubted | `Heard`: `Cleared`, trusted; another connection that works: `Dead`; more probes meanwhile, with growing pauses |
//!
//! The retransmission time-out (RTO) is that of RFC 6298, section 2, of each connection. Transports below repeat what is lost after
//! about one of it, so that twice of it, twice, is above what loss alone makes likely.
//!
//! **Large requests** fill the way for both directions' answers and probes. A request gets the time that all of what waits takes at
//! [`RATE`] on top. What the peer sends at the same time is not known here; whoever sees its bytes should report them as `Heard`.
//!
//! **False alarms** may follow each other. Within [`CALM`] of one that was cleared, or of two others, every time is doubled, and again
//! with each further one, up to [`LONGEST`]. One death does not make the next one go unnoticed for longer.
//!
//! **A doubted connection is not closed for its silence alone.** Without another way the network may be interrupted, and a connection
//! that outlives the interruption is worth more than a new one: transports give up by themselves. A new connection replaces one of its
//! kind or a worse one at once; a better one gets another chance to answer.

mod machine;
#[cfg(test)]
mod tests;

use std::time::Duration;

use darkswap_core::path::{ConnectionKey, PathKind};
pub use machine::Machine;

/// The shortest time after which an answer is late: above a hiccup of a radio link or of a busy peer.
pub const LATE: Duration = Duration::from_secs(1);

/// The shortest time that a probe gets.
pub const ANSWER: Duration = Duration::from_millis(500);

/// The longest of both, whatever round-trip times were measured.
pub const LONGEST: Duration = Duration::from_secs(6);

/// The longest pause between two probes of a doubted connection.
pub const PAUSE: Duration = Duration::from_secs(4);

/// The slowest way on which large requests are not taken for lost, in bytes per second.
pub const RATE: u32 = 64 << 10;

/// How long an alarm makes further ones less likely.
pub const CALM: Duration = Duration::from_secs(60);

/// Requests that are watched. The oldest decide, so more would change nothing.
pub const REQUESTS: usize = 64;

/// Connections that are watched: more than a pool takes note of.
pub const CONNECTIONS: usize = 16;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<R> {
    /// A connection was opened. Of one that watches itself (ICE does) nothing is told to this machine.
    Opened {
        /// Its number.
        connection: ConnectionKey,
        /// Its kind.
        kind: PathKind,
    },
    /// A connection ended.
    Closed {
        /// Its number.
        connection: ConnectionKey,
    },
    /// Something that the peer answers at once was sent.
    Asked {
        /// Its number.
        request: R,
        /// Its size in bytes.
        size: usize,
    },
    /// It was answered, or is not waited for any more.
    Ended {
        /// Its number.
        request: R,
    },
    /// Something arrived.
    Heard {
        /// On this connection.
        connection: ConnectionKey,
    },
    /// Something arrived, and this long after what it answers.
    RoundTrip {
        /// On this connection.
        connection: ConnectionKey,
        /// The sample.
        elapsed: Duration,
    },
    /// Our address changed: nobody knows which connection survived.
    Roamed,
    /// Time passed; nothing else happened.
    Tick,
}

/// What to do, or what to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Send something on this connection that the peer answers at once.
    Probe {
        /// Its number.
        connection: ConnectionKey,
    },
    /// The connection does not answer: look for another way, but keep it.
    Doubted {
        /// Its number.
        connection: ConnectionKey,
        /// Time since something arrived on it.
        silent: Duration,
    },
    /// A doubted connection answers again.
    Cleared {
        /// Its number.
        connection: ConnectionKey,
    },
    /// Another connection works, and this one does not: close it. It is not watched any more.
    Dead {
        /// Its number.
        connection: ConnectionKey,
        /// Time since something arrived on it.
        silent: Duration,
    },
}
