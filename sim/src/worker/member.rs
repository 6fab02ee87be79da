//! One host's node and servers: who it is and how it is configured.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use darkswap_connectivity::relay::policy;
use darkswap_fabric::HostIndex;
use darkswap_node::Runtime as _;
use darkswap_node::config::{
    Bandwidth, Config, DayRate, Direction, PeerAddress, RateSpan, Reachability, RelaySelection, TradingConfig,
    WebrtcConfig,
};
use darkswap_node::ice_server::{Credential, Host as ServerHost, IceServer};
use darkswap_node::limits::Limits;
use darkswap_scenario::topology::{self, Attack, Conduct, Hints, Host, Role, Service, Transport};
use darkswap_scenario::{Core, Topology};
use darkswap_trade::order::TraderKey;
use darkswap_webrtc::certificate::Certificate;
use libp2p::identity::Keypair;
use libp2p::multihash::Multihash;
use libp2p::{Multiaddr, PeerId};

use super::bitcoin::Bitcoin;
use super::topology::Places;
use crate::harness::World;
use crate::ice_server::{Settings, TurnSettings};

/// Ports of the shipped node's defaults.
const PORT: u16 = 4_001;
const WEBSOCKET_PORT: u16 = 9_002;
const WEBRTC_PORT: u16 = 9_002;
/// The port of STUN and TURN (RFC 8489, RFC 8656).
const ICE_SERVER_PORT: u16 = 3_478;
/// The user that every TURN server of a scenario knows.
const TURN_USER: &str = "darkswap";
const TURN_PASSWORD: &str = "simulated";

/// One simulated host with its node's identity.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) nat: String,
    pub(super) host: HostIndex,
    pub(super) identity: Keypair,
    /// The key under which its node trades.
    pub(super) trader: TraderKey,
    pub(super) config: Config,
    /// How it breaks the rules as a relay, if it does: then there is a rogue in place of its node.
    pub(super) conduct: Option<Conduct>,
    /// How it breaks the rules as a peer, if it does: then there is an attacker in place of its node.
    pub(super) attack: Option<Attack>,
    pub(super) address: Ipv4Addr,
    /// What it serves to the ICE agents of others, if anything.
    pub(super) server: Option<Settings>,
    /// Whether it takes data channels of others.
    pub(super) accepts_channels: bool,
}

impl Member {
    pub(super) fn peer_id(&self) -> PeerId {
        self.identity.public().to_peer_id()
    }
}

/// Draws identities and certificates and writes configurations.
pub(super) fn all(
    world: &World,
    topology: &Topology,
    places: &Places,
    core: &Core,
    bitcoin: Option<&Bitcoin>,
) -> Result<Vec<Member>> {
    let identities = places.hosts.iter().map(|host| identity(world, *host)).collect::<Result<Vec<_>>>()?;
    let certificates = topology.hosts.iter().map(certificate).collect::<Result<Vec<_>>>()?;
    let directory = Directory { topology, places, core, bitcoin, identities, certificates };
    (0..topology.hosts.len()).map(|index| directory.member(index)).collect()
}

/// Who is where and has which keys.
struct Directory<'a> {
    topology: &'a Topology,
    places: &'a Places,
    core: &'a Core,
    bitcoin: Option<&'a Bitcoin>,
    identities: Vec<Keypair>,
    certificates: Vec<Option<Certificate>>,
}

