//! What is known of each relay, and when it is probed.
//!
//! | part | noun |
//! |---|---|
//! | [`Estimate`] | one relay: round-trip time, loss, reservation success, load |
//! | [`Machine`] | all of them: bounded, probed with jitter |
//!
//! | estimate | from | formula |
//! |---|---|---|
//! | round-trip time | answered probes | RFC 6298 ([`Rtt`](crate::rtt::Rtt)) |
//! | loss | probes answered and not | moving average with weight 1/16 |
//! | reservation success | grants `s` and refusals `f` | `(s + 1) / (s + f + 2)`, both halved when their sum reaches 16 |
//! | pressure, what we measure of its load | the three above | the largest of: how far the round-trip time is above its lowest of late, loss over [`LOSS_OF_OVERLOAD`], refusals; 1.0 of one that is gone |
//! | load | its report, pressure | below |
//!
//! **Silence.** A relay in use is asked again as soon as its answer is late: after `doubt = smoothed + 4 * variation` (RFC 6298), at
//! least [`SHORTEST_DOUBT`] and at most [`LONGEST_DOUBT`]. When neither question is answered within another `2 * doubt`, at least
//! [`SHORTEST_SILENCE`], the relay is [`Silent`](Output::Silent). Both questions go over a transport that sends lost packets again, so
//! that loss makes answers late and hardly ever keeps them all away.
//!
//! **Our link or the relay.** When no relay answers, it is more likely our own link that became slow, and to give all of them up would cut
//! us off. So with the second question others are asked as well (those in use, or the nearest other one), and as long as none of them
//! answers, the relay has all of [`PROBE_ANSWER`].
//!
//! **Load.** A report counts with the weight `w = credibility * (1 - age / `[`REPORT_LIFE`]`)`, the rest is [`UNKNOWN_LOAD`]; and the
//! result is never below the pressure: `max(pressure, w * reported + (1 - w) * unknown)`. A report that is below the pressure by more
//! than [`CONTRADICTION`] halves the relay's credibility, an uncontradicted one restores a sixteenth. So a relay that claims to be
//! idle while it stalls ends up as one that says nothing. To claim more load than there is costs only whoever claims it.

mod machine;
mod one;

use std::net::IpAddr;
use std::time::Duration;

pub use machine::Machine;
pub use one::Estimate;

use crate::prefix::PrefixLengths;

/// Relays that are kept in mind. More than anybody needs to choose from, and probing them stays cheap: 17 probes a minute.
pub const RELAYS: usize = 64;

/// Relays that are not in use and probed at the interval of those: a home that fails is replaced by a near one.
pub const NEAR: usize = 5;

/// How many times as long the interval of all others is. Every probe of them costs a connection.
pub const FAR: u32 = 5;

/// Relays of one prefix that are kept in mind, of those that were found: one network cannot fill the table.
pub const RELAYS_PER_PREFIX: usize = 4;

/// How long a report counts for anything.
pub const REPORT_LIFE: Duration = Duration::from_secs(120);

/// The load of a relay that says nothing: in the middle, so that silence neither pays nor costs.
pub const UNKNOWN_LOAD: f64 = 0.5;

/// How far a report may be below what is measured. Measuring from one place is coarse.
pub const CONTRADICTION: f64 = 0.3;

/// The loss that counts as a pressure of 1.0: nothing works through such a relay.
pub const LOSS_OF_OVERLOAD: f64 = 0.2;

/// How long the answer to a probe may take. Later ones count as lost.
pub const PROBE_ANSWER: Duration = Duration::from_secs(5);

/// The shortest time after which an answer counts as late, whatever the round-trip time. A lost packet costs a transport about that.
pub const SHORTEST_DOUBT: Duration = Duration::from_millis(250);

/// The longest such time, and that of a relay that was never measured.
pub const LONGEST_DOUBT: Duration = Duration::from_secs(1);

/// The shortest time that a relay in doubt has to answer the second question. A transport sends a lost packet several times meanwhile.
pub const SHORTEST_SILENCE: Duration = Duration::from_secs(1);

/// When relays are probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The mean interval of probes of a relay in use.
    pub in_use: Duration,
    /// The mean interval of probes of the [`NEAR`] nearest others; all that are farther away are probed at [`FAR`] times this.
    pub idle: Duration,
    /// Which addresses count as one network.
    pub prefixes: PrefixLengths,
}

impl Default for Settings {
    fn default() -> Self {
        // What a dead relay costs is up to one and a half intervals, and the time of its silence.
        Self { in_use: Duration::from_secs(2), idle: Duration::from_secs(60), prefixes: PrefixLengths::default() }
    }
}

/// How a relay became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// It was found, in the DHT say. Anybody can place any number of those there.
    Found,
    /// An operator named it. It is never displaced.
    Configured,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input<P> {
    /// A relay became known, or was confirmed.
    Learnt {
        /// The relay.
        relay: P,
        /// How.
        origin: Origin,
        /// The addresses at which it is.
        addresses: Vec<IpAddr>,
        /// The round-trip time that its region suggests.
        hint: Option<Duration>,
    },
    /// A relay is to be forgotten.
    Forgotten {
        /// The relay.
        relay: P,
    },
    /// A probe was answered.
    Answered {
        /// The relay.
        relay: P,
        /// After this time.
        rtt: Duration,
    },
    /// A probe could not be sent or was refused.
    Unanswered {
        /// The relay.
        relay: P,
    },
    /// The relay told its load.
    Reported {
        /// The relay.
        relay: P,
        /// From 0.0, idle, to 1.0, full. Anything else is taken as the nearer of the two.
        load: f64,
    },
    /// The relay granted a reservation.
    Granted {
        /// The relay.
        relay: P,
    },
    /// The relay refused a reservation, or did not answer.
    Refused {
        /// The relay.
        relay: P,
    },
    /// These relays are in use: they are probed often and never displaced.
    Uses {
        /// The relays.
        relays: Vec<P>,
    },
    /// Time passed; nothing else happened.
    Tick,
}

/// What to do, or what to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output<P> {
    /// Measure the round-trip time to the relay. Answer with `Answered` or `Unanswered`.
    Probe {
        /// The relay.
        relay: P,
    },
    /// A relay in use answers nothing: its connection is of no use any more.
    Silent {
        /// The relay.
        relay: P,
    },
    /// The relay was forgotten for another one.
    Displaced {
        /// The relay.
        relay: P,
    },
    /// There is no room for the relay: all of the table, or of its prefix, is in better use.
    Unplaced {
        /// The relay.
        relay: P,
    },
}
