//! Round-trip time times load with hysteresis: near-equal relays do not take turns.

use super::{Policy, View};

/// Chooses the lowest [cost](super::cost), and leaves the relay in use only for a gain of more than both margins.
///
/// Both, because either alone flaps: 20 ms are nothing at 300 ms, and a fifth is nothing at 10 ms.
#[derive(Debug)]
pub struct Sticky;

impl Policy for Sticky {
    fn name(&self) -> &'static str {
        "sticky"
    }

    fn choose(&self, view: &View<'_>) -> Option<usize> {
        let best = view.lowest(|candidate| view.cost(candidate))?;
        let Some((current, candidate)) = view.in_use() else { return Some(best) };
        let paid = view.cost(candidate);
        let gain = paid.saturating_sub(view.cost(&view.candidates[best]));
        let pays = gain > view.parameters.absolute_margin && gain > paid.mul_f64(view.parameters.relative_margin);
        Some(if pays { best } else { current })
    }
}
