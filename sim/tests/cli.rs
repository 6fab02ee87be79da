//! The command line of the real executable, as far as it needs no simulation.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod executable;

use std::fs;

use darkswap_records::summary::{Status, Summary};
use executable::{Place, supported};

const GOOD: &str = "\
title: One relay on its own
duration: 1s
seeds: 1..3
hosts:
  relay: {role: relay}
expect:
  - max(crash) == 0
";

const BAD: &str = "\
title: A slip of the pen
duraton: 1s
hosts:
  relay: {role: relay}
expect:
  - max(crsh) == 0
";

/// A place with `scenarios/relay/good.yaml`.
fn place() -> Place {
    Place::with(&[("scenarios/relay/good.yaml", GOOD)])
}

/// What a run in this folder came to.
fn summary(place: &Place, folder: &str) -> Summary {
    Summary::from_json(&fs::read(place.path(folder).join("summary.json")).unwrap()).unwrap()
}

#[test]
fn a_bad_scenario_is_located_and_nothing_is_run() {
    let place = place();
    place.write("scenarios/bad.yaml", BAD);
    let done = place.call(&["run", "scenarios"]);
    assert_eq!(done.code, Some(2), "{}", done.err);
    if supported() {
        assert!(done.err.contains("scenarios/bad.yaml:2:1: found "), "{}", done.err);
        assert!(done.err.contains("scenarios/bad.yaml:6:9: found "), "{}", done.err);
        assert!(
            done.err.contains("did you mean `duration`?") && done.err.contains("did you mean `crash`?"),
            "{}",
            done.err
        );
        assert!(done.err.ends_with("nothing was run\n"), "{}", done.err);
    }
    assert_eq!(done.out, "");
    assert!(!place.path("runs").exists());
}

#[test]
fn a_path_with_nothing_there_is_bad_input() {
    let place = place();
    let done = place.call(&["check", "scenarios/relay/god.yaml", "scenarios/nothing"]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("scenarios/relay/god.yaml: found nothing there"), "{}", done.err);
    assert!(done.err.contains("did you mean `scenarios/relay/good.yaml`?"), "{}", done.err);
    assert!(done.err.contains("2 problems"), "{}", done.err);
}

#[test]
fn wrong_arguments_are_bad_input() {
    let place = place();
    let wrong: [&[&str]; 9] = [
        &[],
        &["run"],
        &["run", "scenarios", "--shard", "3/2"],
        &["run", "scenarios", "--seed", "1", "--seeds", "1..2"],
        &["run", "scenarios", "--seeds", "4..1"],
        &["run", "scenarios", "--jobs", "0"],
        &["run", "scenarios", "--patience", "20"],
        &["replay", "scenarios"],
        &["report", "scenarios"],
    ];
    for arguments in wrong {
        let done = place.call(arguments);
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{arguments:?}: {}", done.err);
        assert!(!done.err.is_empty());
    }
    assert!(!place.path("runs").exists());
    assert!(!place.path("scenarios/report.html").exists());
}

#[test]
fn check_says_what_is_in_order_and_what_is_not() {
    let place = place();
    let good = place.call(&["check", "scenarios"]);
    assert_eq!(
        (good.code, good.out.as_str()),
        (Some(0), "ok  scenarios/relay/good.yaml  1 host for 1s\n"),
        "{}",
        good.err
    );

    place.write("scenarios/bad.yaml", BAD);
    let both = place.call(&["check", "scenarios", "--json"]);
    assert_eq!((both.code, both.err.as_str()), (Some(2), ""));
    let found: serde_json::Value = serde_json::from_str(&both.out).unwrap();
    assert_eq!(found["scenarios"][0]["name"], "relay/good");
    let at = |problem: &serde_json::Value| {
        (problem["file"].as_str() == Some("scenarios/bad.yaml"))
            .then(|| (problem["line"].as_u64(), problem["column"].as_u64()))
    };
    let places: Vec<_> = found["problems"].as_array().unwrap().iter().filter_map(at).collect();
    assert!(places.contains(&(Some(2), Some(1))) && places.contains(&(Some(6), Some(9))), "{places:?}");
}

