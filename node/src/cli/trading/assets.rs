//! `darkswap asset`: runes and alkanes of the wallet.

use darkswap_trader::command::{Command, EtchingPhase, EtchingReport, MintTerms, NewRune, Reply};
use serde_json::json;

use super::arguments::{Asset, CancelEtching, Described, Etch, Mint, Transfer};
use super::desk::{ask, confirm, or_nothing};
use super::label::{called, described, named, pile};
use super::measure::Quantity;
use super::rune::{Decimals, asset_text};
use super::wallet::{assets_text, sent};
use crate::cli::arguments::{Place, Shown};
use crate::cli::commands::unexpected;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::table::table;

pub(crate) fn asset(place: &Place, command: &Asset) -> Result<(), Failure> {
    match command {
        Asset::List(options) => list(place, *options),
        Asset::Info(options) => show(place, options),
        Asset::Send(options) => send(place, options),
        Asset::Mint(options) => mint(place, options),
        Asset::Etch(options) => etch(place, options),
        Asset::Etchings(options) => etchings(place, *options),
        Asset::Cancel(options) => cancel(place, options),
    }
}

fn list(place: &Place, options: Shown) -> Result<(), Failure> {
    let Reply::Balance(balance) = ask(place, Command::Balance)? else { return Err(unexpected()) };
    if options.json {
        return output::print_json(&balance.assets);
    }
    let mut text = assets_text(&balance);
    let mut under_way = all_etchings(place)?;
    under_way.retain(is_under_way);
    if !under_way.is_empty() {
        text.push_str("\n\n");
        text.push_str(&etchings_text(&under_way));
    }
    output::print(&text)
}

fn show(place: &Place, options: &Described) -> Result<(), Failure> {
    let description = described(place, options.asset)?;
    if options.shown.json { output::print_json(&description) } else { output::print(&asset_text(&description)) }
}

fn send(place: &Place, options: &Transfer) -> Result<(), Failure> {
    let quantity = options.quantity.required();
    let what = named(place, options.asset, matches!(quantity, Quantity::Amount(_)))?;
    let (units, address) = (what.units(quantity)?, options.address.clone());
    confirm(&format!("Send {} to {address}?", pile(units, what.asset, what.label.as_ref())), options.spending.yes)?;
    let (asset, fee_rate) = (what.asset, options.spending.fee_rate);
    sent(ask(place, Command::Transfer { address, asset, units, fee_rate })?, options.shown)
}

fn mint(place: &Place, options: &Mint) -> Result<(), Failure> {
    let description = described(place, options.rune)?;
    let (held, rune) = (&description.held, &description.rune);
    let units = rune.as_ref().and_then(|rune| rune.mintable);
    let question = match units {
        Some(units) => format!("Mint {}?", pile(units, held.asset, held.label.as_ref())),
        None => {
            let reason = rune.as_ref().and_then(|rune| rune.not_mintable.clone());
            let reason = reason
                .unwrap_or_else(|| "alkanes are minted by their contracts, which this program does not run".to_owned());
            let name = called(held.asset, held.label.as_ref());
            return Err(Failure::failed(format!("{name} cannot be minted in the next block: {reason}")));
        }
    };
    confirm(&question, options.spending.yes)?;
    let (rune, fee_rate) = (held.asset.into(), options.spending.fee_rate);
    sent(ask(place, Command::Mint { rune, fee_rate })?, options.shown)
}

/// What is to be etched, as it was typed.
pub(super) fn new_rune(options: &Etch) -> Result<NewRune, Failure> {
    let decimals = Decimals(options.divisibility);
    let premine = options.premine.as_deref().map(|text| decimals.units(text)).transpose()?;
    let terms = match (&options.mint_amount, options.mint_cap) {
        (Some(amount), Some(cap)) => Some(MintTerms {
            amount: decimals.units(amount)?,
            cap,
            from_height: options.mint_from,
            until_height: options.mint_until,
            from_offset: options.mint_after,
            until_offset: options.mint_for,
        }),
        _ => None,
    };
    Ok(NewRune {
        name: options.name.clone(),
        divisibility: options.divisibility,
        symbol: options.symbol,
        premine: premine.unwrap_or_default(),
        terms,
        turbo: options.turbo,
    })
}

fn etch(place: &Place, options: &Etch) -> Result<(), Failure> {
    let rune = new_rune(options)?;
    confirm(
        &format!("Etch {} with a premine of {}?", rune.name, options.premine.as_deref().unwrap_or("0")),
        options.spending.yes,
    )?;
    let fee_rate = options.spending.fee_rate;
    let Reply::Etching(report) = ask(place, Command::Etch { rune, fee_rate })? else { return Err(unexpected()) };
    if options.shown.json { output::print_json(&report) } else { output::print(&etching_text(&report)) }
}

pub(super) fn etching_text(report: &EtchingReport) -> String {
    let (name, needed) = (&report.name, report.needed);
    let commitment = or_nothing(report.commitment);
    format!(
        "committed to the name {name}, transaction {commitment}. The protocol gives a name away only {needed} blocks after the \
         commitment, which takes about an hour: this node reveals it by itself then, also after a restart. `darkswap asset etchings` \
         shows how far it is, `darkswap asset cancel {name}` stops it."
    )
}

fn all_etchings(place: &Place) -> Result<Vec<EtchingReport>, Failure> {
    match ask(place, Command::Etchings)? {
        Reply::Etchings(etchings) => Ok(etchings),
        _ => Err(unexpected()),
    }
}

fn etchings(place: &Place, options: Shown) -> Result<(), Failure> {
    let etchings = all_etchings(place)?;
    if options.json { output::print_json(&etchings) } else { output::print(&etchings_text(&etchings)) }
}

fn is_under_way(etching: &EtchingReport) -> bool {
    !matches!(etching.phase, EtchingPhase::Done | EtchingPhase::Abandoned)
}

pub(super) fn etchings_text(etchings: &[EtchingReport]) -> String {
    let row = |one: &EtchingReport| {
        [
            one.name.clone(),
            super::desk::name(&one.phase),
            or_nothing(is_under_way(one).then(|| format!("{} of {}", one.confirmations, one.needed))),
            or_nothing(one.commitment),
            or_nothing(one.txid),
            or_nothing(one.asset),
            or_nothing(one.reason.as_ref()),
        ]
    };
    let names = ["ETCHING", "PHASE", "DEPTH", "COMMITMENT", "TXID", "ASSET", "REASON"];
    table(names, &etchings.iter().map(row).collect::<Vec<_>>())
}

fn cancel(place: &Place, options: &CancelEtching) -> Result<(), Failure> {
    let name = options.name.clone();
    confirm(&format!("Stop the etching of {name}? The bitcoin of its commitment comes back less a fee."), options.yes)?;
    ask(place, Command::CancelEtching { name: name.clone() })?;
    if options.shown.json {
        output::print_json(&json!({ "cancelled": name }))
    } else {
        output::print(&format!("stopped, etching of {name}; `darkswap asset etchings` tells what becomes of it"))
    }
}
