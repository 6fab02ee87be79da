//! One message to a peer that is not there: a sealed box that anybody may keep, and only the peer opens.
//!
//! `Noise_X_25519_ChaChaPoly_SHA256`: an ephemeral key of the sender, the recipient's static key and the sender's, all in one
//! message. Within are the sender's [`Certificate`], when it was written, and how long the message is; more than one record
//! continues with the keys that the handshake leaves, as in a session.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version: 1 |
//! | up to 65,535 | the message of the handshake, with the first of the plaintext |
//! | .. | records of at most 65,535 bytes |
//!
//! Weaker than a [session](crate::seal), as any message to somebody absent: who steals the recipient's static key reads what was
//! sealed to it, and can write to the recipient in any name. A box is no proof to others. [`Shelf`] lets each be opened once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use snow::{Builder, HandshakeState};
use thiserror::Error;

use crate::identity::Party;
use crate::seal::noise::{KEY, RECORD, Resolver, TAG};
use crate::seal::{CERTIFICATE, Certificate, CertificateError, Entropy, Handshakes};

/// The version that is spoken.
pub const VERSION: u8 = 1;
/// The longest message in a box.
pub const MESSAGE: usize = 1 << 20;
/// How old a box may be, by the sender's calendar.
pub const KEEP: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How far ahead of ours the sender's calendar may be.
pub const SKEW: Duration = Duration::from_secs(600);
/// Boxes that are remembered of one sender. Further ones are refused until some are too old to be opened anyway.
pub const BOXES: usize = 1_024;
/// Senders of whom boxes are remembered.
pub const SENDERS: usize = 256;

const PATTERN: &str = "Noise_X_25519_ChaChaPoly_SHA256";
const PROLOGUE: &[u8] = b"darkswap sealed box 1";
/// Ephemeral key, the encrypted static key, and the tag of what follows.
const OVERHEAD: usize = KEY + (KEY + TAG) + TAG;
/// What precedes the message: certificate, date, length.
const HEADER: usize = CERTIFICATE + 8 + 4;
const FIRST: usize = RECORD - OVERHEAD;
const CHUNK: usize = RECORD - TAG;

/// An opened box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Who wrote it.
    pub sender: Party,
    /// When, by the sender's calendar: time since 1970.
    pub written: Duration,
    /// Which box it is: the hash of its handshake, the same for every copy.
    pub id: [u8; 32],
    /// The message.
    pub message: Vec<u8>,
}

/// Why a box is not opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BoxError {
    /// The message is too long to be put into a box.
    #[error("found {found} bytes, expected at most {MESSAGE} in a box")]
    Oversized {
        /// What was found.
        found: usize,
    },
    /// Another version, or none.
    #[error("found version {found:?}, expected {VERSION}")]
    Version {
        /// What was found.
        found: Option<u8>,
    },
    /// It was made for another recipient, or changed since.
    #[error("found a box that is not for us, or was changed")]
    Forged,
    /// What it carries is cut or not signed.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The sender's key is another than its certificate's.
    #[error("found a box in the name of {claimed} that another key sealed")]
    Spoofed {
        /// Whose name it has.
        claimed: Party,
    },
    /// It is longer or shorter than it says.
    #[error("found {found} bytes in a box, expected {announced}")]
    Length {
        /// What was found.
        found: usize,
        /// What it says.
        announced: u32,
    },
    /// It is too old, or of a day to come.
    #[error(
        "found a box written {written:?} after 1970 when it was {now:?}, expected at most {KEEP:?} before and {SKEW:?} after that"
    )]
    Date {
        /// When it says it was written.
        written: Duration,
        /// When it was opened.
        now: Duration,
    },
    /// A copy of it was opened before.
    #[error("found a box of {sender} a second time")]
    Replayed {
        /// Who wrote it.
        sender: Party,
    },
    /// More is not remembered, so that this one cannot be told from a copy.
    #[error("found more boxes than are remembered: try again when older ones are {KEEP:?} old")]
    Full,
}

/// Seals a message for the holder of a certificate, who need not be there. `written` is the time since 1970.
///
/// # Errors
/// [`BoxError::Oversized`].
pub fn seal(
    from: &Handshakes,
    to: &Certificate,
    written: Duration,
    message: &[u8],
    entropy: Entropy,
) -> Result<Vec<u8>, BoxError> {
    if message.len() > MESSAGE {
        return Err(BoxError::Oversized { found: message.len() });
    }
    let length = u32::try_from(message.len()).expect("the bound is below 4 GiB");
    let date = written.as_secs().to_be_bytes();
    let within = [&from.certificate().encode()[..], &date, &length.to_be_bytes(), message].concat();
    let (first, rest) = within.split_at(within.len().min(FIRST));
    let mut noise = from.one_way(to.party(), Some(to.key()), entropy);
    let mut sealed = vec![0; 1 + OVERHEAD + first.len()];
    sealed[0] = VERSION;
    let written = noise.write_message(first, &mut sealed[1..]).expect("the first record has room");
    assert_eq!(written + 1, sealed.len(), "a record has its plaintext and the overhead");
    let noise = noise.into_stateless_transport_mode().expect("one message is all of the handshake");
    for (nonce, chunk) in (0..).zip(rest.chunks(CHUNK)) {
        let from = sealed.len();
        sealed.resize(from + chunk.len() + TAG, 0);
        noise.write_message(nonce, chunk, &mut sealed[from..]).expect("the record has room");
    }
    Ok(sealed)
}

