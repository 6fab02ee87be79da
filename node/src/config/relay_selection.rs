//! How a node that others cannot dial chooses the relays through which they reach it.

use std::collections::BTreeMap;
use std::time::Duration;

use darkswap_connectivity::relay::policy::{Parameters, Policy};
use darkswap_connectivity::relay::{estimate, reservation};
use libp2p::PeerId;

/// The choice of relays: the policy, what it is told, and how much is held in reserve.
#[derive(Debug, Clone)]
pub struct RelaySelection {
    /// Which relay is the home.
    pub policy: &'static dyn Policy,
    /// What the policy is told.
    pub parameters: Parameters,
    /// Relays that are held beside the home, at most [`STANDBYS`](reservation::STANDBYS).
    pub standbys: usize,
    /// The mean interval of probes of a relay in use.
    pub probe_in_use: Duration,
    /// The mean interval of probes of every other relay.
    pub probe_idle: Duration,
    /// Whether relays are looked for in the DHT as well.
    pub discovery: bool,
    /// The round-trip times that the places of relays suggest.
    pub hints: BTreeMap<PeerId, Duration>,
}

impl Default for RelaySelection {
    fn default() -> Self {
        let (reservation, probes) = (reservation::Settings::default(), estimate::Settings::default());
        Self {
            policy: reservation.policy,
            parameters: reservation.parameters,
            standbys: reservation.standbys,
            probe_in_use: probes.in_use,
            probe_idle: probes.idle,
            discovery: true,
            hints: BTreeMap::new(),
        }
    }
}

impl PartialEq for RelaySelection {
    /// A policy is the same when its name is.
    fn eq(&self, other: &Self) -> bool {
        let rest = |it: &Self| (it.parameters, it.standbys, it.probe_in_use, it.probe_idle, it.discovery);
        self.policy.name() == other.policy.name() && rest(self) == rest(other) && self.hints == other.hints
    }
}
