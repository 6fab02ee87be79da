//! What is counted of one peer, and of one prefix.

use super::{BUDGET_WINDOW, Pace};
use crate::Time;
use crate::limiter::bandwidth::TokenBucket;

/// What one peer used. Counters never go back and stop at their largest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Reservations that were granted, renewals included.
    pub granted: u64,
    /// Circuits that it opened.
    pub opened: u64,
    /// Circuits that were opened to it.
    pub reached: u64,
    /// Bytes on circuits that it opened.
    pub bytes: u64,
    /// Questions that were answered with no.
    pub denied: u64,
}

/// Bytes within a window of time.
#[derive(Debug, Clone, Copy, Default)]
struct Budget {
    since: Time,
    bytes: u64,
}

impl Budget {
    fn used(&self, now: Time) -> u64 {
        if now.saturating_sub(self.since) >= BUDGET_WINDOW { 0 } else { self.bytes }
    }

    fn spend(&mut self, now: Time, bytes: u64) {
        let used = self.used(now);
        if used == 0 {
            self.since = now;
        }
        self.bytes = used.saturating_add(bytes);
    }
}

/// Lets questions through at a [`Pace`] (the generic cell rate algorithm, ITU-T I.371).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turnstile {
    /// When the questions asked so far would all be paid for.
    paid: Time,
}

impl Turnstile {
    /// Takes one question, or says when the next one is taken.
    pub(super) fn pass(&mut self, now: Time, pace: Pace) -> Result<(), Time> {
        let paid = self.paid.max(now);
        let tolerance = pace.interval * pace.burst.saturating_sub(1);
        if paid > now + tolerance {
            return Err(paid.saturating_sub(tolerance));
        }
        self.paid = paid + pace.interval;
        Ok(())
    }
}

/// What limits one peer or prefix: paces of questions, a rate and a budget of bytes.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    /// Reservations of a peer, connections of a prefix.
    pub(super) requests: Turnstile,
    /// Circuits of a peer.
    pub(super) circuits: Turnstile,
    bucket: TokenBucket,
    budget: Budget,
    pub(super) seen: Time,
}

impl Meter {
    pub(super) fn new(now: Time, rate: u64) -> Self {
        Self {
            requests: Turnstile::default(),
            circuits: Turnstile::default(),
            bucket: TokenBucket::new(now, rate),
            budget: Budget::default(),
            seen: now,
        }
    }

    pub(super) fn used(&self, now: Time) -> u64 {
        self.budget.used(now)
    }

    pub(super) fn ready(&mut self, now: Time) -> Time {
        self.bucket.ready(now)
    }

    pub(super) fn spend(&mut self, now: Time, bytes: u64) {
        self.bucket.spend(now, bytes);
        self.budget.spend(now, bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pace_takes_its_burst_and_then_one_at_a_time() {
        let pace = Pace { burst: 3, interval: Duration::from_secs(10) };
        let mut turnstile = Turnstile::default();
        for _ in 0..3 {
            assert_eq!(turnstile.pass(Time::ZERO, pace), Ok(()));
        }
        assert_eq!(turnstile.pass(Time::ZERO, pace), Err(Time::from_secs(10)));
        assert_eq!(turnstile.pass(Time::from_secs(10), pace), Ok(()));
        assert!(turnstile.pass(Time::from_secs(19), pace).is_err());
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn no_more_is_taken_than_the_pace_allows(burst in 1_u32..20, interval in 1_u64..60, asked in prop::collection::vec(0_u64..30, 0..200)) {
            let pace = Pace { burst, interval: Duration::from_secs(interval) };
            let mut turnstile = Turnstile::default();
            let (mut now, mut taken) = (0, 0);
            for wait in asked {
                now += wait;
                taken += u64::from(turnstile.pass(Time::from_secs(now), pace).is_ok());
                prop_assert!(taken <= u64::from(burst) + now / interval);
            }
        }
    }
}
