//! How an asset is named by people: by its id, or a rune by its name.

use std::fmt;
use std::str::FromStr;

use darkswap_trade::asset::Asset;
use darkswap_trade::rune::name;
use ordinals::SpacedRune;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An asset, as somebody calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AssetName {
    /// By its id.
    Id(Asset),
    /// A rune by its name. Spacers are for the eye: two names that differ only in them are the same rune.
    Rune(SpacedRune),
}

/// A text is neither an id nor a name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "found `{text}`, expected a rune's name such as `UNCOMMON•GOODS`, its id such as `840000:3`, or an alkane such as `alkane:2:0`"
)]
pub struct NoAssetName {
    text: String,
}

impl FromStr for AssetName {
    type Err = NoAssetName;

    /// Small letters are read as capital ones, of which names consist.
    fn from_str(text: &str) -> Result<Self, NoAssetName> {
        if let Ok(asset) = text.parse() {
            return Ok(Self::Id(asset));
        }
        let found = name::parse(&text.to_ascii_uppercase());
        found.map(Self::Rune).map_err(|_| NoAssetName { text: text.chars().take(64).collect() })
    }
}

impl TryFrom<String> for AssetName {
    type Error = NoAssetName;

    fn try_from(text: String) -> Result<Self, NoAssetName> {
        text.parse()
    }
}

impl From<AssetName> for String {
    fn from(name: AssetName) -> Self {
        name.to_string()
    }
}

impl From<Asset> for AssetName {
    fn from(asset: Asset) -> Self {
        Self::Id(asset)
    }
}

impl fmt::Display for AssetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(asset) => asset.fmt(f),
            Self::Rune(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use ordinals::RuneId;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_and_names_are_told_apart() {
        let rune = Asset::Rune(RuneId { block: 840_000, tx: 3 });
        assert_eq!("840000:3".parse(), Ok(AssetName::Id(rune)));
        let Ok(AssetName::Rune(name)) = "uncommon.goods".parse() else { panic!() };
        assert_eq!(name.to_string(), "UNCOMMON•GOODS");
        for text in ["", "840000", "GOLD1", "A••B", "alkane:2"] {
            let refused = text.parse::<AssetName>().unwrap_err().to_string();
            assert!(refused.contains("expected a rune's name"), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_read_as_it_is_shown_and_no_text_panics(number: u128, block in 1..u64::MAX, tx: u32, text in "\\PC{0,80}") {
            let rune = AssetName::Rune(SpacedRune { rune: ordinals::Rune(number), spacers: 0 });
            prop_assert_eq!(rune.to_string().parse(), Ok(rune));
            let id = AssetName::Id(Asset::Rune(RuneId { block, tx }));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            let _ = text.parse::<AssetName>();
        }
    }
}
