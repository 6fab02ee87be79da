//! When to connect again: [`Reconnection`] is an exponential back-off with jitter that only a connection which held starts anew.

use std::time::Duration;

pub use darkswap_core::backoff::Backoff;

use crate::Time;

/// How long a connection must have held for the next failure to be a first one. Below the longest delay, a relay that accepts and
/// drops us at once would be dialled without end.
pub const STABLE: Duration = Duration::from_secs(60);

/// When to try again after failures and losses.
///
/// | call | delay until the next attempt |
/// |---|---|
/// | `failed` | the next of the back-off |
/// | `lost` after [`STABLE`] or more | the first of a new back-off |
/// | `lost` sooner | the next of the back-off |
#[derive(Debug, Clone)]
pub struct Reconnection {
    backoff: Backoff,
    opened: Option<Time>,
    next: Time,
}

impl Reconnection {
    /// Nothing was tried yet: the first attempt is due at once. Delays grow from `base` up to `cap`; `seed` feeds their jitter.
    #[must_use]
    pub fn new(base: Duration, cap: Duration, seed: u64) -> Self {
        Self { backoff: Backoff::new(base, cap, seed), opened: None, next: Time::ZERO }
    }

    /// An attempt failed. Returns when the next one is due.
    pub fn failed(&mut self, now: Time) -> Time {
        self.opened = None;
        self.next = now.saturating_add(self.backoff.next_delay());
        self.next
    }

    /// An attempt succeeded.
    pub fn opened(&mut self, now: Time) {
        self.opened.get_or_insert(now);
    }

    /// What was opened is gone. Returns when the next attempt is due.
    pub fn lost(&mut self, now: Time) -> Time {
        if self.opened.take().is_some_and(|opened| now.saturating_sub(opened) >= STABLE) {
            self.backoff.reset();
        }
        self.failed(now)
    }

    /// When the next attempt is due.
    #[must_use]
    pub fn next(&self) -> Time {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Duration = Duration::from_secs(1);
    const CAP: Duration = Duration::from_secs(64);

    fn at(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    #[test]
    fn a_connection_that_held_starts_anew() {
        let mut reconnection = Reconnection::new(BASE, CAP, 7);
        for _ in 0..8 {
            reconnection.failed(at(0));
        }
        reconnection.opened(at(100));
        assert!(reconnection.lost(at(100) + STABLE) - (at(100) + STABLE) <= BASE);
    }

    #[test]
    fn a_connection_that_broke_at_once_does_not() {
        let mut reconnection = Reconnection::new(BASE, CAP, 7);
        for _ in 0..8 {
            reconnection.failed(at(0));
        }
        reconnection.opened(at(100));
        assert!(reconnection.lost(at(101)) - at(101) >= CAP / 2);
    }

    #[test]
    fn a_loss_without_an_opening_is_a_failure() {
        let mut reconnection = Reconnection::new(BASE, CAP, 7);
        reconnection.failed(at(0));
        assert!(reconnection.lost(at(1_000)) > at(1_000) + BASE / 2);
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn delays_stay_between_half_the_base_and_the_cap(seed: u64, steps in prop::collection::vec((0_u8..3, 0_u64..200), 1..64)) {
            let mut reconnection = Reconnection::new(BASE, CAP, seed);
            let mut now = Time::ZERO;
            for (step, seconds) in steps {
                now += Duration::from_secs(seconds);
                let next = match step {
                    0 => reconnection.failed(now),
                    1 => reconnection.lost(now),
                    _ => {
                        reconnection.opened(now);
                        continue;
                    }
                };
                prop_assert!(next >= now + BASE / 2 && next <= now + CAP);
                prop_assert_eq!(next, reconnection.next());
            }
        }
    }
}
