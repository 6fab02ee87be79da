//! Ids as people read them: hex in JSON and other text, plain bytes in binary formats.

use std::fmt;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::ser::Serializer;
use thiserror::Error;

/// A text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("found {found}, expected {expected} hexadecimal digits")]
pub struct NotHex {
    /// What was found.
    found: String,
    /// Digits of such an id.
    expected: usize,
}

/// Reads `N` bytes; capital digits are accepted.
///
/// # Errors
/// [`NotHex`].
pub(crate) fn parse<const N: usize>(text: &str) -> Result<[u8; N], NotHex> {
    let expected = 2 * N;
    let digits = text.as_bytes();
    if digits.len() != expected {
        return Err(NotHex { found: format!("{} characters", text.chars().count()), expected });
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = (digit(pair[0]), digit(pair[1]));
        let (Some(high), Some(low)) = pair else {
            return Err(NotHex { found: "another character".to_owned(), expected });
        };
        *byte = (high << 4) | low;
    }
    Ok(bytes)
}

/// Writes bytes as lowercase digits.
pub(crate) fn write(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn digit(character: u8) -> Option<u8> {
    let value = char::from(character).to_digit(16)?;
    u8::try_from(value).ok()
}

pub(crate) fn serialize<const N: usize, S: Serializer>(bytes: &[u8; N], serializer: S) -> Result<S::Ok, S::Error> {
    struct Digits<'a>(&'a [u8]);

    impl fmt::Display for Digits<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write(self.0, f)
        }
    }

    if serializer.is_human_readable() {
        serializer.collect_str(&Digits(bytes))
    } else {
        serializer.serialize_bytes(bytes)
    }
}

pub(crate) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; N], D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_str(Id::<N>)
    } else {
        deserializer.deserialize_bytes(Id::<N>)
    }
}

struct Id<const N: usize>;

impl<'de, const N: usize> Visitor<'de> for Id<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes, in text as {} hexadecimal digits", 2 * N)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; N], E> {
        parse(text).map_err(E::custom)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<[u8; N], E> {
        bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<[u8; N], A::Error> {
        let mut bytes = [0; N];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = sequence.next_element()?.ok_or_else(|| de::Error::invalid_length(index, &self))?;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::order::{OrderId, TraderKey};
    use crate::swap::SwapId;

    #[test]
    fn ids_are_hex_in_json_and_read_back() {
        let json = serde_json::to_string(&SwapId([0xab; 16])).unwrap();
        assert_eq!(json, format!("\"{}\"", "ab".repeat(16)));
        assert_eq!(serde_json::from_str::<SwapId>(&json).unwrap(), SwapId([0xab; 16]));
        assert_eq!("AB".repeat(16).parse(), Ok(SwapId([0xab; 16])));
    }

    #[test]
    fn what_is_no_id_is_refused_with_what_was_expected() {
        for text in ["", "ab", &"g".repeat(64), &"é".repeat(32), &"a".repeat(66)] {
            let refused = text.parse::<OrderId>().unwrap_err().to_string();
            assert!(refused.contains("expected 64 hexadecimal digits"), "{refused}");
            assert!(serde_json::from_str::<OrderId>(&format!("\"{text}\"")).is_err());
        }
    }

    proptest! {
        #[test]
        fn every_id_reads_back(bytes: [u8; 32], text in "\\PC{0,70}") {
            prop_assert_eq!(OrderId(bytes).to_string().parse(), Ok(OrderId(bytes)));
            prop_assert_eq!(TraderKey(bytes).to_string().parse(), Ok(TraderKey(bytes)));
            let _ = text.parse::<TraderKey>();
        }
    }
}
