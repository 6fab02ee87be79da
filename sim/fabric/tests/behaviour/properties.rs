//! Laws that hold for every sequence of packets and faults.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use darkswap_fabric::{
    AccessPoint, AfterReset, Bandwidth, Delivery, Fabric, Fault, FaultId, GilbertElliott, HostIndex, LinkConfig,
    LinkRef, NatConfig, NatKind, NatLimits, Packet, Placement, Protocol, QueueLimit, Reordering, SiteIndex, TcpFlags,
    Transport, Unsolicited,
};
use proptest::prelude::*;

use crate::support::{CORE, PORT_ASSIGNMENTS, World, millis, share};

/// One call to the fabric.
#[derive(Debug, Clone)]
enum Act {
    Send { source: (u8, u16), destination: (u8, u16), protocol: Protocol, size: u32 },
    Wait(u16),
    Apply(u8, u8),
    Lift(u8),
}

const ADDRESSES: [[u8; 4]; 12] = [
    [198, 51, 100, 1],
    [198, 51, 100, 2],
    [192, 168, 0, 2],
    [192, 168, 0, 3],
    [192, 168, 1, 2],
    [192, 168, 2, 2],
    [203, 0, 113, 1],
    [203, 0, 113, 2],
    [100, 64, 0, 2],
    [100, 64, 0, 3],
    [127, 0, 0, 1],
    [0, 0, 0, 0],
];

fn endpoint((address, port): (u8, u16)) -> SocketAddr {
    let address = ADDRESSES[usize::from(address) % ADDRESSES.len()];
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from(address), port))
}

/// Public hosts, a home, and a carrier with two homes, on bad links.
fn fabric(kind: usize, ports: usize, unsolicited: Unsolicited) -> Fabric<u32> {
    let burst = GilbertElliott {
        good_to_bad: share(0.1),
        bad_to_good: share(0.3),
        loss_in_good: share(0.01),
        loss_in_bad: share(0.5),
    };
    let path = LinkConfig {
        jitter: millis(7),
        bandwidth: Bandwidth::from_bits_per_second(10_000_000),
        queue: Some(QueueLimit::Bytes(5_000)),
        loss: share(0.05),
        burst: Some(burst),
        reordering: Reordering { probability: share(0.1), extra_delay: millis(3) },
        duplication: share(0.1),
        ..LinkConfig::with_latency(CORE)
    };
    let kinds: Vec<NatKind> = NatKind::all().collect();
    let limits = NatLimits { mappings: 12, mappings_per_host: 8, sessions_per_mapping: 3, tracked: 4 };
    let nat = NatConfig {
        ports: PORT_ASSIGNMENTS[ports % PORT_ASSIGNMENTS.len()],
        unsolicited,
        limits,
        ..NatConfig::new(kinds[kind % kinds.len()])
    };
    let mut world = World::with_path(path);
    world.public("198.51.100.1");
    world.public("198.51.100.2");
    let home = world.site("203.0.113.1", nat);
    world.inside(home, "192.168.0.2");
    world.inside(home, "192.168.0.3");
    let carrier = world.site("203.0.113.2", nat);
    for (external, inside) in [("100.64.0.2", "192.168.1.2"), ("100.64.0.3", "192.168.2.2")] {
        let nested = world.nested(Placement::Behind(carrier), external, nat);
        world.inside(nested, inside);
    }
    world.build()
}

fn fault(kind: u8, target: u8) -> Fault {
    let (host, site) = (HostIndex(u32::from(target) % 6), SiteIndex(u32::from(target) % 4));
    let lossy = LinkConfig { loss: share(0.5), ..LinkConfig::with_latency(millis(1)) };
    match kind % 8 {
        0 => Fault::Partition { groups: vec![vec![HostIndex(0), host], (1..6).map(HostIndex).collect()] },
        1 => Fault::HostDown { host },
        2 => Fault::LinkDown { at: AccessPoint::Host(host) },
        3 => Fault::LinkDown { at: AccessPoint::Site(site) },
        4 => Fault::NatReset { site, after: AfterReset::Fresh },
        5 => Fault::NatReset { site, after: AfterReset::Reassigned },
        6 => Fault::Impairment { link: LinkRef::Up(AccessPoint::Host(host)), config: lossy },
        _ => Fault::Impairment { link: LinkRef::Lan(site), config: lossy },
    }
}

