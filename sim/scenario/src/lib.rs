//! The scenario language: YAML with units, checked before anything runs.
//!
//! [`check`] reads a file and gives a [`Scenario`] or everything that is wrong with it; [`Scenario::topology`] applies a seed and
//! gives a [`Topology`] of concrete hosts, sites, access links, jobs and faults. The reference of all fields is
//! `docs/scenarios.md`.
//!
//! | module | noun |
//! |---|---|
//! | `tree` | a YAML document in which every node knows its place |
//! | `fields`, `value`, `names` | typed values from nodes, or problems |
//! | [`scenario`] | a checked scenario |
//! | [`link`], [`nat`], [`region`] | the network's vocabulary, with the built-in kinds |
//! | `site`, `population`, `mix` | LANs, and hosts one by one or many at once |
//! | `directory` | every name that stands for hosts |
//! | `chain` | the Bitcoin chain, and what traders have on it at the start |
//! | `load`, `channel`, `lie`, `order`, `pairs`, `timing` | what hosts are asked to do |
//! | `relay_selection`, `capacity` | how hosts choose relays, and what relays admit |
//! | `fault`, `moment`, `churn` | what goes wrong, and when |
//! | `expect` | what must hold |
//! | [`topology`] | a scenario with one seed applied |
//! | [`seeds`] | `1..4` |
//! | [`plan`] | variants of a scenario at points of parameters: what a sweep runs |
//! | [`problem`] | what is wrong: file, line, column, found, expected, help |
//! | [`bound`] | what a scenario may ask for at most |
//!
//! Two stages: text becomes a tree of located nodes, the tree becomes typed values. A scenario is data: no includes, templates,
//! loops, anchors or merge keys. Deliberately absent: the simulator's own types, so that the language does not move with them.
//!
//! Invariants of a [`Scenario`]: every name is resolved, every duration lies within the run, every list has a bound, host names are
//! unique, shares of a mix sum to 100 %, and there is at least one expectation.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

mod bandwidth;
pub mod bound;
mod capacity;
mod chain;
mod channel;
mod churn;
mod conduct;
mod directory;
mod draw;
mod expect;
mod fault;
mod fields;
mod lie;
pub mod link;
mod load;
mod mix;
mod moment;
mod names;
pub mod nat;
mod order;
mod pairs;
pub mod plan;
mod population;
pub mod problem;
pub mod region;
mod relay_selection;
pub mod scenario;
pub mod seeds;
mod site;
mod source;
mod timing;
pub mod topology;
mod tree;
mod value;

pub use fields::Section;
pub use link::Link;
pub use nat::Nat;
pub use problem::Problem;
pub use region::Core;
pub use scenario::Scenario;
pub use source::Place;
pub use topology::Topology;

use problem::Problems;
use source::Source;

/// Every kind of map in a scenario file with its fields, for the documentation's test.
pub const SECTIONS: &[Section] = &[
    scenario::SCENARIO,
    region::REGIONS,
    link::LINK,
    link::BURST,
    link::REORDER,
    nat::NAT,
    site::SITE,
    population::HOST,
    relay_selection::RELAY_SELECTION,
    relay_selection::SELECTION_PARAMETERS,
    capacity::CAPACITY,
    conduct::CONDUCT,
    bandwidth::BANDWIDTH,
    bandwidth::RATE_SPAN,
    load::LOAD,
    load::CONNECT,
    load::MESSAGE,
    load::REACH,
    load::GOSSIP,
    channel::CHANNEL,
    lie::LIE,
    load::WATCH,
    load::PAY,
    order::ORDER,
    order::TAKE,
    order::FLOOD,
    chain::CHAIN,
    chain::TRADER,
    fault::FAULT,
    churn::CHURN,
];

/// Reads and checks a scenario file.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file; one problem when it cannot be read at all.
pub fn check(path: &Path) -> Result<Scenario, Vec<Problem>> {
    check_bytes(&name(path), &path.display().to_string(), &read(path)?)
}

/// Checks the content of a scenario file; `name` is the scenario's, `file` what problems call the file.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub fn check_bytes(name: &str, file: &str, bytes: &[u8]) -> Result<Scenario, Vec<Problem>> {
    let text = decode(file, bytes)?;
    let mut problems = Problems::new(Source { file, text });
    let scenario = tree::parse(&mut problems).and_then(|root| Scenario::read(name.to_string(), &root, &mut problems));
    match scenario {
        Some(scenario) if problems.is_empty() => Ok(scenario),
        Some(_) | None => Err(problems.finish()),
    }
}

/// A scenario's name: its path below the last folder called `scenarios`, or else its file name, without extension.
pub fn name(path: &Path) -> String {
    let path = path.with_extension("");
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let below = parts.iter().rposition(|part| part == "scenarios").map_or(parts.len().saturating_sub(1), |at| at + 1);
    parts[below.min(parts.len())..].join("/")
}

/// The bytes of a file, one more than allowed of one that is too long.
fn read(path: &Path) -> Result<Vec<u8>, Vec<Problem>> {
    let mut bytes = Vec::new();
    let limit = bound::FILE as u64 + 1;
    match std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)) {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let file = path.display().to_string();
            Err(vec![alone(&file, format!("no readable file ({error})"), "a scenario file")])
        }
    }
}

/// The text of a file.
fn decode<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, Vec<Problem>> {
    if bytes.len() > bound::FILE {
        let found = "a larger file".to_string();
        return Err(vec![alone(file, found, &format!("at most {} bytes", bound::FILE))]);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let found = format!("bytes that are no UTF-8 at offset {}", error.valid_up_to());
            Err(vec![alone(file, found, "text in UTF-8")])
        }
    }
}

/// The path without `.` and `..`, by its text alone.
fn plain_path(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match (part, plain.components().next_back()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                plain.pop();
            }
            (part, _) => plain.push(part),
        }
    }
    plain
}

/// A problem with a file as a whole.
fn alone(file: &str, found: String, expected: &str) -> Problem {
    let mut problems = Problems::new(Source { file, text: "" });
    problems.add(Place::START, found, expected);
    problems.finish().swap_remove(0)
}
