//! The node's gatherer against the simulator's STUN and TURN servers, in memory and in virtual time.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use darkswap_sim::ice_server::{Output, Server, Settings, TurnSettings};
use darkswap_webrtc::connection::{CandidateKind, LocalCandidate};
use darkswap_webrtc::gather::{GatherEvent, GatherSettings, Gathered, Gatherer, IceServer, ServerFailure};
use proptest::prelude::*;

const LOCAL: &str = "10.0.0.2:5000";
const PUBLIC: &str = "203.0.113.9:40000";
const PEER: &str = "198.51.100.7:7000";
const FIRST: &str = "192.0.2.1:3478";
const SECOND: &str = "192.0.2.2:3478";
const PASSWORD: &str = "correct horse";

/// Longest time until a server that never answers has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time until a server that stops answering is noticed: a keep-alive's pause and the patience.
const NOTICE: Duration = Duration::from_secs(25);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn stun(server: &str) -> IceServer {
    IceServer::Stun { address: address(server) }
}

fn turn(server: &str, password: &str) -> IceServer {
    IceServer::Turn { address: address(server), username: "alice".to_owned(), credential: password.to_owned() }
}

/// One gatherer, perhaps behind a NAT, some servers, and a peer.
struct World {
    start: Instant,
    now: Instant,
    gatherer: Gatherer,
    nat: BTreeMap<SocketAddr, SocketAddr>,
    servers: BTreeMap<SocketAddr, Server>,
    events: Vec<GatherEvent>,
    /// What came through the relay: our relayed address, the peer, the datagram.
    received: Vec<(SocketAddr, SocketAddr, Bytes)>,
    /// What the peer got, and from where.
    at_peer: Vec<(SocketAddr, Bytes)>,
    /// Datagrams between gatherer and servers that are still to be lost.
    to_lose: usize,
    sent: usize,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn new(settings: GatherSettings, servers: &[&str]) -> Self {
        Self::at(Instant::now(), settings, servers)
    }

    fn at(start: Instant, settings: GatherSettings, servers: &[&str]) -> Self {
        let mut this = Self {
            start,
            now: start,
            gatherer: Gatherer::new(settings, start).unwrap(),
            nat: BTreeMap::from([(address(LOCAL), address(PUBLIC))]),
            servers: BTreeMap::new(),
            events: Vec::new(),
            received: Vec::new(),
            at_peer: Vec::new(),
            to_lose: 0,
            sent: 0,
        };
        for server in servers {
            this.serve(server, |_| ());
        }
        this
    }

    /// Starts a server, with other settings than usual.
    fn serve(&mut self, server: &str, change: impl FnOnce(&mut TurnSettings)) {
        let listen = address(server);
        let mut turn = TurnSettings::new(listen.ip(), "alice", PASSWORD);
        change(&mut turn);
        let settings = Settings { address: listen, turn: Some(turn) };
        self.servers.insert(listen, Server::new(&settings, [7; 32], self.now));
    }

    fn server(&mut self, server: &str) -> &mut Server {
        self.servers.get_mut(&address(server)).unwrap()
    }

    fn outside(&self, local: SocketAddr) -> SocketAddr {
        self.nat.get(&local).copied().unwrap_or(local)
    }

    fn inside(&self, remote: SocketAddr) -> SocketAddr {
        self.nat.iter().find(|(_, public)| **public == remote).map_or(remote, |(local, _)| *local)
    }

    fn is_lost(&mut self) -> bool {
        self.sent += 1;
        let lost = self.to_lose > 0;
        self.to_lose = self.to_lose.saturating_sub(1);
        lost
    }

