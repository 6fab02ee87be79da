//! What a relay of ours admits, what it counts, and how it drains.
//!
//! | question | admitted when |
//! |---|---|
//! | [`accept`](Server::accept) a connection | its prefix is within its pace |
//! | [`reserve`](Server::reserve) | the relay is not draining, the peer is within its pace, and there is room: in all, and for its prefix |
//! | [`connect`](Server::connect) a circuit | no drain is over, the peer is within its pace, the destination has a reservation, and there is room: in all, for each of the two peers, for the prefix of whoever opens it; its budget of bytes is not used up |
//! | [`carry`](Server::carry) bytes on it | the circuit, its opener and its opener's prefix are within their budgets; then at once, or as soon as their rates allow |
//!
//! Whoever opens a circuit pays for both of its directions: the other side did not choose it.
//!
//! Questions are methods with an answer, since who asks holds a stream open; what the relay does of its own comes from
//! [`poll`](Server::poll), by the law of all machines: drain it after every call.
//!
//! **Drain.** Nothing new is admitted. Those with a reservation are told in turn over the first half of the notice, so that they do
//! not all ask the same other relay at once, each with the time that is left. The relay stops when the last of them and the last
//! circuit have gone, or when the notice is over: then what is left is closed.

mod account;
mod machine;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use account::Account;
pub use machine::Server;
use thiserror::Error;

use crate::Time;
use crate::prefix::PrefixLengths;

/// Peers that are accounted for, at most. One without reservation and circuit that was seen longest ago makes room.
pub const ACCOUNTS: usize = 8_192;

/// Prefixes that are accounted for, at most; likewise.
pub const PREFIXES: usize = 4_096;

/// How long a budget of bytes holds.
pub const BUDGET_WINDOW: Duration = Duration::from_secs(3_600);

/// What may happen at once, and how often after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many at once.
    pub burst: u32,
    /// One more after each of these.
    pub interval: Duration,
}

/// What an operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Reservations in all. Each peer has one at most.
    pub reservations: usize,
    /// Reservations of one prefix.
    pub reservations_per_prefix: usize,
    /// How long a reservation lasts.
    pub reservation_life: Duration,
    /// How often one peer may ask for a reservation.
    pub requests: Pace,
    /// How often one peer may ask for a circuit: each costs its destination a stream.
    pub circuit_requests: Pace,
    /// Circuits in all.
    pub circuits: usize,
    /// Circuits of one peer, as either end. Enough for one that many want to reach and that can never be direct.
    pub circuits_per_peer: usize,
    /// Circuits that peers of one prefix opened.
    pub circuits_per_prefix: usize,
    /// How long a circuit lasts.
    pub circuit_life: Duration,
    /// Bytes of one circuit.
    pub circuit_bytes: u64,
    /// Bytes of one peer's circuits in an hour.
    pub peer_bytes: u64,
    /// Bytes of the circuits of one prefix in an hour.
    pub prefix_bytes: u64,
    /// Bytes per second of one peer's circuits.
    pub peer_rate: u64,
    /// Bytes per second of the circuits of one prefix.
    pub prefix_rate: u64,
    /// Bytes per second in all.
    pub rate: u64,
    /// How often connections of one prefix are accepted.
    pub accepts: Pace,
    /// Which addresses count as one network.
    pub prefixes: PrefixLengths,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reservations: 1_024,
            // Behind a carrier's NAT are more peers than a relay serves; half is left for everybody else.
            reservations_per_prefix: 512,
            // The specification's default.
            reservation_life: Duration::from_secs(3_600),
            // Enough for a peer that reconnects through a bad hour.
            requests: Pace { burst: 30, interval: Duration::from_secs(4) },
            circuit_requests: Pace { burst: 60, interval: Duration::from_secs(1) },
            circuits: 1_024,
            circuits_per_peer: 128,
            circuits_per_prefix: 512,
            circuit_life: Duration::from_secs(3_600),
            circuit_bytes: 1 << 30,
            peer_bytes: 4 << 30,
            prefix_bytes: 32 << 30,
            peer_rate: 4 << 20,
            prefix_rate: 32 << 20,
            rate: 64 << 20,
            // When a relay comes back, all peers behind a carrier's NAT do so at once.
            accepts: Pace { burst: 600, interval: Duration::from_millis(100) },
            prefixes: PrefixLengths::default(),
        }
    }
}

