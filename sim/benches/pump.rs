//! What the harness costs without nodes: idle hosts, one busy pair among idle hosts, and packets with and without a NAT.
//!
//! Times are CPU time of the simulating thread, without the time to build the world.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use criterion::{BenchmarkId, Criterion, Throughput};
use darkswap_fabric::{Behaviour, FabricBuilder, HostConfig, LinkConfig, NatConfig, NatKind, Placement, SiteConfig};
use darkswap_node::{Runtime as _, UdpSocket};
use darkswap_sim::cost::thread_cpu_now;
use darkswap_sim::runtime::Names;
use darkswap_sim::{Setup, SimRuntime, Simulation, World};

const LATENCY: Duration = Duration::from_millis(10);
const PORT: u16 = 4_001;
const SECOND: Duration = Duration::from_secs(1);
/// Datagrams that the busy pair sends in a second, one in each millisecond.
const DATAGRAMS: u32 = 1_000;
const PAYLOAD: [u8; 1_200] = [7; 1_200];

fn main() -> Result<()> {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(SECOND * 2)
        .sample_size(10)
        .configure_from_args();

    let mut group = criterion.benchmark_group("idle hosts, one simulated second");
    for hosts in [10, 100, 1_000] {
        group.bench_function(BenchmarkId::from_parameter(hosts), |bencher| {
            bencher.iter_custom(|seconds| measure(Crowd { hosts, nat: false }, Work::Idle, seconds));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("1,000 datagrams of a pair among idle hosts");
    group.throughput(Throughput::Elements(DATAGRAMS.into()));
    for hosts in [10, 100, 1_000] {
        group.bench_function(BenchmarkId::from_parameter(hosts), |bencher| {
            bencher.iter_custom(|seconds| measure(Crowd { hosts, nat: false }, Work::Pair, seconds));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("1,000 datagrams of a pair");
    group.throughput(Throughput::Elements(DATAGRAMS.into()));
    for (name, nat) in [("public", false), ("from behind a NAT", true)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|seconds| measure(Crowd { hosts: 2, nat }, Work::Pair, seconds));
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// Who is there.
#[derive(Clone, Copy)]
struct Crowd {
    hosts: u32,
    /// Whether the first host, which sends, is behind a NAT.
    nat: bool,
}

/// What they do.
#[derive(Clone, Copy)]
enum Work {
    Idle,
    Pair,
}

/// CPU time of so many simulated seconds.
fn measure(crowd: Crowd, work: Work, seconds: u64) -> Duration {
    // An idle second costs so little that criterion asks for very many.
    let limit = Duration::from_secs(seconds.saturating_mul(2)).saturating_add(SECOND);
    let run = Simulation::new(1).limit(limit).run(
        move || crowd.build(),
        move |world| async move {
            let sockets = crowd.sockets(&world)?;
            let (sender, receiver) = (Arc::clone(&sockets[0]), Arc::clone(&sockets[1]));
            let start = thread_cpu_now();
            for _ in 0..seconds {
                match work {
                    Work::Idle => tokio::time::sleep(SECOND).await,
                    Work::Pair => exchange(&sender, &receiver).await?,
                }
            }
            anyhow::Ok(thread_cpu_now() - start)
        },
    );
    run.and_then(|outcome| outcome.value).unwrap_or_else(|error| panic!("the benchmark does not run: {error:#}"))
}

async fn exchange(sender: &Arc<dyn UdpSocket>, receiver: &Arc<dyn UdpSocket>) -> Result<()> {
    let remote = receiver.local_addr()?;
    let mut buffer = [0; 2_000];
    let send = async {
        for _ in 0..DATAGRAMS {
            sender.try_send(&PAYLOAD, remote)?;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        anyhow::Ok(())
    };
    let receive = async {
        for _ in 0..DATAGRAMS {
            poll_fn(|cx| receiver.poll_recv(cx, &mut buffer)).await?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(send, receive).map(|_| ())
}

impl Crowd {
    fn build(self) -> Result<Setup> {
        let mut builder = FabricBuilder::new(1);
        let core = Placement::Core(builder.region("core")?);
        builder.every_path(LinkConfig::with_latency(LATENCY));
        let kind = NatKind::new(Behaviour::EndpointIndependent, Behaviour::AddressAndPortDependent);
        let home = SiteConfig::behind_nat(core, Ipv4Addr::new(203, 0, 113, 1), NatConfig::new(kind));
        let home = Placement::Behind(builder.site("home", home)?);
        for host in 0..self.hosts {
            let place = if self.nat && host == 0 { home } else { core };
            // 200 hosts to a network of 256 addresses, none of them its first or last.
            let address = Ipv4Addr::from_bits(0x0a00_0001 + host / 200 * 256 + host % 200);
            builder.host(&name(host), HostConfig::new(address, place))?;
        }
        Ok(Setup { fabric: builder.build()?, names: Names::new() })
    }

    /// Two sockets on every host, as a node has at least.
    fn sockets(self, world: &World) -> Result<Vec<Arc<dyn UdpSocket>>> {
        let bind = |host: u32, port| {
            let index = world.host(&name(host)).context("a host of the world")?;
            let runtime: Arc<SimRuntime> = world.runtime(index)?;
            Ok(runtime.bind_udp(SocketAddr::new(runtime.addresses()[0], port))?)
        };
        let first = (0..self.hosts).map(|host| bind(host, PORT));
        let second = (0..self.hosts).map(|host| bind(host, PORT + 1));
        first.chain(second).collect()
    }
}

fn name(host: u32) -> String {
    format!("host-{host}")
}
