//! One bar per value, in rows with the value in words.

use super::axis::{Axis, Quantity};
use super::canvas::{self, Anchor, TEXT};
use super::{Plot, PlotError};
use crate::palette::{AXIS, Colour, INK, MUTED, RULE};

const WIDTH: f64 = 460.0;
const ROW: f64 = 44.0;
const TOP: f64 = 12.0;
const BELOW: f64 = 48.0;

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    /// What it is and how much, as it stands above the bar.
    pub(crate) label: String,
    /// Its colour.
    pub(crate) colour: Colour,
    /// Its length.
    pub(crate) value: f64,
}

/// Draws the bars below each other; none when no bar has a finite length above zero.
pub(crate) fn draw(title: &str, x_title: &str, quantity: Quantity, bars: &[Bar]) -> Result<Option<Plot>, PlotError> {
    let values = bars.iter().map(|bar| bar.value).filter(|value| value.is_finite() && *value > 0.0);
    let Some(high) = values.max_by(f64::total_cmp) else { return Ok(None) };
    let axis = Axis::from_zero(x_title, quantity, high, 5);
    let bottom = TOP + ROW * bars.len() as f64;
    let x = |value: f64| 16.0 + axis.position(value) * (WIDTH - 44.0);
    let svg = canvas::draw((WIDTH, bottom + BELOW), title, |canvas| {
        for (value, label) in &axis.ticks {
            canvas.line(&[(x(*value), TOP), (x(*value), bottom)], RULE, 1.0)?;
            canvas.text(label, (x(*value), bottom + 8.0), Anchor::Top, MUTED, TEXT)?;
        }
        for (index, bar) in bars.iter().enumerate() {
            let top = TOP + ROW * index as f64;
            canvas.text(&bar.label, (x(0.0) + 4.0, top + ROW * 0.24), Anchor::Left, INK, TEXT)?;
            canvas.rectangle((x(0.0), top + ROW * 0.46), (x(bar.value), top + ROW * 0.86), bar.colour, 1.0)?;
        }
        canvas.line(&[(x(0.0), TOP), (x(0.0), bottom)], AXIS, 1.0)?;
        canvas.text(&axis.title, (WIDTH - 28.0, bottom + 34.0), Anchor::Right, INK, TEXT)
    })?;
    Ok(Some(Plot { svg, wide: false, legend: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::palette::BLUE;

    fn bar(value: f64) -> Bar {
        Bar { label: format!("bar of {value}"), colour: BLUE, value }
    }

    #[test]
    fn every_bar_has_its_words() {
        let plot = draw("", "", Quantity::Rate, &[bar(3.0), bar(1.0), bar(f64::NAN)]).unwrap().unwrap();
        assert!(plot.svg.contains("bar of 3") && plot.svg.contains("bar of 1"));
    }

    #[test]
    fn without_a_length_there_is_no_plot() {
        assert_eq!(draw("", "", Quantity::Rate, &[bar(0.0), bar(f64::NAN)]).unwrap(), None);
    }
}
