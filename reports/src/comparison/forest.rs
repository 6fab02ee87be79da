//! Intervals in rows, as a forest plot: means with every seed's value, and differences from the baseline.

use darkswap_records::figure::Unit;
use darkswap_statistics::sentence::Verdict;

use super::grid::Grid;
use super::panel::{Against, Panel, Row};
use crate::palette::{AXIS, CATEGORIES, Colour, INK, MUTED, RULE};
use crate::plot::axis::{Axis, Quantity};
use crate::plot::canvas::{self, Anchor, Canvas, TEXT};
use crate::plot::{Plot, PlotError};

const WIDTH: f64 = 500.0;
/// Room for the names of variants.
const LEFT: f64 = 122.0;
const RIGHT: f64 = 36.0;
const TOP: f64 = 10.0;
const BELOW: f64 = 50.0;
/// Height of a variant's row, and of the line that names a point.
const ROW: f64 = 26.0;
const HEAD: f64 = 26.0;
/// Characters of a name that fit on the left.
const NAME: usize = 17;
/// Ticks at most: their labels stand side by side.
const TICKS: usize = 4;

/// The colour of a variant, everywhere on the page.
pub(super) fn colour(variant: usize) -> Colour {
    CATEGORIES[variant % CATEGORIES.len()]
}

/// Means with their intervals, and a dot for each seed; none without a single number.
pub(super) fn means(grid: &Grid, panel: &Panel) -> Result<Option<Plot>, PlotError> {
    let values = || panel.rows.iter().flat_map(|row| row.values.iter().flatten().copied());
    let Some(high) = values().max_by(f64::total_cmp) else { return Ok(None) };
    let low = values().min_by(f64::total_cmp).unwrap_or(high);
    let line = &panel.measure.line;
    let axis = Axis::spanning(line, quantity(panel.unit()), low, high);
    let rows: Vec<&Row> = panel.rows.iter().collect();
    draw(grid, &rows, &format!("{line}: mean of each variant"), |canvas, frame| {
        frame.grid(canvas, &axis.ticks, &axis.title, |value| axis.position(value))?;
        for (row, middle) in &frame.rows {
            let colour = colour(row.variant);
            let x = |value: f64| frame.x(axis.position(value));
            for value in row.values.iter().flatten() {
                canvas.dot((x(*value), *middle), 3.0, colour, 0.35)?;
            }
            if let Some(interval) = row.interval {
                bar(canvas, (x(interval.low), x(interval.high)), *middle, colour)?;
            }
            if let Some(mean) = row.mean {
                canvas.line(&[(x(mean), middle - 7.0), (x(mean), middle + 7.0)], INK, 2.0)?;
            }
        }
        Ok(())
    })
    .map(Some)
}

/// Differences from the baseline with their intervals; none when nothing could be compared.
pub(super) fn differences(grid: &Grid, panel: &Panel) -> Result<Option<Plot>, PlotError> {
    let rows: Vec<&Row> = panel.rows.iter().filter(|row| row.against.is_some()).collect();
    let compared = |row: &&Row| match &row.against {
        Some(Against::Compared { paired, .. }) => Some(*paired),
        Some(Against::Nothing(_)) | None => None,
    };
    let ends = || rows.iter().filter_map(compared).flat_map(|paired| [paired.interval.low, paired.interval.high]);
    let Some(high) = ends().max_by(f64::total_cmp) else { return Ok(None) };
    let low = ends().min_by(f64::total_cmp).unwrap_or(high);
    let scale = Signed::new(quantity(panel.unit()), low, high);
    let title = format!("difference from {}", grid.sweep.baseline);
    draw(grid, &rows, &format!("{}: {title}", panel.measure.line), |canvas, frame| {
        frame.grid(canvas, &scale.ticks, &title, |value| scale.position(value))?;
        let zero = frame.x(scale.position(0.0));
        canvas.line(&[(zero, TOP), (zero, frame.bottom)], INK, 1.0)?;
        for (row, middle) in &frame.rows {
            let Some(paired) = compared(row) else {
                canvas.text("too few seeds", (zero + 6.0, *middle), Anchor::Left, MUTED, TEXT)?;
                continue;
            };
            // What can be chance has no colour.
            let chance = matches!(row.verdict(), Some(Verdict::Indistinguishable | Verdict::Same) | None);
            let colour = if chance { MUTED } else { colour(row.variant) };
            let x = |value: f64| frame.x(scale.position(value));
            bar(canvas, (x(paired.interval.low), x(paired.interval.high)), *middle, colour)?;
            canvas.dot((x(paired.difference), *middle), 5.0, colour, 1.0)?;
        }
        Ok(())
    })
    .map(Some)
}

/// An interval with its ends.
fn bar(canvas: &Canvas<'_>, (low, high): (f64, f64), middle: f64, colour: Colour) -> Result<(), PlotError> {
    canvas.line(&[(low, middle), (high, middle)], colour, 2.5)?;
    for end in [low, high] {
        canvas.line(&[(end, middle - 4.0), (end, middle + 4.0)], colour, 2.0)?;
    }
    Ok(())
}

/// Where rows stand.
struct Frame<'a> {
    /// With the height of their middle.
    rows: Vec<(&'a Row, f64)>,
    /// Points that have a name, with the height of its middle.
    heads: Vec<(usize, f64)>,
    bottom: f64,
}

