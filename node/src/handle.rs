//! How an application talks to a running node.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
pub use darkswap_connectivity::limiter::{Priority as MessagePriority, RefusalReason};
pub use darkswap_connectivity::pool::{GetError, Usage};
use darkswap_connectivity::quality::Factor;
use darkswap_core::message::MessageId;
use darkswap_core::path::PathKind;
use libp2p::{Multiaddr, PeerId};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::event::{Misbehaviour, TransportKind};
pub use crate::relay_server::RelayService;
use crate::relay_status::RelayStatus;
use crate::trading::Trading;
use crate::trading::link::Act;
use crate::transport::DataChannels;
pub use crate::transport::webrtc::data_channel::{
    ChannelOptions, DataChannel, DataChannelError, Priority, Reliability,
};

/// A cheap, cloneable way to give a running node commands.
#[derive(Debug, Clone)]
pub struct Handle {
    peer_id: PeerId,
    commands: mpsc::Sender<Command>,
    channels: DataChannels,
    trading: Option<Trading>,
}

/// A data channel that a peer opened.
#[derive(Debug)]
pub struct InboundChannel {
    /// Who, authenticated by the connection.
    pub peer: PeerId,
    /// The channel. Dropping it closes it.
    pub channel: DataChannel,
}

/// Why a command could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommandError {
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
    /// No path to the peer could be made.
    #[error("no path to {peer}: {reason}")]
    Unreachable {
        /// Whom.
        peer: PeerId,
        /// The attempts' errors.
        reason: String,
    },
    /// The message was given up; it may or may not have arrived.
    #[error("message to {peer} was not acknowledged: {reason}")]
    NotAcknowledged {
        /// Whom.
        peer: PeerId,
        /// Why.
        reason: String,
    },
    /// A bound was reached.
    #[error("{what}: found {found}, at most {limit} are allowed")]
    LimitReached {
        /// Of what.
        what: &'static str,
        /// How much there was.
        found: usize,
        /// How much may be.
        limit: usize,
    },
    /// The node is no relay for others.
    #[error("this node is no relay: there is nothing to drain; set relay.server = true for one that is")]
    NoRelay,
    /// The pool has no connection for it.
    #[error("no connection to {peer}: {reason}")]
    NoConnection {
        /// Whom.
        peer: PeerId,
        /// Why.
        reason: GetError,
    },
    /// It waited for its turn in vain, or too much waits already. It did not go out.
    #[error("nothing was sent to {peer}: {reason}")]
    Busy {
        /// Whom.
        peer: PeerId,
        /// Why.
        reason: RefusalReason,
    },
    /// The gossip network refused a publication.
    #[error("not published on {topic}: {reason}")]
    NotPublished {
        /// The topic.
        topic: String,
        /// Why.
        reason: String,
    },
}

/// What the receiver's acknowledgement of a message tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Id of the message.
    pub id: MessageId,
    /// Time from submission to acknowledgement.
    pub elapsed: Duration,
    /// Path of the acknowledged attempt.
    pub path: PathKind,
}

/// A node's own state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its peer id.
    pub peer_id: PeerId,
    /// The addresses it listens on, circuits included.
    pub listening: Vec<Multiaddr>,
    /// The addresses known to be reachable from outside.
    pub external: Vec<Multiaddr>,
    /// Relays on which it holds a reservation.
    pub reservations: Vec<PeerId>,
    /// What it does as a relay for others, when it is one.
    pub relay: Option<RelayService>,
    /// How often peers broke a rule since the node was started, by the rule. Rules that nobody broke are not listed.
    pub misbehaved: BTreeMap<Misbehaviour, u64>,
}

