//! The runs of one scenario.

use std::path::PathBuf;

use darkswap_records::summary::{RunSummary, Status};

use crate::csv::Tables;
use crate::plot::plane::Span;
use crate::run::{Evidence, Run, Sample};

/// One scenario with every seed that ran.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Such as `nat/matrix`.
    pub(crate) name: String,
    /// One line; the name when no run left records.
    pub(crate) title: String,
    /// Longer explanation; may be empty.
    pub(crate) about: String,
    /// Commit of the code that ran.
    pub(crate) commit: String,
    /// Its runs, by seed.
    pub(crate) runs: Vec<Run>,
    /// The faults of its timeline, numbered from 1 in this order.
    pub(crate) faults: Vec<TimedFault>,
}

/// A fault of the timeline, over all seeds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TimedFault {
    /// When it was applied.
    pub(crate) span: Span,
    /// Such as `partition`.
    pub(crate) kind: String,
    /// What it was applied to.
    pub(crate) target: String,
    /// What it touched in each run that got so far.
    pub(crate) touched: Vec<u64>,
}

impl Scenario {
    /// Loads every run of a scenario and writes its samples to the tables; `runs` is not empty.
    pub(crate) fn load(
        runs: &[RunSummary],
        records: &[PathBuf],
        commit: &str,
        tables: &mut Tables,
    ) -> anyhow::Result<Self> {
        let load = |(run, path): (&RunSummary, &PathBuf)| Run::load(run, path, |records| tables.add(records));
        let runs = runs.iter().zip(records).map(load).collect::<anyhow::Result<Vec<_>>>()?;
        let name = runs.first().map(|run| run.summary.scenario.clone()).unwrap_or_default();
        let head = runs.iter().find_map(|run| run.head.as_ref());
        Ok(Self {
            title: head
                .map(|head| head.title.clone())
                .filter(|title| !title.is_empty())
                .unwrap_or_else(|| name.clone()),
            about: head.map(|head| head.about.clone()).unwrap_or_default(),
            name,
            commit: commit.to_string(),
            faults: timeline(&runs),
            runs,
        })
    }

    /// The samples of a figure over all seeds.
    pub(crate) fn samples<'a>(&'a self, figure: &'a str) -> impl Iterator<Item = &'a Sample> + 'a {
        self.runs.iter().flat_map(move |run| run.samples(figure))
    }

    /// How often a category figure had each category, over all seeds; from the summary, so records may be missing.
    pub(crate) fn count(&self, figure: &str, categories: &[&str]) -> u64 {
        let summaries = self.runs.iter().filter_map(|run| run.summary.figures.get(figure));
        summaries.flat_map(|summary| categories.iter().filter_map(|name| summary.categories.get(*name))).sum()
    }

    /// When faults were applied, for plots over time.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.faults.iter().map(|fault| fault.span).collect()
    }

    /// The end of the longest run, in simulated seconds.
    pub(crate) fn end_s(&self) -> f64 {
        self.runs.iter().map(|run| run.end_s).fold(0.0, f64::max)
    }

    /// How many runs passed.
    pub(crate) fn passed(&self) -> usize {
        self.runs.iter().filter(|run| run.summary.passed).count()
    }

    /// Every seed.
    pub(crate) fn seeds(&self) -> Vec<u64> {
        self.runs.iter().map(|run| run.summary.seed).collect()
    }

    /// What a reader should know about the evidence, one line each.
    pub(crate) fn notices(&self) -> Vec<String> {
        let mut notices: Vec<String> = self.runs.iter().filter_map(notice).collect();
        let unknown: Vec<&str> = self.runs.iter().flat_map(|run| run.unknown.iter().map(String::as_str)).collect();
        if let Some(first) = unknown.iter().min() {
            notices
                .push(format!("{}: figures that this version does not know were left out, such as {first}", self.name));
        }
        notices
    }
}

fn notice(run: &Run) -> Option<String> {
    let (scenario, seed) = (&run.summary.scenario, run.summary.seed);
    let invalid = run.summary.status == Status::Invalid;
    match &run.evidence {
        Evidence::Complete => None,
        Evidence::Missing if invalid => None,
        Evidence::CutShort => {
            Some(format!("{scenario} seed {seed}: the records stop at {:.1} s, before the run ended", run.end_s))
        }
        Evidence::Missing => Some(format!("{scenario} seed {seed}: there are no records, so it is in no plot")),
        Evidence::Unreadable(reason) => Some(format!("{scenario} seed {seed}: the records cannot be read: {reason}")),
    }
}

/// The faults of all runs, those at the same time on the same target as one, in order of time.
fn timeline(runs: &[Run]) -> Vec<TimedFault> {
    let mut all: Vec<_> = runs.iter().flat_map(|run| &run.faults).collect();
    let key = |fault: &darkswap_records::record::Fault| {
        (fault.at_us, fault.until_us, fault.kind.clone(), fault.target.clone())
    };
    all.sort_by_cached_key(|fault| key(fault));
    let same = all.chunk_by(|one, other| key(one) == key(other));
    let seconds = |micros: u64| micros as f64 / 1e6;
    same.enumerate()
        .map(|(index, same)| TimedFault {
            span: Span { number: index + 1, from: seconds(same[0].at_us), until: same[0].until_us.map(seconds) },
            kind: same[0].kind.clone(),
            target: same[0].target.clone(),
            touched: same.iter().map(|fault| fault.touched).collect(),
        })
        .collect()
}

/// Seeds as people write them: `1–5, 7`.
pub(crate) fn seeds(seeds: &[u64]) -> String {
    let ranges = seeds.chunk_by(|one, other| one.checked_add(1) == Some(*other)).map(|range| match range {
        [one] => one.to_string(),
        [one, other] => format!("{one}, {other}"),
        [first, .., last] => format!("{first}–{last}"),
        [] => String::new(),
    });
    ranges.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn seeds_are_written_as_ranges() {
        assert_eq!(seeds(&[1, 2, 3, 5, 8, 9]), "1–3, 5, 8, 9");
        assert_eq!(seeds(&[u64::MAX]), u64::MAX.to_string());
    }
}
