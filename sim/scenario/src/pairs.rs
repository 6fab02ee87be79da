//! Pairs of hosts between two selections.

use std::collections::BTreeSet;

use crate::bound;
use crate::directory::Directory;
use crate::draw::Draw;
use crate::fields::Fields;
use crate::problem::Problems;
use crate::topology::HostIndex;
use crate::tree::{Kind, Node};
use crate::value;

/// Pairs of a load entry, without what the seed adds.
#[derive(Debug, Clone)]
pub(crate) struct Pairs {
    from: Vec<HostIndex>,
    to: Vec<HostIndex>,
    pub(crate) choice: Choice,
}

/// Which of the pairs between two selections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Every one; a pair within both selections once.
    All,
    /// Every second host with one of the first, which take turns.
    Each,
    /// Those that a `connect` of the scenario connects.
    Connected,
    /// So many, drawn by the seed.
    Random(usize),
}

impl Pairs {
    pub(crate) fn read(
        fields: &Fields<'_>,
        directory: &Directory,
        default: Choice,
        problems: &mut Problems<'_>,
    ) -> Option<Self> {
        let from = fields.require("from", problems).and_then(|node| directory.select(node, problems));
        let to = fields.require("to", problems).and_then(|node| directory.select(node, problems));
        let (from, to) = (from?, to?);
        let pairs = Self { from, to, choice: Choice::All };
        let possible = pairs.possible();
        if possible == 0 {
            problems.add(fields.place, "no pair of two different hosts", "`from` and `to` with at least one");
            return None;
        }
        let choice = match fields.find("pairs") {
            Some(node) => choice(node, possible, default, problems)?,
            None => default,
        };
        Some(Self { choice, ..pairs })
    }

    /// How many pairs there are at most, given the scenario's connects.
    pub(crate) fn at_most(&self, connects: &[&Self]) -> usize {
        match self.choice {
            Choice::All => self.possible(),
            Choice::Each => self.to.len(),
            Choice::Random(count) => count,
            Choice::Connected => connects
                .iter()
                .map(|connect| {
                    let shared = Self {
                        from: common(&connect.from, &[&self.from, &self.to]),
                        to: common(&connect.to, &[&self.from, &self.to]),
                        choice: Choice::All,
                    };
                    shared.possible().min(connect.at_most(&[])).min(self.possible())
                })
                .sum(),
        }
    }

    /// The pairs of this seed. `connected` are those of the scenario's connects.
    pub(crate) fn resolve(&self, connected: &[(HostIndex, HostIndex)], draw: &mut Draw) -> Vec<(HostIndex, HostIndex)> {
        match self.choice {
            Choice::All => self.every().collect(),
            Choice::Each => {
                let in_turn = self.from.iter().copied().cycle().zip(self.to.iter().copied());
                in_turn.filter(|(from, to)| from != to).collect()
            }
            Choice::Random(count) => {
                let mut pairs: Vec<_> = self.every().collect();
                draw.shuffle(&mut pairs, count);
                pairs.truncate(count);
                // Where both directions are allowed, who begins is drawn too.
                let both = |(a, b)| self.contains(b, a);
                pairs
                    .into_iter()
                    .map(|(a, b)| if both((a, b)) && draw.below(2) == 1 { (b, a) } else { (a, b) })
                    .collect()
            }
            Choice::Connected => {
                let directed = connected.iter().filter_map(|(a, b)| match () {
                    () if self.contains(*a, *b) => Some((*a, *b)),
                    () if self.contains(*b, *a) => Some((*b, *a)),
                    () => None,
                });
                let mut seen = BTreeSet::new();
                directed.filter(|pair| seen.insert(*pair)).collect()
            }
        }
    }

    fn contains(&self, a: HostIndex, b: HostIndex) -> bool {
        self.from.binary_search(&a).is_ok() && self.to.binary_search(&b).is_ok()
    }

    /// Every pair once: of two that differ in direction only, the one that begins with the earlier host.
    fn every(&self) -> impl Iterator<Item = (HostIndex, HostIndex)> {
        self.from.iter().flat_map(move |a| {
            self.to.iter().filter(move |b| a != *b && (a < *b || !self.contains(**b, *a))).map(move |b| (*a, *b))
        })
    }

    /// How many pairs [`Pairs::every`] gives.
    fn possible(&self) -> usize {
        let both = common(&self.from, &[&self.to]).len();
        self.from.len() * self.to.len() - both - both * both.saturating_sub(1) / 2
    }
}

/// Those of the first list that are in one of the others; lists are sorted.
fn common(hosts: &[HostIndex], others: &[&[HostIndex]]) -> Vec<HostIndex> {
    hosts.iter().filter(|host| others.iter().any(|other| other.binary_search(host).is_ok())).copied().collect()
}

fn choice(node: &Node, possible: usize, default: Choice, problems: &mut Problems<'_>) -> Option<Choice> {
    let numeric = matches!(&node.kind, Kind::Scalar { text, .. } if text.starts_with(|c: char| c.is_ascii_digit()));
    if numeric {
        let most = possible.min(bound::PAIRS) as u64;
        return value::number(node, 1..=most, problems).map(|count| Choice::Random(count as usize));
    }
    let words: &[(&str, Choice)] = match default {
        Choice::Connected => &[("all", Choice::All), ("each", Choice::Each), ("connected", Choice::Connected)],
        Choice::All | Choice::Each | Choice::Random(_) => &[("all", Choice::All), ("each", Choice::Each)],
    };
    value::word(node, "a number of pairs or", words, problems)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::draw::Purpose;

    fn hosts(set: &BTreeSet<usize>) -> Vec<HostIndex> {
        set.iter().copied().map(HostIndex).collect()
    }

    #[test]
    fn each_second_host_has_one_of_the_first_in_turn() {
        let [from, to] = [BTreeSet::from([1, 2]), BTreeSet::from([2, 3, 4, 5])].map(|set| hosts(&set));
        let pairs = Pairs { from, to, choice: Choice::Each };
        let resolved = pairs.resolve(&[], &mut Draw::new(1, Purpose::Pairs, 0));
        let numbers: Vec<_> = resolved.iter().map(|(from, to)| (from.0, to.0)).collect();
        assert_eq!(numbers, [(1, 2), (2, 3), (1, 4), (2, 5)]);
        assert_eq!(pairs.at_most(&[]), 4);
    }

    proptest! {
        #[test]
        fn pairs_are_distinct_and_counted(
            from in prop::collection::btree_set(0_usize..12, 1..8),
            to in prop::collection::btree_set(0_usize..12, 1..8),
            count in 0_usize..70,
            seed in any::<u64>(),
        ) {
            let pairs = Pairs { from: hosts(&from), to: hosts(&to), choice: Choice::Random(count) };
            prop_assert_eq!(pairs.every().count(), pairs.possible());
            let drawn = pairs.resolve(&[], &mut Draw::new(seed, Purpose::Pairs, 0));
            prop_assert_eq!(drawn.len(), count.min(pairs.possible()));
            let unordered: BTreeSet<_> = drawn.iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
            prop_assert_eq!(unordered.len(), drawn.len());
            prop_assert!(drawn.iter().all(|(a, b)| a != b && pairs.contains(*a, *b)));
        }
    }
}
