//! One line of `records.jsonl`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of the record format. A reader refuses a file whose first line names another one.
pub const VERSION: u32 = 1;

/// Tags of a sample or fields of an event, in a fixed order.
pub type Tags = BTreeMap<String, String>;

/// One line of a run's records. The first is always [`Record::Run`], the last [`Record::End`] unless the worker died.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// What ran.
    Run(Run),
    /// One measured value of a figure.
    Sample(Sample),
    /// Something a node or the harness reported, for time lines and debugging.
    Event(Event),
    /// A fault that was applied.
    Fault(Fault),
    /// An expectation and whether it held.
    Expectation(Outcome),
    /// The run's closing totals.
    End(End),
}

/// What ran: scenario, seed, code and topology.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Format version, [`VERSION`].
    pub version: u32,
    /// Scenario name: the path below the scenarios folder without extension, such as `nat/matrix`.
    pub scenario: String,
    /// The scenario's one-line title.
    pub title: String,
    /// The scenario's longer explanation; may be empty.
    pub about: String,
    /// The run's seed.
    pub seed: u64,
    /// Commit of the code that ran, `unknown` outside a checkout; `+` appended when the tree was modified.
    pub commit: String,
    /// Every simulated host, in the order in which they were created.
    pub hosts: Vec<Host>,
}

/// A simulated host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Unique name such as `peer-3`.
    pub name: String,
    /// `relay` or `peer`.
    pub role: String,
    /// Population the host belongs to, such as `peer`.
    pub group: String,
    /// Kind of the NAT in front of it, `public` when there is none; nested kinds are joined by ` < ` from the inside out.
    pub nat: String,
    /// Region name; empty when the scenario has no regions.
    pub region: String,
    /// The host's own address (a private one behind a NAT).
    pub address: String,
}

/// One measured value of a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Virtual microseconds since the start of the run.
    pub at_us: u64,
    /// Name in the figure catalogue.
    pub figure: String,
    /// The value in the figure's unit (seconds, bytes, a count); 1 for a category.
    pub value: f64,
    /// The category, for figures that are categories (`path`: `direct`, `relayed`, `failed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What the value belongs to: `from`, `to`, `path`, `transport`, ... as the catalogue lists for the figure.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Tags,
}

/// Something a node or the harness reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Virtual microseconds since the start of the run.
    pub at_us: u64,
    /// Host name; empty for the harness.
    pub host: String,
    /// Kind in `snake_case`, such as `path_changed`.
    pub kind: String,
    /// Its fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: Tags,
}

/// A fault that was applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// When it began, in virtual microseconds.
    pub at_us: u64,
    /// When it was lifted; absent for a fault without duration (a mapping reset) or one that lasts to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_us: Option<u64>,
    /// `partition`, `crash`, `link_flap`, `nat_reset`, `impair`.
    pub kind: String,
    /// What it was applied to, for people.
    pub target: String,
    /// How many packets, mappings or hosts it touched. A fault that touched nothing fails the run.
    pub touched: u64,
}

/// An expectation and whether it held in this run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The line as written in the scenario.
    pub line: String,
    /// The value of its left side; absent when it could not be computed.
    pub value: Option<f64>,
    /// The value with its unit, for people (`412 ms`, `83 %`).
    pub shown: String,
    /// Whether it held. An expectation without samples does not hold.
    pub held: bool,
    /// Why no value could be computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The run's closing totals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Simulated time in microseconds.
    pub at_us: u64,
    /// Whether every expectation held and every fault touched something.
    pub passed: bool,
    /// Hash over time, addresses, ports, length and payload of every delivered packet, in hexadecimal.
    pub trace_hash: String,
    /// Packet totals by name: `sent`, `delivered`, `bytes`, `lost`, `filtered`, `queue_dropped`, ...
    pub packets: BTreeMap<String, u64>,
}
