//! The node: one event loop that owns the swarm and the machines.
//!
//! | module | what it does |
//! |---|---|
//! | `behaviour` | the libp2p behaviours and their bounds |
//! | `peer`, `address_book`, `relays` | what the loop keeps |
//! | `drive` | carries out what a peer's machines ask for |
//! | `pool`, `limiter` | whose connections are kept, and what goes out first |
//! | `doubt`, `alive` | connections on which nothing comes back |
//! | `roaming` | changes of the host's addresses |
//! | `negotiation` | what comes of signalling |
//! | `quality` | scores connections and acts on bad ones |
//! | `swarm_event` | turns libp2p's events into inputs and events |
//! | `wrapped` | what behaviours around others have in common |
//! | `discovery` | finds relays and peers in the DHT |
//! | `command` | carries out what the application asks for |
//! | `relay_service` | what comes of serving as a relay |
//! | `sealed` | messages above the transport: batched, compressed, sealed |
//! | `trading` | the trader's network: gossip of orders, its protocols, its paths |

mod address_book;
mod alive;
mod behaviour;
mod candidates;
mod command;
mod discovery;
mod doubt;
mod drive;
mod limiter;
mod negotiation;
mod peer;
mod pool;
mod quality;
mod relay_service;
mod relays;
mod roaming;
mod sealed;
mod swarm_event;
mod trading;
mod wrapped;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use darkswap_core::Time;
use darkswap_core::message::MessageId;
use darkswap_core::path::{ConnectionKey, PathKind};
use futures::StreamExt as _;
use libp2p::identity::Keypair;
use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, Swarm, gossipsub, relay};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::Runtime;
use crate::config::{Config, PeerAddress, WebrtcConfig};
use crate::event::{Event, Misbehaviour};
use crate::handle::{Command, CommandError, Handle, InboundChannel};
use crate::limits::fixed::{connection, message, signalling};
use crate::trading::task::Task;
use crate::trading::{Machine, ORDERS, Parts, StartError, Trading, key, link::link};
use crate::transport::metered::{Meters, Throttle};
use crate::transport::webrtc::{self, DataChannels};
use crate::transport::{self, TransportError};
use behaviour::Behaviour;
use discovery::{Discovery, Lookup};
use limiter::Limiter;
use peer::Peer;
use pool::Pool;
use relays::Relays;
use roaming::Roaming;
use sealed::Sealed;
use trading::Trades;

/// How long a stopping node waits for its connections to close in good order.
const STOPPING: Duration = Duration::from_secs(2);
/// How long it waits after that for the transports to tell the peers. A relay that was not told takes the node for connected, and when
/// the node is back leads circuits to where it was.
const FAREWELL: Duration = Duration::from_millis(100);

