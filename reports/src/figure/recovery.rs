//! How long pairs needed until they talked again after a fault.

use std::collections::BTreeMap;

use super::Figure;
use crate::plot::PlotError;
use crate::plot::axis::Quantity;
use crate::plot::strip::{self, Row};
use crate::scenario::Scenario;

/// Most rows; a fault is one row.
const ROWS: usize = 12;

/// The strip of recovery times by fault; none when nothing recovered.
pub(crate) fn figure(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let mut rows: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for sample in scenario.samples("recovery_time") {
        rows.entry(sample.tag("fault")).or_default().push(sample.value);
    }
    let hidden = rows.len().saturating_sub(ROWS);
    let rows = rows.into_iter().take(ROWS).map(|(fault, values)| {
        let name = if fault.is_empty() { "any fault" } else { fault };
        let pairs = if values.len() == 1 { "1 pair".into() } else { format!("{} pairs", values.len()) };
        Row { label: format!("{name}, {pairs}"), values }
    });
    let title = "Recovery after a fault";
    let plot = strip::draw(title, "time from the end of the fault", Quantity::Seconds, &rows.collect::<Vec<_>>())?;
    let notes = if hidden > 0 { vec![format!("{hidden} more faults are in the table.")] } else { Vec::new() };
    Ok(plot.map(|plot| Figure {
        title: title.into(),
        reading: "Each dot is one pair in one seed, further right took longer to talk again; the stroke is the median."
            .into(),
        plot,
        notes,
        tables: vec!["recovery_time"],
    }))
}
