//! Round-trip time times load: the near relay is taken until it is busy.

use super::{Policy, View};

/// Chooses the lowest [cost](super::cost).
#[derive(Debug)]
pub struct LatencyTimesLoad;

impl Policy for LatencyTimesLoad {
    fn name(&self) -> &'static str {
        "latency_x_load"
    }

    fn choose(&self, view: &View<'_>) -> Option<usize> {
        view.lowest(|candidate| view.cost(candidate))
    }
}
