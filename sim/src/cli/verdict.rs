//! What is printed of the results: a table of scenarios, then the failures.

use std::path::Path;
use std::time::Duration;

use darkswap_records::expectation::{Expectation, Operator};
use darkswap_records::record::Outcome;
use darkswap_records::summary::{RunSummary, Status, Summary};
use darkswap_records::unit::{show_bytes, show_seconds};

use super::display::{label, word};
use super::paint::Paint;
use super::table::{Align, Table};
use super::{output, seed_list};

/// Failures that are told in full; the report has all of them.
const FAILURES: usize = 20;
/// Characters of the last column.
const WIDTH: usize = 72;

/// Prints the table, the failures, and where the report is.
pub(super) fn print(summary: &Summary, planned: usize, took: Duration, report: Option<&Path>) {
    let paint = Paint::stdout();
    let lines = table(&summary.runs).lines();
    if let [head, rows @ ..] = lines.as_slice()
        && !rows.is_empty()
    {
        output::line(format_args!("\n{}", paint.bold(head)));
        rows.iter().for_each(output::line);
    }
    let failures: Vec<&RunSummary> = summary.runs.iter().filter(|run| !run.passed).collect();
    for run in failures.iter().take(FAILURES) {
        output::line(format_args!("\n{}  {}", word(run.status, paint), label(&run.scenario, run.seed)));
        reasons(run).iter().for_each(|reason| output::line(format_args!("      {reason}")));
    }
    if let Some(more) = failures.len().checked_sub(FAILURES).filter(|more| *more > 0) {
        output::line(format_args!("\n... and {more} more, all in the report"));
    }
    output::line(format_args!("\n{} in {}", count(&summary.runs, planned), show_seconds(took.as_secs_f64())));
    if let Some(report) = report {
        output::line(format_args!("report: {}", report.display()));
    }
}

/// Why a run did not pass, each reason on a line of its own, and the command that replays it.
pub(super) fn reasons(run: &RunSummary) -> Vec<String> {
    let expectations = run.expectations.iter().filter(|outcome| !outcome.held).map(|outcome| match &outcome.error {
        Some(error) => format!("{}: {error}", outcome.line),
        None => format!("{}: is {}", outcome.line, outcome.shown),
    });
    let faults = run.faults.iter().filter(|fault| fault.touched == 0);
    let faults = faults.map(|fault| {
        format!(
            "the fault `{}` of {} at {} touched nothing",
            fault.kind,
            fault.target,
            show_seconds(fault.at_us as f64 / 1e6)
        )
    });
    let error = run.error.iter().flat_map(|error| error.lines()).map(ToString::to_string);
    let replay = run.replay.iter().map(|command| format!("replay: {command}"));
    expectations.chain(faults).chain(error).chain(replay).collect()
}

/// `18 of 20 runs passed, 1 failed, 1 crashed`
fn count(runs: &[RunSummary], planned: usize) -> String {
    let of = |status| runs.iter().filter(|run| run.status == status).count();
    let kinds = [
        (Status::Failed, "failed"),
        (Status::Crashed, "crashed"),
        (Status::Hung, "hung"),
        (Status::Invalid, "invalid"),
    ];
    let mut text = format!("{} of {} runs passed", of(Status::Passed), runs.len());
    for (status, name) in kinds {
        if of(status) > 0 {
            text += &format!(", {} {name}", of(status));
        }
    }
    match planned.saturating_sub(runs.len()) {
        0 => text,
        missing => format!("{text}, {missing} not run to the end"),
    }
}

/// One row per scenario.
fn table(runs: &[RunSummary]) -> Table {
    let mut table = Table::new(&[
        ("scenario", Align::Left),
        ("seeds", Align::Left),
        ("passed", Align::Right),
        ("simulated", Align::Right),
        ("wall", Align::Right),
        ("memory", Align::Right),
        ("closest expectation", Align::Left),
    ]);
    for runs in runs.chunk_by(|one, other| one.scenario == other.scenario) {
        let seeds: Vec<u64> = runs.iter().map(|run| run.seed).collect();
        table.row([
            runs[0].scenario.clone(),
            seed_list::show(&seeds),
            format!("{}/{}", runs.iter().filter(|run| run.passed).count(), runs.len()),
            show_seconds(runs.iter().map(|run| run.simulated_s).sum()),
            show_seconds(runs.iter().map(|run| run.wall_s).sum()),
            show_bytes(runs.iter().map(|run| run.peak_memory_bytes).max().unwrap_or(0) as f64),
            shorten(&closest(runs)),
        ]);
    }
    table
}

