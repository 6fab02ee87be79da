use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

/// An address in a network of this number.
fn address(network: u8) -> IpAddr {
    Ipv4Addr::new(198, network, 0, 1).into()
}

/// Small limits, so that a test reaches them.
fn limits() -> Limits {
    Limits {
        reservations: 4,
        reservations_per_prefix: 2,
        requests: Pace { burst: 100, interval: Duration::from_millis(1) },
        circuit_requests: Pace { burst: 100, interval: Duration::from_millis(1) },
        circuits: 4,
        circuits_per_peer: 3,
        circuits_per_prefix: 3,
        circuit_bytes: 10_000,
        peer_bytes: 15_000,
        prefix_bytes: 20_000,
        peer_rate: 1 << 30,
        prefix_rate: 1 << 30,
        rate: 1 << 30,
        ..Limits::default()
    }
}

fn drain(server: &mut Server<u8>) -> Vec<Output<u8>> {
    std::iter::from_fn(|| server.poll()).collect()
}

/// A server at which peer 1 of network 1 has a reservation.
fn serving() -> Server<u8> {
    let mut server = Server::new(at(0), limits());
    server.reserve(at(0), 1, address(1)).unwrap();
    server
}

#[test]
fn reservations_are_limited_in_all_and_for_a_prefix_and_can_be_renewed_at_the_limit() {
    let mut server = serving();
    assert_eq!(server.reserve(at(0), 2, address(1)), Ok(limits().reservation_life));
    assert_eq!(server.reserve(at(0), 3, address(1)), Err(Denied::PrefixReservations { limit: 2 }));
    server.reserve(at(0), 4, address(2)).unwrap();
    server.reserve(at(0), 5, address(3)).unwrap();
    assert_eq!(server.reserve(at(0), 6, address(4)), Err(Denied::Reservations { limit: 4 }));
    assert_eq!(server.reserve(at(1), 2, address(1)), Ok(limits().reservation_life));
    assert_eq!(server.account(2), Some(Account { granted: 2, ..Account::default() }));
    assert_eq!(server.account(3), Some(Account { denied: 1, ..Account::default() }));
}

#[test]
fn whoever_asks_without_end_is_told_when_to_come_again() {
    let mut server = Server::new(at(0), Limits::default());
    for _ in 0..30 {
        server.reserve(at(0), 1, address(1)).unwrap();
    }
    assert_eq!(server.reserve(at(0), 1, address(1)), Err(Denied::Pace { ready: at(4) }));
    assert!(server.reserve(at(0), 2, address(1)).is_ok(), "another peer is not concerned");
    for _ in 0..60 {
        assert_eq!(server.connect(at(0), 1, address(1), 3), Err(Denied::NoReservation));
    }
    assert_eq!(server.connect(at(0), 1, address(1), 2), Err(Denied::Pace { ready: at(1) }));
    assert!(server.connect(at(1), 1, address(1), 2).is_ok());
}

#[test]
fn connections_of_one_prefix_are_accepted_at_a_pace() {
    let mut server: Server<u8> = Server::new(at(0), Limits::default());
    let accepted = (0..1_000).filter(|_| server.accept(at(0), address(1)).is_ok()).count();
    assert_eq!(accepted, 600);
    assert_eq!(server.accept(at(0), address(2)), Ok(()));
}

#[test]
fn a_circuit_needs_a_reservation_at_its_other_end() {
    let mut server = serving();
    assert_eq!(server.connect(at(0), 2, address(2), 3), Err(Denied::NoReservation));
    assert!(server.connect(at(0), 2, address(2), 1).is_ok());
    server.release(at(0), 1);
    assert_eq!(server.connect(at(0), 3, address(2), 1), Err(Denied::NoReservation));
}

#[test]
fn circuits_are_limited_for_both_ends_and_for_the_openers_prefix() {
    let mut server = serving();
    server.reserve(at(0), 2, address(1)).unwrap();
    for opener in [10, 11, 12] {
        server.connect(at(0), opener, address(5), 1).unwrap();
    }
    assert_eq!(server.connect(at(0), 13, address(6), 1), Err(Denied::PeerCircuits { limit: 3 }));
    assert_eq!(server.connect(at(0), 13, address(5), 2), Err(Denied::PrefixCircuits { limit: 3 }));
    server.connect(at(0), 13, address(6), 2).unwrap();
    assert_eq!(server.connect(at(0), 14, address(7), 2), Err(Denied::Circuits { limit: 4 }));
}

