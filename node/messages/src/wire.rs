//! The bytes of requests and responses, protocol `/darkswap/message/2`.
//!
//! A stream carries one request and one response. Both are a length (four bytes, big-endian) and a body of that length, whose first
//! byte says what it is:
//!
//! | request | body | response |
//! |---|---|---|
//! | 1 hello | a [handshake](crate::seal)'s hello | 1 answer: the handshake's answer |
//! | 2 finish | length (2), the handshake's finish, a sealed [`Parcel`] or nothing | 2 sealed: a sealed [`Receipt`] or nothing |
//! | 3 sealed | a sealed [`Parcel`] | 2 sealed: a sealed [`Receipt`] |
//! | | | 3 refused: a [`Refused`], one byte |
//!
//! Nothing travels unsealed but handshakes and refusals. A refusal is not authenticated by the session; it only ever costs another
//! handshake, never a message.

mod parcel;

use bytes::Bytes;
use thiserror::Error;

pub use self::parcel::{ENTRIES, ENTRY, Entry, Outcome, Parcel, ParcelError, Receipt};
use crate::seal::{HANDSHAKE, OVERHEAD};

/// Bytes before a body.
pub const LENGTH: usize = 4;

const HELLO: u8 = 1;
const FINISH: u8 = 2;
const SEALED: u8 = 3;
const ANSWER: u8 = 1;
const RECEIPT: u8 = 2;
const REFUSED: u8 = 3;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Open a session.
    Hello(Bytes),
    /// The session is there; and a sealed parcel, so that nothing waits for another round trip. A renewal has none.
    Finish {
        /// The last message of the handshake.
        finish: Bytes,
        /// The parcel, or nothing.
        sealed: Bytes,
    },
    /// A sealed parcel.
    Sealed(Bytes),
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// The handshake's answer.
    Answer(Bytes),
    /// A sealed receipt; nothing for a finish without a parcel.
    Sealed(Bytes),
    /// It was not taken.
    Refused(Refused),
}

/// Why a request was not taken: what the other end may do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Refused {
    /// Both opened a session; that of the smaller key goes on.
    Crossed = 1,
    /// Too many hellos; later.
    TooSoon = 2,
    /// There is no such session; open one.
    UnknownSession = 3,
    /// It breaks a rule; again will not help.
    Misbehaviour = 4,
}

/// Why bytes are no request or no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// A body that is too long.
    #[error("found a body of {found} bytes, expected at most {limit}")]
    Oversized {
        /// Its length.
        found: usize,
        /// What is taken.
        limit: usize,
    },
    /// A first byte without a meaning, or none.
    #[error("found the kind {found:?}, expected 1 to 3")]
    Kind {
        /// What was found.
        found: Option<u8>,
    },
    /// A refusal without a meaning.
    #[error("found a refusal that says {found:?}, expected one byte, 1 to 4")]
    Refusal {
        /// Its first byte.
        found: Option<u8>,
    },
    /// A handshake's message that is too long, or is cut.
    #[error("found {found} bytes of a handshake, expected {expected}, which is at most {HANDSHAKE}")]
    Handshake {
        /// What is there.
        found: usize,
        /// What was announced.
        expected: usize,
    },
}

/// The longest body for parcels whose messages have at most `message` bytes together.
#[must_use]
pub fn longest(message: usize) -> usize {
    let parcel = parcel::longest(message);
    // A tag for each record that the parcel fills.
    1 + 2 + HANDSHAKE + OVERHEAD + parcel + (parcel / 65_000 + 1) * 16
}

/// Reads the length of a body, before anything is allocated for it.
///
/// # Errors
/// [`WireError::Oversized`].
pub fn body_length(bytes: [u8; LENGTH], limit: usize) -> Result<usize, WireError> {
    let found = u32::from_be_bytes(bytes) as usize;
    if found > limit { Err(WireError::Oversized { found, limit }) } else { Ok(found) }
}

/// A body with its length before it.
///
/// # Panics
/// When it has 4 GiB or more, which the bounds on messages exclude.
#[must_use]
pub fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("bodies are limited far below 4 GiB");
    [&length.to_be_bytes(), body].concat()
}

