//! The frames of a libp2p substream: an optional flag and optional bytes, as a length-prefixed protobuf message.
//!
//! Specification: libp2p WebRTC, "Multiplexing". Each frame that we send is one data channel message. A peer may put several
//! frames into one message or split one over several (both have been seen), so the [`Decoder`] treats a channel as a
//! stream of bytes, but holds everybody to the 16 KiB of the specification.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

/// Largest frame, its length prefix included, and largest data channel message: "Encoded messages including their length
/// prefix MUST NOT exceed 16kiB".
pub const MAX_FRAME: usize = 16 * 1024;

/// Bytes of a full frame that are not payload: 2 of length prefix, 2 of flag, 1 of the payload's tag, 2 of its length.
const MAX_OVERHEAD: usize = 7;

/// Largest payload of one frame, so that the frame fits into [`MAX_FRAME`] even if it carries a flag.
pub const MAX_PAYLOAD: usize = MAX_FRAME - MAX_OVERHEAD;

/// Longest length prefix that can announce a frame of at most [`MAX_FRAME`] bytes. Longer ones are refused before they are
/// complete, so that a prefix cannot be drawn out.
const MAX_PREFIX: usize = 2;

/// What a frame says about the state of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Flag {
    /// The sender will send no more bytes. To be answered with [`Flag::FinAck`].
    Fin = 0,
    /// The sender will read no more bytes and discards those that still arrive.
    StopSending = 1,
    /// The sender ended the stream abruptly.
    Reset = 2,
    /// The sender has received everything up to and including the [`Flag::Fin`].
    FinAck = 3,
}

/// One frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// What the sender says about the stream; it takes effect after the payload.
    pub flag: Option<Flag>,
    /// Bytes of the stream, possibly none.
    pub payload: Bytes,
}

impl Frame {
    /// A frame with bytes only.
    pub fn data(payload: Bytes) -> Self {
        Self { flag: None, payload }
    }

    /// A frame with a flag only.
    pub fn flag(flag: Flag) -> Self {
        Self { flag: Some(flag), payload: Bytes::new() }
    }

    /// The frame with its length prefix: one data channel message.
    ///
    /// # Panics
    /// If the payload is longer than [`MAX_PAYLOAD`]; cutting the stream into frames is the caller's part.
    pub fn encode(&self) -> Bytes {
        assert!(self.payload.len() <= MAX_PAYLOAD, "a payload of {} bytes does not fit a frame", self.payload.len());
        let message = (!self.payload.is_empty()).then(|| self.payload.clone());
        let wire = Wire { flag: self.flag.map(i32::from), message };
        let length = wire.encoded_len();
        let mut buffer = BytesMut::with_capacity(length + MAX_PREFIX);
        put_prefix(&mut buffer, length);
        wire.encode(&mut buffer).expect("a BytesMut grows as needed");
        buffer.freeze()
    }
}

/// Why bytes on a channel are not a sequence of frames. The stream cannot be read on after any of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The data channel message is larger than both ends agreed on.
    #[error("found a data channel message of {found} bytes, expected at most {MAX_FRAME}")]
    MessageTooLarge {
        /// Its size.
        found: usize,
    },
    /// The length prefix announces a frame that is too large.
    #[error("found a frame of {found} bytes without its prefix, expected at most {MAX_FRAME} with it")]
    FrameTooLarge {
        /// The announced size; `u32::MAX` for a prefix that is longer than any allowed one.
        found: u32,
    },
    /// The frame is not the protobuf message of the specification.
    #[error("found a frame that is not a protobuf message of the WebRTC specification: {reason}")]
    Malformed {
        /// What the protobuf decoder says.
        reason: String,
    },
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(enumeration = "Flag", optional, tag = "1")]
    flag: Option<i32>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    message: Option<Bytes>,
}

/// Reads frames from the messages of one data channel.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The message that is being read; complete frames are cut from it without a copy.
    current: Bytes,
    /// The beginning of a frame that was split over messages; at most [`MAX_FRAME`] bytes.
    partial: BytesMut,
}

