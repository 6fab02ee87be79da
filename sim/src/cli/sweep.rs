//! `sweep`: every variant of a plan, at every point, under every seed.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use darkswap_records::summary::Status;
use darkswap_records::unit::show_seconds;
use darkswap_scenario::plan::{self, Plan};
use darkswap_sim::cost::real_now;
use darkswap_sim::orchestrator::bundle::quoted;
use darkswap_sim::orchestrator::commit::commit;
use darkswap_sim::orchestrator::folder::{Folder, RUNS};
use darkswap_sim::orchestrator::launcher::Launcher;
use darkswap_sim::orchestrator::plan::Shard;
use darkswap_sim::orchestrator::pool::{self, Event};
use darkswap_sim::orchestrator::process::Watch;
use darkswap_sim::orchestrator::sweep::{Run, Sweep, hash_of};
use darkswap_sim::orchestrator::task::{Settings, Task};
use darkswap_sim::platform;
use serde_json::json;

use super::display::Display;
use super::exit::Exit;
use super::{arguments, compare, output, signal};

/// Compare variants of a scenario: run each at every point of the parameters under every seed
///
/// The plan says what varies and what is compared; docs/sweeps.md is its reference. A run that has ended is not run again as long as
/// its scenario, its seed and this executable are the same, so the same command goes on after an interrupt. An expectation that does not
/// hold is a result like any other and no failure.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  darkswap-sim sweep scenarios/relay-selection/transports.plan.yaml
  darkswap-sim sweep PLAN --shard 2/4 --out shard-2       (one of four machines)
  darkswap-sim compare shard-1 shard-2 shard-3 shard-4 --out all

Exit codes: 0 every run has data, 2 bad input (nothing was run), 3 a worker crashed or hung,
130 interrupted (the same command goes on)")]
pub(super) struct Arguments {
    /// The plan, whose name ends in `.plan.yaml`
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// Runs at a time [default: one per core]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Where to write, and what to go on with [default: `runs/sweep/<plan>`]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Run only the K-th of every N runs; K counts from 1
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// Kill a run that makes no progress for so long in real time
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = arguments::patience)]
    patience: Duration,
    /// Check the plan and say how much there is to run, without running it
    #[arg(long)]
    dry_run: bool,
    /// Print `comparison.json`, or how far the sweep is, instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn sweep(arguments: &Arguments) -> Result<Exit> {
    let plan = match plan::check(&arguments.plan) {
        Ok(plan) => plan,
        Err(problems) => {
            output::problems(&problems, "; nothing was run");
            return Ok(Exit::BadInput);
        }
    };
    let path = arguments.out.clone().unwrap_or_else(|| Path::new(RUNS).join("sweep").join(&plan.name));
    if arguments.dry_run {
        return dry_run(arguments, &plan);
    }
    if let Err(reason) = platform::supported() {
        output::error(reason);
        return Ok(Exit::BadInput);
    }
    let launcher = Launcher::this_executable(super::run::WORKER).context("cannot find this executable")?;
    let program = std::env::current_exe().context("cannot find this executable")?;
    let link = Path::new("/proc/self/exe");
    let program = hash_of(if link.exists() { link } else { &program })?;
    let commit = commit();
    let sweep = Sweep::new(&plan, Folder::at(path)?, commit.clone(), program)?;
    let (mine, pending) = sweep.pending(arguments.shard);
    sweep.prepare(&pending)?;
    announce(arguments, &plan, mine, pending.len());

    let watch = Watch { patience: arguments.patience, interrupt: signal::interrupt() };
    let settings = Settings { launcher, folder: sweep.folder().clone(), commit, capture: false, watch };
    let jobs = arguments.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let start = real_now();
    let died = carry_out(&sweep, &pending, &settings, jobs)?;
    if settings.watch.interrupt.is_raised() {
        output::note("interrupted: the same command goes on from here");
        return Ok(Exit::Interrupted);
    }
    if !pending.is_empty() {
        let took = show_seconds(real_now().saturating_sub(start).as_secs_f64());
        output::note(format_args!("{} runs in {took}", pending.len()));
    }
    finish(arguments, &sweep, mine)?;
    Ok(if died > 0 { Exit::WorkerDied } else { Exit::Holds })
}

