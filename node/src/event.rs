//! What a node reports: one typed enum that feeds logs, metrics, the control endpoint and simulation records.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
pub use darkswap_connectivity::pool::{CloseReason, GetError};
pub use darkswap_connectivity::quality::{Action, Factor, Reason};
pub use darkswap_connectivity::relay::reservation::HomeReason;
pub use darkswap_connectivity::relay::server::Denied;
use darkswap_core::message::MessageId;
use darkswap_core::path::PathKind;
pub use darkswap_messages::seal::EndReason;
use darkswap_trader::command::TradeEvent;
pub use darkswap_webrtc::connection::{CandidateKind, IceState};
use libp2p::{Multiaddr, PeerId};

use crate::chain::ChainEvent;
pub use crate::handle::ConnectionQuality;

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
        /// Time since the relay was chosen; nothing for a renewal.
        elapsed: Duration,
    },
    /// A reservation was refused or lost, or its relay answers nothing: another relay is asked.
    ReservationLost {
        /// The relay.
        relay: PeerId,
        /// Why.
        reason: String,
        /// How long ago it had been asked for, when it was never granted.
        asked: Option<Duration>,
    },
    /// Another relay is this node's home: the first of those that it announces, and the one that the policy judges.
    HomeRelay {
        /// The home before.
        from: Option<PeerId>,
        /// The home now; `None` when there is none.
        to: Option<PeerId>,
        /// Why.
        reason: HomeReason,
    },
    /// The relays through which this node announces that it can be reached changed.
    RelaysAnnounced {
        /// All of them, the home first.
        relays: Vec<PeerId>,
    },
    /// A probe of a relay ended.
    RelayProbed {
        /// The relay.
        relay: PeerId,
        /// Round-trip time; `None` when no answer came.
        round_trip: Option<Duration>,
        /// The load that the relay reports, from 0.0, idle, to 1.0, full; `None` when it reports none.
        load: Option<f64>,
    },
    /// A relay was found in the DHT, or found at other addresses.
    RelayFound {
        /// The relay.
        relay: PeerId,
        /// Where it says it can be reached.
        addresses: Vec<Multiaddr>,
    },
    /// A peer's signed record was found in the DHT, newer than what was known.
    PeerRecordFound {
        /// The peer.
        peer: PeerId,
        /// Where it says it can be reached.
        addresses: Vec<Multiaddr>,
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
        /// Bytes that its substreams sent since it was opened.
        sent: u64,
        /// Bytes that they received.
        received: u64,
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
        /// Bytes that the substreams of its open relayed connections sent and received so far.
        relayed: u64,
    },
    /// A connection does not answer, answers again, or is closed because it does not and another one works.
    Doubt {
        /// The remote peer.
        peer: PeerId,
        /// Direct, or through a relay.
        path: PathKind,
        /// Which of the three.
        state: Doubt,
        /// Time since something arrived on it.
        silent: Duration,
    },
    /// The host has other addresses than before.
    Roamed {
        /// Those that it has now, loopback left out.
        addresses: Vec<IpAddr>,
    },
    /// The pool closed the connections to a peer.
    PoolClosed {
        /// The remote peer.
        peer: PeerId,
        /// Why.
        reason: CloseReason,
    },
    /// The pool has no room for a peer that was asked for.
    PoolRefused {
        /// The remote peer.
        peer: PeerId,
        /// Why.
        reason: GetError,
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
    /// A negotiation of a WebRTC connection over a relayed one ended.
    Negotiation {
        /// The remote peer.
        peer: PeerId,
        /// This node's role.
        role: NegotiationRole,
        /// Whether an existing connection got a new path (an ICE restart), instead of a new connection.
        restart: bool,
        /// Whether the connection works.
        succeeded: bool,
        /// From the first message of signalling to the end.
        elapsed: Duration,
        /// Why it failed.
        reason: Option<String>,
    },
    /// The state of ICE of a negotiated connection changed, also while it is being negotiated.
    IceState {
        /// The remote peer.
        peer: PeerId,
        /// The state (RFC 8445, section 6.1.2.6; the names are those of the WebRTC specification).
        state: IceState,
    },
    /// ICE chose a pair of candidates.
    IceSelected {
        /// The remote peer.
        peer: PeerId,
        /// The kind of our candidate.
        local: CandidateKind,
        /// The kind of the peer's.
        remote: CandidateKind,
    },
    /// A peer opened a data channel. It waits for [`Handle::accept_channel`](crate::Handle::accept_channel).
    ChannelOpened {
        /// The remote peer.
        peer: PeerId,
        /// What the peer calls it.
        label: String,
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
    /// How good a connection is: when it is pinged first, when its score enters another class, and once a minute.
    Quality {
        /// The remote peer.
        peer: PeerId,
        /// Direct, or through a relay.
        path: PathKind,
        /// The transport underneath.
        transport: TransportKind,
        /// What was measured, and its score.
        quality: ConnectionQuality,
    },
    /// Something is done because the score of the connection to a wanted peer stays low.
    QualityAction {
        /// The remote peer.
        peer: PeerId,
        /// What.
        action: Action,
        /// Why.
        reason: Reason,
    },
    /// The connection to a peer is good again, after something was done.
    QualityRecovered {
        /// The remote peer.
        peer: PeerId,
        /// How long it was not.
        low_for: Duration,
        /// The number of actions that were taken.
        attempts: u32,
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
    /// A sealed session with a peer began: messages are encrypted end to end with its keys.
    SessionOpened {
        /// With whom.
        peer: PeerId,
        /// Whether this node opened it.
        initiator: bool,
    },
    /// A sealed session ended; the next message opens another.
    SessionEnded {
        /// With whom.
        peer: PeerId,
        /// Why.
        reason: EndReason,
    },
    /// Messages were sent as one sealed parcel.
    MessageBytes {
        /// Receiver.
        peer: PeerId,
        /// How many.
        messages: usize,
        /// Bytes that the application sent.
        plain: usize,
        /// Bytes of the request, after compression and sealing.
        wire: usize,
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
    /// Something happened in the relay that this node is for others.
    RelayServer(RelayServerEvent),
    /// Something happened in trading.
    Trade(TradeEvent),
    /// Something happened with the servers that tell the chain, or the chain was reorganised.
    Chain(ChainEvent),
}

/// Something that happened in a relay, as the one that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayServerEvent {
    /// A reservation was granted.
    ReservationGranted {
        /// To whom.
        peer: PeerId,
        /// Whether the peer had one already.
        renewal: bool,
    },
    /// A reservation was refused.
    ReservationDenied {
        /// To whom.
        peer: PeerId,
        /// Why.
        reason: Denied,
    },
    /// A reservation ended.
    ReservationEnded {
        /// Whose.
        peer: PeerId,
        /// How.
        end: ReservationEnd,
    },
    /// A circuit was opened.
    CircuitOpened {
        /// By whom.
        from: PeerId,
        /// To whom.
        to: PeerId,
    },
    /// A circuit was not opened.
    CircuitDenied {
        /// By whom.
        from: PeerId,
        /// To whom.
        to: PeerId,
        /// Why.
        reason: CircuitRefusal,
    },
    /// A circuit ended.
    CircuitClosed {
        /// Who opened it.
        from: PeerId,
        /// To whom.
        to: PeerId,
        /// Bytes that it carried, in both directions.
        bytes: u64,
        /// How.
        end: CircuitEnd,
    },
    /// The relay serves nobody any more.
    Drained {
        /// Circuits that were closed at the end.
        cut: usize,
    },
}

/// How a reservation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservationEnd {
    /// It was not renewed.
    Expired,
    /// The peer's connection ended.
    Disconnected,
    /// The relay stops.
    Drained,
}

impl ReservationEnd {
    /// The name in events and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Disconnected => "disconnected",
            Self::Drained => "drained",
        }
    }
}

