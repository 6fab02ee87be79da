//! A scenario with one seed applied: concrete hosts, sites, access links, jobs and faults.
//!
//! Everything refers to everything else by index into [`Topology`]'s lists, and nothing is left to draw. The same scenario and
//! seed always give the same topology.

use std::time::Duration;

use darkswap_connectivity::relay::server::Limits;

use crate::link::{Link, LinkChange};
use crate::nat::{Nat, PUBLIC};

mod bandwidth;
mod chain;
mod expand;
mod job;
mod relay;
mod trade;

pub use bandwidth::{Bandwidth, RateSpan};
pub use chain::{Blocks, Chain, ChainLie, TradeLie, Trader};
pub(crate) use expand::expand;
pub use job::{Channels, Job, JobAction, Lie, Priority, Reliability, Topic};
pub use relay::{Absence, Conduct, Hints, Hop, RelaySelection};
pub use trade::{Choice, FloodKind, Floods, Orders, Sides, Step, Takes};

/// Index into [`Topology::hosts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostIndex(pub usize);

/// Index into [`Topology::sites`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteIndex(pub usize);

/// Index into [`Topology::uplinks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UplinkIndex(pub usize);

/// A scenario with one seed applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Topology {
    /// Every host, in the order of the file.
    pub hosts: Vec<Host>,
    /// Every NAT; outer ones come before those behind them.
    pub sites: Vec<Site>,
    /// Every access link.
    pub uplinks: Vec<Uplink>,
    /// What is gossiped about, and who listens.
    pub topics: Vec<Topic>,
    /// What data channels are opened, in the order of the file's load entries.
    pub channels: Vec<Channels>,
    /// In which ways is lied, in the order of the file's load entries.
    pub lies: Vec<Vec<Lie>>,
    /// What orders are placed, in the order of the file's load entries.
    pub orders: Vec<Orders>,
    /// What orders are taken, in the order of the file's load entries.
    pub takes: Vec<Takes>,
    /// What is published in floods, in the order of the file's load entries.
    pub floods: Vec<Floods>,
    /// The Bitcoin chain, when some host serves it.
    pub chain: Option<Chain>,
    /// What hosts are asked to do, in the order of the file, then of pairs.
    pub jobs: Vec<Job>,
    /// What goes wrong, in the order of the file.
    pub faults: Vec<Fault>,
}

/// A host.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Unique name such as `peer-3`.
    pub name: String,
    /// The entry of `hosts` it comes from, such as `peer`.
    pub group: String,
    /// What it does.
    pub role: Role,
    /// The LAN it is on, behind that site's NAT; public when absent.
    pub site: Option<SiteIndex>,
    /// Its access link; hosts of one site share one, with its queues.
    pub uplink: UplinkIndex,
    /// When it starts.
    pub start: Duration,
    /// Transports it offers and dials, the preferred one first.
    pub transports: Vec<Transport>,
    /// Relays it may use.
    pub relays: Vec<HostIndex>,
    /// Whether it tries to turn relayed connections into direct ones.
    pub hole_punching: bool,
    /// Whether it takes part in the distributed hash table.
    pub discovery: bool,
    /// What it offers besides its node.
    pub serves: Vec<Service>,
    /// STUN servers that its ICE agents ask.
    pub stun: Vec<HostIndex>,
    /// TURN servers that its ICE agents may use.
    pub turn: Vec<HostIndex>,
    /// Whether its ICE agents use relayed candidates only.
    pub relay_only: bool,
    /// Indexers that it asks about the chain, in this order.
    pub indexers: Vec<HostIndex>,
    /// What its wallet begins with, when it trades.
    pub trader: Option<Trader>,
    /// How it chooses relays, when the file says so.
    pub relay_selection: Option<RelaySelection>,
    /// What it admits as a relay, when the file says so.
    pub capacity: Option<Limits>,
    /// How it breaks the rules as a relay, if it does.
    pub conduct: Option<Conduct>,
    /// How many bytes per second its node sends and receives, when the file says so.
    pub bandwidth: Option<Bandwidth>,
}

/// What a host offers besides its node: to ICE agents on UDP port 3478, to traders the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Tells a sender its address (RFC 8489).
    Stun,
    /// Relays datagrams (RFC 8656).
    Turn,
    /// Tells about the chain: Electrum on TCP port 50001, JSON-RPC of `bitcoind` on TCP port 8332.
    Indexer,
}

/// What a host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Forwards connections of peers; always public.
    Relay,
    /// Everybody else.
    Peer,
}

