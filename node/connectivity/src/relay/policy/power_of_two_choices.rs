//! The less loaded of two: spreads load nearly as well as looking at all of them, without everybody running to the same one
//! (Mitzenmacher, 2001).

use super::{Policy, View};
use darkswap_core::random::Random;

/// Draws two and chooses the one with less load, of equals the nearer. The relay in use is one of the two.
#[derive(Debug)]
pub struct PowerOfTwoChoices;

impl Policy for PowerOfTwoChoices {
    fn name(&self) -> &'static str {
        "power_of_two_choices"
    }

    fn choose(&self, view: &View<'_>) -> Option<usize> {
        let mut random = Random::new(view.bits);
        let count = view.candidates.len();
        let first = view.in_use().map(|(index, _)| index).or_else(|| random.below(count))?;
        // Drawn among the others, so that there are two as soon as there can be.
        let Some(second) = random.below(count - 1).map(|drawn| if drawn < first { drawn } else { drawn + 1 }) else {
            return Some(first);
        };
        let [kept, other] = [first, second].map(|index| &view.candidates[index]);
        let by_load = other.load.total_cmp(&kept.load);
        let is_better = by_load.then_with(|| view.rtt(other).cmp(&view.rtt(kept))).is_lt();
        Some(if is_better { second } else { first })
    }
}