/// Why a node could not be made.
#[derive(Debug, Error)]
pub enum NodeError {
    /// A transport could not be made.
    #[error("{0}")]
    Transport(#[from] TransportError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The configured address.
        address: Multiaddr,
        /// The host's or the transport's word.
        reason: String,
    },
    /// The gossip configuration is inconsistent.
    #[error("gossip cannot be set up: {0}")]
    Gossip(String),
    /// The node cannot trade.
    #[error("cannot trade: {0}")]
    Trading(#[from] StartError),
}

type Observer = Box<dyn FnMut(&Event) + Send>;

/// A node. [`run`](Self::run) it to its end and talk to it through its [`handle`](Self::handle).
pub struct Node {
    swarm: Swarm<Behaviour>,
    config: Config,
    runtime: Arc<dyn Runtime>,
    handle: Handle,
    commands: mpsc::Receiver<Command>,
    observers: Vec<Observer>,
    started: Instant,
    meters: Meters,
    session: u64,
    peers: BTreeMap<PeerId, Peer>,
    timers: BTreeSet<(Time, PeerId)>,
    relays: Relays,
    pool: Pool,
    limiter: Limiter,
    roaming: Roaming,
    /// Dials of ours under way.
    dials: BTreeMap<ConnectionId, (PeerId, PathKind)>,
    /// Negotiations of ours under way.
    negotiations: BTreeMap<ConnectionId, PeerId>,
    /// Open connections.
    connections: BTreeMap<ConnectionId, (PeerId, ConnectionKey)>,
    next_connection: u64,
    /// Attempts to deliver a message.
    attempts: BTreeMap<OutboundRequestId, (PeerId, MessageId)>,
    /// What seals messages; nothing when the node does not.
    sealed: Option<Sealed>,
    /// Queries of the DHT for a peer's addresses.
    lookups: BTreeMap<PeerId, Lookup>,
    discovery: Discovery,
    /// Data channels over WebRTC connections.
    channels: DataChannels,
    /// Those that peers opened and the application has not accepted.
    unaccepted: VecDeque<InboundChannel>,
    /// Where the application waits for one.
    acceptors: VecDeque<oneshot::Sender<InboundChannel>>,
    /// Addresses under which peers saw us, the newest last.
    own_addresses: VecDeque<Multiaddr>,
    /// What a node that trades keeps.
    trades: Option<Trades>,
    /// How often peers broke which rule.
    misbehaved: BTreeMap<Misbehaviour, u64>,
    /// Whether gossip is judged before it is passed on: in a node that trades, or passes orders on.
    validates: bool,
    /// The circuits that were cut at the end of the relay's drain.
    drained: Option<usize>,
    /// Who waits for that.
    draining: Vec<oneshot::Sender<Result<usize, CommandError>>>,
    stopping: Option<oneshot::Sender<()>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("peer_id", &self.handle.peer_id()).finish_non_exhaustive()
    }
}

impl Node {
    /// Makes a node and opens its listeners. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`NodeError`] when a transport cannot be made or an address cannot be listened on.
    pub fn new(config: Config, identity: Keypair, runtime: Arc<dyn Runtime>) -> Result<Self, NodeError> {
        Self::with_trader(config, identity, runtime, |honest| honest)
    }

