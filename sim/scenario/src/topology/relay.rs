//! What the hosts of a topology are told about relays.

use std::time::Duration;

use darkswap_connectivity::relay::policy::Parameters;
use darkswap_connectivity::relay::{estimate, reservation};

use super::HostIndex;

/// How a host chooses its relays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelaySelection {
    /// The name of the policy: one of those in the registry.
    pub policy: &'static str,
    /// Relays that are held beside the home.
    pub standbys: usize,
    /// What the policy is told.
    pub parameters: Parameters,
    /// The mean interval of probes of a relay in use.
    pub probe_in_use: Duration,
    /// The mean interval of probes of every other relay.
    pub probe_idle: Duration,
    /// Whether relays are looked for in the distributed hash table as well.
    pub discovery: bool,
    /// What the host is told of where relays are.
    pub hints: Hints,
}

impl Default for RelaySelection {
    /// As in a node that is told nothing, but without the hash table: its share of the traffic would hide that of the choice.
    fn default() -> Self {
        let (reservation, probes) = (reservation::Settings::default(), estimate::Settings::default());
        Self {
            policy: reservation.policy.name(),
            standbys: reservation.standbys,
            parameters: reservation.parameters,
            probe_in_use: probes.in_use,
            probe_idle: probes.idle,
            discovery: false,
            hints: Hints::None,
        }
    }
}

/// What a host is told of where its relays are, before it measures anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Hints {
    /// Nothing.
    #[default]
    None,
    /// The round trip between its region and that of each relay, without access links.
    Regions,
}

/// How a relay breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Conduct {
    /// The load that it reports, whatever it carries, from 0.0 to 1.0; `None` for the truth, as far as there is any.
    pub report: Option<f64>,
    /// What it does about requests for reservations and circuits.
    pub hop: Hop,
}

/// What a relay does about requests for reservations and circuits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Hop {
    /// What it should.
    #[default]
    Serve,
    /// It refuses all of them.
    Refuse,
    /// It never answers.
    Stall,
    /// It answers with bytes that are no message.
    Garble,
    /// It grants reservations, and ends every circuit as soon as it is asked for.
    Drop,
    /// It opens circuits, and nothing that goes in comes out.
    Swallow,
    /// It opens circuits, and changes what passes.
    Corrupt,
}

impl Hop {
    /// What scenarios and records call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Refuse => "refuse",
            Self::Stall => "stall",
            Self::Garble => "garble",
            Self::Drop => "drop",
            Self::Swallow => "swallow",
            Self::Corrupt => "corrupt",
        }
    }
}

/// A time for which a host is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Absence {
    /// When it leaves.
    pub from: Duration,
    /// When it is back, if that is within the run.
    pub until: Option<Duration>,
    /// Who.
    pub host: HostIndex,
}
