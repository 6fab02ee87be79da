//! What a data channel promises (RFC 8831, RFC 8832).

pub(crate) mod dcep;
pub(crate) mod schedule;

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// Names a channel of one connection; never used twice within it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChannelId(pub(crate) u64);

impl fmt::Display for ChannelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "channel {}", self.0)
    }
}

/// What a channel is opened with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelOptions {
    /// Its name: for the application, at most [`MAX_LABEL`] bytes.
    pub label: String,
    /// Whether messages arrive in the order in which they were written.
    pub ordered: bool,
    /// How long a lost message is sent again.
    pub reliability: Reliability,
    /// Its share of the connection when channels compete.
    pub priority: Priority,
    /// The SCTP stream both ends agreed upon beforehand: then nothing is said about the opening.
    pub negotiated: Option<u16>,
}

/// The most bytes of a label that we send or accept.
pub const MAX_LABEL: usize = 1024;

impl Default for ChannelOptions {
    fn default() -> Self {
        Self {
            label: String::new(),
            ordered: true,
            reliability: Reliability::Reliable,
            priority: Priority::Low,
            negotiated: None,
        }
    }
}

/// How long a lost message is sent again (RFC 8832 section 5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reliability {
    /// Until it arrives.
    Reliable,
    /// At most so many times.
    Retransmits(u16),
    /// At most so long, in whole milliseconds.
    Lifetime(Duration),
}

/// A channel's share when channels compete (RFC 8831 section 6.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Priority {
    /// One part; 128 on the wire.
    VeryLow,
    /// Two parts, the usual; 256 on the wire.
    Low,
    /// Four parts; 512 on the wire.
    Medium,
    /// Eight parts; 1024 on the wire.
    High,
}

impl Priority {
    /// How many parts of the connection's throughput it gets.
    pub fn weight(self) -> u32 {
        match self {
            Self::VeryLow => 1,
            Self::Low => 2,
            Self::Medium => 4,
            Self::High => 8,
        }
    }
}

/// Why a channel ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChannelEnd {
    /// We closed it.
    Local,
    /// The peer closed it.
    Peer,
    /// The peer sent more than the receive buffer holds, so we reset it.
    Overrun,
    /// The peer did not follow the protocol on it, so we reset it.
    Misbehaved,
    /// The peer did not answer the opening in time.
    Unanswered,
    /// The connection ended.
    Connection,
}

/// Why an operation on a channel was refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ChannelError {
    /// The send buffer is full.
    #[error("the channel's send buffer is full: wait until it is writable")]
    Full,
    /// No such channel, or it has ended.
    #[error("there is no such channel, or it has ended")]
    Closed,
    /// The message is too long.
    #[error("the message has {found} bytes, at most {most} are sent: split it")]
    TooLong {
        /// Its bytes.
        found: usize,
        /// How many both ends allow.
        most: usize,
    },
    /// The connection holds as many channels as it may.
    #[error("the connection already has {most} channels: close one first")]
    TooMany {
        /// How many it may have.
        most: usize,
    },
    /// No stream is free: all are in use, or not yet safe to use again.
    #[error("no stream is free: wait until one of the closed channels has left")]
    NoStream,
    /// The negotiated stream is taken, or beyond what the association has.
    #[error(
        "stream {stream} cannot be used: it is taken, was used a moment ago, or is beyond the association's streams"
    )]
    StreamTaken {
        /// The stream.
        stream: u16,
    },
    /// The label is too long.
    #[error("the label has {found} bytes, at most {MAX_LABEL} are sent")]
    Label {
        /// Its bytes.
        found: usize,
    },
    /// The connection has ended.
    #[error("the connection has ended")]
    ConnectionClosed,
}
