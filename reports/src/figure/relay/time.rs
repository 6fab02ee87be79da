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
        "Failover: out of reach after a relay's death",
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
    let name = "latency_stretch";
    let values: Vec<f64> = scenario.samples(name).map(|sample| sample.value).collect();
    let curve = Curve { label: "pings over relays".into(), colour: BLUE, stroke: Stroke::Solid, values };
    let title = "Latency stretch";
    let plot = cdf::draw(title, "relayed round trip over the direct one", Quantity::Ratio, vec![curve])?;
    Ok(plot.map(|plot| Figure {
        title: title.into(),
        reading: "Height is the share of pings over relays whose round trip was at most so many times that of the direct way through the \
                  network; 1 is no detour, and below 1 the way over the relay is shorter than the direct one."
            .into(),
        plot,
        notes: Vec::new(),
        tables: vec![name],
    }))
}
