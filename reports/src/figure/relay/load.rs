//! What each relay carried over time, and how evenly.

use darkswap_records::statistic::jain;
use darkswap_records::unit::show_share;

use super::super::Figure;
use super::super::bucket::{Buckets, interval};
use super::{OTHER, colours, relays};
use crate::palette::{BLUE, ORANGE};
use crate::plot::PlotError;
use crate::plot::axis::Quantity;
use crate::plot::stack::{self, Layer};
use crate::plot::time_line::{self, Line};
use crate::run::{Run, Sample};
use crate::scenario::Scenario;

/// A figure with a value for each relay and interval.
struct Carried {
    figure: &'static str,
    /// What `relay_load` calls it.
    of: &'static str,
    title: &'static str,
    axis: &'static str,
    quantity: Quantity,
    reading: &'static str,
    /// Whether values are sums over an interval, shown per second, or what was there at its end.
    is_rate: bool,
}

const CARRIED: [Carried; 2] = [
    Carried {
        figure: "relay_reservations",
        of: "reservations",
        title: "Reservations by relay",
        axis: "hosts that announce a relay",
        quantity: Quantity::Count,
        reading: "Height is how many hosts can be reached through each relay; a host counts at its home and at every standby.",
        is_rate: false,
    },
    Carried {
        figure: "relay_bytes",
        of: "bytes",
        title: "Bytes sent by relay",
        axis: "sent per second",
        quantity: Quantity::Rate,
        reading: "Height is what each relay sent: what it forwards and its own protocols.",
        is_rate: true,
    },
];

/// Load over time, and how even it was.
pub(super) fn figures(scenario: &Scenario) -> Result<Vec<Figure>, PlotError> {
    let mut figures = Vec::new();
    for carried in &CARRIED {
        figures.extend(by_relay(scenario, carried)?);
    }
    figures.extend(fairness(scenario)?);
    Ok(figures)
}

fn by_relay(scenario: &Scenario, carried: &Carried) -> Result<Option<Figure>, PlotError> {
    let Some(buckets) = buckets(scenario, carried) else { return Ok(None) };
    let share = |relay: &str| mean_share(scenario, relay, carried.of);
    let colours = colours(scenario);
    let times = buckets.times();
    let mut layers = Vec::new();
    let mut others =
        Layer { label: "other relays".into(), note: String::new(), colour: OTHER, values: vec![0.0; times.len()] };
    let mut unnamed = 0;
    for relay in relays(scenario) {
        let values = over_runs(scenario, buckets, carried, &relay);
        match colours.get(&relay) {
            Some(colour) => {
                let note = format!("{} of all", show_share(share(&relay)));
                layers.push(Layer { label: relay, note, colour: *colour, values });
            }
            None => {
                unnamed += 1;
                others.values.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    if unnamed > 0 {
        others.label = format!("{unnamed} other relays");
        layers.push(others);
    }
    let unit = (carried.axis, carried.quantity);
    let plot = stack::draw(carried.title, unit, scenario.end_s(), &times, &layers, &scenario.spans())?;
    let seeds = if scenario.runs.len() > 1 { " Mean over seeds." } else { "" };
    let faults = if scenario.faults.is_empty() { "" } else { " Shaded: faults, numbered as in the list above." };
    Ok(plot.map(|plot| Figure {
        title: carried.title.into(),
        reading: format!("{}{seeds}{faults}", carried.reading),
        plot,
        notes: Vec::new(),
        tables: vec![carried.figure, "relay_load"],
    }))
}

/// Jain's index of the load over time.
fn fairness(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let names = relays(scenario);
    let line = |carried: &Carried, colour| {
        let buckets = buckets(scenario, carried)?;
        let index = |run: &Run| {
            let by_relay: Vec<Vec<Option<f64>>> =
                names.iter().map(|name| of_relay(run, buckets, carried, name)).collect();
            let at = |piece: usize| {
                let values: Option<Vec<f64>> =
                    by_relay.iter().map(|values| values.get(piece).copied().flatten()).collect();
                values.and_then(|values| jain(&values).ok())
            };
            (0..buckets.times().len()).map(at).collect()
        };
        let runs: Vec<Vec<Option<f64>>> = scenario.runs.iter().map(index).collect();
        let points = buckets.moments(&runs);
        let label = carried.of.to_string();
        (!points.is_empty()).then(|| Line { label, note: String::new(), colour, points })
    };
    let lines: Vec<Line> =
        CARRIED.iter().zip([BLUE, ORANGE]).filter_map(|(carried, colour)| line(carried, colour)).collect();
    let title = "Fairness of relay load";
    let plot = time_line::draw(title, ("Jain's index", Quantity::Ratio), scenario.end_s(), &lines, &scenario.spans())?;
    let least = darkswap_records::unit::show_ratio(1.0 / names.len() as f64);
    let banded = if lines.iter().any(time_line::banded) {
        " The line is the mean over seeds, the band from the lowest seed to the highest."
    } else {
        ""
    };
    Ok(plot.map(|plot| Figure {
        title: title.into(),
        reading: format!(
            "Height is Jain's index: 1 when all {} relays carry the same, {least} when one of them carries everything. A relay that is \
             down carries nothing and lowers it.{banded}",
            names.len()
        ),
        plot,
        notes: Vec::new(),
        tables: vec!["relay_load"],
    }))
}

fn buckets(scenario: &Scenario, carried: &Carried) -> Option<Buckets> {
    Buckets::new(scenario.end_s(), interval(scenario, carried.figure))
}

/// The values of a relay in each piece of a run.
fn of_relay(run: &Run, buckets: Buckets, carried: &Carried, relay: &str) -> Vec<Option<f64>> {
    let samples = || run.samples(carried.figure).iter().filter(|sample| sample.tag("relay") == relay);
    if carried.is_rate {
        buckets.rates(run, samples()).into_iter().map(Some).collect()
    } else {
        buckets.means(samples())
    }
}

/// The mean over runs in each piece; zero where no run has a value.
fn over_runs(scenario: &Scenario, buckets: Buckets, carried: &Carried, relay: &str) -> Vec<f64> {
    let runs: Vec<Vec<Option<f64>>> = scenario.runs.iter().map(|run| of_relay(run, buckets, carried, relay)).collect();
    let mean = |piece: usize| {
        let values: Vec<f64> = runs.iter().filter_map(|run| run.get(piece).copied().flatten()).collect();
        if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
    };
    (0..buckets.times().len()).map(mean).collect()
}

/// A relay's share of something, mean over runs.
pub(crate) fn mean_share(scenario: &Scenario, relay: &str, of: &str) -> f64 {
    let is_it = |sample: &&Sample| sample.tag("relay") == relay && sample.tag("of") == of;
    let values: Vec<f64> = scenario.samples("relay_load").filter(is_it).map(|sample| sample.value).collect();
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}