/// A connected or wanted peer.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerStatus {
    /// Who.
    pub peer: PeerId,
    /// The best path, if there is one.
    pub path: Option<PathKind>,
    /// Remote address of the best path.
    pub address: Option<Multiaddr>,
    /// Number of open connections.
    pub connections: usize,
    /// Transport of the best path.
    pub transport: Option<TransportKind>,
    /// Last ping round trip on the best path.
    pub round_trip: Option<Duration>,
    /// How good the best path is.
    pub quality: Option<ConnectionQuality>,
    /// Messages that wait for their turn or for an acknowledgement.
    pub pending: usize,
    /// How its connections are used.
    pub usage: Option<Usage>,
    /// The `agent_version` that the peer sent with identify, at most 128 characters.
    pub agent: Option<String>,
}

/// How good a connection is.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionQuality {
    /// The relay that it goes through.
    pub relay: Option<PeerId>,
    /// From 0, useless, to 100.
    pub score: u8,
    /// What costs most points.
    pub weakest: Factor,
    /// The smoothed round-trip time of pings; `None` before the first answer.
    pub round_trip: Option<Duration>,
    /// The mean deviation of consecutive round-trip times.
    pub jitter: Duration,
    /// The share of lost pings, 0.0 to 1.0.
    pub loss: f64,
    /// Bytes per second in both directions, of late, while there was something to carry.
    pub throughput: Option<u64>,
    /// Bytes that its substreams sent since it was opened.
    pub sent: u64,
    /// Bytes that they received.
    pub received: u64,
    /// For how long nothing was received on it but pings, probes and what opens substreams. Data channels are not counted.
    pub inactive: Duration,
}

/// A command with the way back for its answer.
#[derive(Debug)]
pub(crate) enum Command {
    Connect {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        answer: oneshot::Sender<Result<PathKind, CommandError>>,
    },
    Disconnect {
        peer: PeerId,
        answer: oneshot::Sender<()>,
    },
    Send {
        peer: PeerId,
        payload: Bytes,
        priority: MessagePriority,
        answer: oneshot::Sender<Result<Receipt, CommandError>>,
    },
    Publish {
        topic: String,
        payload: Bytes,
        answer: oneshot::Sender<Result<(), CommandError>>,
    },
    Relays {
        answer: oneshot::Sender<Vec<RelayStatus>>,
    },
    Peers {
        answer: oneshot::Sender<Vec<PeerStatus>>,
    },
    Status {
        answer: oneshot::Sender<Status>,
    },
    AcceptChannel {
        answer: oneshot::Sender<InboundChannel>,
    },
    Drain {
        within: Duration,
        answer: oneshot::Sender<Result<usize, CommandError>>,
    },
    Stop {
        answer: oneshot::Sender<()>,
    },
    /// From the trader's task, which waits for no answer.
    Trading(Act),
}

impl Handle {
    pub(crate) fn new(peer_id: PeerId, commands: mpsc::Sender<Command>) -> Self {
        Self { peer_id, commands, channels: DataChannels::default(), trading: None }
    }

    /// The same handle for a node whose data channels are these.
    pub(crate) fn with_channels(self, channels: DataChannels) -> Self {
        Self { channels, ..self }
    }

    /// The same handle for a node that trades, or does not.
    pub(crate) fn with_trading(self, trading: Option<Trading>) -> Self {
        Self { trading, ..self }
    }

    /// The node's peer id.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Makes a path to a peer and keeps it: direct when possible, else through a relay. Answers with the first usable path.
    ///
    /// `addresses` are added to what the node knows of the peer; without any it asks the DHT and its own relays.
    ///
    /// # Errors
    /// [`CommandError::Unreachable`] when the first round of attempts fails (the node goes on trying), [`CommandError::Stopped`].
    pub async fn connect(&self, peer: PeerId, addresses: Vec<Multiaddr>) -> Result<PathKind, CommandError> {
        self.ask(|answer| Command::Connect { peer, addresses, answer }).await?
    }

    /// Stops wanting a path to a peer and closes its connections.
    ///
    /// # Errors
    /// [`CommandError::Stopped`].
    pub async fn disconnect(&self, peer: PeerId) -> Result<(), CommandError> {
        self.ask(|answer| Command::Disconnect { peer, answer }).await
    }

