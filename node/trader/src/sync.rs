//! The questions and answers of a reconciliation, and their wire form.
//!
//! One side asks, the other answers; both learn what they lack. Protocol buffers, one message each.
//!
//! ```text
//! asks                                          answers
//!   Open(frame)                       ------->
//!                                     <-------  Frame
//!   Step(frame)                       ------->              as often as needed
//!                                     <-------  Frame
//!   Fetch(ids that it lacks)          ------->              in parts
//!                                     <-------  Statements, as many as fit
//!   Push(statements the other lacks)  ------->              in parts
//!                                     <-------  Taken
//! ```
//! The frames are those of [`darkswap_trade::reconcile`], within a session that the answering side keeps. `Fetch` and `Push` need
//! no session. Statements that arrive in either way are validated as gossip is.

use bytes::Bytes;
use darkswap_trade::order::{MAX_WIDE_STATEMENT, OrderId};
use darkswap_trade::reconcile;
use prost::Message as _;
use thiserror::Error;

/// Version of the protocol, in every message.
pub const VERSION: u32 = 1;
/// Bytes of a message, at most: a frame with its findings, and room for field headers.
pub const MAX_MESSAGE: usize = reconcile::MAX_MESSAGE + 1024;
/// Bytes of all statements in a message, at most; with their headers they fit into one. Some 700 ordinary orders.
pub const MAX_STATEMENTS_BYTES: usize = 192 * 1024;
/// Statements in a message, at most: as many of the smallest ones, which have 150 bytes, as fit.
pub const MAX_STATEMENTS: usize = 1_280;
/// Ids in a question, at most: about as many statements as an answer has room for.
pub const MAX_IDS: usize = 1_024;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Begin a session with this frame. It replaces an earlier one of the same peer.
    Open(Bytes),
    /// The next frame of the session.
    Step(Bytes),
    /// Statements by their ids.
    Fetch(Vec<OrderId>),
    /// Statements that you lack.
    Push(Vec<Bytes>),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The next frame; empty after the last one.
    Frame(Bytes),
    /// Those of the statements that are there, from the first on, as many as fit.
    Statements(Vec<Bytes>),
    /// What was pushed has been looked at.
    Taken,
    /// No.
    Refused(Refusal),
}

/// Why a question is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A reason of a later version.
    #[error("for a reason that this version does not know")]
    Other,
    /// Too many sessions, or too many questions.
    #[error("too busy; ask again later")]
    Busy,
    /// There is no such session any more.
    #[error("no session is open; begin one")]
    NoSession,
    /// The frame was refused.
    #[error("the frame is against the rules")]
    Frame,
}

/// Why bytes are no message of a reconciliation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SyncError {
    /// More bytes than any message has.
    #[error("found {found} bytes, expected at most {MAX_MESSAGE}")]
    TooLarge {
        /// What was found.
        found: usize,
    },
    /// Not protocol buffers.
    #[error("found no protocol buffer message: {0}")]
    Malformed(prost::DecodeError),
    /// Another version.
    #[error("found version {found}, expected {VERSION}; update the older side")]
    Version {
        /// What was found.
        found: u32,
    },
    /// A number that names no kind of message.
    #[error("found kind {found}, which is none of this side")]
    Kind {
        /// What was found.
        found: u32,
    },
    /// Ids that are no whole number of them, or too many.
    #[error("found {found} bytes as ids, expected a multiple of 32 and at most {MAX_IDS} ids")]
    Ids {
        /// Bytes found.
        found: usize,
    },
    /// Too many statements, or too large ones.
    #[error("found {found} statements, expected at most {MAX_STATEMENTS} of at most {MAX_WIDE_STATEMENT} bytes each")]
    Statements {
        /// How many were found.
        found: usize,
    },
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(uint32, tag = "2")]
    kind: u32,
    #[prost(bytes = "bytes", tag = "3")]
    frame: Bytes,
    /// Concatenated, so that their number is checked before anything is made of them.
    #[prost(bytes = "bytes", tag = "4")]
    ids: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "5")]
    statements: Vec<Bytes>,
    #[prost(uint32, tag = "6")]
    refusal: u32,
}

