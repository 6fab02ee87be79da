//! One value for all hosts of a population, or shares of several.

use darkswap_records::unit;

use crate::bound;
use crate::draw::Draw;
use crate::problem::Problems;
use crate::source::Place;
use crate::tree::{Kind, Node};
use crate::value;

/// Values with their shares in millionths, which sum to one million.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mix<T>(Vec<(T, u32)>);

const WHOLE: u32 = 1_000_000;

impl<T: Clone> Mix<T> {
    /// The same for all.
    pub(crate) fn one(value: T) -> Self {
        Self(vec![(value, WHOLE)])
    }

    /// Values with shares in millionths, which must sum to one million.
    pub(crate) fn of(shares: Vec<(T, u32)>) -> Self {
        assert_eq!(shares.iter().map(|(_, share)| share).sum::<u32>(), WHOLE, "shares of a whole");
        Self(shares)
    }

    /// The values, whatever their shares.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(value, _)| value)
    }

    /// Reads a name or a map from names to shares.
    pub(crate) fn read(
        node: &Node,
        what: &str,
        problems: &mut Problems<'_>,
        find: impl Fn(&str, Place, &mut Problems<'_>) -> Option<T>,
    ) -> Option<Self> {
        match &node.kind {
            Kind::Scalar { text, .. } => find(text, node.place, problems).map(Self::one),
            Kind::Map(_) => {
                let entries = value::map(node, "shares", bound::ENTRIES, problems)?;
                let read: Vec<_> = entries
                    .iter()
                    .map(|(key, share)| {
                        let value = value::text(key, what, problems).and_then(|name| find(name, key.place, problems));
                        let share = value::share(share, problems);
                        Some((value?, (share? * f64::from(WHOLE)).round() as u32))
                    })
                    .collect();
                let shares: Vec<_> = read.into_iter().collect::<Option<_>>()?;
                let sum: u32 = shares.iter().map(|(_, share)| share).sum();
                if sum != WHOLE {
                    let found = unit::format_share(f64::from(sum) / f64::from(WHOLE));
                    problems.add(node.place, format!("shares that sum to {found}"), "shares that sum to 100%");
                    return None;
                }
                Some(Self(shares))
            }
            Kind::Null | Kind::List(_) => {
                problems.add(
                    node.place,
                    node.describe(),
                    format!("{what}, or a map of shares such as `{{a: 60%, b: 40%}}`"),
                );
                None
            }
        }
    }

    /// One value for each of `count` hosts: exact shares, in an order of the seed.
    pub(crate) fn assign(&self, count: usize, draw: &mut Draw) -> Vec<T> {
        let shares: Vec<u32> = self.0.iter().map(|(_, share)| *share).collect();
        let counts = apportion(count, &shares);
        let mut values: Vec<T> = self
            .0
            .iter()
            .zip(counts)
            .flat_map(|((value, _), count)| std::iter::repeat_n(value.clone(), count))
            .collect();
        draw.shuffle(&mut values, count);
        values
    }
}

/// Whole numbers in proportion to millionths by the largest remainder; among equal remainders the first wins. They sum to `count`.
fn apportion(count: usize, millionths: &[u32]) -> Vec<usize> {
    let exact: Vec<u64> = millionths.iter().map(|share| count as u64 * u64::from(*share)).collect();
    let mut counts: Vec<usize> = exact.iter().map(|share| (share / u64::from(WHOLE)) as usize).collect();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(exact[*index] % u64::from(WHOLE)));
    let rest = count.saturating_sub(counts.iter().sum());
    for index in order.into_iter().take(rest) {
        counts[index] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::draw::Purpose;

    #[test]
    fn shares_are_exact_where_they_can_be() {
        assert_eq!(apportion(20, &[600_000, 200_000, 200_000]), [12, 4, 4]);
        assert_eq!(apportion(10, &[333_333, 333_333, 333_334]), [3, 3, 4]);
        assert_eq!(apportion(1, &[500_000, 500_000]), [1, 0]);
    }

    proptest! {
        #[test]
        fn nobody_is_left_out_and_no_share_is_off_by_one(count in 0_usize..3_000, cuts in prop::collection::vec(0_u32..=WHOLE, 0..6)) {
            let mut cuts = cuts;
            cuts.extend([0, WHOLE]);
            cuts.sort_unstable();
            let shares: Vec<u32> = cuts.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let counts = apportion(count, &shares);
            prop_assert_eq!(counts.iter().sum::<usize>(), count);
            for (got, share) in counts.iter().zip(&shares) {
                let exact = count as f64 * f64::from(*share) / f64::from(WHOLE);
                prop_assert!((*got as f64 - exact).abs() < 1.0);
            }
            let mix = Mix(shares.iter().copied().enumerate().collect());
            let assigned = mix.assign(count, &mut Draw::new(7, Purpose::Nat, 0));
            for (value, got) in counts.iter().enumerate() {
                prop_assert_eq!(assigned.iter().filter(|v| **v == value).count(), *got);
            }
        }
    }
}