impl Decoder {
    /// A decoder at the start of a channel.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one data channel message. Call [`Decoder::next_frame`] until it returns `None` before the next one.
    ///
    /// # Errors
    /// If the message is larger than [`MAX_FRAME`].
    pub fn push(&mut self, message: Bytes) -> Result<(), FrameError> {
        assert!(self.current.is_empty(), "the frames of the message before must be taken first");
        if message.len() > MAX_FRAME {
            return Err(FrameError::MessageTooLarge { found: message.len() });
        }
        self.current = message;
        Ok(())
    }

    /// The next complete frame, `None` if more messages are needed.
    ///
    /// # Errors
    /// If what arrived cannot be a frame; the channel has to be given up then.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.partial.is_empty() {
            match announced(&self.current)? {
                Some((prefix, length)) if self.current.len() >= prefix + length => {
                    self.current.advance(prefix);
                    return frame(self.current.split_to(length)).map(Some);
                }
                _ => {
                    // The beginning of a split frame is copied, so that it does not keep a whole message in memory.
                    self.partial.extend_from_slice(&self.current);
                    self.current = Bytes::new();
                    return Ok(None);
                }
            }
        }
        self.complete_partial()
    }

    /// Whether nothing but complete frames has arrived.
    pub fn is_between_frames(&self) -> bool {
        self.current.is_empty() && self.partial.is_empty()
    }

    fn complete_partial(&mut self) -> Result<Option<Frame>, FrameError> {
        let (prefix, length) = loop {
            match announced(&self.partial)? {
                Some(found) => break found,
                None if self.current.is_empty() => return Ok(None),
                None => self.partial.put_u8(self.current.get_u8()),
            }
        };
        let missing = (prefix + length).saturating_sub(self.partial.len()).min(self.current.len());
        self.partial.extend_from_slice(&self.current.split_to(missing));
        if self.partial.len() < prefix + length {
            return Ok(None);
        }
        let mut whole = std::mem::take(&mut self.partial).freeze();
        whole.advance(prefix);
        frame(whole).map(Some)
    }
}

/// All frames of one message that has to hold complete frames only, as ours do; `None` if the last one is cut off.
///
/// # Errors
/// As [`Decoder::push`] and [`Decoder::next_frame`].
pub fn decode(message: &[u8]) -> Result<Option<Vec<Frame>>, FrameError> {
    let mut decoder = Decoder::new();
    decoder.push(Bytes::copy_from_slice(message))?;
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame()? {
        frames.push(frame);
    }
    Ok(decoder.is_between_frames().then_some(frames))
}

/// Appends `length` as an unsigned variable-length integer.
fn put_prefix(buffer: &mut BytesMut, length: usize) {
    prost::encode_length_delimiter(length, buffer).expect("a BytesMut grows as needed");
}

/// The sizes of the prefix and of the frame that `bytes` begin with, `None` if the prefix is not complete.
fn announced(bytes: &[u8]) -> Result<Option<(usize, usize)>, FrameError> {
    let mut length = 0usize;
    for (index, byte) in bytes.iter().take(MAX_PREFIX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let prefix = index + 1;
            if prefix + length > MAX_FRAME {
                return Err(FrameError::FrameTooLarge { found: u32::try_from(length).unwrap_or(u32::MAX) });
            }
            return Ok(Some((prefix, length)));
        }
    }
    if bytes.len() >= MAX_PREFIX {
        return Err(FrameError::FrameTooLarge { found: u32::MAX });
    }
    Ok(None)
}

/// Reads the protobuf message. A flag with an unknown number is no flag, as protobuf asks of an older reader.
fn frame(bytes: Bytes) -> Result<Frame, FrameError> {
    let length = bytes.len();
    let wire = Wire::decode(bytes).map_err(|error| FrameError::Malformed { reason: error.to_string() })?;
    let flag = wire.flag.and_then(|number| Flag::try_from(number).ok());
    let payload = wire.message.unwrap_or_default();
    // A small payload inside a large frame (unknown fields) must not keep the whole of it in memory.
    let payload = if payload.len() < length / 2 { Bytes::copy_from_slice(&payload) } else { payload };
    Ok(Frame { flag, payload })
}

#[cfg(test)]
mod tests;
