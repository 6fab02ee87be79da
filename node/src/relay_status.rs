//! What a node knows of one relay.

use std::time::Duration;

use libp2p::PeerId;

/// A relay that a node can choose, with what the choice goes by.
#[derive(Debug, Clone, PartialEq)]
pub struct RelayStatus {
    /// The relay.
    pub relay: PeerId,
    /// Whether an operator named it; else it was found in the DHT.
    pub configured: bool,
    /// What this node has of it.
    pub state: RelayState,
    /// The smoothed round-trip time, once a probe was answered.
    pub round_trip: Option<Duration>,
    /// The share of lost probes.
    pub loss: f64,
    /// The load that it told last.
    pub reported_load: Option<f64>,
    /// How far its reports are believed, 0.0 to 1.0: less after each that was contradicted by what is measured.
    pub credibility: f64,
    /// The load that is assumed: the reported one as far as it is believed, and what is measured.
    pub load: f64,
    /// How likely it grants a reservation.
    pub success: f64,
    /// What a round trip through it is expected to cost, by the parameters of the choice: the lower, the better.
    pub cost: Duration,
}

/// What a node has of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelayState {
    /// A reservation, and it is announced first.
    Home,
    /// A reservation that is announced.
    Standby,
    /// It was asked, or is being left.
    Changing,
    /// Nothing.
    Known,
}

impl RelayState {
    /// The state's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Standby => "standby",
            Self::Changing => "changing",
            Self::Known => "known",
        }
    }
}
