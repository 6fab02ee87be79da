//! A network of two hosts, `server` and `client`, and simulations on it.

use std::sync::Arc;
use std::time::Duration;

use darkswap_fabric::{FabricBuilder, HostConfig, LinkConfig, Placement};
use darkswap_node::Runtime;
use darkswap_sim::indexer::{self, Indexer};
use darkswap_sim::runtime::Names;
use darkswap_sim::{Setup, SimRuntime, Simulation, World};

/// From one to the other.
pub(crate) const LATENCY: Duration = Duration::from_millis(10);

/// Runs a scene for at most `limit` of virtual time.
pub(crate) fn run<T: Send + 'static, F>(
    seed: u64,
    limit: Duration,
    scene: impl FnOnce(World) -> F + Send + 'static,
) -> T
where
    F: Future<Output = T> + 'static,
{
    Simulation::new(seed).limit(limit).run(setup, scene).unwrap().value
}

fn setup() -> anyhow::Result<Setup> {
    let mut builder = FabricBuilder::new(1);
    let core = builder.region("core")?;
    builder.every_path(LinkConfig::with_latency(LATENCY));
    builder.host("server", HostConfig::new("198.51.100.1".parse()?, Placement::Core(core)))?;
    builder.host("client", HostConfig::new("198.51.100.2".parse()?, Placement::Core(core)))?;
    Ok(Setup { fabric: builder.build()?, names: Names::new() })
}

/// One of the two.
pub(crate) fn host(world: &World, name: &str) -> Arc<SimRuntime> {
    world.runtime(world.host(name).unwrap()).unwrap()
}

/// Lets the bitcoind on `server` listen.
pub(crate) fn serve_rpc(world: &World, indexer: &Indexer) {
    let server = host(world, "server");
    let runtime: Arc<dyn Runtime> = Arc::<SimRuntime>::clone(&server);
    let rpc = indexer::serve_rpc(runtime, server.addresses()[0], indexer.clone());
    server.spawn("rpc", Box::pin(async move { drop(rpc.await) }));
}
