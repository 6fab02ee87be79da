//! The (scenario, seed) pairs to run.

use std::fmt;
use std::str::FromStr;

/// One pair to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Index of the scenario in its collection.
    pub scenario: usize,
    /// The seed.
    pub seed: u64,
}

/// Every pair, by scenario and then in the order of its seeds; `chosen` replaces the seeds of each scenario.
pub fn plan<'a>(seeds: impl IntoIterator<Item = &'a [u64]>, chosen: Option<&'a [u64]>) -> Vec<Run> {
    let of = |(scenario, own): (usize, &'a [u64])| {
        chosen.unwrap_or(own).iter().map(move |seed| Run { scenario, seed: *seed })
    };
    seeds.into_iter().enumerate().flat_map(of).collect()
}

/// One of several parts of a plan, so that several machines share it: `1/4` to `4/4` together are the whole, each pair once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    count: usize,
}

impl Shard {
    /// Most shards: far above the machines that anybody has.
    const MOST: usize = 10_000;

    /// The part of `all` that is this shard's: every `count`-th, starting with the `number`-th.
    pub fn of<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip(self.number - 1).step_by(self.count).collect()
    }
}

impl FromStr for Shard {
    type Err = String;

    /// Reads `K/N`, where K counts from 1.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected a shard such as `1/4`, the first of four";
        let (number, count) = text.split_once('/').ok_or(expected)?;
        let digits = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<usize>().map_err(|_| expected),
            false => Err(expected),
        };
        let (number, count) = (digits(number)?, digits(count)?);
        if count == 0 || count > Self::MOST {
            return Err(format!("found {count} shards, expected from 1 to {}", Self::MOST));
        }
        if number == 0 || number > count {
            return Err(format!("found shard {number}, expected from 1 to {count}"));
        }
        Ok(Self { number, count })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_every_seed_of_every_scenario() {
        let pairs = |runs: Vec<Run>| runs.iter().map(|run| (run.scenario, run.seed)).collect::<Vec<_>>();
        let own: [&[u64]; 2] = [&[1, 2], &[7]];
        assert_eq!(pairs(plan(own, None)), [(0, 1), (0, 2), (1, 7)]);
        assert_eq!(pairs(plan(own, Some(&[5]))), [(0, 5), (1, 5)]);
    }

    #[test]
    fn shards_split_a_plan_into_disjoint_parts() {
        let all: Vec<usize> = (0..10).collect();
        for count in 1..=12 {
            let mut together = Vec::new();
            let mut lengths = Vec::new();
            for number in 1..=count {
                let part = Shard { number, count }.of(all.clone());
                lengths.push(part.len());
                together.extend(part);
            }
            together.sort_unstable();
            assert_eq!(together, all);
            assert!(lengths.iter().max() <= lengths.iter().min().map(|least| least + 1).as_ref());
        }
        assert_eq!(Shard { number: 2, count: 4 }.of(all), [1, 5, 9]);
    }

    #[test]
    fn a_shard_is_read_and_anything_else_refused() {
        assert_eq!("2/4".parse(), Ok(Shard { number: 2, count: 4 }));
        for text in ["", "2", "0/4", "5/4", "1/0", "a/b", "-1/4", "+1/4", "1/4/2", "1/100000"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
