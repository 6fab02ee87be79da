//! `run`: scenarios, each with its seeds.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use darkswap_records::summary::{self, RunSummary, Summary};
use darkswap_sim::cost::real_now;
use darkswap_sim::orchestrator::bundle::quoted;
use darkswap_sim::orchestrator::collection::Collection;
use darkswap_sim::orchestrator::commit::commit;
use darkswap_sim::orchestrator::folder::{Folder, RUNS, SUMMARY, keep_scenario};
use darkswap_sim::orchestrator::launcher::Launcher;
use darkswap_sim::orchestrator::moment::Moment;
use darkswap_sim::orchestrator::plan::{Run, Shard, plan};
use darkswap_sim::orchestrator::pool;
use darkswap_sim::orchestrator::process::Watch;
use darkswap_sim::orchestrator::task::{Settings, Task};
use darkswap_sim::platform;

use super::arguments::{self, Seeds};
use super::display::Display;
use super::exit::Exit;
use super::{output, signal, verdict};

/// The hidden command line of a worker.
pub(super) const WORKER: [&str; 3] = ["worker", "--order", "-"];

/// Run scenarios, each with every of its seeds
///
/// All scenarios are checked first; if anything is wrong with one of them, nothing is run. Each (scenario, seed) is a process of its
/// own. A failing one leaves a bundle and prints the command that replays it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  darkswap-sim run scenarios/quickstart.yaml
  darkswap-sim run scenarios --jobs 8 --keep-going
  darkswap-sim run scenarios/nat --seeds 1..100 --shard 2/4 --out shard-2
  darkswap-sim run scenarios/relay/fallback.yaml --seed 7 --pcap

Exit codes: 0 everything holds, 1 an expectation did not hold or a fault touched nothing,
2 bad input (nothing was run), 3 a worker crashed or hung (outweighs 1), 130 interrupted")]
pub(super) struct Arguments {
    /// Scenario files, or folders with some
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Run this seed instead of the scenarios' own
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run these seeds instead of the scenarios' own, both ends included
    #[arg(long, value_name = "A..B", value_parser = arguments::seeds)]
    seeds: Option<Seeds>,
    /// Runs at a time [default: one per core]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Where to write [default: a new folder in `runs`]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Run only the K-th of every N (scenario, seed) pairs; K counts from 1
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// Write the packets of every run into `capture.pcapng`, for Wireshark
    #[arg(long)]
    pcap: bool,
    /// Go on after a failure
    #[arg(long)]
    keep_going: bool,
    /// Kill a run that makes no progress for so long in real time
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = arguments::patience)]
    patience: Duration,
    /// Print `summary.json` instead of tables
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit> {
    if let Err(reason) = platform::supported() {
        output::error(reason);
        return Ok(Exit::BadInput);
    }
    let collection = Collection::of(&arguments.paths);
    if !collection.problems.is_empty() {
        output::problems(&collection.problems, "; nothing was run");
        return Ok(Exit::BadInput);
    }

    let (started, start) = (Moment::now(), real_now());
    let folder = match arguments.out.clone() {
        Some(out) => Folder::at(out)?,
        None => Folder::new_in(Path::new(RUNS), started)?,
    };
    let tasks = tasks(&arguments, &collection, &folder)?;
    let settings = Settings {
        launcher: Launcher::this_executable(WORKER).context("cannot find this executable")?,
        folder,
        commit: commit(),
        capture: arguments.pcap,
        watch: Watch { patience: arguments.patience, interrupt: signal::interrupt() },
    };
    let jobs = arguments.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let mut display = Display::new(&tasks);
    let runs = pool::run(&tasks, &settings, jobs, arguments.keep_going, &mut |event| display.show(event));
    display.finish();

    let summary = summarise(&settings.commit, started, runs);
    let report = write(&settings.folder, &summary)?;
    if arguments.json {
        output::text(&std::fs::read_to_string(settings.folder.path().join(SUMMARY))?);
    } else {
        verdict::print(&summary, tasks.len(), real_now().saturating_sub(start), report.as_deref());
    }
    if settings.watch.interrupt.is_raised() {
        return Ok(Exit::Interrupted);
    }
    Ok(Exit::of(&summary))
}

/// The runs of this invocation, with copies of their scenarios in its folder: what was checked is what runs, whatever happens to the
/// files meanwhile.
fn tasks(arguments: &Arguments, collection: &Collection, folder: &Folder) -> Result<Vec<Task>> {
    let chosen = arguments.seed.map(|seed| vec![seed]).or_else(|| arguments.seeds.clone().map(|Seeds(seeds)| seeds));
    let mut runs =
        plan(collection.scenarios.iter().map(|checked| checked.scenario.seeds.as_slice()), chosen.as_deref());
    if let Some(shard) = arguments.shard {
        runs = shard.of(runs);
        if runs.is_empty() {
            output::warning(&format!("shard {shard} has no run"));
        }
    }
    let mut kept: BTreeMap<usize, (PathBuf, Arc<[u8]>)> = BTreeMap::new();
    let mut tasks = Vec::new();
    for Run { scenario: index, seed } in runs {
        let checked = &collection.scenarios[index];
        let name = &checked.scenario.name;
        let (file, text) = match kept.get(&index) {
            Some(known) => known.clone(),
            None => {
                let file = std::path::absolute(keep_scenario(folder.path(), name, &checked.text)?)?;
                kept.entry(index).or_insert((file, checked.text.as_slice().into())).clone()
            }
        };
        tasks.push(Task { scenario: name.clone(), seed, duration: checked.scenario.duration, file, text });
    }
    Ok(tasks)
}

fn summarise(commit: &str, started: Moment, mut runs: Vec<RunSummary>) -> Summary {
    runs.sort_by(|one, other| (&one.scenario, one.seed).cmp(&(&other.scenario, other.seed)));
    let words = std::env::args_os().skip(1).map(|word| quoted(&word.to_string_lossy()));
    Summary {
        version: summary::VERSION,
        commit: commit.to_string(),
        started: started.rfc3339(),
        command: ["darkswap-sim".to_string()].into_iter().chain(words).collect::<Vec<_>>().join(" "),
        runs,
    }
}

/// Writes the summary and the report; gives the report's path. A report that cannot be drawn does not hide the results.
fn write(folder: &Folder, summary: &Summary) -> Result<Option<PathBuf>> {
    folder.write_summary(&summary.to_json()?)?;
    let report = match darkswap_reports::render(&[folder.path().to_path_buf()], folder.path()) {
        Ok(rendered) => {
            rendered.notices.iter().for_each(|notice| output::warning(notice));
            Some(rendered.html)
        }
        Err(error) => {
            output::warning(&format!("there is no report: {error:#}"));
            None
        }
    };
    let runs = Path::new(RUNS);
    if runs.is_dir()
        && let Err(error) = folder.point_latest(runs)
    {
        output::warning(&format!("{error:#}"));
    }
    Ok(report)
}
