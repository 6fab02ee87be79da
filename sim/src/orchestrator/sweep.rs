//! The runs of a plan: every variant at every point under every seed, each once.
//!
//! ```text
//! OUT/sweep.json                                  which runs there are
//!     scenarios/<plan>/<variant>/<point>.yaml     every variant as it was when it was checked; workers read these
//!     <plan>/<variant>/<point>/seed-<N>/cell.json what a run came to, beside its records
//! ```
//!
//! A run is a function of its scenario, its seed and the executable. Their hash is the run's *key*, so a run whose key is in its
//! folder already is not run again, whoever ran it. `cell.json` is written when the run has ended; what was interrupted has none.
//! Shards touch disjoint runs and write the same bytes elsewhere, so they may share a folder.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use darkswap_records::summary::{RunSummary, Status};
use darkswap_records::sweep::{self, CELL, Cell, SWEEP};
use darkswap_scenario::plan::{Plan, Resolved};
use twox_hash::xxhash3_128::Hasher;

use super::folder::Folder;
use super::plan::Shard;
use super::task::Task;

/// Largest `cell.json` that is read: a summary of every figure takes some 20 KiB.
const LARGEST: u64 = 16 << 20;

/// The runs of a plan in a folder.
#[derive(Debug)]
pub struct Sweep {
    folder: Folder,
    head: sweep::Sweep,
    runs: Vec<Run>,
}

/// One run of a sweep.
#[derive(Debug, Clone)]
pub struct Run {
    /// What the pool carries out.
    pub task: Task,
    key: String,
}

impl Sweep {
    /// Lists the runs of a plan. Nothing is written yet.
    ///
    /// # Errors
    /// The folder has no absolute path.
    pub fn new(plan: &Plan, folder: Folder, commit: String, program: String) -> anyhow::Result<Self> {
        let variant =
            |of: &darkswap_scenario::plan::Variant| sweep::Variant { name: of.name.clone(), about: of.about.clone() };
        let scenarios = std::path::absolute(folder.path())?.join("scenarios");
        let run = |resolved: &Resolved, text: &Arc<[u8]>, seed: u64| {
            let scenario = &resolved.scenario;
            let task = Task {
                scenario: scenario.name.clone(),
                seed,
                duration: scenario.duration,
                file: scenarios.join(format!("{}.yaml", scenario.name)),
                text: Arc::clone(text),
            };
            let key = key(&task, &program);
            Run { task, key }
        };
        let row = |resolved: &Resolved| -> Vec<Run> {
            let text = Arc::from(resolved.text.as_bytes());
            plan.seeds.iter().map(|seed| run(resolved, &text, *seed)).collect()
        };
        let rows: Vec<Vec<Run>> = plan.scenarios.iter().map(row).collect();
        let keys = rows.iter().flatten().map(|run| run.key.clone()).collect();
        // Seed by seed, so that what an interrupt leaves can be compared. Each seed begins with another variant: else one shard of as
        // many as there are variants would have all of the slowest.
        let count = rows.len();
        let of_seed = move |seed: usize| (0..count).map(move |at| (at + seed) % count);
        let order = (0..plan.seeds.len()).flat_map(|seed| of_seed(seed).map(move |row| (row, seed)));
        let runs = order.map(|(row, seed)| rows[row][seed].clone()).collect();
        let head = sweep::Sweep {
            version: sweep::VERSION,
            name: plan.name.clone(),
            title: plan.title.clone(),
            about: plan.about.clone(),
            scenario: plan.scenario.clone(),
            commit,
            program,
            baseline: plan.variants[plan.baseline].name.clone(),
            variants: plan.variants.iter().map(variant).collect(),
            points: plan.points.iter().map(|name| sweep::Point { name: name.clone() }).collect(),
            seeds: plan.seeds.clone(),
            measures: plan.measures.iter().map(|measure| measure.line.clone()).collect(),
            keys,
        };
        Ok(Self { folder, head, runs })
    }

    /// Where it is.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// How many runs there are in all.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there are none; a checked plan always has some.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The runs of a shard, or all of them, and which of them have not ended yet.
    pub fn pending(&self, shard: Option<Shard>) -> (usize, Vec<Run>) {
        let mine = match shard {
            Some(shard) => shard.of(self.runs.clone()),
            None => self.runs.clone(),
        };
        let all = mine.len();
        // One whose worker died may do better next time.
        let has_data = |run: &Run| matches!(self.ended(run), Some(Status::Passed | Status::Failed));
        (all, mine.into_iter().filter(|run| !has_data(run)).collect())
    }

    /// How many runs have not ended at all.
    pub fn missing(&self) -> usize {
        self.runs.iter().filter(|run| self.ended(run).is_none()).count()
    }

    /// Writes what the sweep consists of, and the scenarios of `runs`.
    ///
    /// # Errors
    /// Something cannot be written.
    pub fn prepare(&self, runs: &[Run]) -> anyhow::Result<()> {
        replace(&self.folder.path().join(SWEEP), self.head.to_json()?.as_bytes())?;
        runs.iter().try_for_each(|Run { task, .. }| replace(&task.file, &task.text))
    }

    /// Keeps what a run came to.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, run: &Run, summary: &RunSummary) -> anyhow::Result<()> {
        let cell = Cell { version: sweep::VERSION, key: run.key.clone(), run: summary.clone() };
        replace(&self.place(run).join(CELL), cell.to_json()?.as_bytes())
    }

    fn place(&self, run: &Run) -> PathBuf {
        self.folder.run(&run.task.scenario, run.task.seed)
    }

    /// How a run ended under the same key; none when it has not.
    fn ended(&self, run: &Run) -> Option<Status> {
        let mut json = Vec::new();
        let file = File::open(self.place(run).join(CELL)).ok()?;
        file.take(LARGEST).read_to_end(&mut json).ok()?;
        Cell::from_json(&json).ok().filter(|cell| cell.key == run.key).map(|cell| cell.run.status)
    }
}

/// Hash of a file, such as the executable.
///
/// # Errors
/// It cannot be read.
pub fn hash_of(path: &Path) -> anyhow::Result<String> {
    let mut hasher = Hasher::new();
    let mut piece = vec![0; 1 << 20];
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(format!("{:032x}", hasher.finish_128())),
            Ok(length) => hasher.write(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }
}

/// Hash of everything that a run follows from. The name is part of it because the records say it.
fn key(task: &Task, program: &str) -> String {
    let mut hasher = Hasher::new();
    for part in [task.scenario.as_bytes(), &task.text, &task.seed.to_le_bytes(), program.as_bytes()] {
        hasher.write(&(part.len() as u64).to_le_bytes());
        hasher.write(part);
    }
    format!("{:032x}", hasher.finish_128())
}

/// Writes a file unless it has this content; a reader sees the old one or the new one, never half of it.
fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Containers on several machines may share the folder, and have the same process ids.
    let drawn = RandomState::new().build_hasher().finish();
    let fresh = folder.join(format!(".{name}.{drawn:016x}"));
    fs::create_dir_all(folder)
        .and_then(|()| File::create_new(&fresh)?.write_all(content))
        .and_then(|()| fs::rename(&fresh, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests;
