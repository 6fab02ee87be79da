//! How long to wait before the next attempt.

use std::time::Duration;

use crate::random::Random;

/// Exponential back-off with jitter: each delay lies between half and all of `base * 2^attempts`, capped.
///
/// The jitter comes from a seed that the caller draws, so that a thousand nodes that lost the same relay do not return at once
/// and a simulation returns the same delays for the same seed.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    attempts: u32,
    random: Random,
}

impl Backoff {
    /// A back-off whose first delay is at most `base` and whose every delay is at most `cap`.
    #[must_use]
    pub fn new(base: Duration, cap: Duration, seed: u64) -> Self {
        Self { base, cap, attempts: 0, random: Random::new(seed) }
    }

    /// The delay before the next attempt; every call doubles it until [`reset`](Self::reset).
    pub fn next_delay(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX);
        self.attempts = self.attempts.saturating_add(1).min(31);
        let full = self.base.checked_mul(factor).unwrap_or(self.cap).min(self.cap);
        let half = full / 2;
        half + half.mul_f64(self.random.unit())
    }

    /// Starts again from the base delay.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8), 7);
        for full in [1, 2, 4, 8, 8, 8] {
            let delay = backoff.next_delay();
            assert!(
                delay >= Duration::from_secs(full) / 2 && delay <= Duration::from_secs(full),
                "{delay:?} for {full}"
            );
        }
    }

    #[test]
    fn reset_returns_to_the_base() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60), 7);
        for _ in 0..100 {
            backoff.next_delay();
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_secs(1));
    }

    #[test]
    fn two_seeds_differ() {
        let delay = |seed| Backoff::new(Duration::from_secs(1), Duration::from_secs(60), seed).next_delay();
        assert_ne!(delay(1), delay(2));
        assert_eq!(delay(1), delay(1));
    }
}
