//! One session: what is sealed and opened with its keys.

use std::fmt;

use snow::StatelessTransportState;
use thiserror::Error;

use super::noise::{RECORD, TAG};
use super::{Capabilities, Verdict, WINDOW, Window};
use crate::Time;
use crate::identity::Party;

/// Bytes before the records: session and number.
const HEADER: usize = 16;
/// Plaintext of one record at most.
const CHUNK: usize = RECORD - TAG;
/// Records of one message. Nonces have room for more; no limit on messages needs them.
const RECORDS: usize = 512;
/// Bytes of the length within.
const LENGTH: usize = 4;
/// The longest plaintext: almost 32 MiB, above every limit on messages.
pub const PLAINTEXT: usize = CHUNK * RECORDS - LENGTH;
/// What sealing adds to a message of one record.
pub const OVERHEAD: usize = HEADER + LENGTH + TAG;
/// Messages of one direction of a session. The cipher would allow for many more; a session this old should have new keys.
const NUMBERS: u64 = 1 << 32;

/// What both ends of a session have and nobody else chose: the hash of its handshake. A signature over it holds in this session only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Channel(pub [u8; 32]);

impl Channel {
    fn label(self) -> [u8; 8] {
        self.0[..8].try_into().expect("a hash has more than eight bytes")
    }
}

/// Why a message was not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    /// There is no session with the peer.
    #[error("found no session with {peer}: open one first")]
    NoSession {
        /// With whom.
        peer: Party,
    },
    /// The session has sealed as much as it may.
    #[error("found {NUMBERS} messages sealed in one session: open a new one")]
    Exhausted,
    /// The message is too long for any session.
    #[error("found a message of {found} bytes, expected at most {PLAINTEXT}")]
    Oversized {
        /// Its length.
        found: usize,
    },
}

/// Why a sealed message was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenError {
    /// It is shorter than any sealed message.
    #[error("found a sealed message of {found} bytes, expected at least {OVERHEAD}")]
    Truncated {
        /// What was found.
        found: usize,
    },
    /// It is longer than the receiver takes.
    #[error("found a sealed message of {found} bytes, expected at most {limit}")]
    Oversized {
        /// What was found.
        found: usize,
        /// The receiver's limit.
        limit: usize,
    },
    /// It is of a session that there is not, or not any more: the peer is to be told, so that it opens a new one.
    #[error("found no such session with the peer: it has to open a new one")]
    UnknownSession,
    /// Its number was opened before.
    #[error("found message {number} of the session a second time")]
    Replayed {
        /// Its number.
        number: u64,
    },
    /// Its number is so old that nobody knows whether it was opened before.
    #[error("found message {number} of the session, which is {WINDOW} or more behind the newest")]
    Stale {
        /// Its number.
        number: u64,
    },
    /// It was not sealed by the peer, or changed on the way.
    #[error("found a sealed message that the peer did not seal")]
    Forged,
    /// The peer sealed it, but not as agreed.
    #[error("found {found} bytes within a sealed message, expected {announced}")]
    Length {
        /// What was found.
        found: usize,
        /// What it says.
        announced: u32,
    },
}

impl OpenError {
    /// Whether it was a copy: worth a name of its own in what is counted. A stale message is one or was very late.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        matches!(self, Self::Replayed { .. } | Self::Stale { .. })
    }
}

/// A session with a peer.
pub struct Session {
    noise: StatelessTransportState,
    peer: Party,
    channel: Channel,
    capabilities: Capabilities,
    since: Time,
    next: u64,
    window: Window,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("peer", &self.peer).field("next", &self.next).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(
        noise: StatelessTransportState,
        peer: Party,
        channel: Channel,
        capabilities: Capabilities,
        since: Time,
    ) -> Self {
        Self { noise, peer, channel, capabilities, since, next: 0, window: Window::default() }
    }

    /// With whom.
    #[must_use]
    pub fn peer(&self) -> Party {
        self.peer
    }

    /// What a proof for this session is bound to.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// What the peer takes.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Since when.
    #[must_use]
    pub fn since(&self) -> Time {
        self.since
    }