    /// Carries datagrams until there are none.
    fn deliver(&mut self) {
        loop {
            let mut idle = true;
            while let Some(transmit) = self.gatherer.poll_transmit() {
                idle = false;
                let from = self.outside(transmit.local);
                if !self.is_lost()
                    && let Some(server) = self.servers.get_mut(&transmit.remote)
                {
                    server.handle_datagram(self.now, from, &transmit.payload);
                }
            }
            let mut outputs = Vec::new();
            for (listen, server) in &mut self.servers {
                outputs.extend(std::iter::from_fn(|| server.poll_output()).map(|output| (*listen, output)));
            }
            idle &= outputs.is_empty();
            for (listen, output) in outputs {
                self.take(listen, output);
            }
            self.events.extend(std::iter::from_fn(|| self.gatherer.poll_event()));
            if idle {
                return;
            }
        }
    }

    fn take(&mut self, listen: SocketAddr, output: Output) {
        match output {
            Output::Send { remote, payload } if !self.is_lost() => {
                let local = self.inside(remote);
                match self.gatherer.handle_datagram(self.now, local, listen, &payload) {
                    Gathered::Relayed { local, remote, payload } => self.received.push((local, remote, payload)),
                    Gathered::Consumed => {}
                    Gathered::NotMine => panic!("a server's datagram to {local} is nobody's"),
                }
            }
            Output::SendRelayed { port, remote, payload } if remote == address(PEER) => {
                self.at_peer.push((SocketAddr::new(listen.ip(), port), payload));
            }
            Output::Send { .. } | Output::SendRelayed { .. } | Output::OpenRelay { .. } | Output::CloseRelay { .. } => {
            }
        }
    }

    /// Lives until `end` after the start, from deadline to deadline.
    fn run_until(&mut self, end: Duration) {
        let end = self.start + end;
        loop {
            self.deliver();
            let servers = self.servers.values().filter_map(Server::poll_timeout).min();
            let due = [self.gatherer.poll_timeout(), servers].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            assert!(due > self.now || self.now == self.start, "a deadline does not move on");
            self.now = due.max(self.now);
            self.gatherer.handle_timeout(self.now);
            for server in self.servers.values_mut() {
                server.handle_timeout(self.now);
            }
        }
        self.now = end;
    }

    fn candidates(&self, kind: CandidateKind) -> Vec<&LocalCandidate> {
        let mut found = Vec::new();
        for event in &self.events {
            if let GatherEvent::Candidate(candidate) = event
                && candidate.kind == kind
            {
                found.push(candidate);
            }
        }
        found
    }

    fn relayed(&self) -> SocketAddr {
        self.candidates(CandidateKind::Relayed).last().unwrap().address
    }

    fn failures(&self) -> Vec<(SocketAddr, ServerFailure)> {
        let failure = |event: &GatherEvent| match event {
            GatherEvent::ServerFailed { server, reason } => Some((*server, reason.clone())),
            GatherEvent::Candidate(_) | GatherEvent::Complete => None,
        };
        self.events.iter().filter_map(failure).collect()
    }

    fn is_complete(&self) -> bool {
        self.events.iter().filter(|event| **event == GatherEvent::Complete).count() == 1
    }

    fn write_to_peer(&mut self, payload: &[u8]) {
        let relayed = self.relayed();
        self.gatherer.send_relayed(self.now, relayed, address(PEER), payload);
        self.deliver();
    }

    fn hear_from_peer(&mut self, payload: &[u8]) {
        let (now, relayed) = (self.now, self.relayed());
        let server = self.servers.values_mut().find(|server| server.allocation_count() > 0).unwrap();
        server.handle_relayed(now, relayed.port(), address(PEER), payload);
        self.deliver();
    }
}

fn settings(servers: Vec<IceServer>) -> GatherSettings {
    GatherSettings { locals: vec![address(LOCAL)], servers, ..GatherSettings::default() }
}

#[test]
fn a_socket_behind_a_nat_learns_its_reflexive_address() {
    let mut world = World::new(settings(vec![stun(FIRST), stun(SECOND)]), &[FIRST, SECOND]);
    world.run_until(Duration::from_secs(1));
    assert_eq!(world.candidates(CandidateKind::Host).len(), 1);
    let reflexive = world.candidates(CandidateKind::ServerReflexive);
    assert_eq!(reflexive.len(), 1, "two servers that see the same address give one candidate");
    assert_eq!((reflexive[0].address, reflexive[0].base), (address(PUBLIC), address(LOCAL)));
    assert_eq!(world.events.last(), Some(&GatherEvent::Complete));
    assert!(world.is_complete());
    assert_eq!(world.server(FIRST).counters().bindings, 1);
}

