//! How far two groups lie apart, whatever their unit.
//!
//! Cliff's delta (Cliff, 1993): the share of pairs of runs in which the first group's value is larger, less the share in which it is
//! smaller. Chosen over Cohen's d because simulated runs are rarely normal, and two variants can differ by the same amount under every
//! seed: d divides by the spread of the differences and becomes as large as one likes, while delta stays within -1 to 1 and one
//! outlier cannot move it by more than its own share.

/// How large an effect is, by the thresholds of Romano et al. (2006): 0.147, 0.33 and 0.474.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Magnitude {
    /// Below 0.147.
    Negligible,
    /// Below 0.33.
    Small,
    /// Below 0.474.
    Medium,
    /// From 0.474.
    Large,
}

impl Magnitude {
    /// The magnitude of a delta of either sign.
    pub fn of(delta: f64) -> Self {
        match delta.abs() {
            size if size < 0.147 => Self::Negligible,
            size if size < 0.33 => Self::Small,
            size if size < 0.474 => Self::Medium,
            _ => Self::Large,
        }
    }

    /// As a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Negligible => "negligible",
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }
}

/// Cliff's delta of two groups: 1 when every value of the first is above every value of the second, -1 the other way round, 0 when
/// neither dominates; none when a group is empty.
pub fn cliffs_delta(first: &[f64], second: &[f64]) -> Option<f64> {
    if first.is_empty() || second.is_empty() {
        return None;
    }
    let mut sorted = second.to_vec();
    sorted.sort_by(f64::total_cmp);
    let dominance: i64 = first
        .iter()
        .map(|value| {
            let below = sorted.partition_point(|other| other < value);
            let not_above = sorted.partition_point(|other| other <= value);
            below as i64 - (sorted.len() - not_above) as i64
        })
        .sum();
    Some(dominance as f64 / (first.len() as f64 * second.len() as f64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn delta_agrees_with_a_count_by_hand() {
        // Against 1, 2, 3: 2 wins one, loses one, ties one; 4 wins all three. (1 - 1 + 3) / 6.
        assert_eq!(cliffs_delta(&[2.0, 4.0], &[1.0, 2.0, 3.0]), Some(0.5));
        assert_eq!(cliffs_delta(&[5.0, 6.0], &[1.0, 2.0]), Some(1.0));
        assert_eq!(cliffs_delta(&[1.0], &[1.0]), Some(0.0));
        assert_eq!(cliffs_delta(&[], &[1.0]), None);
    }

    #[test]
    fn the_published_example_of_two_treatments() {
        // Hess and Kromrey (2004) and the R package effsize: {10,10,20,20,20,30,30,30,40,50} against {10,20,30,40,40,50} is -0.25.
        let treatment = [10.0, 10.0, 20.0, 20.0, 20.0, 30.0, 30.0, 30.0, 40.0, 50.0];
        assert_eq!(cliffs_delta(&treatment, &[10.0, 20.0, 30.0, 40.0, 40.0, 50.0]), Some(-0.25));
    }

    #[test]
    fn a_magnitude_has_the_published_thresholds() {
        let words = [0.0, 0.146, 0.147, -0.33, 0.473, -0.474, 1.0].map(|delta| Magnitude::of(delta).word());
        assert_eq!(words, ["negligible", "negligible", "small", "medium", "medium", "large", "large"]);
    }

    proptest! {
        #[test]
        fn delta_changes_its_sign_with_the_order_and_is_what_all_pairs_say(
            one in prop::collection::vec(-5_i32..5, 1..15), other in prop::collection::vec(-5_i32..5, 1..15),
        ) {
            let [one, other] = [one, other].map(|values| values.into_iter().map(f64::from).collect::<Vec<_>>());
            let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a > b) as i32 - (a < b) as i32));
            let expected = f64::from(pairs.sum::<i32>()) / (one.len() * other.len()) as f64;
            prop_assert_eq!(cliffs_delta(&one, &other), Some(expected));
            prop_assert_eq!(cliffs_delta(&other, &one), Some(0.0 - expected));
        }
    }
}
