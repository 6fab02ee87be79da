//! Sweeps by the real executable: what is refused, what is run, what is not run again, and what shards come to.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod executable;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use executable::{Done, Place, supported};
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

/// A place with a plan and its scenario.
fn place() -> Place {
    Place::with(&[("scenarios/base.yaml", BASE), (FILE, PLAN)])
}

fn ok(place: &Place, arguments: &[&str]) -> Done {
    let done = place.call(arguments);
    assert_eq!(done.code, Some(0), "{arguments:?}\n{}{}", done.out, done.err);
    done
}

fn comparison(place: &Place, folder: &str) -> [Vec<u8>; 3] {
    ["html", "json", "csv"].map(|kind| fs::read(place.path(folder).join(format!("comparison.{kind}"))).unwrap())
}

fn written(place: &Place, folder: &str, cell: &str) -> SystemTime {
    fs::metadata(place.path(folder).join("links").join(cell).join("cell.json")).unwrap().modified().unwrap()
}

#[test]
fn a_bad_plan_is_located_and_nothing_is_run() {
    let place = place();
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
    let place = place();
    place.write(FILE, &PLAN.replace("1..3", "5"));
    let done = place.call(&["sweep", FILE]);
    assert_eq!(done.code, Some(2));
    let expected =
        "links.plan.yaml:3:8: found one seed, `5`, expected at least 2: one seed cannot tell a difference from chance";
    assert!(done.err.contains(expected), "{}", done.err);
}

#[test]
fn a_plan_is_no_scenario_and_a_scenario_no_plan() {
    let place = place();
    let done = place.call(&["run", FILE]);
    assert!(done.code == Some(2), "{}", done.err);
    if supported() {
        assert!(done.err.contains("found a plan, expected a scenario file"), "{}", done.err);
        assert!(done.err.contains(&format!("help: darkswap-sim sweep {FILE}")), "{}", done.err);
    }
    assert_eq!(ok(&place, &["list", "scenarios"]).out.lines().count(), 2, "a folder's plans are left out");
    let done = place.call(&["sweep", "scenarios/base.yaml"]);
    assert!(
        done.code == Some(2) && done.err.contains("expected a plan, whose name ends in `.plan.yaml`"),
        "{}",
        done.err
    );
}

#[test]
fn a_dry_run_counts_and_runs_nothing() {
    let place = place();
    let done = ok(&place, &["sweep", FILE, "--dry-run"]);
    assert_eq!(done.out, "6 runs: 2 variants, 1 point, 3 seeds, 48 s simulated\n  links/quic\n  links/tcp\n");
    assert!(!place.path("runs").exists());
}

#[test]
fn shards_and_what_went_on_come_to_the_same_bytes_as_one_sweep() {
    if !supported() {
        return;
    }
    let place = place();
    let whole = ok(&place, &["sweep", FILE, "--out", "whole"]);
    assert!(whole.out.contains("6 of 6 runs compared"), "{}", whole.out);

    // Two shards in folders of their own.
    let first = ok(&place, &["sweep", FILE, "--shard", "1/2", "--out", "one"]);
    assert!(first.out.contains("shard 1/2 has its 3 runs in one"), "{}", first.out);
    assert!(!place.path("one/comparison.html").exists());
    let missing = place.call(&["compare", "one", "--out", "too-early"]);
    assert!(missing.code == Some(2) && missing.err.contains("3 of 6 cells have not run"), "{}", missing.err);
    ok(&place, &["sweep", FILE, "--shard", "2/2", "--out", "two"]);
    ok(&place, &["compare", "one", "two", "--out", "both"]);
    assert_eq!(comparison(&place, "whole"), comparison(&place, "both"));

    // Two shards in one folder: the second finds nothing missing, and compares.
    ok(&place, &["sweep", FILE, "--shard", "1/2", "--out", "shared"]);
    ok(&place, &["sweep", FILE, "--shard", "2/2", "--out", "shared"]);
    assert_eq!(comparison(&place, "whole"), comparison(&place, "shared"));

    // As an interrupt leaves it: a run without its end.
    let cell = place.path("whole/links/tcp/seed-2");
    fs::remove_file(cell.join("cell.json")).unwrap();
    fs::write(cell.join("records.jsonl"), "{\"record\":\"run\"").unwrap();
    let (before, expected) = (written(&place, "whole", "tcp/seed-1"), comparison(&place, "both"));
    let again = ok(&place, &["sweep", FILE, "--out", "whole"]);
    assert!(again.err.contains("6 runs: 2 variants, 1 point, 3 seeds; 5 have run before"), "{}", again.err);
    assert_eq!((written(&place, "whole", "tcp/seed-1"), comparison(&place, "whole")), (before, expected));

    // What changed is run again, and nothing else.
    place.write(FILE, &PLAN.replace("[tcp]}", "[tcp], duration: 9s}"));
    let quic = written(&place, "whole", "quic/seed-1");
    let changed = ok(&place, &["sweep", FILE, "--out", "whole", "--json"]);
    assert!(changed.err.contains("3 have run before"), "{}", changed.err);
    assert!(written(&place, "whole", "tcp/seed-1") > before && written(&place, "whole", "quic/seed-1") == quic);
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
    let place = place();
    place.write("scenarios/base.yaml", &BASE.replace("== 0%", "== 100%"));
    place.write(FILE, &PLAN.replace("1..3", "1..2"));
    let done = ok(&place, &["sweep", FILE, "--out", "out"]);
    assert!(done.out.contains("4 of 4 runs compared"), "{}", done.out);
    let html = String::from_utf8(comparison(&place, "out")[0].clone()).unwrap();
    assert!(html.contains("<td class=\"number\">0/2</td>"), "the page tells that none held");
}

