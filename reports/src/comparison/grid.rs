//! The cells of one or several folders, each with one number per measure.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail, ensure};
use darkswap_records::expectation::Measure;
use darkswap_records::read::read;
use darkswap_records::record::Record;
use darkswap_records::sample::Samples;
use darkswap_records::summary::Status;
use darkswap_records::sweep::{CELL, Cell, SWEEP, Sweep};
use darkswap_statistics::FEWEST;

use crate::junit::ending;

/// Every cell of a sweep.
#[derive(Debug)]
pub(super) struct Grid {
    pub(super) sweep: Sweep,
    pub(super) measures: Vec<Measure>,
    /// By variant, then point, then seed.
    pub(super) cells: Vec<Outcome>,
}

/// What is known of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// It has not run.
    Missing,
    /// Its worker died, so there is no number.
    Dead(Status),
    /// It ran to its end.
    Done {
        /// Expectations that held.
        held: usize,
        /// All of them.
        expectations: usize,
        /// One per measure; none where there were no samples.
        values: Vec<Option<f64>>,
    },
}

impl Grid {
    /// Reads every cell from the folder that has it.
    pub(super) fn read(folders: &[PathBuf], partial: bool) -> anyhow::Result<Self> {
        let sweep = sweep(folders)?;
        ensure!(
            sweep.seeds.len() >= FEWEST,
            "found one seed, expected at least {FEWEST}: one seed cannot tell a difference from chance"
        );
        let parse = |line: &String| Measure::parse(line).with_context(|| format!("the measure `{line}`"));
        let measures = sweep.measures.iter().map(parse).collect::<anyhow::Result<Vec<_>>>()?;
        let planned = sweep.variants.len() * sweep.points.len() * sweep.seeds.len();
        ensure!(sweep.keys.len() == planned, "found {} keys in {SWEEP}, expected {planned}", sweep.keys.len());
        let mut cells = Vec::new();
        let mut missing = Vec::new();
        for variant in &sweep.variants {
            for point in &sweep.points {
                let scenario = sweep.scenario_of(variant, point);
                for seed in &sweep.seeds {
                    let outcome = outcome(folders, &scenario, *seed, &sweep.keys[cells.len()], &measures)?;
                    if outcome == Outcome::Missing {
                        missing.push(format!("{scenario} seed {seed}"));
                    }
                    cells.push(outcome);
                }
            }
        }
        if let Some(first) = missing.first()
            && !partial
        {
            bail!(
                "{} of {} cells have not run, the first is {first}: run the sweep again to finish it, name the folders of all shards, \
                 or compare what is there with --partial",
                missing.len(),
                cells.len(),
            );
        }
        Ok(Self { sweep, measures, cells })
    }

    /// The cells of a variant at a point, in the order of the seeds.
    pub(super) fn cells_of(&self, variant: usize, point: usize) -> &[Outcome] {
        let seeds = self.sweep.seeds.len();
        let start = (variant * self.sweep.points.len() + point) * seeds;
        self.cells.get(start..start + seeds).unwrap_or_default()
    }

    /// The numbers of a measure of a variant at a point, by seed.
    pub(super) fn values(&self, measure: usize, variant: usize, point: usize) -> Vec<Option<f64>> {
        let value = |cell: &Outcome| match cell {
            Outcome::Done { values, .. } => values.get(measure).copied().flatten(),
            Outcome::Missing | Outcome::Dead(_) => None,
        };
        self.cells_of(variant, point).iter().map(value).collect()
    }

    /// The index of the baseline.
    pub(super) fn baseline(&self) -> usize {
        self.sweep.variants.iter().position(|variant| variant.name == self.sweep.baseline).unwrap_or(0)
    }

    /// How many cells have run.
    pub(super) fn present(&self) -> usize {
        self.cells.iter().filter(|cell| **cell != Outcome::Missing).count()
    }

    /// A variant at a point for people: `tcp at loss=5%`.
    pub(super) fn name(&self, variant: usize, point: usize) -> String {
        let name = &self.sweep.variants[variant].name;
        match self.sweep.points[point].name.as_str() {
            "" => name.clone(),
            point => format!("{name} at {point}"),
        }
    }

