//! A group of values in one number.

use statrs::statistics::{Data, OrderStatistics, Statistics};

/// The arithmetic mean; none of no values.
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.mean()) }
}

/// The standard deviation of a sample (divided by n - 1); none of fewer than two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 { None } else { Some(values.std_dev()) }
}

/// The median, between the two middle values of an even number; none of no values.
pub fn median(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(Data::new(values.to_vec()).median()) }
}

/// The quantile of a share from 0 to 1, interpolated so that it is median-unbiased (type 8 of Hyndman and Fan, 1996); none of no
/// values.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    if values.is_empty() { None } else { Some(Data::new(values.to_vec()).quantile(share)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Michelson's first twenty measurements of the speed of light, less 299,000 km/s.
    const MICHELSON: [f64; 20] = [
        850.0, 740.0, 900.0, 1_070.0, 930.0, 850.0, 950.0, 980.0, 980.0, 880.0, 1_000.0, 980.0, 930.0, 650.0, 760.0,
        810.0, 1_000.0, 1_000.0, 960.0, 960.0,
    ];

    #[test]
    fn michelsons_first_experiment_is_summarised_as_published() {
        assert_eq!(mean(&MICHELSON), Some(909.0));
        assert_eq!(median(&MICHELSON), Some(940.0));
        assert!((standard_deviation(&MICHELSON).unwrap() - 104.926_04).abs() < 1e-4);
    }

    #[test]
    fn the_ends_of_the_quantiles_are_the_extremes() {
        assert_eq!([0.0, 0.5, 1.0].map(|share| quantile(&[3.0, 1.0, 2.0], share)), [1.0, 2.0, 3.0].map(Some));
    }

    #[test]
    fn nothing_has_no_mean() {
        assert_eq!([mean(&[]), median(&[]), quantile(&[], 0.5), standard_deviation(&[1.0])], [None; 4]);
    }
}