    /// Whether this end opened it.
    #[must_use]
    pub fn is_initiator(&self) -> bool {
        self.noise.is_initiator()
    }

    /// How many messages this end has sealed.
    #[must_use]
    pub fn sealed(&self) -> u64 {
        self.next
    }

    /// Whether a sealed message says that it is of this session.
    #[must_use]
    pub fn is_named_by(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(&self.channel.label())
    }

    /// Seals a message for the peer.
    ///
    /// # Errors
    /// [`SealError`] for one that is too long, or when the session is used up.
    pub fn seal(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        if plaintext.len() > PLAINTEXT {
            return Err(SealError::Oversized { found: plaintext.len() });
        }
        if self.next == NUMBERS {
            return Err(SealError::Exhausted);
        }
        let number = self.next;
        self.next += 1;
        let length = u32::try_from(plaintext.len()).expect("the bound is below 4 GiB");
        let within = [&length.to_be_bytes(), plaintext].concat();
        let mut sealed = Vec::with_capacity(HEADER + within.len() + within.len().div_ceil(CHUNK) * TAG);
        sealed.extend_from_slice(&self.channel.label());
        sealed.extend_from_slice(&number.to_be_bytes());
        for (record, chunk) in within.chunks(CHUNK).enumerate() {
            let from = sealed.len();
            sealed.resize(from + chunk.len() + TAG, 0);
            let written = self.noise.write_message(nonce(number, record), chunk, &mut sealed[from..]);
            assert_eq!(written.expect("the record fits"), chunk.len() + TAG, "a record has its chunk and a tag");
        }
        Ok(sealed)
    }

    /// Opens a message of the peer of at most `limit` bytes. Nothing of the session changes unless the message is genuine.
    ///
    /// # Errors
    /// [`OpenError`], whichever shows first.
    pub fn open(&mut self, sealed: &[u8], limit: usize) -> Result<Vec<u8>, OpenError> {
        if sealed.len() < OVERHEAD {
            return Err(OpenError::Truncated { found: sealed.len() });
        }
        if !self.is_named_by(sealed) {
            return Err(OpenError::UnknownSession);
        }
        let (header, records) = sealed.split_at(HEADER);
        let longest = sealed_length(limit.min(PLAINTEXT));
        if sealed.len() > longest {
            return Err(OpenError::Oversized { found: sealed.len(), limit: longest });
        }
        let number = u64::from_be_bytes(header[8..].try_into().expect("a number has eight bytes"));
        if number >= NUMBERS {
            return Err(OpenError::Forged);
        }
        match self.window.check(number) {
            Verdict::New => {}
            Verdict::Replayed => return Err(OpenError::Replayed { number }),
            Verdict::Stale => return Err(OpenError::Stale { number }),
        }
        let within = self.decrypt(number, records)?;
        self.window.accept(number);
        let (length, plaintext) = within.split_first_chunk().ok_or(OpenError::Truncated { found: sealed.len() })?;
        let announced = u32::from_be_bytes(*length);
        if plaintext.len() != announced as usize {
            return Err(OpenError::Length { found: plaintext.len(), announced });
        }
        Ok(plaintext.to_vec())
    }

    fn decrypt(&self, number: u64, records: &[u8]) -> Result<Vec<u8>, OpenError> {
        let mut within = Vec::with_capacity(records.len());
        for (record, sealed) in records.chunks(RECORD).enumerate() {
            let from = within.len();
            within.resize(from + sealed.len(), 0);
            let length = self.noise.read_message(nonce(number, record), sealed, &mut within[from..]);
            within.truncate(from + length.map_err(|_| OpenError::Forged)?);
        }
        Ok(within)
    }
}

/// How long a message of so many bytes is when it is sealed.
fn sealed_length(plaintext: usize) -> usize {
    let within = LENGTH + plaintext;
    HEADER + within + within.div_ceil(CHUNK) * TAG
}

/// Never the same for two records: numbers are below 2^32, records below 2^16.
fn nonce(number: u64, record: usize) -> u64 {
    assert!(number < NUMBERS && record < RECORDS, "found record {record} of message {number}");
    number << 16 | record as u64
}

#[cfg(test)]
mod tests;