    /// What is missing, one line for each variant at a point.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        for variant in 0..self.sweep.variants.len() {
            for point in 0..self.sweep.points.len() {
                let cells = || self.cells_of(variant, point).iter().zip(&self.sweep.seeds);
                let missing = cells().filter(|(cell, _)| **cell == Outcome::Missing).count();
                if missing > 0 {
                    let seeds = self.sweep.seeds.len();
                    notices.push(format!("{} has not run under {missing} of {seeds} seeds", self.name(variant, point)));
                }
                for (cell, seed) in cells() {
                    if let Outcome::Dead(status) = cell {
                        let name = self.name(variant, point);
                        notices.push(format!("{name} seed {seed} has no data: {}", ending(*status)));
                    }
                }
            }
        }
        notices
    }
}

/// The sweep that all folders belong to.
fn sweep(folders: &[PathBuf]) -> anyhow::Result<Sweep> {
    let mut first: Option<(Sweep, &Path)> = None;
    for folder in folders {
        let path = folder.join(SWEEP);
        let json = fs::read(&path)
            .with_context(|| format!("cannot read {}: is this a folder that `sweep` has written?", path.display()))?;
        let sweep = Sweep::from_json(&json).with_context(|| path.display().to_string())?;
        let Some((known, place)) = &first else {
            first = Some((sweep, folder));
            continue;
        };
        let (one, other) = (place.display(), folder.display());
        ensure!(
            known.program == sweep.program,
            "{one} and {other} were run by different executables, of commit {} and {}: a run is a function of the code, so copy one \
             executable to every machine",
            known.commit,
            sweep.commit
        );
        // The commit is that of the folder in which a shard was started, which may be outside of any checkout.
        let same = Sweep { commit: known.commit.clone(), ..sweep } == *known;
        ensure!(
            same,
            "{one} and {other} are of different plans: run all shards with the same plan and the same scenario"
        );
    }
    let (sweep, _) = first.context("no folder to compare")?;
    let plain = |name: &str| Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    let names = sweep.variants.iter().map(|variant| &variant.name).chain(sweep.points.iter().map(|point| &point.name));
    for name in names.chain([&sweep.name]) {
        ensure!(plain(name), "found the name `{name}` in {SWEEP}, expected one that is the name of a folder");
    }
    Ok(sweep)
}

/// What the folders say of a cell. One with another key does not count: it was run for an earlier plan, or by another program.
fn outcome(folders: &[PathBuf], scenario: &str, seed: u64, key: &str, measures: &[Measure]) -> anyhow::Result<Outcome> {
    let mut found: Option<(Cell, PathBuf)> = None;
    for folder in folders {
        let place = folder.join(scenario).join(format!("seed-{seed}"));
        let path = place.join(CELL);
        let json = match fs::read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let cell = Cell::from_json(&json).with_context(|| path.display().to_string())?;
        if cell.key != key {
            continue;
        }
        let same = |known: &Cell| (known.run.status, &known.run.trace_hash) == (cell.run.status, &cell.run.trace_hash);
        match &found {
            Some((known, other)) if !same(known) => {
                bail!("{} and {} are the same cell with different results", other.display(), place.display());
            }
            Some(_) => {}
            None => found = Some((cell, place)),
        }
    }
    let Some((cell, place)) = found else { return Ok(Outcome::Missing) };
    match cell.run.status {
        Status::Passed | Status::Failed => {}
        dead @ (Status::Crashed | Status::Hung | Status::Invalid) => return Ok(Outcome::Dead(dead)),
    }
    let path = place.join("records.jsonl");
    let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let records = read(BufReader::new(file)).with_context(|| path.display().to_string())?;
    let whole = matches!(records.last(), Some(Record::End(end)) if end.trace_hash == cell.run.trace_hash);
    ensure!(whole, "{}: these are not the records of the run in {CELL}", path.display());
    let samples = Samples::from_records(&records);
    Ok(Outcome::Done {
        held: cell.run.expectations.iter().filter(|outcome| outcome.held).count(),
        expectations: cell.run.expectations.len(),
        values: measures.iter().map(|measure| measure.value(&samples).ok()).collect(),
    })
}
