//! Which runs a sweep has left.

use std::collections::BTreeSet;
use std::time::Duration;

use darkswap_scenario::plan::{Base, check_bytes};

use super::*;
use crate::orchestrator::process::Ending;
use crate::orchestrator::result::summarise;
use crate::worker::Finished;

const BASE: &str = "title: t\nduration: 1s\nhosts: {relay: {role: relay}}\nexpect: [max(crash) == 0]\n";
const PLAN: &str = "\
title: t
scenario: base.yaml
seeds: 1..4
variants: {long: {set: {duration: 2s}}, short: {}}
parameters: {link: {set: hosts.relay.link, values: [dsl, mobile]}}
compare: [max(crash)]
";

fn sweep_of(plan: &str, folder: &Path, program: &str) -> anyhow::Result<Sweep> {
    let open = |_: &str| Ok(Base { name: "base".into(), file: "base.yaml".into(), bytes: BASE.into() });
    let plan = check_bytes("suite/links", "links.plan.yaml", plan.as_bytes(), open)
        .map_err(|problems| anyhow::anyhow!("{}", problems[0]))?;
    Sweep::new(&plan, Folder::at(folder.to_path_buf())?, "c".into(), program.into())
}

fn summary(run: &Run, ending: Ending) -> anyhow::Result<RunSummary> {
    summarise(&run.task.scenario, run.task.seed, ending, Duration::ZERO).context("a run that ended")
}

fn finished(passed: bool) -> Ending {
    let error = (!passed).then(|| "why".to_string());
    Ending::Finished(Box::new(Finished { passed, error, ..Finished::failed("") }))
}

#[test]
fn what_has_ended_is_not_run_again_and_what_died_is() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let sweep = sweep_of(PLAN, dir.path(), "p")?;
    let (all, pending) = sweep.pending(None);
    assert_eq!((all, pending.len(), sweep.len()), (16, 16, 16));
    sweep.prepare(&pending)?;
    sweep.keep(&pending[0], &summary(&pending[0], finished(true))?)?;
    sweep.keep(&pending[1], &summary(&pending[1], finished(false))?)?;
    sweep.keep(&pending[2], &summary(&pending[2], Ending::Crashed("why".into()))?)?;
    assert_eq!((sweep.pending(None).1.len(), sweep.missing()), (14, 13));
    // The same plan of the same program, by another process.
    assert_eq!(sweep_of(PLAN, dir.path(), "p")?.pending(None).1.len(), 14);
    Ok(())
}

#[test]
fn what_a_run_follows_from_is_its_key() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let sweep = sweep_of(PLAN, dir.path(), "p")?;
    for run in sweep.pending(None).1 {
        sweep.keep(&run, &summary(&run, finished(true))?)?;
    }
    let left = |plan: &str, program: &str| sweep_of(plan, dir.path(), program).map(|sweep| sweep.pending(None).1.len());
    assert_eq!(left(PLAN, "p")?, 0);
    assert_eq!(left(PLAN, "q")?, 16, "another program");
    assert_eq!(left(&PLAN.replace("2s", "3s"), "p")?, 8, "another value of one variant");
    assert_eq!(left(&PLAN.replace("1..4", "3..6"), "p")?, 8, "two more seeds");
    assert_eq!(
        left(&PLAN.replace("max(crash)", "sum(crash)").replace("title: t", "title: u"), "p")?,
        0,
        "other words only"
    );
    Ok(())
}

#[test]
fn shards_are_disjoint_and_each_has_every_variant() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let sweep = sweep_of(PLAN, dir.path(), "p")?;
    let mut seen = BTreeSet::new();
    for shard in ["1/4", "2/4", "3/4", "4/4"] {
        let shard = shard.parse().map_err(anyhow::Error::msg)?;
        let (all, runs) = sweep.pending(Some(shard));
        assert_eq!(all, 4);
        let scenarios: BTreeSet<&str> = runs.iter().map(|run| run.task.scenario.as_str()).collect();
        assert_eq!(scenarios.len(), 4, "{scenarios:?}");
        seen.extend(runs.into_iter().map(|run| (run.task.scenario, run.task.seed)));
    }
    assert_eq!(seen.len(), 16);
    Ok(())
}

#[test]
fn a_damaged_cell_has_not_ended() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let sweep = sweep_of(PLAN, dir.path(), "p")?;
    let run = sweep.pending(None).1.swap_remove(0);
    sweep.keep(&run, &summary(&run, finished(true))?)?;
    let path = sweep.place(&run).join(CELL);
    let whole = fs::read(&path)?;
    fs::write(&path, &whole[..whole.len() / 2])?;
    assert_eq!(sweep.pending(None).1.len(), 16);
    Ok(())
}

#[test]
fn a_scenario_is_kept_where_its_path_gives_its_name() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let sweep = sweep_of(PLAN, dir.path(), "p")?;
    let pending = sweep.pending(None).1;
    sweep.prepare(&pending)?;
    for Run { task, .. } in &pending {
        assert_eq!(darkswap_scenario::name(&task.file), task.scenario);
        assert_eq!(fs::read(&task.file)?, *task.text);
    }
    assert_eq!(sweep::Sweep::from_json(&fs::read(dir.path().join(SWEEP))?)?, sweep.head);
    Ok(())
}
