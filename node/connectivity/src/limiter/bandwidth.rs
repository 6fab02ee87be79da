//! Bytes per second of each connection and of the node, by the time of day.
//!
//! Two token buckets must agree: the connection's and the node's. A bucket holds a second's worth of its rate at most. A message
//! goes when its bucket is not in debt, and may put it in debt, so that one larger than a bucket still passes: over any time `t`, at
//! most `rate * (t + 1 s)` bytes and one message go.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use crate::Time;

/// Connections with a bucket of their own, at most; the one unused for longest makes room. More than a node has connections.
pub const CONNECTIONS: usize = 2_048;

/// Spans of a schedule, at most: one for each hour.
pub const SPANS: usize = 24;

/// A day.
pub const DAY: Duration = Duration::from_secs(86_400);

/// The slowest rate: less would not carry keep-alives. Whoever wants nothing to pass closes the connection.
pub const SLOWEST: u64 = 1_024;

/// The fastest rate, in bytes per second: what is more is no limit.
pub const FASTEST: u64 = 1 << 40;

/// How much of a rate one stream takes at a time: a twentieth of a second's worth, so that streams that wait take turns at least that
/// often, and a ping is not late behind a long message. The bounds keep slow rates from single bytes and fast ones from long copies.
const SLICES: u64 = 20;
const SLICE: (u64, u64) = (256, 64 << 10);

const NANOS: i128 = 1_000_000_000;

/// Bytes per second, and what is left of them.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate: u64,
    /// In bytes times nanoseconds, so that nothing is lost to rounding. Negative in debt.
    tokens: i128,
    at: Time,
}

impl TokenBucket {
    /// A full bucket. The rate is taken into [`SLOWEST`]`..=`[`FASTEST`].
    #[must_use]
    pub fn new(now: Time, rate: u64) -> Self {
        let rate = rate.clamp(SLOWEST, FASTEST);
        Self { rate, tokens: i128::from(rate) * NANOS, at: now }
    }

    /// The rate in bytes per second.
    #[must_use]
    pub fn rate(&self) -> u64 {
        self.rate
    }

    /// Changes the rate from now on.
    pub fn set_rate(&mut self, now: Time, rate: u64) {
        self.refill(now);
        self.rate = rate.clamp(SLOWEST, FASTEST);
        self.tokens = self.tokens.min(self.capacity());
    }

    /// When the next message may go: now, or when the debt is paid.
    pub fn ready(&mut self, now: Time) -> Time {
        self.refill(now);
        let debt = u128::try_from(-self.tokens).unwrap_or(0);
        let nanos = debt.div_ceil(u128::from(self.rate));
        now.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// Takes a message's bytes, whether there are as many or not.
    pub fn spend(&mut self, now: Time, bytes: u64) {
        self.refill(now);
        self.tokens = self.tokens.saturating_sub(i128::from(bytes).saturating_mul(NANOS));
    }

    fn capacity(&self) -> i128 {
        i128::from(self.rate) * NANOS
    }

    fn refill(&mut self, now: Time) {
        let nanos = now.saturating_sub(self.at).as_nanos();
        self.at = self.at.max(now);
        let earned = i128::try_from(nanos).unwrap_or(i128::MAX).saturating_mul(i128::from(self.rate));
        self.tokens = self.tokens.saturating_add(earned).min(self.capacity());
    }
}

/// From a time of day on, a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Since midnight.
    pub from: Duration,
    /// Bytes per second.
    pub rate: u64,
}

/// Why spans are no schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// None, or too many.
    #[error("found {found} spans, expected 1 to {SPANS}")]
    Count {
        /// How many.
        found: usize,
    },
    /// Not a time of the day.
    #[error("found a span from {found:?}, expected less than 24 h")]
    Time {
        /// What was found.
        found: Duration,
    },
    /// Two of the same time, or not in order.
    #[error("found a span from {found:?} after a later one or the same, expected spans in order")]
    Order {
        /// What was found.
        found: Duration,
    },
    /// A rate out of range.
    #[error("found {found} bytes per second, expected {SLOWEST} to {FASTEST}")]
    Rate {
        /// What was found.
        found: u64,
    },
}

/// A rate for each time of the day. Before the first span the last one of the day before holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Span>);

impl Schedule {
    /// The same rate all day, taken into [`SLOWEST`]`..=`[`FASTEST`].
    #[must_use]
    pub fn always(rate: u64) -> Self {
        Self(vec![Span { from: Duration::ZERO, rate: rate.clamp(SLOWEST, FASTEST) }])
    }