#[test]
fn a_public_socket_has_no_reflexive_candidate() {
    let mut world = World::new(settings(vec![stun(FIRST)]), &[FIRST]);
    world.nat.clear();
    world.run_until(Duration::from_secs(1));
    assert_eq!(world.events.len(), 2, "a host candidate and the end: {:?}", world.events);
}

#[test]
fn only_servers_of_the_same_family_are_asked() {
    let mut world = World::new(settings(vec![stun("[2001:db8::1]:3478"), stun(FIRST)]), &[FIRST]);
    world.run_until(Duration::from_secs(1));
    assert_eq!(world.failures(), [(address("[2001:db8::1]:3478"), ServerFailure::Unreachable)]);
    assert!(world.is_complete());
}

#[test]
fn loopback_and_link_local_sockets_are_not_told_to_a_peer_elsewhere() {
    let locals = vec![address("127.0.0.1:1"), address("169.254.3.4:2"), address("[fe80::1]:3"), address(LOCAL)];
    let settings = GatherSettings { locals, ..settings(Vec::new()) };
    let mut world = World::new(settings, &[]);
    world.run_until(Duration::ZERO);
    assert_eq!(world.candidates(CandidateKind::Host).len(), 1);
    assert_eq!(world.candidates(CandidateKind::Host)[0].address, address(LOCAL));
    let settings = GatherSettings { locals: vec![address("127.0.0.1:1")], ..GatherSettings::default() };
    let mut world = World::new(settings, &[]);
    world.run_until(Duration::ZERO);
    assert_eq!(world.candidates(CandidateKind::Host)[0].address, address("127.0.0.1:1"));
}

#[test]
fn relay_only_tells_nothing_but_the_relayed_address() {
    let mut settings = settings(vec![stun(SECOND), turn(FIRST, PASSWORD)]);
    settings.relay_only = true;
    let mut world = World::new(settings, &[FIRST, SECOND]);
    world.run_until(Duration::from_secs(1));
    assert_eq!(world.events.len(), 2, "a relayed candidate and the end: {:?}", world.events);
    let relayed = &world.candidates(CandidateKind::Relayed)[0];
    assert_eq!((relayed.address.ip(), relayed.server), (address(FIRST).ip(), Some(address(FIRST))));
    assert_eq!(world.server(SECOND).counters().bindings, 0);
}

#[test]
fn a_turn_server_tells_the_reflexive_address_too() {
    let mut world = World::new(settings(vec![turn(FIRST, PASSWORD)]), &[FIRST]);
    world.run_until(Duration::from_secs(1));
    assert_eq!(world.candidates(CandidateKind::ServerReflexive)[0].address, address(PUBLIC));
    assert_eq!(world.candidates(CandidateKind::Relayed).len(), 1);
    assert!(world.gatherer.is_relayed(world.relayed()));
    assert!(!world.gatherer.is_relayed(address(LOCAL)));
}

#[test]
fn a_relay_carries_datagrams_both_ways_first_in_indications_then_in_a_channel() {
    let mut world = World::new(settings(vec![turn(FIRST, PASSWORD)]), &[FIRST]);
    world.run_until(Duration::from_secs(1));
    let relayed = world.relayed();
    for number in 0..20_u8 {
        world.write_to_peer(&[number; 100]);
        world.hear_from_peer(&[number; 50]);
    }
    let sent: Vec<_> = (0..20).map(|number| (relayed, Bytes::from(vec![number; 100]))).collect();
    assert_eq!(world.at_peer, sent);
    let received: Vec<_> = (0..20).map(|number| (relayed, address(PEER), Bytes::from(vec![number; 50]))).collect();
    assert_eq!(world.received, received);
    // Permission and channel: once each. Then four bytes more than the datagram on the way to the server.
    let counters = world.server(FIRST).counters();
    assert_eq!((counters.relayed_to_peers, counters.relayed_to_clients, counters.dropped), (2_000, 1_000, 0));
    let now = world.now;
    world.gatherer.send_relayed(now, relayed, address(PEER), &[9; 100]);
    assert_eq!(world.gatherer.poll_transmit().unwrap().payload.len(), 104);
}

