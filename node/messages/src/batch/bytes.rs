//! The bytes of a batch.

use bytes::Bytes;
use thiserror::Error;
use unsigned_varint::{decode as varint, encode};

/// How much of a batch is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Items in it.
    pub items: usize,
    /// Bytes of one item.
    pub item_bytes: usize,
}

/// Why bytes are not a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BatchError {
    /// No item at all.
    #[error("found an empty batch, expected at least one item")]
    Empty,
    /// Too many items.
    #[error("found more than {limit} items in a batch, expected at most that many")]
    TooMany {
        /// How many are allowed.
        limit: usize,
    },
    /// An item that is too long.
    #[error("found an item of {found} bytes, expected at most {limit}")]
    Oversized {
        /// Announced length.
        found: u64,
        /// The receiver's limit.
        limit: usize,
    },
    /// A length that is no varint, or one with leading zeros.
    #[error("found no unsigned varint before an item, expected its length in as few bytes as possible")]
    Length,
    /// The batch ends within an item.
    #[error("found {found} bytes of an item, expected {expected}")]
    Truncated {
        /// What is there.
        found: usize,
        /// What was announced.
        expected: usize,
    },
}

/// The bytes of a batch of these items.
#[must_use]
pub fn encode<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for item in items {
        bytes.extend_from_slice(encode::u64(item.len() as u64, &mut encode::u64_buffer()));
        bytes.extend_from_slice(item);
    }
    bytes
}

/// How many bytes an item of this length takes in a batch.
#[must_use]
pub fn encoded_length(item: usize) -> usize {
    encode::u64(item as u64, &mut encode::u64_buffer()).len() + item
}

/// The items of a batch, which share its memory.
///
/// # Errors
/// [`BatchError`] for whatever [`encode()`] does not write, and for more than the bounds allow.
pub fn decode(batch: &Bytes, bounds: Bounds) -> Result<Vec<Bytes>, BatchError> {
    let mut items = Vec::new();
    let mut rest = &batch[..];
    while !rest.is_empty() {
        if items.len() == bounds.items {
            return Err(BatchError::TooMany { limit: bounds.items });
        }
        let (length, after) = varint::u64(rest).map_err(|_| BatchError::Length)?;
        // The tenth byte of a varint may say more than 64 bits hold, which the library drops.
        if encode::u64(length, &mut encode::u64_buffer()).len() != rest.len() - after.len() {
            return Err(BatchError::Length);
        }
        let expected = usize::try_from(length).ok().filter(|length| *length <= bounds.item_bytes);
        let expected = expected.ok_or(BatchError::Oversized { found: length, limit: bounds.item_bytes })?;
        let (item, after) =
            after.split_at_checked(expected).ok_or(BatchError::Truncated { found: after.len(), expected })?;
        items.push(batch.slice_ref(item));
        rest = after;
    }
    if items.is_empty() { Err(BatchError::Empty) } else { Ok(items) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { items: 4, item_bytes: 300 };

    fn read(bytes: &[u8]) -> Result<Vec<Bytes>, BatchError> {
        decode(&Bytes::copy_from_slice(bytes), BOUNDS)
    }

    #[test]
    fn the_bytes_of_a_batch_stay() {
        let long = [7; 200];
        let bytes = encode([&b"ab"[..], b"", &long]);
        assert_eq!(bytes[..6], [2, b'a', b'b', 0, 0xC8, 1]);
        assert_eq!(read(&bytes).unwrap(), [&b"ab"[..], b"", &long]);
        assert_eq!(bytes.len(), encoded_length(2) + encoded_length(0) + encoded_length(200));
    }

    #[test]
    fn what_breaks_a_bound_is_refused() {
        assert_eq!(read(&[]), Err(BatchError::Empty));
        assert_eq!(read(&[0; 5]), Err(BatchError::TooMany { limit: 4 }));
        assert_eq!(read(&[0xAD, 2]), Err(BatchError::Oversized { found: 301, limit: 300 }));
        assert_eq!(read(&[3, 1, 2]), Err(BatchError::Truncated { found: 2, expected: 3 }));
    }

    #[test]
    fn a_length_with_leading_zeros_or_without_an_end_is_refused() {
        assert_eq!(read(&[0x81, 0, 1]), Err(BatchError::Length));
        assert_eq!(read(&[0x80; 12]), Err(BatchError::Length));
        assert_eq!(read(&[0x80]), Err(BatchError::Length));
        assert_eq!(read(&[128, 128, 128, 128, 128, 128, 128, 128, 128, 2]), Err(BatchError::Length), "2^64");
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn no_bytes_make_the_decoder_panic_and_what_it_takes_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(items) = read(&bytes) {
                prop_assert_eq!(encode(items.iter().map(|item| &item[..])), bytes);
            }
        }

        #[test]
        fn a_batch_round_trips(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..=4)) {
            let bytes = encode(items.iter().map(Vec::as_slice));
            prop_assert_eq!(read(&bytes).unwrap(), items);
        }
    }
}
