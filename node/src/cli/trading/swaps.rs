//! `darkswap trade`: orders that are taken.

use darkswap_trade::order::{OrderId, Side};
use darkswap_trade::swap::Phase;
use darkswap_trader::command::{Command, OrderReport, Reply, SwapReport};
use serde_json::{Map, Value, json};

use super::arguments::{CancelSwap, Show, Take, Trade, Watch};
use super::desk::{ask, confirm, find, name, or_nothing, short};
use super::label::{Named, amount, called, pile};
use super::orders::{meant, orders};
use super::quantity::{shown, shown_price};
use crate::cli::arguments::{Place, Shown};
use crate::cli::commands::{unexpected, with_client};
use crate::cli::events;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::table::table;

/// The command that lists ids of swaps.
const LIST: &str = "darkswap trade list";

pub(crate) fn trade(place: &Place, command: &Trade) -> Result<(), Failure> {
    match command {
        Trade::Take(options) => take(place, options),
        Trade::List(options) => list(place, *options),
        Trade::Show(options) => show(place, options),
        Trade::Cancel(options) => cancel(place, options),
        Trade::Watch(options) => watch(place, options),
    }
}

fn take(place: &Place, options: &Take) -> Result<(), Failure> {
    let book = Command::Book { asset: None };
    let order = match options.order.trim().parse::<OrderId>() {
        // A whole id may be that of an order which the book does not show; the trader knows.
        Ok(id) => orders(place, book)?.into_iter().find(|order| order.order == id).ok_or(id),
        Err(_) => Ok(meant(place, &options.order, book, "darkswap order book")?),
    };
    let units = options.quantity.given().map(|quantity| {
        let what = order.as_ref().map(|order| Named { asset: order.asset, label: order.label.clone() });
        what.map_err(|id| Failure::failed(format!("found no order {id}; `darkswap order book` lists them")))?
            .units(quantity)
    });
    let units = units.transpose()?;
    let question = match &order {
        Ok(order) => question(order, units),
        Err(id) => format!("Take order {id}?"),
    };
    confirm(&question, options.spending.yes)?;
    let order = order.map_or_else(|id| id, |order| order.order);
    let command = Command::Take { order, units, fee_rate: options.spending.fee_rate };
    let Reply::Taken(swap) = ask(place, command)? else { return Err(unexpected()) };
    if options.shown.json {
        output::print_json(&json!({ "swap": swap }))
    } else {
        output::print(&format!("taken, swap {swap}; `darkswap trade watch {}` follows it", short(&swap)))
    }
}

/// What the taker of an order gives and gets.
pub(super) fn question(order: &OrderReport, units: Option<u128>) -> String {
    let units = units.unwrap_or(order.units);
    let divisibility = order.label.as_ref().map_or(0, |label| label.divisibility);
    let payment = order.price.payment(units).map_or_else(|| shown_price(order.price, divisibility), shown);
    let asset = pile(units, order.asset, order.label.as_ref());
    match order.side {
        Side::Sell => format!("Give {payment} and the network's fee for {asset}?"),
        Side::Buy => format!("Give {asset} and the network's fee for {payment}?"),
    }
}

fn swaps(place: &Place) -> Result<Vec<SwapReport>, Failure> {
    match ask(place, Command::Swaps)? {
        Reply::Swaps(swaps) => Ok(swaps),
        _ => Err(unexpected()),
    }
}

fn list(place: &Place, options: Shown) -> Result<(), Failure> {
    let swaps = swaps(place)?;
    if options.json { output::print_json(&swaps) } else { output::print(&swaps_text(&swaps)) }
}

