//! `summary.json`: one entry per run, for scripts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{Fault, Outcome};
use crate::sample::{Sample, Samples};
use crate::statistic::{self, Percentile};

/// Version of the summary format. A reader refuses another one.
pub const VERSION: u32 = 1;

/// Every run of one invocation, or of several shards merged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Format version, [`VERSION`].
    pub version: u32,
    /// Commit of the code that ran.
    pub commit: String,
    /// When the invocation started, RFC 3339.
    pub started: String,
    /// The command line.
    pub command: String,
    /// One entry per (scenario, seed), ordered by both.
    pub runs: Vec<RunSummary>,
}

/// One (scenario, seed).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Scenario name such as `nat/matrix`.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Whether every expectation held and every fault touched something.
    pub passed: bool,
    /// How the run ended.
    pub status: Status,
    /// Hash over every delivered packet, in hexadecimal; empty when the run did not end.
    pub trace_hash: String,
    /// Simulated seconds.
    pub simulated_s: f64,
    /// Wall-clock seconds.
    pub wall_s: f64,
    /// CPU seconds of the worker.
    pub cpu_s: f64,
    /// Peak resident memory of the worker in bytes.
    pub peak_memory_bytes: u64,
    /// Packet totals by name.
    pub packets: BTreeMap<String, u64>,
    /// Each expectation with its value.
    pub expectations: Vec<Outcome>,
    /// Each fault with what it touched.
    pub faults: Vec<Fault>,
    /// What was measured, by figure.
    pub figures: BTreeMap<String, FigureSummary>,
    /// The run's records, relative to the summary's folder.
    pub records: String,
    /// Why the run is not `passed`, when expectations do not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The one command that runs it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It ended and everything held.
    Passed,
    /// It ended and an expectation did not hold, or a fault touched nothing.
    Failed,
    /// Its worker died.
    Crashed,
    /// Its worker was ended for taking too long.
    Hung,
    /// The scenario could not be run.
    Invalid,
}

/// The samples of one figure in a few numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FigureSummary {
    /// How many samples.
    pub count: u64,
    /// Smallest value, in the figure's unit.
    pub min: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// 50th percentile, nearest rank.
    pub median: f64,
    /// 95th percentile, nearest rank.
    pub p95: f64,
    /// 99th percentile, nearest rank.
    pub p99: f64,
    /// Largest value.
    pub max: f64,
    /// Samples per category; empty for a figure without categories.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub categories: BTreeMap<String, u64>,
}

/// Why a summary is refused, or several cannot be merged.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// Not a summary.
    #[error("not a summary: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by another version.
    #[error("summary format {found}, expected {VERSION}")]
    Version {
        /// The version found.
        found: u64,
    },
    /// Shards of different code.
    #[error("shards of different commits: `{first}` and `{second}`")]
    Commits {
        /// One commit.
        first: String,
        /// The other.
        second: String,
    },
    /// The same run in two shards.
    #[error("scenario `{scenario}` seed {seed} is in more than one shard")]
    Duplicate {
        /// Scenario name.
        scenario: String,
        /// Its seed.
        seed: u64,
    },
    /// Nothing to merge.
    #[error("no summary to merge")]
    Empty,
}

impl Summary {
    /// Reads a summary from JSON.
    ///
    /// # Errors
    /// No summary, or one of another version.
    pub fn from_json(json: &[u8]) -> Result<Self, SummaryError> {
        #[derive(Deserialize)]
        struct Head {
            version: u64,
        }
        let found = serde_json::from_slice::<Head>(json)?.version;
        if found != u64::from(VERSION) {
            return Err(SummaryError::Version { found });
        }
        Ok(serde_json::from_slice(json)?)
    }

    /// The summary as indented JSON with a newline at its end.
    ///
    /// # Errors
    /// Never for values that JSON can hold.
    pub fn to_json(&self) -> Result<String, SummaryError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// One summary of several shards; `records` paths stay as they are, so prefix them first when shards lie in different folders.
    ///
    /// # Errors
    /// No shard, different commits, or a run that is in two of them.
    pub fn merge(shards: Vec<Self>) -> Result<Self, SummaryError> {
        let mut shards = shards.into_iter();
        let mut merged = shards.next().ok_or(SummaryError::Empty)?;
        for shard in shards {
            if shard.commit != merged.commit {
                return Err(SummaryError::Commits { first: merged.commit, second: shard.commit });
            }
            merged.started = merged.started.min(shard.started);
            merged.runs.extend(shard.runs);
        }
        merged.runs.sort_by(|a, b| (&a.scenario, a.seed).cmp(&(&b.scenario, b.seed)));
        let same =
            merged.runs.windows(2).find(|pair| (&pair[0].scenario, pair[0].seed) == (&pair[1].scenario, pair[1].seed));
        match same {
            Some(pair) => Err(SummaryError::Duplicate { scenario: pair[0].scenario.clone(), seed: pair[0].seed }),
            None => Ok(merged),
        }
    }

    /// Whether every run passed.
    pub fn passed(&self) -> bool {
        self.runs.iter().all(|run| run.passed)
    }
}

impl FigureSummary {
    /// Summarises samples of one figure; none of no samples.
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let mut values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
        values.sort_by(f64::total_cmp);
        let at = |tenths| Percentile::of_tenths(tenths).and_then(|p| statistic::percentile_of_sorted(&values, p).ok());
        let mut categories = BTreeMap::new();
        for category in samples.iter().filter_map(|sample| sample.category.as_ref()) {
            *categories.entry(category.clone()).or_insert(0) += 1;
        }
        Some(Self {
            count: values.len() as u64,
            min: values.first().copied()?,
            mean: statistic::mean(&values).ok()?,
            median: at(500)?,
            p95: at(950)?,
            p99: at(990)?,
            max: values.last().copied()?,
            categories,
        })
    }

    /// Summarises every figure of a run.
    pub fn of_all(samples: &Samples) -> BTreeMap<String, Self> {
        samples.figures().filter_map(|(name, of)| Some((name.to_string(), Self::of(of)?))).collect()
    }
}

#[cfg(test)]
mod tests;
