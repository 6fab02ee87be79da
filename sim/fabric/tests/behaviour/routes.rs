//! Which way packets take, and what they look like on arrival.

use std::net::SocketAddr;
use std::time::Duration;

use darkswap_fabric::{
    AccessConfig, Hairpinning, LinkConfig, Location, NatConfig, NatKind, Packet, Placement, SiteConfig,
};

use crate::support::{APD, CORE, EI, UDP, World, at, bodies, config, deliveries, drain, millis, packet};

const NOW: Duration = Duration::ZERO;

#[test]
fn a_packet_from_behind_a_nat_arrives_translated_and_so_does_the_answer() {
    let mut world = World::new();
    let home = world.site("203.0.113.1", config(EI, APD));
    let inside = world.inside(home, "192.168.0.2");
    let server = world.public("198.51.100.1");
    let mut fabric = world.build();

    fabric.send(NOW, packet(UDP, at("192.168.0.2:4001"), at("198.51.100.1:80"), 1));
    assert_eq!(fabric.next_due(), Some(CORE));
    assert!(deliveries(&mut fabric, CORE - Duration::from_nanos(1)).is_empty());
    let request = fabric.pop_due(CORE).expect("the request");
    assert_eq!((request.sender, request.host, request.at), (inside, server, CORE));
    assert_eq!(request.packet.source, SocketAddr::V4(at("203.0.113.1:4001")));

    fabric.send(CORE, packet(UDP, at("198.51.100.1:80"), at("203.0.113.1:4001"), 2));
    let answer = fabric.pop_due(2 * CORE).expect("the answer");
    assert_eq!((answer.sender, answer.host), (server, inside));
    assert_eq!(answer.packet.destination, SocketAddr::V4(at("192.168.0.2:4001")));
    assert_eq!(answer.packet.source, SocketAddr::V4(at("198.51.100.1:80")));

    fabric.send(2 * CORE, packet(UDP, at("198.51.100.1:81"), at("203.0.113.1:4001"), 3));
    assert!(drain(&mut fabric).is_empty());
    assert_eq!(fabric.counters().filtered, 1);
    assert_eq!(fabric.nat(home).expect("a NAT").counters().filtered, 1);
    assert_eq!(fabric.host_counters(inside).map(|host| (host.packets_out, host.packets_in)), Some((1, 1)));
    assert_eq!(fabric.host_counters(server).map(|host| (host.bytes_out, host.bytes_in)), Some((200, 100)));
}

#[test]
fn filter_state_counts_when_the_packet_arrives() {
    let mut world = World::new();
    let home = world.site("203.0.113.1", config(EI, APD));
    world.inside(home, "192.168.0.2");
    world.public("198.51.100.1");
    let mut fabric = world.build();
    fabric.send(NOW, packet(UDP, at("198.51.100.1:80"), at("203.0.113.1:4001"), 1));
    fabric.send(CORE / 2, packet(UDP, at("192.168.0.2:4001"), at("198.51.100.1:80"), 2));
    assert_eq!(bodies(&drain(&mut fabric)), [1, 2], "the hole was opened while the packet was under way");
}

#[test]
fn hosts_of_one_site_talk_over_its_lan() {
    let mut world = World::new();
    let placement = Placement::Core(world.region);
    let lan = LinkConfig::with_latency(millis(1));
    let gateway = SiteConfig::behind_nat(placement, "203.0.113.1".parse().expect("an address"), config(EI, APD));
    let home = world.builder.site("home", SiteConfig { lan, ..gateway }).expect("a site");
    let left = world.inside(home, "192.168.0.2");
    let right = world.inside(home, "192.168.0.3");
    let mut fabric = world.build();
    fabric.send(NOW, packet(UDP, at("192.168.0.2:1"), at("192.168.0.3:2"), 1));
    let delivery = fabric.pop_due(millis(1)).expect("a delivery");
    assert_eq!((delivery.host, delivery.at), (right, millis(1)));
    assert_eq!(delivery.packet.source, SocketAddr::V4(at("192.168.0.2:1")));
    assert_eq!(fabric.common_location(left, right), Some(Location::Site(home)));
    assert_eq!(fabric.nat(home).map(|nat| nat.mappings(NOW)), Some(0));
}

#[test]
fn private_addresses_are_not_routable_across_the_core() {
    let mut world = World::new();
    let (home, other) = (world.site("203.0.113.1", config(EI, EI)), world.site("203.0.113.2", config(EI, EI)));
    world.inside(home, "192.168.0.2");
    world.inside(other, "192.168.1.2");
    world.public("198.51.100.1");
    let mut fabric = world.build();
    fabric.send(NOW, packet(UDP, at("192.168.0.2:1"), at("192.168.1.2:1"), 1));
    fabric.send(NOW, packet(UDP, at("198.51.100.1:1"), at("192.168.1.2:1"), 2));
    fabric.send(NOW, packet(UDP, at("198.51.100.1:1"), at("198.51.100.99:1"), 3));
    fabric.send(NOW, packet(UDP, at("198.51.100.99:1"), at("198.51.100.1:1"), 4));
    let six: SocketAddr = "[2001:db8::1]:1".parse().expect("an endpoint");
    fabric.send(NOW, Packet { destination: six, ..packet(UDP, at("198.51.100.1:1"), at("198.51.100.1:1"), 5) });
    assert!(drain(&mut fabric).is_empty());
    assert_eq!(fabric.counters().unroutable, 5);
}

