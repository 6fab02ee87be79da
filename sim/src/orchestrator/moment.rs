//! The calendar, in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A second of the calendar, years 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
}

impl Moment {
    /// The present.
    #[expect(clippy::disallowed_methods, reason = "says when an invocation took place; no run sees it")]
    pub fn now() -> Self {
        Self::of(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// The moment so long after the Unix epoch.
    pub fn of(since_epoch: Duration) -> Self {
        const SECONDS: u64 = 86_400;
        // Proleptic Gregorian calendar in years that begin in March, so that the leap day is the last one.
        let days = since_epoch.as_secs() / SECONDS + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            second_of_day: since_epoch.as_secs() % SECONDS,
        }
    }

    /// `2026-01-31T12:00:59Z` (RFC 3339).
    pub fn rfc3339(self) -> String {
        let (hour, minute, second) = self.clock();
        let Self { year, month, day, .. } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// `20260131T120059Z`: the same as a file name that sorts by time.
    pub fn file_name(self) -> String {
        self.rfc3339().replace(['-', ':'], "")
    }

    fn clock(self) -> (u64, u64, u64) {
        (self.second_of_day / 3_600, self.second_of_day / 60 % 60, self.second_of_day % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> String {
        Moment::of(Duration::from_secs(seconds)).rfc3339()
    }

    #[test]
    fn days_that_calendars_get_wrong_are_right() {
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(at(1_709_251_200), "2024-03-01T00:00:00Z");
        assert_eq!(at(1_767_225_599), "2025-12-31T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn a_file_name_sorts_by_time() {
        assert_eq!(Moment::of(Duration::from_secs(1_767_225_600)).file_name(), "20260101T000000Z");
    }
}
