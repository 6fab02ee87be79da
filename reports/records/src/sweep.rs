//! `sweep.json` and `cell.json`: which runs a sweep consists of, and what each came to.
//!
//! A sweep runs every *variant* at every *point* of its parameters under every *seed*; one of these runs is a *cell*. A variant at a
//! point is a scenario of its own, called by both, so a cell's records lie where those of any run do.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::summary::RunSummary;

/// Version of both formats. A reader refuses another one.
pub const VERSION: u32 = 1;

/// The name of the file that describes a sweep, in its folder.
pub const SWEEP: &str = "sweep.json";
/// The name of the file that says what a cell came to, in the cell's folder.
pub const CELL: &str = "cell.json";

/// Which runs a sweep consists of. Shards of one sweep write the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Format version, [`VERSION`].
    pub version: u32,
    /// The plan's name, such as `relay-selection/transports`.
    pub name: String,
    /// The plan's one line.
    pub title: String,
    /// The plan's longer explanation; may be empty.
    pub about: String,
    /// The name of the scenario that variants change.
    pub scenario: String,
    /// Commit of the code that ran.
    pub commit: String,
    /// Hash of the executable that ran.
    pub program: String,
    /// The name of the variant that others are compared with.
    pub baseline: String,
    /// The variants, in the order of the plan.
    pub variants: Vec<Variant>,
    /// The points of the parameters; a single one without a name when there are no parameters.
    pub points: Vec<Point>,
    /// The seeds, ascending.
    pub seeds: Vec<u64>,
    /// What is compared, as [measures](crate::expectation::Measure).
    pub measures: Vec<String>,
    /// The key of each cell, by variant, then point, then seed: a cell with another key is of an earlier plan or program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// One thing to compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// What it is, in a sentence; may be empty.
    pub about: String,
}

/// One choice of a value for each parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Such as `loss=5%`.
    pub name: String,
}

/// What one run of a sweep came to. Written when the run has ended, so its absence means that it has not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Format version, [`VERSION`].
    pub version: u32,
    /// Hash of everything that the run follows from: scenario, seed and executable.
    pub key: String,
    /// The run.
    pub run: RunSummary,
}

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Not what its name promises.
    #[error("not of this format: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by another version.
    #[error("sweep format {found}, expected {VERSION}")]
    Version {
        /// The version found.
        found: u64,
    },
}

impl Sweep {
    /// Reads `sweep.json`.
    ///
    /// # Errors
    /// No sweep, or one of another version.
    pub fn from_json(json: &[u8]) -> Result<Self, SweepError> {
        read(json)
    }

    /// The sweep as indented JSON with a newline at its end.
    ///
    /// # Errors
    /// Never for values that JSON can hold.
    pub fn to_json(&self) -> Result<String, SweepError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The scenario of a variant at a point, such as `relay-selection/transports/tcp/loss=5%`.
    pub fn scenario_of(&self, variant: &Variant, point: &Point) -> String {
        scenario_name(&self.name, &variant.name, &point.name)
    }
}

impl Cell {
    /// Reads `cell.json`.
    ///
    /// # Errors
    /// No cell, or one of another version.
    pub fn from_json(json: &[u8]) -> Result<Self, SweepError> {
        read(json)
    }

    /// The cell as indented JSON with a newline at its end.
    ///
    /// # Errors
    /// Never for values that JSON can hold.
    pub fn to_json(&self) -> Result<String, SweepError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// The name of the scenario of a variant at a point of a plan.
pub fn scenario_name(plan: &str, variant: &str, point: &str) -> String {
    if point.is_empty() { format!("{plan}/{variant}") } else { format!("{plan}/{variant}/{point}") }
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, SweepError> {
    #[derive(Deserialize)]
    struct Head {
        version: u64,
    }
    let found = serde_json::from_slice::<Head>(json)?.version;
    if found != u64::from(VERSION) {
        return Err(SweepError::Version { found });
    }
    Ok(serde_json::from_slice(json)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sweep() -> Sweep {
        let variant = |name: &str| Variant { name: name.into(), about: String::new() };
        Sweep {
            version: VERSION,
            name: "load/transports".into(),
            title: "t".into(),
            about: String::new(),
            scenario: "load/loss-1".into(),
            commit: "abc+".into(),
            program: "0123".into(),
            baseline: "quic".into(),
            variants: vec![variant("quic"), variant("tcp")],
            points: vec![Point { name: "loss=5%".into() }],
            seeds: vec![1, 2, u64::MAX],
            measures: vec!["p95(connect_time)".into()],
            keys: vec!["a".into(); 6],
        }
    }

    #[test]
    fn a_sweep_is_read_as_it_was_written() {
        let sweep = sweep();
        assert_eq!(Sweep::from_json(sweep.to_json().unwrap().as_bytes()).unwrap(), sweep);
        assert_eq!(sweep.scenario_of(&sweep.variants[1], &sweep.points[0]), "load/transports/tcp/loss=5%");
        assert_eq!(sweep.scenario_of(&sweep.variants[0], &Point { name: String::new() }), "load/transports/quic");
    }

    #[test]
    fn another_version_is_refused_whatever_its_fields() {
        assert!(matches!(Sweep::from_json(br#"{"version":2,"new":1}"#), Err(SweepError::Version { found: 2 })));
        assert!(matches!(Cell::from_json(b"{}"), Err(SweepError::Json(_))));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..200, byte in any::<u8>()) {
            let _ = (Sweep::from_json(&bytes), Cell::from_json(&bytes));
            let mut json = sweep().to_json().unwrap().into_bytes();
            let at = at % json.len();
            json[at] = byte;
            let _ = Sweep::from_json(&json);
        }
    }
}
