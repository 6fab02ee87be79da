//! The bytes of a message on a stream: one request, one response.
//!
//! Request: version (1), session (8), sequence (8), payload length (4), payload. Response: version (1), session (8), sequence (8),
//! verdict (1). Numbers are big-endian. A stream carries exactly one exchange.

use thiserror::Error;

use crate::message::MessageId;

/// Version of the message protocol, the first byte of both directions.
pub const VERSION: u8 = 1;
/// Bytes before a request's payload.
pub const REQUEST_HEADER: usize = 21;
/// Bytes of a response.
pub const RESPONSE: usize = 18;

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Another version of the protocol.
    #[error("found version {found}, expected {VERSION}")]
    Version {
        /// What was found.
        found: u8,
    },
    /// The payload is larger than the receiver takes.
    #[error("found a payload of {found} bytes, expected at most {limit}")]
    Oversized {
        /// Announced length.
        found: usize,
        /// The receiver's limit.
        limit: usize,
    },
    /// The verdict is none of the known ones.
    #[error("found verdict {found}, expected 0 to 2")]
    Verdict {
        /// What was found.
        found: u8,
    },
}

/// What precedes a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The sender's id for the message.
    pub id: MessageId,
    /// Length of the payload in bytes.
    pub length: usize,
}

/// What the receiver did with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Delivered to the application now.
    Delivered,
    /// Delivered before; this copy was dropped.
    Duplicate,
    /// Too old to tell whether it was delivered before; dropped.
    Stale,
}

/// The answer to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The message's id.
    pub id: MessageId,
    /// What became of it.
    pub verdict: Verdict,
}

impl Header {
    /// The header's bytes.
    ///
    /// # Panics
    /// When the length exceeds `u32::MAX`, which the limit on message sizes excludes.
    #[must_use]
    pub fn encode(&self) -> [u8; REQUEST_HEADER] {
        let mut bytes = [0; REQUEST_HEADER];
        bytes[0] = VERSION;
        bytes[1..17].copy_from_slice(&id_bytes(self.id));
        let length = u32::try_from(self.length).expect("message sizes are limited far below 4 GiB");
        bytes[17..].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    /// Reads a header and checks the announced length against `limit`, before anything is allocated for it.
    ///
    /// # Errors
    /// [`Malformed`] for another version or a payload beyond the limit.
    pub fn decode(bytes: &[u8; REQUEST_HEADER], limit: usize) -> Result<Self, Malformed> {
        check_version(bytes[0])?;
        let length = u32::from_be_bytes(array(&bytes[17..])) as usize;
        if length > limit {
            return Err(Malformed::Oversized { found: length, limit });
        }
        Ok(Self { id: read_id(&bytes[1..17]), length })
    }
}

impl Acknowledgement {
    /// The acknowledgement's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; RESPONSE] {
        let mut bytes = [0; RESPONSE];
        bytes[0] = VERSION;
        bytes[1..17].copy_from_slice(&id_bytes(self.id));
        bytes[17] = match self.verdict {
            Verdict::Delivered => 0,
            Verdict::Duplicate => 1,
            Verdict::Stale => 2,
        };
        bytes
    }

    /// Reads an acknowledgement.
    ///
    /// # Errors
    /// [`Malformed`] for another version or an unknown verdict.
    pub fn decode(bytes: &[u8; RESPONSE]) -> Result<Self, Malformed> {
        check_version(bytes[0])?;
        let verdict = match bytes[17] {
            0 => Verdict::Delivered,
            1 => Verdict::Duplicate,
            2 => Verdict::Stale,
            found => return Err(Malformed::Verdict { found }),
        };
        Ok(Self { id: read_id(&bytes[1..17]), verdict })
    }
}

fn check_version(found: u8) -> Result<(), Malformed> {
    if found == VERSION { Ok(()) } else { Err(Malformed::Version { found }) }
}

fn id_bytes(id: MessageId) -> [u8; 16] {
    ((u128::from(id.session) << 64) | u128::from(id.sequence)).to_be_bytes()
}

fn read_id(bytes: &[u8]) -> MessageId {
    MessageId { session: u64::from_be_bytes(array(&bytes[..8])), sequence: u64::from_be_bytes(array(&bytes[8..])) }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the caller slices exactly N bytes")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_payload_beyond_the_limit_is_refused_by_its_header() {
        let header = Header { id: MessageId { session: 1, sequence: 2 }, length: 11 };
        assert_eq!(Header::decode(&header.encode(), 10), Err(Malformed::Oversized { found: 11, limit: 10 }));
        assert_eq!(Header::decode(&header.encode(), 11), Ok(header));
    }

    #[test]
    fn another_version_is_refused() {
        let mut bytes = Header { id: MessageId { session: 1, sequence: 2 }, length: 0 }.encode();
        bytes[0] = 9;
        assert_eq!(Header::decode(&bytes, 10), Err(Malformed::Version { found: 9 }));
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn any_bytes_decode_or_are_refused_and_what_decodes_encodes_back(bytes: [u8; REQUEST_HEADER], limit in 0..1_usize << 20) {
            if let Ok(header) = Header::decode(&bytes, limit) {
                prop_assert!(header.length <= limit);
                prop_assert_eq!(header.encode(), bytes);
            }
        }

        #[test]
        fn any_acknowledgement_decodes_or_is_refused(bytes: [u8; RESPONSE]) {
            if let Ok(acknowledgement) = Acknowledgement::decode(&bytes) {
                prop_assert_eq!(acknowledgement.encode(), bytes);
            }
        }
    }
}
