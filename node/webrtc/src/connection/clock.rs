//! The clock of an SCTP association, which is faster than ours.

use std::time::{Duration, Instant};

/// The stack's shortest time until it sends again is a second (RFC 9260 section 16), and nothing sets it: with a loss of 1 % a
/// connection does little but wait. Browsers take 400 ms, and so do we: for the association, more time has passed. All its times shrink,
/// so it also waits only 80 ms for a second packet to acknowledge.
///
/// Besides, it can be put forward, which is the only way to a timer of the stack that has backed off.
#[derive(Default)]
pub(super) struct Clock {
    start: Option<Instant>,
    /// By how much it was put forward in all.
    skipped: Duration,
}

impl Clock {
    /// A second of the association is 400 ms of ours.
    pub(super) fn stretch(real: Duration) -> Duration {
        real * 5 / 2
    }

    pub(super) fn fast(&mut self, now: Instant) -> Instant {
        let start = *self.start.get_or_insert(now);
        start + Self::stretch(now.saturating_duration_since(start)) + self.skipped
    }

    /// Puts the clock forward to `deadline`, unless that has passed; what it shows then.
    pub(super) fn skip_to(&mut self, now: Instant, deadline: Instant) -> Instant {
        let shown = self.fast(now);
        self.skipped += deadline.saturating_duration_since(shown);
        shown.max(deadline)
    }

    /// Rounded up, so that a deadline has passed when it is due.
    pub(super) fn real(&self, fast: Instant) -> Instant {
        let start = self.start.unwrap_or(fast);
        let passed = fast.saturating_duration_since(start).saturating_sub(self.skipped);
        start + passed * 2 / 5 + Duration::from_nanos(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_deadline_has_passed_when_it_is_due_and_hardly_before(
            nanoseconds in 0..u64::from(u32::MAX),
            skipped in 0..u64::from(u32::MAX),
        ) {
            #[expect(clippy::disallowed_methods, reason = "only a start from which virtual time is counted")]
            let now = Instant::now();
            let mut clock = Clock::default();
            clock.fast(now);
            let ahead = now + Duration::from_nanos(skipped);
            prop_assert_eq!(clock.skip_to(now, ahead), ahead);
            prop_assert_eq!(clock.skip_to(now, now), ahead, "it never goes back");
            let deadline = ahead + Duration::from_nanos(nanoseconds);
            let due = clock.real(deadline);
            prop_assert!(clock.fast(due) >= deadline);
            prop_assert!(clock.fast(due) - deadline < Duration::from_nanos(10));
        }
    }
}
