//! What faults cut, hold and count.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use darkswap_fabric::{
    AccessPoint, AfterReset, Fabric, Fault, FaultError, FaultId, HostIndex, LinkConfig, LinkRef, PortAssignment,
    Probability, RegionIndex, SiteIndex,
};

use crate::support::{APD, CORE, DATA, EI, UDP, World, at, bodies, config, deliveries, drain, millis, packet, secs};

const NOW: Duration = Duration::ZERO;

/// One host behind a NAT and two public ones; the first has a mapping towards both.
fn world() -> (Fabric<u32>, [HostIndex; 3], SiteIndex) {
    let mut world = World::new();
    let ports = PortAssignment::Sequential;
    let home = world.site("203.0.113.1", darkswap_fabric::NatConfig { ports, ..config(EI, APD) });
    let inside = world.inside(home, "192.168.0.2");
    let (one, other) = (world.public("198.51.100.1"), world.public("198.51.100.2"));
    (world.build(), [inside, one, other], home)
}

fn send(fabric: &mut Fabric<u32>, now: Duration, protocol: darkswap_fabric::Protocol, to: &str, body: u32) {
    fabric.send(now, packet(protocol, at("192.168.0.2:4001"), at(to), body));
}

#[test]
fn a_partition_drops_datagrams_and_holds_segments_until_it_heals() {
    let (mut fabric, [inside, one, _], _) = world();
    let partition = fabric.apply(NOW, Fault::Partition { groups: vec![vec![inside], vec![one]] }).expect("a fault");
    for body in 0..3 {
        send(&mut fabric, NOW, UDP, "198.51.100.1:1", body);
        send(&mut fabric, NOW, DATA, "198.51.100.1:1", 10 + body);
        send(&mut fabric, NOW, UDP, "198.51.100.2:1", 20 + body);
    }
    assert_eq!(bodies(&deliveries(&mut fabric, secs(5))), [20, 21, 22], "hosts in no group are not affected");
    assert_eq!(fabric.touched(partition), 6);
    assert_eq!((fabric.counters().cut, fabric.counters().held), (3, 3));
    assert_eq!(fabric.in_flight(), 3);
    fabric.lift(secs(5), partition).expect("active");
    send(&mut fabric, secs(5), DATA, "198.51.100.1:1", 13);
    let released = drain(&mut fabric);
    assert_eq!(bodies(&released), [10, 11, 12, 13]);
    assert_eq!(released.first().map(|delivery| delivery.at), Some(secs(5)));
    assert_eq!(fabric.lift(secs(5), partition), Err(FaultError::NotActive(partition)));
}

#[test]
fn a_partition_cuts_packets_to_a_host_behind_a_nat() {
    let (mut fabric, [inside, one, other], _) = world();
    send(&mut fabric, NOW, UDP, "198.51.100.1:1", 0);
    send(&mut fabric, NOW, UDP, "198.51.100.2:1", 0);
    let std::net::SocketAddr::V4(outside) = drain(&mut fabric).remove(0).packet.source else { panic!("IPv4") };
    let groups = vec![vec![inside, other], vec![one]];
    let partition = fabric.apply(secs(1), Fault::Partition { groups }).expect("a fault");
    fabric.send(secs(1), packet(UDP, at("198.51.100.1:1"), outside, 1));
    fabric.send(secs(1), packet(UDP, at("198.51.100.2:1"), outside, 2));
    assert_eq!(bodies(&drain(&mut fabric)), [2]);
    assert_eq!(fabric.touched(partition), 1);
}

#[test]
fn a_partition_without_traffic_has_touched_nothing() {
    let (mut fabric, [inside, one, _], _) = world();
    let partition = fabric.apply(NOW, Fault::Partition { groups: vec![vec![inside], vec![one]] }).expect("a fault");
    send(&mut fabric, NOW, UDP, "198.51.100.2:1", 1);
    drain(&mut fabric);
    assert_eq!(fabric.touched(partition), 0);
    assert_eq!(fabric.touched(FaultId(99)), 0);
}

#[test]
fn segments_held_by_two_partitions_wait_for_both_in_order() {
    let (mut fabric, [inside, one, _], _) = world();
    let groups = || vec![vec![inside], vec![one]];
    let first = fabric.apply(NOW, Fault::Partition { groups: groups() }).expect("a fault");
    send(&mut fabric, NOW, DATA, "198.51.100.1:1", 1);
    let second = fabric.apply(millis(50), Fault::Partition { groups: groups() }).expect("a fault");
    send(&mut fabric, millis(50), DATA, "198.51.100.1:1", 2);
    fabric.lift(secs(1), first).expect("active");
    send(&mut fabric, secs(1), DATA, "198.51.100.1:1", 3);
    assert!(deliveries(&mut fabric, secs(2)).is_empty());
    fabric.lift(secs(2), second).expect("active");
    assert_eq!(bodies(&drain(&mut fabric)), [1, 2, 3]);
}

