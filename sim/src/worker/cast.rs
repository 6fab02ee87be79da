//! The nodes of a run: who they are, how they are configured, and whether they are up.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use darkswap_fabric::HostIndex;
use darkswap_node::config::{Config, PeerAddress, Reachability};
use darkswap_node::{Handle, Node, Runtime as _};
use darkswap_scenario::Topology;
use darkswap_scenario::topology::{Host, Role, Transport};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};

use super::observer::Observer;
use super::topology::Places;
use crate::harness::World;

/// Ports of the shipped node's defaults.
const PORT: u16 = 4_001;
const WEBSOCKET_PORT: u16 = 9_002;

/// Everybody in a run. Clones share.
#[derive(Clone)]
pub(super) struct Cast {
    inner: Arc<Inner>,
}

struct Inner {
    world: World,
    members: Vec<Member>,
    by_peer: BTreeMap<PeerId, usize>,
    handles: Mutex<Vec<Option<Handle>>>,
    /// The addresses under which each member was last known.
    tickets: Mutex<Vec<Vec<Multiaddr>>>,
}

/// One simulated host with its node's identity.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) nat: String,
    pub(super) host: HostIndex,
    pub(super) identity: Keypair,
    pub(super) config: Config,
}

impl Cast {
    /// Draws identities and writes configurations; starts nobody.
    pub(super) fn new(world: &World, topology: &Topology, places: &Places) -> Result<Self> {
        let identities = places.hosts.iter().map(|host| identity(world, *host)).collect::<Result<Vec<_>>>()?;
        let mut members = Vec::new();
        for (index, host) in topology.hosts.iter().enumerate() {
            let relays = host
                .relays
                .iter()
                .map(|relay| relay_address(topology, places, &identities, relay.0, &host.transports))
                .collect::<Result<Vec<_>>>()?;
            let topics = topology
                .topics
                .iter()
                .filter(|topic| topic.subscribers.iter().any(|host| host.0 == index))
                .map(|topic| topic.name.clone());
            members.push(Member {
                name: host.name.clone(),
                nat: topology.nat_kind(darkswap_scenario::topology::HostIndex(index)),
                host: places.hosts[index],
                identity: identities[index].clone(),
                config: config(host, relays, topics.collect()),
            });
        }
        let by_peer = members.iter().enumerate().map(|(index, member)| (member.peer_id(), index)).collect();
        let count = members.len();
        Ok(Self {
            inner: Arc::new(Inner {
                world: world.clone(),
                members,
                by_peer,
                handles: Mutex::new(vec![None; count]),
                tickets: Mutex::new(vec![Vec::new(); count]),
            }),
        })
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.inner.members
    }

    /// The member behind a peer id.
    pub(super) fn index_of(&self, peer: PeerId) -> Option<usize> {
        self.inner.by_peer.get(&peer).copied()
    }

    /// The name behind a peer id; the id itself for strangers.
    pub(super) fn name_of(&self, peer: PeerId) -> String {
        self.index_of(peer).map_or_else(|| peer.to_string(), |index| self.inner.members[index].name.clone())
    }

    /// Starts a member's node.
    ///
    /// # Errors
    /// When the node cannot be made; in a simulation that is a bug.
    pub(super) fn start(&self, index: usize, mut observer: Observer) -> Result<()> {
        let member = &self.inner.members[index];
        let runtime = self.inner.world.runtime(member.host)?;
        let mut node = Node::new(member.config.clone(), member.identity.clone(), Arc::<_>::clone(&runtime) as Arc<_>)
            .with_context(|| format!("cannot start the node of host `{}`", member.name))?;
        node.observe(move |event| observer.see(event));
        self.handles()[index] = Some(node.handle());
        runtime.spawn("node", Box::pin(node.run()));
        Ok(())
    }

    /// Forgets a member's node, which is about to crash.
    pub(super) fn forget(&self, index: usize) {
        self.handles()[index] = None;
    }

    /// The way to talk to a member's node, while it is up.
    pub(super) fn handle(&self, index: usize) -> Option<Handle> {
        self.handles()[index].clone()
    }

    /// The addresses under which a member announces itself, as a directory would hold them: those of now, or when it is down the
    /// last known ones.
    pub(super) async fn ticket(&self, index: usize) -> Vec<Multiaddr> {
        if let Some(handle) = self.handle(index)
            && let Ok(status) = handle.status().await
        {
            let mut addresses = status.external;
            addresses.extend(status.listening);
            addresses.dedup();
            lock(&self.inner.tickets)[index] = addresses;
        }
        lock(&self.inner.tickets)[index].clone()
    }

    fn handles(&self) -> MutexGuard<'_, Vec<Option<Handle>>> {
        lock(&self.inner.handles)
    }
}

impl Member {
    pub(super) fn peer_id(&self) -> PeerId {
        self.identity.public().to_peer_id()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn identity(world: &World, host: HostIndex) -> Result<Keypair> {
    let mut seed = [0; 32];
    world.runtime(host)?.fill_random(&mut seed);
    Ok(Keypair::ed25519_from_bytes(seed)?)
}

fn config(host: &Host, relays: Vec<PeerAddress>, topics: Vec<String>) -> Config {
    let is_relay = host.role == Role::Relay;
    Config {
        listen: host.transports.iter().map(|transport| listen(Ipv4Addr::UNSPECIFIED, *transport)).collect(),
        reachability: if is_relay { Reachability::Public } else { Reachability::Auto },
        relay_server: is_relay,
        hole_punching: host.hole_punching,
        discovery: host.discovery,
        bootstrap: if host.discovery { relays.clone() } else { Vec::new() },
        relays,
        topics,
        ..Config::default()
    }
}

/// A relay's address for the first of its transports that the host speaks as well.
fn relay_address(
    topology: &Topology,
    places: &Places,
    identities: &[Keypair],
    index: usize,
    spoken: &[Transport],
) -> Result<PeerAddress> {
    let relay = topology.hosts.get(index).context("a relay of the topology")?;
    let common =
        relay.transports.iter().find(|transport| spoken.contains(transport)).or_else(|| relay.transports.first());
    let transport = common.copied().unwrap_or(Transport::Quic);
    Ok(PeerAddress {
        peer: identities[index].public().to_peer_id(),
        address: listen(places.addresses[index], transport),
    })
}

fn listen(address: Ipv4Addr, transport: Transport) -> Multiaddr {
    use libp2p::multiaddr::Protocol;
    let base = Multiaddr::empty().with(Protocol::Ip4(address));
    match transport {
        Transport::Quic => base.with(Protocol::Udp(PORT)).with(Protocol::QuicV1),
        Transport::Tcp => base.with(Protocol::Tcp(PORT)),
        Transport::WebSocket => base.with(Protocol::Tcp(WEBSOCKET_PORT)).with(Protocol::Ws("/".into())),
    }
}
