//! A transmission rate.

use std::num::NonZeroU64;
use std::time::Duration;

const NANOSECONDS_PER_SECOND: u128 = 1_000_000_000;

/// A transmission rate in bits per second, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bandwidth(NonZeroU64);

impl Bandwidth {
    /// Makes a rate from bits per second; `None` for zero.
    pub const fn from_bits_per_second(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// Makes a rate from megabits (10^6 bits) per second.
    pub const fn from_megabits(megabits: NonZeroU64) -> Self {
        Self(megabits.saturating_mul(NonZeroU64::MIN.saturating_add(999_999)))
    }

    /// The rate in bits per second.
    pub const fn bits_per_second(self) -> u64 {
        self.0.get()
    }

    /// How long `bytes` occupy the line, rounded up to a nanosecond.
    pub fn transmission_time(self, bytes: u64) -> Duration {
        let nanoseconds = (u128::from(bytes) * 8 * NANOSECONDS_PER_SECOND).div_ceil(u128::from(self.0.get()));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// How many whole bytes the line carries in `time`.
    pub fn bytes_in(self, time: Duration) -> u64 {
        let bits = u128::from(self.0.get()) * time.as_nanos().min(u128::from(u64::MAX)) / NANOSECONDS_PER_SECOND;
        u64::try_from(bits / 8).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_megabit_carries_125_bytes_per_millisecond() {
        let rate = Bandwidth::from_megabits(NonZeroU64::MIN);
        assert_eq!(rate.bits_per_second(), 1_000_000);
        assert_eq!(rate.transmission_time(125), Duration::from_millis(1));
        assert_eq!(rate.bytes_in(Duration::from_millis(1)), 125);
        assert_eq!(Bandwidth::from_bits_per_second(0), None);
    }
}
