//! The smoothed round-trip time and its variation, after RFC 6298, section 2.

use std::time::Duration;

/// Longer samples count as this: whoever answers later is lost for any use of ours, and sums stay far from overflow.
pub const LONGEST: Duration = Duration::from_secs(60);

/// A smoothed round-trip time: `variation = 3/4 variation + 1/4 |smoothed - sample|`, then `smoothed = 7/8 smoothed + 1/8 sample`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtt {
    smoothed: Duration,
    variation: Duration,
}

impl Rtt {
    /// The estimate after the first sample: the sample, and half of it (RFC 6298, 2.2).
    #[must_use]
    pub fn first(sample: Duration) -> Self {
        let sample = sample.min(LONGEST);
        Self { smoothed: sample, variation: sample / 2 }
    }

    /// Takes another sample (RFC 6298, 2.3).
    pub fn record(&mut self, sample: Duration) {
        let sample = sample.min(LONGEST);
        self.variation = (self.variation * 3 + self.smoothed.abs_diff(sample)) / 4;
        self.smoothed = (self.smoothed * 7 + sample) / 8;
    }

    /// The smoothed round-trip time (SRTT).
    #[must_use]
    pub fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// The variation (RTTVAR).
    #[must_use]
    pub fn variation(&self) -> Duration {
        self.variation
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_first_two_samples_follow_the_rfc() {
        let mut rtt = Rtt::first(ms(100));
        assert_eq!((rtt.smoothed(), rtt.variation()), (ms(100), ms(50)));
        rtt.record(ms(180));
        assert_eq!((rtt.smoothed(), rtt.variation()), (ms(110), Duration::from_micros(57_500)));
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn the_estimate_stays_between_the_extremes(first in 0_u64..200_000, rest in prop::collection::vec(0_u64..200_000, 0..64)) {
            let mut rtt = Rtt::first(ms(first));
            let (mut low, mut high) = (ms(first).min(LONGEST), ms(first).min(LONGEST));
            for sample in rest {
                rtt.record(ms(sample));
                low = low.min(ms(sample).min(LONGEST));
                high = high.max(ms(sample).min(LONGEST));
                // Integer division rounds down, at most a nanosecond per sample.
                prop_assert!(rtt.smoothed() + Duration::from_nanos(64) >= low && rtt.smoothed() <= high);
                prop_assert!(rtt.variation() <= LONGEST);
            }
        }
    }
}