/// A way to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// QUIC over UDP.
    Quic,
    /// TCP with Noise and Yamux.
    Tcp,
    /// WebSocket over TCP.
    WebSocket,
    /// WebRTC: `/webrtc-direct` where the host is public, `/webrtc` signalled through a relay.
    WebRtc,
}

/// A NAT with what is behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// The site's name, or that of the only host behind it.
    pub name: String,
    /// How its NAT behaves.
    pub nat: Nat,
    /// The site whose LAN this NAT's outside is on; public when absent.
    pub behind: Option<SiteIndex>,
}

/// An access link to the network between regions.
#[derive(Debug, Clone, PartialEq)]
pub struct Uplink {
    /// Its quality.
    pub link: Link,
    /// Index into the regions of [`Core`](crate::Core).
    pub region: usize,
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// When it begins; with a moment, when that is first waited for.
    pub at: Duration,
    /// What it waits for, if anything.
    pub when: Option<Moment>,
    /// How long until it is lifted; absent for a reset, and for a fault that lasts to the end.
    pub lasts: Option<Duration>,
    /// The target as the file names it, for people.
    pub target: String,
    /// What happens to whom.
    pub kind: FaultKind,
}

/// The first time that a swap of one of these hosts takes a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Which step.
    pub step: Step,
    /// Whose swaps.
    pub of: Vec<HostIndex>,
}

/// What goes wrong with whom.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultKind {
    /// No packet passes between hosts of different groups; hosts in no group are not affected.
    Partition(Vec<Vec<HostIndex>>),
    /// The hosts stop without a word, and start again with their stores when the fault is lifted.
    Crash(Vec<HostIndex>),
    /// These relays tell their clients that they stop, and do so when these have moved, at the latest after this time.
    Drain(Vec<HostIndex>, Duration),
    /// No packet passes these access links.
    LinkFlap(Vec<UplinkIndex>),
    /// These NATs forget all mappings.
    NatReset(Vec<SiteIndex>),
    /// These hosts stop and start again, each at its times.
    Churn(Vec<Absence>),
    /// No packet passes these access links, which are all those of a region.
    RegionOutage(Vec<UplinkIndex>),
    /// These NATs get another external address and forget all mappings.
    Readdress(Vec<SiteIndex>),
    /// These access links change.
    Impair(Vec<UplinkIndex>, LinkChange),
    /// These indexers show the chain as it was so many blocks ago.
    Lag(Vec<HostIndex>, u32),
    /// These indexers lie about the chain.
    Lie(Vec<HostIndex>, Vec<ChainLie>),
    /// A longer branch replaces the last blocks.
    Reorg {
        /// How many blocks.
        depth: u32,
        /// Whether their transactions are forgotten; else they wait again.
        forget: bool,
    },
    /// Every transaction that waits is dropped.
    Evict,
}

impl Topology {
    /// The sites in front of a host, from the inside out.
    pub fn sites_of(&self, host: HostIndex) -> impl Iterator<Item = &Site> {
        let first = self.hosts.get(host.0).and_then(|host| host.site);
        let site = |index: SiteIndex| self.sites.get(index.0);
        std::iter::successors(first.and_then(site), move |inner| inner.behind.and_then(site))
    }

    /// The kinds of the NATs in front of a host from the inside out, such as `EI/APD` or `EI/APD < EI/EI`, or `public`: what records
    /// and expectations call it.
    pub fn nat_kind(&self, host: HostIndex) -> String {
        join(self.sites_of(host).map(|site| site.nat.kind()))
    }
}

/// Kinds of nested NATs as one text.
pub(crate) fn join(kinds: impl Iterator<Item = String>) -> String {
    let kinds: Vec<String> = kinds.collect();
    if kinds.is_empty() { PUBLIC.to_string() } else { kinds.join(" < ") }
}

impl Role {
    /// The role's name in scenarios and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Peer => "peer",
        }
    }
}

impl Transport {
    /// The transport's name in scenarios and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
            Self::WebSocket => "websocket",
            Self::WebRtc => "webrtc",
        }
    }
}

impl FaultKind {
    /// The fault's name in scenarios and records.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Partition(_) => "partition",
            Self::Crash(_) => "crash",
            Self::Drain(..) => "drain",
            Self::LinkFlap(_) => "link_flap",
            Self::NatReset(_) => "nat_reset",
            Self::Churn(_) => "churn",
            Self::RegionOutage(_) => "region_outage",
            Self::Readdress(_) => "readdress",
            Self::Impair(..) => "impair",
            Self::Lag(..) => "lag",
            Self::Lie(..) => "lie",
            Self::Reorg { .. } => "reorg",
            Self::Evict => "evict",
        }
    }
}