#[test]
fn a_peer_that_we_never_wrote_to_is_not_heard() {
    let mut world = World::new(settings(vec![turn(FIRST, PASSWORD)]), &[FIRST]);
    world.run_until(Duration::from_secs(1));
    world.hear_from_peer(b"unasked");
    assert_eq!(world.received, []);
    assert_eq!(world.server(FIRST).counters().dropped, 1);
}

#[test]
fn a_wrong_password_is_refused_with_a_clear_reason() {
    let mut world = World::new(settings(vec![turn(FIRST, "wrong")]), &[FIRST]);
    world.run_until(Duration::from_secs(1));
    assert_eq!(world.failures(), [(address(FIRST), ServerFailure::WrongCredential)]);
    assert!(world.failures()[0].1.to_string().contains("credential (401)"));
    assert!(world.is_complete());
    assert_eq!(world.server(FIRST).allocation_count(), 0);
}

#[test]
fn dead_servers_fail_within_the_patience() {
    let mut world = World::new(settings(vec![stun(FIRST), turn(SECOND, PASSWORD)]), &[]);
    world.run_until(PATIENCE - Duration::from_millis(1));
    assert_eq!(world.failures(), []);
    world.run_until(PATIENCE);
    let failed = [(address(FIRST), ServerFailure::Timeout), (address(SECOND), ServerFailure::Timeout)];
    assert_eq!(world.failures(), failed);
    assert!(world.is_complete());
    assert_eq!(world.gatherer.poll_timeout(), None);
    assert_eq!(world.sent, 8, "four requests to each");
}

#[test]
fn lost_requests_and_answers_are_made_up_for() {
    let mut world = World::new(settings(vec![stun(FIRST), turn(SECOND, PASSWORD)]), &[FIRST, SECOND]);
    world.to_lose = 5;
    world.run_until(Duration::from_secs(10));
    assert_eq!(world.failures(), []);
    assert_eq!(world.candidates(CandidateKind::ServerReflexive).len(), 1);
    assert_eq!(world.candidates(CandidateKind::Relayed).len(), 1);
}

#[test]
fn a_repeated_allocate_gets_the_same_relayed_address() {
    let mut world = World::new(settings(vec![turn(FIRST, PASSWORD)]), &[FIRST]);
    // The request and its challenge pass, so does the signed request; its answer is lost.
    let now = world.now;
    let request = world.gatherer.poll_transmit().unwrap();
    world.server(FIRST).handle_datagram(now, address(PUBLIC), &request.payload);
    let challenge = world.server(FIRST).poll_output().unwrap();
    world.take(address(FIRST), challenge);
    let signed = world.gatherer.poll_transmit().unwrap();
    world.server(FIRST).handle_datagram(now, address(PUBLIC), &signed.payload);
    while world.server(FIRST).poll_output().is_some() {}
    world.run_until(Duration::from_secs(1));
    assert_eq!(world.candidates(CandidateKind::Relayed).len(), 1);
    assert_eq!(world.server(FIRST).counters().allocations, 1);
}

#[test]
fn the_next_server_is_asked_when_the_first_fails() {
    let servers = vec![turn(FIRST, PASSWORD), turn(SECOND, PASSWORD)];
    let mut world = World::new(settings(servers), &[SECOND]);
    world.run_until(PATIENCE + Duration::from_secs(1));
    assert_eq!(world.failures(), [(address(FIRST), ServerFailure::Timeout)]);
    assert_eq!(world.relayed().ip(), address(SECOND).ip());
    assert!(world.is_complete());
}

