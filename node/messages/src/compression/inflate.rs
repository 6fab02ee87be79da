//! Inflating what a peer compressed, without believing what it says.

use std::fmt;

use thiserror::Error;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation as _, OutBuffer};
use zstd::zstd_safe::get_frame_content_size;

/// The first bytes of a zstd frame (RFC 8878, section 3.1.1). Skippable and older frames have others.
const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// The largest window that a frame may ask for, as a power of two: 1 MiB, the largest message. zstd allocates it.
const WINDOW_LOG: u32 = 20;
/// How many bytes are inflated at a time. What is allocated follows what was inflated, not what was announced.
const STEP: usize = 16 * 1_024;
/// Content up to here may have any ratio: a page of zeros is no bomb.
const SMALL: usize = 4 * 1_024;

/// How much a packed message may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a message.
    pub message: usize,
    /// Bytes of a message for each byte of its compressed form, above 4 KiB.
    pub ratio: usize,
}

impl Bounds {
    /// The longest message that a frame of `compressed` bytes may be.
    fn longest(self, compressed: usize) -> usize {
        self.message.min(compressed.saturating_mul(self.ratio).max(SMALL))
    }

    /// Whether a frame of `compressed` bytes may be a message of `message` bytes.
    #[must_use]
    pub fn admits(self, compressed: usize, message: usize) -> bool {
        message <= self.longest(compressed)
    }
}

/// Why a packed message is not unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InflateError {
    /// The first byte is missing or none of the known ones.
    #[error("found the form {found:?}, expected 0 (plain) or 1 (zstd)")]
    Form {
        /// What was found.
        found: Option<u8>,
    },
    /// A plain message that is too long.
    #[error("found a message of {found} bytes, expected at most {limit}")]
    Oversized {
        /// Its length.
        found: usize,
        /// The receiver's limit.
        limit: usize,
    },
    /// A compressed message that becomes larger than any honest one: a bomb.
    #[error("found {compressed} compressed bytes that become {found} or more, expected at most {limit}")]
    Bomb {
        /// Length of the frame.
        compressed: usize,
        /// What it says or was found to become.
        found: u64,
        /// What it may become.
        limit: usize,
    },
    /// No zstd frame, one that does not say how long it is, or one with a window that is too large.
    #[error("found no zstd frame with the length of its content: {reason}")]
    Frame {
        /// What zstd says.
        reason: String,
    },
    /// The content has another length than was said, or something follows it.
    #[error("found {found} bytes, expected {announced} as the frame says and nothing after it")]
    Length {
        /// What was inflated.
        found: usize,
        /// What was said.
        announced: u64,
    },
}

impl InflateError {
    /// Whether the peer tried to make us inflate without end: worth a name of its own in what is counted.
    #[must_use]
    pub fn is_bomb(&self) -> bool {
        matches!(self, Self::Bomb { .. })
    }
}

/// Unpacks messages; keeps zstd's memory from one to the next.
pub struct Inflater {
    zstd: Decoder<'static>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// An inflater.
    ///
    /// # Panics
    /// When zstd has no memory for a context.
    #[must_use]
    pub fn new() -> Self {
        let mut zstd = Decoder::new().expect("there is memory for a context of zstd");
        zstd.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).expect("a parameter that zstd knows");
        Self { zstd }
    }

    /// The message.
    ///
    /// # Errors
    /// [`InflateError`], as soon as the bytes show it: of a bomb no more is inflated than the bounds allow.
    pub fn unpack(&mut self, packed: &[u8], bounds: Bounds) -> Result<Vec<u8>, InflateError> {
        let (form, body) = packed.split_first().ok_or(InflateError::Form { found: None })?;
        match *form {
            0 if body.len() <= bounds.message => Ok(body.to_vec()),
            0 => Err(InflateError::Oversized { found: body.len(), limit: bounds.message }),
            1 => self.inflate(body, bounds.longest(body.len())),
            found => Err(InflateError::Form { found: Some(found) }),
        }
    }

    fn inflate(&mut self, frame: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
        let announced = content_size(frame)?;
        if announced > limit as u64 {
            return Err(InflateError::Bomb { compressed: frame.len(), found: announced, limit });
        }
        self.zstd.reinit().map_err(|error| refused(&error))?;
        let mut input = InBuffer::around(frame);
        let mut message = Vec::new();
        let mut step = vec![0; STEP.min(limit + 1)];
        loop {
            let mut output = OutBuffer::around(&mut step[..]);
            let before = input.pos();
            let rest = self.zstd.run(&mut input, &mut output).map_err(|error| refused(&error))?;
            let inflated = output.pos();
            message.extend_from_slice(&step[..inflated]);
            if message.len() > limit {
                return Err(InflateError::Bomb { compressed: frame.len(), found: message.len() as u64, limit });
            }
            if rest == 0 {
                break;
            }
            if inflated == 0 && input.pos() == before {
                return Err(InflateError::Frame { reason: "it ends early".into() });
            }
        }
        if message.len() as u64 != announced || input.pos() < frame.len() {
            let found = message.len() + (frame.len() - input.pos());
            return Err(InflateError::Length { found, announced });
        }
        Ok(message)
    }
}

/// How long a frame says that its content is. It is asked before anything is inflated.
fn content_size(frame: &[u8]) -> Result<u64, InflateError> {
    let refused = |reason: &str| InflateError::Frame { reason: reason.into() };
    if !frame.starts_with(&MAGIC) {
        return Err(refused("it does not start as one"));
    }
    get_frame_content_size(frame).map_err(|_| refused("its header is cut"))?.ok_or_else(|| refused("it does not say"))
}

