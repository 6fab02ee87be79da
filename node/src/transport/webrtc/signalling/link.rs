//! What the transport of `/webrtc` and the behaviour of its signalling tell each other.

use std::sync::Arc;
use std::time::Duration;

use darkswap_webrtc::connection::{CandidateKind, IceState};
use futures::channel::{mpsc, oneshot};
use libp2p::swarm::Stream;
use libp2p::{Multiaddr, PeerId};
use thiserror::Error;

use crate::event::{Misbehaviour, NegotiationRole};

/// From the transport to the behaviour.
#[derive(Debug)]
pub(in crate::transport::webrtc) enum ToBehaviour {
    /// A stream to a peer is needed.
    Open(Request),
    /// Something to tell the node.
    Report(Report),
}

/// A request for a stream over a relayed connection.
#[derive(Debug)]
pub(in crate::transport::webrtc) struct Request {
    pub(in crate::transport::webrtc) peer: PeerId,
    /// The circuit to dial when there is no relayed connection.
    pub(in crate::transport::webrtc) circuit: Option<Multiaddr>,
    pub(in crate::transport::webrtc) answer: oneshot::Sender<Result<Opened, NoStream>>,
}

/// A stream that was asked for.
#[derive(Debug)]
pub(in crate::transport::webrtc) struct Opened {
    pub(in crate::transport::webrtc) stream: Stream,
    /// Counts as a negotiation under way until it is dropped.
    pub(in crate::transport::webrtc) ticket: Ticket,
    /// Resolves when the negotiation has lost its purpose.
    pub(in crate::transport::webrtc) abandoned: oneshot::Receiver<()>,
}

/// Why there is no stream to a peer.
#[derive(Debug, Error)]
pub enum NoStream {
    /// The peer does not speak the signalling protocol.
    #[error("the peer does not speak {}", super::handler::PROTOCOL)]
    Unsupported,
    /// There is no relayed connection to it, and no way to make one is known.
    #[error("no relayed connection to the peer: signalling needs one")]
    NotConnected,
    /// The circuit could not be dialled.
    #[error("the circuit was not opened: {0}")]
    Circuit(String),
    /// The stream could not be opened.
    #[error("the signalling stream was not opened: {0}")]
    Stream(String),
    /// A bound of this node.
    #[error("found {found} negotiations under way, at most {limit} are allowed: try again later")]
    Busy {
        /// How many there are.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// The node is stopping.
    #[error("the node has stopped")]
    Stopped,
}

/// A negotiation under way; clones belong to the same one.
#[derive(Debug, Clone)]
pub(in crate::transport::webrtc) struct Ticket(pub(super) Arc<()>);

/// From the behaviour to the transport.
#[derive(Debug)]
pub(in crate::transport::webrtc) enum ToTransport {
    /// A peer opened a stream over a relayed connection.
    Accepted { peer: PeerId, stream: Stream, ticket: Ticket },
    /// The node is reachable through a circuit.
    Circuit(Multiaddr),
    /// It is not any more.
    CircuitGone(Multiaddr),
    /// A connection is to be restored with an ICE restart over this stream, if there is one.
    Restart { number: u64, stream: Result<Opened, NoStream> },
}

/// What the transport has to tell the node.
#[derive(Debug)]
pub(in crate::transport::webrtc) enum Report {
    /// A connection was made; libp2p will hear of it.
    Established { peer: PeerId, number: u64 },
    /// A connection ended.
    Gone { peer: PeerId, number: u64 },
    /// A negotiation ended.
    Ended { peer: PeerId, role: NegotiationRole, purpose: Purpose, result: Result<(), Failed>, elapsed: Duration },
    /// ICE's state of a connection changed. `number` names the connection.
    Ice { peer: PeerId, number: u64, state: IceState },
    /// ICE chose a pair of candidates.
    Selected { peer: PeerId, local: CandidateKind, remote: CandidateKind },
    /// A peer broke a rule of signalling.
    Misbehaviour { peer: PeerId, kind: Misbehaviour, evidence: String },
}

/// What was negotiated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A new connection.
    Connection,
    /// A new path for a connection that exists.
    Restart,
}

/// Why a negotiation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// Whether the peer does not speak the protocol at all.
    pub(crate) unsupported: bool,
    pub(crate) reason: String,
}

/// Both ends of the link: the transport's and the behaviour's.
pub(in crate::transport::webrtc) fn link() -> (TransportEnd, BehaviourEnd) {
    use crate::limits::fixed::signalling::LINK;
    let (to_behaviour, from_transport) = mpsc::channel(LINK);
    let (to_transport, from_behaviour) = mpsc::channel(LINK);
    let transport = TransportEnd { to_behaviour, from_behaviour };
    (transport, BehaviourEnd { to_transport, from_transport })
}

/// The transport's end.
#[derive(Debug)]
pub(in crate::transport::webrtc) struct TransportEnd {
    pub(in crate::transport::webrtc) to_behaviour: mpsc::Sender<ToBehaviour>,
    pub(in crate::transport::webrtc) from_behaviour: mpsc::Receiver<ToTransport>,
}

/// The behaviour's end.
#[derive(Debug)]
pub(in crate::transport::webrtc) struct BehaviourEnd {
    pub(super) to_transport: mpsc::Sender<ToTransport>,
    pub(super) from_transport: mpsc::Receiver<ToBehaviour>,
}
