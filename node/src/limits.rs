//! Every bound of a node, in one place, with its reason: [`Limits`] can be set, [`fixed`] cannot.

pub mod fixed;

use std::time::Duration;

/// Bounds that an operator can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in all. Each costs about 100 kB; the default keeps a node below 100 MB.
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
