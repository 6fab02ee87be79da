//! The results as JUnit XML: a suite per scenario, a test case per expectation and seed.

use std::time::Duration;

use darkswap_records::record::Outcome;
use darkswap_records::summary::{RunSummary, Status, Summary};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// The results of every run.
///
/// # Errors
/// Never for a summary that was read.
pub(crate) fn junit(summary: &Summary) -> anyhow::Result<String> {
    let mut report = Report::new("darkswap-sim");
    for runs in summary.runs.chunk_by(|one, other| one.scenario == other.scenario) {
        let mut suite = TestSuite::new(&runs[0].scenario);
        suite.add_property(("commit", summary.commit.as_str()));
        suite.set_time(wall(runs.iter().map(|run| run.wall_s).sum()));
        for run in runs {
            suite.add_test_cases(cases(run));
        }
        report.add_test_suite(suite);
    }
    report.set_time(wall(summary.runs.iter().map(|run| run.wall_s).sum()));
    Ok(report.to_string()?)
}

/// One case per expectation; one more for what no expectation says: that the run ended and its faults touched something.
fn cases(run: &RunSummary) -> Vec<TestCase> {
    let mut cases: Vec<TestCase> = run.expectations.iter().map(|outcome| expectation(run, outcome)).collect();
    for fault in run.faults.iter().filter(|fault| fault.touched == 0) {
        let line = format!("fault {} on {} touches something", fault.kind, fault.target);
        cases.push(case(run, &line, failure(run, NonSuccessKind::Failure, "it touched nothing")));
    }
    let explained = run.passed
        || run.status == Status::Failed
            && cases.iter().any(|case| !matches!(case.status, TestCaseStatus::Success { .. }));
    if cases.is_empty() || !explained {
        let status = if run.passed {
            TestCaseStatus::success()
        } else {
            failure(run, NonSuccessKind::Error, run.error.as_deref().unwrap_or(ending(run.status)))
        };
        cases.push(case(run, "the run ends", status));
    }
    cases
}

fn expectation(run: &RunSummary, outcome: &Outcome) -> TestCase {
    let status = match &outcome.error {
        _ if outcome.held => TestCaseStatus::success(),
        Some(error) => failure(run, NonSuccessKind::Failure, error),
        None => failure(run, NonSuccessKind::Failure, &format!("was {}", outcome.shown)),
    };
    case(run, &outcome.line, status)
}

fn failure(run: &RunSummary, kind: NonSuccessKind, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message);
    if let Some(replay) = &run.replay {
        status.set_description(format!("{message}\nreplay: {replay}"));
    }
    status
}

fn case(run: &RunSummary, line: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(format!("seed {}: {line}", run.seed), status);
    case.set_classname(&run.scenario);
    case
}

/// How a run ended, for people.
pub(crate) fn ending(status: Status) -> &'static str {
    match status {
        Status::Passed => "passed",
        Status::Failed => "failed",
        Status::Crashed => "the worker crashed",
        Status::Hung => "the worker hung and was ended",
        Status::Invalid => "the scenario could not be run",
    }
}

fn wall(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
