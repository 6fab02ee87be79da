//! Failover, reach and stretch as distributions.

use super::super::{Figure, distribution};
use crate::palette::{BLUE, GREEN, ORANGE};
use crate::plot::axis::Quantity;
use crate::plot::cdf::{self, Curve};
use crate::plot::{PlotError, Stroke};
use crate::scenario::Scenario;

/// How long hosts were out of reach after their home died, and how long it takes to reach one.
pub(super) fn outages(scenario: &Scenario) -> Result<Vec<Figure>, PlotError> {
    let one = |name: &'static str, label: &str, colour, title: &str, reading: &str, also: &[&'static str]| {
        let values: Vec<f64> = scenario.samples(name).map(|sample| sample.value).collect();
        let curve = Curve { label: label.into(), colour, stroke: Stroke::Solid, values };
        let tables = [&[name], also].concat();
        distribution::figure(title, reading, vec![curve], tables)
    };
    let failover = one(
        "failover_time",
        "deaths of a home",
        ORANGE,
        "Out of reach after the death of a home relay",
        "Height is the share of hosts that could be reached anew within the time below, counted from the death of the relay that was \
         their home; a curve further left is better.",
        &["unreachable_per_day"],
    )?;
    let reach = one(
        "reach_time",
        "attempts",
        GREEN,
        "Time to reach a host through what it announces",
        "Height is the share of fresh attempts that had a path within the time below; attempts that failed are not in it.",
        &["reach"],
    )?;
    Ok([failover, reach].into_iter().flatten().collect())
}

/// What the way over relays costs.
pub(super) fn stretch(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let curve = |name: &'static str, label: &str, colour| Curve {
        label: label.into(),
        colour,
        stroke: Stroke::Solid,
        values: scenario.samples(name).map(|sample| sample.value).collect(),
    };
    let curves = vec![
        curve("circuit_stretch", "circuits, by the map", BLUE),
        curve("latency_stretch", "pings, as measured", ORANGE),
    ];
    let title = "Latency stretch";
    let plot = cdf::draw(title, "round trip over the relay by the direct one", Quantity::Ratio, curves)?;
    Ok(plot.map(|plot| Figure {
        title: title.into(),
        reading: "How many times as long the way over a relay is as the direct way through the network: 1 is no detour. Circuits: what \
                  the choice of the relay costs, by the scenario's latencies, one sample for each that was opened. Pings: the same with \
                  queues, jitter and the relay's work, one sample for each ping over a relay."
            .into(),
        plot,
        notes: Vec::new(),
        tables: vec!["circuit_stretch", "latency_stretch"],
    }))
}