/// The command lines of docs/sweeps.md that spread the sweep of `PLAN.plan.yaml` over four shards and put these together.
fn documented() -> String {
    let page = include_str!("../../docs/sweeps.md");
    let (_, block) = page.split_once("**GNU parallel**").unwrap();
    let lines = block.split("```").nth(1).unwrap().lines().filter_map(|line| line.strip_prefix("$ "));
    lines.fold(String::new(), |script, line| script + line + "\n")
}

/// Whether GNU parallel is there; moreutils has a program of the same name that is another one.
fn has_gnu_parallel() -> bool {
    let version = Command::new("parallel").arg("--version").output();
    version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).starts_with("GNU parallel"))
}

#[test]
#[expect(clippy::print_stderr, reason = "who runs the tests must see that this one was skipped")]
fn gnu_parallel_comes_to_the_same_bytes_by_the_documented_command_lines() {
    if !supported() {
        return;
    }
    if !has_gnu_parallel() {
        let in_ci = matches!(env::var("CI").as_deref(), Ok("true" | "1"));
        assert!(!in_ci, "found no GNU parallel, expected it: apt-get install parallel");
        eprintln!("skipped: there is no GNU parallel. Debian, Ubuntu: apt-get install parallel");
        return;
    }
    let place = Place::with(&[("base.yaml", BASE), ("PLAN.plan.yaml", &PLAN.replace("1..3", "1..2"))]);
    let whole = ok(&place, &["sweep", "PLAN.plan.yaml", "--out", "whole"]);
    assert!(whole.out.contains("4 of 4 runs compared"), "{}", whole.out);

    let script = documented();
    assert!(script.starts_with("parallel ") && script.lines().count() == 2, "{script}");
    let mut path = vec![Path::new(env!("CARGO_BIN_EXE_darkswap-sim")).parent().unwrap().to_owned()];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap()));
    let done = Command::new("bash")
        .args(["-euc", &script])
        .current_dir(place.path("."))
        .env("PATH", env::join_paths(path).unwrap())
        // Where GNU parallel keeps what it learns of the machine: not in the folder of whoever tests.
        .env("PARALLEL_HOME", place.path("parallel"))
        .output()
        .unwrap();
    let [out, err] = [&done.stdout, &done.stderr].map(|said| String::from_utf8_lossy(said));
    assert!(done.status.success(), "{script}{out}{err}");
    let log = fs::read_to_string(place.path("sweep.log")).unwrap();
    assert_eq!(log.lines().count(), 1 + 4, "a line for each shard: {log}");
    for shard in 1..=4 {
        assert!(out.contains(&format!("shard {shard}/4 has its 1 runs in shard-{shard}")), "{out}");
    }
    assert_eq!(comparison(&place, "whole"), comparison(&place, "all"));
}
