use bytes::{Buf, Bytes, BytesMut};
use prost::Message as _;

use super::candidate::{Candidate, CandidateError, MAX_CANDIDATE};

/// Longest session description. A browser's for one data channel is below 2 KiB, with all its candidates below 8 KiB.
pub const MAX_SDP: usize = 16 * 1024;

/// Longest message without its length prefix: a session description and the protobuf around it.
pub const MAX_MESSAGE: usize = MAX_SDP + 16;

/// Longest length prefix of such a message.
const MAX_PREFIX: usize = 3;

/// One message of the signalling protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The description of the side that dials, or its new one for an ICE restart.
    Offer {
        /// The text of the session description.
        sdp: String,
    },
    /// The description of the other side.
    Answer {
        /// The text of the session description.
        sdp: String,
    },
    /// An ICE candidate of the sender.
    Candidate(Candidate),
    /// The sender has no more candidates. js-libp2p understands it but never sends it.
    EndOfCandidates,
}

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is too long.
    #[error("found a signalling message of {found} bytes or more, expected at most {MAX_MESSAGE}")]
    TooLarge {
        /// The announced or received size.
        found: usize,
    },
    /// It is not the protobuf message of the specification.
    #[error("found a signalling message that is not a protobuf message of the specification: {reason}")]
    Malformed {
        /// What the protobuf decoder says.
        reason: String,
    },
    /// It does not say what it is.
    #[error("found a signalling message without a type, expected SDP_OFFER, SDP_ANSWER or ICE_CANDIDATE")]
    NoType,
    /// It is of a type that the protocol does not have.
    #[error("found a signalling message of type {found}, expected 0 to 2")]
    UnknownType {
        /// The number of the type.
        found: i32,
    },
    /// It is a session description of unusual size.
    #[error("found a session description of {found} bytes, expected 1 to {MAX_SDP}")]
    SdpSize {
        /// Its size.
        found: usize,
    },
    /// It is a candidate that cannot be read.
    #[error(transparent)]
    Candidate(#[from] CandidateError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum Kind {
    SdpOffer = 0,
    SdpAnswer = 1,
    IceCandidate = 2,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(enumeration = "Kind", optional, tag = "1")]
    kind: Option<i32>,
    #[prost(string, optional, tag = "2")]
    data: Option<String>,
}

impl Message {
    /// The message with its length prefix.
    pub fn encode(&self) -> Bytes {
        let (kind, data) = match self {
            Self::Offer { sdp } => (Kind::SdpOffer, sdp.clone()),
            Self::Answer { sdp } => (Kind::SdpAnswer, sdp.clone()),
            Self::Candidate(candidate) => (Kind::IceCandidate, candidate.to_json()),
            // js-libp2p parses the text as JSON and stops reading on an empty one, so `null` it is.
            Self::EndOfCandidates => (Kind::IceCandidate, "null".to_owned()),
        };
        Wire { kind: Some(kind.into()), data: Some(data) }.encode_length_delimited_to_vec().into()
    }

    /// Reads a message without its length prefix.
    ///
    /// # Errors
    /// If it is not one.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(MessageError::TooLarge { found: bytes.len() });
        }
        let wire = Wire::decode(bytes).map_err(|error| MessageError::Malformed { reason: error.to_string() })?;
        let number = wire.kind.ok_or(MessageError::NoType)?;
        let kind = Kind::try_from(number).map_err(|_| MessageError::UnknownType { found: number })?;
        let data = wire.data.unwrap_or_default();
        match kind {
            Kind::SdpOffer => checked(data).map(|sdp| Self::Offer { sdp }),
            Kind::SdpAnswer => checked(data).map(|sdp| Self::Answer { sdp }),
            Kind::IceCandidate => {
                let candidate = Candidate::from_json(&data)?;
                Ok(candidate.map_or(Self::EndOfCandidates, Self::Candidate))
            }
        }
    }
}

fn checked(sdp: String) -> Result<String, MessageError> {
    match sdp.len() {
        1..=MAX_SDP => Ok(sdp),
        found => Err(MessageError::SdpSize { found }),
    }
}

/// Reads messages from the bytes of a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The message that is not complete yet; at most one of [`MAX_MESSAGE`] bytes and its prefix.
    partial: BytesMut,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next complete message; takes from `input` no more than it needs. `None` if `input` is used up.
    ///
    /// # Errors
    /// If what arrived cannot be a message; the stream has to be given up then.
    pub fn next_message(&mut self, input: &mut &[u8]) -> Result<Option<Message>, MessageError> {
        let (prefix, length) = loop {
            if let Some(found) = announced(&self.partial)? {
                break found;
            }
            let Some((byte, rest)) = input.split_first() else { return Ok(None) };
            self.partial.extend_from_slice(&[*byte]);
            *input = rest;
        };
        let missing = (prefix + length).saturating_sub(self.partial.len()).min(input.len());
        let (taken, rest) = input.split_at(missing);
        self.partial.extend_from_slice(taken);
        *input = rest;
        if self.partial.len() < prefix + length {
            return Ok(None);
        }
        let mut whole = std::mem::take(&mut self.partial);
        whole.advance(prefix);
        Message::decode(&whole).map(Some)
    }

    /// Whether nothing but complete messages has arrived.
    pub fn is_between_messages(&self) -> bool {
        self.partial.is_empty()
    }
}

/// The sizes of the prefix and of the message that `bytes` begin with, `None` if the prefix is not complete.
fn announced(bytes: &[u8]) -> Result<Option<(usize, usize)>, MessageError> {
    let mut length = 0usize;
    for (index, byte) in bytes.iter().take(MAX_PREFIX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            if length > MAX_MESSAGE {
                return Err(MessageError::TooLarge { found: length });
            }
            return Ok(Some((index + 1, length)));
        }
    }
    if bytes.len() >= MAX_PREFIX {
        return Err(MessageError::TooLarge { found: length });
    }
    Ok(None)
}

const _: () = assert!(MAX_CANDIDATE < MAX_SDP, "the bound of a message is that of a session description");
