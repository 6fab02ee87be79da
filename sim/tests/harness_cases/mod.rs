//! A small network for the cases: two public hosts and one behind a NAT, 10 ms apart from each other.

mod capture;
mod connections;
mod crash;
mod disk;
mod ends;
mod packets;

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use darkswap_fabric::{Behaviour, FabricBuilder, HostConfig, LinkConfig, NatConfig, NatKind, Placement, SiteConfig};
use darkswap_node::{Runtime, TcpListener, TcpStream, UdpSocket};
use darkswap_sim::runtime::Names;
use darkswap_sim::{Outcome, Setup, SimRuntime, Simulation, World};

const LATENCY: Duration = Duration::from_millis(10);
const NAT_ADDRESS: [u8; 4] = [203, 0, 113, 1];

fn setup() -> Result<Setup> {
    let mut builder = FabricBuilder::new(1);
    let core = builder.region("core")?;
    builder.every_path(LinkConfig::with_latency(LATENCY));
    let nat = NatConfig::new(NatKind::new(Behaviour::EndpointIndependent, Behaviour::AddressAndPortDependent));
    let home = builder.site("home", SiteConfig::behind_nat(Placement::Core(core), NAT_ADDRESS.into(), nat))?;
    builder.host("one", HostConfig::new("198.51.100.1".parse()?, Placement::Core(core)))?;
    builder.host("two", HostConfig::new("198.51.100.2".parse()?, Placement::Core(core)))?;
    builder.host("private", HostConfig::new("192.168.0.2".parse()?, Placement::Behind(home)))?;
    let names = Names::from([("two.example".to_owned(), vec!["198.51.100.2".parse()?])]);
    Ok(Setup { fabric: builder.build()?, names })
}

fn run<F, T>(case: fn(World) -> F) -> Outcome<T>
where
    F: Future<Output = T> + 'static,
    T: Send + 'static,
{
    Simulation::new(1).limit(Duration::from_secs(3_600)).run(setup, case).unwrap()
}

fn host(world: &World, name: &str) -> Arc<SimRuntime> {
    world.runtime(world.host(name).unwrap()).unwrap()
}

fn on(host: &SimRuntime, port: u16) -> SocketAddr {
    SocketAddr::new(host.addresses()[0], port)
}

async fn receive(socket: &Arc<dyn UdpSocket>) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 2_000];
    let (length, sender) = poll_fn(|cx| socket.poll_recv(cx, &mut buffer)).await.unwrap();
    buffer.truncate(length);
    (buffer, sender)
}

async fn accept(listener: &mut Box<dyn TcpListener>) -> (Box<dyn TcpStream>, SocketAddr) {
    poll_fn(|cx| listener.poll_accept(cx)).await.unwrap()
}

/// A connection from one host to another: the first host's end, the other's end.
async fn connection(from: &SimRuntime, to: &SimRuntime) -> (Box<dyn TcpStream>, Box<dyn TcpStream>) {
    let mut listener = to.listen_tcp(on(to, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (here, (there, _)) = tokio::join!(from.connect_tcp(address), accept(&mut listener));
    (here.unwrap(), there)
}
