//! One dot per value, in rows: for a handful of values per group, where a distribution would pretend to more.

use super::axis::{Axis, Quantity};
use super::canvas::{self, Anchor, TEXT};
use super::{Plot, PlotError};
use crate::palette::{AXIS, BLUE, INK, MUTED, RULE};

const WIDTH: f64 = 460.0;
const ROW: f64 = 44.0;
const TOP: f64 = 12.0;
const BELOW: f64 = 48.0;
/// Most dots of one row; more only make it blacker.
const DOTS: usize = 300;

/// The values of one row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What they have in common.
    pub(crate) label: String,
    /// The values, in any order.
    pub(crate) values: Vec<f64>,
}

/// Draws the rows below each other, with a stroke at each median; none when no row has a finite value.
pub(crate) fn draw(title: &str, x_title: &str, quantity: Quantity, rows: &[Row]) -> Result<Option<Plot>, PlotError> {
    let rows: Vec<(&str, Vec<f64>)> = rows.iter().filter_map(sorted).collect();
    let Some(high) = rows.iter().filter_map(|(_, values)| values.last().copied()).max_by(f64::total_cmp) else {
        return Ok(None);
    };
    let axis = Axis::from_zero(x_title, quantity, high, 5);
    let bottom = TOP + ROW * rows.len() as f64;
    let x = |value: f64| 16.0 + axis.position(value) * (WIDTH - 44.0);
    let svg = canvas::draw((WIDTH, bottom + BELOW), title, |canvas| {
        for (value, label) in &axis.ticks {
            canvas.line(&[(x(*value), TOP), (x(*value), bottom)], RULE, 1.0)?;
            canvas.text(label, (x(*value), bottom + 8.0), Anchor::Top, MUTED, TEXT)?;
        }
        canvas.line(&[(x(0.0), bottom), (x(axis.high()), bottom)], AXIS, 1.0)?;
        canvas.text(&axis.title, (WIDTH - 28.0, bottom + 34.0), Anchor::Right, INK, TEXT)?;
        for (index, (label, values)) in rows.iter().enumerate() {
            let top = TOP + ROW * index as f64;
            let middle = top + ROW * 0.68;
            for value in thinned(values) {
                canvas.dot((x(value), middle), 4.0, BLUE, 0.5)?;
            }
            let median = values[(values.len() - 1) / 2];
            canvas.line(&[(x(median), middle - 9.0), (x(median), middle + 9.0)], INK, 2.0)?;
            let most = if quantity == Quantity::Seconds { "longest" } else { "most" };
            let text = format!(
                "{label}: median {}, {most} {}",
                quantity.show(median),
                quantity.show(values[values.len() - 1])
            );
            canvas.text(&text, (x(0.0) + 4.0, top + ROW * 0.24), Anchor::Left, INK, TEXT)?;
        }
        Ok(())
    })?;
    Ok(Some(Plot { svg, wide: false, legend: Vec::new() }))
}

fn sorted(row: &Row) -> Option<(&str, Vec<f64>)> {
    let mut values: Vec<f64> = row.values.iter().copied().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then_some((row.label.as_str(), values))
}

/// Evenly spaced ranks, with both extremes.
fn thinned(sorted: &[f64]) -> Vec<f64> {
    if sorted.len() <= DOTS {
        return sorted.to_vec();
    }
    (0..DOTS).map(|step| sorted[step * (sorted.len() - 1) / (DOTS - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_values_become_few_dots_and_keep_their_extremes() {
        let values: Vec<f64> = (0..10_000).map(f64::from).collect();
        let thinned = thinned(&values);
        assert_eq!((thinned.len(), thinned[0], thinned[DOTS - 1]), (DOTS, 0.0, 9_999.0));
    }

    #[test]
    fn a_row_without_values_is_left_out() {
        let rows = [Row { label: "a".into(), values: vec![] }, Row { label: "b".into(), values: vec![f64::NAN] }];
        assert_eq!(draw("", "", Quantity::Seconds, &rows).unwrap(), None);
    }
}