/// Why a circuit was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CircuitRefusal {
    /// The relay does not carry it.
    #[error(transparent)]
    Denied(Denied),
    /// The destination did not take it.
    #[error("{0}")]
    NotTaken(String),
}

impl CircuitRefusal {
    /// The name in events and records.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Denied(denied) => denied.name(),
            Self::NotTaken(_) => "not_taken",
        }
    }
}

/// How a circuit ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CircuitEnd {
    /// Both sides ended their direction.
    #[error("both sides have ended it")]
    Finished,
    /// The relay carries it no longer.
    #[error(transparent)]
    Denied(Denied),
    /// A stream failed.
    #[error("a stream failed: {0}")]
    Broken(String),
    /// The connection of whoever opened it ended.
    #[error("the connection of its opener ended")]
    Disconnected,
}

impl CircuitEnd {
    /// The name in events and records.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Denied(denied) => denied.name(),
            Self::Broken(_) => "broken",
            Self::Disconnected => "disconnected",
        }
    }
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
    /// WebRTC data channels, to a public server (webrtc-direct) or between any two peers.
    WebRtc,
    /// A relayed circuit, whatever carries it.
    Circuit,
}

/// What is thought of a connection on which answers were late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// It does not answer: other ways are dialled.
    Doubted,
    /// It answers again.
    Cleared,
    /// It is closed: another one works.
    Dead,
}

impl Doubt {
    /// The state's name in events and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Doubted => "doubted",
            Self::Cleared => "cleared",
            Self::Dead => "dead",
        }
    }
}

/// A node's role in a DCUtR exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HolePunchRole {
    /// It listened on the relayed connection: it sends Connect and Sync and is the QUIC server of the direct connection.
    Server,
    /// It dialled the relayed connection: it is the QUIC client of the direct connection.
    Client,
}

/// A node's role in the negotiation of a WebRTC connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NegotiationRole {
    /// It dialled: it opens the signalling stream and sends the offer.
    Offerer,
    /// It answers.
    Answerer,
}

impl NegotiationRole {
    /// The role's name in events and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Offerer => "offerer",
            Self::Answerer => "answerer",
        }
    }
}

/// A rule that a peer broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misbehaviour {
    /// Bytes that do not decode.
    Malformed,
    /// More bytes, messages or streams than the limits allow.
    Oversized,
    /// An answer, an acknowledgement or a request that nothing of ours called for.
    Unsolicited,
    /// Messages in an order that the protocol does not have, or the same one again.
    OutOfOrder,
    /// A certificate other than the announced one, a signature that does not hold, or a sealed message that the peer did not seal.
    Forged,
    /// Compressed bytes that become larger than any honest ones.
    Bomb,
    /// A sealed message that was opened before.
    Replayed,
    /// The peer poses as another, or cannot prove who it is.
    Spoofed,
}

impl Misbehaviour {
    /// The word for it in events and counts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Oversized => "oversized",
            Self::Unsolicited => "unsolicited",
            Self::OutOfOrder => "out_of_order",
            Self::Forged => "forged",
            Self::Bomb => "bomb",
            Self::Replayed => "replayed",
            Self::Spoofed => "spoofed",
        }
    }
}
