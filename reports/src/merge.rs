//! Several run directories as one: each run once, with the place of its records.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use darkswap_records::summary::{RunSummary, Summary, SummaryError};

/// The runs of every directory.
#[derive(Debug)]
pub(crate) struct Merged {
    /// Ordered by scenario and seed; its `records` are relative to the output folder.
    pub(crate) summary: Summary,
    /// Where the records of each run should be, in the same order; the files need not exist.
    pub(crate) records: Vec<PathBuf>,
}

/// Reads and merges the summaries of `run_dirs` for an output folder, which must exist.
pub(crate) fn merge(run_dirs: &[PathBuf], out: &Path) -> anyhow::Result<Merged> {
    let out = canonical(out)?;
    let mut shards = Vec::new();
    let mut seen: BTreeMap<(String, u64), (RunSummary, PathBuf)> = BTreeMap::new();
    for dir in run_dirs {
        let mut summary = read(dir)?;
        let dir = canonical(dir)?;
        let mut fresh = Vec::new();
        for run in summary.runs {
            let path = records(&dir, &run);
            let key = (run.scenario.clone(), run.seed);
            match seen.get_mut(&key) {
                Some((known, _)) if outcome(known) != outcome(&run) => {
                    return Err(SummaryError::Duplicate { scenario: run.scenario, seed: run.seed })
                        .with_context(|| format!("{} has other results", dir.display()));
                }
                Some((_, known)) if !known.exists() => *known = path,
                Some(_) => {}
                None => {
                    seen.insert(key, (run.clone(), path));
                    fresh.push(run);
                }
            }
        }
        summary.runs = fresh;
        shards.push(summary);
    }
    let mut summary = match Summary::merge(shards) {
        Err(SummaryError::Empty) => bail!("no run directory to report on"),
        result => result?,
    };
    let mut records = Vec::new();
    for run in &mut summary.runs {
        // Every run came from `seen`.
        if let Some((_, path)) = seen.remove(&(run.scenario.clone(), run.seed)) {
            run.records = relative(&out, &path);
            records.push(path);
        }
    }
    Ok(Merged { summary, records })
}

fn read(dir: &Path) -> anyhow::Result<Summary> {
    let path = dir.join("summary.json");
    let json = fs::read(&path).with_context(|| format!("cannot read {}: is this a run directory?", path.display()))?;
    Summary::from_json(&json).with_context(|| format!("{}", path.display()))
}

fn canonical(dir: &Path) -> anyhow::Result<PathBuf> {
    dir.canonicalize().with_context(|| format!("cannot open {}", dir.display()))
}

/// What the summary names, else the usual place.
fn records(dir: &Path, run: &RunSummary) -> PathBuf {
    let named = Path::new(&run.records);
    if !run.records.is_empty() && named.is_relative() {
        return plain(&dir.join(named));
    }
    let scenario = Path::new(&run.scenario).components().filter(|part| matches!(part, Component::Normal(_)));
    dir.join(scenario.collect::<PathBuf>()).join(format!("seed-{}", run.seed)).join("records.jsonl")
}

/// The path without `.` and `..`, by its text alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

/// What makes two summaries of a run the same: everything except what it cost and where its files are.
fn outcome(run: &RunSummary) -> RunSummary {
    RunSummary { wall_s: 0.0, cpu_s: 0.0, peak_memory_bytes: 0, records: String::new(), replay: None, ..run.clone() }
}

/// `to` as seen from the folder `from`, with slashes; both are absolute.
fn relative(from: &Path, to: &Path) -> String {
    let common = from.components().zip(to.components()).take_while(|(one, other)| one == other).count();
    let up = from.components().skip(common).map(|_| "..".to_string());
    let down = to.components().skip(common).map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_from_the_output_folder() {
        let relative = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(relative("/a/out", "/a/out/nat/seed-1/records.jsonl"), "nat/seed-1/records.jsonl");
        assert_eq!(relative("/a/out", "/a/shard/nat/records.jsonl"), "../shard/nat/records.jsonl");
        assert_eq!(plain(Path::new("/a/out/../shard/./x")), Path::new("/a/shard/x"));
    }
}
