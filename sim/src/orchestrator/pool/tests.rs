//! The pool over shell scripts that answer like a worker.

use std::path::Path;
use std::time::Duration;

use darkswap_records::summary::Status;

use super::*;
use crate::orchestrator::bundle::Bundle;
use crate::orchestrator::folder::Folder;
use crate::orchestrator::interrupt::Interrupt;
use crate::orchestrator::launcher::Launcher;
use crate::orchestrator::process::Watch;

/// A worker that fails odd seeds, crashes on seed 4, hangs on seed 6 and passes all others. It writes a capture where it is asked to.
const WORKER: &str = r#"
order=$(cat)
field() { echo "$order" | sed "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/"; }
seed=$(field seed); out=$(field out); passed=true
if [ "$(field capture)" = true ]; then echo capture >"$out/capture.pcapng"; fi
case $seed in
  *[13579]) passed=false ;;
  4) echo 'no route' >&2; exit 101 ;;
  6) exec sleep 60 ;;
esac
echo records >"$out/records.jsonl"
echo '{"message":"progress","simulated_us":5,"duration_us":10}'
echo "{\"message\":\"finished\",\"passed\":$passed,\"trace_hash\":\"h$seed$EXTRA\",\"simulated_us\":10,\"wall_s\":1.0,\"cpu_s\":1.0,\"peak_memory_bytes\":1,\"packets\":{},\"expectations\":[],\"faults\":[],\"figures\":{},\"error\":null}"
"#;

struct Outcome {
    dir: tempfile::TempDir,
    runs: Vec<RunSummary>,
    events: Vec<Event>,
}

impl Outcome {
    fn run(&self, seed: u64) -> &RunSummary {
        self.runs.iter().find(|run| run.seed == seed).unwrap_or_else(|| panic!("seed {seed} did not run"))
    }

    fn folder(&self, seed: u64) -> std::path::PathBuf {
        self.dir.path().join(format!("nat/matrix/seed-{seed}"))
    }

    fn seeds(&self) -> Vec<u64> {
        let mut seeds: Vec<u64> = self.runs.iter().map(|run| run.seed).collect();
        seeds.sort_unstable();
        seeds
    }
}

fn run_script(script: &str, seeds: &[u64], keep_going: bool) -> Outcome {
    run_script_telling(script, seeds, keep_going, &Interrupt::default(), &mut |_| {})
}

fn run_script_telling(
    script: &str,
    seeds: &[u64],
    keep_going: bool,
    interrupt: &Interrupt,
    tell: &mut dyn FnMut(&Event),
) -> Outcome {
    let dir = tempfile::tempdir().expect("a folder");
    let watch = Watch { patience: Duration::from_secs(4), interrupt: interrupt.clone() };
    let settings = Settings {
        launcher: Launcher::new("/bin/sh", ["-c", script]),
        folder: Folder::at(dir.path().to_path_buf()).expect("a folder"),
        commit: "c".into(),
        capture: false,
        watch,
    };
    let task = |seed: &u64| Task {
        scenario: "nat/matrix".into(),
        seed: *seed,
        duration: Duration::from_secs(1),
        file: Path::new("matrix.yaml").into(),
        text: (*b"title: x\n").into(),
    };
    let tasks: Vec<Task> = seeds.iter().map(task).collect();
    let mut events = Vec::new();
    let runs = run(&tasks, &settings, 2, keep_going, &mut |event| {
        events.push(event.clone());
        tell(event);
    });
    Outcome { dir, runs, events }
}

fn run_seeds(seeds: &[u64], keep_going: bool) -> Outcome {
    run_script(WORKER, seeds, keep_going)
}

#[test]
fn every_kind_of_end_is_told_apart() {
    let outcome = run_seeds(&[1, 2, 4, 6], true);
    let status = |seed| outcome.run(seed).status;
    assert_eq!([1, 2, 4, 6].map(status), [Status::Failed, Status::Passed, Status::Crashed, Status::Hung]);
    assert!(outcome.run(4).error.as_deref().is_some_and(|error| error.ends_with("no route")));
    assert_eq!(outcome.events.iter().filter(|event| matches!(event, Event::Started { .. })).count(), 4);
    assert_eq!(outcome.events.iter().filter(|event| matches!(event, Event::Ended { .. })).count(), 4);
}

#[test]
fn a_failing_run_leaves_a_bundle_with_a_capture() {
    let outcome = run_seeds(&[2, 3, 4, 6], true);
    for seed in [3, 4, 6] {
        let bundle = Bundle::read(&outcome.folder(seed)).expect("a bundle");
        assert_eq!((bundle.seed, bundle.commit.as_str()), (seed, "c"));
        assert!(outcome.folder(seed).join("scenarios/nat/matrix.yaml").is_file());
        assert!(outcome.run(seed).replay.as_deref().is_some_and(|command| command.ends_with(&format!("/seed-{seed}"))));
        assert!(outcome.folder(seed).join("stderr.txt").is_file());
        assert!(!outcome.folder(seed).join("again").exists());
    }
    assert!(outcome.folder(3).join("capture.pcapng").is_file());
    assert!(outcome.folder(3).join("records.jsonl").is_file());
    assert!(outcome.folder(4).join("capture.pcapng").is_file(), "as far as it came");
    assert!(!outcome.folder(6).join("capture.pcapng").exists(), "one that hangs is not run again");
    assert!(Bundle::read(&outcome.folder(2)).is_err(), "one that passed leaves none");
    assert!(!outcome.folder(2).join("stderr.txt").exists());
}

#[test]
fn the_second_run_must_be_the_first_again() {
    let script = format!("EXTRA=$$\n{WORKER}");
    let outcome = run_script(&script, &[1], true);
    let error = outcome.run(1).error.clone().unwrap_or_default();
    assert!(error.contains("it was another run: trace hash h1"), "{error}");
    assert!(outcome.folder(1).join("again/records.jsonl").is_file());
}

#[test]
fn only_some_failing_runs_are_run_again() {
    let seeds: Vec<u64> = (0..12).map(|number| 2 * number + 1).collect();
    let outcome = run_seeds(&seeds, true);
    let captures = seeds.iter().filter(|seed| outcome.folder(**seed).join("capture.pcapng").exists()).count();
    assert_eq!((captures, outcome.runs.len()), (BUNDLES, 12));
    assert!(outcome.runs.iter().all(|run| run.replay.is_some()));
}

#[test]
fn nothing_new_starts_after_a_failure_unless_asked_to_keep_going() {
    let seeds: Vec<u64> = [1].into_iter().chain((0..20).map(|number| 10 + 2 * number)).collect();
    let stopped = run_seeds(&seeds, false);
    assert!(stopped.seeds().contains(&1) && stopped.runs.len() < seeds.len(), "{:?}", stopped.seeds());
    assert_eq!(run_seeds(&seeds, true).runs.len(), seeds.len());
}

#[test]
fn an_interrupt_keeps_what_ended() {
    let interrupt = Interrupt::default();
    let raise = interrupt.clone();
    // One worker hangs; the interrupt comes when the others have ended.
    let outcome = run_script_telling(WORKER, &[2, 6, 8, 6, 6], false, &interrupt, &mut |event| {
        if matches!(event, Event::Ended { run, .. } if run.seed == 8) {
            raise.raise();
        }
    });
    assert_eq!(outcome.seeds(), [2, 8]);
    assert!(outcome.events.iter().any(|event| matches!(event, Event::Interrupted { task: 1 })));
}