    /// Makes a node whose trader is what this makes of an honest one: for tests of other traders against one that breaks the rules.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_trader(
        config: Config,
        identity: Keypair,
        runtime: Arc<dyn Runtime>,
        make: impl FnOnce(Box<dyn Machine>) -> Box<dyn Machine>,
    ) -> Result<Self, NodeError> {
        let trading = config.trading.as_ref();
        let parts = trading.map(|trading| crate::trading::open(trading, &identity, &runtime)).transpose()?;
        let parts = parts.map(|parts| Parts { machine: make(parts.machine), ..parts });
        Self::with(config, identity, runtime, parts)
    }

    /// A node that trades with these parts, or does not trade.
    pub(crate) fn with(
        config: Config,
        identity: Keypair,
        runtime: Arc<dyn Runtime>,
        parts: Option<Parts>,
    ) -> Result<Self, NodeError> {
        let local = identity.public().to_peer_id();
        let (circuit_transport, circuits) = relay::client::new(local);
        let channels = DataChannels::default();
        let (signalled, signalling) = config.webrtc.enabled.then(|| signalled(&config, local, &runtime)).unzip();
        let started = Instant::now();
        let meters = Meters::new(started);
        let transport = transport::build(&identity, &runtime, circuit_transport, &config.webrtc, signalled, &channels)?;
        let calendar = Arc::clone(&runtime);
        let throttle = Throttle::new(started, &config.bandwidth, move || calendar.wall_clock());
        let transport = transport::metered::transport(transport, meters.clone(), throttle, &quality::PROBES);
        let validates = parts.is_some() || config.topics.iter().any(|topic| topic == ORDERS);
        let judged = behaviour::Judged { trades: parts.is_some(), validates };
        let behaviour = behaviour::build(&config, &identity, &runtime, circuits, signalling, judged)?;
        let tasks = Arc::clone(&runtime);
        let swarm_config = libp2p::swarm::Config::with_executor(move |task| tasks.spawn("connection", task))
            .with_idle_connection_timeout(connection::IDLE)
            .with_max_negotiating_inbound_streams(connection::NEGOTIATING);
        let swarm = Swarm::new(transport, behaviour, local, swarm_config);
        let (sender, commands) = mpsc::channel(message::COMMANDS);
        let (trades, trading) = match parts {
            Some(parts) => {
                trade(parts, local, &sender, &runtime).map(|(trades, trading)| (Some(trades), Some(trading)))?
            }
            None => (None, None),
        };
        let random = || random(runtime.as_ref());
        let session = random();
        let relays = Relays::new(&config, random);
        let mut node = Self {
            swarm,
            handle: Handle::new(local, sender).with_channels(channels.clone()).with_trading(trading),
            commands,
            observers: Vec::new(),
            started,
            meters,
            session,
            peers: BTreeMap::new(),
            timers: BTreeSet::new(),
            relays,
            pool: Pool::new(&config.limits),
            limiter: Limiter::new(&config.limits),
            roaming: Roaming::new(runtime.as_ref()),
            dials: BTreeMap::new(),
            negotiations: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_connection: 0,
            attempts: BTreeMap::new(),
            sealed: Sealed::new(&config, &identity, &runtime),
            lookups: BTreeMap::new(),
            discovery: Discovery::new(&config, identity),
            channels,
            unaccepted: VecDeque::new(),
            acceptors: VecDeque::new(),
            own_addresses: VecDeque::new(),
            trades,
            misbehaved: BTreeMap::new(),
            validates,
            drained: None,
            draining: Vec::new(),
            stopping: None,
            config,
            runtime,
        };
        node.open()?;
        Ok(node)
    }

    /// The way to talk to the node while it runs.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Has `observer` called with every event, in order, within the node's loop: it must not block.
    pub fn observe(&mut self, observer: impl FnMut(&Event) + Send + 'static) {
        self.observers.push(Box::new(observer));
    }

    /// Runs the node until it is told to [`stop`](Handle::stop).
    pub async fn run(mut self) {
        loop {
            self.drive_relays();
            self.discover();
            let wake = self.next_deadline();
            let channels = self.channels.clone();
            // Commands and deadlines come first: a swarm that always has an event must not keep the node from being stopped. tokio's
            // task budget gives the swarm its turn when there is no end of commands.
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    // The node holds a sender itself.
                    None => break,
                },
                () = sleep_until(wake.map(|at| self.started + at)) => self.on_deadline(),
                (peer, channel) = channels.accept() => self.on_channel(InboundChannel { peer, channel }),
                peer = channels.changed() => self.channels_changed(peer),
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
            }
            if self.stopping.is_some() {
                break;
            }
        }
        self.close().await;
    }

    fn open(&mut self) -> Result<(), NodeError> {
        let mut listen = self.config.listen.clone();
        if self.config.webrtc.enabled && !listen.contains(&webrtc::signalled::address::listener()) {
            listen.push(webrtc::signalled::address::listener());
        }
        for address in listen {
            self.swarm
                .listen_on(address.clone())
                .map_err(|error| NodeError::Listen { address, reason: explain(&error) })?;
        }
        for address in self.config.external.clone() {
            self.swarm.add_external_address(address);
        }
        self.choose_dht_mode();
        let orders = self.trades.is_some().then(|| ORDERS.to_owned());
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        for topic in self.config.topics.iter().chain(&orders) {
            gossip
                .subscribe(&gossipsub::IdentTopic::new(topic))
                .map_err(|error| NodeError::Gossip(error.to_string()))?;
        }
        if let Some(dht) = self.swarm.behaviour_mut().kad.as_mut() {
            for PeerAddress { peer, address } in &self.config.bootstrap {
                dht.add_address(peer, address.clone());
            }
            if !self.config.bootstrap.is_empty() {
                // Fails without known peers only.
                let _ = dht.bootstrap();
            }
        }
        Ok(())
    }

    /// Tells every peer and lets the connections end in good order.
    async fn close(mut self) {
        if let Some(trades) = self.trades.take() {
            // A task that waits for the loop hears that nothing is taken any more.
            self.commands.close();
            let _ = tokio::time::timeout(STOPPING, trades.close()).await;
        }
        for connection in std::mem::take(&mut self.connections).into_keys() {
            self.swarm.close_connection(connection);
        }
        let closing = async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(STOPPING, closing).await;
        // A closed connection is gone for us; its last packet is still with the transport's task.
        tokio::time::sleep(FAREWELL).await;
        if let Some(answer) = self.stopping.take() {
            let _ = answer.send(());
        }
    }

    fn now(&self) -> Time {
        self.started.elapsed()
    }

    fn report(&mut self, event: Event) {
        if let Event::Misbehaviour { kind, .. } = event {
            let count = self.misbehaved.entry(kind).or_default();
            *count = count.saturating_add(1);
        }
        for observer in &mut self.observers {
            observer(&event);
        }
    }

    /// A peer opened a data channel. When too many wait for the application, it is closed again.
    fn on_channel(&mut self, inbound: InboundChannel) {
        let (peer, label) = (inbound.peer, inbound.channel.options().label.clone());
        while let Some(acceptor) = self.acceptors.pop_front() {
            if !acceptor.is_closed() {
                inbound.channel.take_into_use();
                // It was open a moment ago, on this thread.
                let _ = acceptor.send(inbound);
                return self.report(Event::ChannelOpened { peer, label });
            }
        }
        if self.unaccepted.len() < signalling::UNACCEPTED_CHANNELS {
            self.unaccepted.push_back(inbound);
            self.report(Event::ChannelOpened { peer, label });
        } else {
            tracing::debug!(%peer, label, "a data channel is closed because nobody accepts any");
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        let peers = self.timers.first().map(|(at, _)| *at);
        let sealed = self.sealed.as_ref().and_then(Sealed::deadline);
        let own = [self.relays.deadline(), self.discovery.deadline(), self.pool.deadline(), self.limiter.deadline()];
        own.into_iter().chain([peers, sealed, Some(self.roaming.deadline())]).flatten().min()
    }
}

