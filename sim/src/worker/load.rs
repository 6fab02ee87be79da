//! What hosts are asked to do, carried out on time.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use darkswap_core::path::PathKind;
use darkswap_node::event::TransportKind;
use darkswap_node::{Handle, Runtime as _};
use darkswap_scenario::Topology;
use darkswap_scenario::nat::PUBLIC;
use darkswap_scenario::topology::{Channels, Floods, Job, JobAction, Lie, Orders, Takes};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::cast::Cast;
use super::channel::{Books, Outbound};
use super::ledger::Ledger;
use super::liar::{Assignment, Liar};
use super::observer::{PUBLICATION_NUMBER, With as _, pair_tags, path_name, transport_name};
use super::recorder::{Recorder, tags};
use super::trade::Desk;

/// Everything that a job needs.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) cast: Cast,
    pub(super) recorder: Recorder,
    pub(super) ledger: Ledger,
    pub(super) topics: Vec<String>,
    pub(super) channels: Vec<Channels>,
    pub(super) lies: Vec<Vec<Lie>>,
    pub(super) orders: Vec<Orders>,
    pub(super) takes: Vec<Takes>,
    pub(super) floods: Vec<Floods>,
    /// Addresses of hosts.
    pub(super) addresses: Vec<Ipv4Addr>,
}

impl Load {
    /// Starts a task for every job except NAT probes.
    pub(super) fn start(&self, topology: &Topology) {
        for job in &topology.jobs {
            let (load, job) = (self.clone(), job.clone());
            if !matches!(job.action, JobAction::ProbeNat { .. }) {
                spawn(async move { load.run(job).await });
            }
        }
    }

    async fn run(self, job: Job) {
        let start = tokio::time::Instant::now() - self.recorder.now();
        for at in job.times() {
            tokio::time::sleep_until(start + at).await;
            let load = self.clone();
            // A slow answer must not delay the next action.
            spawn(async move { load.act(job.action).await });
        }
    }

    async fn act(&self, action: JobAction) {
        match action {
            JobAction::Connect { from, to } => self.connect(from.0, to.0).await,
            JobAction::Message { from, to, size } => self.message(from.0, to.0, size).await,
            JobAction::Gossip { from, topic, size } => self.gossip(from.0, topic, size).await,
            JobAction::Channel { from, to, channels } => self.channel(from.0, to.0, channels),
            JobAction::Lie { from, to, lies } => self.lie(from.0, to.0, lies).await,
            JobAction::Reach { from, to } => self.reach(from.0, to.0).await,
            JobAction::Watch { from, to } => self.watch(from.0, to.0),
            JobAction::Pay { from, to } => self.pay(from.0, to.0),
            JobAction::Order { from, orders } => {
                if let Some(orders) = self.orders.get(orders) {
                    self.desk().place(from.0, orders).await;
                }
            }
            JobAction::Take { from, takes } => {
                if let Some(takes) = self.takes.get(takes) {
                    self.desk().take(from.0, takes).await;
                }
            }
            JobAction::Flood { from, floods } => {
                if let Some(floods) = self.floods.get(floods) {
                    self.desk().flood(from.0, floods).await;
                }
            }
            JobAction::ProbeNat { .. } => {}
        }
    }

    async fn connect(&self, from: usize, to: usize) {
        self.ledger.want(from, to);
        let ticket = self.cast.ticket(to).await;
        let asked = self.recorder.now();
        let pair = pair_tags(&self.cast, from, to);
        let peer = self.cast.members()[to].peer_id();
        let Some(handle) = self.cast.handle(from) else {
            self.recorder.category("first_path", "failed", pair);
            return;
        };
        match handle.connect(peer, ticket).await {
            Ok(path) => {
                let transport = transport_of(&self.cast, from, to).await;
                let pair = pair.with("transport", transport);
                let elapsed = self.recorder.now().saturating_sub(asked);
                self.recorder.time("connect_time", elapsed, pair.clone().with("path", path_name(path)));
                self.recorder.category("first_path", path_name(path), pair);
            }
            Err(error) => {
                self.recorder.category("first_path", "failed", pair.clone());
                self.recorder.event(
                    &self.cast.members()[from].name,
                    "connect_failed",
                    pair.with("error", &error.to_string()),
                );
            }
        }
    }

