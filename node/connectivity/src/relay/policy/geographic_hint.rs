//! The nearest region: good before anything was measured, and steady after.

use super::{Policy, View};

/// Chooses the lowest mix of the measured round-trip time and the one that the relay's region suggests:
/// `hint_weight * hint + (1 - hint_weight) * rtt`, or the one of them that is known.
#[derive(Debug)]
pub struct GeographicHint;

impl Policy for GeographicHint {
    fn name(&self) -> &'static str {
        "geographic_hint"
    }

    fn choose(&self, view: &View<'_>) -> Option<usize> {
        view.lowest(|candidate| match (candidate.hint, candidate.rtt) {
            (Some(hint), Some(rtt)) => {
                let weight = view.parameters.hint_weight;
                hint.mul_f64(weight) + rtt.mul_f64(1.0 - weight)
            }
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => view.parameters.unknown_rtt,
        })
    }
}
