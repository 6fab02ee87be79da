//! What one packet costs between two hosts: in the fabric alone, through no NAT, one, two and four.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use criterion::{BenchmarkId, Criterion, Throughput};
use darkswap_fabric::{
    Behaviour, Fabric, FabricBuilder, HostConfig, LinkConfig, NatConfig, NatKind, Packet, Placement, Protocol,
    SiteConfig,
};

/// Packets per measured iteration.
const PACKETS: u64 = 1_000;
/// Pause between two packets, so that some are under way at any time.
const PAUSE: Duration = Duration::from_micros(100);
const LATENCY: Duration = Duration::from_millis(10);
const SERVER: ([u8; 4], u16) = ([198, 51, 100, 1], 4_001);
const CLIENT: ([u8; 4], u16) = ([192, 168, 0, 2], 4_001);
/// Bytes of a datagram with its headers.
const SIZE: u32 = 1_228;

fn main() -> Result<()> {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    let mut group = criterion.benchmark_group("fabric");
    group.throughput(Throughput::Elements(PACKETS));
    for nats in [0, 1, 2, 4] {
        let (mut fabric, mut now) = (network(nats)?, Duration::ZERO);
        group.bench_function(BenchmarkId::new("packet through NATs", nats), |bencher| {
            bencher.iter(|| carry(&mut fabric, &mut now));
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// A public server, and a client behind so many NATs in a row.
fn network(nats: u8) -> Result<Fabric<u64>> {
    let mut builder = FabricBuilder::new(1);
    let mut place = Placement::Core(builder.region("core")?);
    builder.every_path(LinkConfig::with_latency(LATENCY));
    builder.host("server", HostConfig::new(SERVER.0.into(), place))?;
    for nat in 0..nats {
        let outside = if nat == 0 { Ipv4Addr::new(203, 0, 113, 1) } else { Ipv4Addr::new(10, 0, nat, 1) };
        let kind = NatKind::new(Behaviour::EndpointIndependent, Behaviour::AddressAndPortDependent);
        let site = SiteConfig::behind_nat(place, outside, NatConfig::new(kind));
        place = Placement::Behind(builder.site(&format!("site-{nat}"), site)?);
    }
    builder.host("client", HostConfig::new(CLIENT.0.into(), place))?;
    Ok(builder.build()?)
}

fn carry(fabric: &mut Fabric<u64>, now: &mut Duration) {
    for body in 0..PACKETS {
        *now += PAUSE;
        let (source, destination) = (SocketAddr::from(CLIENT), SocketAddr::from(SERVER));
        fabric.send(*now, Packet { source, destination, protocol: Protocol::Udp, size: SIZE, body });
        while let Some(delivery) = fabric.pop_due(*now) {
            black_box(delivery);
        }
    }
}
