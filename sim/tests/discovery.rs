//! Relays and peers are found through the DHT: nodes in simulated networks that know one other node each.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod discovery_scene;
// libp2p reads the time of day of the host, to which a reservation of simulated days would have expired.
#[path = "../src/interpose.rs"]
mod interpose;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use darkswap_core::path::PathKind;
use darkswap_node::config::{Config, PeerAddress};
use darkswap_node::event::{Event, Misbehaviour};
use darkswap_records::summary::Summary;
use darkswap_sim::World;
use libp2p::PeerId;

use discovery_scene::forger::{self, Forger};
use discovery_scene::{ALICE, PROBER, RELAYS, Running, SERVER, at, private, public, run};

/// How long nodes get to find each other and to put what they have to tell into the DHT.
const SETTLED: Duration = Duration::from_secs(10);

/// The relays with these numbers; all but the first know it.
fn relays(world: &World, numbers: &[usize]) -> Vec<Running> {
    let mut first: Option<PeerAddress> = None;
    let started = numbers.iter().map(|number| {
        let relay = Running::start(world, RELAYS[*number], Config { relay_server: true, ..public(first.as_slice()) });
        first.get_or_insert(at(&relay));
        relay
    });
    started.collect()
}

/// The relays through which a found record leads.
fn circuits(event: &Event, wanted: PeerId) -> Option<Vec<String>> {
    match event {
        Event::PeerRecordFound { peer, addresses } if *peer == wanted => {
            Some(addresses.iter().map(ToString::to_string).collect())
        }
        _ => None,
    }
}

#[test]
fn a_peer_that_knows_one_relay_finds_all_of_them() {
    run(1, |world| async move {
        let relays = relays(&world, &[0, 1, 2]);
        let mut alice = Running::start(&world, ALICE, Config { relays: vec![at(&relays[0])], ..private(&[]) });
        for _ in &relays {
            let found = |event: &Event| match event {
                Event::RelayFound { relay, addresses } => Some((*relay, addresses.clone())),
                _ => None,
            };
            let (relay, addresses) = alice.wait(Duration::from_secs(30), "another relay", found).await;
            let known = relays.iter().find(|known| known.id == relay).unwrap();
            assert_eq!(addresses, [at(known).address]);
        }
    });
}

#[test]
fn a_relay_that_appears_later_is_found_as_well() {
    run(2, |world| async move {
        let first = relays(&world, &[0]).remove(0);
        let mut alice = Running::start(&world, ALICE, Config { relays: vec![at(&first)], ..private(&[]) });
        tokio::time::sleep(Duration::from_secs(40)).await;
        let late = Running::start(&world, RELAYS[1], Config { relay_server: true, ..public(&[at(&first)]) });
        let found = |event: &Event| matches!(event, Event::RelayFound { relay, .. } if *relay == late.id).then_some(());
        alice.wait(Duration::from_secs(90), "the late relay", found).await;
    });
}

#[test]
fn a_relay_that_drains_is_named_by_nobody_any_more() {
    run(8, |world| async move {
        let server = Running::start(&world, SERVER, public(&[]));
        let started =
            RELAYS.map(|name| Running::start(&world, name, Config { relay_server: true, ..public(&[at(&server)]) }));
        tokio::time::sleep(SETTLED).await;
        // Nobody has a reservation, so that it is over at once; the node itself goes on and can be asked.
        assert_eq!(started[2].handle.drain(Duration::from_secs(60)).await, Ok(0));
        tokio::time::sleep(SETTLED).await;

        let mut alice = Running::start(&world, ALICE, private(&[at(&server)]));
        let (mut named, end) = (Vec::new(), tokio::time::Instant::now() + Duration::from_secs(180));
        let look = |event: &Event| {
            if let Event::RelayFound { relay, .. } = event {
                named.push(*relay);
            }
            (tokio::time::Instant::now() >= end).then_some(())
        };
        // Relays in use are probed every few seconds, so that there is an event soon after.
        alice.wait(Duration::from_secs(200), "event at the end", look).await;
        named.sort_unstable();
        let mut expected = [started[0].id, started[1].id];
        expected.sort_unstable();
        assert_eq!(named, expected);
    });
}

#[test]
fn a_peer_behind_a_nat_is_found_by_its_id_alone() {
    run(3, |world| async move {
        let server = Running::start(&world, SERVER, public(&[]));
        let relay = relays(&world, &[0]).remove(0);
        let alice = Running::start(&world, ALICE, Config { relays: vec![at(&relay)], ..private(&[at(&server)]) });
        tokio::time::sleep(SETTLED).await;

        let mut prober = Running::start(&world, PROBER, private(&[at(&server)]));
        assert_eq!(prober.handle.connect(alice.id, Vec::new()).await, Ok(PathKind::Relayed));
        let named = prober.wait(SETTLED, "the record", |event| circuits(event, alice.id)).await;
        assert_eq!(named.len(), 1);
        assert!(named[0].contains(&relay.id.to_string()), "{named:?}");
    });
}