pub(super) fn swaps_text(swaps: &[SwapReport]) -> String {
    let row = |swap: &SwapReport| {
        [
            short(&swap.swap),
            name(&swap.role),
            name(&swap.side),
            called(swap.asset, swap.label.as_ref()),
            amount(swap.units, swap.label.as_ref()),
            shown(swap.payment),
            name(&swap.phase),
            short(&swap.peer),
            or_nothing(swap.reason.as_ref()),
        ]
    };
    let names = ["SWAP", "ROLE", "SIDE", "ASSET", "AMOUNT", "PAYMENT", "PHASE", "TRADER", "REASON"];
    table(names, &swaps.iter().map(row).collect::<Vec<_>>())
}

/// The one swap that a person means.
fn one(place: &Place, which: &Show) -> Result<SwapReport, Failure> {
    let mut all = swaps(place)?;
    if let Some(peer) = which.peer {
        all.retain(|swap| swap.peer == peer);
    }
    find("swap", &which.swap, all, |swap| swap.swap.to_string(), LIST)
}

fn show(place: &Place, options: &Show) -> Result<(), Failure> {
    let swap = one(place, options)?;
    if options.shown.json { output::print_json(&swap) } else { output::print(&swap_text(&swap)) }
}

pub(super) fn swap_text(swap: &SwapReport) -> String {
    let rows = [
        ["swap", &swap.swap.to_string()],
        ["trader", &swap.peer.to_string()],
        ["role", &name(&swap.role)],
        ["order", &swap.order.to_string()],
        ["side", &name(&swap.side)],
        ["asset", &swap.asset.to_string()],
        ["name", &or_nothing(swap.label.as_ref().map(|label| &label.name))],
        ["amount", &amount(swap.units, swap.label.as_ref())],
        ["payment", &shown(swap.payment)],
        ["phase", &name(&swap.phase)],
        ["txid", &or_nothing(swap.txid)],
        ["reason", &or_nothing(swap.reason.as_ref())],
    ]
    .map(|row| row.map(str::to_owned));
    table(["WHAT", "VALUE"], &rows)
}

fn cancel(place: &Place, options: &CancelSwap) -> Result<(), Failure> {
    let swap = one(place, &options.which)?;
    let question = match swap.phase {
        Phase::Requested | Phase::Accepted => format!("Stop swap {}? Nothing is signed yet.", swap.swap),
        _ => format!("Stop swap {}? Signatures are given away: reclaiming pays a fee.", swap.swap),
    };
    confirm(&question, options.yes)?;
    ask(place, Command::CancelSwap { swap: swap.swap, peer: swap.peer })?;
    if options.which.shown.json {
        output::print_json(&json!({ "cancelled": swap.swap }))
    } else {
        output::print(&format!(
            "stopped, swap {}; `darkswap trade show {}` tells what becomes of it",
            swap.swap,
            short(&swap.swap)
        ))
    }
}

fn watch(place: &Place, options: &Watch) -> Result<(), Failure> {
    let digits = options.swap.as_ref().map(|digits| digits.trim().to_ascii_lowercase());
    with_client(place, async |client| {
        let mut stream = client.events().await?;
        while let Some(event) = stream.next().await? {
            if !concerns(&event, digits.as_deref()) {
                continue;
            }
            if options.shown.json {
                output::print_json(&event)?
            } else {
                output::print(&events::line(&event))?
            }
            if digits.is_some() && has_ended(&event) {
                break;
            }
        }
        Ok(())
    })
}

/// Whether an event is about swaps, or about the one whose id begins like this. Lost events are always told.
pub(super) fn concerns(event: &Map<String, Value>, digits: Option<&str>) -> bool {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    match (text("event"), digits) {
        (Some("events_lost"), _) | (Some("swap_misbehaviour" | "trading_failed"), None) => true,
        (Some("swap_moved"), digits) => {
            digits.is_none_or(|digits| text("swap").is_some_and(|swap| swap.starts_with(digits)))
        }
        _ => false,
    }
}

pub(super) fn has_ended(event: &Map<String, Value>) -> bool {
    matches!(event.get("to").and_then(Value::as_str), Some("done" | "aborted"))
}
