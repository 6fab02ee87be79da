//! P-values corrected for how many questions were asked.

/// The p-values as Holm (1979) adjusts them, in the order given: an adjusted one below a level is significant at that level over the
/// whole family, so the chance of even one false claim stays below it.
pub fn adjust(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|one, other| p_values[*one].total_cmp(&p_values[*other]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, index) in order.into_iter().enumerate() {
        // A later one is never more significant than an earlier one.
        largest = largest.max((p_values.len() - rank) as f64 * p_values[index]).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::adjust;

    #[test]
    fn the_steps_agree_with_those_by_hand() {
        // As p.adjust of R: 4 * 0.005, 3 * 0.01, 2 * 0.03, then 0.04 raised to what stands before it.
        let adjusted = adjust(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(adjust(&[0.5, 0.9]), [1.0, 1.0]);
        assert_eq!(adjust(&[]), [] as [f64; 0]);
    }

    proptest! {
        #[test]
        fn correction_only_raises_and_keeps_the_order(p_values in prop::collection::vec(0.0..=1.0_f64, 1..20)) {
            let adjusted = adjust(&p_values);
            for (at, p) in p_values.iter().enumerate() {
                prop_assert!(adjusted[at] >= *p && adjusted[at] <= 1.0);
                for (other, q) in p_values.iter().enumerate() {
                    prop_assert!(p > q || adjusted[at] <= adjusted[other]);
                }
            }
        }
    }
}
