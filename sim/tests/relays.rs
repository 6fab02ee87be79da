//! Nodes that choose among relays, as whole scenarios through the real executable.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::fs;
use std::process::Command;

use serde_json::Value;

/// The events of a run of this scenario, with its seed.
fn events(scenario: &str, seed: u64) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("relays.yaml");
    fs::write(&path, scenario).unwrap();
    let seed = seed.to_string();
    let run = Command::new(env!("CARGO_BIN_EXE_darkswap-sim"))
        .arg("run")
        .arg(&path)
        .args(["--seed", &seed, "--out", "out"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let records = dir.path().join("out/relays").join(format!("seed-{seed}")).join("records.jsonl");
    let lines = fs::read_to_string(records).unwrap();
    let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.filter(|record| record["record"] == "event").collect()
}

/// The events of this kind that a host saw, with their seconds.
fn of<'a>(events: &'a [Value], host: &str, kind: &str) -> Vec<(f64, &'a Value)> {
    let its = events.iter().filter(|event| event["host"] == host && event["kind"] == kind);
    its.map(|event| (event["at_us"].as_f64().unwrap() / 1e6, &event["fields"])).collect()
}

#[test]
fn a_dead_relay_is_noticed_at_once_and_a_fresh_dial_goes_through_the_standby() {
    let scenario = "\
title: A relay dies without a word
duration: 40s
hosts:
  relay: {role: relay, count: 2, link: datacentre}
  alice: {nat: symmetric}
  carol: {nat: symmetric}
load:
  - {connect: {from: carol, to: alice}, at: 26s}
faults:
  - {crash: relay-1, at: 25s}
expect:
  - share(path == relayed) == 100%
";
    let events = events(scenario, 1);
    let announced = of(&events, "alice", "relays_announced");
    let relays = |fields: &Value| fields["relays"].as_str().unwrap().to_owned();
    let (_, before) = announced.iter().rfind(|(at, _)| *at < 25.0).unwrap();
    assert_eq!(relays(before).split(' ').count(), 2, "the home and a standby are announced");
    let (noticed, fields) = announced.iter().find(|(at, _)| *at > 25.0).unwrap();
    assert_eq!(relays(fields), "relay-2");
    assert!(*noticed < 30.0, "noticed at {noticed} s");
    let paths = of(&events, "carol", "path_changed");
    let (reached, _) = paths.iter().find(|(_, fields)| fields["peer"] == "alice").unwrap();
    assert!((26.0..28.0).contains(reached), "reached at {reached} s");
}

#[test]
fn nobody_moves_between_equal_relays() {
    let scenario = "\
title: Three relays that are as near
duration: 180s
hosts:
  relay: {role: relay, count: 3, link: datacentre}
  peer: {count: 3, nat: symmetric, link: {cable: 100%}}
load:
  - {connect: {from: peer, to: peer, pairs: all}, at: 5s}
expect:
  - share(path == relayed) == 100%
";
    let events = events(scenario, 1);
    for host in ["peer-1", "peer-2", "peer-3"] {
        let homes = of(&events, host, "home_relay");
        assert_eq!(homes.len(), 1, "{host}: {homes:?}");
        assert_eq!(of(&events, host, "reservation_lost").len(), 0, "{host}");
    }
}

#[test]
fn a_host_that_is_told_where_relays_are_prefers_its_own_region() {
    let scenario = |hints: &str| {
        format!(
            "\
title: The relay of the own region has a slow line
duration: 20s
regions: {{latency: {{eu-eu: 7ms, eu-us: 67ms, us-us: 19ms}}}}
links: {{slow: {{latency: 80ms}}}}
hosts:
  near: {{role: relay, region: eu, link: slow}}
  far: {{role: relay, region: us, link: datacentre}}
  alice: {{nat: symmetric, region: eu, relay_selection: {{policy: geographic_hint, standbys: 0, hints: {hints}}}}}
  carol: {{nat: symmetric, region: eu}}
load:
  - {{connect: {{from: carol, to: alice}}, at: 10s}}
expect:
  - share(path == relayed) == 100%
"
        )
    };
    // Measured are 174 ms and 134 ms and the access link, suggested 14 ms and 134 ms.
    for (hints, home) in [("regions", "near"), ("none", "far")] {
        let events = events(&scenario(hints), 1);
        let homes = of(&events, "alice", "home_relay");
        assert!(!homes.is_empty() && homes.iter().all(|(_, fields)| fields["to"] == home), "{hints}: {homes:?}");
    }
}
