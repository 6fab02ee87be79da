//! `darkswap order`: offers to everybody.

use darkswap_node::{Runtime as _, TokioRuntime};
use darkswap_trade::order::{OrderId, Price};
use darkswap_trader::command::{Command, OrderReport, Reply, seconds};
use serde_json::json;

use super::arguments::{Book, CancelOrder, Order, Place as Placing};
use super::desk::{ask, find, name, short};
use super::label::{Named, amount, called, named};
use super::measure::Quantity;
use super::quantity::{remaining, shown_price};
use crate::cli::arguments::{Place, Shown};
use crate::cli::commands::unexpected;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::table::table;

pub(crate) fn order(place: &Place, command: &Order) -> Result<(), Failure> {
    match command {
        Order::Place(options) => put(place, options),
        Order::Cancel(options) => cancel(place, options),
        Order::List(options) => show(&orders(place, Command::Orders)?, *options),
        Order::Book(Book { asset, shown }) => {
            let asset = asset.map(|asset| named(place, asset, false)).transpose()?.map(|named| named.asset);
            show(&orders(place, Command::Book { asset })?, *shown)
        }
    }
}

/// The orders that a command asks for.
pub(super) fn orders(place: &Place, command: Command) -> Result<Vec<OrderReport>, Failure> {
    match ask(place, command)? {
        Reply::Orders(orders) => Ok(orders),
        _ => Err(unexpected()),
    }
}

/// The one order that a person means. A whole id needs no look at the book.
pub(super) fn meant(place: &Place, digits: &str, command: Command, list: &str) -> Result<OrderReport, Failure> {
    find("order", digits, orders(place, command)?, |order| order.order.to_string(), list)
}

fn put(place: &Place, options: &Placing) -> Result<(), Failure> {
    let needs_decimals = matches!(options.quantity.required(), Quantity::Amount(_));
    let command = placing(options, &named(place, options.asset, needs_decimals)?)?;
    let Reply::Placed(order) = ask(place, command)? else { return Err(unexpected()) };
    if options.shown.json { output::print_json(&json!({ "order": order })) } else { output::print(&placed(order)) }
}

pub(super) fn placing(options: &Placing, what: &Named) -> Result<Command, Failure> {
    let quantity = options.quantity.required();
    let units = what.units(quantity)?;
    let like = |text: &Option<String>| text.as_deref().map(|text| what.units(quantity.like(text))).transpose();
    let part = like(&options.price.part)?.unwrap_or(units);
    Ok(Command::Place {
        side: options.side.into(),
        asset: what.asset,
        units,
        minimum: like(&options.minimum)?,
        price: Price { sats: options.price.amount.to_sat(), units: part },
        lifetime_seconds: options.lifetime.as_secs(),
        presigned: options.presigned,
    })
}

fn placed(order: OrderId) -> String {
    format!("placed, order {order}")
}

fn cancel(place: &Place, options: &CancelOrder) -> Result<(), Failure> {
    let order = match options.order.trim().parse::<OrderId>() {
        Ok(order) => order,
        Err(_) => meant(place, &options.order, Command::Orders, "darkswap order list")?.order,
    };
    ask(place, Command::CancelOrder { order })?;
    if options.shown.json {
        output::print_json(&json!({ "cancelled": order }))
    } else {
        output::print(&format!("cancelled, order {order}"))
    }
}

fn show(orders: &[OrderReport], options: Shown) -> Result<(), Failure> {
    if options.json {
        return output::print_json(&orders);
    }
    output::print(&orders_text(orders, seconds(TokioRuntime.wall_clock())))
}

/// Orders for people; `now` in seconds since the Unix epoch.
pub(super) fn orders_text(orders: &[OrderReport], now: u64) -> String {
    let row = |order: &OrderReport| {
        let kind = match (order.own, order.presigned) {
            (true, true) => "own, presigned",
            (true, false) => "own",
            (false, true) => "presigned",
            (false, false) => "-",
        };
        [
            short(&order.order),
            name(&order.side),
            called(order.asset, order.label.as_ref()),
            amount(order.units, order.label.as_ref()),
            amount(order.minimum, order.label.as_ref()),
            shown_price(order.price, order.label.as_ref().map_or(0, |label| label.divisibility)),
            remaining(order.expires_seconds.saturating_sub(now)),
            name(&order.backing),
            kind.to_owned(),
        ]
    };
    let names = ["ORDER", "SIDE", "ASSET", "AMOUNT", "MINIMUM", "PRICE", "ENDS IN", "BACKING", "KIND"];
    table(names, &orders.iter().map(row).collect::<Vec<_>>())
}