    /// Dials a host through the relays that it announces at this moment, and hangs up. One that is public, down or cut off is not dialled.
    async fn reach(&self, from: usize, to: usize) {
        let is_relayed = self.cast.handle(to).is_some() && self.cast.members()[to].nat != PUBLIC;
        let Some(handle) = self.cast.handle(from).filter(|_| is_relayed) else { return };
        let (begun, truth) = (self.recorder.now(), &self.ledger.reachability);
        let is_there = || !truth.is_gone(from) && !truth.is_gone(to);
        if !is_there() || !truth.begin(begun, from, to) {
            return;
        }
        let (peer, circuits) = (self.cast.members()[to].peer_id(), self.cast.circuits(to, &truth.announced(to)));
        let outcome = match circuits.is_empty() {
            true => Err("it announces no relay".to_owned()),
            false => dial(&handle, peer, circuits).await,
        };
        let (now, reached) = (self.recorder.now(), outcome.is_ok());
        let relay = if reached { relay_of(&self.cast, from, to).await } else { String::new() };
        let names = [("from", &*self.cast.members()[from].name), ("to", &*self.cast.members()[to].name)];
        let names = tags(names).with("relay", &relay);
        if reached {
            self.recorder.time("reach_time", now.saturating_sub(begun), names.clone());
        }
        if let Err(error) = outcome {
            self.recorder.event(&self.cast.members()[from].name, "reach_failed", names.clone().with("error", &error));
        }
        // A host that went down or was cut off meanwhile was not there to be reached.
        if reached || is_there() {
            self.recorder.category("reach", if reached { "reached" } else { "unreached" }, names);
        }
        // The next dial is to be a fresh one.
        let _ = handle.disconnect(peer).await;
        truth.end(now, (from, to), begun, reached);
    }

    async fn message(&self, from: usize, to: usize, size: u64) {
        let Some(handle) = self.cast.handle(from) else { return };
        let payload = Bytes::from(vec![0; usize::try_from(size).unwrap_or(usize::MAX)]);
        let peer = self.cast.members()[to].peer_id();
        let names = tags([("from", &*self.cast.members()[from].name), ("to", &*self.cast.members()[to].name)]);
        match handle.send(peer, payload).await {
            Ok(receipt) => {
                self.ledger.acknowledge(from, to, receipt.id, receipt.path);
                self.ledger.relays.carry(&self.cast.members()[from].name, size);
                let names = names.with("path", path_name(receipt.path));
                self.recorder.category("message", "delivered", names.clone());
                self.recorder.time("message_time", receipt.elapsed, names.clone());
                self.recorder.value("message_bytes", size as f64, names);
            }
            Err(error) => {
                self.recorder.category("message", "failed", names.clone());
                self.recorder.event(
                    &self.cast.members()[from].name,
                    "message_failed",
                    names.with("error", &error.to_string()),
                );
            }
        }
    }

    /// Opens channels as tasks of the opening host: they end with it.
    fn channel(&self, from: usize, to: usize, channels: usize) {
        let (Some(handle), Ok(runtime)) = (self.cast.handle(from), self.cast.runtime(from)) else { return };
        let Some(channels) = self.channels.get(channels) else { return };
        let count = usize::try_from(channels.count).unwrap_or(usize::MAX);
        for priority in channels.priorities.iter().cycle().take(count) {
            let outbound = Outbound {
                from: self.cast.members()[from].name.clone(),
                to: self.cast.members()[to].name.clone(),
                peer: self.cast.members()[to].peer_id(),
                priority: *priority,
                channels: channels.clone(),
            };
            let books = Books { recorder: self.recorder.clone(), ledger: self.ledger.clone() };
            runtime.spawn("outbound channel", Box::pin(outbound.perform(handle.clone(), books)));
        }
    }

    /// Has a liar at work, as a task of its host: it ends with it.
    async fn lie(&self, from: usize, to: usize, lies: usize) {
        let mut circuits = self.cast.ticket(to).await;
        circuits.retain(|address| darkswap_node::transport::kind(address) == TransportKind::Circuit);
        let (Ok(runtime), Some(lies)) = (self.cast.runtime(from), self.lies.get(lies)) else { return };
        let assignment = Assignment {
            from: self.cast.members()[from].name.clone(),
            to: self.cast.members()[to].name.clone(),
            peer: self.cast.members()[to].peer_id(),
            circuits,
            lies: lies.clone(),
        };
        if !runtime.is_up() {
            return assignment.fail(&self.recorder, &anyhow!("the host that lies is down"));
        }
        match Liar::new(&runtime) {
            Ok(liar) => {
                self.cast.introduce(liar.peer_id(), from);
                runtime.spawn("liar", Box::pin(liar.perform(assignment, self.recorder.clone())));
            }
            Err(error) => assignment.fail(&self.recorder, &error),
        }
    }

