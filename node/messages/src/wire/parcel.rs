//! What is within a sealed request and its response: messages, and what became of them.
//!
//! | bytes | parcel | receipt |
//! |---|---|---|
//! | 1 | flags: bit 0, a challenge follows | flags: bit 0, a proof follows |
//! | 33 or 97 | the [challenge](crate::challenge), if so | the proof, if so |
//! | 8 | session of the message ids | |
//! | .. | a [batch](crate::batch) of entries: sequence number (8), a [packed](crate::compression) message | one byte for each entry |
//!
//! Numbers are big-endian.

use bytes::Bytes;
use darkswap_core::message::MessageId;
use thiserror::Error;

use crate::batch::{self, BatchError};
use crate::challenge::{CHALLENGE, Challenge, Malformed, PROOF, Proof};

/// Messages in a parcel: twice what an outbox has in flight at once.
pub const ENTRIES: usize = 64;
/// Bytes of an entry besides its message: sequence number and form.
pub const ENTRY: usize = 8 + 1;

const FOLLOWS: u8 = 1;
const SESSION: usize = 8;

/// The bytes of a parcel's longest list of entries beside their messages: a length of at most five bytes each.
pub(super) fn longest(message: usize) -> usize {
    1 + CHALLENGE + SESSION + ENTRIES * (ENTRY + 5) + message
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the parcel's session.
    pub sequence: u64,
    /// The message, packed.
    pub packed: Bytes,
}

/// Messages of one session (one run of the sender) to one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// What the receiver has to prove.
    pub challenge: Option<Challenge>,
    /// The sender's run.
    pub session: u64,
    /// At most [`ENTRIES`]; at least one.
    pub entries: Vec<Entry>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// Delivered to the application now.
    Delivered = 0,
    /// Delivered before; this copy was dropped.
    Duplicate = 1,
    /// Too old to tell whether it was delivered before; dropped.
    Stale = 2,
    /// It could not be unpacked; dropped, and again will not help.
    Refused = 3,
}

/// What became of a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the sender asked to be proved.
    pub proof: Option<Proof>,
    /// One for each entry, in its order.
    pub outcomes: Vec<Outcome>,
}

/// Why bytes are no parcel or no receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParcelError {
    /// It ends early.
    #[error("found {found} bytes, expected at least {expected}")]
    Truncated {
        /// What is there.
        found: usize,
        /// What was expected.
        expected: usize,
    },
    /// Flags without a meaning.
    #[error("found the flags {found:#010b}, expected only bit 0")]
    Flags {
        /// What was found.
        found: u8,
    },
    /// The challenge or the proof is none.
    #[error(transparent)]
    Challenge(#[from] Malformed),
    /// The entries are no batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// An outcome without a meaning.
    #[error("found the outcome {found}, expected 0 to 3")]
    Outcome {
        /// What was found.
        found: u8,
    },
    /// More outcomes than a parcel has entries.
    #[error("found {found} outcomes, expected at most {ENTRIES}")]
    TooMany {
        /// What was found.
        found: usize,
    },
}

impl Parcel {
    /// The message ids of its entries.
    pub fn ids(&self) -> impl Iterator<Item = MessageId> {
        self.entries.iter().map(|entry| MessageId { session: self.session, sequence: entry.sequence })
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let challenge = self.challenge.map(|challenge| challenge.encode());
        let entries: Vec<Vec<u8>> =
            self.entries.iter().map(|entry| [&entry.sequence.to_be_bytes(), &entry.packed[..]].concat()).collect();
        let mut bytes = vec![u8::from(challenge.is_some())];
        bytes.extend_from_slice(challenge.as_ref().map_or(&[], |challenge| &challenge[..]));
        bytes.extend_from_slice(&self.session.to_be_bytes());
        bytes.extend(batch::encode(entries.iter().map(Vec::as_slice)));
        bytes
    }

    /// Reads a parcel whose messages have at most `message` bytes each. Whether they unpack is not looked at.
    ///
    /// # Errors
    /// [`ParcelError`].
    pub fn decode(bytes: &Bytes, message: usize) -> Result<Self, ParcelError> {
        let (challenge, rest) = optional(bytes, CHALLENGE)?;
        let challenge = challenge.map(|bytes| Challenge::decode(&bytes)).transpose()?;
        let short = ParcelError::Truncated { found: rest.len(), expected: SESSION };
        let session = u64::from_be_bytes(*rest.first_chunk().ok_or(short)?);
        let bounds = batch::Bounds { items: ENTRIES, item_bytes: ENTRY.saturating_add(message) };
        let entries =
            batch::decode(&rest.slice(SESSION..), bounds)?.into_iter().map(entry).collect::<Result<_, _>>()?;
        Ok(Self { challenge, session, entries })
    }
}

