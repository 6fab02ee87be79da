//! Random bits from a seed that the caller drew.

use std::time::Duration;

/// A stream of random bits (SplitMix64). Good for jitter and for choices among relays; not for secrets.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A fraction in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// An index below `count`, each as likely; `None` of nothing.
    pub fn below(&mut self, count: usize) -> Option<usize> {
        // The high half of a product instead of a remainder: no bias that anybody could see, and no division (Lemire 2019).
        let product = u128::from(self.bits()) * u128::try_from(count).ok()?;
        (count > 0).then(|| usize::try_from(product >> 64).expect("the high half is below the count"))
    }

    /// A duration in `low..high`, or `low` when that is empty.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        low + high.saturating_sub(low).mul_f64(self.unit())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_seed_gives_one_stream() {
        let first = |seed| Random::new(seed).bits();
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }

    #[test]
    fn nothing_has_no_index() {
        assert_eq!(Random::new(1).below(0), None);
    }

    #[test]
    fn every_index_comes_about_equally_often() {
        let mut random = Random::new(7);
        let mut counts = [0_u32; 5];
        for _ in 0..5_000 {
            counts[random.below(5).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn draws_stay_in_their_range(seed: u64, count in 1_usize..1_000, low in 0_u64..1_000_000, width in 1_u64..1_000_000) {
            let mut random = Random::new(seed);
            prop_assert!(random.below(count).unwrap() < count);
            let (low, high) = (Duration::from_micros(low), Duration::from_micros(low + width));
            let drawn = random.between(low, high);
            prop_assert!(drawn >= low && drawn <= high);
        }
    }
}
