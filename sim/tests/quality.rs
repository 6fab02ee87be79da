//! Scores of connections, and what is done about bad ones, in whole scenarios through the real executable.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use darkswap_records::summary::Summary;
use serde_json::Value;

/// How long a score is low before something is done about it, in seconds.
const HOLD: f64 = 10.0;
/// Time between two pings, and for which a circuit that is to be closed is kept as the best one.
const LATER: f64 = 8.0 + 5.0;

/// Runs a scenario that has to pass, and returns its records.
fn run(text: &str) -> Vec<Value> {
    let laboratory = tempfile::tempdir().unwrap();
    let scenario = laboratory.path().join("scenarios/quality.yaml");
    fs::create_dir_all(scenario.parent().unwrap()).unwrap();
    fs::write(&scenario, text).unwrap();
    let out = laboratory.path().join("out");
    let ran = Command::new(env!("CARGO_BIN_EXE_darkswap-sim"))
        .args(["run".into(), scenario, "--seed".into(), "7".into(), "--out".into(), out.clone()] as [PathBuf; 6])
        .current_dir(laboratory.path())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stdout));
    let summary = Summary::from_json(&fs::read(out.join("summary.json")).unwrap()).unwrap();
    let records = fs::read_to_string(out.join(&summary.runs[0].records)).unwrap();
    records.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn seconds(record: &Value) -> f64 {
    record["at_us"].as_f64().unwrap() / 1e6
}

/// The events of a kind at a host, as `at` and a field.
fn events(records: &[Value], host: &str, kind: &str, field: &str) -> Vec<(f64, String)> {
    let is_it = |record: &&Value| record["record"] == "event" && record["host"] == host && record["kind"] == kind;
    let found = records.iter().filter(is_it);
    found.map(|record| (seconds(record), record["fields"][field].as_str().unwrap_or_default().to_owned())).collect()
}

/// The scores that a host gave its connection to another.
fn scores(records: &[Value], from: &str, to: &str) -> Vec<(f64, f64)> {
    let is_it =
        |record: &&Value| record["figure"] == "quality" && record["tags"]["from"] == from && record["tags"]["to"] == to;
    records.iter().filter(is_it).map(|record| (seconds(record), record["value"].as_f64().unwrap())).collect()
}

/// The score of a connection of alice's to bob fell below 40 after the link became bad; when.
fn fall(records: &[Value], bad: f64) -> f64 {
    let scores = scores(records, "alice", "bob");
    assert!(scores.iter().filter(|(at, _)| *at < bad).all(|(_, score)| *score >= 60.0), "{scores:?}");
    let low = scores.iter().find(|(at, score)| *at > bad && *score < 40.0);
    low.unwrap_or_else(|| panic!("the score stayed high: {scores:?}")).0
}

/// The relays through which alice reached bob, with the times of their scores.
fn relays(records: &[Value]) -> Vec<(f64, String)> {
    let is_it = |record: &&Value| {
        record["figure"] == "quality" && record["tags"]["from"] == "alice" && record["tags"]["to"] == "bob"
    };
    let relay = |record: &Value| (seconds(record), record["tags"]["relay"].as_str().unwrap().to_owned());
    records.iter().filter(is_it).map(relay).collect()
}

/// Alice reached bob all the time.
fn is_unbroken(records: &[Value]) -> bool {
    events(records, "alice", "path_changed", "to").iter().all(|(_, to)| to != "none")
}

#[test]
fn a_bad_relayed_connection_is_upgraded_then_moved_to_another_relay() {
    let records = run("\
title: Alice reaches bob through two relays, and her link becomes slow
duration: 400s
hosts:
  relay: {role: relay, count: 2}
  alice: {nat: symmetric, transports: [quic]}
  bob: {nat: symmetric, transports: [quic]}
load:
  - {connect: {from: alice, to: bob}, at: 5s}
  - {message: {from: alice, to: bob, size: 1KiB}, at: 10s, every: 5s, until: 380s}
faults:
  - {impair: alice, link: {latency: 700ms}, at: 60s, for: 140s}
expect:
  - share(message == delivered) == 100%
  - count(quality_action == upgrade where from == alice) >= 1
");
    let low = fall(&records, 60.0);
    let actions = events(&records, "alice", "quality_action", "action");
    let (first, second) = (&actions[0], &actions[1]);
    assert_eq!((first.1.as_str(), second.1.as_str()), ("upgrade", "switch_relay"), "{actions:?}");
    let lows = events(&records, "alice", "quality_action", "low_for");
    assert_eq!(lows[0].1, "10s", "something is done as soon as the hold is over");
    assert!(first.0 - low <= HOLD + LATER, "low at {low}, acted at {}", first.0);
    let relays = relays(&records);
    let before = relays.iter().rfind(|(at, _)| *at < second.0).unwrap();
    let mut after = relays.iter().filter(|(at, _)| *at > second.0 && *at < second.0 + 60.0);
    assert!(after.any(|(_, relay)| *relay != before.1), "switched at {}: {relays:?}", second.0);
    let opened = events(&records, "alice", "connection_opened", "peer");
    assert!(opened.iter().any(|(at, peer)| peer == "bob" && *at > second.0 && *at < second.0 + 20.0), "{opened:?}");
    let closed = events(&records, "alice", "connection_closed", "peer");
    assert!(closed.iter().any(|(at, peer)| peer == "bob" && *at > second.0), "{closed:?}");
    let recovered = events(&records, "alice", "quality_recovered", "attempts");
    assert!(recovered.iter().any(|(at, _)| *at > 200.0), "{recovered:?}");
}

#[test]
fn a_bad_direct_connection_is_made_anew_without_a_gap() {
    let records = run("\
title: Alice reaches bob directly, and her link becomes slow and uneven
duration: 300s
hosts:
  alice: {transports: [quic], relays: []}
  bob: {transports: [quic], relays: []}
load:
  - {connect: {from: alice, to: bob}, at: 5s}
  - {message: {from: alice, to: bob, size: 1KiB}, at: 10s, every: 5s, until: 280s}
faults:
  - {impair: alice, link: {latency: 400ms, jitter: 1500ms}, at: 40s, for: 200s}
expect:
  - share(message == delivered) == 100%
  - count(quality_action == reconnect where from == alice) >= 1
");
    let low = fall(&records, 40.0);
    let actions = events(&records, "alice", "quality_action", "action");
    assert!(actions[0].0 - low >= HOLD - 0.1, "low at {low}, then {actions:?}");
    assert!(is_unbroken(&records));
}

#[test]
fn nothing_is_ever_done_about_good_connections() {
    let records = run("\
title: A relayed and a direct pair on good links for ten minutes
duration: 10m
hosts:
  relay: {role: relay, link: datacentre}
  alice: {nat: symmetric, link: dsl}
  bob: {nat: symmetric, link: fibre}
  carol: {nat: home, link: mobile}
load:
  - {connect: {from: [alice, carol], to: bob}, at: 5s}
  - {message: {from: alice, to: bob, size: 200KiB}, at: 10s, every: 30s}
  - {message: {from: carol, to: bob, size: 20KiB}, at: 10s, every: 2s}
expect:
  - share(message == delivered) == 100%
  - min(quality) >= 40
");
    for host in ["alice", "bob", "carol"] {
        assert_eq!(events(&records, host, "quality_action", "action"), [], "{host}");
    }
}
