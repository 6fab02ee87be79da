//! Determinism: the same seed gives the same trace, in a process of its own each, whatever the workload draws from.
//!
//! This test program links the replacements of clock and entropy as the worker does, and runs itself as the child.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what must not differ between runs is drawn on here"
)]
#![cfg(all(target_os = "linux", target_env = "gnu"))]

#[path = "../src/interpose.rs"]
mod interpose;

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use darkswap_fabric::{FabricBuilder, HostConfig, LinkConfig, Placement, Probability};
use darkswap_node::{Runtime, UdpSocket};
use darkswap_sim::runtime::Names;
use darkswap_sim::simulated_thread::{self, SimulatedClock};
use darkswap_sim::{Setup, SimRuntime, Simulation, World, cost};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SEED: &str = "DARKSWAP_TEST_SEED";
const HOSTS: u8 = 10;

#[test]
fn a_seed_gives_one_trace_and_another_seed_another() {
    let first = in_child("1");
    assert_eq!(first, in_child("1"));
    assert_ne!(first, in_child("2"));
}

#[test]
fn the_simulated_thread_sees_simulated_time_and_entropy_and_only_that_thread() {
    let outcome = Simulation::new(3).require_interposition().run(setup, |world| async move {
        let (instant, calendar) = (Instant::now(), SystemTime::now());
        let started = cost::real_now();
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!(instant.elapsed(), Duration::from_secs(3_600));
        assert_eq!(calendar.elapsed().unwrap(), Duration::from_secs(3_600));
        assert!(cost::real_now() - started < Duration::from_secs(60), "costs are measured in real time");
        let wall_clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(wall_clock, host(&world, 0).wall_clock());
        let elsewhere = std::thread::spawn(|| simulated_thread::time(SimulatedClock::WallClock));
        assert_eq!(elsewhere.join().unwrap(), None);
    });
    assert_eq!(outcome.unwrap().simulated, Duration::from_secs(3_600));
}

#[test]
fn keys_follow_from_the_seed() {
    let key = |seed| {
        let generate = |_| async { libp2p::identity::Keypair::generate_ed25519().public().to_peer_id() };
        Simulation::new(seed).require_interposition().run(setup, generate).unwrap().value
    };
    assert_eq!(key(3), key(3));
    assert_ne!(key(3), key(4));
}

/// Runs the workload in a process of its own and returns the trace hash that it prints.
fn in_child(seed: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(SEED, seed)
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    output.lines().find_map(|line| line.strip_prefix("trace ")).unwrap_or_else(|| panic!("{output}")).to_owned()
}

#[test]
#[ignore = "the child of another test"]
fn child() {
    let seed = std::env::var(SEED).unwrap().parse().unwrap();
    let outcome = Simulation::new(seed).require_interposition().run(setup, workload).unwrap();
    assert!(outcome.packets.delivered > 1_000);
    #[expect(clippy::print_stdout, reason = "the parent reads it")]
    {
        println!("\ntrace {} {:?}", outcome.trace_hash, outcome.value);
    }
}

fn setup() -> anyhow::Result<Setup> {
    let mut builder = FabricBuilder::new(7);
    let core = builder.region("core")?;
    let lossy = LinkConfig { loss: Probability::new(0.02)?, ..LinkConfig::with_latency(Duration::from_micros(12_345)) };
    builder.every_path(lossy);
    for index in 0..HOSTS {
        builder
            .host(&index.to_string(), HostConfig::new(Ipv4Addr::new(198, 51, 100, index + 1), Placement::Core(core)))?;
    }
    Ok(Setup { fabric: builder.build()?, names: Names::new() })
}

fn host(world: &World, index: u8) -> Arc<SimRuntime> {
    world.runtime(world.host(&index.to_string()).unwrap()).unwrap()
}

fn address(index: u8, port: u16) -> SocketAddr {
    (Ipv4Addr::new(198, 51, 100, index + 1), port).into()
}

/// Everything that could differ from run to run ends up in packets: the order of hash maps, keys, the choice of `select!`, clocks.
async fn workload(world: World) -> u64 {
    for index in 0..HOSTS {
        let host = host(&world, index);
        let socket = host.bind_udp(address(index, 4_001)).unwrap();
        host.spawn("datagrams", Box::pin(datagrams(Arc::clone(&host), socket)));
        let mut listener = host.listen_tcp(address(index, 4_001)).unwrap();
        let runtime = Arc::clone(&host);
        host.spawn(
            "serve",
            Box::pin(async move {
                while let Ok((stream, _)) = poll_fn(|cx| listener.poll_accept(cx)).await {
                    let (mut reader, mut writer) = tokio::io::split(stream);
                    runtime
                        .spawn("echo", Box::pin(async move { drop(tokio::io::copy(&mut reader, &mut writer).await) }));
                }
            }),
        );
        host.spawn("transfers", Box::pin(transfers(Arc::clone(&host), index)));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let crashed = world.host("3").unwrap();
    world.crash(crashed).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.restart(crashed).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.fabric(|fabric| fabric.counters().delivered)
}

async fn datagrams(host: Arc<SimRuntime>, socket: Arc<dyn UdpSocket>) {
    let mut others: HashMap<SocketAddr, [u8; 8]> = HashMap::new();
    for index in 0..HOSTS {
        let mut nonce = [0; 8];
        host.fill_random(&mut nonce);
        others.insert(address(index, 4_001), nonce);
    }
    let mut buffer = [0; 2_000];
    loop {
        tokio::select! {
            received = poll_fn(|cx| socket.poll_recv(cx, &mut buffer)) => {
                let (length, sender) = received.unwrap();
                if length > 40 {
                    socket.try_send(&buffer[..8], sender).unwrap();
                }
            }
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos().to_le_bytes();
                for (other, nonce) in &others {
                    let key = libp2p::identity::Keypair::generate_ed25519().public().to_peer_id().to_bytes();
                    socket.try_send(&[nonce.as_slice(), &now, &key].concat(), *other).unwrap();
                }
            }
        }
    }
}

async fn transfers(host: Arc<SimRuntime>, index: u8) {
    loop {
        let other = address((index + 1) % HOSTS, 4_001);
        let exchange = async {
            let mut stream = host.connect_tcp(other).await?;
            stream.write_all(&[index; 20_000]).await?;
            stream.read_exact(&mut [0; 20_000]).await
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), exchange).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
