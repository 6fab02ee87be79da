//! Messages, bytes and gossip over time.

use darkswap_records::unit::{show_bytes, show_share};

use super::Figure;
use super::bucket::{Buckets, interval};
use crate::palette::{BLUE, Colour, GREEN, ORANGE, PURPLE, VERMILLION};
use crate::plot::axis::Quantity;
use crate::plot::stack::{self, Layer};
use crate::plot::time_line::{self, Line};
use crate::plot::{Plot, PlotError};
use crate::run::Sample;
use crate::scenario::Scenario;

/// Fates of a message, each with its colour.
const FATES: [(&str, Colour); 4] =
    [("delivered", BLUE), ("failed", ORANGE), ("lost", VERMILLION), ("duplicate", PURPLE)];

/// Every figure over time for which there are samples.
pub(crate) fn figures(scenario: &Scenario) -> Result<Vec<Figure>, PlotError> {
    Ok([messages(scenario)?, throughput(scenario)?, paths(scenario)?, gossip(scenario)?]
        .into_iter()
        .flatten()
        .collect())
}

fn messages(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let Some(buckets) = Buckets::new(scenario.end_s(), None) else { return Ok(None) };
    let mut lines = Vec::new();
    for (fate, colour) in FATES {
        let count = scenario.samples("message").filter(|sample| &*sample.category == fate).count();
        if count > 0 {
            let line = rates(scenario, buckets, "message", |sample| &*sample.category == fate);
            lines.push(Line { label: fate.into(), note: format!("{count} messages"), colour, points: line });
        }
    }
    let title = "Messages over time";
    let plot =
        time_line::draw(title, ("messages per second", Quantity::Count), scenario.end_s(), &lines, &scenario.spans())?;
    let reading = "Height is how many messages per second met each fate: acknowledged, reported as failed to the sender, neither \
                   (lost), or received twice.";
    Ok(plot.map(|plot| figure(scenario, title, reading, &lines, plot, vec!["message"])))
}

fn throughput(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let name = "delivered_bytes";
    let Some(buckets) = Buckets::new(scenario.end_s(), interval(scenario, name)) else { return Ok(None) };
    let total = total(scenario, name);
    if total == 0.0 {
        return Ok(None);
    }
    let points = rates(scenario, buckets, name, |_| true);
    let note = format!("{} in all", show_bytes(total));
    let lines = [Line { label: "delivered".into(), note, colour: GREEN, points }];
    let title = "Throughput over time";
    let plot =
        time_line::draw(title, ("payload per second", Quantity::Rate), scenario.end_s(), &lines, &scenario.spans())?;
    let reading = "Height is the payload of messages that arrived per second, over all hosts.";
    Ok(plot.map(|plot| figure(scenario, title, reading, &lines, plot, vec![name])))
}

fn paths(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let names = ["bytes_direct", "bytes_relayed"];
    let gap = names.iter().filter_map(|name| interval(scenario, name)).min_by(f64::total_cmp);
    let Some(buckets) = Buckets::new(scenario.end_s(), gap) else { return Ok(None) };
    let layer = |name: &str, label: &str, colour| {
        let values = rates(scenario, buckets, name, |_| true).into_iter().map(|moment| moment.mean).collect();
        Layer { label: label.into(), note: format!("{} in all", show_bytes(total(scenario, name))), colour, values }
    };
    let layers = [layer(names[0], "direct", BLUE), layer(names[1], "relayed", ORANGE)];
    let title = "Bytes direct and relayed";
    let times = buckets.times();
    let unit = ("received per second", Quantity::Rate);
    let plot = stack::draw(title, unit, scenario.end_s(), &times, &layers, &scenario.spans())?;
    let all = total(scenario, names[0]) + total(scenario, names[1]);
    let reading = "The lower area is what peers received from each other directly, the upper one what went to and from relays: \
                   what they carry, twice, and their own protocols; of several seeds it is the mean.";
    Ok(plot.map(|plot| {
        let mut figure = figure(scenario, title, reading, &[], plot, names.to_vec());
        figure.notes.push(format!("{} of all bytes went directly.", show_share(total(scenario, names[0]) / all)));
        figure
    }))
}

fn gossip(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let name = "gossip_coverage";
    let Some(buckets) = Buckets::new(scenario.end_s(), interval(scenario, name)) else { return Ok(None) };
    let runs: Vec<_> = scenario.runs.iter().map(|run| buckets.means(run.samples(name).iter())).collect();
    let count = scenario.samples(name).count();
    let lines = [Line {
        label: "coverage".into(),
        note: format!("{count} publications"),
        colour: GREEN,
        points: buckets.moments(&runs),
    }];
    let title = "Gossip coverage over time";
    let unit = ("subscribers reached", Quantity::Share);
    let plot = time_line::draw(title, unit, scenario.end_s(), &lines, &scenario.spans())?;
    let reading = "Height is the share of its subscribers that a publication reached; 100 % is everybody.";
    Ok(plot.map(|plot| figure(scenario, title, reading, &lines, plot, vec![name])))
}

fn rates(scenario: &Scenario, buckets: Buckets, name: &str, keep: impl Fn(&Sample) -> bool) -> Vec<time_line::Moment> {
    let rates = |run: &crate::run::Run| {
        let samples = run.samples(name).iter().filter(|sample| keep(sample));
        buckets.rates(run, samples).into_iter().map(Some).collect()
    };
    // A run without records would draw a line at zero.
    let runs: Vec<Vec<_>> = scenario.runs.iter().filter(|run| run.head.is_some()).map(rates).collect();
    buckets.moments(&runs)
}

fn total(scenario: &Scenario, name: &str) -> f64 {
    scenario.samples(name).map(|sample| sample.value).sum()
}

fn figure(
    scenario: &Scenario,
    title: &str,
    reading: &str,
    lines: &[Line],
    plot: Plot,
    tables: Vec<&'static str>,
) -> Figure {
    let banded = lines.iter().any(time_line::banded);
    let seeds =
        if banded { " The line is the mean over seeds, the band from the lowest seed to the highest." } else { "" };
    let faults = if scenario.faults.is_empty() { "" } else { " Shaded: faults, numbered as in the list above." };
    Figure { title: title.into(), reading: format!("{reading}{seeds}{faults}"), plot, notes: Vec::new(), tables }
}