#[test]
fn a_circuit_ends_with_its_budget_and_so_does_a_peers_hour() {
    let mut server = serving();
    let first = server.connect(at(0), 2, address(2), 1).unwrap();
    assert_eq!(server.carry(at(0), first, 10_000), Ok(at(0)));
    assert_eq!(server.carry(at(0), first, 1), Err(Denied::CircuitBytes { limit: 10_000 }));
    assert_eq!(server.carry(at(0), first, 1), Err(Denied::NoCircuit));
    let second = server.connect(at(0), 2, address(2), 1).unwrap();
    assert_eq!(server.carry(at(0), second, 5_001), Err(Denied::PeerBytes { limit: 15_000 }));
    let third = server.connect(at(0), 3, address(2), 1).unwrap();
    assert_eq!(server.carry(at(0), third, 10_000), Ok(at(0)));
    assert_eq!(server.connect(at(0), 4, address(2), 1), Err(Denied::PrefixBytes { limit: 20_000 }));
    server.reserve(at(3_000), 1, address(1)).unwrap();
    assert!(server.connect(at(0) + BUDGET_WINDOW, 4, address(2), 1).is_ok(), "an hour later all is well");
}

#[test]
fn a_rate_is_kept_by_waiting() {
    let mut server = Server::new(at(0), Limits { peer_rate: 10_000, ..Limits::default() });
    server.reserve(at(0), 1, address(1)).unwrap();
    let circuit = server.connect(at(0), 2, address(2), 1).unwrap();
    assert_eq!(server.carry(at(0), circuit, 30_000), Ok(at(0)));
    assert_eq!(server.carry(at(0), circuit, 10_000), Ok(at(2)));
    assert_eq!(server.carry(at(0), circuit, 1), Ok(at(3)), "who comes later waits longer");
    assert_eq!(server.carry(at(4), circuit, 1), Ok(at(4)));
    assert_eq!(server.account(2).map(|account| account.bytes), Some(40_002));
    assert_eq!((server.bytes(), server.rate(at(5))), (40_002, 4_000));
}

#[test]
fn many_circuits_together_keep_a_rate_within_a_twentieth_and_none_is_passed_over() {
    let limits = Limits { prefix_rate: 100_000, circuits_per_peer: 100, ..Limits::default() };
    let mut server = Server::new(at(0), limits);
    server.reserve(at(0), 1, address(1)).unwrap();
    // Ten circuits of five peers of one network, each of which always has another chunk.
    let circuits: Vec<Circuit> = (0..10).map(|i| server.connect(at(0), 2 + i % 5, address(2), 1).unwrap()).collect();
    let mut due: BTreeMap<(Time, Circuit), ()> = circuits.iter().map(|circuit| ((at(0), *circuit), ())).collect();
    let mut passed: BTreeMap<Circuit, u64> = BTreeMap::new();
    let end = at(120);
    while let Some(((now, circuit), ())) = due.pop_first().filter(|((now, _), ())| *now < end) {
        let ready = server.carry(now, circuit, 8_192).unwrap();
        if ready < end {
            *passed.entry(circuit).or_default() += 8_192;
        }
        // A link that is not endlessly fast either.
        due.insert((ready.max(now + Duration::from_millis(1)), circuit), ());
    }
    let all: u64 = passed.values().sum();
    let expected = 120 * limits.prefix_rate;
    assert!(all.abs_diff(expected) < expected / 20, "{all} of {expected}");
    let (least, most) = (passed.values().min().unwrap(), passed.values().max().unwrap());
    assert!(most - least <= 3 * 8_192, "{passed:?}");
}

