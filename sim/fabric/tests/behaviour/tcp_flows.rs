//! TCP segments are late, never lost.

use std::time::Duration;

use darkswap_fabric::{
    AccessConfig, Bandwidth, Fabric, HostConfig, LinkConfig, Placement, Probability, Protocol, QueueLimit, Reordering,
    TcpFlags,
};

use crate::support::{CORE, DATA, World, at, bodies, drain, millis, packet, secs, share};

/// Two public hosts whose links do everything bad at once.
fn bad_links() -> Fabric<u32> {
    let bad = LinkConfig {
        jitter: millis(30),
        loss: share(0.2),
        reordering: Reordering { probability: share(0.3), extra_delay: millis(40) },
        duplication: share(0.3),
        bandwidth: Bandwidth::from_bits_per_second(800_000),
        queue: Some(QueueLimit::Bytes(300)),
        ..LinkConfig::with_latency(CORE)
    };
    let mut world = World::with_path(LinkConfig { bandwidth: None, ..bad });
    for address in ["198.51.100.1", "198.51.100.2"] {
        let config = HostConfig::new(address.parse().expect("an address"), Placement::Core(world.region));
        let access = AccessConfig::symmetric(bad);
        world.builder.host(address, HostConfig { access, ..config }).expect("a host");
    }
    world.build()
}

#[test]
fn a_flow_arrives_complete_and_in_order_whatever_the_links_do() {
    let mut fabric = bad_links();
    for number in 0..2_000 {
        fabric.send(millis(u64::from(number) / 2), packet(DATA, at("198.51.100.1:1"), at("198.51.100.2:1"), number));
    }
    let arrived = drain(&mut fabric);
    assert_eq!(bodies(&arrived), (0..2_000).collect::<Vec<_>>());
    assert!(fabric.counters().tcp_delayed > 500);
    assert_eq!((fabric.counters().duplicated, fabric.counters().reordered, fabric.counters().lost), (0, 0, 0));
}

#[test]
fn a_lost_segment_blocks_its_own_flow_but_no_other() {
    let mut world = World::with_path(LinkConfig { loss: share(0.1), ..LinkConfig::with_latency(CORE) });
    world.public("198.51.100.1");
    world.public("198.51.100.2");
    let mut fabric = world.build();
    for number in 0..200 {
        for port in [1, 2] {
            let source = std::net::SocketAddrV4::new([198, 51, 100, 1].into(), port);
            fabric.send(millis(number.into()), packet(DATA, source, at("198.51.100.2:9"), number));
        }
    }
    let arrived = drain(&mut fabric);
    let times = |port| {
        let of_port = arrived.iter().filter(move |delivery| delivery.packet.source.port() == port);
        of_port.map(|delivery| delivery.at).collect::<Vec<_>>()
    };
    let (one, other) = (times(1), times(2));
    assert_ne!(one, other);
    let together = one.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(together > 0, "segments behind a lost one arrive with it");
    assert!(one.iter().zip(0..).all(|(at, number)| *at >= CORE + millis(number)));
}

#[test]
fn a_link_that_loses_everything_delays_a_segment_by_a_bounded_time() {
    let mut world = World::with_path(LinkConfig { loss: Probability::ALWAYS, ..LinkConfig::with_latency(CORE) });
    world.public("198.51.100.1");
    world.public("198.51.100.2");
    let mut fabric = world.build();
    let syn = Protocol::Tcp(TcpFlags { syn: true, ..TcpFlags::default() });
    fabric.send(Duration::ZERO, packet(syn, at("198.51.100.1:1"), at("198.51.100.2:1"), 1));
    let arrived = drain(&mut fabric);
    assert_eq!(arrived.first().map(|delivery| delivery.at), Some(CORE + secs(63)));
}
