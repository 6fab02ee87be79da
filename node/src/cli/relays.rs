//! `darkswap relays`: the relays that the running node can choose.

use darkswap_node::control::{RelayReport, Reply, Request};

use super::arguments::{Place, Shown};
use super::commands::{ask, milliseconds, unexpected};
use super::failure::Failure;
use super::output;
use super::table::table;

pub(crate) fn relays(place: &Place, shown: Shown) -> Result<(), Failure> {
    let Reply::Relays(relays) = ask(place, &Request::Relays)? else { return Err(unexpected()) };
    if shown.json {
        return output::print_json(&relays);
    }
    let names = ["RELAY", "STATE", "ROUND TRIP", "LOSS", "LOAD", "BELIEVED", "GRANTS", "COST", "ORIGIN"];
    output::print(&table(names, &relays.into_iter().map(row).collect::<Vec<_>>()))
}

fn row(relay: RelayReport) -> [String; 9] {
    [
        relay.relay.to_string(),
        relay.state,
        relay.round_trip_seconds.map_or_else(|| "-".to_owned(), milliseconds),
        percent(relay.loss),
        percent(relay.load),
        percent(relay.credibility),
        percent(relay.success),
        milliseconds(relay.cost_seconds),
        relay.origin,
    ]
}

fn percent(fraction: f64) -> String {
    format!("{:.0} %", fraction * 100.0)
}
