//! What a node answers of its relays.

use libp2p::PeerId;
use serde::{Deserialize, Serialize};

use super::text;
use crate::relay_status::RelayStatus;

/// A relay that the node can choose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RelayReport {
    /// The relay.
    #[serde(with = "text")]
    pub relay: PeerId,
    /// `configured` or `found`.
    pub origin: String,
    /// `home`, `standby`, `changing` or `known`.
    pub state: String,
    /// The smoothed round-trip time; `null` until a probe was answered.
    pub round_trip_seconds: Option<f64>,
    /// The share of lost probes, 0 to 1.
    pub loss: f64,
    /// The load that it told last, 0 to 1; `null` when it tells none.
    pub reported_load: Option<f64>,
    /// How far its reports are believed, 0 to 1: less after each that was contradicted by what is measured.
    #[serde(default = "whole")]
    pub credibility: f64,
    /// The load that is assumed, 0 to 1.
    pub load: f64,
    /// How likely it grants a reservation, 0 to 1.
    pub success: f64,
    /// What a round trip through it is expected to cost, with load, loss and refusals: the lower, the better.
    pub cost_seconds: f64,
}

/// What a node that does not tell thinks of every relay, as far as anybody knows.
fn whole() -> f64 {
    1.0
}

impl From<RelayStatus> for RelayReport {
    fn from(status: RelayStatus) -> Self {
        Self {
            relay: status.relay,
            origin: if status.configured { "configured" } else { "found" }.to_owned(),
            state: status.state.name().to_owned(),
            round_trip_seconds: status.round_trip.map(|time| time.as_secs_f64()),
            loss: status.loss,
            reported_load: status.reported_load,
            credibility: status.credibility,
            load: status.load,
            success: status.success,
            cost_seconds: status.cost.as_secs_f64(),
        }
    }
}
