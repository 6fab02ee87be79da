//! `replay`: one run again, with the nodes' log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use darkswap_records::record::Outcome;
use darkswap_records::summary::{RunSummary, Status};
use darkswap_records::unit::show_seconds;
use darkswap_sim::cost::real_now;
use darkswap_sim::orchestrator::bundle::Bundle;
use darkswap_sim::orchestrator::collection::{Checked, Collection};
use darkswap_sim::orchestrator::commit::{self, commit};
use darkswap_sim::orchestrator::evidence;
use darkswap_sim::orchestrator::folder::{RECORDS, RUNS, fresh, keep_scenario, run_name};
use darkswap_sim::orchestrator::launcher::Launcher;
use darkswap_sim::orchestrator::pool::Event;
use darkswap_sim::orchestrator::process::{STDERR, Watch, supervise};
use darkswap_sim::orchestrator::result::summarise;
use darkswap_sim::orchestrator::task::Task;
use darkswap_sim::platform;
use darkswap_sim::worker::Order;

use super::arguments;
use super::display::{Display, label, word};
use super::exit::Exit;
use super::paint::Paint;
use super::run::WORKER;
use super::{output, signal, verdict};

/// Run one (scenario, seed) again, with the nodes' log
///
/// The folder of a failed run is a bundle: it holds the scenario as it was, and the trace hash to compare with. Records, log and
/// capture go into its folder `replay`, or `runs/replay` for a scenario file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  darkswap-sim replay runs/latest/nat/matrix/seed-3
  darkswap-sim replay scenarios/nat/matrix.yaml --seed 3 --pcap

Exit codes: 0 everything holds, 1 an expectation did not hold, a fault touched nothing, or the
same commit gave another trace hash than before, 2 bad input, 3 the worker crashed or hung,
130 interrupted")]
pub(super) struct Arguments {
    /// The folder of a failed run, or a scenario file
    #[arg(value_name = "DIR|SCENARIO.yaml")]
    path: PathBuf,
    /// Run this seed [default: the bundle's, or the first of the scenario]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Also write every packet into `capture.pcapng` and `trace.txt`
    #[arg(long)]
    pcap: bool,
    /// Kill the run when it makes no progress for so long in real time
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = arguments::patience)]
    patience: Duration,
}

pub(super) fn replay(arguments: Arguments) -> Result<Exit> {
    if let Err(reason) = platform::supported() {
        output::error(reason);
        return Ok(Exit::BadInput);
    }
    let bundle = arguments.path.is_dir().then(|| Bundle::read(&arguments.path)).transpose()?;
    let file = bundle.as_ref().map_or(arguments.path.clone(), |bundle| bundle.scenario_file(&arguments.path));
    let collection = Collection::of(&[file]);
    let [checked] = collection.scenarios.as_slice() else {
        output::problems(&collection.problems, "; nothing was run");
        return Ok(Exit::BadInput);
    };
    let recorded = bundle.filter(|bundle| arguments.seed.is_none_or(|seed| seed == bundle.seed));
    let own = checked.scenario.seeds.first().copied().context("the scenario has no seed")?;
    let seed = recorded.as_ref().map(|bundle| bundle.seed).or(arguments.seed).unwrap_or(own);
    let out = match arguments.path.is_dir() {
        true => arguments.path.join("replay"),
        false => Path::new(RUNS).join("replay").join(run_name(&checked.scenario.name, seed)),
    };
    fresh(&out).with_context(|| format!("cannot empty {}", out.display()))?;

    let order = order(&arguments, checked, seed, out)?;
    let Some(run) = carry_out(&order, checked, arguments.patience)? else { return Ok(Exit::Interrupted) };
    print(&run, &order);
    let same = recorded.is_none_or(|bundle| compare(&bundle, &run, &order.commit));
    Ok(match run.status {
        Status::Passed if same => Exit::Holds,
        Status::Passed | Status::Failed | Status::Invalid => Exit::Fails,
        Status::Crashed | Status::Hung => Exit::WorkerDied,
    })
}

fn order(arguments: &Arguments, checked: &Checked, seed: u64, out: PathBuf) -> Result<Order> {
    let copy = keep_scenario(&out, &checked.scenario.name, &checked.text)?;
    Ok(Order {
        scenario: std::path::absolute(copy)?,
        seed,
        out,
        commit: commit(),
        capture: arguments.pcap,
        trace: arguments.pcap,
        log: true,
    })
}

/// Runs the order in a process of its own, as the first time.
fn carry_out(order: &Order, checked: &Checked, patience: Duration) -> Result<Option<RunSummary>> {
    let task = Task {
        scenario: checked.scenario.name.clone(),
        seed: order.seed,
        duration: checked.scenario.duration,
        file: order.scenario.clone(),
        text: checked.text.as_slice().into(),
    };
    let launcher = Launcher::this_executable(WORKER).context("cannot find this executable")?;
    let watch = Watch { patience, interrupt: signal::interrupt() };
    let start = real_now();
    let mut display = Display::new(&[task]);
    display.show(&Event::Started { task: 0 });
    let ending =
        supervise(&launcher, order, &watch, &mut |progress| display.show(&Event::Progress { task: 0, progress }));
    display.finish();
    Ok(summarise(&checked.scenario.name, order.seed, ending, real_now().saturating_sub(start)))
}

fn print(run: &RunSummary, order: &Order) {
    let paint = Paint::stdout();
    let (simulated, wall) = (show_seconds(run.simulated_s), show_seconds(run.wall_s));
    let name = label(&run.scenario, run.seed);
    output::line(format_args!("{}  {name}  {simulated} simulated in {wall}", word(run.status, paint)));
    for Outcome { line, shown, .. } in run.expectations.iter().filter(|outcome| outcome.held) {
        output::line(format_args!("      {line}: is {shown}"));
    }
    for reason in verdict::reasons(run) {
        output::line(format_args!("      {}", paint.red(&reason)));
    }
    for name in [RECORDS, STDERR].into_iter().chain(evidence::FILES) {
        let path = order.out.join(name);
        if path.metadata().is_ok_and(|file| file.len() > 0) {
            output::line(format_args!("{}", path.display()));
        }
    }
}

/// Says whether this was the recorded run; false when it should have been and was not.
fn compare(bundle: &Bundle, run: &RunSummary, commit: &str) -> bool {
    let paint = Paint::stdout();
    let same_code = bundle.commit == commit && commit != commit::UNKNOWN && !commit.ends_with('+');
    let hash = &run.trace_hash;
    match (bundle.trace_hash.as_str(), hash.as_str()) {
        ("", _) => output::line("no trace hash was recorded: the recorded run did not end"),
        (recorded, "") => {
            output::line(format_args!("this run did not end, so it has no trace hash; recorded was {recorded}"))
        }
        (recorded, here) if recorded == here => {
            output::line(format_args!("{}: {hash}", paint.green("trace hash identical to the recorded one")));
            return true;
        }
        (recorded, here) => {
            let differs = paint.red("trace hash differs from the recorded one");
            output::line(format_args!("{differs}: {here} instead of {recorded}"));
        }
    }
    let expected_to_match = same_code && !bundle.trace_hash.is_empty();
    match expected_to_match {
        true => output::line(format_args!("both of commit {commit}: the run is not deterministic")),
        false => output::line(format_args!("recorded with commit {}, replayed with {commit}", bundle.commit)),
    }
    !expected_to_match
}