#[test]
fn a_crash_drops_everything_under_way_and_everything_until_the_restart() {
    let (mut fabric, [inside, one, _], _) = world();
    send(&mut fabric, NOW, DATA, "198.51.100.1:1", 1);
    send(&mut fabric, NOW, UDP, "198.51.100.2:1", 2);
    let crash = fabric.apply(millis(1), Fault::HostDown { host: one }).expect("a fault");
    assert_eq!(fabric.touched(crash), 2, "the host and one segment");
    send(&mut fabric, millis(2), DATA, "198.51.100.1:1", 3);
    fabric.send(millis(2), packet(UDP, at("198.51.100.1:1"), at("198.51.100.2:1"), 4));
    assert_eq!(bodies(&deliveries(&mut fabric, secs(1))), [2]);
    assert_eq!((fabric.touched(crash), fabric.counters().cut), (4, 3));
    fabric.lift(secs(1), crash).expect("active");
    send(&mut fabric, secs(1), DATA, "198.51.100.1:1", 5);
    assert_eq!(bodies(&drain(&mut fabric)), [5]);

    let outside = fabric.apply(secs(2), Fault::HostDown { host: inside }).expect("a fault");
    send(&mut fabric, secs(2), UDP, "198.51.100.1:1", 6);
    assert!(drain(&mut fabric).is_empty());
    assert_eq!(fabric.touched(outside), 2);
}

#[test]
fn a_crash_drops_what_other_faults_hold() {
    let (mut fabric, [inside, one, _], _) = world();
    let partition = fabric.apply(NOW, Fault::Partition { groups: vec![vec![inside], vec![one]] }).expect("a fault");
    send(&mut fabric, NOW, DATA, "198.51.100.1:1", 1);
    assert!(deliveries(&mut fabric, secs(1)).is_empty());
    let crash = fabric.apply(secs(1), Fault::HostDown { host: inside }).expect("a fault");
    assert_eq!(fabric.touched(crash), 2);
    fabric.lift(secs(2), crash).expect("active");
    fabric.lift(secs(2), partition).expect("active");
    assert!(drain(&mut fabric).is_empty());
}

#[test]
fn a_crash_drops_packets_towards_a_nat_that_would_reach_the_host() {
    let (mut fabric, [inside, ..], _) = world();
    send(&mut fabric, NOW, UDP, "198.51.100.1:1", 0);
    let std::net::SocketAddr::V4(outside) = drain(&mut fabric).remove(0).packet.source else { panic!("IPv4") };
    fabric.send(secs(1), packet(DATA, at("198.51.100.1:1"), outside, 1));
    fabric.send(secs(1), packet(UDP, at("198.51.100.1:1"), outside, 2));
    let crash = fabric.apply(secs(1), Fault::HostDown { host: inside }).expect("a fault");
    assert_eq!(fabric.touched(crash), 2, "the host and the datagram; the segment has no mapping");
    fabric.lift(secs(1), crash).expect("active");
    assert!(drain(&mut fabric).is_empty());
}

#[test]
fn a_link_flap_drops_datagrams_and_holds_segments_in_both_directions() {
    let (mut fabric, [inside, ..], home) = world();
    for at_point in [AccessPoint::Host(inside), AccessPoint::Site(home)] {
        let flap = fabric.apply(NOW, Fault::LinkDown { at: at_point }).expect("a fault");
        send(&mut fabric, NOW, UDP, "198.51.100.1:1", 1);
        send(&mut fabric, NOW, DATA, "198.51.100.1:1", 2);
        assert!(drain(&mut fabric).is_empty());
        assert_eq!(fabric.touched(flap), 2);
        fabric.lift(secs(1), flap).expect("active");
        let arrived = drain(&mut fabric);
        assert_eq!(bodies(&arrived), [2]);
        let std::net::SocketAddr::V4(outside) = arrived[0].packet.source else { panic!("IPv4") };

        let flap = fabric.apply(secs(2), Fault::LinkDown { at: at_point }).expect("a fault");
        fabric.send(secs(2), packet(DATA, at("198.51.100.1:1"), outside, 3));
        assert!(drain(&mut fabric).is_empty());
        fabric.lift(secs(3), flap).expect("active");
        assert_eq!(bodies(&drain(&mut fabric)), [3]);
        assert_eq!(fabric.touched(flap), 1);
    }
}

#[test]
fn a_nat_reset_counts_the_mappings_it_forgets_and_moves_the_flows() {
    let (mut fabric, _, home) = world();
    send(&mut fabric, NOW, UDP, "198.51.100.1:1", 0);
    let before = drain(&mut fabric).remove(0).packet.source;
    let after = AfterReset::Fresh;
    let reset = fabric.apply(secs(1), Fault::NatReset { site: home, after }).expect("a fault");
    assert_eq!(fabric.touched(reset), 1);
    assert_eq!(fabric.lift(secs(1), reset), Err(FaultError::NotActive(reset)));
    send(&mut fabric, secs(1), UDP, "198.51.100.1:1", 1);
    assert_ne!(drain(&mut fabric).remove(0).packet.source, before);
    let again = fabric.apply(secs(500), Fault::NatReset { site: home, after }).expect("a fault");
    assert_eq!(fabric.touched(again), 0, "the mapping had expired");
}

