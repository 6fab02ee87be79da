//! What a node reports: one typed enum that feeds logs, metrics, the control endpoint and simulation records.

use std::time::Duration;

use bytes::Bytes;
use darkswap_core::message::MessageId;
use darkswap_core::path::PathKind;
use libp2p::{Multiaddr, PeerId};

/// Something that happened in a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The node listens on an address.
    Listening {
        /// The address, complete with its port.
        address: Multiaddr,
    },
    /// A listener ended.
    ListenerClosed {
        /// Its addresses.
        addresses: Vec<Multiaddr>,
        /// Why, when it was not asked for.
        reason: Option<String>,
    },
    /// An address of this node is known to be reachable from outside.
    ExternalAddress {
        /// The address.
        address: Multiaddr,
    },
    /// A relay accepted our reservation.
    ReservationAccepted {
        /// The relay.
        relay: PeerId,
        /// Whether it renewed an existing one.
        renewal: bool,
        /// Time since it was first asked for.
        elapsed: Duration,
    },
    /// A reservation was refused or lost; the node tries again with back-off.
    ReservationLost {
        /// The relay.
        relay: PeerId,
        /// Why.
        reason: String,
    },
    /// A connection was opened.
    ConnectionOpened {
        /// The remote peer.
        peer: PeerId,
        /// Direct, or through a relay.
        path: PathKind,
        /// The transport underneath.
        transport: TransportKind,
        /// The remote address.
        address: Multiaddr,
        /// Whether we dialled.
        dialer: bool,
    },
    /// A connection ended.
    ConnectionClosed {
        /// The remote peer.
        peer: PeerId,
        /// Direct, or through a relay.
        path: PathKind,
        /// Why, when it was not closed in good order.
        reason: Option<String>,
    },
    /// The best path to a peer changed.
    PathChanged {
        /// The remote peer.
        peer: PeerId,
        /// Before; `None` when there was no path.
        from: Option<PathKind>,
        /// Now; `None` when there is no path any more.
        to: Option<PathKind>,
        /// Time since the previous change, or since the path was asked for.
        elapsed: Duration,
        /// The transport of the new path.
        transport: Option<TransportKind>,
    },
    /// No path to a peer could be made; the node goes on trying with back-off while the peer is wanted.
    PathFailed {
        /// The remote peer.
        peer: PeerId,
        /// The last attempts' errors.
        reason: String,
    },
    /// A hole punch ended.
    HolePunch {
        /// The remote peer.
        peer: PeerId,
        /// This node's DCUtR role.
        role: HolePunchRole,
        /// Whether a direct connection came out of it.
        succeeded: bool,
        /// Why not.
        reason: Option<String>,
    },
    /// A dial failed.
    DialFailed {
        /// Whom, when it was known.
        peer: Option<PeerId>,
        /// Why.
        reason: String,
    },
    /// A ping was answered.
    Ping {
        /// The remote peer.
        peer: PeerId,
        /// The path it took.
        path: PathKind,
        /// Round-trip time.
        round_trip: Duration,
    },
    /// A message arrived, for the first time.
    MessageReceived {
        /// Sender, authenticated by the connection.
        peer: PeerId,
        /// The sender's id for it.
        id: MessageId,
        /// The path it took.
        path: PathKind,
        /// What the application sent.
        payload: Bytes,
    },
    /// A message arrived again (its acknowledgement was lost) and was not delivered again.
    MessageDuplicate {
        /// Sender.
        peer: PeerId,
        /// The sender's id for it.
        id: MessageId,
    },
    /// The remote peer acknowledged a message of ours.
    MessageDelivered {
        /// Receiver.
        peer: PeerId,
        /// Our id for it.
        id: MessageId,
        /// Time since it was submitted.
        elapsed: Duration,
        /// The path of the acknowledged attempt.
        path: PathKind,
        /// Size of the payload in bytes.
        size: usize,
    },
    /// A message of ours was given up; it may or may not have arrived.
    MessageFailed {
        /// Receiver.
        peer: PeerId,
        /// Our id for it.
        id: MessageId,
        /// Why.
        reason: String,
    },
    /// A gossip message arrived, for the first time.
    Gossip {
        /// Its topic.
        topic: String,
        /// Its signer.
        source: PeerId,
        /// What was published.
        payload: Bytes,
    },
    /// A peer broke a rule; what it sent was refused.
    Misbehaviour {
        /// Who.
        peer: PeerId,
        /// Which rule.
        kind: Misbehaviour,
        /// The evidence, for people.
        evidence: String,
    },
    /// What AutoNAT found about an address of ours.
    Reachability {
        /// The address that was tested.
        address: Multiaddr,
        /// Whether others can dial it.
        reachable: bool,
    },
}

/// The transport of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransportKind {
    /// QUIC version 1 (RFC 9000).
    Quic,
    /// TCP with noise and yamux.
    Tcp,
    /// WebSocket over TCP with noise and yamux.
    WebSocket,
    /// A relayed circuit, whatever carries it.
    Circuit,
}

/// A node's role in a DCUtR exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HolePunchRole {
    /// It listened on the relayed connection: it sends Connect and Sync and is the QUIC server of the direct connection.
    Server,
    /// It dialled the relayed connection: it is the QUIC client of the direct connection.
    Client,
}

/// A rule that a peer broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misbehaviour {
    /// Bytes that do not decode.
    Malformed,
    /// More bytes, messages or streams than the limits allow.
    Oversized,
    /// An acknowledgement of something we did not send.
    Unsolicited,
}