/// Does everything and delivers what is due; returns the deliveries and the faults that were applied.
fn play(fabric: &mut Fabric<u32>, acts: &[Act]) -> (Vec<Delivery<u32>>, Vec<FaultId>) {
    let (mut now, mut delivered, mut faults) = (Duration::ZERO, Vec::new(), Vec::new());
    for (number, act) in acts.iter().enumerate() {
        match act {
            Act::Send { source, destination, protocol, size } => {
                let (source, destination) = (endpoint(*source), endpoint(*destination));
                let body = number as u32;
                fabric.send(now, Packet { source, destination, protocol: *protocol, size: *size, body });
            }
            Act::Wait(milliseconds) => {
                now += millis((*milliseconds).into());
                delivered.extend(std::iter::from_fn(|| fabric.pop_due(now)));
            }
            Act::Apply(kind, target) => faults.extend(fabric.apply(now, fault(*kind, *target))),
            Act::Lift(index) => {
                let _ = fabric.lift(now, FaultId((*index).into()));
            }
        }
    }
    (delivered, faults)
}

/// Lifts all faults and delivers what is left.
fn settle(fabric: &mut Fabric<u32>, faults: &[FaultId], delivered: &mut Vec<Delivery<u32>>) {
    for &id in faults {
        let _ = fabric.lift(Duration::from_secs(10_000), id);
    }
    delivered.extend(std::iter::from_fn(|| fabric.pop_due(Duration::MAX)));
}

fn any_act() -> impl Strategy<Value = Act> {
    let endpoint = || (any::<u8>(), prop_oneof![8 => 4_000..4_003_u16, 1 => any::<u16>()]);
    let flags = any::<(bool, bool, bool)>().prop_map(|(syn, fin, rst)| TcpFlags { syn, fin, rst });
    let protocol = prop_oneof![Just(Protocol::Udp), flags.prop_map(Protocol::Tcp)];
    let size = prop_oneof![20 => 40..1_500_u32, 1 => any::<u32>()];
    prop_oneof![
        12 => (endpoint(), endpoint(), protocol, size).prop_map(|(source, destination, protocol, size)| {
            Act::Send { source, destination, protocol, size }
        }),
        4 => (0..200_u16).prop_map(Act::Wait),
        1 => any::<(u8, u8)>().prop_map(|(kind, target)| Act::Apply(kind, target)),
        1 => (0..8_u8).prop_map(Act::Lift),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_packet_is_accounted_for_and_nothing_panics(
        kind in 0..9_usize,
        ports in 0..4_usize,
        track in any::<bool>(),
        acts in prop::collection::vec(any_act(), 1..150),
    ) {
        let unsolicited = if track { Unsolicited::Track } else { Unsolicited::Drop };
        let mut fabric = fabric(kind, ports, unsolicited);
        let (mut delivered, faults) = play(&mut fabric, &acts);
        let counters = *fabric.counters();
        prop_assert_eq!(counters.sent + counters.duplicated, counters.ended() + fabric.in_flight() as u64);
        settle(&mut fabric, &faults, &mut delivered);
        prop_assert_eq!(fabric.in_flight(), 0);
        let counters = *fabric.counters();
        prop_assert_eq!(counters.sent + counters.duplicated, counters.ended());
        prop_assert!(delivered.iter().is_sorted_by_key(|delivery| delivery.at));
        let nats = (0..4).filter_map(|site| fabric.nat(SiteIndex(site)));
        let dropped: u64 = nats.map(|nat| nat.counters().dropped()).sum();
        prop_assert_eq!(counters.filtered, dropped);
    }

    #[test]
    fn segments_of_a_flow_keep_their_order(
        kind in 0..9_usize,
        acts in prop::collection::vec(any_act(), 1..150),
    ) {
        let mut fabric = fabric(kind, 0, Unsolicited::Drop);
        let (mut delivered, faults) = play(&mut fabric, &acts);
        settle(&mut fabric, &faults, &mut delivered);
        let segments: Vec<_> = delivered
            .iter()
            .filter(|delivery| delivery.packet.protocol.transport() == Transport::Tcp)
            .map(|delivery| (delivery.sender, &delivery.packet))
            .map(|(sender, packet)| (sender, packet.source, packet.destination, packet.body))
            .collect();
        for (index, segment) in segments.iter().enumerate() {
            for later in &segments[index + 1..] {
                let same_flow = (segment.0, segment.1, segment.2) == (later.0, later.1, later.2);
                prop_assert!(!same_flow || segment.3 < later.3, "{:?} before {:?}", segment, later);
            }
        }
    }

    #[test]
    fn the_same_calls_give_the_same_results(
        kind in 0..9_usize,
        ports in 0..4_usize,
        acts in prop::collection::vec(any_act(), 1..150),
    ) {
        let run = || {
            let mut fabric = fabric(kind, ports, Unsolicited::Track);
            let (mut delivered, faults) = play(&mut fabric, &acts);
            settle(&mut fabric, &faults, &mut delivered);
            let touched: Vec<u64> = faults.iter().map(|&id| fabric.touched(id)).collect();
            (delivered, touched, *fabric.counters())
        };
        prop_assert_eq!(run(), run());
    }
}
