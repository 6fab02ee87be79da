//! How long things took, as cumulative distributions.

use std::collections::BTreeMap;

use super::{Figure, path_colour};
use crate::palette::{BLUE, CATEGORIES, ORANGE};
use crate::plot::axis::Quantity;
use crate::plot::cdf::{self, Curve, samples};
use crate::plot::strip::{self, Row};
use crate::plot::{PlotError, Stroke};
use crate::scenario::Scenario;

/// Most curves of one plot.
const CURVES: usize = 6;
/// With fewer samples than this, a distribution would pretend to know more than it does.
const FEW: usize = 8;

/// How pairs got their path.
pub(crate) fn connecting(scenario: &Scenario) -> Result<Vec<Figure>, PlotError> {
    let connect = by_path(
        scenario,
        "connect_time",
        "Time to connect",
        "Height is the share of pairs that had a usable path within the time below; a curve further left is faster.",
    )?;
    let changes = [("upgrade_time", "relayed to direct", BLUE), ("relay_return_time", "back to the relay", ORANGE)];
    let curves = changes.map(|(figure, label, colour)| Curve {
        label: label.into(),
        colour,
        stroke: Stroke::Solid,
        values: values(scenario, figure),
    });
    let changes = figure(
        "Time to change the path",
        "Height is the share of changes that were complete within the time below: from the first relayed path to the first direct \
         one, and from the break of a direct path until the pair talks through a relay.",
        curves.to_vec(),
        vec!["upgrade_time", "relay_return_time"],
    )?;
    Ok([connect, changes].into_iter().flatten().collect())
}

/// How it went on from there.
pub(crate) fn talking(scenario: &Scenario) -> Result<Vec<Figure>, PlotError> {
    let round_trip = by_path(
        scenario,
        "round_trip",
        "Round-trip time",
        "Height is the share of pings that came back within the time below; the gap between the curves is what a relay costs.",
    )?;
    let message = by_path(
        scenario,
        "message_time",
        "Time to deliver a message",
        "Height is the share of messages that were acknowledged within the time below, from the moment they were sent.",
    )?;
    let single = |name: &'static str, label: &str, title: &str, reading: &str| {
        figure(
            title,
            reading,
            vec![Curve { label: label.into(), colour: BLUE, stroke: Stroke::Solid, values: values(scenario, name) }],
            vec![name],
        )
    };
    let gossip = single(
        "gossip_time",
        "receptions",
        "Time for gossip to arrive",
        "Height is the share of receptions that came within the time below, from the moment of publication.",
    )?;
    let reservation = single(
        "reservation_time",
        "reservations",
        "Time to a relay reservation",
        "Height is the share of reservations that were granted within the time below, from the choice of the relay on.",
    )?;
    Ok([round_trip, message, gossip, reservation].into_iter().flatten().collect())
}

fn by_path(scenario: &Scenario, name: &'static str, title: &str, reading: &str) -> Result<Option<Figure>, PlotError> {
    let mut groups: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for sample in scenario.samples(name) {
        groups.entry(sample.tag("path")).or_default().push(sample.value);
    }
    let curves = groups.into_iter().take(CURVES).enumerate().map(|(turn, (path, values))| Curve {
        label: if path.is_empty() { "all".into() } else { path.into() },
        colour: if path.is_empty() { CATEGORIES[0] } else { path_colour(path, turn) },
        stroke: Stroke::Solid,
        values,
    });
    figure(title, reading, curves.collect(), vec![name])
}

fn values(scenario: &Scenario, name: &str) -> Vec<f64> {
    scenario.samples(name).map(|sample| sample.value).collect()
}

/// A distribution of times per curve; of few samples, a strip of dots.
pub(super) fn figure(
    title: &str,
    reading: &str,
    curves: Vec<Curve>,
    tables: Vec<&'static str>,
) -> Result<Option<Figure>, PlotError> {
    let few = curves.iter().all(|curve| curve.values.len() < FEW);
    let (plot, reading) = if few {
        let row = |curve: Curve| Row {
            label: format!("{}, {}", curve.label, samples(curve.values.len())),
            values: curve.values,
        };
        let rows: Vec<Row> = curves.into_iter().map(row).collect();
        (strip::draw(title, "time", Quantity::Seconds, &rows)?, "Each dot is one sample; the stroke is the median.")
    } else {
        (cdf::draw(title, "time", Quantity::Seconds, curves)?, reading)
    };
    Ok(plot.map(|plot| Figure { title: title.into(), reading: reading.into(), plot, notes: Vec::new(), tables }))
}