impl Receipt {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let proof = self.proof.map(|proof| proof.encode());
        let mut bytes = vec![u8::from(proof.is_some())];
        bytes.extend_from_slice(proof.as_ref().map_or(&[], |proof| &proof[..]));
        bytes.extend(self.outcomes.iter().map(|outcome| *outcome as u8));
        bytes
    }

    /// Reads a receipt. Whether it fits the parcel is for the sender to say.
    ///
    /// # Errors
    /// [`ParcelError`].
    pub fn decode(bytes: &Bytes) -> Result<Self, ParcelError> {
        let (proof, rest) = optional(bytes, PROOF)?;
        let proof = proof.map(|bytes| Proof::decode(&bytes)).transpose()?;
        if rest.len() > ENTRIES {
            return Err(ParcelError::TooMany { found: rest.len() });
        }
        Ok(Self { proof, outcomes: rest.iter().copied().map(outcome).collect::<Result<_, _>>()? })
    }
}

/// What the flags say is there, of so many bytes, and the rest.
fn optional(bytes: &Bytes, length: usize) -> Result<(Option<Bytes>, Bytes), ParcelError> {
    let flags = *bytes.first().ok_or(ParcelError::Truncated { found: 0, expected: 1 })?;
    if flags & !FOLLOWS != 0 {
        return Err(ParcelError::Flags { found: flags });
    }
    if flags & FOLLOWS == 0 {
        return Ok((None, bytes.slice(1..)));
    }
    if bytes.len() <= length {
        return Err(ParcelError::Truncated { found: bytes.len(), expected: 1 + length });
    }
    Ok((Some(bytes.slice(1..=length)), bytes.slice(1 + length..)))
}

fn entry(item: Bytes) -> Result<Entry, ParcelError> {
    let short = ParcelError::Truncated { found: item.len(), expected: ENTRY };
    let sequence = u64::from_be_bytes(*item.first_chunk().ok_or(short)?);
    Ok(Entry { sequence, packed: item.slice(8..) })
}

fn outcome(found: u8) -> Result<Outcome, ParcelError> {
    match found {
        0 => Ok(Outcome::Delivered),
        1 => Ok(Outcome::Duplicate),
        2 => Ok(Outcome::Stale),
        3 => Ok(Outcome::Refused),
        _ => Err(ParcelError::Outcome { found }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGE: usize = 100;

    fn parcel() -> Parcel {
        let entry = |sequence| Entry { sequence, packed: Bytes::from_static(b"\0hi") };
        Parcel { challenge: None, session: 7, entries: vec![entry(1), entry(2)] }
    }

    #[test]
    fn the_bytes_of_version_2_stay() {
        let bytes = parcel().encode();
        assert_eq!(bytes[..9], [0, 0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(bytes[9..21], [11, 0, 0, 0, 0, 0, 0, 0, 1, 0, b'h', b'i']);
        let receipt = Receipt { proof: None, outcomes: vec![Outcome::Delivered, Outcome::Refused] };
        assert_eq!(receipt.encode(), [0, 0, 3]);
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        let parcel = |bytes: &[u8]| Parcel::decode(&Bytes::copy_from_slice(bytes), MESSAGE).unwrap_err();
        assert_eq!(parcel(&[]), ParcelError::Truncated { found: 0, expected: 1 });
        assert_eq!(parcel(&[2]), ParcelError::Flags { found: 2 });
        assert_eq!(parcel(&[1, 1, 9]), ParcelError::Truncated { found: 3, expected: 34 });
        assert_eq!(parcel(&[0; 9]), ParcelError::Batch(BatchError::Empty));
        assert_eq!(parcel(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]), ParcelError::Truncated { found: 1, expected: ENTRY });
        let receipt = |bytes: &[u8]| Receipt::decode(&Bytes::copy_from_slice(bytes)).unwrap_err();
        assert_eq!(receipt(&[0, 4]), ParcelError::Outcome { found: 4 });
        assert_eq!(receipt(&[0; 66]), ParcelError::TooMany { found: 65 });
    }

    #[test]
    fn a_full_parcel_of_the_longest_messages_fits_the_longest_body() {
        let entry = Entry { sequence: u64::MAX, packed: vec![0; 1 + MESSAGE].into() };
        let full =
            Parcel { challenge: Challenge::decode(&[1; CHALLENGE]).ok(), session: 7, entries: vec![entry; ENTRIES] };
        assert!(full.encode().len() <= longest(ENTRIES * MESSAGE));
        assert_eq!(Parcel::decode(&full.encode().into(), MESSAGE), Ok(full));
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn no_bytes_make_the_decoders_panic_and_what_they_take_is_canonical(
            bytes in prop::collection::vec(any::<u8>(), 0..120), flags in 0..3_u8,
        ) {
            let bytes = Bytes::from([&[flags], &bytes[..]].concat());
            if let Ok(parcel) = Parcel::decode(&bytes, MESSAGE) {
                prop_assert_eq!(parcel.encode(), bytes.to_vec());
            }
            if let Ok(receipt) = Receipt::decode(&bytes) {
                prop_assert_eq!(receipt.encode(), bytes.to_vec());
            }
        }

        #[test]
        fn a_changed_parcel_is_taken_canonically_or_refused(at: prop::sample::Index, to: u8) {
            let mut bytes = parcel().encode();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(parcel) = Parcel::decode(&bytes.clone().into(), MESSAGE) {
                prop_assert_eq!(parcel.encode(), bytes);
            }
        }
    }
}