#[test]
fn a_full_server_is_passed_over() {
    let servers = vec![turn(FIRST, PASSWORD), turn(SECOND, PASSWORD)];
    let mut world = World::new(settings(servers), &[SECOND]);
    world.serve(FIRST, |turn| turn.max_allocations = 0);
    world.run_until(Duration::from_secs(1));
    let refused = ServerFailure::Refused { code: 508, reason: "Insufficient Capacity".to_owned() };
    assert_eq!(world.failures(), [(address(FIRST), refused)]);
    assert_eq!(world.relayed().ip(), address(SECOND).ip());
}

#[test]
fn a_lost_server_is_replaced_by_the_next_and_then_by_itself() {
    let servers = vec![turn(FIRST, PASSWORD), turn(SECOND, PASSWORD)];
    let mut world = World::new(settings(servers), &[FIRST, SECOND]);
    world.run_until(Duration::from_secs(60));
    let first = world.relayed();
    assert_eq!(first.ip(), address(FIRST).ip());
    world.servers.remove(&address(FIRST));
    world.run_until(Duration::from_secs(60) + NOTICE);
    let lost = ServerFailure::AllocationLost("the server no longer answers");
    assert_eq!(world.failures(), [(address(FIRST), lost)]);
    assert_eq!(world.relayed().ip(), address(SECOND).ip());
    assert!(world.gatherer.is_relayed(first), "what ICE still sends from there must not leave by another socket");
    world.gatherer.send_relayed(world.now, first, address(PEER), b"from a lost address");
    assert_eq!(world.gatherer.poll_transmit(), None);
    world.write_to_peer(b"from the new address");
    assert_eq!(world.at_peer.len(), 1);
    world.serve(FIRST, |_| ());
    world.servers.remove(&address(SECOND));
    world.run_until(Duration::from_secs(200));
    assert_eq!(world.relayed().ip(), address(FIRST).ip());
    assert!(world.is_complete(), "the end of gathering is said once");
}

#[test]
fn a_restarted_server_that_forgot_the_allocation_is_noticed() {
    let mut world = World::new(settings(vec![turn(FIRST, PASSWORD)]), &[FIRST]);
    world.run_until(Duration::from_secs(1));
    world.serve(FIRST, |_| ());
    world.run_until(NOTICE);
    let lost = ServerFailure::AllocationLost("the server does not know it (437)");
    assert_eq!(world.failures(), [(address(FIRST), lost)]);
    assert_eq!(world.candidates(CandidateKind::Relayed).len(), 2);
}

#[test]
fn an_allocation_outlives_its_lifetime_its_nonces_and_its_permissions() {
    let mut world = World::new(settings(vec![turn(FIRST, PASSWORD)]), &[]);
    world.serve(FIRST, |turn| turn.nonce_lifetime = Duration::from_secs(60));
    for minute in 1..60_u64 {
        world.run_until(Duration::from_secs(60 * minute));
        world.write_to_peer(&minute.to_be_bytes());
        world.hear_from_peer(&minute.to_be_bytes());
    }
    assert_eq!(world.failures(), []);
    assert_eq!((world.at_peer.len(), world.received.len()), (59, 59));
    assert_eq!(world.server(FIRST).counters().allocations, 1);
    let refused = world.server(FIRST).counters().refusals;
    assert!(refused > 50, "a stale nonce each minute, found {refused} refusals");
}

#[test]
fn an_unused_permission_lapses() {
    let mut world = World::new(settings(vec![turn(FIRST, PASSWORD)]), &[FIRST]);
    world.run_until(Duration::from_secs(1));
    world.write_to_peer(b"once");
    world.run_until(Duration::from_secs(700));
    world.hear_from_peer(b"too late");
    assert_eq!(world.received, []);
    world.write_to_peer(b"again");
    world.hear_from_peer(b"in time");
    assert_eq!(world.received.len(), 1);
}