impl Directory<'_> {
    fn member(&self, index: usize) -> Result<Member> {
        let host = &self.topology.hosts[index];
        let relays =
            host.relays.iter().map(|relay| self.relay_address(relay.0, &host.transports)).collect::<Result<_>>();
        let topics = self.topology.topics.iter().filter(|topic| topic.subscribers.iter().any(|it| it.0 == index));
        let topics = topics.map(|topic| topic.name.clone()).collect();
        let mut config =
            Config { webrtc: self.webrtc(index)?, trading: self.trading(index), ..config(host, relays?, topics)? };
        config.relay_selection.hints = self.hints(index);
        Ok(Member {
            name: host.name.clone(),
            nat: self.topology.nat_kind(topology::HostIndex(index)),
            host: self.places.hosts[index],
            identity: self.identities[index].clone(),
            trader: trader_key(&self.identities[index])?,
            server: self.server(index),
            accepts_channels: config.webrtc.enabled && !self.topology.channels.is_empty(),
            config,
            conduct: host.conduct,
            attack: host.attack.clone(),
            address: self.places.addresses[index],
        })
    }

    fn webrtc(&self, index: usize) -> Result<WebrtcConfig> {
        let host = &self.topology.hosts[index];
        let at = |server: &topology::HostIndex| ServerHost::Ip(IpAddr::V4(self.places.addresses[server.0]));
        let stun = host.stun.iter().map(|server| Ok(IceServer::Stun { host: at(server), port: ICE_SERVER_PORT }));
        let turn = host.turn.iter().map(|server| {
            let (username, credential) = (TURN_USER.to_owned(), Credential::new(TURN_PASSWORD.to_owned())?);
            Ok(IceServer::Turn { host: at(server), port: ICE_SERVER_PORT, username, credential })
        });
        Ok(WebrtcConfig {
            enabled: host.transports.contains(&Transport::WebRtc),
            ice_servers: stun.chain(turn).collect::<Result<_>>()?,
            relay_only: host.relay_only,
            certificate: self.certificates[index].clone(),
        })
    }

    /// The round trips between the host's region and those of its relays, where it is told of them.
    fn hints(&self, index: usize) -> BTreeMap<PeerId, Duration> {
        let host = &self.topology.hosts[index];
        if host.relay_selection.is_none_or(|chosen| chosen.hints == Hints::None) {
            return BTreeMap::new();
        }
        let region = |host: &Host| self.topology.uplinks.get(host.uplink.0).map(|uplink| uplink.region);
        let hint = |relay: &topology::HostIndex| {
            let there = region(self.topology.hosts.get(relay.0)?)?;
            let latency = self.core.latency.get(region(host)?)?.get(there)?;
            Some((self.identities[relay.0].public().to_peer_id(), *latency * 2))
        };
        host.relays.iter().filter_map(hint).collect()
    }

    /// What a trader is told about chain and wallet; nothing when the host is none.
    fn trading(&self, index: usize) -> Option<TradingConfig> {
        let indexers = self.topology.hosts[index].indexers.iter();
        let indexers: Vec<Ipv4Addr> = indexers.map(|server| self.places.addresses[server.0]).collect();
        Some(self.bitcoin?.purse(index)?.trading_config(&indexers))
    }

    fn server(&self, index: usize) -> Option<Settings> {
        let serves = &self.topology.hosts[index].serves;
        let ip = IpAddr::V4(self.places.addresses[index]);
        let relays = serves.contains(&Service::Turn).then(|| TurnSettings::new(ip, TURN_USER, TURN_PASSWORD));
        let address = SocketAddr::new(ip, ICE_SERVER_PORT);
        let is_ice = serves.iter().any(|service| matches!(service, Service::Stun | Service::Turn));
        is_ice.then_some(Settings { address, turn: relays })
    }

    /// A relay's address for the first of its transports that the host speaks as well.
    fn relay_address(&self, index: usize, spoken: &[Transport]) -> Result<PeerAddress> {
        let relay = self.topology.hosts.get(index).context("a relay of the topology")?;
        let common =
            relay.transports.iter().find(|transport| spoken.contains(transport)).or_else(|| relay.transports.first());
        let transport = common.copied().unwrap_or(Transport::Quic);
        let address = listen(self.places.addresses[index], transport);
        let address = match &self.certificates[index] {
            Some(certificate) if transport == Transport::WebRtc => with_certificate(address, certificate)?,
            Some(_) | None => address,
        };
        Ok(PeerAddress { peer: self.identities[index].public().to_peer_id(), address })
    }
}

