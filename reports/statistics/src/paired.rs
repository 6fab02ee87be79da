//! Two variants over the same seeds.

use crate::bootstrap::{Interval, interval};
use crate::describe::mean;
use crate::effect::{Magnitude, cliffs_delta};
use crate::permutation::{least, p_value};

/// Most that an adjusted p-value may be for a difference to count as one.
pub const SIGNIFICANT: f64 = 0.05;

/// A variant against a baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// Seeds with a value on both sides.
    pub seeds: usize,
    /// Seeds under which the variant's value is larger.
    pub larger: usize,
    /// Seeds under which it is smaller.
    pub smaller: usize,
    /// Mean of the baseline over these seeds.
    pub baseline: f64,
    /// Mean of the differences, variant less baseline.
    pub difference: f64,
    /// Where the mean of the differences probably lies.
    pub interval: Interval,
    /// Cliff's delta of the variant's values against the baseline's.
    pub delta: f64,
    /// P-value of the sign-flip test, for this question alone.
    pub p: f64,
}

impl Paired {
    /// Compares pairs of a baseline's and a variant's value, one pair per seed; none of too few pairs or values that are not finite.
    pub fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        let (baseline, variant): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let differences: Vec<f64> = pairs.iter().map(|(baseline, variant)| variant - baseline).collect();
        Some(Self {
            seeds: pairs.len(),
            larger: differences.iter().filter(|difference| **difference > 0.0).count(),
            smaller: differences.iter().filter(|difference| **difference < 0.0).count(),
            baseline: mean(&baseline)?,
            difference: mean(&differences)?,
            interval: interval(&differences)?,
            delta: cliffs_delta(&variant, &baseline)?,
            p: p_value(&differences)?,
        })
    }

    /// The difference as a share of the baseline; none when the baseline is zero.
    pub fn relative(&self) -> Option<f64> {
        let relative = self.difference / self.baseline.abs();
        relative.is_finite().then_some(relative)
    }

    /// How large the effect is.
    pub fn magnitude(&self) -> Magnitude {
        Magnitude::of(self.delta)
    }

    /// Whether so many seeds could show a difference at all when `questions` of them are asked together.
    pub fn can_show(&self, questions: usize) -> bool {
        least(self.seeds) * questions as f64 <= SIGNIFICANT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pairing_sees_what_the_spread_over_seeds_would_hide() {
        // The seeds differ by far more than the variants, but the variant is larger by about one under each of them.
        let pairs: Vec<(f64, f64)> =
            (0..8).map(|seed| f64::from(seed) * 10.0).map(|value| (value, value + 1.0 + value / 1_000.0)).collect();
        let paired = Paired::of(&pairs).unwrap();
        assert_eq!((paired.seeds, paired.larger, paired.smaller), (8, 8, 0));
        assert!((paired.difference - 1.035).abs() < 1e-9 && paired.interval.low > 1.0, "{paired:?}");
        assert_eq!(paired.p, 2.0 / 256.0);
        assert_eq!(
            paired.magnitude().word(),
            "negligible",
            "over all pairs of runs the groups overlap: {}",
            paired.delta
        );
    }

    #[test]
    fn one_seed_is_no_comparison() {
        assert_eq!(Paired::of(&[(1.0, 2.0)]), None);
        assert_eq!(Paired::of(&[]), None);
    }

    #[test]
    fn five_seeds_can_show_nothing_and_eight_can_answer_six_questions() {
        let of = |seeds: usize| Paired::of(&vec![(1.0, 2.0); seeds]).unwrap();
        assert!(!of(5).can_show(1) && of(6).can_show(1));
        assert!(of(8).can_show(6) && !of(8).can_show(7));
    }

    #[test]
    fn a_share_of_nothing_is_not_shown() {
        assert_eq!(Paired::of(&[(0.0, 1.0), (0.0, 2.0)]).unwrap().relative(), None);
        assert_eq!(Paired::of(&[(-2.0, -1.0), (-2.0, -1.0)]).unwrap().relative(), Some(0.5));
    }
}