#[test]
fn closing_releases_the_allocation() {
    let mut world = World::new(settings(vec![turn(FIRST, PASSWORD)]), &[FIRST]);
    world.run_until(Duration::from_secs(1));
    world.gatherer.close(world.now);
    world.deliver();
    assert_eq!(world.server(FIRST).allocation_count(), 0);
    assert_eq!(world.server(FIRST).counters().releases, 1);
    assert_eq!(world.gatherer.poll_timeout(), None);
}

#[test]
fn an_abandoned_allocation_expires() {
    let mut world = World::new(settings(vec![turn(FIRST, PASSWORD)]), &[FIRST]);
    world.run_until(Duration::from_secs(1));
    let server = world.server(FIRST);
    let expiry = server.poll_timeout().unwrap();
    server.handle_timeout(expiry);
    assert_eq!((server.allocation_count(), server.counters().expiries), (0, 1));
}

#[test]
fn seeds_spread_the_load_over_all_servers() {
    let mut chosen = BTreeMap::new();
    for seed in 0..64 {
        let mut settings = settings(vec![turn(FIRST, PASSWORD), turn(SECOND, PASSWORD)]);
        settings.seed = seed;
        let mut world = World::new(settings, &[FIRST, SECOND]);
        world.run_until(Duration::from_secs(1));
        *chosen.entry(world.relayed().ip()).or_insert(0) += 1;
    }
    assert_eq!(chosen.into_values().collect::<Vec<_>>(), [32, 32]);
}

#[test]
fn two_relayed_addresses_of_one_server_reach_each_other() {
    let mut world = World::new(settings(vec![turn(FIRST, PASSWORD)]), &[FIRST]);
    world.run_until(Duration::from_secs(1));
    let mut other = World::at(world.now, settings(vec![turn(FIRST, PASSWORD)]), &[]);
    other.nat = BTreeMap::from([(address(LOCAL), address("203.0.113.10:40000"))]);
    other.servers = std::mem::take(&mut world.servers);
    other.run_until(Duration::from_secs(1));
    let (ours, theirs) = (world.relayed(), other.relayed());
    assert_ne!(ours, theirs);
    // Each permits the other; then what one sends is in the other's queue at the server.
    other.gatherer.send_relayed(other.now, theirs, ours, b"dropped: not permitted yet");
    other.deliver();
    world.servers = std::mem::take(&mut other.servers);
    world.gatherer.send_relayed(world.now, ours, theirs, b"hello");
    while let Some(transmit) = world.gatherer.poll_transmit() {
        let (now, from) = (world.now, address(PUBLIC));
        world.server(FIRST).handle_datagram(now, from, &transmit.payload);
        let outputs: Vec<_> = std::iter::from_fn(|| world.server(FIRST).poll_output()).collect();
        for output in outputs {
            match output {
                Output::Send { remote, .. } if remote == from => world.take(address(FIRST), output),
                output => other.take(address(FIRST), output),
            }
        }
    }
    assert_eq!(other.received, [(theirs, ours, Bytes::from_static(b"hello"))]);
}

/// A datagram as an attacker would make it: noise, or a real message with some bytes changed.
fn hostile(real: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6);
    let changed = (Just(real), changes, any::<proptest::sample::Index>()).prop_map(|(mut real, changes, end)| {
        for (place, byte) in changes {
            let place = place.index(real.len());
            real[place] = byte;
        }
        real.truncate(end.index(real.len()) + 1);
        real
    });
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), changed]
}