const OPEN: u32 = 1;
const STEP: u32 = 2;
const FETCH: u32 = 3;
const PUSH: u32 = 4;
const FRAME: u32 = 17;
const STATEMENTS: u32 = 18;
const TAKEN: u32 = 19;
const REFUSED: u32 = 20;

impl Wire {
    fn of(kind: u32) -> Self {
        Self { version: VERSION, kind, ..Self::default() }
    }

    fn bytes(&self) -> Bytes {
        let bytes = self.encode_to_vec();
        assert!(bytes.len() <= MAX_MESSAGE, "a message has {} bytes, at most {MAX_MESSAGE} are taken", bytes.len());
        bytes.into()
    }

    fn read(bytes: Bytes) -> Result<Self, SyncError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(SyncError::TooLarge { found: bytes.len() });
        }
        let wire = Self::decode(bytes).map_err(SyncError::Malformed)?;
        if wire.version != VERSION {
            return Err(SyncError::Version { found: wire.version });
        }
        let found = wire.statements.len();
        if found > MAX_STATEMENTS || wire.statements.iter().any(|statement| statement.len() > MAX_WIDE_STATEMENT) {
            return Err(SyncError::Statements { found });
        }
        Ok(wire)
    }
}

impl Ask {
    /// Its bytes.
    ///
    /// # Panics
    /// When it is larger than a message may be: a peer would refuse it, so it must not be made.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Open(frame) => Wire { frame: frame.clone(), ..Wire::of(OPEN) },
            Self::Step(frame) => Wire { frame: frame.clone(), ..Wire::of(STEP) },
            Self::Fetch(ids) => {
                let ids: Vec<u8> = ids.iter().flat_map(|id| id.0).collect();
                Wire { ids: ids.into(), ..Wire::of(FETCH) }
            }
            Self::Push(statements) => Wire { statements: statements.clone(), ..Wire::of(PUSH) },
        }
        .bytes()
    }

    /// Reads a question.
    ///
    /// # Errors
    /// [`SyncError`] for anything that [`encode`](Self::encode) does not make, but for unknown fields, which are ignored.
    pub fn decode(bytes: Bytes) -> Result<Self, SyncError> {
        let wire = Wire::read(bytes)?;
        match wire.kind {
            OPEN => Ok(Self::Open(wire.frame)),
            STEP => Ok(Self::Step(wire.frame)),
            FETCH => {
                let (ids, rest) = wire.ids.as_chunks::<32>();
                if rest.is_empty() && ids.len() <= MAX_IDS {
                    Ok(Self::Fetch(ids.iter().copied().map(OrderId).collect()))
                } else {
                    Err(SyncError::Ids { found: wire.ids.len() })
                }
            }
            PUSH => Ok(Self::Push(wire.statements)),
            found => Err(SyncError::Kind { found }),
        }
    }
}

impl Answer {
    /// Its bytes.
    ///
    /// # Panics
    /// When it is larger than a message may be: a peer would refuse it, so it must not be made.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Frame(frame) => Wire { frame: frame.clone(), ..Wire::of(FRAME) },
            Self::Statements(statements) => Wire { statements: statements.clone(), ..Wire::of(STATEMENTS) },
            Self::Taken => Wire::of(TAKEN),
            Self::Refused(refusal) => {
                let refusal = match refusal {
                    Refusal::Other => 0,
                    Refusal::Busy => 1,
                    Refusal::NoSession => 2,
                    Refusal::Frame => 3,
                };
                Wire { refusal, ..Wire::of(REFUSED) }
            }
        }
        .bytes()
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`SyncError`] for anything that [`encode`](Self::encode) does not make, but for unknown fields, which are ignored.
    pub fn decode(bytes: Bytes) -> Result<Self, SyncError> {
        let wire = Wire::read(bytes)?;
        match wire.kind {
            FRAME => Ok(Self::Frame(wire.frame)),
            STATEMENTS => Ok(Self::Statements(wire.statements)),
            TAKEN => Ok(Self::Taken),
            REFUSED => Ok(Self::Refused(match wire.refusal {
                1 => Refusal::Busy,
                2 => Refusal::NoSession,
                3 => Refusal::Frame,
                _ => Refusal::Other,
            })),
            found => Err(SyncError::Kind { found }),
        }
    }
}