/// Why something is not admitted, or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Denied {
    /// The relay is about to stop.
    #[error("the relay is draining: ask another one")]
    Draining,
    /// Too often.
    #[error("asked too often: again at {ready:?}")]
    Pace {
        /// When the next one is admitted.
        ready: Time,
    },
    /// No reservation is left.
    #[error("found {limit} reservations, expected fewer: ask another relay")]
    Reservations {
        /// The limit.
        limit: usize,
    },
    /// None is left for the prefix.
    #[error("found {limit} reservations of this address prefix, expected fewer: ask another relay")]
    PrefixReservations {
        /// The limit.
        limit: usize,
    },
    /// The destination has no reservation.
    #[error("found no reservation of the destination, expected one: it is not reachable here")]
    NoReservation,
    /// No circuit is left.
    #[error("found {limit} circuits, expected fewer: ask another relay")]
    Circuits {
        /// The limit.
        limit: usize,
    },
    /// None is left for one of the two peers.
    #[error("found {limit} circuits of one peer, expected fewer: close one")]
    PeerCircuits {
        /// The limit.
        limit: usize,
    },
    /// None is left for the prefix.
    #[error("found {limit} circuits of this address prefix, expected fewer: ask another relay")]
    PrefixCircuits {
        /// The limit.
        limit: usize,
    },
    /// The circuit carried all that it may.
    #[error("carried {limit} bytes on this circuit: open another one, or become direct")]
    CircuitBytes {
        /// The limit.
        limit: u64,
    },
    /// The peer's circuits carried all that they may.
    #[error("carried {limit} bytes for this peer within an hour: try again later, or become direct")]
    PeerBytes {
        /// The limit.
        limit: u64,
    },
    /// The circuits of the prefix carried all that they may.
    #[error("carried {limit} bytes for this address prefix within an hour: try again later, or become direct")]
    PrefixBytes {
        /// The limit.
        limit: u64,
    },
    /// The circuit is as old as it may get.
    #[error("carried this circuit for {limit:?}: open another one, or become direct")]
    CircuitLife {
        /// The limit.
        limit: Duration,
    },
    /// There is no such circuit.
    #[error("found no such circuit: it has ended")]
    NoCircuit,
}

impl Denied {
    /// What was used up or missing, in a word for records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Pace { .. } => "pace",
            Self::Reservations { .. } => "reservations",
            Self::PrefixReservations { .. } => "prefix_reservations",
            Self::NoReservation => "no_reservation",
            Self::Circuits { .. } => "circuits",
            Self::PeerCircuits { .. } => "peer_circuits",
            Self::PrefixCircuits { .. } => "prefix_circuits",
            Self::CircuitBytes { .. } => "circuit_bytes",
            Self::PeerBytes { .. } => "peer_bytes",
            Self::PrefixBytes { .. } => "prefix_bytes",
            Self::CircuitLife { .. } => "circuit_life",
            Self::NoCircuit => "no_circuit",
        }
    }
}

/// A number for a circuit, unique in the life of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Circuit(pub u64);

/// What the relay does of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output<P> {
    /// Tell the peer that the relay stops.
    Notify {
        /// The peer.
        peer: P,
        /// After this time.
        within: Duration,
    },
    /// A reservation ended without being renewed.
    Expired {
        /// Whose.
        peer: P,
    },
    /// Close a circuit.
    Close {
        /// The circuit.
        circuit: Circuit,
        /// Why.
        reason: Denied,
    },
    /// The drain is over: the relay may stop.
    Drained {
        /// Circuits that were closed at its end.
        cut: usize,
    },
}