#[test]
fn whoever_is_in_no_record_is_not_found_and_whoever_asks_is_told() {
    run(4, |world| async move {
        let server = Running::start(&world, SERVER, public(&[]));
        let prober = Running::start(&world, PROBER, private(&[at(&server)]));
        tokio::time::sleep(SETTLED).await;
        let error = prober.handle.connect(PeerId::random(), Vec::new()).await.unwrap_err().to_string();
        assert!(error.contains("no address is known"), "{error}");
    });
}

#[test]
fn when_a_peer_loses_a_relay_its_new_record_is_found_within_twenty_seconds() {
    run(5, |world| async move {
        let server = Running::start(&world, SERVER, public(&[]));
        let mut both = relays(&world, &[0, 1]);
        let known = both.iter().map(at).collect();
        let alice = Running::start(&world, ALICE, Config { relays: known, ..private(&[at(&server)]) });
        tokio::time::sleep(SETTLED).await;

        let mut prober = Running::start(&world, PROBER, private(&[at(&server)]));
        prober.handle.connect(alice.id, Vec::new()).await.unwrap();
        let before = prober.wait(SETTLED, "the record", |event| circuits(event, alice.id)).await;
        assert_eq!(before.len(), 2, "{before:?}");
        prober.handle.disconnect(alice.id).await.unwrap();

        let lost = both.remove(0).id.to_string();
        world.crash(world.host(RELAYS[0]).unwrap()).unwrap();
        tokio::time::sleep(Duration::from_secs(20)).await;
        prober.handle.connect(alice.id, Vec::new()).await.unwrap();
        let after = prober.wait(SETTLED, "the new record", |event| circuits(event, alice.id)).await;
        assert_eq!(after.len(), 1, "{after:?}");
        assert!(!after[0].contains(&lost), "{after:?}");
    });
}

#[test]
fn a_forged_record_is_refused_and_changes_nothing() {
    run(6, |world| async move {
        let mut server = Running::start(&world, SERVER, public(&[]));
        let relay = relays(&world, &[0]).remove(0);
        let alice = Running::start(&world, ALICE, Config { relays: vec![at(&relay)], ..private(&[at(&server)]) });
        tokio::time::sleep(SETTLED).await;

        let forger = Forger::start(&world, "forger", &at(&server)).await;
        let cases = [
            (forger::signed_by_itself(&forger.identity, alice.id), Misbehaviour::Forged),
            (forger::garbage(alice.id), Misbehaviour::Malformed),
            (forger::oversized(alice.id), Misbehaviour::Oversized),
            (forger::own_of_long_ago(&forger.identity), Misbehaviour::OutOfOrder),
        ];
        let id = forger.id();
        for (record, expected) in cases {
            forger.put(record);
            let reported = |event: &Event| match event {
                Event::Misbehaviour { peer, kind, .. } if *peer == id => Some(*kind),
                _ => None,
            };
            assert_eq!(server.wait(SETTLED, "misbehaviour", reported).await, expected);
        }

        let prober = Running::start(&world, PROBER, private(&[at(&server)]));
        assert_eq!(prober.handle.connect(alice.id, Vec::new()).await, Ok(PathKind::Relayed));
    });
}

/// Runs a scenario in a process of its own; answers with its records and the hash of its packets.
fn run_scenario(dir: &Path, text: &str, out: &str) -> (Vec<u8>, String) {
    let (scenario, out) = (dir.join("scenario.yaml"), dir.join(out));
    std::fs::write(&scenario, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_darkswap-sim"));
    let command = command.arg("run").arg(&scenario).args(["--seed", "7", "--out"]).arg(&out).current_dir(dir);
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let summary = Summary::from_json(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    (std::fs::read(out.join(&summary.runs[0].records)).unwrap(), summary.runs[0].trace_hash.clone())
}

#[test]
fn with_the_dht_the_same_seed_gives_the_same_packets_and_records() {
    let dir = tempfile::tempdir().unwrap();
    let text = "\
title: Peers and relays in a DHT
duration: 30s
hosts:
  relay: {role: relay, count: 3, discovery: true, transports: [quic]}
  alice: {nat: home, count: 2, discovery: true, transports: [quic]}
  bob: {nat: home, discovery: true, transports: [quic]}
load:
  - {connect: {from: alice, to: bob}, at: 10s}
expect:
  - share(path == failed) == 0%
";
    let (first, second) = (run_scenario(dir.path(), text, "first"), run_scenario(dir.path(), text, "second"));
    assert_eq!(first.1, second.1);
    assert!(first.0 == second.0);
    assert!(String::from_utf8_lossy(&first.0).contains("relay_found"));
}
