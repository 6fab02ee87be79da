//! How many bytes per second may pass, by the time of day.

use std::time::Duration;

use darkswap_connectivity::limiter::bandwidth::{FASTEST, SLOWEST, SPANS, Schedule, Span};
use thiserror::Error;

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Spans with a rate of their own, at most: each takes up to two of a [`Schedule`]'s.
pub const RATE_SPANS: usize = SPANS / 2;

/// The rates of a node. The default limits nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// What it sends.
    pub sending: Direction,
    /// What it receives.
    pub receiving: Direction,
}

/// The rates of one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Direction {
    /// Of all connections together.
    pub node: DayRate,
    /// Of each connection.
    pub connection: DayRate,
}

/// A rate for some times of the day; outside of them there is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayRate(Vec<RateSpan>);

/// A rate from one time of the day to another, in minutes since midnight, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateSpan {
    /// Its first minute.
    pub from: u16,
    /// The minute after its last one. Not after `from`: it goes on past midnight.
    pub to: u16,
    /// Bytes per second.
    pub rate: u64,
}

/// Why spans are no rate of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DayRateError {
    /// Too many.
    #[error("found {found} spans, expected at most {RATE_SPANS}")]
    Count {
        /// How many.
        found: usize,
    },
    /// Not a time of the day, or nothing between the two.
    #[error("found a span from minute {from} to minute {to}, expected two different times of the day")]
    Time {
        /// Its beginning.
        from: u16,
        /// Its end.
        to: u16,
    },
    /// Two at the same time.
    #[error("found two rates at {:02}:{:02}, expected spans that do not overlap", .minute / 60, .minute % 60)]
    Overlap {
        /// The first minute with two rates.
        minute: u16,
    },
    /// A rate out of range.
    #[error("found {found} bytes per second, expected {SLOWEST} to {FASTEST}")]
    Rate {
        /// What was found.
        found: u64,
    },
}

impl DayRate {
    /// The same rate all day.
    ///
    /// # Errors
    /// [`DayRateError::Rate`].
    pub fn always(rate: u64) -> Result<Self, DayRateError> {
        Self::new(vec![RateSpan { from: 0, to: DAY, rate }])
    }

    /// Rates of some times of the day. None: there is no limit.
    ///
    /// # Errors
    /// [`DayRateError`] for too many spans, or one that makes no sense.
    pub fn new(spans: Vec<RateSpan>) -> Result<Self, DayRateError> {
        if spans.len() > RATE_SPANS {
            return Err(DayRateError::Count { found: spans.len() });
        }
        let mut taken = vec![false; usize::from(DAY)];
        for span in &spans {
            let RateSpan { from, to, rate } = *span;
            if from >= DAY || to > DAY || from == to {
                return Err(DayRateError::Time { from, to });
            }
            if !(SLOWEST..=FASTEST).contains(&rate) {
                return Err(DayRateError::Rate { found: rate });
            }
            for minute in span.minutes() {
                if std::mem::replace(&mut taken[usize::from(minute)], true) {
                    return Err(DayRateError::Overlap { minute });
                }
            }
        }
        Ok(Self(spans))
    }

    /// Its spans.
    #[must_use]
    pub fn spans(&self) -> &[RateSpan] {
        &self.0
    }

    /// The rate of the whole day, when it is one.
    #[must_use]
    pub fn whole_day(&self) -> Option<u64> {
        match self.0[..] {
            [RateSpan { from: 0, to: DAY, rate }] => Some(rate),
            _ => None,
        }
    }

    /// As a schedule. None: there is no limit.
    #[must_use]
    pub fn schedule(&self) -> Option<Schedule> {
        let mut spans: Vec<Span> = Vec::new();
        let at = |minute: u16| Duration::from_secs(u64::from(minute) * 60);
        spans.extend(self.0.iter().map(|span| Span { from: at(span.from), rate: span.rate }));
        for end in self.0.iter().map(|span| at(span.to % DAY)) {
            if !spans.iter().any(|span| span.from == end) {
                spans.push(Span { from: end, rate: FASTEST });
            }
        }
        spans.sort_by_key(|span| span.from);
        // Without spans, and only then: their number, order and rates were checked.
        Schedule::new(spans).ok()
    }
}

impl RateSpan {
    fn minutes(self) -> impl Iterator<Item = u16> {
        let end = if self.to > self.from { self.to } else { self.to + DAY };
        (self.from..end).map(|minute| minute % DAY)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: u64 = 10_000;

    fn span(from: u16, to: u16, rate: u64) -> RateSpan {
        RateSpan { from: from * 60, to: to * 60, rate }
    }

    #[test]
    fn between_spans_there_is_no_limit() {
        let day = DayRate::new(vec![span(8, 18, RATE), span(22, 6, RATE * 2), span(18, 20, RATE * 3)]).unwrap();
        let schedule = day.schedule().unwrap();
        let rate = |hour: u64| schedule.rate(Duration::from_secs(hour * 3_600));
        let found = [7, 8, 17, 18, 19, 20, 21, 22, 23, 0, 5, 6].map(rate);
        let (day, evening, night) = (RATE, RATE * 3, RATE * 2);
        let expected = [FASTEST, day, day, evening, evening, FASTEST, FASTEST, night, night, night, night, FASTEST];
        assert_eq!(found, expected);
    }

    #[test]
    fn no_span_is_no_limit_and_the_whole_day_one() {
        assert_eq!(DayRate::default().schedule(), None);
        let always = DayRate::always(RATE).unwrap();
        assert_eq!((always.whole_day(), always.schedule()), (Some(RATE), Some(Schedule::always(RATE))));
    }

    #[test]
    fn spans_that_make_no_sense_are_refused() {
        let refused = |spans: &[RateSpan]| DayRate::new(spans.to_vec()).unwrap_err();
        assert_eq!(refused(&[span(8, 18, RATE), span(17, 19, RATE)]), DayRateError::Overlap { minute: 17 * 60 });
        assert_eq!(refused(&[span(22, 6, RATE), span(5, 7, RATE)]), DayRateError::Overlap { minute: 5 * 60 });
        assert_eq!(refused(&[span(8, 8, RATE)]), DayRateError::Time { from: 480, to: 480 });
        assert_eq!(refused(&[span(24, 2, RATE)]), DayRateError::Time { from: 1_440, to: 120 });
        assert_eq!(refused(&[span(1, 2, 10)]), DayRateError::Rate { found: 10 });
        assert_eq!(refused(&[span(1, 2, RATE); 13]), DayRateError::Count { found: 13 });
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn whatever_is_accepted_has_its_rate_at_each_of_its_minutes(
            spans in prop::collection::vec((0_u16..1_500, 0_u16..1_500, 0_u64..100_000), 0..14),
        ) {
            let spans = spans.into_iter().map(|(from, to, rate)| RateSpan { from, to, rate }).collect();
            if let Ok(day) = DayRate::new(spans) {
                let schedule = day.schedule();
                prop_assert_eq!(schedule.is_none(), day.spans().is_empty());
                for span in day.spans() {
                    for minute in span.minutes() {
                        let found = schedule.as_ref().map(|it| it.rate(Duration::from_secs(u64::from(minute) * 60)));
                        prop_assert_eq!(found, Some(span.rate));
                    }
                }
            }
        }
    }
}