impl Request {
    /// Its body.
    ///
    /// # Panics
    /// When a handshake's message is longer than any.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello(hello) => [&[HELLO], &hello[..]].concat(),
            Self::Sealed(sealed) => [&[SEALED], &sealed[..]].concat(),
            Self::Finish { finish, sealed } => {
                let length = u16::try_from(finish.len()).expect("a handshake's messages are short");
                [&[FINISH], &length.to_be_bytes()[..], finish, sealed].concat()
            }
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(body: &Bytes) -> Result<Self, WireError> {
        match body.first() {
            Some(&HELLO) => Ok(Self::Hello(handshake(body.slice(1..))?)),
            Some(&SEALED) => Ok(Self::Sealed(body.slice(1..))),
            Some(&FINISH) => {
                let cut = WireError::Handshake { found: body.len() - 1, expected: 2 };
                let (length, rest) = body[1..].split_first_chunk().ok_or(cut)?;
                let expected = usize::from(u16::from_be_bytes(*length));
                if expected > HANDSHAKE || expected > rest.len() {
                    return Err(WireError::Handshake { found: rest.len(), expected });
                }
                Ok(Self::Finish { finish: body.slice(3..3 + expected), sealed: body.slice(3 + expected..) })
            }
            found => Err(WireError::Kind { found: found.copied() }),
        }
    }
}

impl Response {
    /// Its body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Answer(answer) => [&[ANSWER], &answer[..]].concat(),
            Self::Sealed(sealed) => [&[RECEIPT], &sealed[..]].concat(),
            Self::Refused(refused) => vec![REFUSED, *refused as u8],
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(body: &Bytes) -> Result<Self, WireError> {
        match body.first() {
            Some(&ANSWER) => Ok(Self::Answer(handshake(body.slice(1..))?)),
            Some(&RECEIPT) => Ok(Self::Sealed(body.slice(1..))),
            Some(&REFUSED) => match body[1..] {
                [1] => Ok(Self::Refused(Refused::Crossed)),
                [2] => Ok(Self::Refused(Refused::TooSoon)),
                [3] => Ok(Self::Refused(Refused::UnknownSession)),
                [4] => Ok(Self::Refused(Refused::Misbehaviour)),
                _ => Err(WireError::Refusal { found: body.get(1).copied() }),
            },
            found => Err(WireError::Kind { found: found.copied() }),
        }
    }
}

fn handshake(bytes: Bytes) -> Result<Bytes, WireError> {
    let found = bytes.len();
    if found > HANDSHAKE { Err(WireError::Handshake { found, expected: HANDSHAKE }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(length: usize) -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..length).prop_map(Bytes::from)
    }

    #[test]
    fn the_bytes_of_version_2_stay() {
        let finish = Request::Finish { finish: Bytes::from_static(b"ab"), sealed: Bytes::from_static(b"c") };
        assert_eq!(framed(&finish.encode()), [0, 0, 0, 6, 2, 0, 2, b'a', b'b', b'c']);
        assert_eq!(Response::Refused(Refused::UnknownSession).encode(), [3, 3]);
    }

    #[test]
    fn what_breaks_a_bound_is_refused() {
        assert_eq!(body_length([0, 0, 1, 0], 255), Err(WireError::Oversized { found: 256, limit: 255 }));
        let refused = |body: &[u8]| Request::decode(&Bytes::copy_from_slice(body)).unwrap_err();
        assert_eq!(refused(&[]), WireError::Kind { found: None });
        assert_eq!(refused(&[4]), WireError::Kind { found: Some(4) });
        assert_eq!(refused(&[2, 0, 5, 1]), WireError::Handshake { found: 1, expected: 5 });
        assert_eq!(refused(&[2, 0]), WireError::Handshake { found: 1, expected: 2 });
        assert_eq!(refused(&[1; 1_000]), WireError::Handshake { found: 999, expected: HANDSHAKE });
        let refused = |body: &[u8]| Response::decode(&Bytes::copy_from_slice(body)).unwrap_err();
        assert_eq!(refused(&[3, 5]), WireError::Refusal { found: Some(5) });
        assert_eq!(refused(&[3]), WireError::Refusal { found: None });
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn no_bytes_make_the_decoders_panic_and_what_they_take_is_canonical(body in bytes(40), kind in 0..5_u8) {
            for body in [Bytes::from([&[kind], &body[..]].concat()), body] {
                if let Ok(request) = Request::decode(&body) {
                    prop_assert_eq!(request.encode(), body.to_vec());
                }
                if let Ok(response) = Response::decode(&body) {
                    prop_assert_eq!(response.encode(), body.to_vec());
                }
            }
        }

        #[test]
        fn a_request_round_trips(finish in bytes(HANDSHAKE), sealed in bytes(100)) {
            let requests = [
                Request::Hello(finish.clone()),
                Request::Sealed(sealed.clone()),
                Request::Finish { finish, sealed },
            ];
            for request in requests {
                prop_assert_eq!(Request::decode(&request.encode().into()), Ok(request));
            }
        }
    }
}
