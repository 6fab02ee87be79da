//! What can be traded.

use std::fmt;
use std::str::FromStr;

use ordinals::RuneId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The name of an alkane: the block and the transaction within it by which its contract came to be.
///
/// Written `block:tx`, as the alkanes specification does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlkaneId {
    /// The block part; small numbers name kinds of creation instead of a height.
    pub block: u128,
    /// The number within the block part.
    pub tx: u128,
}

impl fmt::Display for AlkaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.block, self.tx)
    }
}

/// An asset that is exchanged against bitcoin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Asset {
    /// A rune, by its id.
    Rune(RuneId),
    /// An alkane, by its id.
    Alkane(AlkaneId),
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rune(id) => write!(f, "rune {id}"),
            Self::Alkane(id) => write!(f, "alkane {id}"),
        }
    }
}

/// A text names no asset.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("found `{0}`, expected the id of a rune such as `840000:3`, or of an alkane such as `alkane:2:0`")]
pub struct NoAsset(String);

impl FromStr for Asset {
    type Err = NoAsset;

    /// `840000:3` and `rune:840000:3` are a rune, `alkane:2:0` is an alkane; a space may stand for the first colon, as in what is shown.
    fn from_str(text: &str) -> Result<Self, NoAsset> {
        let none = || NoAsset(text.to_owned());
        let named = |name: &str| text.strip_prefix(name)?.strip_prefix([':', ' ']);
        if let Some(id) = named("alkane") {
            let (block, tx) = id.split_once(':').ok_or_else(none)?;
            let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
                true => digits.parse().map_err(|_| none()),
                false => Err(none()),
            };
            return Ok(Self::Alkane(AlkaneId { block: number(block)?, tx: number(tx)? }));
        }
        named("rune").unwrap_or(text).parse().map(Self::Rune).map_err(|_| none())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn assets_are_read_as_they_are_shown_and_as_they_are_typed() {
        let rune = Asset::Rune(RuneId { block: 840_000, tx: 3 });
        for text in ["840000:3", "rune:840000:3", "rune 840000:3"] {
            assert_eq!(text.parse(), Ok(rune), "{text}");
        }
        let alkane = Asset::Alkane(AlkaneId { block: 2, tx: 0 });
        assert_eq!("alkane:2:0".parse(), Ok(alkane));
        assert_eq!(alkane.to_string().parse(), Ok(alkane));
        for text in ["", "gold", "840000", "alkane:2", "alkane:+2:0", "alkane:2:0:1", "alkane"] {
            assert!(text.parse::<Asset>().unwrap_err().to_string().contains("expected"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC*") {
            let _ = text.parse::<Asset>();
        }
    }
}
