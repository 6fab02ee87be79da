//! What traders, and those who only watch the chain, waited for.

use std::collections::BTreeMap;

use super::Figure;
use crate::plot::PlotError;
use crate::plot::axis::Quantity;
use crate::plot::strip::{self, Row};
use crate::scenario::Scenario;

/// Most rows; more would be a plot that nobody reads.
const ROWS: usize = 12;

/// A figure of durations, and how it is drawn.
struct Waiting {
    figure: &'static str,
    /// Samples with the same value of this tag make a row.
    tag: &'static str,
    title: &'static str,
    axis: &'static str,
    reading: &'static str,
}

const WAITING: [Waiting; 4] = [
    Waiting {
        figure: "tip_time",
        tag: "to",
        title: "News of blocks",
        axis: "time from a new tip until a watcher hears of it",
        reading: "Each dot is one block that one watcher heard of from the indexer of its row; the stroke is the median.",
    },
    Waiting {
        figure: "payment_time",
        tag: "to",
        title: "Confirmation of payments",
        axis: "time from the broadcast until the first confirmation",
        reading: "Each dot is one payment through the indexer of its row; the stroke is the median.",
    },
    Waiting {
        figure: "order_time",
        tag: "to",
        title: "Arrival of orders",
        axis: "time from the making of an order until it is in the book",
        reading: "Each dot is one order that arrived at the trader of its row; the stroke is the median.",
    },
    Waiting {
        figure: "swap_time",
        tag: "role",
        title: "Time to settle",
        axis: "time from the beginning of a swap until it is settled",
        reading: "Each dot is one settled swap as the side of its row saw it; the stroke is the median.",
    },
];

/// A strip for each figure that has samples.
pub(crate) fn figures(scenario: &Scenario) -> Result<Vec<Figure>, PlotError> {
    let figures: Vec<Option<Figure>> =
        WAITING.iter().map(|waiting| figure(scenario, waiting)).collect::<Result<_, PlotError>>()?;
    Ok(figures.into_iter().flatten().collect())
}

fn figure(scenario: &Scenario, waiting: &Waiting) -> Result<Option<Figure>, PlotError> {
    let mut rows: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for sample in scenario.samples(waiting.figure) {
        rows.entry(sample.tag(waiting.tag)).or_default().push(sample.value);
    }
    let hidden = rows.len().saturating_sub(ROWS);
    let rows = rows.into_iter().take(ROWS).map(|(name, values)| Row {
        label: format!("{name}, {} {}", values.len(), if values.len() == 1 { "sample" } else { "samples" }),
        values,
    });
    let plot = strip::draw(waiting.title, waiting.axis, Quantity::Seconds, &rows.collect::<Vec<_>>())?;
    let notes = if hidden > 0 { vec![format!("{hidden} more rows are in the table.")] } else { Vec::new() };
    Ok(plot.map(|plot| Figure {
        title: waiting.title.into(),
        reading: waiting.reading.into(),
        plot,
        notes,
        tables: vec![waiting.figure],
    }))
}
