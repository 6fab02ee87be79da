//! `darkswap wallet`: the wallet of the running node.

use std::collections::BTreeSet;

use bitcoin::Txid;
use darkswap_trader::command::{AssetReport, BalanceReport, CoinReport, Command, Reply, TransactionReport};
use serde_json::json;

use super::arguments::{Send, Wallet};
use super::desk::{ask, confirm, or_nothing};
use super::label::{amount, called, pile};
use super::quantity::shown;
use crate::cli::arguments::{Place, Shown};
use crate::cli::commands::unexpected;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::table::table;

pub(crate) fn wallet(place: &Place, command: &Wallet) -> Result<(), Failure> {
    match command {
        Wallet::Address(options) => address(place, *options),
        Wallet::Balance(options) => balance(place, *options),
        Wallet::Coins(options) => coins(place, *options),
        Wallet::Transactions(options) => transactions(place, *options),
        Wallet::Send(options) => send(place, options),
        Wallet::Bump(options) => {
            let reply = ask(place, Command::Bump { txid: options.txid, fee_rate: options.fee_rate })?;
            sent(reply, options.shown)
        }
    }
}

fn address(place: &Place, options: Shown) -> Result<(), Failure> {
    let Reply::Address(address) = ask(place, Command::Address)? else { return Err(unexpected()) };
    if options.json { output::print_json(&json!({ "address": address })) } else { output::print(&address) }
}

fn balance(place: &Place, options: Shown) -> Result<(), Failure> {
    let Reply::Balance(balance) = ask(place, Command::Balance)? else { return Err(unexpected()) };
    if options.json { output::print_json(&balance) } else { output::print(&balance_text(&balance)) }
}

/// What a wallet has, for people.
pub(super) fn balance_text(balance: &BalanceReport) -> String {
    let bitcoin = [
        ("spendable", balance.spendable),
        ("pending", balance.pending),
        ("reserved", balance.reserved),
        ("locked with assets", balance.locked),
    ];
    let rows = bitcoin.map(|(name, amount)| [name.to_owned(), shown(amount)]);
    let mut text = table(["BITCOIN", "AMOUNT"], &rows);
    if !balance.assets.is_empty() {
        text.push_str("\n\n");
        text.push_str(&assets_text(balance));
    }
    text
}

/// The assets of a wallet, for people. What they have to know of them stands below, once.
pub(super) fn assets_text(balance: &BalanceReport) -> String {
    let row = |asset: &AssetReport| {
        let amount = |units| amount(units, asset.label.as_ref());
        [
            called(asset.asset, asset.label.as_ref()),
            asset.asset.to_string(),
            amount(asset.units),
            amount(asset.pending),
            amount(asset.reserved),
        ]
    };
    let names = ["ASSET", "ID", "AMOUNT", "PENDING", "RESERVED"];
    let mut text = table(names, &balance.assets.iter().map(row).collect::<Vec<_>>());
    let notices: BTreeSet<&String> = balance.assets.iter().filter_map(|asset| asset.notice.as_ref()).collect();
    for notice in notices {
        text.push_str("\n\n");
        text.push_str(&output::printable(notice));
    }
    text
}

fn coins(place: &Place, options: Shown) -> Result<(), Failure> {
    let Reply::Coins(coins) = ask(place, Command::Coins)? else { return Err(unexpected()) };
    if options.json { output::print_json(&coins) } else { output::print(&coins_text(&coins)) }
}

pub(super) fn coins_text(coins: &[CoinReport]) -> String {
    let row = |coin: &CoinReport| {
        let assets: Vec<_> = coin.assets.iter().map(|one| pile(one.units, one.asset, one.label.as_ref())).collect();
        [
            coin.outpoint.to_string(),
            shown(coin.amount),
            or_nothing(coin.height),
            coin.state.clone(),
            or_nothing((!assets.is_empty()).then(|| assets.join(", "))),
        ]
    };
    table(["OUTPOINT", "AMOUNT", "HEIGHT", "STATE", "ASSETS"], &coins.iter().map(row).collect::<Vec<_>>())
}

fn transactions(place: &Place, options: Shown) -> Result<(), Failure> {
    let Reply::Transactions(transactions) = ask(place, Command::Transactions)? else { return Err(unexpected()) };
    if options.json { output::print_json(&transactions) } else { output::print(&transactions_text(&transactions)) }
}

pub(super) fn transactions_text(transactions: &[TransactionReport]) -> String {
    let row = |one: &TransactionReport| {
        [one.txid.to_string(), format!("{:+}sat", one.net_sats), or_nothing(one.fee.map(shown)), or_nothing(one.height)]
    };
    table(["TXID", "NET", "FEE", "HEIGHT"], &transactions.iter().map(row).collect::<Vec<_>>())
}

fn send(place: &Place, options: &Send) -> Result<(), Failure> {
    let (address, amount) = (options.address.clone(), options.amount);
    confirm(&format!("Pay {} to {address}?", shown(amount)), options.spending.yes)?;
    sent(ask(place, Command::Pay { address, amount, fee_rate: options.spending.fee_rate })?, options.shown)
}

/// Tells which transaction was broadcast.
pub(super) fn sent(reply: Reply, options: Shown) -> Result<(), Failure> {
    let Reply::Sent(txid) = reply else { return Err(unexpected()) };
    if options.json { output::print_json(&json!({ "txid": txid })) } else { output::print(&sent_text(txid)) }
}

fn sent_text(txid: Txid) -> String {
    format!("sent, transaction {txid}")
}
