//! What links do to datagrams.

use std::time::Duration;

use darkswap_fabric::{
    AccessConfig, Bandwidth, Fabric, GilbertElliott, HostConfig, LinkConfig, Placement, Probability, QueueLimit,
    Reordering,
};

use crate::support::{CORE, UDP, World, at, bodies, drain, millis, packet, share};

const PACKETS: u32 = 20_000;

/// Two public hosts with one path between them.
fn pair(path: LinkConfig) -> Fabric<u32> {
    let mut world = World::with_path(path);
    world.public("198.51.100.1");
    world.public("198.51.100.2");
    world.build()
}

/// Sends datagrams one millisecond apart.
fn stream(fabric: &mut Fabric<u32>, packets: u32) {
    for number in 0..packets {
        let datagram = packet(UDP, at("198.51.100.1:1"), at("198.51.100.2:1"), number);
        fabric.send(millis(number.into()), datagram);
    }
}

fn lost_share(lost: u64) -> f64 {
    lost as f64 / f64::from(PACKETS)
}

#[test]
fn independent_loss_strikes_the_configured_share() {
    let mut fabric = pair(LinkConfig { loss: share(0.05), ..LinkConfig::with_latency(CORE) });
    stream(&mut fabric, PACKETS);
    let delivered = drain(&mut fabric).len() as u64;
    let lost = fabric.counters().lost;
    assert_eq!(delivered + lost, u64::from(PACKETS));
    assert!((lost_share(lost) - 0.05).abs() < 0.005, "{lost}");
}

#[test]
fn bursty_loss_strikes_the_long_run_share_and_is_counted_apart() {
    let model = GilbertElliott {
        good_to_bad: share(0.01),
        bad_to_good: share(0.1),
        loss_in_good: Probability::NEVER,
        loss_in_bad: share(0.5),
    };
    let mut fabric = pair(LinkConfig { burst: Some(model), ..LinkConfig::with_latency(CORE) });
    stream(&mut fabric, PACKETS);
    drain(&mut fabric);
    assert_eq!(fabric.counters().lost, 0);
    let measured = lost_share(fabric.counters().lost_burst);
    assert!((measured - model.long_run_loss()).abs() < 0.01, "{measured}");
}

#[test]
fn duplicated_datagrams_arrive_twice() {
    let mut fabric = pair(LinkConfig { duplication: Probability::ALWAYS, ..LinkConfig::with_latency(CORE) });
    stream(&mut fabric, 3);
    assert_eq!(bodies(&drain(&mut fabric)), [0, 0, 1, 1, 2, 2]);
    assert_eq!(fabric.counters().duplicated, 3);
}

#[test]
fn jitter_delays_but_does_not_reorder() {
    let mut fabric = pair(LinkConfig { jitter: millis(50), ..LinkConfig::with_latency(CORE) });
    stream(&mut fabric, 1_000);
    let arrived = drain(&mut fabric);
    assert_eq!(bodies(&arrived), (0..1_000).collect::<Vec<_>>());
    let delays: Vec<_> = arrived.iter().map(|delivery| delivery.at - millis(delivery.packet.body.into())).collect();
    assert!(delays.iter().all(|delay| (CORE..=CORE + millis(50)).contains(delay)));
    assert!(delays.iter().max() > delays.iter().min());
}

#[test]
fn a_reordered_datagram_is_overtaken() {
    let reordering = Reordering { probability: share(0.1), extra_delay: millis(10) };
    let mut fabric = pair(LinkConfig { reordering, ..LinkConfig::with_latency(CORE) });
    stream(&mut fabric, 1_000);
    let arrived = bodies(&drain(&mut fabric));
    let overtaken = arrived.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(overtaken > 20, "{overtaken}");
    assert!((50..200).contains(&fabric.counters().reordered));
}

/// Two hosts, the first with a slow uplink of 100 bytes per millisecond.
fn slow_uplink(queue: QueueLimit) -> Fabric<u32> {
    let mut world = World::new();
    let bandwidth = Bandwidth::from_bits_per_second(800_000);
    let up = LinkConfig { bandwidth, queue: Some(queue), ..LinkConfig::default() };
    let access = AccessConfig { up, ..AccessConfig::default() };
    let config = HostConfig::new("198.51.100.1".parse().expect("an address"), Placement::Core(world.region));
    world.builder.host("slow", HostConfig { access, ..config }).expect("a host");
    world.public("198.51.100.2");
    world.build()
}

#[test]
fn a_queue_takes_what_its_bound_allows_and_drops_the_rest() {
    for queue in [QueueLimit::Bytes(500), QueueLimit::Time(millis(5))] {
        let mut fabric = slow_uplink(queue);
        for number in 0..20 {
            fabric.send(Duration::ZERO, packet(UDP, at("198.51.100.1:1"), at("198.51.100.2:1"), number));
        }
        let arrived = drain(&mut fabric);
        let times: Vec<_> = arrived.iter().map(|delivery| delivery.at - CORE).collect();
        assert_eq!(times, [1, 2, 3, 4, 5].map(millis), "{queue:?}");
        assert_eq!(fabric.counters().queue_dropped, 15);
    }
}

#[test]
fn the_two_directions_of_an_access_link_are_independent() {
    let mut fabric = slow_uplink(QueueLimit::DEFAULT);
    for number in 0..3 {
        fabric.send(Duration::ZERO, packet(UDP, at("198.51.100.2:1"), at("198.51.100.1:1"), number));
    }
    assert!(drain(&mut fabric).iter().all(|delivery| delivery.at == CORE), "the downlink is not limited");
}

#[test]
fn an_idle_link_takes_a_packet_larger_than_its_queue() {
    let mut fabric = slow_uplink(QueueLimit::Bytes(10));
    fabric.send(Duration::ZERO, packet(UDP, at("198.51.100.1:1"), at("198.51.100.2:1"), 1));
    fabric.send(Duration::ZERO, packet(UDP, at("198.51.100.1:1"), at("198.51.100.2:1"), 2));
    assert_eq!(bodies(&drain(&mut fabric)), [1]);
}
