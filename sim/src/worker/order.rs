//! What a worker is told to do, and what it says on its way.
//!
//! The order comes as one JSON document on standard input. The worker answers on standard output with one [`Message`] per line: any
//! number of [`Message::Progress`], then one [`Message::Finished`]. Everything that is worth keeping goes into the folder
//! [`Order::out`] instead.

use std::collections::BTreeMap;
use std::path::PathBuf;

use darkswap_records::record::{Fault, Outcome};
use darkswap_records::summary::FigureSummary;
use serde::{Deserialize, Serialize};

/// One (scenario, seed) to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The scenario file; its path gives the scenario's name.
    pub scenario: PathBuf,
    /// The run's seed.
    pub seed: u64,
    /// The folder of this run, which exists; `records.jsonl` is written into it.
    pub out: PathBuf,
    /// Commit of the code that runs, for the records.
    pub commit: String,
    /// Whether to write every delivered packet into `capture.pcapng`.
    pub capture: bool,
    /// Whether to write one line per delivered packet into `trace.txt`.
    pub trace: bool,
    /// Whether to write what the nodes log into `log.txt`.
    pub log: bool,
}

/// One line of a worker's standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Message {
    /// The run goes on.
    Progress(Progress),
    /// The run ended; nothing follows.
    Finished(Finished),
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Simulated microseconds so far.
    pub simulated_us: u64,
    /// Simulated microseconds of the whole run.
    pub duration_us: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Whether every expectation held and every fault touched something.
    pub passed: bool,
    /// Hash over every delivered packet, in hexadecimal; empty when nothing ran.
    pub trace_hash: String,
    /// Simulated microseconds.
    pub simulated_us: u64,
    /// Wall-clock seconds.
    pub wall_s: f64,
    /// CPU seconds of the process.
    pub cpu_s: f64,
    /// Peak resident memory of the process in bytes.
    pub peak_memory_bytes: u64,
    /// Packet totals by name.
    pub packets: BTreeMap<String, u64>,
    /// Each expectation with its value.
    pub expectations: Vec<Outcome>,
    /// Each fault with what it touched.
    pub faults: Vec<Fault>,
    /// What was measured, by figure.
    pub figures: BTreeMap<String, FigureSummary>,
    /// Why the run is not `passed`, when expectations and faults do not say so.
    pub error: Option<String>,
}

impl Finished {
    /// A run that could not be carried out.
    pub fn failed(error: impl Into<String>) -> Self {
        Self {
            passed: false,
            trace_hash: String::new(),
            simulated_us: 0,
            wall_s: 0.0,
            cpu_s: 0.0,
            peak_memory_bytes: 0,
            packets: BTreeMap::new(),
            expectations: Vec::new(),
            faults: Vec::new(),
            figures: BTreeMap::new(),
            error: Some(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_lines_with_their_kind() -> serde_json::Result<()> {
        let progress = Message::Progress(Progress { simulated_us: 5, duration_us: 10 });
        let line = serde_json::to_string(&progress)?;
        assert_eq!(line, r#"{"message":"progress","simulated_us":5,"duration_us":10}"#);
        assert_eq!(serde_json::from_str::<Message>(&line)?, progress);

        let finished = Message::Finished(Finished::failed("no such host"));
        assert_eq!(serde_json::from_str::<Message>(&serde_json::to_string(&finished)?)?, finished);
        Ok(())
    }
}
