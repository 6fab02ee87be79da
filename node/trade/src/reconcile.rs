//! How two books find their difference, at a cost that grows with the difference and not with the books.
//!
//! Range-based set reconciliation by the crate `negentropy` (protocol version 1): the sets are sorted by (revision, id); a
//! fingerprint of a range that differs is answered with fingerprints of its parts, and of a short range with its ids. Only its
//! initiator learns anything, so here each of its messages also carries what it found, and in the end both sides know both
//! halves.
//!
//! ```text
//! initiator                                     responder
//!     frame                            ------->
//!                                      <-------  frame
//!     frame, have, want                ------->            as often as needed
//!                                      <-------  frame
//!     have, want, last                 ------->            no answer
//! ```
//! *Have* are ids that the responder lacks, *want* ids that the initiator lacks. A message without a frame that is not the last
//! is answered with an empty one, which paces long lists of findings.
//!
//! What a hostile peer can do: lie about its own set, which costs it as many bytes as it costs us, and only makes us ask for ids
//! that it does not have or offer what it has. Messages, rounds and findings are bounded; a range of the peer's costs a pass over
//! ours, so a message costs at most two passes over the snapshot. The fingerprint is a hash of a sum of ids, for which somebody
//! who can make a great many orders might find two sets with equal sums; they would hide differences among those orders only.
//!
//! | part | noun |
//! |---|---|
//! | `snapshot` | a sorted set of statements that stays as it is while sessions use it |
//! | `message` | the wire form |
//! | `initiator`, `responder` | the two ends of a session |

mod initiator;
mod message;
mod responder;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use thiserror::Error;

use crate::order::OrderId;

pub use initiator::Initiator;
pub use responder::Responder;
pub use snapshot::Snapshot;

/// Bytes of a frame of `negentropy`, at most. Large enough for 4,000 ids, so that a late joiner learns of 100,000 orders in 25
/// rounds.
pub const MAX_FRAME: usize = 128 * 1024;
/// Findings in one message, at most: as many as a frame can bring.
pub const MAX_FOUND: usize = 4096;
/// Bytes of a message, at most: a frame, its findings, and room for field headers.
pub const MAX_MESSAGE: usize = MAX_FRAME + MAX_FOUND * 32 + 1024;
/// Round trips of a session, at most. Two full books without anything in common need 72, and twice that where every slot has
/// evidence.
pub const MAX_ROUNDS: u32 = 160;

/// What two sets do not have in common, as far as a session has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// What the peer has and we do not.
    pub lacking: BTreeSet<OrderId>,
    /// What we have and the peer does not.
    pub peer_lacks: BTreeSet<OrderId>,
}

/// What to do after a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this and wait for the answer.
    Send(Vec<u8>),
    /// Send this; the session is over.
    SendLast(Vec<u8>),
    /// The session is over.
    Done,
}

/// Why a message was refused. The session is over then; what it found until then is still there, and as good as the peer's word.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReconcileRefusal {
    /// Larger than any honest message.
    #[error("found a message of {found} bytes, expected at most {MAX_MESSAGE}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// No protobuf message of the known form.
    #[error("found bytes that are no message of reconciliation: {0}")]
    Malformed(prost::DecodeError),
    /// The frame breaks the rules of `negentropy`.
    #[error("found a frame that negentropy refuses: {reason}")]
    Frame {
        /// What it says.
        reason: String,
    },
    /// A part is there that has no place in this message, or one is missing.
    #[error("found a message {found}, expected one {expected}")]
    Unexpected {
        /// What was found.
        found: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// A list of ids is too long, or not a whole number of ids.
    #[error("found {found} bytes as a list of ids, expected a multiple of 32, and at most {MAX_FOUND} ids in all")]
    Findings {
        /// Bytes found.
        found: usize,
    },
    /// The peer says of an id that we have it or lack it, and the contrary is true.
    #[error("found order {id} in the wrong half of the difference")]
    Contradiction {
        /// Which.
        id: OrderId,
    },
    /// No end in sight.
    #[error("found a session of more than {MAX_ROUNDS} rounds; start another one later")]
    TooManyRounds,
    /// A message after the end.
    #[error("found a message after the end of the session")]
    Over,
}
