//! Random choices that depend on the seed and on what they are for, and on nothing else.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of choices. Two streams of the same seed do not touch, so a change in one section of a scenario does not reshuffle another.
#[derive(Debug)]
pub(crate) struct Draw(ChaCha8Rng);

/// What a stream is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Nat,
    Link,
    Region,
    Start,
    Pairs,
    Offsets,
}

impl Draw {
    pub(crate) fn new(seed: u64, purpose: Purpose, entry: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(((purpose as u64) << 32) | entry as u64);
        Self(random)
    }

    /// A number below `end`; zero when `end` is.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // The bias of the multiplication is end / 2^64 at most.
        ((u128::from(self.0.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// A duration below `end`, in whole milliseconds: the granularity of the simulated clock.
    pub(crate) fn duration(&mut self, end: std::time::Duration) -> std::time::Duration {
        let millis = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
        std::time::Duration::from_millis(self.below(millis))
    }

    /// Puts the first `count` of a random order in front.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T], count: usize) {
        for at in 0..count.min(items.len()) {
            let rest = (items.len() - at) as u64;
            items.swap(at, at + self.below(rest) as usize);
        }
    }
}
