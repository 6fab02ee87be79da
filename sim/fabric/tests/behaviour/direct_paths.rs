//! The predicates against the NAT box: what they say is what happens.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use darkswap_fabric::{
    Nat, NatConfig, NatKind, PortAssignment, Unsolicited, can_be_direct, hole_punch_by_role, reaches,
};

use crate::support::{AD, APD, EI, PORT_ASSIGNMENTS, UDP, at};

const NOW: Duration = Duration::ZERO;
/// Rounds of checks. A pair that gets there does so in three.
const ROUNDS: usize = 6;

/// A host behind its NATs.
struct Side {
    host: SocketAddrV4,
    nats: Vec<Nat>,
    /// What the observer sees of it.
    observed: SocketAddrV4,
    /// Where it has heard the other side to be.
    targets: Vec<SocketAddrV4>,
}

impl Side {
    fn new(number: u8, chain: &[NatKind], ports: PortAssignment, unsolicited: Unsolicited) -> Self {
        let address = |level: usize| Ipv4Addr::new(10, number, level as u8, 1);
        let nats = chain.iter().enumerate().map(|(level, &kind)| {
            let config = NatConfig { ports, unsolicited, ..NatConfig::new(kind) };
            Nat::new(config, address(level + 1), u64::from(number) << 8 | level as u64)
        });
        let host = SocketAddrV4::new(address(0), 4_000 + u16::from(number));
        let mut side = Self { host, nats: nats.collect(), observed: host, targets: Vec::new() };
        side.observed = side.send(at("198.51.100.1:3478"));
        side
    }

    /// The source with which a packet arrives outside.
    fn send(&mut self, destination: SocketAddrV4) -> SocketAddrV4 {
        self.nats
            .iter_mut()
            .fold(self.host, |source, nat| nat.outbound(NOW, UDP, source, destination).expect("a mapping"))
    }

    /// Whether a packet from the outside reaches the host.
    fn receive(&mut self, source: SocketAddrV4, destination: SocketAddrV4) -> bool {
        let inside = self
            .nats
            .iter_mut()
            .rev()
            .try_fold(destination, |destination, nat| nat.inbound(NOW, UDP, source, destination).ok());
        inside == Some(self.host)
    }

    fn learn(&mut self, target: SocketAddrV4) {
        if !self.targets.contains(&target) {
            self.targets.push(target);
        }
    }
}

/// Sends one check to every known endpoint of the other side; true if one is answered from where it was sent to.
fn check(from: &mut Side, to: &mut Side) -> bool {
    for target in from.targets.clone() {
        let source = from.send(target);
        if to.receive(source, target) {
            to.learn(source);
            let answer = to.send(source);
            if from.receive(answer, source) {
                from.learn(answer);
                if answer == target {
                    return true;
                }
            }
        }
    }
    false
}

fn is_direct(a: &[NatKind], b: &[NatKind], ports: PortAssignment, unsolicited: Unsolicited) -> bool {
    let (mut a, mut b) = (Side::new(1, a, ports, unsolicited), Side::new(2, b, ports, unsolicited));
    a.learn(b.observed);
    b.learn(a.observed);
    (0..ROUNDS).any(|_| check(&mut a, &mut b) || check(&mut b, &mut a))
}

/// The client sends its Initial to the server's observed endpoint, the server punches towards the client's.
fn is_punched_by_role(client: &[NatKind], server: &[NatKind], ports: PortAssignment) -> (bool, bool) {
    let unsolicited = Unsolicited::Drop;
    let (mut client, mut server) = (Side::new(1, client, ports, unsolicited), Side::new(2, server, ports, unsolicited));
    let (mut arrived, mut answered) = (false, false);
    for _ in 0..ROUNDS {
        let source = client.send(server.observed);
        if server.receive(source, server.observed) {
            arrived = true;
            let answer = server.send(source);
            answered |= client.receive(answer, source) && answer == server.observed;
        }
        server.send(client.observed);
    }
    (arrived, answered)
}

/// Every chain of up to `depth` NATs.
fn chains(depth: usize) -> Vec<Vec<NatKind>> {
    let mut all: Vec<Vec<NatKind>> = vec![Vec::new()];
    let mut longest = all.clone();
    for _ in 0..depth {
        longest =
            longest.iter().flat_map(|chain| NatKind::all().map(|kind| [chain.as_slice(), &[kind]].concat())).collect();
        all.extend(longest.iter().cloned());
    }
    all
}

#[test]
fn the_table_of_common_kinds_comes_out() {
    let common: [&[NatKind]; 5] =
        [&[], &[NatKind::new(EI, EI)], &[NatKind::new(EI, AD)], &[NatKind::new(EI, APD)], &[NatKind::new(APD, APD)]];
    let table = ["DDDDD", "DDDDD", "DDDDD", "DDDDR", "DDDRR"];
    for (a, row) in common.iter().zip(table) {
        let outcome: String = common.iter().map(|b| if can_be_direct(a, b) { 'D' } else { 'R' }).collect();
        assert_eq!(outcome, row, "{a:?}");
    }
}

#[test]
fn the_predicate_agrees_with_the_box_for_all_pairs_of_single_nats() {
    let chains = chains(1);
    for ports in PORT_ASSIGNMENTS {
        for a in &chains {
            for b in &chains {
                let happens = is_direct(a, b, ports, Unsolicited::Drop);
                assert_eq!(can_be_direct(a, b), happens, "{a:?} and {b:?} with {ports:?}");
            }
        }
    }
}

#[test]
fn the_predicate_agrees_with_the_box_for_all_pairs_of_nested_nats() {
    let chains = chains(2);
    for a in &chains {
        for b in &chains {
            let happens = is_direct(a, b, PortAssignment::Sequential, Unsolicited::Drop);
            assert_eq!(can_be_direct(a, b), happens, "{a:?} and {b:?}");
            assert_eq!(can_be_direct(a, b), can_be_direct(b, a), "{a:?} and {b:?}");
        }
    }
}

#[test]
fn the_predicate_by_role_agrees_with_the_box_for_all_pairs() {
    let chains = chains(2);
    for client in &chains {
        for server in &chains {
            let (arrived, answered) = is_punched_by_role(client, server, PortAssignment::Sequential);
            assert_eq!(reaches(client, server), arrived, "{client:?} to {server:?}");
            assert_eq!(hole_punch_by_role(client, server), answered, "{client:?} to {server:?}");
            assert!(!answered || can_be_direct(client, server), "{client:?} to {server:?}");
        }
    }
}

#[test]
fn roles_matter_where_the_server_is_the_stricter_one() {
    let cone: &[NatKind] = &[NatKind::new(EI, AD)];
    let symmetric: &[NatKind] = &[NatKind::new(APD, APD)];
    assert!(can_be_direct(cone, symmetric));
    assert!(hole_punch_by_role(symmetric, cone));
    assert!(!hole_punch_by_role(cone, symmetric));
}

#[test]
fn tracking_of_unsolicited_packets_spoils_a_pair_that_would_be_direct() {
    let chain: &[NatKind] = &[NatKind::new(EI, APD)];
    assert!(can_be_direct(chain, chain));
    assert!(!is_direct(chain, chain, PORT_ASSIGNMENTS[0], Unsolicited::Track));
}