    /// Sends a message and waits until the peer acknowledged it. It survives a change of path and is delivered at most once.
    ///
    /// # Errors
    /// [`CommandError::NotAcknowledged`] when its deadline passes first, [`CommandError::Busy`] when it did not get its turn,
    /// [`CommandError::NoConnection`], [`CommandError::LimitReached`], [`CommandError::Stopped`].
    pub async fn send(&self, peer: PeerId, payload: Bytes) -> Result<Receipt, CommandError> {
        self.send_as(peer, payload, MessagePriority::Chat).await
    }

    /// Sends a message like [`send`](Self::send), before or after others that wait.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn send_as(
        &self,
        peer: PeerId,
        payload: Bytes,
        priority: MessagePriority,
    ) -> Result<Receipt, CommandError> {
        self.ask(|answer| Command::Send { peer, payload, priority, answer }).await?
    }

    /// Publishes on a gossip topic.
    ///
    /// # Errors
    /// [`CommandError::NotPublished`] without a subscribed peer or when the message is too large, [`CommandError::Stopped`].
    pub async fn publish(&self, topic: &str, payload: Bytes) -> Result<(), CommandError> {
        let topic = topic.to_owned();
        self.ask(|answer| Command::Publish { topic, payload, answer }).await?
    }

    /// Opens a data channel to a peer over its WebRTC connection: reliable or not, ordered or not, with a priority among the channels of
    /// that connection. Messages can be sent at once. The channel ends with the connection; unlike [`send`](Self::send) it does not
    /// survive a change of path. While it is open, the connection is not closed for being idle or for room.
    ///
    /// # Errors
    /// [`DataChannelError`] when there is no WebRTC connection to the peer, without a label, or when there are too many channels.
    pub fn open_channel(&self, peer: PeerId, options: ChannelOptions) -> Result<DataChannel, DataChannelError> {
        self.channels.open(peer, options)
    }

    /// The next data channel that a peer opened; waits for it.
    ///
    /// # Errors
    /// [`CommandError::Stopped`].
    pub async fn accept_channel(&self) -> Result<InboundChannel, CommandError> {
        self.ask(|answer| Command::AcceptChannel { answer }).await
    }

    /// The way to talk to the node's trader. None: the node does not trade.
    #[must_use]
    pub fn trading(&self) -> Option<Trading> {
        self.trading.clone()
    }

    /// Every connected or wanted peer, by peer id.
    ///
    /// # Errors
    /// [`CommandError::Stopped`].
    pub async fn peers(&self) -> Result<Vec<PeerStatus>, CommandError> {
        self.ask(|answer| Command::Peers { answer }).await
    }

    /// The relays that the node can choose, those in use first, the home first of all.
    ///
    /// # Errors
    /// [`CommandError::Stopped`].
    pub async fn relays(&self) -> Result<Vec<RelayStatus>, CommandError> {
        self.ask(|answer| Command::Relays { answer }).await
    }

    /// The node's own state.
    ///
    /// # Errors
    /// [`CommandError::Stopped`].
    pub async fn status(&self) -> Result<Status, CommandError> {
        self.ask(|answer| Command::Status { answer }).await
    }

    /// Drains the relay that this node is for others: it takes on nothing new, tells its clients to move, and ends what is left after
    /// `within`. Returns when that is over, with the number of circuits that were cut. The node itself goes on, as no relay.
    ///
    /// # Errors
    /// [`CommandError::NoRelay`], [`CommandError::Stopped`].
    pub async fn drain(&self, within: Duration) -> Result<usize, CommandError> {
        self.ask(|answer| Command::Drain { within, answer }).await?
    }

    /// Closes every connection in good order and stops the node.
    ///
    /// # Errors
    /// [`CommandError::Stopped`] when it had stopped already.
    pub async fn stop(&self) -> Result<(), CommandError> {
        self.ask(|answer| Command::Stop { answer }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, CommandError> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.map_err(|_| CommandError::Stopped)?;
        answered.await.map_err(|_| CommandError::Stopped)
    }
}