/// Where the packet that arrives comes from.
fn source(fabric: &mut Fabric<u32>) -> SocketAddrV4 {
    match drain(fabric).remove(0).packet.source {
        SocketAddr::V4(source) => source,
        source @ SocketAddr::V6(_) => panic!("{source} in a network of IPv4"),
    }
}

#[test]
fn a_nat_with_another_address_is_found_there_and_no_longer_at_the_old_one() {
    let (mut fabric, _, home) = world();
    send(&mut fabric, NOW, UDP, "198.51.100.1:1", 0);
    let before = source(&mut fabric);
    let external = "203.0.113.99".parse().expect("an address");
    let taken = Fault::Readdress { site: home, external: *before.ip() };
    assert_eq!(fabric.apply(secs(1), taken), Err(FaultError::AddressTaken(*before.ip())));
    let moved = fabric.apply(secs(1), Fault::Readdress { site: home, external }).expect("a fault");
    assert_eq!(fabric.touched(moved), 2, "the NAT and its mapping");
    assert_eq!(fabric.lift(secs(1), moved), Err(FaultError::NotActive(moved)));
    send(&mut fabric, secs(1), UDP, "198.51.100.1:1", 1);
    let after = source(&mut fabric);
    assert_eq!(*after.ip(), external);
    let back = |to| packet(UDP, "198.51.100.1:1".parse().expect("an endpoint"), to, 2);
    fabric.send(secs(2), back(before));
    assert!(drain(&mut fabric).is_empty());
    fabric.send(secs(2), back(after));
    assert_eq!(drain(&mut fabric).len(), 1);
}

#[test]
fn impairments_stack_and_the_original_link_comes_back() {
    let (mut fabric, ..) = world();
    let link = LinkRef::Core { from: RegionIndex(0), to: RegionIndex(0) };
    let slow = LinkConfig::with_latency(millis(100));
    let dead = LinkConfig { loss: Probability::ALWAYS, ..slow };
    let first = fabric.apply(NOW, Fault::Impairment { link, config: slow }).expect("a fault");
    let second = fabric.apply(NOW, Fault::Impairment { link, config: dead }).expect("a fault");
    send(&mut fabric, NOW, UDP, "198.51.100.1:1", 1);
    fabric.lift(NOW, second).expect("active");
    send(&mut fabric, NOW, UDP, "198.51.100.1:1", 2);
    fabric.lift(NOW, first).expect("active");
    send(&mut fabric, NOW, UDP, "198.51.100.1:1", 3);
    let arrived: Vec<_> = drain(&mut fabric).iter().map(|delivery| (delivery.packet.body, delivery.at)).collect();
    assert_eq!(arrived, [(3, CORE), (2, millis(100))]);
    assert_eq!((fabric.touched(first), fabric.touched(second)), (1, 1));
    assert_eq!(fabric.link(link).expect("a link").config().latency, CORE);
}

#[test]
fn an_impairment_below_another_can_be_lifted_first() {
    let (mut fabric, ..) = world();
    let link = LinkRef::Core { from: RegionIndex(0), to: RegionIndex(0) };
    let latency = |milliseconds| LinkConfig::with_latency(millis(milliseconds));
    let first = fabric.apply(NOW, Fault::Impairment { link, config: latency(1) }).expect("a fault");
    let second = fabric.apply(NOW, Fault::Impairment { link, config: latency(2) }).expect("a fault");
    fabric.lift(NOW, first).expect("active");
    assert_eq!(fabric.link(link).expect("a link").config().latency, millis(2));
    fabric.lift(NOW, second).expect("active");
    assert_eq!(fabric.link(link).expect("a link").config().latency, CORE);
}

#[test]
fn faults_name_things_that_exist() {
    let (mut fabric, ..) = world();
    let unknown = HostIndex(9);
    assert_eq!(fabric.apply(NOW, Fault::HostDown { host: unknown }), Err(FaultError::UnknownHost(unknown)));
    let groups = vec![vec![unknown]];
    assert_eq!(fabric.apply(NOW, Fault::Partition { groups }), Err(FaultError::UnknownHost(unknown)));
    let link = LinkRef::Lan(SiteIndex(9));
    let fault = Fault::Impairment { link, config: LinkConfig::default() };
    assert_eq!(fabric.apply(NOW, fault), Err(FaultError::UnknownSite(SiteIndex(9))));
    assert_eq!(fabric.lift(NOW, FaultId(0)), Err(FaultError::UnknownFault(FaultId(0))));
}
