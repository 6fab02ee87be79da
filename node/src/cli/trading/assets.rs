//! `darkswap asset`: runes and alkanes of the wallet.

use darkswap_trader::command::{Command, Reply};

use super::arguments::{Asset, Transfer};
use super::desk::{ask, confirm};
use super::wallet::{assets_text, sent};
use crate::cli::arguments::{Place, Shown};
use crate::cli::commands::unexpected;
use crate::cli::failure::Failure;
use crate::cli::output;

pub(crate) fn asset(place: &Place, command: &Asset) -> Result<(), Failure> {
    match command {
        Asset::List(options) => list(place, *options),
        Asset::Transfer(options) => transfer(place, options),
    }
}

fn list(place: &Place, options: Shown) -> Result<(), Failure> {
    let Reply::Balance(balance) = ask(place, Command::Balance)? else { return Err(unexpected()) };
    if options.json { output::print_json(&balance.assets) } else { output::print(&assets_text(&balance)) }
}

fn transfer(place: &Place, options: &Transfer) -> Result<(), Failure> {
    let (address, asset, units) = (options.address.clone(), options.asset, options.units);
    confirm(&format!("Transfer {units} units of {asset} to {address}?"), options.spending.yes)?;
    let fee_rate = options.spending.fee_rate;
    sent(ask(place, Command::Transfer { address, asset, units, fee_rate })?, options.shown)
}
