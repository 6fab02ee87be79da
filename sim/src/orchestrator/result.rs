//! What a summary says of a worker's end.

use std::collections::BTreeMap;
use std::time::Duration;

use darkswap_records::summary::{RunSummary, Status, Summary};

use crate::worker::Finished;

use super::folder::{RECORDS, run_name};
use super::process::Ending;

/// The entry of one run; none for one that was interrupted, which is no result.
pub fn summarise(scenario: &str, seed: u64, ending: Ending, wall: Duration) -> Option<RunSummary> {
    let (status, finished) = match ending {
        Ending::Finished(finished) => (status(&finished), *finished),
        Ending::Crashed(reason) => (Status::Crashed, dead(reason, wall)),
        Ending::Hung(reason) => (Status::Hung, dead(reason, wall)),
        Ending::Interrupted => return None,
    };
    let Finished {
        passed: _,
        trace_hash,
        simulated_us,
        wall_s,
        cpu_s,
        peak_memory_bytes,
        packets,
        expectations,
        faults,
        figures,
        error,
    } = finished;
    Some(RunSummary {
        scenario: scenario.to_string(),
        seed,
        passed: status == Status::Passed,
        status,
        trace_hash,
        simulated_s: simulated_us as f64 / 1e6,
        wall_s,
        cpu_s,
        peak_memory_bytes,
        packets,
        expectations,
        faults,
        figures,
        records: format!("{}/{RECORDS}", run_name(scenario, seed)),
        error,
        replay: None,
    })
}

/// Whether a worker died in some run.
pub fn some_worker_died(summary: &Summary) -> bool {
    summary.runs.iter().any(|run| matches!(run.status, Status::Crashed | Status::Hung))
}

/// A worker is not believed to have passed against its own evidence.
fn status(finished: &Finished) -> Status {
    let held = finished.expectations.iter().all(|expectation| expectation.held);
    let touched = finished.faults.iter().all(|fault| fault.touched > 0);
    if finished.passed && held && touched && finished.error.is_none() { Status::Passed } else { Status::Failed }
}

fn dead(reason: String, wall: Duration) -> Finished {
    Finished { wall_s: wall.as_secs_f64(), packets: BTreeMap::new(), ..Finished::failed(reason) }
}

#[cfg(test)]
mod tests {
    use darkswap_records::record::{Fault, Outcome};

    use super::*;

    fn passed() -> Finished {
        Finished { passed: true, error: None, simulated_us: 2_500_000, ..Finished::failed("") }
    }

    fn status_of(finished: Finished) -> Option<Status> {
        let entry = summarise("nat/matrix", 3, Ending::Finished(Box::new(finished)), Duration::ZERO)?;
        assert_eq!(entry.passed, entry.status == Status::Passed);
        assert_eq!((entry.records.as_str(), entry.simulated_s), ("nat/matrix/seed-3/records.jsonl", 2.5));
        Some(entry.status)
    }

    #[test]
    fn a_run_passes_only_with_all_its_evidence() {
        assert_eq!(status_of(passed()), Some(Status::Passed));
        let outcome = Outcome { line: "x".into(), value: None, shown: String::new(), held: false, error: None };
        assert_eq!(status_of(Finished { expectations: vec![outcome], ..passed() }), Some(Status::Failed));
        let fault = Fault { at_us: 0, until_us: None, kind: "crash".into(), target: "relay".into(), touched: 0 };
        assert_eq!(status_of(Finished { faults: vec![fault], ..passed() }), Some(Status::Failed));
        assert_eq!(status_of(Finished { error: Some("a task panicked".into()), ..passed() }), Some(Status::Failed));
        assert_eq!(status_of(Finished { passed: false, ..passed() }), Some(Status::Failed));
    }

    #[test]
    fn a_dead_worker_leaves_its_reason_and_its_time() {
        let of = |ending| summarise("a", 1, ending, Duration::from_secs(3));
        let crashed = of(Ending::Crashed("signal 11".into())).map(|run| (run.status, run.error, run.wall_s));
        assert_eq!(crashed, Some((Status::Crashed, Some("signal 11".into()), 3.0)));
        assert_eq!(of(Ending::Hung("slow".into())).map(|run| run.status), Some(Status::Hung));
        assert_eq!(of(Ending::Interrupted), None);
    }
}
