//! Sweeps by the real executable: what is refused, what is run, what is not run again, and what shards come to.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use serde_json::Value;

const BASE: &str = "\
title: Two peers find each other
duration: 8s
hosts:
  relay: {role: relay}
  peer: {count: 2}
load:
  - {connect: {from: peer, to: peer, pairs: all}, at: 3s}
expect:
  - share(path == failed) == 0%
";

const PLAN: &str = "\
title: Transports
scenario: base.yaml
seeds: 1..3
variants:
  quic: {set: {hosts.*.transports: [quic]}}
  tcp: {set: {hosts.*.transports: [tcp]}}
compare: [max(connect_time), last(packets_sent)]
";

/// The plan's name as a file.
const FILE: &str = "scenarios/links.plan.yaml";

/// A folder of its own in which the executable runs.
struct Place {
    dir: tempfile::TempDir,
}

/// What an invocation came to.
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        place.write("scenarios/base.yaml", BASE);
        place.write(FILE, PLAN);
        place
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn call(&self, arguments: &[&str]) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_darkswap-sim"));
        let Output { status, stdout, stderr } = command.args(arguments).current_dir(self.dir.path()).output().unwrap();
        Done { code: status.code(), out: String::from_utf8(stdout).unwrap(), err: String::from_utf8(stderr).unwrap() }
    }

    fn ok(&self, arguments: &[&str]) -> Done {
        let done = self.call(arguments);
        assert_eq!(done.code, Some(0), "{arguments:?}\n{}{}", done.out, done.err);
        done
    }

    fn comparison(&self, folder: &str) -> [Vec<u8>; 3] {
        ["html", "json", "csv"].map(|kind| fs::read(self.path(folder).join(format!("comparison.{kind}"))).unwrap())
    }

    fn written(&self, folder: &str, cell: &str) -> SystemTime {
        fs::metadata(self.path(folder).join("links").join(cell).join("cell.json")).unwrap().modified().unwrap()
    }
}

/// Whether runs can start here; where not, every run says so and there is nothing to test.
fn supported() -> bool {
    darkswap_sim::platform::supported().is_ok()
}

#[test]
fn a_bad_plan_is_located_and_nothing_is_run() {
    let place = Place::new();
    place.write(FILE, &PLAN.replace("[tcp]", "[tpc]").replace("max(connect_time)", "max(conect_time)"));
    let done = place.call(&["sweep", FILE]);
    assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{}", done.err);
    assert!(done.err.contains("scenarios/links.plan.yaml:7:15: found `conect_time`"), "{}", done.err);
    assert!(
        done.err.contains("did you mean `connect_time`?") && done.err.ends_with("nothing was run\n"),
        "{}",
        done.err
    );
    place.write(FILE, &PLAN.replace("[tcp]", "[tpc]"));
    let done = place.call(&["sweep", FILE]);
    assert!(done.err.contains("scenarios/links.plan.yaml:6:36: found `tpc`"), "{}", done.err);
    place.write(FILE, &PLAN.replace("scenario: base", "scenario: bass"));
    let done = place.call(&["sweep", FILE]);
    assert!(
        done.code == Some(2) && done.err.contains("scenarios/bass.yaml:1:1: found no readable file"),
        "{}",
        done.err
    );
    assert!(!place.path("runs").exists());
}

#[test]
fn one_seed_is_refused() {
    let place = Place::new();
    place.write(FILE, &PLAN.replace("1..3", "5"));
    let done = place.call(&["sweep", FILE]);
    assert_eq!(done.code, Some(2));
    let expected =
        "links.plan.yaml:3:8: found one seed, `5`, expected at least 2: one seed cannot tell a difference from chance";
    assert!(done.err.contains(expected), "{}", done.err);
}

#[test]
fn a_plan_is_no_scenario_and_a_scenario_no_plan() {
    let place = Place::new();
    let done = place.call(&["run", FILE]);
    assert!(done.code == Some(2), "{}", done.err);
    if supported() {
        assert!(done.err.contains("found a plan, expected a scenario file"), "{}", done.err);
        assert!(done.err.contains(&format!("help: darkswap-sim sweep {FILE}")), "{}", done.err);
    }
    assert_eq!(place.ok(&["list", "scenarios"]).out.lines().count(), 2, "a folder's plans are left out");
    let done = place.call(&["sweep", "scenarios/base.yaml"]);
    assert!(
        done.code == Some(2) && done.err.contains("expected a plan, whose name ends in `.plan.yaml`"),
        "{}",
        done.err
    );
}

