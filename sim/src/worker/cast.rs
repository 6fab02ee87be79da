//! The nodes and servers of a run: which of them are up, and how to talk to them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use darkswap_node::trading::Machine;
use darkswap_node::{Handle, Node, Runtime as _};
use darkswap_scenario::{Core, Topology};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::watch;

use super::bitcoin::Bitcoin;
use super::channel;
use super::member::{self, Member};
use super::observer::Observer;
use super::rogue::{Counts, Rogue};
use super::topology::Places;
use super::trade::Crook;
use crate::harness::World;
use crate::ice_server::{self, Counters, Settings};
use crate::runtime::SimRuntime;

/// Everybody in a run. Clones share.
#[derive(Clone)]
pub(super) struct Cast {
    inner: Arc<Inner>,
}

struct Inner {
    world: World,
    members: Vec<Member>,
    bitcoin: Option<Bitcoin>,
    by_peer: BTreeMap<PeerId, usize>,
    /// Peers that hosts play besides their nodes: names for records, and nothing else.
    others: Mutex<BTreeMap<PeerId, usize>>,
    handles: Mutex<Vec<Option<Handle>>>,
    /// The addresses under which each member was last known.
    tickets: Mutex<Vec<Vec<Multiaddr>>>,
    /// What each member's ICE server counts, one entry for each of its lives.
    served: Mutex<Vec<Vec<watch::Receiver<Counters>>>>,
    /// How often each member that is a rogue has broken the rules.
    rogues: Vec<Counts>,
}

impl Cast {
    /// Draws identities and certificates and writes configurations; starts nobody.
    pub(super) fn new(
        world: &World,
        (topology, core): (&Topology, &Core),
        places: &Places,
        bitcoin: Option<Bitcoin>,
    ) -> Result<Self> {
        let members = member::all(world, topology, places, core, bitcoin.as_ref())?;
        let by_peer = members.iter().enumerate().map(|(index, member)| (member.peer_id(), index)).collect();
        let count = members.len();
        Ok(Self {
            inner: Arc::new(Inner {
                world: world.clone(),
                members,
                bitcoin,
                by_peer,
                others: Mutex::default(),
                handles: Mutex::new(vec![None; count]),
                tickets: Mutex::new(vec![Vec::new(); count]),
                served: Mutex::new(vec![Vec::new(); count]),
                rogues: (0..count).map(|_| Counts::default()).collect(),
            }),
        })
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.inner.members
    }

    /// The chain, when the scenario has one.
    pub(super) fn bitcoin(&self) -> Option<&Bitcoin> {
        self.inner.bitcoin.as_ref()
    }

    /// The member behind a peer id.
    pub(super) fn index_of(&self, peer: PeerId) -> Option<usize> {
        self.inner.by_peer.get(&peer).copied()
    }

    /// The name behind a peer id, that of its host for a peer that was introduced; the id itself for strangers.
    pub(super) fn name_of(&self, peer: PeerId) -> String {
        let index = self.index_of(peer).or_else(|| lock(&self.inner.others).get(&peer).copied());
        index.map_or_else(|| peer.to_string(), |index| self.inner.members[index].name.clone())
    }

    /// Names a peer that a host plays besides its node. Bounded by the actions of a scenario.
    pub(super) fn introduce(&self, peer: PeerId, host: usize) {
        lock(&self.inner.others).insert(peer, host);
    }

    /// Starts a member's node, and its servers.
    ///
    /// # Errors
    /// When the node cannot be made; in a simulation that is a bug.
    pub(super) fn start(&self, index: usize, mut observer: Observer) -> Result<()> {
        let member = &self.inner.members[index];
        let runtime = self.inner.world.runtime(member.host)?;
        if let Some(conduct) = member.conduct {
            let (listen, counts) = (member.config.listen.as_slice(), self.inner.rogues[index].clone());
            let limits = &member.config.relay_limits;
            let rogue = Rogue::new(&runtime, &member.identity, (listen, member.address), (conduct, limits), counts)?;
            runtime.spawn("rogue relay", Box::pin(rogue.run()));
            return Ok(());
        }
        let world = Arc::<_>::clone(&runtime) as Arc<_>;
        let lies = self.inner.bitcoin.as_ref().and_then(|bitcoin| Some((bitcoin, &bitcoin.purse(index)?.lies)));
        let trader = |honest| match lies {
            Some((bitcoin, lies)) if !lies.is_empty() => {
                let crook = Crook::new(index, honest, lies.clone(), bitcoin.clone(), Arc::clone(&runtime));
                Box::new(crook) as Box<dyn Machine>
            }
            Some(_) | None => honest,
        };
        let mut node = Node::with_trader(member.config.clone(), member.identity.clone(), world, trader)
            .with_context(|| format!("cannot start the node of host `{}`", member.name))?;
        let books = observer.books();
        observer.begin();
        node.observe(move |event| observer.see(event));
        self.handles()[index] = Some(node.handle());
        if member.accepts_channels {
            let accepting = channel::accept(node.handle(), Arc::clone(&runtime), books);
            runtime.spawn("data channels", Box::pin(accepting));
        }
        runtime.spawn("node", Box::pin(node.run()));
        if let Some(settings) = &member.server {
            self.serve(index, &runtime, settings.clone());
        }
        if let Some(bitcoin) = &self.inner.bitcoin {
            bitcoin.serve(index, &runtime);
        }
        Ok(())
    }

    fn serve(&self, index: usize, runtime: &Arc<SimRuntime>, settings: Settings) {
        let (counters, counted) = watch::channel(Counters::default());
        lock(&self.inner.served)[index].push(counted);
        let (name, world) = (self.inner.members[index].name.clone(), Arc::clone(runtime));
        let serving = async move {
            if let Err(error) = ice_server::run(world, settings, counters).await {
                tracing::error!(host = name, %error, "the ICE server ended");
            }
        };
        runtime.spawn("ice server", Box::pin(serving));
    }

    /// What a member's ICE server has counted in each of its lives; nothing when it serves none.
    pub(super) fn served(&self, index: usize) -> Vec<Counters> {
        lock(&self.inner.served)[index].iter().map(|counted| *counted.borrow()).collect()
    }

    /// How often a member that is a rogue has broken the rules.
    pub(super) fn rogue(&self, index: usize) -> &Counts {
        &self.inner.rogues[index]
    }

    /// The world of a member's host, for tasks that end when it crashes.
    ///
    /// # Errors
    /// The host does not exist, which is a bug.
    pub(super) fn runtime(&self, index: usize) -> Result<Arc<SimRuntime>> {
        self.inner.world.runtime(self.inner.members[index].host)
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

    /// Circuits to a member through these relays, at the addresses under which it knows them itself.
    pub(super) fn circuits(&self, index: usize, relays: &[usize]) -> Vec<Multiaddr> {
        let member = &self.members()[index];
        let known = |relay: &usize| {
            let peer = self.members()[*relay].peer_id();
            let address = &member.config.relays.iter().find(|known| known.peer == peer)?.address;
            Some(address.clone().with(Protocol::P2p(peer)).with(Protocol::P2pCircuit))
        };
        relays.iter().filter_map(known).map(|circuit| circuit.with(Protocol::P2p(member.peer_id()))).collect()
    }

    fn handles(&self) -> MutexGuard<'_, Vec<Option<Handle>>> {
        lock(&self.inner.handles)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
