//! Two axes on a canvas: the frame of every plot, and where a value lands in it.

use super::PlotError;
use super::axis::Axis;
use super::canvas::{Anchor, Canvas, TEXT};
use crate::palette::{AXIS, FAULT, INK, MUTED, RULE};

/// Size of an ordinary plot in CSS pixels.
pub(crate) const SIZE: (f64, f64) = (460.0, 264.0);

/// Time during which a fault was applied, with the number under which the page lists it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    /// The fault's number on the page.
    pub(crate) number: usize,
    /// When it began, in seconds.
    pub(crate) from: f64,
    /// When it was lifted; none for a fault without duration.
    pub(crate) until: Option<f64>,
}

/// A horizontal and a vertical axis and the rectangle between them.
#[derive(Debug)]
pub(crate) struct Plane {
    x: Axis,
    y: Axis,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Plane {
    /// Lays out two axes; `spans` tells whether faults will be marked above.
    pub(crate) fn new(x: Axis, y: Axis, spans: &[Span]) -> Self {
        let widest = y.ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
        let top = if spans.is_empty() { 26.0 } else { 42.0 };
        Self { x, y, left: 14.0 + widest as f64 * TEXT * 0.56, right: SIZE.0 - 18.0, top, bottom: SIZE.1 - 44.0 }
    }

    /// Where a pair of values lands.
    pub(crate) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (
            self.left + self.x.position(x) * (self.right - self.left),
            self.bottom - self.y.position(y) * (self.bottom - self.top),
        )
    }

    /// Draws what lies behind the data: grid, ticks, titles, and the faults.
    pub(crate) fn draw(&self, canvas: &Canvas<'_>, spans: &[Span]) -> Result<(), PlotError> {
        shade(canvas, spans, (self.top, self.bottom), |at| self.at(at, self.y.low()).0)?;
        for (value, label) in &self.y.ticks {
            let (_, y) = self.at(self.x.low(), *value);
            canvas.line(&[(self.left, y), (self.right, y)], RULE, 1.0)?;
            canvas.text(label, (self.left - 7.0, y), Anchor::Right, MUTED, TEXT)?;
        }
        let mut free = f64::MIN;
        for (value, label) in &self.x.ticks {
            let (x, _) = self.at(*value, self.y.low());
            canvas.line(&[(x, self.bottom), (x, self.bottom + 4.0)], AXIS, 1.0)?;
            // Ticks of a logarithmic axis are unevenly spaced: leave out the labels that would touch.
            let half = label.chars().count() as f64 * TEXT * 0.3;
            if x - half > free {
                canvas.text(label, (x, self.bottom + 8.0), Anchor::Top, MUTED, TEXT)?;
                free = x + half + 4.0;
            }
        }
        canvas.line(&[(self.left, self.bottom), (self.right, self.bottom)], AXIS, 1.0)?;
        canvas.text(&self.y.title, (4.0, 9.0), Anchor::Left, INK, TEXT)?;
        canvas.text(&self.x.title, (self.right, self.bottom + 34.0), Anchor::Right, INK, TEXT)
    }
}

/// Shades faults between `top` and `bottom`, their numbers above; `x` tells where a time lies.
pub(crate) fn shade(
    canvas: &Canvas<'_>,
    spans: &[Span],
    (top, bottom): (f64, f64),
    x: impl Fn(f64) -> f64,
) -> Result<(), PlotError> {
    let mut free = f64::MIN;
    for span in spans {
        let from = x(span.from);
        let until = span.until.map(&x);
        if let Some(until) = until {
            canvas.rectangle((from, top), (until, bottom), FAULT, 0.18)?;
        }
        for edge in [Some(from), until].into_iter().flatten() {
            canvas.line(&[(edge, top), (edge, bottom)], FAULT, 1.0)?;
        }
        let middle = from.midpoint(until.unwrap_or(from));
        if middle - 7.0 >= free {
            canvas.text(&span.number.to_string(), (middle, top - 8.0), Anchor::Middle, INK, TEXT)?;
            free = middle + 7.0;
        }
    }
    Ok(())
}
