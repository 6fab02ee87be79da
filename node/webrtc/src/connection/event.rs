//! What comes out of a connection.

use thiserror::Error;

use super::CandidatePair;
use crate::certificate::Fingerprint;
use crate::channel::{ChannelEnd, ChannelId, ChannelOptions};

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The state of ICE changed.
    Ice(IceState),
    /// ICE, DTLS and SCTP are up: channels open from now on.
    Connected,
    /// A channel is open at both ends.
    ChannelOpened {
        /// Which.
        channel: ChannelId,
        /// What it promises; of a peer's channel, what the peer asked for.
        options: ChannelOptions,
        /// Whether the peer opened it.
        by_peer: bool,
    },
    /// [`Connection::read`](super::Connection::read) has a message where it had none.
    Readable(ChannelId),
    /// [`Connection::write`](super::Connection::write) has room again after it was full.
    Writable(ChannelId),
    /// A channel ended. What arrived before it can still be read.
    ChannelClosed {
        /// Which.
        channel: ChannelId,
        /// Why.
        reason: ChannelEnd,
    },
    /// Data takes another pair from now on.
    SelectedPair(CandidatePair),
    /// The connection ended: the last event.
    Closed(CloseReason),
}

/// The state of ICE (W3C `RTCIceConnectionState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IceState {
    /// Nothing was checked yet.
    New,
    /// Pairs are being checked.
    Checking,
    /// A pair works.
    Connected,
    /// A pair works and nothing else is checked.
    Completed,
    /// The selected pair no longer answers.
    Disconnected,
    /// No pair works.
    Failed,
    /// The connection ended.
    Closed,
}

impl IceState {
    /// The state's name in events and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Checking => "checking",
            Self::Connected => "connected",
            Self::Completed => "completed",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CloseReason {
    /// We closed it.
    #[error("we closed the connection")]
    Local,
    /// The peer closed it.
    #[error("the peer closed the connection")]
    Peer,
    /// No pair of candidates works, or the selected one stopped to.
    #[error("no pair of candidates works")]
    IceFailed,
    /// The peer's certificate is not the announced one.
    #[error("the peer's certificate has the fingerprint {found:?}, expected {expected:?}")]
    WrongFingerprint {
        /// Of the certificate it showed.
        found: Fingerprint,
        /// The announced one.
        expected: Fingerprint,
    },
    /// DTLS failed.
    #[error("the DTLS handshake failed: {reason}")]
    Dtls {
        /// What it says.
        reason: String,
    },
    /// SCTP failed.
    #[error("the SCTP association failed: {reason}")]
    Sctp {
        /// What it says.
        reason: String,
    },
    /// The connection was not up in time.
    #[error("the connection was not up in time")]
    SetUpTimeout,
}

/// Why an operation on a connection was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConnectionError {
    /// It has ended.
    #[error("the connection has ended")]
    Closed,
    /// A session description that cannot be used.
    #[error("the session description cannot be used: {reason}")]
    Description {
        /// What is wrong with it.
        reason: String,
    },
    /// A candidate that cannot be used.
    #[error("the candidate cannot be used: {reason}")]
    Candidate {
        /// What is wrong with it.
        reason: String,
    },
    /// The operation does not fit the state of offer and answer.
    #[error("{operation} is not possible now: {reason}")]
    State {
        /// What was asked for.
        operation: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// A username fragment that cannot be used.
    #[error("the username fragment has {found} bytes, expected 4 to 256 letters, digits, + or /")]
    Ufrag {
        /// Its bytes.
        found: usize,
    },
    /// The stack below refused.
    #[error("the connection could not be set up: {reason}")]
    SetUp {
        /// What it says.
        reason: String,
    },
}
