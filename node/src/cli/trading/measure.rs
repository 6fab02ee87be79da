//! How much of an asset, as it is typed: in decimals, or in the smallest units.

use clap::Args;

/// How much, as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity<'a> {
    /// In decimals.
    Amount(&'a str),
    /// In the smallest units.
    Units(&'a str),
}

impl<'a> Quantity<'a> {
    /// Another one, typed in the same way.
    pub(crate) fn like(self, text: &'a str) -> Self {
        match self {
            Self::Amount(_) => Self::Amount(text),
            Self::Units(_) => Self::Units(text),
        }
    }
}

/// How much; it has to be said.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RequiredQuantity {
    /// How much, in decimals as the rune has them
    #[arg(long, value_name = "AMOUNT")]
    amount: Option<String>,
    /// How many of the smallest units
    #[arg(long, value_name = "N")]
    units: Option<String>,
}

impl RequiredQuantity {
    pub(crate) fn required(&self) -> Quantity<'_> {
        let units = Quantity::Units(self.units.as_deref().unwrap_or_default());
        self.amount.as_deref().map_or(units, Quantity::Amount)
    }
}

/// How much, if not all.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct OptionalQuantity {
    /// How much, in decimals as the rune has them [default: all of it]
    #[arg(long = "amount", id = "taken_amount", value_name = "AMOUNT")]
    amount: Option<String>,
    /// How many of the smallest units [default: all of them]
    #[arg(long = "units", id = "taken_units", value_name = "N")]
    units: Option<String>,
}

impl OptionalQuantity {
    pub(crate) fn given(&self) -> Option<Quantity<'_>> {
        self.amount.as_deref().map(Quantity::Amount).or(self.units.as_deref().map(Quantity::Units))
    }
}
