//! The node's resolved configuration: typed, complete, checked. The TOML form is in `config_file`.

use darkswap_connectivity::relay;
use darkswap_webrtc::certificate::Certificate;
use libp2p::{Multiaddr, PeerId};

use crate::ice_server::IceServer;
use crate::limits::Limits;

mod bandwidth;
mod electrum;
mod messages;
mod relay_selection;
mod trading;

pub use bandwidth::{Bandwidth, DayRate, DayRateError, Direction, RATE_SPANS, RateSpan};
pub use electrum::{ElectrumServer, ElectrumServerError, Security};
pub use messages::{MessagesConfig, Sealing};
pub use relay_selection::RelaySelection;
pub use trading::{Bitcoind, RpcLogin, ServerAddress, ServerAddressError, TradingConfig};

/// Everything that tells one node from another, besides its identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Addresses to listen on: `/ip4/../tcp/..`, `/ip4/../tcp/../ws`, `/ip4/../udp/../quic-v1`. The node
    /// dials with every transport, whatever it listens on.
    pub listen: Vec<Multiaddr>,
    /// Addresses under which others reach this node, when they are known beforehand.
    pub external: Vec<Multiaddr>,
    /// Relays to choose from.
    pub relays: Vec<PeerAddress>,
    /// How they are chosen.
    pub relay_selection: RelaySelection,
    /// Peers through which the node joins the DHT.
    pub bootstrap: Vec<PeerAddress>,
    /// Whether others can dial this node.
    pub reachability: Reachability,
    /// Whether the node relays for others (circuit relay v2 hop).
    pub relay_server: bool,
    /// Whether relayed connections are upgraded to direct ones (DCUtR).
    pub hole_punching: bool,
    /// Whether the node takes part in the DHT (client behind a NAT, server when public).
    pub discovery: bool,
    /// WebRTC: direct paths between hosts behind NATs, and to browsers.
    pub webrtc: WebrtcConfig,
    /// Gossip topics to subscribe to.
    pub topics: Vec<String>,
    /// What happens to messages above the transport.
    pub messages: MessagesConfig,
    /// Trading. None: the node does not trade.
    pub trading: Option<TradingConfig>,
    /// What a relay server admits. Of no effect without [`relay_server`](Self::relay_server).
    pub relay_limits: relay::server::Limits,
    /// How many bytes per second may pass.
    pub bandwidth: Bandwidth,
    /// Every bound of the node.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            external: Vec::new(),
            relays: Vec::new(),
            relay_selection: RelaySelection::default(),
            bootstrap: Vec::new(),
            reachability: Reachability::Auto,
            relay_server: false,
            hole_punching: true,
            discovery: true,
            webrtc: WebrtcConfig::default(),
            topics: Vec::new(),
            messages: MessagesConfig::default(),
            trading: None,
            relay_limits: relay::server::Limits::default(),
            bandwidth: Bandwidth::default(),
            limits: Limits::default(),
        }
    }
}

/// WebRTC: direct paths between hosts behind NATs, and to browsers.
#[derive(Debug, Clone)]
pub struct WebrtcConfig {
    /// Whether the node speaks WebRTC at all.
    pub enabled: bool,
    /// Servers that help to find a path, in no order. None is asked by default: each learns this host's address.
    pub ice_servers: Vec<IceServer>,
    /// Whether only relayed candidates are offered, so that no peer learns this host's addresses through WebRTC (RFC 8828 mode 4).
    pub relay_only: bool,
    /// The certificate of this node's DTLS. Peers find its fingerprint in webrtc-direct addresses, so it has to outlive a restart;
    /// without one the node makes one for its lifetime.
    pub certificate: Option<Certificate>,
}

impl PartialEq for WebrtcConfig {
    /// A certificate is the same when its fingerprint is.
    fn eq(&self, other: &Self) -> bool {
        let fingerprint = |config: &Self| config.certificate.as_ref().map(Certificate::fingerprint);
        let rest = |config: &Self| (config.enabled, config.relay_only);
        rest(self) == rest(other) && self.ice_servers == other.ice_servers && fingerprint(self) == fingerprint(other)
    }
}

impl Default for WebrtcConfig {
    fn default() -> Self {
        Self { enabled: true, ice_servers: Vec::new(), relay_only: false, certificate: None }
    }
}

/// A peer and one address of it: `/ip4/../udp/../quic-v1/p2p/<peer id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    /// Whom to expect there.
    pub peer: PeerId,
    /// Where, without the trailing `/p2p`.
    pub address: Multiaddr,
}

/// Whether others can dial this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reachability {
    /// Found out with AutoNAT.
    #[default]
    Auto,
    /// Declared public: no relay reservation, DHT server.
    Public,
    /// Declared private: relay reservation, DHT client.
    Private,
}
