//! What a node answers.

use std::collections::BTreeMap;

use darkswap_core::path::PathKind;
use darkswap_trader::command;
use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};

use super::event_record::transport_name;
use super::relay_report::RelayReport;
use super::relay_service_report::RelayServiceReport;
use super::text;
use crate::handle::{CommandError, ConnectionQuality, PeerStatus, Receipt, Status};
use crate::trading::TradingError;

/// What a node answers when it did what was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `status`.
    Status(StatusReport),
    /// To `peers`, by peer id.
    Peers(Vec<PeerReport>),
    /// To `relays`, those in use first.
    Relays(Vec<RelayReport>),
    /// To `connect`.
    Connected {
        /// The first usable path.
        path: Path,
    },
    /// To `send`.
    Sent(ReceiptReport),
    /// To `drain`.
    Drained {
        /// Circuits that were cut at the end.
        cut: usize,
    },
    /// To `trade`.
    Trade(command::Reply),
    /// To `subscribe`: events follow.
    Subscribed,
    /// To everything else.
    Done,
}

/// A node's own state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Its peer id.
    #[serde(with = "text")]
    pub peer_id: PeerId,
    /// The version of its program.
    pub version: String,
    /// The addresses it listens on, circuits included.
    pub listening: Vec<Multiaddr>,
    /// The addresses known to be reachable from outside.
    pub external: Vec<Multiaddr>,
    /// Peer ids of the relays on which it holds a reservation.
    pub reservations: Vec<String>,
    /// What it does as a relay for others; `null` when it is none.
    #[serde(default)]
    pub relay: Option<Box<RelayServiceReport>>,
    /// How often peers broke a rule since the node was started, by the rule: `malformed`, `oversized`, ... as in the event
    /// `misbehaviour`. Rules that nobody broke are not listed.
    #[serde(default)]
    pub misbehaved: BTreeMap<String, u64>,
}

/// A connected or wanted peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerReport {
    /// Who.
    #[serde(with = "text")]
    pub peer: PeerId,
    /// The best path; `null` when there is none.
    pub path: Option<Path>,
    /// Remote address of the best path.
    pub address: Option<Multiaddr>,
    /// Number of open connections.
    pub connections: usize,
    /// Transport of the best path.
    pub transport: Option<String>,
    /// Last ping round trip on the best path.
    pub round_trip_seconds: Option<f64>,
    /// How good the best path is.
    pub quality: Option<QualityReport>,
    /// Messages that wait for their turn or for an acknowledgement.
    pub pending: usize,
    /// `idle`, `busy` or `pinned`; `null` when there is no connection.
    #[serde(default)]
    pub usage: Option<String>,
    /// What the peer calls its program. Hostile text is possible.
    pub agent: Option<String>,
}

/// How good a connection is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityReport {
    /// Peer id of the relay that it goes through.
    pub relay: Option<String>,
    /// From 0, useless, to 100.
    pub score: u8,
    /// What costs most points: `latency`, `jitter`, `loss`, `throughput` or `relayed`.
    pub weakest: String,
    /// The smoothed round-trip time of pings.
    pub smoothed_seconds: Option<f64>,
    /// The mean deviation of consecutive round-trip times.
    pub jitter_seconds: f64,
    /// The share of lost pings, 0.0 to 1.0.
    pub loss: f64,
    /// Bytes per second in both directions, of late, while there was something to carry.
    pub throughput: Option<u64>,
    /// Bytes that its substreams sent since it was opened.
    pub sent_bytes: u64,
    /// Bytes that they received.
    pub received_bytes: u64,
    /// For how long nothing was received on it but pings, probes and what opens substreams.
    pub inactive_seconds: f64,
}

/// What the receiver's acknowledgement of a message tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceiptReport {
    /// Id of the message, unique for its sender.
    pub id: String,
    /// Time from submission to acknowledgement.
    pub elapsed_seconds: f64,
    /// Path of the acknowledged attempt.
    pub path: Path,
}

/// Direct, or through a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// Peer to peer.
    Direct,
    /// Through a relay's circuit.
    Relayed,
}

/// What a node answers when it did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For programs.
    pub kind: ErrorKind,
    /// For people.
    pub message: String,
}

