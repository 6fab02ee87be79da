//! When a load entry acts.

use std::time::Duration;

use darkswap_records::unit;

use crate::bound;
use crate::fields::Fields;
use crate::problem::Problems;
use crate::value;

/// When a load entry acts, without what the seed adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    pub(crate) at: Duration,
    /// Each pair or publisher begins up to this much later.
    pub(crate) spread: Duration,
    pub(crate) every: Option<Duration>,
    /// Exclusive.
    pub(crate) until: Duration,
    pub(crate) count: Option<u64>,
}

impl Timing {
    pub(crate) fn read(fields: &Fields<'_>, duration: Duration, problems: &mut Problems<'_>) -> Self {
        let latest = duration.saturating_sub(Duration::from_millis(1));
        let at = fields.duration("at", Duration::ZERO..=latest, Duration::ZERO, problems);
        let spread = fields.duration("spread", Duration::ZERO..=duration, Duration::ZERO, problems);
        let every = fields.find("every").and_then(|node| value::duration(node, bound::EVERY, problems));
        let until = fields.duration("until", Duration::ZERO..=duration, duration, problems);
        let count = fields.find("count").and_then(|node| value::number(node, 1..=bound::ACTIONS, problems));
        if fields.find("every").is_none() {
            for name in ["until", "count"] {
                fields.refuse(name, "it needs `every`", problems);
            }
        }
        if let Some((_, node)) = fields.entry("until")
            && until <= at
        {
            let at = unit::format_duration(at);
            problems.add(node.place, "an end before the beginning", format!("a time after `at`, which is {at}"));
        }
        if let Some((_, node)) = fields.entry("spread")
            && at + spread > until
        {
            let most = unit::format_duration(until.saturating_sub(at));
            problems.add(node.place, "a spread that goes beyond the end", format!("at most {most}"));
        }
        Self { at, spread, every, until, count }
    }

    /// How many times one pair or publisher acts at most.
    pub(crate) fn times(&self) -> u64 {
        let Some(every) = self.every else { return 1 };
        let span = self.until.saturating_sub(self.at);
        let times = span.as_nanos().div_ceil(every.as_nanos().max(1));
        u64::try_from(times).unwrap_or(u64::MAX).min(self.count.unwrap_or(u64::MAX))
    }
}