#[test]
fn list_shows_the_scenarios_folder_unless_told_otherwise() {
    let place = place();
    let table = place.call(&["list"]);
    assert_eq!(table.code, Some(0), "{}", table.err);
    let rows: Vec<Vec<&str>> = table.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["name", "hosts", "duration", "seeds", "title"]);
    assert_eq!(rows[1], ["relay/good", "1", "1s", "1..3", "One", "relay", "on", "its", "own"]);

    let json = place.call(&["list", "scenarios/relay", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(found[0]["seeds"], serde_json::json!([1, 2, 3]));
    assert_eq!((&found[0]["hosts"], &found[0]["duration_s"]), (&1.into(), &1.0.into()));
}

#[test]
fn help_explains_the_workflow_and_the_exit_codes() {
    let place = place();
    let help = place.call(&["--help"]);
    assert_eq!(help.code, Some(0));
    for part in ["Workflow:", "darkswap-sim replay runs/latest", "Exit codes:", "130"] {
        assert!(help.out.contains(part), "{part} is missing");
    }
    assert!(!help.out.contains("worker --order"));
    assert!(place.call(&["run", "--help"]).out.contains("Examples:"));
}

#[test]
fn a_failed_invocation_leaves_its_summary_and_its_report() {
    if !supported() {
        return;
    }
    let place = place();
    // No run can have a folder of its own, so none can start.
    place.write("out/relay", "in the way");
    let done = place.call(&["run", "scenarios", "--out", "out", "--jobs", "1", "--keep-going"]);
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert!(done.err.contains("[1/3] DIED  relay/good seed 1"), "{}", done.err);
    assert!(done.out.contains("0 of 3 runs passed, 3 crashed"), "{}", done.out);
    assert!(done.out.contains("cannot empty out/relay/good/seed-2"), "{}", done.out);
    assert!(done.out.contains("report: out/report.html") && !done.out.contains('\x1b'), "{}", done.out);

    let summary = summary(&place, "out");
    assert_eq!(
        summary.runs.iter().map(|run| (run.seed, run.status)).collect::<Vec<_>>(),
        [1, 2, 3].map(|seed| (seed, Status::Crashed))
    );
    assert_eq!(summary.command, "darkswap-sim run scenarios --out out --jobs 1 --keep-going");
    assert!(place.path("out/report.html").is_file() && place.path("out/junit.xml").is_file());

    let stopped = place.call(&["run", "scenarios", "--out", "out", "--jobs", "1", "--json"]);
    assert_eq!(stopped.code, Some(3));
    let printed = Summary::from_json(stopped.out.as_bytes()).unwrap();
    assert_eq!(printed.runs.iter().map(|run| run.seed).collect::<Vec<_>>(), [1], "nothing starts after a failure");
}

#[test]
fn latest_points_to_the_last_invocation() {
    if !supported() {
        return;
    }
    let place = place();
    // The last of four shards of three runs is empty: an invocation without a worker.
    let done = place.call(&["run", "scenarios", "--shard", "4/4"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.err.contains("shard 4/4 has no run"), "{}", done.err);
    assert_eq!(summary(&place, "runs/latest").runs, []);
    assert_eq!(place.call(&["report", "runs/latest"]).code, Some(0));

    assert_eq!(place.call(&["run", "scenarios", "--shard", "4/4", "--out", "elsewhere"]).code, Some(0));
    assert_eq!(place.path("runs/latest").canonicalize().unwrap(), place.path("elsewhere").canonicalize().unwrap());
}

#[test]
fn a_worker_without_an_order_says_so() {
    if !supported() {
        return;
    }
    let done = place().call(&["worker", "--order", "-"]);
    assert_eq!((done.code, done.out.as_str()), (Some(2), ""));
    assert!(done.err.contains("the order is not in order"), "{}", done.err);
}
