//! The messages of circuit relay v2 (libp2p specifications, `relay/circuit-v2.md`), without libp2p: peers are bytes, times are numbers.
//!
//! Each message stands on its stream behind its length, a varint. It has [`MAX_MESSAGE`] bytes at most, so a reader reads
//! [`MAX_PREFIX`] bytes of the length at most, and no more bytes than [`length`] allows.

mod wire;

#[cfg(test)]
mod tests;

use thiserror::Error;

/// Longest message without its length: what other implementations take.
pub const MAX_MESSAGE: usize = 4_096;

/// Longest length prefix of such a message.
pub const MAX_PREFIX: usize = 2;

/// Domain of the signature of a [`Voucher`] (specification, "Reservation Vouchers").
pub const VOUCHER_DOMAIN: &str = "libp2p-relay-rsvp";

/// Payload type of a [`Voucher`] in its signed envelope: multicodec `0x0302`.
pub const VOUCHER_TYPE: [u8; 2] = [0x03, 0x02];

/// What a client and its relay say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HopMessage {
    /// Make or renew a reservation.
    Reserve,
    /// Open a circuit.
    Connect {
        /// To whom.
        peer: Vec<u8>,
    },
    /// The relay's answer.
    Status {
        /// Whether it was done.
        status: Status,
        /// The reservation that was granted.
        reservation: Option<Reservation>,
        /// What a circuit may carry.
        limit: Option<Limit>,
    },
}

/// What a relay and the destination of a circuit say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopMessage {
    /// Somebody opens a circuit.
    Connect {
        /// Who.
        peer: Vec<u8>,
        /// What it may carry.
        limit: Option<Limit>,
    },
    /// The destination's answer.
    Status(Status),
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// When it ends, in seconds since the Unix epoch.
    pub expires: u64,
    /// Addresses of the relay, as bytes of multiaddresses.
    pub addresses: Vec<Vec<u8>>,
    /// The [`Voucher`] in a signed envelope.
    pub voucher: Option<Vec<u8>>,
}

/// What a circuit may carry; nothing is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit {
    /// For how many seconds.
    pub duration: Option<u32>,
    /// How many bytes in each direction.
    pub data: Option<u64>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Status {
    /// It was done.
    Ok = 100,
    /// The relay grants no reservations.
    ReservationRefused = 200,
    /// A limit was reached.
    ResourceLimitExceeded = 201,
    /// The peer may not.
    PermissionDenied = 202,
    /// The destination did not take the circuit.
    ConnectionFailed = 203,
    /// The destination has no reservation.
    NoReservation = 204,
    /// What came was no message.
    MalformedMessage = 400,
    /// What came was another message than the one that was due.
    UnexpectedMessage = 401,
}

/// What a relay signs: that it holds a reservation for a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voucher {
    /// The relay.
    pub relay: Vec<u8>,
    /// Whose reservation.
    pub peer: Vec<u8>,
    /// When it ends, in seconds since the Unix epoch.
    pub expires: u64,
}

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    /// It is too long.
    #[error("found a relay message of {found} bytes or more, expected at most {MAX_MESSAGE}")]
    TooLarge {
        /// The announced or received size.
        found: usize,
    },
    /// It is not the protobuf message of the specification.
    #[error("found a relay message that is not a protobuf message of the specification: {reason}")]
    Protobuf {
        /// What the protobuf decoder says.
        reason: String,
    },
    /// A part of it is missing.
    #[error("found a relay message without its {field}, expected one")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// A number has no meaning.
    #[error("found {found} for the {field} of a relay message, expected one of the specification")]
    Unknown {
        /// Of which part.
        field: &'static str,
        /// The number.
        found: i32,
    },
}

/// The length that these first bytes of a stream announce, `None` while they are not complete.
///
/// # Errors
/// [`Malformed::TooLarge`].
pub fn length(prefix: &[u8]) -> Result<Option<usize>, Malformed> {
    let mut length = 0;
    for (index, byte) in prefix.iter().take(MAX_PREFIX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return if length > MAX_MESSAGE { Err(Malformed::TooLarge { found: length }) } else { Ok(Some(length)) };
        }
    }
    if prefix.len() >= MAX_PREFIX { Err(Malformed::TooLarge { found: length }) } else { Ok(None) }
}
