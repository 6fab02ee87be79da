//! How long each kind of path took to set up.

use std::collections::BTreeMap;

use darkswap_records::unit::show_share;

use super::super::{Figure, distribution};
use super::{CARRIERS, transport_colour};
use crate::palette::ORANGE;
use crate::plot::cdf::Curve;
use crate::plot::{PlotError, Stroke};
use crate::scenario::Scenario;

/// Most transports of either kind of curve: those that are known, and one more.
const TRANSPORTS: usize = CARRIERS.len() + 1;

/// The distributions in one plot; none without samples.
pub(super) fn figure(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let mut relayed = Vec::new();
    let mut direct: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for sample in scenario.samples("connect_time") {
        match sample.tag("path") {
            "relayed" => relayed.push(sample.value),
            _ => direct.entry(sample.tag("transport")).or_default().push(sample.value),
        }
    }
    let mut upgraded: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for sample in scenario.samples("upgrade_time") {
        upgraded.entry(sample.tag("transport")).or_default().push(sample.value);
    }
    let mut curves =
        vec![Curve { label: "relayed first".into(), colour: ORANGE, stroke: Stroke::Solid, values: relayed }];
    curves.extend(by_transport(direct, Stroke::Solid, "direct at once"));
    curves.extend(by_transport(upgraded, Stroke::Dashed, "relayed to direct"));
    let figure = distribution::figure(
        "Time to set up a path, by transport",
        "Height is the share of paths that were usable within the time below. Solid: the first path of a pair, from the request to \
         connect. Dashed: the change from a relayed path to a direct one, from the relayed path on.",
        curves,
        vec!["connect_time", "upgrade_time", "negotiation", "negotiation_time"],
    )?;
    Ok(figure.map(|mut figure| {
        figure.notes.extend(negotiations(scenario));
        figure
    }))
}

fn by_transport<'a>(
    groups: BTreeMap<&'a str, Vec<f64>>,
    stroke: Stroke,
    how: &'a str,
) -> impl Iterator<Item = Curve> + 'a {
    groups.into_iter().take(TRANSPORTS).map(move |(transport, values)| {
        let name = if transport.is_empty() { "unknown transport" } else { transport };
        Curve { label: format!("{how}, {name}"), colour: transport_colour(transport), stroke, values }
    })
}

/// How often a WebRTC connection came out of its negotiation.
fn negotiations(scenario: &Scenario) -> Option<String> {
    let [succeeded, failed] = ["succeeded", "failed"].map(|outcome| scenario.count("negotiation", &[outcome]));
    let all = succeeded + failed;
    let share = show_share(succeeded as f64 / all as f64);
    (all > 0).then(|| {
        format!("{succeeded} of {all} negotiations of a WebRTC connection succeeded ({share}), ICE restarts included, counted at each end.")
    })
}
