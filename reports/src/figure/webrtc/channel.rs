//! Data channels: throughput by priority, and times.

use std::collections::BTreeMap;

use darkswap_records::unit::{show_rate, show_share};

use super::super::{Figure, distribution};
use crate::palette::{BLUE, CATEGORIES, Colour, GREEN, ORANGE, PURPLE};
use crate::plot::axis::Quantity;
use crate::plot::bar::{self, Bar};
use crate::plot::cdf::Curve;
use crate::plot::{PlotError, Stroke};
use crate::scenario::Scenario;

/// Priorities of a channel (RFC 8831, section 6.4), the highest first.
const PRIORITIES: [(&str, Colour); 4] = [("high", BLUE), ("medium", GREEN), ("low", ORANGE), ("very_low", PURPLE)];
/// Most curves of one plot.
const CURVES: usize = 6;

/// Every figure for which there are samples.
pub(super) fn figures(scenario: &Scenario) -> Result<Vec<Figure>, PlotError> {
    let mut opening = times(
        scenario,
        "channel_open_time",
        "Time to open a data channel",
        "Height is the share of channels that their receiver had within the time below.",
    )?;
    if let Some(figure) = &mut opening {
        figure.notes.extend(fates(scenario));
        figure.tables.push("channel");
    }
    let whole = times(
        scenario,
        "channel_time",
        "Time to complete a data channel",
        "Height is the share of channels of which the receiver had confirmed everything within the time below, from opening on.",
    )?;
    Ok([throughput(scenario)?, opening, whole].into_iter().flatten().collect())
}

/// What channels of each priority got; none when all have the same.
fn throughput(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let bytes = by_priority(scenario, "channel_bytes");
    let seconds = by_priority(scenario, "channel_time");
    let rate = |priority: &str| {
        let sum = |values: &BTreeMap<&str, Vec<f64>>| values.get(priority).map_or(0.0, |values| values.iter().sum());
        let (bytes, seconds): (f64, f64) = (sum(&bytes), sum(&seconds));
        if seconds > 0.0 { bytes / seconds } else { 0.0 }
    };
    let rates: Vec<(&str, f64)> = order(bytes.keys().copied()).into_iter().map(|name| (name, rate(name))).collect();
    if rates.len() < 2 {
        return Ok(None);
    }
    let all: f64 = rates.iter().map(|(_, rate)| rate).sum();
    let bar = |(turn, (priority, rate)): (usize, &(&str, f64))| Bar {
        label: format!(
            "{}: {} ({}), {}",
            named(priority),
            show_rate(*rate),
            show_share(if all > 0.0 { rate / all } else { 0.0 }),
            counted(bytes[priority].len())
        ),
        colour: colour(priority, turn),
        value: *rate,
    };
    let bars: Vec<Bar> = rates.iter().enumerate().map(bar).collect();
    let title = "Throughput of a data channel, by priority";
    let plot = bar::draw(title, "bytes per second and channel", Quantity::Rate, &bars)?;
    Ok(plot.map(|plot| Figure {
        title: title.into(),
        reading: "Length is what the channels of a priority got: bytes that arrived, divided by the time until they were confirmed; \
                  in brackets the share of the sum over priorities."
            .into(),
        plot,
        notes: Vec::new(),
        tables: vec!["channel_bytes", "channel_time"],
    }))
}

/// A distribution per priority.
fn times(scenario: &Scenario, name: &'static str, title: &str, reading: &str) -> Result<Option<Figure>, PlotError> {
    let mut groups = by_priority(scenario, name);
    let names: Vec<&str> = order(groups.keys().copied());
    let curve = |(turn, priority): (usize, &str)| Curve {
        label: format!("{} priority", named(priority)),
        colour: colour(priority, turn),
        stroke: Stroke::Solid,
        values: groups.remove(priority).unwrap_or_default(),
    };
    let curves = names.into_iter().take(CURVES).enumerate().map(curve).collect();
    distribution::figure(title, reading, curves, vec![name])
}

fn by_priority<'a>(scenario: &'a Scenario, name: &'a str) -> BTreeMap<&'a str, Vec<f64>> {
    let mut groups: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for sample in scenario.samples(name) {
        groups.entry(sample.tag("priority")).or_default().push(sample.value);
    }
    groups
}

/// Priorities from the highest down, those that this version does not know after them.
fn order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let rank = |name: &str| PRIORITIES.iter().position(|(known, _)| *known == name).unwrap_or(PRIORITIES.len());
    let mut names: Vec<&str> = names.collect();
    names.sort_by_key(|name| rank(name));
    names
}

fn colour(priority: &str, turn: usize) -> Colour {
    let known = PRIORITIES.iter().find(|(known, _)| *known == priority);
    known.map_or(CATEGORIES[turn % CATEGORIES.len()], |(_, colour)| *colour)
}

fn named(priority: &str) -> String {
    if priority.is_empty() { "no".into() } else { priority.replace('_', " ") }
}

fn counted(channels: usize) -> String {
    if channels == 1 { "1 channel".into() } else { format!("{channels} channels") }
}

/// How many channels did not complete.
fn fates(scenario: &Scenario) -> Option<String> {
    let [completed, failed] = ["completed", "failed"].map(|fate| scenario.count("channel", &[fate]));
    let all = completed + failed;
    (all > 0).then(|| match failed {
        0 => format!("All {} completed.", counted(all as usize)),
        _ => format!("{failed} of {} failed.", counted(all as usize)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_listed_from_the_highest_down() {
        let names = ["a new one", "high", "low", "medium", "very_low"];
        assert_eq!(order(names.into_iter()), ["high", "medium", "low", "very_low", "a new one"]);
    }
}