    /// A schedule of spans in order.
    ///
    /// # Errors
    /// [`ScheduleError`] for too many, none, or one that makes no sense.
    pub fn new(spans: Vec<Span>) -> Result<Self, ScheduleError> {
        if spans.is_empty() || spans.len() > SPANS {
            return Err(ScheduleError::Count { found: spans.len() });
        }
        for (index, span) in spans.iter().enumerate() {
            if span.from >= DAY {
                return Err(ScheduleError::Time { found: span.from });
            }
            if index > 0 && spans[index - 1].from >= span.from {
                return Err(ScheduleError::Order { found: span.from });
            }
            if !(SLOWEST..=FASTEST).contains(&span.rate) {
                return Err(ScheduleError::Rate { found: span.rate });
            }
        }
        Ok(Self(spans))
    }

    /// The rate at this time of the day. A time beyond midnight is one of the next day.
    #[must_use]
    pub fn rate(&self, time_of_day: Duration) -> u64 {
        let seconds = time_of_day.as_secs() % DAY.as_secs();
        let time = Duration::new(seconds, time_of_day.subsec_nanos());
        let current = self.0.iter().rfind(|span| span.from <= time).or_else(|| self.0.last());
        current.map_or(FASTEST, |span| span.rate)
    }
}

/// The buckets of a node.
#[derive(Debug)]
pub struct Bandwidth<C> {
    node: Schedule,
    each: Schedule,
    whole: TokenBucket,
    connections: BTreeMap<C, TokenBucket>,
}

impl<C: Copy + Ord> Bandwidth<C> {
    /// Full buckets, with the schedules of the node and of each connection.
    #[must_use]
    pub fn new(now: Time, time_of_day: Duration, node: Schedule, each: Schedule) -> Self {
        let whole = TokenBucket::new(now, node.rate(time_of_day));
        Self { node, each, whole, connections: BTreeMap::new() }
    }

    /// Lets a message of so many bytes go now, or says when to ask again. The time of day is the host's calendar.
    ///
    /// # Errors
    /// The time at which the buckets will be out of debt.
    pub fn ask(&mut self, now: Time, time_of_day: Duration, connection: C, bytes: u64) -> Result<(), Time> {
        let (own, whole) = self.buckets(now, time_of_day, connection);
        let ready = own.ready(now).max(whole.ready(now));
        if ready > now {
            return Err(ready);
        }
        own.spend(now, bytes);
        whole.spend(now, bytes);
        Ok(())
    }

    /// Takes a message's bytes at once and says from when on it may go: now, or when what was taken before it is paid for. Whoever
    /// asks first goes first, which [`ask`](Self::ask) leaves to chance.
    #[must_use]
    pub fn reserve(&mut self, now: Time, time_of_day: Duration, connection: C, bytes: u64) -> Time {
        let (own, whole) = self.buckets(now, time_of_day, connection);
        let ready = own.ready(now).max(whole.ready(now));
        own.spend(now, bytes);
        whole.spend(now, bytes);
        ready
    }

    /// How many bytes a stream should take at a time.
    #[must_use]
    pub fn slice(&self, time_of_day: Duration) -> u64 {
        let rate = self.each.rate(time_of_day).min(self.node.rate(time_of_day));
        (rate / SLICES).clamp(SLICE.0, SLICE.1)
    }

    /// Forgets a connection that was closed.
    pub fn forget(&mut self, connection: C) {
        self.connections.remove(&connection);
    }

    /// The buckets of a connection and of the node, with the rates of this time.
    fn buckets(&mut self, now: Time, time_of_day: Duration, connection: C) -> (&mut TokenBucket, &mut TokenBucket) {
        self.whole.set_rate(now, self.node.rate(time_of_day));
        let rate = self.each.rate(time_of_day);
        self.make_room(connection);
        let own = self.connections.entry(connection).or_insert_with(|| TokenBucket::new(now, rate));
        own.set_rate(now, rate);
        (own, &mut self.whole)
    }

