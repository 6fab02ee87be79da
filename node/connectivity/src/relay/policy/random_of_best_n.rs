//! One of the nearest few, at random: near enough for each, spread enough for all.

use super::{Policy, View};
use darkswap_core::random::Random;

/// Draws among the `best_n` lowest round-trip times, and keeps what it drew while it is among them.
#[derive(Debug)]
pub struct RandomOfBestN;

impl Policy for RandomOfBestN {
    fn name(&self) -> &'static str {
        "random_of_best_n"
    }

    fn choose(&self, view: &View<'_>) -> Option<usize> {
        let mut nearest: Vec<usize> = (0..view.candidates.len()).collect();
        nearest.sort_by_key(|index| (view.rtt(&view.candidates[*index]), view.current != Some(*index)));
        nearest.truncate(view.parameters.best_n.max(1));
        if let Some(current) = view.current.filter(|current| nearest.contains(current)) {
            return Some(current);
        }
        Random::new(view.bits).below(nearest.len()).map(|drawn| nearest[drawn])
    }
}
