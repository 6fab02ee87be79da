//! Parts of a whole over time, one on top of the other, faults shaded.

use super::axis::{Axis, Quantity};
use super::canvas;
use super::plane::{Plane, SIZE, Span};
use super::{Key, Plot, PlotError};
use crate::palette::Colour;

/// One part over time.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// What it is.
    pub(crate) label: String,
    /// A figure worth reading beside it; may be empty.
    pub(crate) note: String,
    /// Its colour.
    pub(crate) colour: Colour,
    /// Its value at each of the stack's times; missing ones are zero.
    pub(crate) values: Vec<f64>,
}

/// Draws layers, the first at the bottom, over a run of `end` seconds; `times` are the start and end of each value. None when there
/// is nothing but zero.
pub(crate) fn draw(
    title: &str,
    (y_title, quantity): (&str, Quantity),
    end: f64,
    times: &[(f64, f64)],
    layers: &[Layer],
    spans: &[Span],
) -> Result<Option<Plot>, PlotError> {
    let mut floor = vec![0.0; times.len()];
    let mut bands = Vec::new();
    for layer in layers {
        let value = |index: usize| layer.values.get(index).copied().unwrap_or(0.0);
        let top: Vec<f64> = floor.iter().enumerate().map(|(index, below)| below + value(index)).collect();
        bands.push((layer.colour, floor, top.clone()));
        floor = top;
    }
    let high = floor.iter().copied().max_by(f64::total_cmp).unwrap_or(0.0);
    if high <= 0.0 {
        return Ok(None);
    }
    let x = Axis::up_to("time in the run", Quantity::Seconds, end, 8);
    let plane = Plane::new(x, Axis::from_zero(y_title, quantity, high, 5), spans);
    let steps = |((from, until), value): (&(f64, f64), &f64)| [plane.at(*from, *value), plane.at(*until, *value)];
    let edge = |values: &[f64]| times.iter().zip(values).flat_map(steps).collect::<Vec<_>>();
    let svg = canvas::draw(SIZE, title, |canvas| {
        plane.draw(canvas, spans)?;
        for (colour, below, above) in &bands {
            let upper = edge(above);
            let outline: Vec<_> = upper.iter().copied().chain(edge(below).into_iter().rev()).collect();
            canvas.polygon(&outline, *colour, 0.75)?;
            if above != below {
                canvas.line(&upper, *colour, 1.5)?;
            }
        }
        Ok(())
    })?;
    let key = |layer: &Layer| Key::solid(layer.colour, &layer.label, &layer.note);
    // Listed from the top, as they are seen.
    Ok(Some(Plot { svg, wide: false, legend: layers.iter().rev().map(key).collect() }))
}