fn refused(error: &std::io::Error) -> InflateError {
    InflateError::Frame { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compression::{Compressor, Form, Rule, plain};

    const BOUNDS: Bounds = Bounds { message: 1 << 16, ratio: 50 };

    fn frame(content: &[u8]) -> Vec<u8> {
        let mut packed = vec![Form::Zstd as u8];
        packed.extend(zstd::bulk::compress(content, 1).unwrap());
        packed
    }

    fn unpack(packed: &[u8]) -> Result<Vec<u8>, InflateError> {
        Inflater::new().unpack(packed, BOUNDS)
    }

    #[test]
    fn a_bomb_is_refused_by_what_it_says() {
        let bomb = frame(&vec![0; 1 << 26]);
        assert!(bomb.len() < 8_192);
        assert!(matches!(unpack(&bomb), Err(InflateError::Bomb { found: 0x400_0000, .. })));
    }

    #[test]
    fn a_bomb_that_says_less_than_it_becomes_is_stopped_early() {
        let mut bomb = frame(&vec![0; 60_000]);
        // A frame of this size has its content's length, less 256, in two bytes at 6 (RFC 8878, section 3.1.1.1).
        assert_eq!(u16::from_le_bytes([bomb[6], bomb[7]]), 60_000 - 256);
        bomb[6..8].copy_from_slice(&[0, 4]);
        let refused = unpack(&bomb).unwrap_err();
        assert!(matches!(refused, InflateError::Frame { .. } | InflateError::Bomb { .. }), "{refused}");
    }

    #[test]
    fn a_ratio_beyond_the_bound_is_a_bomb_even_within_the_size() {
        let packed = frame(&vec![0; 60_000]);
        assert!(unpack(&packed).unwrap_err().is_bomb());
        assert_eq!(unpack(&frame(&vec![0; 4_096])).unwrap(), vec![0; 4_096]);
    }

    #[test]
    fn only_one_frame_that_says_its_length_is_taken() {
        let good = frame(&[7; 1_000]);
        assert_eq!(unpack(&good).unwrap(), [7; 1_000]);
        let twice = [&good[..], &good[1..]].concat();
        assert!(matches!(unpack(&twice), Err(InflateError::Length { announced: 1_000, .. })));
        for end in 1..good.len() {
            assert!(matches!(unpack(&good[..end]), Err(InflateError::Frame { .. })), "cut at {end}");
        }
        // A skippable frame of one byte, and a frame without the length of its content.
        let skippable = [1, 0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 9];
        assert!(matches!(unpack(&skippable), Err(InflateError::Frame { .. })));
        let silent = [&[1], &zstd::stream::encode_all(&b"hello"[..], 1).unwrap()[..]].concat();
        assert!(matches!(unpack(&silent), Err(InflateError::Frame { .. })));
    }

    #[test]
    fn a_window_of_gigabytes_is_refused() {
        // No single segment, a window of 2^41, eight bytes of content length.
        let mut packed = vec![1, 0x28, 0xB5, 0x2F, 0xFD, 0b1100_0000, 0b1111_1000];
        packed.extend(100_u64.to_le_bytes());
        packed.extend([1, 0, 0]);
        assert!(matches!(unpack(&packed), Err(InflateError::Frame { .. })));
    }

    #[test]
    fn an_unknown_form_and_a_long_plain_message_are_refused() {
        assert_eq!(unpack(&[]), Err(InflateError::Form { found: None }));
        assert_eq!(unpack(&[2, 0]), Err(InflateError::Form { found: Some(2) }));
        let long = plain(&vec![0; BOUNDS.message + 1]);
        assert_eq!(unpack(&long), Err(InflateError::Oversized { found: 65_537, limit: 65_536 }));
    }

    #[test]
    fn a_refused_message_does_not_spoil_the_next() {
        let mut inflater = Inflater::new();
        let good = frame(&[7; 1_000]);
        assert!(inflater.unpack(&good[..good.len() - 2], BOUNDS).is_err());
        assert_eq!(inflater.unpack(&good, BOUNDS).unwrap(), [7; 1_000]);
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn no_bytes_make_the_inflater_panic_or_pass_the_bounds(
            bytes in prop::collection::vec(any::<u8>(), 0..64), content in prop::collection::vec(0..4_u8, 0..2_000),
            place: prop::sample::Index,
        ) {
            let mut damaged = frame(&content);
            let end = damaged.len().min(bytes.len());
            let at = place.index(damaged.len() - end + 1);
            damaged[at..at + end].copy_from_slice(&bytes[..end]);
            for packed in [damaged, [&[1], &MAGIC[..], &bytes].concat(), bytes] {
                if let Ok(message) = unpack(&packed) {
                    prop_assert!(message.len() <= BOUNDS.message);
                    prop_assert!(packed[0] == 0 || BOUNDS.admits(packed.len() - 1, message.len()));
                }
            }
        }

        #[test]
        fn what_is_packed_is_unpacked(messages in prop::collection::vec(prop::collection::vec(0..9_u8, 0..5_000), 1..5)) {
            let (mut compressor, mut inflater) = (Compressor::new(Rule::default(), BOUNDS), Inflater::new());
            for message in messages {
                let packed = compressor.pack(&message);
                prop_assert!(packed.len() <= 1 + message.len());
                prop_assert_eq!(inflater.unpack(&packed, BOUNDS), Ok(message));
            }
        }
    }
}