#[test]
fn the_last_bytes_of_a_budget_pass_and_not_one_more() {
    let mut server = serving();
    let circuit = server.connect(at(0), 2, address(2), 1).unwrap();
    assert_eq!(server.allowance(at(0), circuit, 9_000), 9_000);
    server.carry(at(0), circuit, 9_000).unwrap();
    assert_eq!(server.allowance(at(0), circuit, 9_000), 1_000);
    server.carry(at(0), circuit, 1_000).unwrap();
    assert_eq!(server.allowance(at(0), circuit, 9_000), 1);
    assert_eq!(server.carry(at(0), circuit, 1), Err(Denied::CircuitBytes { limit: 10_000 }));
}

#[test]
fn what_is_over_is_reported() {
    let mut server = serving();
    let circuit = server.connect(at(1), 2, address(2), 1).unwrap();
    assert_eq!(server.deadline(), Some(at(3_600)));
    server.tick(at(3_600));
    assert_eq!(drain(&mut server), [Output::Expired { peer: 1 }]);
    server.tick(at(3_601));
    let limit = limits().circuit_life;
    assert_eq!(drain(&mut server), [Output::Close { circuit, reason: Denied::CircuitLife { limit } }]);
}

#[test]
fn a_drain_tells_everybody_in_turn_and_ends_when_they_have_gone() {
    let mut server = serving();
    server.reserve(at(0), 2, address(1)).unwrap();
    server.drain(at(10), Duration::from_secs(100));
    assert_eq!(drain(&mut server), [Output::Notify { peer: 1, within: at(100) }]);
    assert_eq!(server.reserve(at(11), 3, address(3)), Err(Denied::Draining));
    assert_eq!(server.report(at(11)).drains_in, Some(99));
    assert_eq!(server.deadline(), Some(at(35)));
    server.tick(at(35));
    assert_eq!(drain(&mut server), [Output::Notify { peer: 2, within: at(75) }]);
    let circuit =
        server.connect(at(36), 3, address(3), 2).expect("who has a reservation is reached until it has moved");
    server.end(at(37), circuit);
    server.release(at(40), 1);
    server.release(at(41), 2);
    assert_eq!(drain(&mut server), [Output::Drained { cut: 0 }]);
    assert_eq!(server.deadline(), None);
    assert_eq!(server.connect(at(42), 3, address(3), 2), Err(Denied::Draining));
}

#[test]
fn a_drain_cuts_what_is_left_at_its_end() {
    let mut server = serving();
    let circuit = server.connect(at(0), 2, address(2), 1).unwrap();
    server.drain(at(0), Duration::from_secs(100));
    drain(&mut server);
    server.tick(at(100));
    let close = Output::Close { circuit, reason: Denied::Draining };
    assert_eq!(drain(&mut server), [close, Output::Drained { cut: 1 }]);
}

#[test]
fn the_report_tells_the_scarcest() {
    let mut server = Server::new(at(0), Limits { rate: 10_000, ..limits() });
    server.reserve(at(0), 1, address(1)).unwrap();
    assert_eq!(server.report(at(0)).load(), 0.25);
    let circuit = server.connect(at(0), 2, address(2), 1).unwrap();
    for second in 0..10 {
        server.carry(at(second), circuit, 1_000).unwrap();
    }
    assert_eq!(server.report(at(10)).bandwidth.fraction(), 0.1);
}

#[test]
fn accounts_are_bounded_and_those_in_use_stay() {
    let limits = Limits { accepts: Pace { burst: 1, interval: Duration::ZERO }, ..Limits::default() };
    let mut server: Server<u32> = Server::new(at(0), limits);
    server.reserve(at(0), 0, address(1)).unwrap();
    let most = u32::try_from(ACCOUNTS).unwrap() * 2;
    for peer in 1..most {
        assert_eq!(
            server.connect(at(1), peer, Ipv4Addr::from_bits(peer << 14).into(), most),
            Err(Denied::NoReservation)
        );
        server.accept(at(1), Ipv4Addr::from_bits(peer << 17).into()).unwrap();
    }
    assert!(server.account(0).is_some());
    assert!((0..most).filter(|peer| server.account(*peer).is_some()).count() <= ACCOUNTS);
}