/// Why a node did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The line is not a request.
    Malformed,
    /// The line is longer than the node allows; the connection is closed.
    TooLong,
    /// The request is of another version of the protocol.
    UnsupportedVersion,
    /// Too many clients; the connection is closed.
    Busy,
    /// No path to the peer could be made.
    Unreachable,
    /// The message was given up; it may or may not have arrived.
    NotAcknowledged,
    /// The gossip network refused a publication.
    NotPublished,
    /// The node is no relay for others.
    NoRelay,
    /// A bound was reached.
    LimitReached,
    /// The node has stopped.
    Stopped,
    /// The node does not trade.
    NotTrading,
    /// What was asked of the trader makes no sense as it is.
    Invalid,
    /// There is no such order or swap.
    NotFound,
    /// The wallet cannot pay it.
    Funds,
    /// The chain is not reachable, or refused it.
    Chain,
}

impl Path {
    /// `direct` or `relayed`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relayed => "relayed",
        }
    }
}

impl From<PathKind> for Path {
    fn from(path: PathKind) -> Self {
        match path {
            PathKind::Direct => Self::Direct,
            PathKind::Relayed => Self::Relayed,
        }
    }
}

impl From<Status> for StatusReport {
    fn from(status: Status) -> Self {
        Self {
            peer_id: status.peer_id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listening: status.listening,
            external: status.external,
            reservations: status.reservations.iter().map(ToString::to_string).collect(),
            relay: status.relay.map(|service| Box::new(service.into())),
            misbehaved: status.misbehaved.into_iter().map(|(kind, times)| (kind.name().to_owned(), times)).collect(),
        }
    }
}

impl From<PeerStatus> for PeerReport {
    fn from(status: PeerStatus) -> Self {
        Self {
            peer: status.peer,
            path: status.path.map(Path::from),
            address: status.address,
            connections: status.connections,
            transport: status.transport.map(|transport| transport_name(&transport).to_owned()),
            round_trip_seconds: status.round_trip.map(|time| time.as_secs_f64()),
            quality: status.quality.as_ref().map(QualityReport::from),
            pending: status.pending,
            usage: status.usage.map(|usage| usage.name().to_owned()),
            agent: status.agent,
        }
    }
}

impl From<&ConnectionQuality> for QualityReport {
    fn from(quality: &ConnectionQuality) -> Self {
        Self {
            relay: quality.relay.map(|relay| relay.to_string()),
            score: quality.score,
            weakest: quality.weakest.name().to_owned(),
            smoothed_seconds: quality.round_trip.map(|time| time.as_secs_f64()),
            jitter_seconds: quality.jitter.as_secs_f64(),
            loss: quality.loss,
            throughput: quality.throughput,
            sent_bytes: quality.sent,
            received_bytes: quality.received,
            inactive_seconds: quality.inactive.as_secs_f64(),
        }
    }
}

impl From<Receipt> for ReceiptReport {
    fn from(receipt: Receipt) -> Self {
        Self { id: receipt.id.to_string(), elapsed_seconds: receipt.elapsed.as_secs_f64(), path: receipt.path.into() }
    }
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        let kind = match error {
            CommandError::Stopped => ErrorKind::Stopped,
            CommandError::Unreachable { .. } => ErrorKind::Unreachable,
            CommandError::NotAcknowledged { .. } => ErrorKind::NotAcknowledged,
            CommandError::LimitReached { .. } | CommandError::Busy { .. } | CommandError::NoConnection { .. } => {
                ErrorKind::LimitReached
            }
            CommandError::NotPublished { .. } => ErrorKind::NotPublished,
            CommandError::NoRelay => ErrorKind::NoRelay,
        };
        Self { kind, message: error.to_string() }
    }
}

impl From<TradingError> for Refusal {
    fn from(error: TradingError) -> Self {
        let kind = match &error {
            TradingError::Stopped(_) => ErrorKind::Stopped,
            TradingError::Refused(refused) => match refused {
                command::CommandError::Invalid(_) => ErrorKind::Invalid,
                command::CommandError::NotFound(_) => ErrorKind::NotFound,
                command::CommandError::Funds(_) => ErrorKind::Funds,
                command::CommandError::Chain(_) => ErrorKind::Chain,
                command::CommandError::Limit(_) => ErrorKind::LimitReached,
            },
        };
        Self { kind, message: error.to_string() }
    }
}
