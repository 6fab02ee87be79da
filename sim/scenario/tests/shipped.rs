//! The scenarios of this repository are valid, and what they become is what their files say.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use darkswap_scenario::plan::is_plan;
use darkswap_scenario::topology::{FaultKind, JobAction, Role};
use darkswap_scenario::{Scenario, check};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        match path.extension() {
            Some(extension) if extension == "yaml" && !is_plan(&path) => files.push(path),
            None if path.is_dir() => files.extend(self::files(&path)),
            Some(_) | None => {}
        }
    }
    files
}

fn scenario(name: &str) -> Scenario {
    check(&folder().join(name).with_extension("yaml")).unwrap()
}

#[test]
fn every_shipped_scenario_is_valid() {
    let files = files(&folder());
    assert!(files.len() >= 18, "{} scenarios", files.len());
    for file in files {
        match check(&file) {
            Ok(scenario) => {
                assert!(file.ends_with(format!("{}.yaml", scenario.name)));
                for seed in &scenario.seeds {
                    assert_eq!(scenario.topology(*seed), scenario.topology(*seed));
                }
            }
            Err(problems) => panic!("{}", problems.iter().map(|problem| format!("{problem}\n\n")).collect::<String>()),
        }
    }
}

#[test]
fn quickstart_mixes_nats_exactly() {
    let scenario = scenario("quickstart");
    assert_eq!((scenario.name.as_str(), scenario.seeds.as_slice()), ("quickstart", [1, 2, 3, 4].as_slice()));
    let orders: BTreeSet<Vec<String>> = scenario
        .seeds
        .iter()
        .map(|seed| {
            let topology = scenario.topology(*seed);
            let kinds: Vec<String> =
                (1..9).map(|host| topology.nat_kind(darkswap_scenario::topology::HostIndex(host))).collect();
            let count = |kind: &str| kinds.iter().filter(|k| *k == kind).count();
            assert_eq!([count("EI/APD"), count("APD/APD"), count("public")], [4, 2, 2]);
            assert_eq!(topology.hosts[0].role, Role::Relay);
            assert!(topology.hosts[1..].iter().all(|host| host.relays == [darkswap_scenario::topology::HostIndex(0)]));
            kinds
        })
        .collect();
    assert!(orders.len() > 1, "the seed draws which peer is behind which NAT");
}

#[test]
fn the_matrix_has_every_pair_once() {
    let topology = scenario("nat/matrix").topology(1);
    let pairs: BTreeSet<(String, String)> = topology
        .jobs
        .iter()
        .map(|job| {
            let JobAction::Connect { from, to } = job.action else { panic!("connects only") };
            (topology.nat_kind(from), topology.nat_kind(to))
        })
        .collect();
    assert_eq!(pairs.len(), 25);
    assert_eq!(topology.hosts[1].name, "left-public");
}

#[test]
fn nested_sites_name_their_kinds_from_the_inside_out() {
    let topology = scenario("nat/nested").topology(1);
    let kind = |name: &str| {
        let index = topology.hosts.iter().position(|host| host.name == name).unwrap();
        topology.nat_kind(darkswap_scenario::topology::HostIndex(index))
    };
    assert_eq!(kind("alice"), "EI/APD < EI/EI");
    assert_eq!(kind("carol"), "EI/APD");
    assert_eq!(kind("relay"), "public");
    for site in &topology.sites {
        if let Some(outer) = site.behind {
            assert!(topology.sites.iter().position(|other| other.name == site.name).unwrap() > outer.0);
        }
    }
}

#[test]
fn messages_follow_the_connected_pairs() {
    let topology = scenario("load/peers-50").topology(1);
    let pair = |action: &JobAction| match action {
        JobAction::Connect { from, to } => Some((true, *from, *to)),
        JobAction::Message { from, to, .. } => Some((false, *from, *to)),
        JobAction::Gossip { .. }
        | JobAction::Channel { .. }
        | JobAction::Lie { .. }
        | JobAction::Watch { .. }
        | JobAction::Pay { .. }
        | JobAction::Order { .. }
        | JobAction::Take { .. }
        | JobAction::Flood { .. }
        | JobAction::Reach { .. }
        | JobAction::ProbeNat { .. } => None,
    };
    let pairs: Vec<_> = topology.jobs.iter().filter_map(|job| pair(&job.action)).collect();
    let of = |connect| pairs.iter().filter(|p| p.0 == connect).map(|p| (p.1, p.2)).collect::<Vec<_>>();
    assert_eq!(of(true).len(), 60);
    assert_eq!(of(true), of(false));
}

#[test]
fn neighbours_share_an_access_link() {
    let topology = scenario("nat/hairpinning").topology(1);
    let uplink = |name: &str| topology.hosts.iter().find(|host| host.name == name).unwrap().uplink;
    assert_eq!(uplink("alice"), uplink("bob"));
    assert_ne!(uplink("carol"), uplink("dave"));
}

#[test]
fn faults_reach_what_they_name() {
    let topology = scenario("nat/mapping-reset").topology(1);
    let FaultKind::NatReset(sites) = &topology.faults[0].kind else { panic!("a reset") };
    assert_eq!(topology.sites[sites[0].0].name, "flat-1");
    let topology = scenario("fault/link-flap").topology(1);
    let FaultKind::LinkFlap(uplinks) = &topology.faults[0].kind else { panic!("a flap") };
    assert_eq!(uplinks, &[topology.hosts[1].uplink]);
    assert_eq!((topology.faults[0].at + topology.faults[0].lasts.unwrap()).as_secs(), 21);
}

#[test]
fn the_built_in_mix_of_nats_has_the_shares_of_its_sources() {
    let text = "title: x\nduration: 10s\nhosts: {peer: {count: 100, nat: internet}}\nexpect: [max(crash) == 0]\n";
    let topology = darkswap_scenario::check_bytes("x", "x.yaml", text.as_bytes()).unwrap().topology(1);
    let count = |kind: &str| {
        (0..100).filter(|host| topology.nat_kind(darkswap_scenario::topology::HostIndex(*host)) == kind).count()
    };
    assert_eq!(["public", "EI/APD", "EI/EI", "APD/APD"].map(count), [22, 54, 10, 14]);
}

#[test]
fn churn_takes_each_host_away_and_brings_it_back_in_turn() {
    let text = "title: x\nduration: 600s\nhosts: {peer: {count: 20}}\n\
        faults:\n  - {churn: {hosts: peer, session: 60s, absence: 10s}, at: 30s, for: 300s}\nexpect: [max(crash) == 0]\n";
    let scenario = darkswap_scenario::check_bytes("x", "x.yaml", text.as_bytes()).unwrap();
    let absences = |seed| {
        let FaultKind::Churn(absences) = &scenario.topology(seed).faults[0].kind else { panic!("churn") };
        absences.clone()
    };
    let drawn = absences(1);
    assert!(drawn.len() > 20, "{} absences", drawn.len());
    assert_ne!(drawn, absences(2));
    assert!(drawn.is_sorted());
    for host in 0..20 {
        let own: Vec<_> = drawn.iter().filter(|absence| absence.host.0 == host).collect();
        let first = own.first().is_none_or(|first| first.from.as_secs() >= 30);
        assert!(first && own.windows(2).all(|pair| pair[0].until.unwrap() < pair[1].from));
        assert!(
            own.iter().all(|absence| absence.from < absence.until.unwrap() && absence.until.unwrap().as_secs() <= 330)
        );
    }
}