/// The transport `/webrtc` and its behaviour.
fn signalled(
    config: &Config,
    local: PeerId,
    runtime: &Arc<dyn Runtime>,
) -> (webrtc::signalled::Transport, webrtc::signalling::Behaviour) {
    let WebrtcConfig { ice_servers, relay_only, .. } = config.webrtc.clone();
    webrtc::signalled::new(webrtc::signalled::Setting::new(local, Arc::clone(runtime), ice_servers, relay_only))
}

/// Starts the trader's task.
fn trade(
    parts: Parts,
    local: PeerId,
    commands: &mpsc::Sender<Command>,
    runtime: &Arc<dyn Runtime>,
) -> Result<(Trades, Trading), StartError> {
    let (trading, asks, end) = Trading::new(key::trader(&local)?);
    let (link, feed) = link();
    let task = Task::new(parts, Arc::clone(runtime), feed, asks, commands.clone(), end);
    runtime.spawn("trader", Box::pin(task.run()));
    Ok((Trades::new(link), trading))
}

/// A number from the host's entropy.
fn random(runtime: &dyn Runtime) -> u64 {
    let mut bytes = [0; 8];
    runtime.fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What an error says, and what caused it: some of libp2p's errors say nothing themselves.
fn explain(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in std::iter::successors(Some(error), |error| error.source()) {
        let part = cause.to_string();
        if !part.is_empty() && parts.last().is_none_or(|last| !last.ends_with(&part)) {
            parts.push(part);
        }
    }
    parts.join(": ")
}
