//! What the numbers of one measure come to.

use darkswap_records::expectation::Measure;
use darkswap_records::figure::{Better, Unit};
use darkswap_statistics::bootstrap::{Interval, interval};
use darkswap_statistics::describe::{mean, median};
use darkswap_statistics::holm;
use darkswap_statistics::paired::Paired;
use darkswap_statistics::sentence::{Verdict, Words, sentence, verdict};

use super::grid::Grid;

/// One measure over every variant and point.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) measure: Measure,
    /// How many comparisons there are, which are corrected for together.
    pub(super) questions: usize,
    /// By point and then by variant.
    pub(super) rows: Vec<Row>,
}

/// A variant at a point.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) variant: usize,
    pub(super) point: usize,
    /// The numbers by seed.
    pub(super) values: Vec<Option<f64>>,
    /// None without any number.
    pub(super) mean: Option<f64>,
    pub(super) median: Option<f64>,
    /// None with fewer than two.
    pub(super) interval: Option<Interval>,
    /// Against the baseline; none for the baseline itself.
    pub(super) against: Option<Against>,
}

/// A variant against the baseline.
#[derive(Debug)]
pub(super) enum Against {
    /// Too few seeds have a number on both sides: so many.
    Nothing(usize),
    /// The comparison, with its p-value after correction.
    Compared { paired: Paired, adjusted: f64 },
}

/// Every measure of a sweep.
pub(super) fn panels(grid: &Grid) -> Vec<Panel> {
    grid.measures.iter().enumerate().map(|(index, measure)| panel(grid, index, measure)).collect()
}

fn panel(grid: &Grid, index: usize, measure: &Measure) -> Panel {
    let baseline = grid.baseline();
    let mut rows = Vec::new();
    for point in 0..grid.sweep.points.len() {
        let base = grid.values(index, baseline, point);
        for variant in 0..grid.sweep.variants.len() {
            let values = grid.values(index, variant, point);
            let against = (variant != baseline).then(|| {
                let pairs: Vec<(f64, f64)> =
                    base.iter().zip(&values).filter_map(|(base, value)| Some(((*base)?, (*value)?))).collect();
                let compared = |paired: Paired| Against::Compared { paired, adjusted: paired.p };
                Paired::of(&pairs).map_or(Against::Nothing(pairs.len()), compared)
            });
            let present: Vec<f64> = values.iter().copied().flatten().collect();
            let [mean, median] = [mean(&present), median(&present)];
            rows.push(Row { variant, point, values, mean, median, interval: interval(&present), against });
        }
    }
    let mut p_values = rows.iter_mut().filter_map(|row| match &mut row.against {
        Some(Against::Compared { adjusted, .. }) => Some(adjusted),
        Some(Against::Nothing(_)) | None => None,
    });
    let mut places: Vec<&mut f64> = p_values.by_ref().collect();
    let corrected = holm::adjust(&places.iter().map(|p| **p).collect::<Vec<_>>());
    let questions = places.len();
    places.iter_mut().zip(corrected).for_each(|(place, corrected)| **place = corrected);
    Panel { measure: measure.clone(), questions, rows }
}

impl Panel {
    /// The unit of the numbers.
    pub(super) fn unit(&self) -> Unit {
        self.measure.unit()
    }

    /// Which way the numbers are better, in words; empty when no way is.
    pub(super) fn side(&self) -> &'static str {
        match self.measure.better() {
            Some(Better::Less) => "less is better",
            Some(Better::More) => "more is better",
            None => "",
        }
    }

    /// Whether a difference that is distinguishable is for the better; none when it is not, or when no side is better.
    pub(super) fn improves(&self, row: &Row) -> Option<bool> {
        let side = self.measure.better()?;
        match row.verdict()? {
            Verdict::Larger => Some(side == Better::More),
            Verdict::Smaller => Some(side == Better::Less),
            Verdict::Indistinguishable | Verdict::Same => None,
        }
    }

    /// The sentence of a row; none of the baseline.
    pub(super) fn sentence(&self, grid: &Grid, row: &Row) -> Option<String> {
        let point = grid.sweep.points[row.point].name.as_str();
        let place = if point.is_empty() { String::new() } else { format!("{point}: ") };
        let variant = grid.sweep.variants[row.variant].name.as_str();
        let baseline = grid.sweep.baseline.as_str();
        let text = match row.against.as_ref()? {
            Against::Nothing(seeds) => {
                let seeds = if *seeds == 1 { "1 seed has".to_string() } else { format!("{seeds} seeds have") };
                format!("{variant} cannot be compared with {baseline}: only {seeds} a value on both sides.")
            }
            Against::Compared { paired, adjusted } => {
                let show = |value: f64| show_size(self.unit(), value);
                let words = Words {
                    variant,
                    baseline,
                    questions: self.questions,
                    higher_is_better: self.measure.better().map(|side| side == Better::More),
                    show: &show,
                };
                sentence(paired, *adjusted, words)
            }
        };
        Some(format!("{place}{text}"))
    }

    /// Every sentence.
    pub(super) fn sentences(&self, grid: &Grid) -> Vec<String> {
        self.rows.iter().filter_map(|row| self.sentence(grid, row)).collect()
    }

    /// Where runs had no samples of the measure.
    pub(super) fn notices(&self, grid: &Grid) -> Vec<String> {
        let notice = |row: &Row| {
            let done = grid
                .cells_of(row.variant, row.point)
                .iter()
                .filter(|cell| matches!(cell, super::grid::Outcome::Done { .. }));
            let (done, present) = (done.count(), row.values.iter().flatten().count());
            (present < done).then(|| {
                let name = grid.name(row.variant, row.point);
                format!("{name} has no samples for {} under {} of {done} seeds", self.measure.line, done - present)
            })
        };
        self.rows.iter().filter_map(notice).collect()
    }
}

impl Row {
    /// What the comparison comes to; none of the baseline and of what cannot be compared.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        match self.against.as_ref()? {
            Against::Compared { paired, adjusted } => Some(verdict(paired, *adjusted)),
            Against::Nothing(_) => None,
        }
    }
}

/// A difference with its unit. Shares differ by percentage points, so that nobody takes them for relative differences.
fn show_size(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => format!("{} pp", (value * 1_000.0).round() / 10.0),
        Unit::Seconds | Unit::Bytes | Unit::BytesPerSecond | Unit::Ratio | Unit::Count | Unit::Category => {
            unit.show(value)
        }
    }
}

/// A difference with its sign and unit.
pub(super) fn show_difference(unit: Unit, value: f64) -> String {
    let size = show_size(unit, value.abs());
    match value {
        value if value > 0.0 => format!("+{size}"),
        value if value < 0.0 => format!("−{size}"),
        _ => size,
    }
}