/// What came closest to a failure or went beyond: why a run failed, else the expectation with the least margin.
fn closest(runs: &[RunSummary]) -> String {
    let failed = runs.iter().find(|run| !run.passed);
    if let Some(reason) = failed.and_then(|run| reasons(run).into_iter().next()) {
        return reason;
    }
    let outcomes = runs.iter().flat_map(|run| &run.expectations);
    let least = outcomes.min_by(|one, other| margin(one).total_cmp(&margin(other)));
    least.map(|outcome| format!("{}: is {}", outcome.line, outcome.shown)).unwrap_or_default()
}

/// How far a value is from its threshold, 0 to 2 as a share of the larger one. An equality has no margin.
fn margin(outcome: &Outcome) -> f64 {
    const EQUALITY: f64 = 3.0;
    let (Some(value), Ok(expectation)) = (outcome.value, Expectation::parse(&outcome.line)) else { return EQUALITY };
    match expectation.operator {
        Operator::Equal | Operator::NotEqual => EQUALITY,
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            let largest = value.abs().max(expectation.threshold.abs());
            if largest > 0.0 { (value - expectation.threshold).abs() / largest } else { 0.0 }
        }
    }
}

fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= WIDTH { line.to_string() } else { line.chars().take(WIDTH - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use darkswap_records::record::Fault;
    use darkswap_sim::orchestrator::process::Ending;
    use darkswap_sim::orchestrator::result::summarise;
    use darkswap_sim::worker::Finished;

    use super::*;

    fn outcome(line: &str, value: f64, shown: &str, held: bool) -> Outcome {
        Outcome { line: line.into(), value: Some(value), shown: shown.into(), held, error: None }
    }

    fn run(seed: u64, expectations: Vec<Outcome>, faults: Vec<Fault>) -> RunSummary {
        let finished = Finished {
            passed: true,
            error: None,
            simulated_us: 60_000_000,
            wall_s: 1.2,
            peak_memory_bytes: 35 << 20,
            expectations,
            faults,
            ..Finished::failed("")
        };
        summarise("nat/matrix", seed, Ending::Finished(Box::new(finished)), Duration::ZERO).expect("a result")
    }

    #[test]
    fn a_row_names_the_expectation_with_the_least_margin() {
        let held = |seed, time| {
            let share = outcome("share(path == direct) >= 70%", 1.0, "100 %", true);
            let crashes = outcome("max(crash) == 0", 0.0, "0", true);
            run(seed, vec![crashes, share, outcome("p95(connect_time) < 3s", time, &show_seconds(time), true)], vec![])
        };
        let lines = table(&[held(1, 1.0), held(2, 2.8)]).lines();
        let columns = "nat/matrix  1..2      2/2    2.01 min  2.4 s  35 MiB  p95(connect_time) < 3s: is 2.8 s";
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>()[..3], ["nat/matrix", "1..2", "2/2"]);
        assert!(lines[1].ends_with(&columns[columns.len() - 32..]), "{lines:?}");
    }

    #[test]
    fn a_failure_tells_expectation_value_fault_and_command() {
        let fault =
            Fault { at_us: 5_000_000, until_us: None, kind: "crash".into(), target: "relay".into(), touched: 0 };
        let mut run = run(3, vec![outcome("share(path == direct) >= 70%", 0.61, "61 %", false)], vec![fault]);
        run.replay = Some("darkswap-sim replay x".into());
        let reasons = reasons(&run);
        assert_eq!(
            reasons,
            [
                "share(path == direct) >= 70%: is 61 %",
                "the fault `crash` of relay at 5 s touched nothing",
                "replay: darkswap-sim replay x",
            ]
        );
        assert_eq!(closest(&[run]), reasons[0]);
    }

    #[test]
    fn runs_that_did_not_happen_are_counted() {
        let run = run(1, vec![], vec![]);
        assert_eq!(count(&[run], 3), "1 of 1 runs passed, 2 not run to the end");
    }
}
