//! Turns the records of simulation runs into one page, tables and machine-readable results, without running anything.
//!
//! | module | noun |
//! |---|---|
//! | `merge` | several run directories as one, each run once |
//! | `run`, `scenario` | the records of one run, and the runs of one scenario |
//! | `figure` | what is worth plotting of a scenario: selection, grouping, explanation |
//! | `plot` | numbers to SVG |
//! | `page` | the HTML page |
//! | [`comparison`](mod@comparison) | the cells of a sweep compared: variants with a baseline, paired by seed |
//! | `csv`, `junit` | the same for spreadsheets and for continuous integration |
//! | `palette`, `escape` | every colour; every text from outside |
//!
//! A run directory holds `summary.json` and, for each run, `<scenario>/seed-<N>/records.jsonl`.
//!
//! What holds: the same input bytes give the same output bytes; nothing in the page loads anything from elsewhere; every text from
//! records is escaped where it enters the page; a run without usable records (its worker died) is reported and never dropped.
//! What is deliberately absent: scripts in the page, the current time, and any knowledge of how the simulator works.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may stop at once"))]

pub mod comparison;
mod csv;
mod escape;
mod figure;
mod junit;
mod merge;
mod page;
mod palette;
mod plot;
mod run;
mod scenario;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// What [`render`] wrote, and the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The page.
    pub html: PathBuf,
    /// The merged summary.
    pub summary: PathBuf,
    /// The results for continuous integration.
    pub junit: PathBuf,
    /// The folder with one CSV per figure that has samples.
    pub csv: PathBuf,
    /// How many runs there are.
    pub runs: usize,
    /// How many of them passed.
    pub passed: usize,
    /// What a reader should know that is no failure, such as a run without records; one line each, for a terminal.
    pub notices: Vec<String>,
}

/// Renders the runs of one or several directories (shards) into `out`, which may be one of them.
///
/// Writes `report.html`, `summary.json`, `junit.xml` and `csv/<figure>.csv`; what is there under these names is replaced.
/// The summary in `out` points to the records where they are, so `out` can be rendered again as long as they stay there.
///
/// # Errors
/// No directory; a summary that is missing, broken or of another version; directories of different commits; the same
/// (scenario, seed) in two directories with different results; or `out` cannot be written.
pub fn render(run_dirs: &[PathBuf], out: &Path) -> anyhow::Result<Rendered> {
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let merge::Merged { summary, records } = merge::merge(run_dirs, out)?;
    let mut tables = csv::Tables::create(&out.join("csv"))?;
    let mut sections = Vec::new();
    let mut notices = Vec::new();
    let mut remaining: &[PathBuf] = &records;
    // One scenario's records at a time are in memory: a suite has many.
    for runs in summary.runs.chunk_by(|one, other| one.scenario == other.scenario) {
        let (here, rest) = remaining.split_at(runs.len());
        remaining = rest;
        let scenario = scenario::Scenario::load(runs, here, &summary.commit, &mut tables)?;
        notices.extend(scenario.notices());
        sections.push(page::Section::new(&scenario)?);
    }
    tables.finish()?;

    let rendered = Rendered {
        html: out.join("report.html"),
        summary: out.join("summary.json"),
        junit: out.join("junit.xml"),
        csv: out.join("csv"),
        runs: summary.runs.len(),
        passed: summary.runs.iter().filter(|run| run.passed).count(),
        notices,
    };
    write(&rendered.html, &page::page(&summary, sections))?;
    write(&rendered.junit, &junit::junit(&summary)?)?;
    write(&rendered.summary, &summary.to_json()?)?;
    Ok(rendered)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