    fn desk(&self) -> Desk<'_> {
        Desk { cast: &self.cast, recorder: &self.recorder }
    }

    /// Has a host follow the chain. One that is down does not.
    fn watch(&self, from: usize, to: usize) {
        let (Some(bitcoin), Ok(runtime)) = (self.cast.bitcoin(), self.cast.runtime(from)) else { return };
        bitcoin.watch(from, (to, IpAddr::V4(self.addresses[to])), &runtime, &self.recorder);
    }

    /// Has a host pay. The payment of one that is down fails.
    fn pay(&self, from: usize, to: usize) {
        let (Some(bitcoin), Ok(runtime)) = (self.cast.bitcoin(), self.cast.runtime(from)) else { return };
        bitcoin.pay(from, (to, IpAddr::V4(self.addresses[to])), &runtime, &self.recorder);
    }

    async fn gossip(&self, from: usize, topic: usize, size: u64) {
        let Some(handle) = self.cast.handle(from) else { return };
        let number = self.ledger.publish(self.recorder.now(), from, topic);
        let mut payload = vec![0; usize::try_from(size).unwrap_or(usize::MAX).max(PUBLICATION_NUMBER)];
        payload[..PUBLICATION_NUMBER].copy_from_slice(&number.to_be_bytes());
        let Some(topic) = self.topics.get(topic) else { return };
        let size = payload.len() as u64;
        let name = &self.cast.members()[from].name;
        match handle.publish(topic, payload.into()).await {
            Ok(()) => self.ledger.relays.carry(name, size),
            Err(error) => {
                let fields = tags([("topic", topic.as_str()), ("error", &error.to_string())]);
                self.recorder.event(name, "publish_failed", fields);
            }
        }
    }
}

/// A dial of `reach`; its error is for people.
async fn dial(handle: &Handle, peer: PeerId, circuits: Vec<Multiaddr>) -> Result<(), String> {
    match tokio::time::timeout(REACH, handle.connect(peer, circuits)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no path in time".to_owned()),
    }
}

/// The relay of the best connection between two hosts as the first one sees it, or nothing.
async fn relay_of(cast: &Cast, from: usize, to: usize) -> String {
    let Some(handle) = cast.handle(from) else { return String::new() };
    let peer = cast.members()[to].peer_id();
    let peers = handle.peers().await.unwrap_or_default();
    let address = peers.into_iter().find(|status| status.peer == peer).and_then(|status| status.address);
    let is_circuit = |address: &Multiaddr| address.iter().any(|protocol| protocol == Protocol::P2pCircuit);
    let relay = address.filter(is_circuit).and_then(|address| {
        address.iter().find_map(|protocol| if let Protocol::P2p(relay) = protocol { Some(relay) } else { None })
    });
    relay.map(|relay| cast.name_of(relay)).unwrap_or_default()
}

/// The transport of the best connection between two hosts, or nothing.
pub(super) async fn transport_of(cast: &Cast, from: usize, to: usize) -> &'static str {
    path_of(cast, from, to).await.map_or("", |found| found.transport)
}

/// The best path between two hosts, as one of them sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) path: PathKind,
    pub(super) transport: &'static str,
    /// Whether its addresses are a choice of ICE.
    pub(super) negotiated: bool,
}

/// The best path between two hosts as the first one sees it.
pub(super) async fn path_of(cast: &Cast, from: usize, to: usize) -> Option<Found> {
    let peers = cast.handle(from)?.peers().await.ok()?;
    let peer = cast.members()[to].peer_id();
    let status = peers.into_iter().find(|status| status.peer == peer)?;
    let negotiated = |address: &Multiaddr| address.iter().any(|protocol| protocol == Protocol::WebRTC);
    Some(Found {
        path: status.path?,
        transport: status
            .address
            .as_ref()
            .map_or("", |address| transport_name(darkswap_node::transport::kind(address))),
        negotiated: status.address.as_ref().is_some_and(negotiated),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "load and chain are not part of a host: they must go on when one crashes"
)]
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// How long a dial of `reach` may take: somebody who waits for a person's click has gone by then.
const REACH: Duration = Duration::from_secs(30);
/// How long before the end of a run a publication may be made and still be expected everywhere.
pub(super) const GOSSIP_SETTLES: Duration = Duration::from_secs(5);
