//! A comparison as JSON and as CSV.

use std::fmt::Write as _;

use darkswap_records::figure::Better;
use darkswap_records::sweep::{Sweep, Variant};
use darkswap_statistics::sentence::Verdict;
use serde::Serialize;

use super::grid::{Grid, Outcome};
use super::panel::{Against, Panel, Row};

/// Version of `comparison.json`.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Comparison<'a> {
    version: u32,
    sweep: Sweep,
    cells: Cells,
    measures: Vec<Measure<'a>>,
}

#[derive(Serialize)]
struct Cells {
    planned: usize,
    missing: usize,
    dead: usize,
}

#[derive(Serialize)]
struct Measure<'a> {
    measure: &'a str,
    /// Empty for a number of things.
    unit: &'static str,
    /// `less` or `more`; null when no side is better.
    better: Option<&'static str>,
    comparisons: usize,
    rows: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    point: &'a str,
    variant: &'a str,
    seeds: usize,
    mean: Option<f64>,
    mean_low: Option<f64>,
    mean_high: Option<f64>,
    median: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against_baseline: Option<Paired>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sentence: Option<String>,
}

#[derive(Serialize)]
struct Paired {
    verdict: &'static str,
    seeds: usize,
    larger: usize,
    smaller: usize,
    difference: f64,
    difference_low: f64,
    difference_high: f64,
    relative: Option<f64>,
    cliffs_delta: f64,
    magnitude: &'static str,
    p: f64,
    p_adjusted: f64,
}

/// Every number of the page, with a newline at its end.
pub(super) fn json(grid: &Grid, panels: &[Panel]) -> anyhow::Result<String> {
    let of = |is: fn(&Outcome) -> bool| grid.cells.iter().filter(|cell| is(cell)).count();
    let comparison = Comparison {
        version: VERSION,
        // Keys tell cells apart and nothing else.
        sweep: Sweep { keys: Vec::new(), ..grid.sweep.clone() },
        cells: Cells {
            planned: grid.cells.len(),
            missing: of(|cell| *cell == Outcome::Missing),
            dead: of(|cell| matches!(cell, Outcome::Dead(_))),
        },
        measures: panels.iter().map(|panel| measure(grid, panel)).collect(),
    };
    Ok(serde_json::to_string_pretty(&comparison)? + "\n")
}

fn measure<'a>(grid: &'a Grid, panel: &'a Panel) -> Measure<'a> {
    let entry = |row: &'a Row| {
        let Variant { name, .. } = &grid.sweep.variants[row.variant];
        Entry {
            point: &grid.sweep.points[row.point].name,
            variant: name,
            seeds: row.values.iter().flatten().count(),
            mean: row.mean,
            mean_low: row.interval.map(|interval| interval.low),
            mean_high: row.interval.map(|interval| interval.high),
            median: row.median,
            against_baseline: paired(row),
            sentence: panel.sentence(grid, row),
        }
    };
    Measure {
        measure: &panel.measure.line,
        unit: panel.unit().symbol(),
        better: panel.measure.better().map(|side| match side {
            Better::Less => "less",
            Better::More => "more",
        }),
        comparisons: panel.questions,
        rows: panel.rows.iter().map(entry).collect(),
    }
}

fn paired(row: &Row) -> Option<Paired> {
    let Some(Against::Compared { paired, adjusted }) = &row.against else { return None };
    Some(Paired {
        verdict: match row.verdict()? {
            Verdict::Larger => "higher",
            Verdict::Smaller => "lower",
            Verdict::Indistinguishable => "not distinguishable",
            Verdict::Same => "same",
        },
        seeds: paired.seeds,
        larger: paired.larger,
        smaller: paired.smaller,
        difference: paired.difference,
        difference_low: paired.interval.low,
        difference_high: paired.interval.high,
        relative: paired.relative(),
        cliffs_delta: paired.delta,
        magnitude: paired.magnitude().word(),
        p: paired.p,
        p_adjusted: *adjusted,
    })
}

/// One line per cell, with a column per measure. Names of variants and points need no quoting; measures may.
pub(super) fn csv(grid: &Grid) -> String {
    let mut csv = String::from("variant,point,seed,state");
    for measure in &grid.measures {
        let symbol = measure.unit().symbol();
        let unit = if symbol.is_empty() { String::new() } else { format!(" [{symbol}]") };
        let _ = write!(csv, ",\"{}{unit}\"", measure.line.replace('"', "\"\""));
    }
    csv.push('\n');
    for (variant, of) in grid.sweep.variants.iter().enumerate() {
        for (point, at) in grid.sweep.points.iter().enumerate() {
            for (seed, cell) in grid.sweep.seeds.iter().zip(grid.cells_of(variant, point)) {
                let (state, values): (_, &[Option<f64>]) = match cell {
                    Outcome::Missing => ("missing", &[]),
                    Outcome::Dead(_) => ("dead", &[]),
                    Outcome::Done { values, .. } => ("done", values),
                };
                let _ = write!(csv, "{},\"{}\",{seed},{state}", of.name, at.name);
                for index in 0..grid.measures.len() {
                    let value = values.get(index).copied().flatten();
                    let _ = write!(csv, ",{}", value.map_or_else(String::new, |value| value.to_string()));
                }
                csv.push('\n');
            }
        }
    }
    csv
}
