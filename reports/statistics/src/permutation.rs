//! How often chance alone would do this.
//!
//! The paired sign-flip test (Fisher, 1935): if two variants did not differ, each seed's difference could as well have the other sign.
//! The p-value is the share of all such flips whose mean lies at least as far from zero. Nothing else is assumed of the values but
//! that, so it is exact for few seeds as well.

use crate::draw::{Draw, Purpose};
use crate::{FEWEST, MOST};

/// Differences up to which every flip is looked at: 65,536 of them.
const EXACT: usize = 16;
/// Random flips beyond that: the error of a p-value of 0.05 is then 0.002.
const FLIPS: usize = 20_000;

/// The two-sided p-value of paired differences; none of fewer than [`FEWEST`], more than [`MOST`], or one that is not finite.
pub fn p_value(differences: &[f64]) -> Option<f64> {
    if !(FEWEST..=MOST).contains(&differences.len()) || differences.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let observed = differences.iter().sum::<f64>().abs();
    // Sums in another order differ in their last bits; what is equal on paper must count as equal.
    let tolerance = differences.iter().map(|value| value.abs()).sum::<f64>() * 1e-12;
    let extreme = |sum: f64| sum.abs() >= observed - tolerance;
    if differences.len() <= EXACT {
        let all = 1_u32 << differences.len();
        let count = (0..all).filter(|flips| extreme(flipped(differences, |at| flips >> at & 1 == 1))).count();
        return Some(count as f64 / f64::from(all));
    }
    let mut draw = Draw::new(Purpose::Permutation);
    let mut count = 0_usize;
    for _ in 0..FLIPS {
        let words: Vec<u64> = (0..differences.len().div_ceil(64)).map(|_| draw.bits()).collect();
        count += usize::from(extreme(flipped(differences, |at| words[at / 64] >> (at % 64) & 1 == 1)));
    }
    // The observed signs are one of the possible ones, so a p-value is never zero (Phipson and Smyth, 2010).
    Some((count + 1) as f64 / (FLIPS + 1) as f64)
}

/// The smallest p-value that so many differences can have.
pub fn least(count: usize) -> f64 {
    if count <= EXACT { 2.0 / f64::from(1_u32 << count.max(1)) } else { 1.0 / (FLIPS + 1) as f64 }
}

fn flipped(differences: &[f64], flips: impl Fn(usize) -> bool) -> f64 {
    differences.iter().enumerate().map(|(at, value)| if flips(at) { -value } else { *value }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Darwin's fifteen pairs of cross- and self-fertilised maize, in eighths of an inch.
    const DARWIN: [f64; 15] =
        [49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0, 75.0, 60.0, -48.0];

    #[test]
    fn darwins_maize_has_the_p_value_that_fisher_counted() {
        // Fisher (1935), section 21: of the 32,768 ways to sign the differences 1,726 are as far from zero in either direction.
        assert_eq!(p_value(&DARWIN), Some(1_726.0 / 32_768.0));
    }

    #[test]
    fn a_difference_of_one_sign_has_the_least_p_value() {
        assert_eq!(p_value(&[1.0; 8]), Some(2.0 / 256.0));
        assert_eq!(least(8), 2.0 / 256.0);
        assert_eq!(p_value(&[1.0, 2.0]), Some(0.5));
    }

    #[test]
    fn no_difference_is_never_surprising() {
        assert_eq!(p_value(&[0.0; 5]), Some(1.0));
        assert_eq!(p_value(&[0.1, -0.1, 0.2, -0.2]), Some(1.0));
        assert_eq!([p_value(&[]), p_value(&[1.0]), p_value(&[1.0, f64::NAN])], [None; 3]);
    }

    #[test]
    fn random_flips_agree_with_all_flips() {
        // Seventeen are one too many for the exact test, but few enough to count all flips here.
        let seventeen = [&DARWIN[..], &[10.0, -10.0]].concat();
        let all = 1_u32 << 17;
        let observed = seventeen.iter().sum::<f64>().abs();
        let exact = (0..all).filter(|flips| flipped(&seventeen, |at| flips >> at & 1 == 1).abs() >= observed).count();
        let (exact, drawn) = (exact as f64 / f64::from(all), p_value(&seventeen).unwrap());
        assert!((exact - drawn).abs() < 0.005, "{exact} and {drawn}");
        assert!(p_value(&[1.0; 40]).unwrap() > 0.0);
    }
}