fn trader_key(identity: &Keypair) -> Result<TraderKey> {
    Ok(TraderKey(identity.public().try_into_ed25519()?.to_bytes()))
}

fn identity(world: &World, host: HostIndex) -> Result<Keypair> {
    let mut seed = [0; 32];
    world.runtime(host)?.fill_random(&mut seed);
    Ok(Keypair::ed25519_from_bytes(seed)?)
}

/// A certificate for a host that speaks WebRTC, from the run's entropy. It outlives a crash, as the file of a real node does.
fn certificate(host: &Host) -> Result<Option<Certificate>> {
    let speaks = host.transports.contains(&Transport::WebRtc);
    Ok(speaks.then(Certificate::generate).transpose()?)
}

fn config(host: &Host, relays: Vec<PeerAddress>, topics: Vec<String>) -> Result<Config> {
    let is_relay = host.role == Role::Relay;
    // Nobody reaches a WebRTC server behind a NAT at an address of its own; there, WebRTC is negotiated.
    let listens = |transport: &&Transport| **transport != Transport::WebRtc || host.site.is_none();
    let transports = host.transports.iter().filter(listens);
    let relay_limits = host.capacity.unwrap_or_default();
    Ok(Config {
        listen: transports.map(|transport| listen(Ipv4Addr::UNSPECIFIED, *transport)).collect(),
        reachability: if is_relay { Reachability::Public } else { Reachability::Auto },
        relay_server: is_relay,
        hole_punching: host.hole_punching,
        discovery: host.discovery,
        bootstrap: if host.discovery { relays.clone() } else { Vec::new() },
        relays,
        topics,
        relay_selection: host.relay_selection.as_ref().map(selection).transpose()?.unwrap_or_default(),
        relay_limits,
        limits: if is_relay { Limits::of_relay(relay_limits.reservations) } else { Limits::default() },
        bandwidth: host.bandwidth.as_ref().map(bandwidth).transpose()?.unwrap_or_default(),
        ..Config::default()
    })
}

/// A scenario's choice of relays as the node's.
fn selection(chosen: &topology::RelaySelection) -> Result<RelaySelection> {
    Ok(RelaySelection {
        policy: policy::policy(chosen.policy)?,
        parameters: chosen.parameters,
        standbys: chosen.standbys,
        probe_in_use: chosen.probe_in_use,
        probe_idle: chosen.probe_idle,
        discovery: chosen.discovery,
        hints: BTreeMap::new(),
    })
}

/// A scenario's rates as the node's.
fn bandwidth(chosen: &topology::Bandwidth) -> Result<Bandwidth> {
    let rate = |spans: &[topology::RateSpan]| {
        let span = |span: &topology::RateSpan| RateSpan { from: span.from, to: span.to, rate: span.rate };
        DayRate::new(spans.iter().map(span).collect())
    };
    Ok(Bandwidth {
        sending: Direction { node: rate(&chosen.node_sends)?, connection: rate(&chosen.connection_sends)? },
        receiving: Direction { node: rate(&chosen.node_receives)?, connection: rate(&chosen.connection_receives)? },
    })
}

fn listen(address: Ipv4Addr, transport: Transport) -> Multiaddr {
    use libp2p::multiaddr::Protocol;
    let base = Multiaddr::empty().with(Protocol::Ip4(address));
    match transport {
        Transport::Quic => base.with(Protocol::Udp(PORT)).with(Protocol::QuicV1),
        Transport::Tcp => base.with(Protocol::Tcp(PORT)),
        Transport::WebSocket => base.with(Protocol::Tcp(WEBSOCKET_PORT)).with(Protocol::Ws("/".into())),
        Transport::WebRtc => base.with(Protocol::Udp(WEBRTC_PORT)).with(Protocol::WebRTCDirect),
    }
}

fn with_certificate(address: Multiaddr, certificate: &Certificate) -> Result<Multiaddr> {
    let hash = Multihash::from_bytes(&certificate.fingerprint().to_multihash())?;
    Ok(address.with(libp2p::multiaddr::Protocol::Certhash(hash)))
}