#[derive(Debug, Clone)]
enum Act {
    Reserve { peer: u8, network: u8 },
    Connect { peer: u8, network: u8, other: u8 },
    Carry { pick: usize, bytes: u64 },
    End { pick: usize },
    Release { peer: u8 },
    Pass { seconds: u64 },
    Drain,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let peer = || 0_u8..8;
    let network = || 0_u8..4;
    let act = prop_oneof![
        8 => (peer(), network()).prop_map(|(peer, network)| Act::Reserve { peer, network }),
        8 => (peer(), network(), peer()).prop_map(|(peer, network, other)| Act::Connect { peer, network, other }),
        8 => (any::<usize>(), 0_u64..6_000).prop_map(|(pick, bytes)| Act::Carry { pick, bytes }),
        1 => any::<(usize, u64)>().prop_map(|(pick, bytes)| Act::Carry { pick, bytes }),
        3 => any::<usize>().prop_map(|pick| Act::End { pick }),
        2 => peer().prop_map(|peer| Act::Release { peer }),
        3 => (0_u64..2_000).prop_map(|seconds| Act::Pass { seconds }),
        1 => Just(Act::Drain),
    ];
    prop::collection::vec(act, 0..200)
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn no_interleaving_passes_a_limit(acts in acts()) {
        let limits = limits();
        let mut server: Server<u8> = Server::new(at(0), limits);
        let mut now = at(0);
        let mut open: BTreeMap<Circuit, (u8, u8, u8, u64)> = BTreeMap::new();
        let mut reserved: BTreeMap<u8, u8> = BTreeMap::new();
        let mut is_drained = false;
        for act in acts {
            let picked = |pick: usize, open: &BTreeMap<Circuit, (u8, u8, u8, u64)>| {
                open.keys().nth(pick % open.len().max(1)).copied()
            };
            match act {
                Act::Reserve { peer, network } => if server.reserve(now, peer, address(network)).is_ok() {
                    reserved.insert(peer, network);
                },
                Act::Connect { peer, network, other } => if let Ok(circuit) = server.connect(now, peer, address(network), other) {
                    prop_assert!(!is_drained);
                    open.insert(circuit, (peer, other, network, 0));
                },
                Act::Carry { pick, bytes } => if let Some(circuit) = picked(pick, &open) {
                    match server.carry(now, circuit, bytes) {
                        Ok(_) => { open.entry(circuit).and_modify(|it| it.3 += bytes); }
                        Err(_) => { open.remove(&circuit); }
                    }
                },
                Act::End { pick } => if let Some(circuit) = picked(pick, &open) {
                    open.remove(&circuit);
                    server.end(now, circuit);
                },
                Act::Release { peer } => {
                    reserved.remove(&peer);
                    server.release(now, peer);
                }
                Act::Pass { seconds } => {
                    now += Duration::from_secs(seconds);
                    server.tick(now);
                }
                Act::Drain => {
                    server.drain(now, Duration::from_secs(600));
                }
            }
            for output in drain(&mut server) {
                match output {
                    Output::Notify { peer, within } => {
                        prop_assert!(reserved.contains_key(&peer) && within <= Duration::from_secs(600));
                    }
                    Output::Expired { peer } => { reserved.remove(&peer); }
                    Output::Close { circuit, .. } => { prop_assert!(open.remove(&circuit).is_some()); }
                    Output::Drained { .. } => {
                        prop_assert!(open.is_empty());
                        reserved.clear();
                        is_drained = true;
                    }
                }
            }
            prop_assert_eq!(server.counts(), (reserved.len(), open.len()));
            prop_assert!(reserved.len() <= limits.reservations && open.len() <= limits.circuits);
            for number in 0..8 {
                prop_assert!(reserved.values().filter(|network| **network == number).count() <= limits.reservations_per_prefix);
                prop_assert!(open.values().filter(|it| it.2 == number).count() <= limits.circuits_per_prefix);
                prop_assert!(open.values().filter(|it| it.0 == number || it.1 == number).count() <= limits.circuits_per_peer);
            }
            prop_assert!(open.values().all(|it| it.3 <= limits.circuit_bytes));
            prop_assert!(server.deadline().is_none_or(|deadline| deadline > now));
            prop_assert!((0.0..=1.0).contains(&server.report(now).load()));
        }
    }
}
