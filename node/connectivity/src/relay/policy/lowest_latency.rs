//! The lowest round-trip time, whatever else: what most programs do, and the baseline of every comparison.

use super::{Policy, View};

/// Chooses the lowest round-trip time.
#[derive(Debug)]
pub struct LowestLatency;

impl Policy for LowestLatency {
    fn name(&self) -> &'static str {
        "lowest_latency"
    }

    fn choose(&self, view: &View<'_>) -> Option<usize> {
        view.lowest(|candidate| view.rtt(candidate))
    }
}
