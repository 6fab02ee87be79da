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
    /// Cells that died in one folder and ran to their end in another, one line each. They name folders, so they are for a terminal: the
    /// page is the same however cells were spread.
    pub(super) replaced: Vec<String>,
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
        let (mut missing, mut replaced) = (Vec::new(), Vec::new());
        for variant in &sweep.variants {
            for point in &sweep.points {
                let scenario = sweep.scenario_of(variant, point);
                for seed in &sweep.seeds {
                    let (found, dead) = find(folders, &scenario, *seed, &sweep.keys[cells.len()])?;
                    let name = || name(&variant.name, &point.name);
                    replaced.extend(dead.map(|dead| format!("{} seed {seed}: {dead}", name())));
                    let outcome = match found {
                        Some(found) => outcome(&found, &measures)?,
                        None => Outcome::Missing,
                    };
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
        Ok(Self { sweep, measures, cells, replaced })
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
        name(&self.sweep.variants[variant].name, &self.sweep.points[point].name)
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

/// A variant at a point for people.
fn name(variant: &str, point: &str) -> String {
    if point.is_empty() { variant.to_string() } else { format!("{variant} at {point}") }
}

/// A cell, and the folder of the sweep and of the cell that have it.
struct Found<'a> {
    cell: Cell,
    folder: &'a Path,
    place: PathBuf,
}

impl Found<'_> {
    /// Whether its worker died, so that it has no result.
    fn is_dead(&self) -> bool {
        match self.cell.run.status {
            Status::Passed | Status::Failed => false,
            Status::Crashed | Status::Hung | Status::Invalid => true,
        }
    }
}

/// The cell as the folders have it, and a word about one that died where another ran to its end. One with another key does not count:
/// it was run for an earlier plan, or by another program.
///
/// A dead worker says nothing about the run: memory was short, or somebody killed it. So the cell that ran to its end counts, and only two
/// of those can contradict each other.
fn find<'a>(
    folders: &'a [PathBuf],
    scenario: &str,
    seed: u64,
    key: &str,
) -> anyhow::Result<(Option<Found<'a>>, Option<String>)> {
    let (mut whole, mut dead): (Option<Found<'_>>, Option<Found<'_>>) = (None, None);
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
        let found = Found { cell, folder, place };
        if found.is_dead() {
            dead.get_or_insert(found);
            continue;
        }
        let result = |it: &Found<'_>| (it.cell.run.status, it.cell.run.trace_hash.clone());
        match &whole {
            Some(known) if result(known) != result(&found) => {
                let (one, other) = (known.place.display(), found.place.display());
                bail!("{one} and {other} are the same cell with different results");
            }
            Some(_) => {}
            None => whole = Some(found),
        }
    }
    let replaced = whole.as_ref().zip(dead.as_ref()).map(|(whole, dead)| {
        let (ending, folder) = (ending(dead.cell.run.status), dead.folder.display());
        format!("{ending} in {folder}, so the run is taken from {}", whole.folder.display())
    });
    Ok((whole.or(dead), replaced))
}

/// What a cell comes to.
fn outcome(Found { cell, place, .. }: &Found<'_>, measures: &[Measure]) -> anyhow::Result<Outcome> {
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
