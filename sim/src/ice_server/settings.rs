//! What a server is told, and what it counts.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

/// A STUN server, and a TURN server when `turn` is given.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the server listens.
    pub address: SocketAddr,
    /// Whom and how it relays, if it does.
    pub turn: Option<TurnSettings>,
}

/// Whom and how a server relays.
#[derive(Clone, Debug)]
pub struct TurnSettings {
    /// The realm of the credentials.
    pub realm: String,
    /// Users with their passwords.
    pub users: BTreeMap<String, String>,
    /// The address that peers see: one of the host's own.
    pub relay_ip: IpAddr,
    /// The ports that peers see.
    pub relay_ports: RangeInclusive<u16>,
    /// Allocations at most; one more is refused with 508.
    pub max_allocations: usize,
    /// For how long an allocation is granted.
    pub lifetime: Duration,
    /// After how long a nonce is stale.
    pub nonce_lifetime: Duration,
}

impl TurnSettings {
    /// A server for one user, with RFC 8656's lifetimes.
    pub fn new(relay_ip: IpAddr, username: &str, password: &str) -> Self {
        Self {
            realm: "simulation".to_owned(),
            users: BTreeMap::from([(username.to_owned(), password.to_owned())]),
            relay_ip,
            relay_ports: 49_152..=65_535,
            max_allocations: 256,
            lifetime: Duration::from_secs(600),
            nonce_lifetime: Duration::from_secs(3_600),
        }
    }
}

/// What a server has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Binding requests answered.
    pub bindings: u64,
    /// Allocations granted.
    pub allocations: u64,
    /// Allocations that clients gave back.
    pub releases: u64,
    /// Allocations that expired.
    pub expiries: u64,
    /// Requests answered with an error, challenges included.
    pub refusals: u64,
    /// Bytes from clients to peers.
    pub relayed_to_peers: u64,
    /// Bytes from peers to clients.
    pub relayed_to_clients: u64,
    /// Data that was not relayed: no allocation, permission or channel for it.
    pub dropped: u64,
    /// Datagrams to the server that are neither STUN nor ChannelData.
    pub malformed: u64,
}