impl<'a> Frame<'a> {
    fn new(grid: &Grid, rows: &[&'a Row]) -> Self {
        let mut frame = Self { rows: Vec::new(), heads: Vec::new(), bottom: TOP };
        for of_point in rows.chunk_by(|one, other| one.point == other.point) {
            if !grid.sweep.points[of_point[0].point].name.is_empty() {
                frame.heads.push((of_point[0].point, frame.bottom + HEAD / 2.0));
                frame.bottom += HEAD;
            }
            for row in of_point {
                frame.rows.push((row, frame.bottom + ROW / 2.0));
                frame.bottom += ROW;
            }
        }
        frame
    }

    /// Where a position of 0 to 1 lies.
    fn x(&self, position: f64) -> f64 {
        LEFT + position * (WIDTH - LEFT - RIGHT)
    }

    /// The lines and words around the data.
    fn grid(
        &self,
        canvas: &Canvas<'_>,
        ticks: &[(f64, String)],
        title: &str,
        position: impl Fn(f64) -> f64,
    ) -> Result<(), PlotError> {
        for (_, middle) in &self.heads {
            let y = middle - HEAD / 2.0;
            if y > TOP {
                canvas.line(&[(4.0, y), (WIDTH - RIGHT, y)], RULE, 1.0)?;
            }
        }
        let mut free = f64::MIN;
        for (value, label) in ticks {
            let x = self.x(position(*value));
            canvas.line(&[(x, TOP), (x, self.bottom)], RULE, 1.0)?;
            let half = label.chars().count() as f64 * TEXT * 0.3;
            if x - half > free {
                canvas.text(label, (x, self.bottom + 8.0), Anchor::Top, MUTED, TEXT)?;
                free = x + half + 4.0;
            }
        }
        canvas.line(&[(self.x(0.0), self.bottom), (self.x(1.0), self.bottom)], AXIS, 1.0)?;
        canvas.text(title, (WIDTH - RIGHT, self.bottom + 36.0), Anchor::Right, INK, TEXT)
    }
}

fn draw(
    grid: &Grid,
    rows: &[&Row],
    label: &str,
    paint: impl FnOnce(&Canvas<'_>, &Frame<'_>) -> Result<(), PlotError>,
) -> Result<Plot, PlotError> {
    let frame = Frame::new(grid, rows);
    let svg = canvas::draw((WIDTH, frame.bottom + BELOW), label, |canvas| {
        paint(canvas, &frame)?;
        for (point, middle) in &frame.heads {
            canvas.text(&grid.sweep.points[*point].name, (4.0, *middle), Anchor::Left, MUTED, TEXT)?;
        }
        for (row, middle) in &frame.rows {
            let name = shortened(&grid.sweep.variants[row.variant].name);
            canvas.text(&name, (LEFT - 12.0, *middle), Anchor::Right, INK, TEXT)?;
        }
        Ok(())
    })?;
    Ok(Plot { svg, wide: false, legend: Vec::new() })
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME { name.to_string() } else { name.chars().take(NAME - 1).chain(['…']).collect() }
}

fn quantity(unit: Unit) -> Quantity {
    match unit {
        Unit::Seconds => Quantity::Seconds,
        Unit::Bytes => Quantity::Bytes,
        Unit::BytesPerSecond => Quantity::Rate,
        Unit::Share => Quantity::Share,
        Unit::Ratio => Quantity::Ratio,
        Unit::Count | Unit::Category => Quantity::Count,
    }
}

/// A range around zero with ticks.
struct Signed {
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Signed {
    /// From `low` or zero to `high` or zero, ending on ticks.
    fn new(quantity: Quantity, low: f64, high: f64) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let share = high.max(-low) / (high - low);
        let most = ((TICKS as f64 * share).round() as usize).max(1);
        let side = Axis::from_zero("", quantity, high.max(-low), most);
        // Each side ends on its first tick that is not inside it.
        let reach = |end: f64| side.ticks.iter().map(|(at, _)| *at).find(|at| *at >= end * (1.0 - 1e-9)).unwrap_or(end);
        let (low, high) = (0.0 - reach(-low), reach(high));
        let below =
            side.ticks.iter().skip(1).filter(|(at, _)| *at <= -low).rev().map(|(at, label)| (-at, format!("−{label}")));
        let above = side.ticks.iter().filter(|(at, _)| *at <= high);
        let above = above.map(|(at, label)| (*at, if *at > 0.0 { format!("+{label}") } else { label.clone() }));
        Self { low, high, ticks: below.chain(above).collect() }
    }

    fn position(&self, value: f64) -> f64 {
        let place = (value - self.low) / (self.high - self.low);
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64) -> Vec<String> {
        Signed::new(Quantity::Seconds, low, high).ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn a_scale_of_differences_has_zero_and_round_ends() {
        assert_eq!(labels(-0.3, 0.9), ["−0.5 s", "0 s", "+0.5 s", "+1 s"]);
        assert_eq!(labels(0.2, 0.9), ["0 s", "+0.5 s", "+1 s"]);
        assert_eq!(labels(-4.0, -1.0), ["−4 s", "−3 s", "−2 s", "−1 s", "0 s"]);
        let scale = Signed::new(Quantity::Seconds, -0.3, 0.9);
        assert_eq!([-0.5, 0.25, 1.0].map(|value| scale.position(value)), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn differences_of_nothing_still_give_a_scale() {
        for (low, high) in [(0.0, 0.0), (f64::NAN, f64::NAN), (-1e300, 1e300)] {
            let scale = Signed::new(Quantity::Count, low, high);
            assert!((0.0..=1.0).contains(&scale.position(0.0)) && scale.ticks.len() < 20);
        }
    }
}