/// Runs what is left and keeps each result as it comes; gives how many workers died.
fn carry_out(sweep: &Sweep, pending: &[Run], settings: &Settings, jobs: usize) -> Result<usize> {
    let tasks: Vec<Task> = pending.iter().map(|run| run.task.clone()).collect();
    let mut display = Display::new(&tasks);
    let mut kept = Ok(());
    let runs = pool::run(&tasks, settings, jobs, true, &mut |event| {
        display.show(event);
        if let Event::Ended { task, run } = event
            && kept.is_ok()
        {
            kept = sweep.keep(&pending[*task], run);
            if kept.is_err() {
                // What cannot be kept need not be run.
                settings.watch.interrupt.raise();
            }
        }
    });
    display.finish();
    kept?;
    Ok(runs.iter().filter(|run| matches!(run.status, Status::Crashed | Status::Hung)).count())
}

/// Compares when nothing is missing, and else says what is.
fn finish(arguments: &Arguments, sweep: &Sweep, mine: usize) -> Result<()> {
    let folder = sweep.folder().path();
    let missing = sweep.missing();
    if missing == 0 || arguments.shard.is_none() {
        let compared = darkswap_reports::comparison::compare(&[folder.to_path_buf()], folder, false)?;
        return compare::print(&compared, arguments.json);
    }
    let shard = arguments.shard.map(|shard| shard.to_string()).unwrap_or_default();
    if arguments.json {
        let state =
            json!({ "folder": folder.display().to_string(), "runs": mine, "missing": missing, "planned": sweep.len() });
        output::line(format_args!("{state:#}"));
    } else {
        output::line(format_args!("shard {shard} has its {mine} runs in {}", folder.display()));
        output::line(format_args!(
            "when all shards have theirs: darkswap-sim compare {} ..",
            quoted(&folder.display().to_string())
        ));
    }
    Ok(())
}

fn announce(arguments: &Arguments, plan: &Plan, mine: usize, pending: usize) {
    let shard = arguments.shard.map_or_else(String::new, |shard| format!(", {mine} of them in shard {shard}"));
    let done = mine - pending;
    let done = if done > 0 { format!("; {done} have run before") } else { String::new() };
    output::note(format_args!("{}{shard}{done}", extent(plan)));
}

/// `48 runs: 3 variants, 2 points, 8 seeds`
fn extent(plan: &Plan) -> String {
    let (variants, points, seeds) = (plan.variants.len(), plan.points.len(), plan.seeds.len());
    let points_word = if points == 1 { "point" } else { "points" };
    format!("{} runs: {variants} variants, {points} {points_word}, {seeds} seeds", variants * points * seeds)
}

fn dry_run(arguments: &Arguments, plan: &Plan) -> Result<Exit> {
    let simulated: Duration = plan.scenarios.iter().map(|resolved| resolved.scenario.duration).sum();
    let simulated = simulated.as_secs_f64() * plan.seeds.len() as f64;
    if arguments.json {
        let scenarios: Vec<&str> = plan.scenarios.iter().map(|resolved| resolved.scenario.name.as_str()).collect();
        let runs = plan.scenarios.len() * plan.seeds.len();
        output::line(format_args!(
            "{:#}",
            json!({ "runs": runs, "simulated_s": simulated, "scenarios": scenarios, "seeds": plan.seeds })
        ));
    } else {
        output::line(format_args!("{}, {} simulated", extent(plan), show_seconds(simulated)));
        plan.scenarios.iter().for_each(|resolved| output::line(format_args!("  {}", resolved.scenario.name)));
    }
    Ok(Exit::Holds)
}
