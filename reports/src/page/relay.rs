//! The relays of a scenario, as a table.

use std::collections::BTreeMap;

use darkswap_records::unit::{show_bytes, show_count, show_share};

use super::table::{Align, Column, number, table, text};
use crate::escape::Escaped;
use crate::figure::relay::{mean_share, relays, took_part};
use crate::run::Sample;
use crate::scenario::Scenario;

/// One row for each relay; empty where there was nothing to choose.
pub(super) fn relays_table(scenario: &Scenario) -> String {
    if !took_part(scenario) {
        return String::new();
    }
    let regions = regions(scenario);
    let about = |heading, about| Column { heading, about, align: Align::Number };
    let columns = [
        text("Relay"),
        text("Region"),
        about("Became home", "how often a host made it its home, over all seeds"),
        about("Hosts", "hosts that could be reached through it at the end of an interval, mean"),
        about("Sent", "bytes that it sent, mean over seeds"),
        about("Of all bytes", "its share of what all relays sent, mean over seeds"),
        about("Of all circuits", "its share of the circuits that were opened, mean over seeds"),
        number("Granted"),
        number("Refused"),
        about("Lost", "reservations that it took back or that died with it"),
        about("Silent probes", "share of its probes that had no answer"),
    ];
    let runs = scenario.runs.len().max(1) as f64;
    let rows = relays(scenario).into_iter().map(|relay| {
        let of = |figure: &str| -> Vec<Sample> {
            scenario.samples(figure).filter(|sample| sample.tag("relay") == relay).cloned().collect()
        };
        let count = |samples: &[Sample], category: &str| samples.iter().filter(|it| &*it.category == category).count();
        let (reservations, probes, hosts) = (of("reservation"), of("relay_probe"), of("relay_reservations"));
        let sum = |samples: &[Sample]| samples.iter().map(|sample| sample.value).sum::<f64>();
        let silent = match probes.len() {
            0 => "–".into(),
            all => show_share(count(&probes, "silent") as f64 / all as f64),
        };
        vec![
            Escaped(&relay).to_string(),
            Escaped(regions.get(relay.as_str()).copied().unwrap_or("")).to_string(),
            of("home_change").len().to_string(),
            show_count(sum(&hosts) / hosts.len().max(1) as f64),
            show_bytes(sum(&of("relay_bytes")) / runs),
            show_share(mean_share(scenario, &relay, "bytes")),
            show_share(mean_share(scenario, &relay, "circuits")),
            count(&reservations, "accepted").to_string(),
            count(&reservations, "refused").to_string(),
            count(&reservations, "lost").to_string(),
            silent,
        ]
    });
    format!("<details><summary>Relays</summary>{}</details>\n", table(&columns, rows))
}

fn regions(scenario: &Scenario) -> BTreeMap<&str, &str> {
    let hosts = scenario.runs.iter().find_map(|run| run.head.as_ref()).map(|head| &head.hosts);
    hosts.into_iter().flatten().map(|host| (host.name.as_str(), host.region.as_str())).collect()
}
