//! A small network: three relays, a server of the DHT that relays nothing, and two peers behind NATs that no hole punch gets through.

pub(crate) mod forger;
#[path = "../../../node/tests/common/wait.rs"]
mod wait;

use std::sync::Arc;
use std::time::Duration;

use darkswap_fabric::nat::Behaviour;
use darkswap_fabric::{FabricBuilder, HostConfig, LinkConfig, NatConfig, NatKind, Placement, SiteConfig};
use darkswap_node::config::{Config, PeerAddress, Reachability};
use darkswap_node::event::Event;
use darkswap_node::{Handle, Node, Runtime};
use darkswap_sim::runtime::Names;
use darkswap_sim::{Setup, SimRuntime, Simulation, World};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;

pub(crate) const RELAYS: [&str; 3] = ["relay-1", "relay-2", "relay-3"];
pub(crate) const SERVER: &str = "server";
pub(crate) const ALICE: &str = "alice";
pub(crate) const PROBER: &str = "prober";

const PORT: u16 = 4_001;
/// Events that a test leaves unread at most.
const UNREAD: usize = 1 << 16;
/// Longer than any scene.
const LIMIT: Duration = Duration::from_secs(600);

/// Runs a scene.
pub(crate) fn run<F>(seed: u64, scene: impl FnOnce(World) -> F + Send + 'static)
where
    F: Future<Output = ()> + 'static,
{
    Simulation::new(seed).limit(LIMIT).run(setup, scene).unwrap();
}

fn setup() -> anyhow::Result<Setup> {
    let mut builder = FabricBuilder::new(1);
    let core = builder.region("core")?;
    builder.every_path(LinkConfig::with_latency(Duration::from_millis(20)));
    for (number, name) in (1..).zip([RELAYS[0], RELAYS[1], RELAYS[2], SERVER, "forger"]) {
        builder.host(name, HostConfig::new([198, 18, 0, number].into(), Placement::Core(core)))?;
    }
    let strict = NatKind::new(Behaviour::AddressAndPortDependent, Behaviour::AddressAndPortDependent);
    for (number, name) in (1..).zip([ALICE, PROBER]) {
        let external = [198, 19, 0, number].into();
        let site = SiteConfig::behind_nat(Placement::Core(core), external, NatConfig::new(strict));
        let site = builder.site(&format!("{name}'s home"), site)?;
        builder.host(name, HostConfig::new([10, 0, 0, number].into(), Placement::Behind(site)))?;
    }
    Ok(Setup { fabric: builder.build()?, names: Names::new() })
}

/// One host of the world.
pub(crate) fn host(world: &World, name: &str) -> Arc<SimRuntime> {
    world.runtime(world.host(name).unwrap()).unwrap()
}

/// A node that others reach, and that joins the DHT there.
pub(crate) fn public(bootstrap: &[PeerAddress]) -> Config {
    Config { reachability: Reachability::Public, ..node(bootstrap) }
}

/// A node that others do not reach.
pub(crate) fn private(bootstrap: &[PeerAddress]) -> Config {
    Config { reachability: Reachability::Private, ..node(bootstrap) }
}

fn node(bootstrap: &[PeerAddress]) -> Config {
    let listen = format!("/ip4/0.0.0.0/udp/{PORT}/quic-v1").parse().unwrap();
    Config { listen: vec![listen], bootstrap: bootstrap.to_vec(), ..Config::default() }
}

/// A running node, with everything that it reports.
pub(crate) struct Running {
    pub(crate) id: PeerId,
    pub(crate) handle: Handle,
    address: Multiaddr,
    events: mpsc::Receiver<Event>,
}

impl Running {
    pub(crate) fn start(world: &World, name: &str, config: Config) -> Self {
        let runtime = host(world, name);
        let mut seed = [0; 32];
        runtime.fill_random(&mut seed);
        let identity = Keypair::ed25519_from_bytes(seed).unwrap();
        let id = identity.public().to_peer_id();
        let mut node = Node::new(config, identity, Arc::<SimRuntime>::clone(&runtime)).unwrap();
        let (sender, events) = mpsc::channel(UNREAD);
        // A test that has seen enough drops the receiver.
        node.observe(move |event| assert!(sender.is_closed() || sender.try_send(event.clone()).is_ok()));
        let handle = node.handle();
        let address = Multiaddr::empty().with(Protocol::from(runtime.addresses()[0]));
        let address = address.with(Protocol::Udp(PORT)).with(Protocol::QuicV1);
        runtime.spawn("node", Box::pin(node.run()));
        Self { id, handle, address, events }
    }

    /// Waits for an event that was not looked at yet.
    pub(crate) async fn wait<T>(
        &mut self,
        patience: Duration,
        what: &str,
        found: impl FnMut(&Event) -> Option<T>,
    ) -> T {
        wait::wait(&mut self.events, patience, what, found).await
    }
}

/// Under which others know a node with a public address.
pub(crate) fn at(node: &Running) -> PeerAddress {
    PeerAddress { peer: node.id, address: node.address.clone() }
}
