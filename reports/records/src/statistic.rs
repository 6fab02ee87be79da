//! Count, share, percentile and their kin over samples.
//!
//! Percentiles are **nearest rank**: the smallest sample that at least p per cent of all samples do not exceed, so the answer is
//! always a value that was measured. The median is the 50th percentile by the same rule.

/// There is nothing to compute a statistic of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no samples")]
pub struct NoSamples;

/// A percentile with one decimal, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percentile(u16);

impl Percentile {
    /// The 50th.
    pub const MEDIAN: Self = Self(500);

    /// The percentile of so many tenths of a per cent; none above 1,000.
    pub const fn of_tenths(tenths: u16) -> Option<Self> {
        if tenths <= 1_000 { Some(Self(tenths)) } else { None }
    }

    /// Tenths of a per cent.
    pub const fn tenths(self) -> u16 {
        self.0
    }
}

impl std::fmt::Display for Percentile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "p{whole}"),
            (whole, tenth) => write!(f, "p{whole}.{tenth}"),
        }
    }
}

/// How many values there are.
pub fn count(values: &[f64]) -> f64 {
    values.len() as f64
}

/// Their sum.
///
/// # Errors
/// There are none: a sum of nothing would pass every `== 0`.
pub fn sum(values: &[f64]) -> Result<f64, NoSamples> {
    if values.is_empty() { Err(NoSamples) } else { Ok(values.iter().sum()) }
}

/// The smallest.
///
/// # Errors
/// There are none.
pub fn min(values: &[f64]) -> Result<f64, NoSamples> {
    values.iter().copied().min_by(f64::total_cmp).ok_or(NoSamples)
}

/// The largest.
///
/// # Errors
/// There are none.
pub fn max(values: &[f64]) -> Result<f64, NoSamples> {
    values.iter().copied().max_by(f64::total_cmp).ok_or(NoSamples)
}

/// The arithmetic mean.
///
/// # Errors
/// There are none.
pub fn mean(values: &[f64]) -> Result<f64, NoSamples> {
    Ok(sum(values)? / count(values))
}

/// The latest, in the order given.
///
/// # Errors
/// There are none.
pub fn last(values: &[f64]) -> Result<f64, NoSamples> {
    values.last().copied().ok_or(NoSamples)
}

/// The percentile by nearest rank.
///
/// # Errors
/// There are none.
pub fn percentile(values: &[f64], percentile: Percentile) -> Result<f64, NoSamples> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    percentile_of_sorted(&sorted, percentile)
}

/// The same over values that are sorted already.
///
/// # Errors
/// There are none.
pub fn percentile_of_sorted(sorted: &[f64], percentile: Percentile) -> Result<f64, NoSamples> {
    let rank = (sorted.len() * usize::from(percentile.0)).div_ceil(1_000).max(1);
    sorted.get(rank - 1).copied().ok_or(NoSamples)
}

/// Jain's index of fairness (Jain, Chiu and Hawe, 1984): 1 when every value is equal, 1/n when one of n has everything.
///
/// # Errors
/// There are none, one is negative, or all are zero: then nothing is shared.
pub fn jain(values: &[f64]) -> Result<f64, NoSamples> {
    let largest = max(values)?;
    if !(values.iter().all(|value| value.is_finite() && *value >= 0.0) && largest > 0.0) {
        return Err(NoSamples);
    }
    // As parts of the largest, so that equal values give exactly 1 and large ones no infinity.
    let parts = || values.iter().map(|value| value / largest);
    let (sum, squares): (f64, f64) = (parts().sum(), parts().map(|part| part * part).sum());
    // Rounding may lift the index above 1, where an expectation could not name it.
    Ok((sum * sum / (count(values) * squares)).min(1.0))
}

/// `matching / all`.
///
/// # Errors
/// There are none at all.
pub fn share(matching: usize, all: usize) -> Result<f64, NoSamples> {
    if all == 0 { Err(NoSamples) } else { Ok(matching as f64 / all as f64) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nearest_rank_picks_a_measured_value() {
        let values = [15.0, 20.0, 35.0, 40.0, 50.0];
        let at = |tenths| percentile(&values, Percentile(tenths)).unwrap();
        assert_eq!([at(0), at(50), at(300), at(400), at(500), at(1_000)], [15.0, 15.0, 20.0, 20.0, 35.0, 50.0]);
    }

    #[test]
    fn jains_index_is_one_for_equal_shares_and_one_nth_for_one_taker() {
        assert_eq!(jain(&[5.0; 4]), Ok(1.0));
        assert_eq!(jain(&[0.1; 7]), Ok(1.0));
        assert_eq!(jain(&[1.0, 0.0, 0.0, 0.0]), Ok(0.25));
        // By hand: (1 + 2 + 3)^2 / (3 * (1 + 4 + 9)) = 36 / 42.
        assert!((jain(&[1.0, 2.0, 3.0]).unwrap() - 36.0 / 42.0).abs() < 1e-15);
        assert_eq!([jain(&[0.0, 0.0]), jain(&[1.0, -1.0]), jain(&[f64::NAN])], [Err(NoSamples); 3]);
    }

    #[test]
    fn nothing_has_no_statistic() {
        let of_nothing = [sum(&[]), min(&[]), max(&[]), mean(&[]), last(&[]), jain(&[])];
        for result in of_nothing.into_iter().chain([percentile(&[], Percentile::MEDIAN), share(0, 0)]) {
            assert_eq!(result, Err(NoSamples));
        }
        assert_eq!(count(&[]), 0.0);
    }

    #[test]
    fn percentiles_are_named() {
        assert_eq!(Percentile(999).to_string(), "p99.9");
        assert_eq!(Percentile(950).to_string(), "p95");
    }

    proptest! {
        #[test]
        fn jains_index_lies_between_one_nth_and_one(values in prop::collection::vec(0.0..1e9_f64, 1..30)) {
            if let Ok(index) = jain(&values) {
                prop_assert!(index <= 1.0 && index >= 1.0 / values.len() as f64 - 1e-9);
            }
        }

        #[test]
        fn statistics_stay_between_the_extremes(values in prop::collection::vec(-1e9..1e9_f64, 1..50), tenths in 0_u16..=1_000) {
            let (low, high) = (min(&values).unwrap(), max(&values).unwrap());
            let rank = percentile(&values, Percentile(tenths)).unwrap();
            prop_assert!(low <= rank && rank <= high && values.contains(&rank));
            let mean = mean(&values).unwrap();
            prop_assert!(low - 1e-3 <= mean && mean <= high + 1e-3);
            let at_most = values.iter().filter(|value| **value <= rank).count();
            prop_assert!(at_most * 1_000 >= values.len() * usize::from(tenths));
        }
    }
}
