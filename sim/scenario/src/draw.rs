//! Random choices that depend on the seed and on what they are for, and on nothing else.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of choices. Two streams of the same seed do not touch, so a change in one section of a scenario does not reshuffle another.
#[derive(Debug)]
pub(crate) struct Draw(ChaCha8Rng);

/// How durations are distributed around their mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distribution {
    /// Without memory.
    Exponential,
    /// After Weibull with the shape 1/2: many short ones and few very long ones.
    Weibull,
}

/// What a stream is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Nat,
    Link,
    Region,
    Start,
    Pairs,
    Offsets,
    Churn,
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

    /// A duration with this mean, in whole milliseconds and at least one. They hide the last digits of the logarithm, which may differ
    /// from machine to machine.
    pub(crate) fn distributed(&mut self, mean: std::time::Duration, distribution: Distribution) -> std::time::Duration {
        // 53 random bits make a number in (0, 1].
        let uniform = ((self.0.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        let factor = match distribution {
            Distribution::Exponential => -uniform.ln(),
            // The scale of a Weibull distribution of shape 1/2 is half its mean.
            Distribution::Weibull => uniform.ln() * uniform.ln() / 2.0,
        };
        std::time::Duration::from_millis(((mean.as_millis() as f64 * factor).round() as u64).max(1))
    }

    /// Puts the first `count` of a random order in front.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T], count: usize) {
        for at in 0..count.min(items.len()) {
            let rest = (items.len() - at) as u64;
            items.swap(at, at + self.below(rest) as usize);
        }
    }
}
