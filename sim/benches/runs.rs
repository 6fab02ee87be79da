//! What whole runs cost: the scenarios beside this file, with the real node, each run in a process of its own.
//!
//! Every scenario runs for [`SHORT`] and for [`LONG`]. By the end of the short run everybody has started, connected and published, so
//! the difference of the two is steady state. Memory is the peak of the long run without what a run of one node takes. Prints a table and fails when a figure exceeds its target in `docs/performance.md`.
//!
//! `cargo bench -p darkswap-sim --bench runs [-- PART_OF_A_NAME]`

use std::fs;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, ensure};
use darkswap_records::summary::{RunSummary, Summary};
use darkswap_sim::cost::real_now;

/// Simulated seconds of the two runs.
const SHORT: u32 = 30;
const LONG: u32 = 60;
/// Pairs of runs, of which the cheapest counts: whatever else the computer does only adds.
const REPETITIONS: u32 = 2;
/// The most memory that a node may take.
const BYTES_PER_NODE: u64 = 1_500_000;
/// Seeds for the comparison of one job with as many as there are cores.
const SEEDS: &str = "1..8";

struct Case {
    scenario: &'static str,
    nodes: u64,
    /// Milliseconds of CPU time per simulated second.
    target: Option<f64>,
}

/// What a run takes anyway.
const LEAST: &str = "idle-1";

const CASES: [Case; 7] = [
    Case { scenario: "idle-1000", nodes: 1_000, target: Some(30.0) },
    Case { scenario: "gossip-10", nodes: 11, target: None },
    Case { scenario: "gossip-20", nodes: 21, target: None },
    Case { scenario: "gossip-50", nodes: 51, target: Some(40.0) },
    Case { scenario: "gossip-tcp-50", nodes: 51, target: Some(40.0) },
    Case { scenario: "gossip-100", nodes: 101, target: None },
    Case { scenario: "gossip-200", nodes: 201, target: Some(350.0) },
];

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test` runs benchmarks, too, to see whether they run at all; these take too long for that.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    let part = arguments.iter().find(|argument| !argument.starts_with('-')).map_or("", String::as_str);
    let folder = tempfile::tempdir().context("cannot make a folder for the runs")?;
    let mut out = stdout();
    writeln!(
        out,
        "{:<15} {:>12} {:>9} {:>14} {:>12}",
        "scenario", "CPU ms/s", "target", "first 30 s, s", "kB per node"
    )?;
    let least = cheapest(LEAST, SHORT, folder.path())?.peak_memory_bytes;
    let mut held = true;
    for case in CASES.iter().filter(|case| case.scenario.contains(part)) {
        let cost = case.measure(least, folder.path())?;
        let target = case.target.map_or_else(|| "-".to_owned(), |target| target.to_string());
        held &= cost.memory_per_node <= BYTES_PER_NODE && case.target.is_none_or(|target| cost.steady <= target);
        let memory = cost.memory_per_node / 1_000;
        let Cost { steady, first, .. } = cost;
        writeln!(out, "{:<15} {steady:>12.2} {target:>9} {first:>14.2} {memory:>12}", case.scenario)?;
    }
    if "cores".contains(part) {
        cores(folder.path())?;
    }
    if !held {
        writeln!(out, "A figure exceeds its target, or a node takes more than {} kB.", BYTES_PER_NODE / 1_000)?;
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Cost {
    /// CPU milliseconds per simulated second once everybody is connected.
    steady: f64,
    /// CPU seconds of the short run.
    first: f64,
    memory_per_node: u64,
}

impl Case {
    fn measure(&self, least: u64, folder: &Path) -> Result<Cost> {
        let (short, long) = (cheapest(self.scenario, SHORT, folder)?, cheapest(self.scenario, LONG, folder)?);
        Ok(Cost {
            steady: 1e3 * (long.cpu_s - short.cpu_s) / (long.simulated_s - short.simulated_s),
            first: short.cpu_s,
            memory_per_node: long.peak_memory_bytes.saturating_sub(least) / self.nodes,
        })
    }
}

/// The run that took the least CPU time.
fn cheapest(scenario: &str, seconds: u32, folder: &Path) -> Result<RunSummary> {
    let scenario = lasting(scenario, seconds, folder)?;
    let runs = (0..REPETITIONS).map(|_| Ok(run(&scenario, "1", 1, folder)?.runs.remove(0)));
    let runs = runs.collect::<Result<Vec<_>>>()?;
    runs.into_iter().min_by(|one, other| one.cpu_s.total_cmp(&other.cpu_s)).context("no runs")
}

/// Independent seeds: one at a time, and one per core.
fn cores(folder: &Path) -> Result<()> {
    let scenario = lasting("gossip-20", LONG, folder)?;
    let jobs = std::thread::available_parallelism()?.get();
    let mut wall = Vec::new();
    for jobs in [1, jobs] {
        let start = real_now();
        run(&scenario, SEEDS, jobs, folder)?;
        wall.push((real_now() - start).as_secs_f64());
    }
    let [one, many] = [wall[0], wall[1]];
    writeln!(
        stdout(),
        "seeds {SEEDS} of gossip-20: {one:.2} s one by one, {many:.2} s with {jobs} jobs: {:.2} times as fast",
        one / many
    )?;
    Ok(())
}

/// A copy of the scenario with this duration.
fn lasting(scenario: &str, seconds: u32, folder: &Path) -> Result<PathBuf> {
    let original =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/scenarios").join(scenario).with_extension("yaml");
    let text = fs::read_to_string(&original).with_context(|| format!("cannot read {}", original.display()))?;
    let lines = text.lines().map(|line| match line.strip_prefix("duration:") {
        Some(_) => format!("duration: {seconds}s\n"),
        None => format!("{line}\n"),
    });
    let copy = folder.join(format!("{scenario}-{seconds}.yaml"));
    fs::write(&copy, lines.collect::<String>())?;
    Ok(copy)
}

fn run(scenario: &Path, seeds: &str, jobs: usize, folder: &Path) -> Result<Summary> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_darkswap-sim"));
    command.arg("run").arg(scenario).args(["--seeds", seeds, "--jobs", &jobs.to_string(), "--json", "--out"]);
    let output = command.arg(tempfile::tempdir_in(folder)?.keep()).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{} of {} did not pass", scenario.display(), seeds);
    serde_json::from_slice(&output.stdout).context("the summary")
}
