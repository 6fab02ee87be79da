//! When something is published in the DHT, and when relays are looked for in it.

use std::time::Duration;

use darkswap_core::Time;

use crate::limits::fixed::dht::{
    DEBOUNCE, JOINED, PUBLISH_AGAIN, PUBLISH_RETRY, RELAYS_ENOUGH, SEARCH_AGAIN, SEARCH_FEW, SEARCH_RETRY,
};

/// When one record is published: at first, after a change, after a failure, and again before it expires.
#[derive(Debug)]
pub(super) struct Publication {
    due: Option<Time>,
    under_way: bool,
    failures: u32,
    last: Option<Time>,
}

impl Publication {
    pub(super) fn new() -> Self {
        Self { due: Some(DEBOUNCE), under_way: false, failures: 0, last: None }
    }

    /// What is to be published changed: what else changes within a moment is published with it.
    pub(super) fn changed(&mut self, now: Time) {
        self.due_at(now + DEBOUNCE);
    }

    /// A server of the DHT became known that may be closer to the key than those that hold the record.
    pub(super) fn joined(&mut self, now: Time) {
        let earliest = self.last.map_or(now, |last| last + JOINED).max(now);
        self.due_at(earliest + DEBOUNCE);
    }

    /// Whether it is time. What is under way ends first, so that an older record never arrives after a newer one.
    pub(super) fn is_due(&self, now: Time) -> bool {
        self.deadline().is_some_and(|at| now >= at)
    }

    /// There is nothing to publish until something changes.
    pub(super) fn rest(&mut self) {
        self.due = None;
    }

    /// It is being published.
    pub(super) fn began(&mut self, now: Time) {
        (self.due, self.under_way, self.last) = (None, true, Some(now));
    }

    /// Publishing ended; `random` spreads the next time.
    pub(super) fn ended(&mut self, now: Time, succeeded: bool, random: u64) {
        self.under_way = false;
        self.failures = if succeeded { 0 } else { self.failures.saturating_add(1) };
        let pause = if succeeded { PUBLISH_AGAIN } else { doubled(PUBLISH_RETRY, self.failures) };
        self.due_at(now + spread(pause, random));
    }

    /// When [`is_due`](Self::is_due) turns true.
    pub(super) fn deadline(&self) -> Option<Time> {
        if self.under_way { None } else { self.due }
    }

    fn due_at(&mut self, at: Time) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}

/// When relays are looked for.
#[derive(Debug)]
pub(super) struct Search {
    due: Option<Time>,
    failures: u32,
}

impl Search {
    /// At once, if at all.
    pub(super) fn new(wanted: bool) -> Self {
        Self { due: wanted.then_some(Time::ZERO), failures: 0 }
    }

    /// A search began.
    pub(super) fn began(&mut self) {
        self.due = None;
    }

    /// A search ended, after which so many relays are known.
    pub(super) fn ended(&mut self, now: Time, known: usize, random: u64) {
        self.failures = if known == 0 { self.failures.saturating_add(1) } else { 0 };
        let pause = match known {
            0 => doubled(SEARCH_RETRY, self.failures),
            few if few < RELAYS_ENOUGH => SEARCH_FEW,
            _ => SEARCH_AGAIN,
        };
        self.due = Some(now + spread(pause, random));
    }

    /// Something happened after which a search may find more: a server of the DHT became known, or a relay was lost.
    pub(super) fn hurry(&mut self, now: Time) {
        self.due = self.due.map(|due| due.min(now + JOINED));
    }

    /// When the next one is due. None: never, or one is under way.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.due
    }
}

/// A pause that doubles with each failure after the first, up to a largest one.
fn doubled((first, largest): (Duration, Duration), failures: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(largest)
}

/// A pause between four and six fifths of this one: nodes that started together do not stay together.
fn spread(pause: Duration, random: u64) -> Duration {
    const STEPS: u64 = 401;
    let share = u32::try_from(800 + random % STEPS).unwrap_or(1_000);
    pause.saturating_mul(share) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Duration::from_secs(seconds)
    }

    #[test]
    fn changes_within_a_moment_are_published_together_and_before_the_renewal() {
        let mut publication = Publication::new();
        publication.began(at(1));
        publication.ended(at(2), true, 200);
        assert_eq!(publication.deadline(), Some(at(2) + PUBLISH_AGAIN));
        publication.changed(at(10));
        publication.changed(at(10) + DEBOUNCE / 2);
        assert_eq!(publication.deadline(), Some(at(10) + DEBOUNCE));
    }

    #[test]
    fn what_is_under_way_ends_before_the_next_begins() {
        let mut publication = Publication::new();
        publication.began(at(1));
        publication.changed(at(2));
        assert!(!publication.is_due(at(100)));
        publication.ended(at(100), true, 0);
        assert!(publication.is_due(at(100)));
    }

    #[test]
    fn a_failed_publication_is_repeated_ever_later() {
        let mut publication = Publication::new();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            publication.began(at(0));
            publication.ended(at(0), false, 200);
            pauses.push(publication.deadline().unwrap());
        }
        assert_eq!(pauses[..3], [PUBLISH_RETRY.0, PUBLISH_RETRY.0 * 2, PUBLISH_RETRY.0 * 4]);
        assert_eq!(pauses[7], PUBLISH_RETRY.1);
    }

    #[test]
    fn servers_that_join_one_after_the_other_cost_few_publications() {
        let mut publication = Publication::new();
        publication.began(at(1));
        publication.ended(at(1), true, 0);
        for second in 2..10 {
            publication.joined(at(second));
        }
        assert_eq!(publication.deadline(), Some(at(1) + JOINED + DEBOUNCE));
    }

    #[test]
    fn relays_are_looked_for_the_more_often_the_fewer_are_known() {
        let mut search = Search::new(true);
        let mut pause = |known| {
            search.began();
            search.ended(at(0), known, 200);
            search.deadline().unwrap()
        };
        assert_eq!([pause(0), pause(0)], [SEARCH_RETRY.0, SEARCH_RETRY.0 * 2]);
        assert_eq!([pause(1), pause(RELAYS_ENOUGH)], [SEARCH_FEW, SEARCH_AGAIN]);
        assert_eq!(pause(0), SEARCH_RETRY.0);
        assert_eq!(Search::new(false).deadline(), None);
    }

    #[test]
    fn pauses_are_spread_by_a_fifth() {
        let spread: Vec<_> = [0, 200, 400, 401].map(|random| spread(at(10), random)).into();
        assert_eq!(spread, [at(8), at(10), at(12), at(8)]);
    }
}
