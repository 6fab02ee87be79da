//! The laboratory of relay selection through the real executable: what comes and goes, fails and lies, and what is measured of it.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod executable;

use std::fs;

use darkswap_records::summary::{RunSummary, Summary};
use executable::{Place, supported};

/// Runs a scenario and answers with what its run came to, which must have passed.
#[track_caller]
fn passes(text: &str) -> RunSummary {
    let (code, run) = run(text);
    assert_eq!(code, Some(0), "{:#?}\n{:#?}", run.expectations, run.faults);
    run
}

fn run(text: &str) -> (Option<i32>, RunSummary) {
    let place = Place::with(&[("scenarios/case.yaml", text)]);
    let done = place.call(&["run", "scenarios/case.yaml", "--seed", "1", "--out", "out"]);
    assert!(place.path("out/summary.json").exists(), "{}{}", done.out, done.err);
    let summary = Summary::from_json(&fs::read(place.path("out/summary.json")).unwrap()).unwrap();
    (done.code, summary.runs.into_iter().next().unwrap())
}

/// A scenario with two relays and four peers behind NATs that are dialled all the time.
fn scene(selection: &str, faults: &str, expect: &str) -> String {
    format!(
        "title: Peers and their relays\n\
         duration: 60s\n\
         hosts:\n\
         \x20 relay: {{role: relay, count: 2, link: datacentre}}\n\
         \x20 peer: {{count: 4, nat: symmetric, hole_punching: false, relay_selection: {{{selection}}}}}\n\
         \x20 watcher: {{count: 4, hole_punching: false, relays: []}}\n\
         load:\n\
         \x20 - {{reach: {{from: watcher, to: peer, pairs: each}}, at: 15s, every: 1s, until: 55s}}\n\
         {faults}\
         expect: [{expect}]\n"
    )
}

#[test]
fn a_single_home_leaves_a_gap_that_a_standby_closes() {
    if !supported() {
        return;
    }
    let faults = "faults:\n  - {crash: relay-1, at: 20s}\n  - {crash: relay-2, at: 21s, for: 1s}\n";
    // With both relays down for a moment nobody is reachable, so each has a sample of the time.
    let both = passes(&scene("standbys: 1", faults, "min(unreachable_time) >= 1s, max(unreachable_per_day) > 0s"));
    assert!(both.faults.iter().all(|fault| fault.touched > 0));
    let one = "faults:\n  - {crash: relay-1, at: 20s}\n";
    let expect = "count(failover_time) >= 1, min(failover_time) > 4s, min(unreachable_time) > 2s";
    let lonely = scene("policy: lowest_latency, standbys: 0", one, expect);
    let mirrored = scene("policy: lowest_latency, standbys: 0", &one.replace("relay-1", "relay-2"), expect);
    // Which of two equals is home is for the policy to say: for one of them somebody was at home there.
    assert!([lonely, mirrored].iter().any(|text| run(text).0 == Some(0)));
    passes(&scene(
        "standbys: 1",
        one,
        "max(unreachable_per_day) == 0s, p95(reach_time) < 2s, share(reach == reached) == 100%",
    ));
}

#[test]
fn peers_that_come_and_go_reserve_again() {
    if !supported() {
        return;
    }
    let faults =
        "faults:\n  - {churn: {hosts: peer, session: 8s, absence: 3s, distribution: exponential}, at: 15s, for: 30s}\n";
    let run = passes(&scene("standbys: 0", faults, "count(reservation == accepted) > 4, max(crash) == 0"));
    assert!(run.faults[0].touched > 0 && run.faults[0].kind == "churn");
}

#[test]
fn a_region_that_fails_is_cut_and_counted() {
    if !supported() {
        return;
    }
    let faults = "faults:\n  - {region_outage: us, at: 20s, for: 5s}\n";
    let text = scene("standbys: 1", faults, "share(reach == reached) > 50%")
        .replace("hosts:\n", "regions: {latency: world}\nhosts:\n")
        .replace("link: datacentre", "link: datacentre, region: {eu: 50%, us: 50%}");
    let run = passes(&text);
    assert!(run.faults[0].touched > 0 && run.faults[0].kind == "region_outage");
}

#[test]
fn rogues_break_the_rules_and_are_counted() {
    if !supported() {
        return;
    }
    let rogues = "  refusing: {role: relay, conduct: {hop: refuse}}\n  stalling: {role: relay, conduct: {hop: stall}}\n\
         \x20 garbling: {role: relay, conduct: {hop: garble}}\n  boasting: {role: relay, region: us, conduct: {report: 0%}}\n  watcher:";
    let expect = "min(relay_lie) >= 1, max(crash) == 0";
    // The honest ones are far away, so that everybody would rather have a rogue.
    let text = scene("standbys: 1", "", expect)
        .replace("  watcher:", rogues)
        .replace("hosts:\n", "regions: {latency: world}\nhosts:\n")
        .replace("count: 2, link: datacentre", "count: 2, link: datacentre, region: us");
    let run = passes(&text);
    assert_eq!(run.figures["relay_lie"].count, 4);
}

#[test]
fn peers_that_attack_are_refused_and_counted() {
    if !supported() {
        return;
    }
    let eves = "  bomber: {conduct: {attack: bomb}}\n  flooder: {conduct: {attack: flood, to: [relay, watcher]}}\n\
         \x20 impostor: {conduct: {attack: spoof, to: watcher}}\n  watcher:";
    let expect = "count(attack == refused where how == claim) >= 10, count(attack == refused where how == certificate) >= 10, \
         count(attack == refused where how == stream) >= 100, share(attack == taken where from == bomber) == 0%, \
         min(misbehaviour where kind == bomb and host == relay-1) >= 10, max(crash) == 0";
    passes(
        &scene("standbys: 1", "", expect)
            .replace("duration: 60s", "duration: 30s")
            .replace("55s", "25s")
            .replace("  watcher:", eves),
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    if !supported() {
        return;
    }
    let faults = "faults:\n  - {churn: {hosts: peer, session: 8s, absence: 3s}, at: 15s, for: 30s}\n";
    let rogue =
        "  rogue: {role: relay, conduct: {report: 100%, hop: drop}}\n  eve: {conduct: {attack: spoof}}\n  watcher:";
    let text =
        scene("policy: power_of_two_choices, standbys: 1", faults, "max(crash) == 0").replace("  watcher:", rogue);
    let hash = || run(&text).1.trace_hash;
    assert_eq!(hash(), hash());
}
