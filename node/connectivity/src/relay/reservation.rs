//! The home relay and its warm standbys: how a node behind a NAT stays reachable when a relay dies.
//!
//! One [`Machine`] holds reservations on the home relay and on `standbys` others that probably fail independently of it and of each
//! other (no address [prefix](crate::prefix) in common). All of them are announced, the home first: peers that know every circuit
//! lose none of their time when a relay dies. Each relay with a slot is in one state:
//!
//! | state | announced | what the machine does | leaves it by |
//! |---|---|---|---|
//! | asked | no | waits for [`ANSWER`], and asks another one as well after [`PATIENCE`] | `Granted`: held; `Refused`, `Lost`, the time: given up |
//! | held | yes | asks again between half and three quarters of the reservation's life | its time: renewing; `Lost`: given up; `Draining`: ending |
//! | renewing | yes | waits for [`ANSWER`] | `Granted`: held; `Refused`: ending; `Lost`, the time: given up |
//! | ending | yes | looks for another one; it is lent until the relay stops | enough others: leaving; its end: given up |
//! | leaving | no | keeps the reservation for [`LINGER`] for peers that still have the old addresses | the time: released |
//!
//! Given up: `Announce` without it in the same drain, another held relay is home, a replacement is asked for, and this one is left
//! alone for a back-off. A change of home to a better relay is made before it is broken.
//!
//! **Whom the policy chooses among.** Of the relays that can be asked those come first that answer their probes, of these the independent
//! ones, and of these the ones that failed least since they last granted. A policy sees numbers, and those of a dead relay are as good as they
//! were in its life.
//!
//! **Independence is a preference.** When all relays that could be asked share prefixes with those in use, one of them is asked all
//! the same, since a dependent standby is better than none; it is exchanged as soon as an independent relay can be had.

mod machine;
mod rest;
mod slot;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use machine::Machine;

use crate::prefix::Prefixes;
use crate::relay::policy::{Candidate, Parameters, Policy, Sticky};

/// Standbys at most: every one costs its relay a reservation and us a connection, and the third hardly ever helps.
pub const STANDBYS: usize = 8;

/// How long a relay may take to answer a request for a reservation, connection included.
pub const ANSWER: Duration = Duration::from_secs(10);

/// After how long without an answer another relay is asked as well: as long as connecting takes at a round-trip time of 400 ms.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Relays whose answer is overdue for [`PATIENCE`] and for which another one was asked, at most.
pub const LATE: usize = 2;

/// How long a reservation is kept after it is no longer announced: what was announced is remembered that long by many.
pub const LINGER: Duration = Duration::from_secs(30);

/// Relays that are being left, and relays that are ending, at most of each. The ones that would end first are released early.
pub const LEAVING: usize = 8;

/// The shortest life of a reservation that is of use: a quarter of it is left for the renewal to be answered.
pub const SHORTEST_LIFE: Duration = Duration::from_secs(60);

/// A longer life counts as this: whether the relay still keeps its promise is to be seen.
pub const LONGEST_LIFE: Duration = Duration::from_secs(6 * 60 * 60);

/// A longer notice of a drain counts as this.
pub const LONGEST_NOTICE: Duration = Duration::from_secs(24 * 60 * 60);

/// What an operator, or a sweep of the laboratory, decides.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Relays that are held beside the home relay, at most [`STANDBYS`].
    pub standbys: usize,
    /// How relays are chosen.
    pub policy: &'static dyn Policy,
    /// What the policy is told.
    pub parameters: Parameters,
    /// The mean time between two looks for a better home.
    pub reassess: Duration,
    /// The delay before a relay that failed is asked again, and its cap.
    pub retry: (Duration, Duration),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            standbys: 1,
            policy: &Sticky,
            parameters: Parameters::default(),
            reassess: Duration::from_secs(30),
            retry: (Duration::from_secs(5), Duration::from_secs(300)),
        }
    }
}

/// A relay that could be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Known<P> {
    /// The relay.
    pub relay: P,
    /// Where it is.
    pub prefixes: Prefixes,
    /// Whether it answered the last probe, or none was sent yet.
    pub answers: bool,
    /// What the policy is told of it.
    pub candidate: Candidate,
}

/// Why a relay was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// It refused.
    Refused,
    /// It did not answer.
    TimedOut,
    /// The connection to it is gone.
    Lost,
    /// It granted less than [`SHORTEST_LIFE`].
    TooShort,
    /// The reservation came to its end, or the relay to its announced stop.
    Ended,
}

/// Why there is another home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HomeReason {
    /// There was none.
    First,
    /// The home before was given up.
    Failed,
    /// The home before is about to stop.
    Ending,
    /// The policy prefers this one.
    Better,
}

impl HomeReason {
    /// The reason's name in events and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Failed => "failed",
            Self::Ending => "ending",
            Self::Better => "better",
        }
    }
}

/// For what a reservation is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// A new one.
    New,
    /// A longer life for one that is held.
    Renewal,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input<P> {
    /// The node is to be reachable through relays.
    Want,
    /// It need not be: everything is released.
    Unwant,
    /// The relays that could be used now; the first [`RELAYS`](super::estimate::RELAYS) count.
    Candidates(Vec<Known<P>>),
    /// A relay granted what was asked, or renewed what is held without having been asked.
    Granted {
        /// The relay.
        relay: P,
        /// For how long.
        life: Duration,
    },
    /// A relay refused what was asked.
    Refused {
        /// The relay.
        relay: P,
    },
    /// The connection to a relay, or the reservation on it, is gone.
    Lost {
        /// The relay.
        relay: P,
    },
    /// A relay says that it will stop.
    Draining {
        /// The relay.
        relay: P,
        /// After this time.
        within: Duration,
    },
    /// Our address changed: every reservation is renewed at once.
    Roamed,
    /// Time passed; nothing else happened.
    Tick,
}

/// What to do, or what to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output<P> {
    /// Ask the relay for a reservation. Answer with `Granted`, `Refused` or `Lost`.
    Reserve {
        /// The relay.
        relay: P,
        /// For what.
        purpose: Purpose,
    },
    /// Give the reservation up, or no longer ask for it. Needs no answer.
    Release {
        /// The relay.
        relay: P,
    },
    /// Announce circuits through these relays and no others, in this order.
    Announce {
        /// The relays, the home first.
        relays: Vec<P>,
    },
    /// Another relay is the home.
    Home {
        /// The home before.
        from: Option<P>,
        /// The home now.
        to: Option<P>,
        /// Why.
        reason: HomeReason,
    },
    /// A relay was given up.
    Failed {
        /// The relay.
        relay: P,
        /// Why.
        failure: Failure,
    },
    /// How many relays are held changed, and it is fewer than wanted while nobody else can be asked now.
    Short {
        /// How many are held.
        held: usize,
        /// How many are wanted.
        wanted: usize,
    },
}