    fn make_room(&mut self, connection: C) {
        if self.connections.len() >= CONNECTIONS && !self.connections.contains_key(&connection) {
            let oldest = self.connections.iter().min_by_key(|(_, bucket)| bucket.at).map(|(key, _)| *key);
            oldest.and_then(|key| self.connections.remove(&key));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: u64 = 10_000;

    fn at(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    fn hours(hours: u64) -> Duration {
        Duration::from_secs(hours * 3_600)
    }

    #[test]
    fn a_message_larger_than_the_bucket_passes_and_is_paid_for() {
        let mut bucket = TokenBucket::new(at(0), RATE);
        assert_eq!(bucket.ready(at(0)), at(0));
        bucket.spend(at(0), RATE * 5);
        assert_eq!(bucket.ready(at(0)), at(4));
        assert_eq!(bucket.ready(at(4)), at(4));
    }

    #[test]
    fn an_idle_hour_is_not_saved_up() {
        let mut bucket = TokenBucket::new(at(0), RATE);
        let mut sent = 0;
        while bucket.ready(at(3_600)) == at(3_600) {
            bucket.spend(at(3_600), RATE / 10);
            sent += RATE / 10;
        }
        assert_eq!(sent, RATE + RATE / 10, "a second's worth, and the message that goes into debt");
    }

    #[test]
    fn a_rate_holds_from_its_time_until_the_next_one() {
        let spans = [(6, 3_000), (22, 9_000)].map(|(from, rate)| Span { from: hours(from), rate });
        let schedule = Schedule::new(spans.to_vec()).unwrap();
        for (hour, rate) in [(0, 9_000), (5, 9_000), (6, 3_000), (21, 3_000), (22, 9_000), (30, 3_000)] {
            assert_eq!(schedule.rate(hours(hour)), rate, "at {hour}");
        }
    }

    #[test]
    fn spans_that_make_no_sense_are_refused() {
        let span = |hour, rate| Span { from: hours(hour), rate };
        let refused = |spans: &[Span]| Schedule::new(spans.to_vec()).unwrap_err();
        assert_eq!(refused(&[]), ScheduleError::Count { found: 0 });
        assert_eq!(refused(&[span(0, RATE); 25]), ScheduleError::Count { found: 25 });
        assert_eq!(refused(&[span(24, RATE)]), ScheduleError::Time { found: DAY });
        assert_eq!(refused(&[span(3, RATE), span(3, RATE)]), ScheduleError::Order { found: hours(3) });
        assert_eq!(refused(&[span(3, 0)]), ScheduleError::Rate { found: 0 });
    }

    #[test]
    fn the_node_is_limited_whatever_each_connection_may() {
        let mut bandwidth = Bandwidth::new(at(0), hours(0), Schedule::always(RATE), Schedule::always(RATE));
        assert_eq!(bandwidth.ask(at(0), hours(0), 1, RATE * 2), Ok(()));
        assert_eq!(bandwidth.ask(at(0), hours(0), 2, 1), Err(at(1)));
        assert_eq!(bandwidth.ask(at(1), hours(0), 2, 1), Ok(()));
    }

    #[test]
    fn whoever_reserves_first_goes_first() {
        let mut bandwidth = Bandwidth::new(at(0), hours(0), Schedule::always(FASTEST), Schedule::always(RATE));
        let ready: Vec<_> = (0..4).map(|_| bandwidth.reserve(at(0), hours(0), 1, RATE)).collect();
        assert_eq!(ready, [at(0), at(0), at(1), at(2)]);
        assert_eq!(bandwidth.slice(hours(0)), RATE / SLICES);
    }

    #[test]
    fn buckets_are_bounded() {
        let mut bandwidth = Bandwidth::new(at(0), hours(0), Schedule::always(FASTEST), Schedule::always(RATE));
        for connection in 0..CONNECTIONS + 100 {
            assert_eq!(bandwidth.ask(at(0), hours(0), connection, 1), Ok(()));
        }
        assert_eq!(bandwidth.connections.len(), CONNECTIONS);
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn no_more_goes_than_the_rate_allows_and_whoever_waits_as_told_goes(
            messages in prop::collection::vec((0_u64..3_000, 0_u64..50_000), 1..100), rate in SLOWEST..100_000,
        ) {
            let mut bucket = TokenBucket::new(at(0), rate);
            let (mut now, mut sent, mut largest) = (at(0), 0_u64, 0_u64);
            for (millis, bytes) in messages {
                now += Duration::from_millis(millis);
                let ready = bucket.ready(now);
                now = now.max(ready);
                prop_assert_eq!(bucket.ready(now), now);
                bucket.spend(now, bytes);
                sent += bytes;
                largest = largest.max(bytes);
                let allowed = rate as f64 * (now.as_secs_f64() + 1.0) + largest as f64;
                prop_assert!(sent as f64 <= allowed + 1.0, "{} of {}", sent, allowed);
            }
        }

        #[test]
        fn nothing_overflows(now: u64, rate: u64, bytes: u64, later: u64) {
            let mut bucket = TokenBucket::new(Time::from_secs(now), rate);
            bucket.spend(Time::from_secs(now), bytes);
            bucket.spend(Time::from_secs(later), bytes);
            bucket.set_rate(Time::from_secs(later), bytes);
            bucket.ready(Time::from_secs(later));
        }
    }
}
