//! What came of trades, and what traders, and those who only watch the chain, waited for.

use std::collections::BTreeMap;

use darkswap_records::unit::show_share;

use super::Figure;
use crate::palette::{Colour, GREEN, ORANGE, VERMILLION};
use crate::plot::PlotError;
use crate::plot::axis::Quantity;
use crate::plot::bar::{self, Bar};
use crate::plot::strip::{self, Row};
use crate::scenario::Scenario;

/// Most rows; more would be a plot that nobody reads.
const ROWS: usize = 12;

/// A figure of values, and how it is drawn.
struct Waiting {
    figure: &'static str,
    /// Samples with the same value of this tag make a row.
    tag: &'static str,
    title: &'static str,
    axis: &'static str,
    quantity: Quantity,
    reading: &'static str,
}

const WAITING: [Waiting; 7] = [
    Waiting {
        figure: "tip_time",
        tag: "to",
        title: "News of blocks",
        axis: "time from a new tip until a watcher hears of it",
        quantity: Quantity::Seconds,
        reading: "Each dot is one block that one watcher heard of from the indexer of its row; the stroke is the median.",
    },
    Waiting {
        figure: "payment_time",
        tag: "to",
        title: "Confirmation of payments",
        axis: "time from the broadcast until the first confirmation",
        quantity: Quantity::Seconds,
        reading: "Each dot is one payment through the indexer of its row; the stroke is the median.",
    },
    Waiting {
        figure: "order_time",
        tag: "to",
        title: "Arrival of orders",
        axis: "time from the making of an order until it is in the book",
        quantity: Quantity::Seconds,
        reading: "Each dot is one order that arrived at the trader of its row; the stroke is the median.",
    },
    Waiting {
        figure: "broadcast_time",
        tag: "from",
        title: "Time to broadcast",
        axis: "time from the taking of an order until the transaction is out",
        quantity: Quantity::Seconds,
        reading: "Each dot is one swap whose transaction the trader of its row has broadcast, or knows to be out; the stroke is the median.",
    },
    Waiting {
        figure: "swap_time",
        tag: "role",
        title: "Time to settle",
        axis: "time from the beginning of a swap until it is settled",
        quantity: Quantity::Seconds,
        reading: "Each dot is one settled swap as the side of its row saw it; the stroke is the median.",
    },
    Waiting {
        figure: "convergence_time",
        tag: "after",
        title: "Convergence of order books",
        axis: "time until the books of all traders are the same again",
        quantity: Quantity::Seconds,
        reading: "Each dot is one time that all books became equal after they had differed, by what had made them differ; the stroke is the median.",
    },
    Waiting {
        figure: "order_bytes",
        tag: "to",
        title: "Cost of reconciliation",
        axis: "bytes for each order that one of two books lacked",
        quantity: Quantity::Bytes,
        reading: "Each dot is one reconciliation with the trader of its row that found a difference, without the orders themselves; the stroke is the median.",
    },
];

/// What becomes of a trade, with its colour.
const FATES: [(&str, Colour); 3] = [("settled", GREEN), ("aborted", ORANGE), ("open", VERMILLION)];

/// What came of trades and lies, and a strip for each figure of values that has samples.
pub(crate) fn figures(scenario: &Scenario) -> Result<Vec<Figure>, PlotError> {
    let waiting = WAITING.iter().map(|waiting| figure(scenario, waiting)).collect::<Result<Vec<_>, PlotError>>()?;
    let outcomes = [outcome(scenario)?, lies(scenario)?];
    Ok(outcomes.into_iter().chain(waiting).flatten().collect())
}

/// What came of trades, with what must be zero in words.
fn outcome(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let all = scenario.count("trade", &FATES.map(|(fate, _)| fate));
    let bars = FATES.map(|(fate, colour)| {
        let count = scenario.count("trade", &[fate]);
        let share = show_share(count as f64 / all as f64);
        Bar { label: format!("{fate}: {count} of {all} ({share})"), colour, value: count as f64 }
    });
    let bars: Vec<Bar> = bars.into_iter().filter(|bar| bar.value > 0.0).collect();
    let plot = bar::draw("Accepted trades", "trades", Quantity::Count, &bars)?;
    let total = |figure: &str| scenario.samples(figure).map(|sample| sample.value).sum::<f64>();
    let mut lost: BTreeMap<&str, f64> = BTreeMap::new();
    for sample in scenario.samples("value_lost").filter(|sample| sample.value > 0.0) {
        *lost.entry(sample.tag("asset")).or_default() += sample.value;
    }
    let lost: Vec<String> = lost.into_iter().map(|(asset, units)| format!("{units} of {asset}")).collect();
    let lost = if lost.is_empty() { "nothing".to_owned() } else { lost.join(", ") };
    let notes = vec![
        format!("Value lost by those who keep to the rules: {lost}."),
        format!("Stuck swaps: {}. Contradictions between traders and chain: {}.", total("stuck"), total("trade_fault")),
    ];
    Ok(plot.map(|plot| Figure {
        title: "What came of trades".into(),
        reading: "Every swap that its maker agreed to, by what the chain says at the end of the run.".into(),
        plot,
        notes,
        tables: vec!["trade", "swap", "value_lost", "stuck", "trade_fault"],
    }))
}

/// What came of swaps in which somebody lied, one row for each lie and outcome.
fn lies(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let mut counts: BTreeMap<(&str, usize), u64> = BTreeMap::new();
    for sample in scenario.samples("trade_lie") {
        let fate = FATES.iter().position(|(fate, _)| *sample.category == **fate);
        if let Some(fate) = fate {
            *counts.entry((sample.tag("how"), fate)).or_default() += 1;
        }
    }
    let bars = counts.into_iter().take(ROWS).map(|((how, fate), count)| {
        let (name, colour) = FATES[fate];
        Bar { label: format!("{how}: {count} {name}"), colour, value: count as f64 }
    });
    let plot = bar::draw("Lies", "swaps", Quantity::Count, &bars.collect::<Vec<_>>())?;
    Ok(plot.map(|plot| Figure {
        title: "Lies of traders".into(),
        reading: "Every swap in which a trader lied, by how it lied and what came of the swap for the other side."
            .into(),
        plot,
        notes: Vec::new(),
        tables: vec!["trade_lie"],
    }))
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
    let plot = strip::draw(waiting.title, waiting.axis, waiting.quantity, &rows.collect::<Vec<_>>())?;
    let notes = if hidden > 0 { vec![format!("{hidden} more rows are in the table.")] } else { Vec::new() };
    Ok(plot.map(|plot| Figure {
        title: waiting.title.into(),
        reading: waiting.reading.into(),
        plot,
        notes,
        tables: vec![waiting.figure],
    }))
}
