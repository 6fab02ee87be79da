//! The commands of a relay: what it does for others, and its drain.

use darkswap_connectivity::relay::reservation::LONGEST_NOTICE;
use darkswap_node::config_file::parse_duration;
use darkswap_node::control::{RelayServiceReport, Reply, Request};

use super::arguments::{Drain, Place};
use super::commands::{ask, unexpected};
use super::failure::Failure;
use super::output;

/// Returns when the relay has drained. Clients believe no longer notice than the longest.
pub(crate) fn drain(place: &Place, options: &Drain) -> Result<(), Failure> {
    let within = parse_duration(&options.within).filter(|within| *within <= LONGEST_NOTICE).ok_or_else(|| {
        let found = options.within.escape_debug();
        Failure::bad_input(format!(
            "--within: found `{found}`, expected a duration such as `30s` or `5m`, `1d` at most"
        ))
    })?;
    // A part of a second is a second more.
    let seconds = within.as_secs() + u64::from(within.subsec_nanos() > 0);
    let reply = ask(place, &Request::Drain { within_seconds: u32::try_from(seconds).unwrap_or(u32::MAX) })?;
    let Reply::Drained { cut } = reply else { return Err(unexpected()) };
    if options.shown.json { output::print_json(&reply) } else { output::print(&format!("drained, {cut} circuits cut")) }
}

/// The rows of a relay in the status of its node.
pub(super) fn rows(relay: &RelayServiceReport) -> Vec<[String; 2]> {
    let row = |what: &str, value: String| [what.to_owned(), value];
    let mut rows = vec![
        row("relays for", format!("{} reservations of {}", relay.reservations, relay.reservations_limit)),
        row("carries", format!("{} circuits of {}", relay.circuits, relay.circuits_limit)),
        row(
            "carried",
            format!("{} bytes, {} of {} per second", relay.bytes, relay.bytes_per_second, relay.bytes_per_second_limit),
        ),
    ];
    rows.extend(relay.drains_in_seconds.map(|left| row("drains", format!("{left} s left"))));
    rows.extend(relay.denied.iter().map(|(reason, count)| row("refused", format!("{count} times: {reason}"))));
    rows.extend(relay.accounts.iter().map(|it| {
        let counts = format!("{} bytes, {} circuits opened, {} reached", it.bytes, it.opened, it.reached);
        row("account", format!("{}: {counts}, {} reservations, {} refused", it.peer, it.granted, it.denied))
    }));
    rows
}
