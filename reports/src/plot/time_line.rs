//! Values over time: the mean over seeds as a line of steps, their range as a band, faults shaded.

use super::axis::{Axis, Quantity};
use super::canvas;
use super::plane::{Plane, SIZE, Span};
use super::{Key, Plot, PlotError};
use crate::palette::Colour;

/// One value over time.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// What it is.
    pub(crate) label: String,
    /// A figure worth reading beside it; may be empty.
    pub(crate) note: String,
    /// Its colour.
    pub(crate) colour: Colour,
    /// Ascending in time.
    pub(crate) points: Vec<Moment>,
}

/// A value for a while, over all seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    /// Since when it holds, in seconds since the start of the run.
    pub(crate) from: f64,
    /// Until when it holds.
    pub(crate) until: f64,
    /// Smallest over seeds.
    pub(crate) low: f64,
    /// Mean over seeds.
    pub(crate) mean: f64,
    /// Largest over seeds.
    pub(crate) high: f64,
}

/// Draws lines over a run of `end` seconds; none when no line has a point.
pub(crate) fn draw(
    title: &str,
    (y_title, quantity): (&str, Quantity),
    end: f64,
    lines: &[Line],
    spans: &[Span],
) -> Result<Option<Plot>, PlotError> {
    let Some(high) = lines.iter().flat_map(|line| &line.points).map(|point| point.high).max_by(f64::total_cmp) else {
        return Ok(None);
    };
    let x = Axis::up_to("time in the run", Quantity::Seconds, end, 8);
    let plane = Plane::new(x, Axis::from_zero(y_title, quantity, high, 5), spans);
    let svg = canvas::draw(SIZE, title, |canvas| {
        plane.draw(canvas, spans)?;
        for line in lines.iter().filter(|line| banded(line)) {
            let mut outline = steps(&plane, line, |point| point.high);
            outline.extend(steps(&plane, line, |point| point.low).into_iter().rev());
            canvas.polygon(&outline, line.colour, 0.22)?;
        }
        for line in lines {
            canvas.line(&steps(&plane, line, |point| point.mean), line.colour, 2.0)?;
        }
        Ok(())
    })?;
    let key = |line: &Line| Key::solid(line.colour, &line.label, &line.note);
    Ok(Some(Plot { svg, wide: false, legend: lines.iter().map(key).collect() }))
}

/// Whether seeds differ anywhere on a line, so that it has a band.
pub(crate) fn banded(line: &Line) -> bool {
    line.points.iter().any(|point| point.low < point.high)
}

fn steps(plane: &Plane, line: &Line, value: impl Fn(&Moment) -> f64) -> Vec<(f64, f64)> {
    line.points.iter().flat_map(|point| [point.from, point.until].map(|at| plane.at(at, value(point)))).collect()
}
