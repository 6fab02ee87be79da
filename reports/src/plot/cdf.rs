//! Cumulative distributions: for each value, the share of samples that do not exceed it.

use super::axis::{Axis, Quantity};
use super::canvas;
use super::plane::{Plane, SIZE};
use super::{Key, Plot, PlotError, Stroke};
use crate::palette::Colour;

/// Most points of one curve.
const POINTS: usize = 500;

/// The samples of one curve.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    /// What the samples have in common.
    pub(crate) label: String,
    /// Its colour.
    pub(crate) colour: Colour,
    /// How it is drawn.
    pub(crate) stroke: Stroke,
    /// The samples, in any order.
    pub(crate) values: Vec<f64>,
}

/// Draws one curve per group; none when no group has a finite sample.
pub(crate) fn draw(
    title: &str,
    x_title: &str,
    quantity: Quantity,
    curves: Vec<Curve>,
) -> Result<Option<Plot>, PlotError> {
    let curves: Vec<Curve> = curves.into_iter().filter_map(sorted).collect();
    let all = || curves.iter().flat_map(|curve| &curve.values).copied();
    let Some(high) = all().max_by(f64::total_cmp) else { return Ok(None) };
    let low = all().filter(|value| *value > 0.0).min_by(f64::total_cmp).unwrap_or(0.0);
    let plane = Plane::new(Axis::spanning(x_title, quantity, low, high), Axis::share("share of samples"), &[]);
    let svg = canvas::draw(SIZE, title, |canvas| {
        plane.draw(canvas, &[])?;
        for curve in &curves {
            let points: Vec<_> =
                steps(&curve.values).into_iter().map(|(value, share)| plane.at(value, share)).collect();
            match curve.stroke {
                Stroke::Solid => canvas.line(&points, curve.colour, 2.0)?,
                Stroke::Dashed => canvas.dashes(&points, curve.colour, 2.0)?,
            }
        }
        Ok(())
    })?;
    let legend = curves.iter().map(|curve| key(curve, quantity)).collect();
    Ok(Some(Plot { svg, wide: false, legend }))
}

fn sorted(mut curve: Curve) -> Option<Curve> {
    curve.values.retain(|value| value.is_finite());
    curve.values.sort_by(f64::total_cmp);
    (!curve.values.is_empty()).then_some(curve)
}

fn key(curve: &Curve, quantity: Quantity) -> Key {
    let at = |percent| quantity.show(percentile(&curve.values, percent));
    Key {
        colour: curve.colour,
        stroke: curve.stroke,
        label: curve.label.clone(),
        note: format!("{}, median {}, p95 {}, max {}", samples(curve.values.len()), at(50), at(95), at(100)),
    }
}

/// A count of samples in words.
pub(crate) fn samples(count: usize) -> String {
    if count == 1 { "1 sample".into() } else { format!("{count} samples") }
}

/// Percentile by nearest rank of sorted values; 0 of none.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0.0)
}

/// The corners of the staircase; of many samples, as many evenly spaced ranks as the plot can show.
fn steps(sorted: &[f64]) -> Vec<(f64, f64)> {
    let count = sorted.len();
    let share = |rank: usize| rank as f64 / count as f64;
    if count * 2 <= POINTS {
        return sorted
            .iter()
            .enumerate()
            .flat_map(|(rank, value)| [(*value, share(rank)), (*value, share(rank + 1))])
            .collect();
    }
    let last = POINTS - 2;
    let ranks = (0..=last).map(|step| step * (count - 1) / last);
    [(sorted[0], 0.0)].into_iter().chain(ranks.map(|rank| (sorted[rank], share(rank + 1)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::palette::BLUE;

    #[test]
    fn a_curve_climbs_from_nothing_to_everything() {
        assert_eq!(steps(&[1.0, 3.0]), [(1.0, 0.0), (1.0, 0.5), (3.0, 0.5), (3.0, 1.0)]);
    }

    #[test]
    fn many_samples_become_few_points_and_keep_their_extremes() {
        let values: Vec<f64> = (0..100_000).map(f64::from).collect();
        let points = steps(&values);
        assert_eq!(points.len(), POINTS);
        assert_eq!((points[0], points[POINTS - 1]), ((0.0, 0.0), (99_999.0, 1.0)));
        assert!(points.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
    }

    #[test]
    fn without_samples_there_is_no_plot() {
        let curve = |values| Curve { label: "a".into(), colour: BLUE, stroke: Stroke::Solid, values };
        assert_eq!(draw("", "", Quantity::Seconds, vec![curve(vec![]), curve(vec![f64::NAN])]).unwrap(), None);
        assert!(draw("", "", Quantity::Seconds, vec![curve(vec![1.0])]).unwrap().is_some());
    }

    #[test]
    fn a_dashed_curve_is_drawn_with_gaps_and_says_so_in_the_legend() {
        let values: Vec<f64> = (0..400).map(f64::from).collect();
        let curve = |stroke| Curve { label: "a".into(), colour: BLUE, stroke, values: values.clone() };
        let draw = |stroke| draw("", "", Quantity::Seconds, vec![curve(stroke)]).unwrap().unwrap();
        let pieces = |plot: &Plot| plot.svg.matches("stroke=\"#0072B2\"").count();
        let (solid, dashed) = (draw(Stroke::Solid), draw(Stroke::Dashed));
        assert_eq!((pieces(&solid), solid.legend[0].stroke), (1, Stroke::Solid));
        assert!(pieces(&dashed) > 20 && dashed.legend[0].stroke == Stroke::Dashed, "{}", pieces(&dashed));
    }
}
