//! The nearest relay that has room: latency decides among relays that are not busy.

use std::time::Duration;

use super::{Policy, View};

/// From this load on a relay counts as busy; above what is assumed of one that says nothing.
const BUSY: f64 = 0.75;
/// Added to the round-trip time of a busy relay: farther than any relay can be.
const FAR: Duration = Duration::from_secs(3_600);

/// Chooses the lowest round-trip time among the relays that are not busy, and among all of them when every relay is.
#[derive(Debug)]
pub struct NearestWithRoom;

impl Policy for NearestWithRoom {
    fn name(&self) -> &'static str {
        "nearest_with_room"
    }

    fn choose(&self, view: &View<'_>) -> Option<usize> {
        view.lowest(|relay| if relay.load < BUSY { view.rtt(relay) } else { view.rtt(relay) + FAR })
    }
}