/// Takes from a list what fits into one message, and leaves the rest.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) statements: Vec<Bytes>,
    bytes: usize,
}

impl Batch {
    /// Adds a statement; false where it does not fit any more.
    pub(crate) fn add(&mut self, statement: &Bytes) -> bool {
        let bytes = self.bytes.saturating_add(statement.len());
        if bytes > MAX_STATEMENTS_BYTES || self.statements.len() == MAX_STATEMENTS {
            return false;
        }
        self.bytes = bytes;
        self.statements.push(statement.clone());
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from)
    }

    fn asks() -> impl Strategy<Value = Ask> {
        let ids = prop::collection::vec(any::<[u8; 32]>().prop_map(OrderId), 0..9);
        prop_oneof![
            bytes(99).prop_map(Ask::Open),
            bytes(99).prop_map(Ask::Step),
            ids.prop_map(Ask::Fetch),
            prop::collection::vec(bytes(50), 0..9).prop_map(Ask::Push),
        ]
    }

    fn answers() -> impl Strategy<Value = Answer> {
        let refusals = [Refusal::Other, Refusal::Busy, Refusal::NoSession, Refusal::Frame];
        prop_oneof![
            bytes(99).prop_map(Answer::Frame),
            prop::collection::vec(bytes(50), 0..9).prop_map(Answer::Statements),
            Just(Answer::Taken),
            prop::sample::select(refusals.to_vec()).prop_map(Answer::Refused),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_is_written_is_read_again(ask in asks(), answer in answers()) {
            prop_assert_eq!(Ask::decode(ask.encode()), Ok(ask));
            prop_assert_eq!(Answer::decode(answer.encode()), Ok(answer));
        }

        #[test]
        fn no_bytes_panic(noise in bytes(300), ask in asks(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let _ = (Ask::decode(noise.clone()), Answer::decode(noise));
            let mut spoiled = ask.encode().to_vec();
            *at.get_mut(&mut spoiled) = byte;
            let spoiled = Bytes::from(spoiled);
            let _ = (Ask::decode(spoiled.clone()), Answer::decode(spoiled));
        }
    }

    #[test]
    fn what_is_too_much_is_refused_by_name() {
        let found = MAX_MESSAGE + 1;
        assert_eq!(Ask::decode(vec![0; found].into()), Err(SyncError::TooLarge { found }));
        let many = Wire { statements: vec![Bytes::new(); MAX_STATEMENTS + 1], ..Wire::of(PUSH) };
        assert_eq!(Ask::decode(many.bytes()), Err(SyncError::Statements { found: MAX_STATEMENTS + 1 }));
        let large = Wire { statements: vec![vec![0; MAX_WIDE_STATEMENT + 1].into()], ..Wire::of(STATEMENTS) };
        assert_eq!(Answer::decode(large.bytes()), Err(SyncError::Statements { found: 1 }));
        let ids = Wire { ids: vec![0; 33].into(), ..Wire::of(FETCH) };
        assert_eq!(Ask::decode(ids.bytes()), Err(SyncError::Ids { found: 33 }));
        assert_eq!(Ask::decode(Wire::of(TAKEN).bytes()), Err(SyncError::Kind { found: TAKEN }));
        let old = Wire { version: 2, ..Wire::of(TAKEN) };
        assert_eq!(Answer::decode(old.bytes()), Err(SyncError::Version { found: 2 }));
    }

    #[test]
    fn the_fullest_batch_is_a_message() {
        let mut batch = Batch::default();
        while batch.add(&vec![7; 150].into()) {}
        assert!(batch.statements.len() > 1_200);
        assert!(matches!(Ask::decode(Ask::Push(batch.statements).encode()), Ok(Ask::Push(_))));
    }
}
