//! Every bound of a node, in one place, with its reason: [`Limits`] can be set, [`fixed`] cannot.

pub mod fixed;

use std::time::Duration;

/// Bounds that an operator can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in all. Each costs about 100 kB; the default keeps a node below 100 MB. A relay needs
    /// [more](Self::of_relay).
    pub connections: u32,
    /// Open connections to one peer: a direct and a relayed one, each in both directions while a hole punch is under way.
    pub connections_per_peer: u32,
    /// Connections that have not finished their handshake, in each direction. A flood of half-open ones stops here.
    pub pending_connections: u32,
    /// Largest message that an application may send or receive, in bytes.
    pub message_size: usize,
    /// Messages to one peer that wait for an acknowledgement.
    pub pending_messages: usize,
    /// How long a message is retried before its sender is told that it failed.
    pub message_deadline: Duration,
    /// Largest gossip message, in bytes.
    pub gossip_size: usize,
    /// Peers whose path is kept in mind.
    pub peers: usize,
    /// How long the connections to a peer are kept that this node asked for and does not use any more.
    pub idle: Duration,
    /// Addresses that are remembered of one peer.
    pub addresses_per_peer: usize,
}

/// Connections of a relay for each reservation that it grants: one for its client, one for whoever has a circuit to it, and as many
/// again for those that come to ask.
const CONNECTIONS_PER_RESERVATION: usize = 4;

/// What a process can hold open, at most: more need more ports, descriptors and memory than one has.
pub const MOST_CONNECTIONS: u32 = 65_536;

impl Limits {
    /// The defaults of a relay that grants so many reservations. Each of them keeps a connection, so that a pool of the usual size
    /// would be full of them before all are granted.
    #[must_use]
    pub fn of_relay(reservations: usize) -> Self {
        let plain = Self::default();
        let wanted = u32::try_from(reservations.saturating_mul(CONNECTIONS_PER_RESERVATION)).unwrap_or(u32::MAX);
        Self { connections: plain.connections.max(wanted).min(MOST_CONNECTIONS), ..plain }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            connections_per_peer: 8,
            pending_connections: 128,
            message_size: 1 << 20,
            pending_messages: 256,
            message_deadline: Duration::from_secs(60),
            gossip_size: 64 << 10,
            peers: 4_096,
            idle: Duration::from_secs(2 * 60),
            addresses_per_peer: 16,
        }
    }
}