#[test]
fn a_host_reaches_itself() {
    let mut world = World::new();
    let host = world.public("198.51.100.1");
    let mut fabric = world.build();
    fabric.send(NOW, packet(UDP, at("198.51.100.1:1"), at("198.51.100.1:2"), 1));
    assert_eq!(fabric.pop_due(NOW).map(|delivery| delivery.host), Some(host));
}

#[test]
fn nested_nats_translate_twice_in_each_direction() {
    let mut world = World::new();
    let carrier =
        world.site("203.0.113.1", NatConfig { ports: crate::support::PORT_ASSIGNMENTS[2], ..config(EI, APD) });
    let home = world.nested(Placement::Behind(carrier), "100.64.0.2", config(EI, APD));
    let inside = world.inside(home, "192.168.0.2");
    world.public("198.51.100.1");
    let mut fabric = world.build();
    assert_eq!(fabric.nat_chain(inside), [NatKind::new(EI, APD); 2]);
    fabric.send(NOW, packet(UDP, at("192.168.0.2:4001"), at("198.51.100.1:80"), 1));
    let request = fabric.pop_due(CORE).expect("the request");
    let SocketAddr::V4(observed) = request.packet.source else { panic!("an IPv4 endpoint") };
    assert_eq!(observed.ip(), at("203.0.113.1:1").ip());
    fabric.send(CORE, packet(UDP, at("198.51.100.1:80"), observed, 2));
    let answer = fabric.pop_due(2 * CORE).expect("the answer");
    assert_eq!((answer.host, answer.packet.destination), (inside, SocketAddr::V4(at("192.168.0.2:4001"))));
}

#[test]
fn two_homes_behind_one_carrier_meet_at_the_carrier() {
    for (hairpinning, delivered) in [(Hairpinning::ExternalSource, vec![2]), (Hairpinning::Off, vec![])] {
        let mut world = World::new();
        let carrier = world.site("203.0.113.1", NatConfig { hairpinning, ..config(EI, EI) });
        let left = world.nested(Placement::Behind(carrier), "100.64.0.2", config(EI, EI));
        let right = world.nested(Placement::Behind(carrier), "100.64.0.3", config(EI, EI));
        world.inside(left, "192.168.0.2");
        let receiver = world.inside(right, "192.168.1.2");
        world.public("198.51.100.1");
        let mut fabric = world.build();
        fabric.send(NOW, packet(UDP, at("192.168.1.2:5000"), at("198.51.100.1:80"), 1));
        let seen = fabric.pop_due(CORE).expect("the request").packet.source;
        assert_eq!(seen, SocketAddr::V4(at("203.0.113.1:5000")));

        fabric.send(CORE, packet(UDP, at("192.168.0.2:4001"), at("203.0.113.1:5000"), 2));
        let arrived = deliveries(&mut fabric, CORE);
        assert_eq!(bodies(&arrived), delivered, "at once: it does not cross the core");
        assert_eq!(fabric.counters().hairpinned, delivered.len() as u64);
        for delivery in arrived {
            assert_eq!((delivery.host, delivery.packet.source), (receiver, SocketAddr::V4(at("203.0.113.1:4001"))));
        }

        // Within the network of the carrier the home's own external address is routable too.
        fabric.send(CORE, packet(UDP, at("192.168.0.2:4001"), at("100.64.0.3:5000"), 3));
        let direct = fabric.pop_due(CORE).expect("a delivery");
        assert_eq!((direct.host, direct.packet.source), (receiver, SocketAddr::V4(at("100.64.0.2:4001"))));
    }
}

#[test]
fn a_home_hairpins_to_its_own_external_address() {
    let mut world = World::new();
    let home = world.site("203.0.113.1", config(EI, EI));
    world.inside(home, "192.168.0.2");
    let right = world.inside(home, "192.168.0.3");
    world.public("198.51.100.1");
    let mut fabric = world.build();
    fabric.send(NOW, packet(UDP, at("192.168.0.3:5000"), at("198.51.100.1:80"), 1));
    fabric.send(NOW, packet(UDP, at("192.168.0.2:4001"), at("203.0.113.1:5000"), 2));
    let delivery = fabric.pop_due(NOW).expect("a delivery");
    assert_eq!((delivery.host, delivery.packet.source), (right, SocketAddr::V4(at("203.0.113.1:4001"))));
    assert_eq!(fabric.counters().hairpinned, 1);
}

#[test]
fn a_site_without_a_nat_has_public_addresses_behind_its_access_link() {
    let mut world = World::new();
    let access = AccessConfig::symmetric(LinkConfig::with_latency(millis(5)));
    let routed = SiteConfig { access, ..SiteConfig::routed(Placement::Core(world.region)) };
    let site = world.builder.site("office", routed).expect("a site");
    let inside = world.inside(site, "198.51.100.10");
    let public = world.public("198.51.100.1");
    let mut fabric = world.build();
    assert!(fabric.nat_chain(inside).is_empty());
    fabric.send(NOW, packet(UDP, at("198.51.100.10:1"), at("198.51.100.1:1"), 1));
    fabric.send(NOW, packet(UDP, at("198.51.100.1:1"), at("198.51.100.10:1"), 2));
    let arrived: Vec<_> = drain(&mut fabric).iter().map(|delivery| (delivery.host, delivery.at)).collect();
    assert_eq!(arrived, [(public, CORE + millis(5)), (inside, CORE + millis(5))]);
}
