//! How assets and their units are shown and typed: runes by name and in decimals, where the index knows them.

use darkswap_trade::asset::Asset;
use darkswap_trade::rune::amount::{self, Decimal};
use darkswap_trader::command::{AssetDescription, AssetName, Command, Label, Reply};

use super::desk::ask;
use super::measure::Quantity;
use crate::cli::arguments::Place;
use crate::cli::commands::unexpected;
use crate::cli::failure::Failure;

/// What ord shows where a rune has no symbol (U+00A4, the currency sign).
const NO_SYMBOL: char = '¤';

/// Its name; its id where nobody told one.
pub(super) fn called(asset: Asset, label: Option<&Label>) -> String {
    label.map_or_else(|| asset.to_string(), |label| label.name.clone())
}

/// Units in decimals, with the symbol: `12.5 ⧉`; `1250 units` where nobody told how many decimals there are.
pub(super) fn amount(units: u128, label: Option<&Label>) -> String {
    match label {
        Some(label) => format!("{} {}", decimal(units, label), label.symbol.unwrap_or(NO_SYMBOL)),
        None => format!("{units} units"),
    }
}

/// Units with what they are units of: `12.5 UNCOMMON•GOODS`, `1000 units of alkane 2:0`.
pub(super) fn pile(units: u128, asset: Asset, label: Option<&Label>) -> String {
    match label {
        Some(label) => format!("{} {}", decimal(units, label), label.name),
        None => format!("{units} units of {asset}"),
    }
}

pub(super) fn decimal(units: u128, label: &Label) -> Decimal {
    Decimal { units, divisibility: label.divisibility }
}

/// An asset that a person named, with what is needed to read amounts of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) asset: Asset,
    pub(super) label: Option<Label>,
}

impl Named {
    /// Units as they were typed: as units, or in decimals.
    pub(super) fn units(&self, quantity: Quantity<'_>) -> Result<u128, Failure> {
        let text = match quantity {
            Quantity::Units(text) => {
                let wrong = || Failure::bad_input(format!("found `{text}` units, expected a whole number"));
                let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
                return text.parse().ok().filter(|_| is_number).ok_or_else(wrong);
            }
            Quantity::Amount(text) => text,
        };
        let divisibility = match (self.asset, &self.label) {
            (_, Some(label)) => label.divisibility,
            // Alkanes have no decimals that an index of runes could know.
            (Asset::Alkane(_), None) => 0,
            (Asset::Rune(id), None) => {
                let text =
                    format!("nobody told how many decimals rune {id} has; give --units, which are the smallest ones");
                return Err(Failure::failed(text));
            }
        };
        let called = called(self.asset, self.label.as_ref());
        amount::parse(text, divisibility)
            .map_err(|error| Failure::bad_input(format!("{error} (in an amount of {called})")))
    }
}

/// Everything that the running node knows of an asset.
pub(super) fn described(place: &Place, asset: AssetName) -> Result<AssetDescription, Failure> {
    match ask(place, Command::Asset { asset })? {
        Reply::Asset(description) => Ok(*description),
        _ => Err(unexpected()),
    }
}

/// The asset that a person means. An id needs no look at the index, unless its decimals are needed.
pub(super) fn named(place: &Place, name: AssetName, needs_decimals: bool) -> Result<Named, Failure> {
    match name {
        AssetName::Id(asset @ Asset::Alkane(_)) => Ok(Named { asset, label: None }),
        AssetName::Id(asset) if !needs_decimals => Ok(Named { asset, label: None }),
        name => {
            let held = described(place, name)?.held;
            Ok(Named { asset: held.asset, label: held.label })
        }
    }
}

#[cfg(test)]
mod tests {
    use ordinals::RuneId;

    use super::*;

    fn gold() -> Named {
        let label = Label { name: "PURE•GOLD".to_owned(), symbol: Some('g'), divisibility: 2 };
        Named { asset: Asset::Rune(RuneId { block: 840_000, tx: 3 }), label: Some(label) }
    }

    #[test]
    fn runes_are_shown_by_name_and_in_decimals() {
        let Named { asset, label } = gold();
        assert_eq!(pile(1_250, asset, label.as_ref()), "12.5 PURE•GOLD");
        assert_eq!(amount(1_250, label.as_ref()), "12.5 g");
        let plain = Label { symbol: None, ..label.unwrap() };
        assert_eq!(amount(100, Some(&plain)), "1 ¤");
        assert_eq!((pile(7, asset, None), amount(7, None)), ("7 units of rune 840000:3".into(), "7 units".into()));
        assert_eq!((called(asset, Some(&plain)), called(asset, None)), ("PURE•GOLD".into(), "rune 840000:3".into()));
    }

    #[test]
    fn amounts_are_typed_in_decimals_and_units_without() {
        let gold = gold();
        assert_eq!(gold.units(Quantity::Amount("12.5")).unwrap(), 1_250);
        assert_eq!(gold.units(Quantity::Units("1250")).unwrap(), 1_250);
        for wrong in [Quantity::Amount("12.555"), Quantity::Amount("-1"), Quantity::Units("1.5"), Quantity::Units("+1")]
        {
            assert!(matches!(gold.units(wrong), Err(Failure::BadInput(_))), "{wrong:?}");
        }
        let unknown = Named { label: None, ..gold };
        assert!(matches!(unknown.units(Quantity::Amount("1")), Err(Failure::Failed(_))));
        assert_eq!(unknown.units(Quantity::Units("1")).unwrap(), 1);
    }
}