/// What a server says to a gatherer, and a gatherer to a server, from challenge to channel.
fn conversation() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut world = World::new(settings(vec![turn(FIRST, PASSWORD)]), &[FIRST]);
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    for round in 0..20 {
        let now = world.now;
        if round > 8 {
            let relayed = world.relayed();
            world.gatherer.send_relayed(now, relayed, address(PEER), b"data");
            world.server(FIRST).handle_relayed(now, relayed.port(), address(PEER), b"data");
        }
        while let Some(transmit) = world.gatherer.poll_transmit() {
            to_server.push(transmit.payload.to_vec());
            world.server(FIRST).handle_datagram(now, address(PUBLIC), &transmit.payload);
        }
        while let Some(output) = world.server(FIRST).poll_output() {
            if let Output::Send { payload, .. } = &output {
                to_client.push(payload.to_vec());
            }
            world.take(address(FIRST), output);
        }
        world.events.extend(std::iter::from_fn(|| world.gatherer.poll_event()));
    }
    (to_server, to_client)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_datagrams_neither_stop_a_gatherer_nor_lose_its_allocation(
        noise in Just(conversation().1).prop_flat_map(|real| {
            proptest::collection::vec(proptest::sample::select(real).prop_flat_map(hostile), 1..30)
        })
    ) {
        let mut world = World::new(settings(vec![stun(FIRST), turn(FIRST, PASSWORD)]), &[FIRST]);
        for datagram in noise.iter().take(noise.len() / 2) {
            world.gatherer.handle_datagram(world.now, address(LOCAL), address(FIRST), datagram);
        }
        world.run_until(Duration::from_secs(1));
        world.write_to_peer(b"permission, please");
        for datagram in &noise {
            world.gatherer.handle_datagram(world.now, address(LOCAL), address(FIRST), datagram);
        }
        world.run_until(Duration::from_secs(100));
        prop_assert_eq!(world.failures(), []);
        world.write_to_peer(b"still there");
        prop_assert_eq!(world.at_peer.len(), 2);
    }

    #[test]
    fn an_answer_that_was_changed_on_its_way_gives_no_wrong_relayed_address(
        which in 0..2_usize, place in any::<proptest::sample::Index>(), byte in any::<u8>()
    ) {
        let mut settings = settings(vec![turn(FIRST, PASSWORD)]);
        settings.relay_only = true;
        let mut world = World::new(settings, &[FIRST]);
        for round in 0..2 {
            let request = world.gatherer.poll_transmit().unwrap();
            let now = world.now;
            world.server(FIRST).handle_datagram(now, address(PUBLIC), &request.payload);
            let outputs: Vec<_> = std::iter::from_fn(|| world.server(FIRST).poll_output()).collect();
            for output in outputs {
                let Output::Send { payload, .. } = output else { continue };
                let mut payload = payload.to_vec();
                if round == which {
                    let place = place.index(payload.len());
                    payload[place] = byte;
                }
                world.gatherer.handle_datagram(now, address(LOCAL), address(FIRST), &payload);
            }
            world.events.extend(std::iter::from_fn(|| world.gatherer.poll_event()));
            if world.candidates(CandidateKind::Relayed).is_empty() && round == which {
                break;
            }
        }
        world.run_until(Duration::from_secs(20));
        for candidate in world.candidates(CandidateKind::Relayed) {
            prop_assert_eq!(candidate.address, SocketAddr::new(address(FIRST).ip(), 49_152));
        }
    }

    #[test]
    fn hostile_datagrams_do_not_disturb_a_server(
        noise in Just(conversation().0).prop_flat_map(|real| {
            proptest::collection::vec(proptest::sample::select(real).prop_flat_map(hostile), 1..30)
        })
    ) {
        let mut world = World::new(settings(vec![turn(FIRST, PASSWORD)]), &[FIRST]);
        let now = world.now;
        for datagram in &noise {
            world.server(FIRST).handle_datagram(now, address("203.0.113.66:666"), datagram);
            world.server(FIRST).handle_relayed(now, 49_152, address(PEER), datagram);
            world.server(FIRST).handle_datagram(now, address(PUBLIC), datagram);
        }
        while world.server(FIRST).poll_output().is_some() {}
        world.run_until(Duration::from_secs(1));
        prop_assert_eq!(world.candidates(CandidateKind::Relayed).len(), 1);
    }
}