/// Opens a box, whoever brought it. Whether it is a copy is for [`Shelf::admit`] to say.
///
/// # Errors
/// [`BoxError`] for one that is not for us, was changed, or is not the named sender's.
pub fn open(to: &Handshakes, sealed: &[u8]) -> Result<Opened, BoxError> {
    let (version, records) = sealed.split_first().ok_or(BoxError::Version { found: None })?;
    if *version != VERSION {
        return Err(BoxError::Version { found: Some(*version) });
    }
    if records.len() > MESSAGE + HEADER + OVERHEAD + (MESSAGE / CHUNK + 1) * TAG {
        return Err(BoxError::Oversized { found: records.len() });
    }
    let (first, rest) = records.split_at(records.len().min(RECORD));
    let mut noise = to.one_way(to.identity().party(), None, Entropy::default());
    let mut within = vec![0; first.len()];
    let length = noise.read_message(first, &mut within).map_err(|_| BoxError::Forged)?;
    within.truncate(length);
    let mut message = within.split_off(HEADER.min(length));
    let header = within;
    let short = CertificateError::Length { found: header.len() };
    let (certificate, numbers) = header.split_at_checked(CERTIFICATE).ok_or(short)?;
    let certificate = Certificate::decode(certificate)?;
    let sender = certificate.party();
    if noise.get_remote_static() != Some(&certificate.key()[..]) {
        return Err(BoxError::Spoofed { claimed: sender });
    }
    let (date, length) = numbers.split_first_chunk().ok_or(short)?;
    let written = Duration::from_secs(u64::from_be_bytes(*date));
    let announced = u32::from_be_bytes(length.try_into().map_err(|_| short)?);
    let id = noise.get_handshake_hash().try_into().expect("SHA-256 has 32 bytes");
    let noise = noise.into_stateless_transport_mode().expect("one message is all of the handshake");
    for (nonce, sealed) in (0..).zip(rest.chunks(RECORD)) {
        let from = message.len();
        message.resize(from + sealed.len(), 0);
        let length = noise.read_message(nonce, sealed, &mut message[from..]).map_err(|_| BoxError::Forged)?;
        message.truncate(from + length);
    }
    if message.len() != announced as usize {
        return Err(BoxError::Length { found: message.len(), announced });
    }
    Ok(Opened { sender, written, id, message })
}

impl Handshakes {
    /// The one message of a box: to somebody's key when it is sealed, to ours when it is opened.
    fn one_way(&self, recipient: Party, key: Option<&[u8; 32]>, entropy: Entropy) -> HandshakeState {
        let prologue = [PROLOGUE, &recipient.0].concat();
        let builder =
            Builder::with_resolver(PATTERN.parse().expect("a pattern that snow knows"), Resolver::new(entropy))
                .local_private_key(self.key().secret())
                .and_then(|builder| builder.prologue(&prologue))
                .expect("each is set once");
        let built = match key {
            Some(key) => builder.remote_public_key(key).and_then(Builder::build_initiator),
            None => builder.build_responder(),
        };
        built.expect("nothing is missing for the pattern")
    }
}

/// The boxes that were opened, as long as a copy of them could be.
#[derive(Debug, Default)]
pub struct Shelf {
    senders: BTreeMap<Party, BTreeSet<(Duration, [u8; 32])>>,
}

impl Shelf {
    /// A shelf with nothing on it. A recipient that restarts has to keep what was delivered, or take copies of the last days.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether a box may be delivered, and remembers it. `now` is the time since 1970.
    ///
    /// # Errors
    /// [`BoxError::Date`], [`BoxError::Replayed`] or [`BoxError::Full`].
    pub fn admit(&mut self, now: Duration, opened: &Opened) -> Result<(), BoxError> {
        let (sender, written) = (opened.sender, opened.written);
        if written > now.saturating_add(SKEW) || written.saturating_add(KEEP) < now {
            return Err(BoxError::Date { written, now });
        }
        let is_full = self.senders.len() >= SENDERS && !self.senders.contains_key(&sender);
        if is_full {
            self.forget(now);
            if self.senders.len() >= SENDERS {
                return Err(BoxError::Full);
            }
        }
        let boxes = self.senders.entry(sender).or_default();
        forget(boxes, now);
        if boxes.contains(&(written, opened.id)) {
            return Err(BoxError::Replayed { sender });
        }
        if boxes.len() >= BOXES {
            return Err(BoxError::Full);
        }
        boxes.insert((written, opened.id));
        Ok(())
    }

    fn forget(&mut self, now: Duration) {
        for boxes in self.senders.values_mut() {
            forget(boxes, now);
        }
        self.senders.retain(|_, boxes| !boxes.is_empty());
    }
}

/// Drops what is too old to be opened again.
fn forget(boxes: &mut BTreeSet<(Duration, [u8; 32])>, now: Duration) {
    while boxes.first().is_some_and(|(written, _)| written.saturating_add(KEEP) < now) {
        boxes.pop_first();
    }
}

#[cfg(test)]
mod tests;
