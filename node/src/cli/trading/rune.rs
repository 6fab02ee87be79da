//! What is known of a rune, for people.

use darkswap_trade::rune::amount;
use darkswap_trader::command::{AssetDescription, Label, MintTerms, RuneReport};

use super::desk::or_nothing;
use super::label::decimal;
use crate::cli::failure::Failure;
use crate::cli::table::table;

/// Amounts of a rune that is not there yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimals(pub(super) u8);

impl Decimals {
    pub(super) fn units(self, text: &str) -> Result<u128, Failure> {
        amount::parse(text, self.0)
            .map_err(|error| Failure::bad_input(format!("{error} (with --divisibility {})", self.0)))
    }
}

/// Everything about an asset.
pub(super) fn asset_text(description: &AssetDescription) -> String {
    let held = &description.held;
    let units = |units: u128| match &held.label {
        Some(label) => decimal(units, label).to_string(),
        None => units.to_string(),
    };
    let mut rows = vec![row("id", held.asset)];
    if let Some(rune) = &description.rune {
        rows.extend(rune_rows(rune));
    }
    rows.extend([
        row("in the wallet", units(held.units)),
        row("pending", units(held.pending)),
        row("reserved for swaps", units(held.reserved)),
    ]);
    let mut text = table(["WHAT", "VALUE"], &rows);
    if let Some(notice) = &held.notice {
        text.push_str("\n\n");
        text.push_str(&crate::cli::output::printable(notice));
    }
    text
}

fn row(what: &str, value: impl std::fmt::Display) -> [String; 2] {
    [what.to_owned(), value.to_string()]
}

fn rune_rows(rune: &RuneReport) -> Vec<[String; 2]> {
    let label = &rune.label;
    let mint = match (rune.mintable, &rune.not_mintable) {
        (Some(units), _) => format!("open, {} each", decimal(units, label)),
        (None, Some(reason)) => format!("closed: {reason}"),
        (None, None) => "closed".to_owned(),
    };
    let mut rows = vec![
        row("name", &label.name),
        row("symbol", or_nothing(label.symbol)),
        row("divisibility", label.divisibility),
        row("number", rune.number),
        row("etched by", rune.etching),
        row("in block", rune.block),
        row("supply", or_nothing(rune.supply.map(|units| decimal(units, label)))),
        row("premine", decimal(rune.premine, label)),
        row("burned", decimal(rune.burned, label)),
        row("mints", rune.mints),
    ];
    if let Some(terms) = &rune.terms {
        rows.extend(terms_rows(terms, label));
    }
    rows.extend([row("mint in the next block", mint), row("turbo", if rune.turbo { "yes" } else { "no" })]);
    rows
}

fn terms_rows(terms: &MintTerms, label: &Label) -> [[String; 2]; 4] {
    let range = |from: Option<u64>, until: Option<u64>| match (from, until) {
        (None, None) => "-".to_owned(),
        (from, until) => format!("{} until before {}", or_nothing(from), or_nothing(until)),
    };
    [
        row("units of a mint", decimal(terms.amount, label)),
        row("mints at most", terms.cap),
        row("mints from height", range(terms.from_height, terms.until_height)),
        row("mints from offset", range(terms.from_offset, terms.until_offset)),
    ]
}