#[test]
fn a_dry_run_counts_and_runs_nothing() {
    let place = Place::new();
    let done = place.ok(&["sweep", FILE, "--dry-run"]);
    assert_eq!(done.out, "6 runs: 2 variants, 1 point, 3 seeds, 48 s simulated\n  links/quic\n  links/tcp\n");
    assert!(!place.path("runs").exists());
}

#[test]
fn shards_and_what_went_on_come_to_the_same_bytes_as_one_sweep() {
    if !supported() {
        return;
    }
    let place = Place::new();
    let whole = place.ok(&["sweep", FILE, "--out", "whole"]);
    assert!(whole.out.contains("6 of 6 runs compared"), "{}", whole.out);

    // Two shards in folders of their own.
    let first = place.ok(&["sweep", FILE, "--shard", "1/2", "--out", "one"]);
    assert!(first.out.contains("shard 1/2 has its 3 runs in one"), "{}", first.out);
    assert!(!place.path("one/comparison.html").exists());
    let missing = place.call(&["compare", "one", "--out", "too-early"]);
    assert!(missing.code == Some(2) && missing.err.contains("3 of 6 cells have not run"), "{}", missing.err);
    place.ok(&["sweep", FILE, "--shard", "2/2", "--out", "two"]);
    place.ok(&["compare", "one", "two", "--out", "both"]);
    assert_eq!(place.comparison("whole"), place.comparison("both"));

    // Two shards in one folder: the second finds nothing missing, and compares.
    place.ok(&["sweep", FILE, "--shard", "1/2", "--out", "shared"]);
    place.ok(&["sweep", FILE, "--shard", "2/2", "--out", "shared"]);
    assert_eq!(place.comparison("whole"), place.comparison("shared"));

    // As an interrupt leaves it: a run without its end.
    let cell = place.path("whole/links/tcp/seed-2");
    fs::remove_file(cell.join("cell.json")).unwrap();
    fs::write(cell.join("records.jsonl"), "{\"record\":\"run\"").unwrap();
    let (before, expected) = (place.written("whole", "tcp/seed-1"), place.comparison("both"));
    let again = place.ok(&["sweep", FILE, "--out", "whole"]);
    assert!(again.err.contains("6 runs: 2 variants, 1 point, 3 seeds; 5 have run before"), "{}", again.err);
    assert_eq!((place.written("whole", "tcp/seed-1"), place.comparison("whole")), (before, expected));

    // What changed is run again, and nothing else.
    place.write(FILE, &PLAN.replace("[tcp]}", "[tcp], duration: 9s}"));
    let quic = place.written("whole", "quic/seed-1");
    let changed = place.ok(&["sweep", FILE, "--out", "whole", "--json"]);
    assert!(changed.err.contains("3 have run before"), "{}", changed.err);
    assert!(place.written("whole", "tcp/seed-1") > before && place.written("whole", "quic/seed-1") == quic);
    let json: Value = serde_json::from_str(&changed.out).unwrap();
    assert_eq!(json["measures"][0]["rows"][1]["variant"], "tcp");
    let mixed = place.call(&["compare", "whole", "two", "--out", "mixed"]);
    assert!(mixed.code == Some(2) && mixed.err.contains("of different plans"), "{}", mixed.err);
}

#[test]
fn an_expectation_that_does_not_hold_is_a_result_and_no_failure() {
    if !supported() {
        return;
    }
    let place = Place::new();
    place.write("scenarios/base.yaml", &BASE.replace("== 0%", "== 100%"));
    place.write(FILE, &PLAN.replace("1..3", "1..2"));
    let done = place.ok(&["sweep", FILE, "--out", "out"]);
    assert!(done.out.contains("4 of 4 runs compared"), "{}", done.out);
    let html = String::from_utf8(place.comparison("out")[0].clone()).unwrap();
    assert!(html.contains("<td class=\"number\">0/2</td>"), "the page tells that none held");
}
