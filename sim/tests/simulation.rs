//! Whole scenarios through the real executable: the same seed gives the same bytes, and failures are told apart.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use darkswap_records::summary::{Status, Summary};

const SMALL: &str = "\
title: Two peers and a relay
duration: 15s
hosts:
  relay: {role: relay, link: datacentre, transports: [TRANSPORT]}
  alice: {nat: home, link: {mobile: 100%}, transports: [TRANSPORT]}
  bob: {nat: ei_ei, transports: [TRANSPORT]}
load:
  - {connect: {from: alice, to: bob}, at: 3s}
  - {message: {from: alice, to: bob, size: 2KiB}, at: 4s, every: 500ms}
  - {gossip: {from: bob, topic: orders, size: 100B}, at: 4s, every: 2s}
";

/// A folder with scenarios, and runs of them.
struct Laboratory {
    dir: tempfile::TempDir,
}

impl Laboratory {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn scenario(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join("scenarios").join(name).with_extension("yaml");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs a scenario in processes of its own; answers with the exit code and the folder of the run.
    fn run(&self, scenario: &Path, seed: u64, out: &str) -> (Option<i32>, PathBuf) {
        let out = self.dir.path().join(out);
        let seed = seed.to_string();
        let status = Command::new(env!("CARGO_BIN_EXE_darkswap-sim"))
            .arg("run")
            .arg(scenario)
            .args(["--seed", &seed, "--out"])
            .arg(&out)
            .current_dir(self.dir.path())
            .output()
            .unwrap()
            .status;
        (status.code(), out)
    }
}

fn summary(out: &Path) -> Summary {
    Summary::from_json(&fs::read(out.join("summary.json")).unwrap()).unwrap()
}

fn records(out: &Path) -> Vec<u8> {
    let run = &summary(out).runs[0];
    fs::read(out.join(&run.records)).unwrap()
}

fn is_reproducible(transport: &str) {
    let laboratory = Laboratory::new();
    let expect = "expect:\n  - share(path == failed) == 0%\n  - share(message == delivered) == 100%\n";
    let text = SMALL.replace("TRANSPORT", transport) + expect;
    let scenario = laboratory.scenario("same", &text);
    let [first, second, other] =
        [(7, "first"), (7, "second"), (8, "other")].map(|(seed, out)| laboratory.run(&scenario, seed, out));
    assert_eq!((first.0, second.0, other.0), (Some(0), Some(0), Some(0)), "{transport}");
    let hash = |out: &Path| summary(out).runs[0].trace_hash.clone();
    assert_eq!(hash(&first.1), hash(&second.1), "{transport}: the same seed must give the same packets");
    assert!(records(&first.1) == records(&second.1), "{transport}: the same seed must give the same records");
    assert_ne!(hash(&first.1), hash(&other.1), "{transport}: another seed must give other packets");
}

#[test]
fn quic_gives_the_same_bytes_for_the_same_seed() {
    is_reproducible("quic");
}

#[test]
fn tcp_gives_the_same_bytes_for_the_same_seed() {
    is_reproducible("tcp");
}

#[test]
fn websocket_gives_the_same_bytes_for_the_same_seed() {
    is_reproducible("websocket");
}

#[test]
fn an_expectation_that_does_not_hold_leaves_a_bundle_that_replays() {
    let laboratory = Laboratory::new();
    let text = SMALL.replace("TRANSPORT", "quic") + "expect:\n  - share(message == delivered) < 1%\n";
    let scenario = laboratory.scenario("wrong/hope", &text);
    let (code, out) = laboratory.run(&scenario, 3, "out");
    assert_eq!(code, Some(1));
    let run = &summary(&out).runs[0];
    assert_eq!((run.status, run.passed), (Status::Failed, false));
    let bundle = out.join("wrong/hope/seed-3");
    for file in ["records.jsonl", "capture.pcapng", "trace.txt", "log.txt", "order.json"] {
        assert!(bundle.join(file).metadata().is_ok_and(|file| file.len() > 0), "{file} is missing in the bundle");
    }
    let replay = Command::new(env!("CARGO_BIN_EXE_darkswap-sim"))
        .arg("replay")
        .arg(&bundle)
        .current_dir(laboratory.dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&replay.stdout).into_owned() + &String::from_utf8_lossy(&replay.stderr);
    assert_eq!(replay.status.code(), Some(1), "{said}");
    assert!(said.contains(&run.trace_hash) || said.contains("identical"), "{said}");
}

#[test]
fn a_fault_that_touches_nothing_fails_the_run() {
    let laboratory = Laboratory::new();
    // Bob starts after the partition was healed, so it has nothing to cut.
    let text = "\
title: A partition around somebody who is not there
duration: 10s
hosts:
  relay: {role: relay}
  bob: {start: 8s}
faults:
  - {partition: [[bob], [relay]], at: 1s, for: 2s}
expect:
  - max(crash) == 0
";
    let (code, out) = laboratory.run(&laboratory.scenario("nothing", text), 1, "out");
    assert_eq!(code, Some(1));
    let run = &summary(&out).runs[0];
    assert_eq!(run.faults[0].touched, 0);
    assert!(run.expectations.iter().all(|outcome| outcome.held));
}

#[test]
fn an_expectation_without_samples_is_an_error_and_not_a_pass() {
    let laboratory = Laboratory::new();
    let text =
        "title: Nobody connects\nduration: 5s\nhosts:\n  relay: {role: relay}\nexpect:\n  - p95(connect_time) < 1h\n";
    let (code, out) = laboratory.run(&laboratory.scenario("silent", text), 1, "out");
    assert_eq!(code, Some(1));
    let outcome = &summary(&out).runs[0].expectations[0];
    assert!(!outcome.held && outcome.error.as_deref().is_some_and(|error| error.contains("no samples")), "{outcome:?}");
}

#[test]
fn the_scenario_of_the_readme_passes() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let (_, rest) = readme.split_once("```yaml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let laboratory = Laboratory::new();
    let (code, out) = laboratory.run(&laboratory.scenario("readme", text), 1, "out");
    assert_eq!(code, Some(0), "{:#?}", summary(&out).runs[0].expectations);
}
