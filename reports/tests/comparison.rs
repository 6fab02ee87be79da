//! What a comparison holds, over made-up cells.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::slice::from_ref;

use darkswap_records::record::{self, End, Outcome, Record, Sample};
use darkswap_records::summary::{RunSummary, Status};
use darkswap_records::sweep::{self, CELL, Cell, Point, SWEEP, Sweep, Variant};
use darkswap_reports::comparison::{Compared, compare};
use serde_json::Value;

fn sweep_of(seeds: u64) -> Sweep {
    let sweep = without_keys(seeds);
    let scenarios = sweep.variants.iter().flat_map(|of| sweep.points.iter().map(|at| sweep.scenario_of(of, at)));
    let keys =
        scenarios.flat_map(|scenario| sweep.seeds.iter().map(move |seed| format!("{scenario} {seed}"))).collect();
    Sweep { keys, ..sweep.clone() }
}

fn without_keys(seeds: u64) -> Sweep {
    let variant = |name: &str, about: &str| Variant { name: name.into(), about: about.into() };
    Sweep {
        version: sweep::VERSION,
        name: "load/transports".into(),
        title: "Transports <under> loss".into(),
        about: "First paragraph.\n\nSecond.".into(),
        scenario: "load/loss-1".into(),
        commit: "0123456789ab".into(),
        program: "fedcba9876543210".into(),
        baseline: "quic".into(),
        variants: vec![variant("quic", "QUIC alone"), variant("tcp", ""), variant("websocket", "")],
        points: vec![Point { name: "loss=1%".into() }, Point { name: "loss=5%".into() }],
        seeds: (1..=seeds).collect(),
        measures: vec![
            "p95(connect_time)".into(),
            "share(path == direct)".into(),
            "sum(message_bytes)".into(),
            "max(upgrade_time)".into(),
        ],
        keys: Vec::new(),
    }
}

/// Made-up numbers: tcp takes 100 ms longer than quic under every seed, websocket differs by chance.
fn samples(variant: &str, point: &str, seed: u64) -> Vec<Record> {
    let noise = |salt: u64| ((seed * 7_919 + salt * 104_729) % 1_000) as f64 / 1_000.0;
    let loss = if point == "loss=5%" { 0.4 } else { 0.0 };
    let connect = 0.3 + loss + noise(1) * 0.2;
    let connect = match variant {
        "tcp" => connect + 0.1 + noise(2) * 0.02,
        "websocket" => connect + (noise(3) - 0.5) * 0.05,
        _ => connect,
    };
    let sample = |figure: &str, value: f64, category: Option<&str>| {
        Record::Sample(Sample {
            at_us: 1,
            figure: figure.into(),
            value,
            category: category.map(Into::into),
            tags: BTreeMap::new(),
        })
    };
    let direct = if variant == "quic" { "direct" } else { "relayed" };
    let mut records = vec![
        sample("connect_time", connect, None),
        sample("path", 1.0, Some(direct)),
        sample("message_bytes", 4_096.0 * 20.0, None),
    ];
    if variant == "quic" {
        records.push(sample("upgrade_time", 0.2, None));
    }
    records
}

fn run(scenario: &str, seed: u64, status: Status) -> RunSummary {
    let outcome =
        Outcome { line: "max(crash) == 0".into(), value: Some(0.0), shown: "0".into(), held: true, error: None };
    RunSummary {
        scenario: scenario.into(),
        seed,
        passed: status == Status::Passed,
        status,
        trace_hash: format!("{scenario}{seed}"),
        simulated_s: 10.0,
        wall_s: seed as f64,
        cpu_s: 1.0,
        peak_memory_bytes: 1,
        packets: BTreeMap::new(),
        expectations: vec![outcome],
        faults: Vec::new(),
        figures: BTreeMap::new(),
        records: format!("{scenario}/seed-{seed}/records.jsonl"),
        error: None,
        replay: None,
    }
}

fn write_cell(folder: &Path, sweep: &Sweep, variant: &Variant, point: &Point, seed: u64, status: Status) {
    let scenario = sweep.scenario_of(variant, point);
    let place = folder.join(&scenario).join(format!("seed-{seed}"));
    fs::create_dir_all(&place).unwrap();
    let run = run(&scenario, seed, status);
    let head = Record::Run(record::Run {
        version: record::VERSION,
        scenario: scenario.clone(),
        title: "t".into(),
        about: String::new(),
        seed,
        commit: sweep.commit.clone(),
        hosts: Vec::new(),
    });
    let end = Record::End(End { at_us: 2, passed: true, trace_hash: run.trace_hash.clone(), packets: BTreeMap::new() });
    let records = [vec![head], samples(&variant.name, &point.name, seed), vec![end]].concat();
    let lines: String = records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect();
    fs::write(place.join("records.jsonl"), lines).unwrap();
    let cell = Cell { version: sweep::VERSION, key: format!("{scenario} {seed}"), run };
    fs::write(place.join(CELL), cell.to_json().unwrap()).unwrap();
}

/// Writes the cells that `keep` wants, numbered as a shard does.
fn write(folder: &Path, sweep: &Sweep, keep: impl Fn(usize) -> bool) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(SWEEP), sweep.to_json().unwrap()).unwrap();
    let mut number = 0;
    for variant in &sweep.variants {
        for point in &sweep.points {
            for seed in &sweep.seeds {
                if keep(number) {
                    write_cell(folder, sweep, variant, point, *seed, Status::Passed);
                }
                number += 1;
            }
        }
    }
    folder.to_path_buf()
}

fn bytes(compared: &Compared) -> [Vec<u8>; 3] {
    [&compared.html, &compared.json, &compared.csv].map(|path| fs::read(path).unwrap())
}

fn refusal(folders: &[PathBuf]) -> String {
    let out = folders[0].join("out");
    let error = compare(folders, &out, false).map(|_| ()).unwrap_err();
    assert!(!out.exists(), "nothing is written");
    format!("{error:#}")
}

#[test]
fn what_differs_is_told_apart_from_what_may_be_chance() {
    let dir = tempfile::tempdir().unwrap();
    let folder = write(dir.path(), &sweep_of(12), |_| true);
    let compared = compare(from_ref(&folder), &folder, false).unwrap();
    assert_eq!((compared.cells, compared.planned), (72, 72));
    let (measure, sentences) = &compared.sentences[0];
    assert_eq!((measure.as_str(), sentences.len()), ("p95(connect_time)", 4));
    assert!(
        sentences[0].starts_with("loss=1%: tcp is worse than quic: higher by 110 ms (95 % interval "),
        "{}",
        sentences[0]
    );
    assert!(
        sentences[0].contains("under 12 of 12 seeds; p = 0.002 after correction for 4 comparisons"),
        "{}",
        sentences[0]
    );
    assert!(sentences[1].starts_with("loss=1%: websocket is not distinguishable from quic"), "{}", sentences[1]);
    let [bytes, upgrades] = [2, 3].map(|at| &compared.sentences[at].1[0]);
    assert_eq!(bytes, "loss=1%: tcp gave exactly the same as quic under each of 12 seeds.");
    assert_eq!(upgrades, "loss=1%: tcp cannot be compared with quic: only 0 seeds have a value on both sides.");
    assert!(
        compared.sentences[1].1[0].contains("tcp is worse than quic: lower by 100 pp"),
        "{:?}",
        compared.sentences[1].1
    );
    assert_eq!(compared.notices.len(), 4, "{:?}", compared.notices);
    let html = fs::read_to_string(&compared.html).unwrap();
    assert!(html.contains("Transports &lt;under&gt; loss") && !html.contains("<under>") && !html.contains("<script"));
    assert!(!html.contains("http-equiv") && html.matches("<svg").count() == 8 - 1, "{}", html.matches("<svg").count());
}

#[test]
fn shards_come_to_the_same_bytes_as_one_folder() {
    let dir = tempfile::tempdir().unwrap();
    let sweep = sweep_of(6);
    let whole = write(&dir.path().join("whole"), &sweep, |_| true);
    let shards: Vec<PathBuf> = (0..3)
        .map(|shard| write(&dir.path().join(format!("shard-{shard}")), &sweep, |number| number % 3 == shard))
        .collect();
    let one = compare(from_ref(&whole), &dir.path().join("a"), false).unwrap();
    let several = compare(&shards, &dir.path().join("b"), false).unwrap();
    // A folder that repeats cells of another one, as a shared one does, changes nothing either.
    let overlapping = compare(&[shards[1].clone(), whole], &dir.path().join("c"), false).unwrap();
    assert_eq!(bytes(&one), bytes(&several));
    assert_eq!(bytes(&one), bytes(&overlapping));
}

#[test]
fn json_has_every_number_of_the_page() {
    let dir = tempfile::tempdir().unwrap();
    let folder = write(dir.path(), &sweep_of(8), |_| true);
    let compared = compare(from_ref(&folder), &folder, false).unwrap();
    let json: Value = serde_json::from_slice(&fs::read(&compared.json).unwrap()).unwrap();
    let row = &json["measures"][0]["rows"][1];
    assert_eq!(
        (row["variant"].as_str(), row["point"].as_str(), row["seeds"].as_u64()),
        (Some("tcp"), Some("loss=1%"), Some(8))
    );
    let against = &row["against_baseline"];
    assert_eq!((against["verdict"].as_str(), against["larger"].as_u64()), (Some("higher"), Some(8)));
    assert_eq!(against["p"].as_f64(), Some(2.0 / 256.0));
    assert_eq!(against["p_adjusted"].as_f64(), Some(8.0 / 256.0));
    assert_eq!(json["measures"][0]["comparisons"].as_u64(), Some(4));
    assert_eq!([0, 1, 2].map(|at| json["measures"][at]["better"].as_str()), [Some("less"), Some("more"), None]);
    let csv = fs::read_to_string(&compared.csv).unwrap();
    assert_eq!(csv.lines().count(), 1 + 48);
    assert!(
        csv.starts_with("variant,point,seed,state,\"p95(connect_time) [s]\",\"share(path == direct) [share]\","),
        "{csv}"
    );
}

#[test]
fn one_seed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = write(dir.path(), &sweep_of(1), |_| true);
    assert_eq!(
        refusal(&[folder]),
        "found one seed, expected at least 2: one seed cannot tell a difference from chance"
    );
}

#[test]
fn missing_cells_are_named_and_compared_only_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let folder = write(dir.path(), &sweep_of(6), |number| number != 9);
    let error = refusal(from_ref(&folder));
    assert!(
        error.starts_with("1 of 36 cells have not run, the first is load/transports/quic/loss=5% seed 4"),
        "{error}"
    );
    let compared = compare(from_ref(&folder), &folder, true).unwrap();
    assert_eq!(compared.cells, 35);
    assert_eq!(compared.notices[0], "quic at loss=5% has not run under 1 of 6 seeds");
}

#[test]
fn a_cell_of_an_earlier_plan_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let mut sweep = sweep_of(6);
    let folder = write(dir.path(), &sweep, |_| true);
    sweep.keys[7] = "another".into();
    fs::write(folder.join(SWEEP), sweep.to_json().unwrap()).unwrap();
    let error = refusal(from_ref(&folder));
    assert!(
        error.starts_with("1 of 36 cells have not run, the first is load/transports/quic/loss=5% seed 2"),
        "{error}"
    );
    sweep.keys.pop();
    fs::write(folder.join(SWEEP), sweep.to_json().unwrap()).unwrap();
    assert!(refusal(from_ref(&folder)).contains("found 35 keys in sweep.json, expected 36"));
}

#[test]
fn a_run_without_data_is_named_and_its_seed_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let sweep = sweep_of(6);
    let folder = write(dir.path(), &sweep, |_| true);
    write_cell(&folder, &sweep, &sweep.variants[1], &sweep.points[0], 3, Status::Crashed);
    let compared = compare(from_ref(&folder), &folder, false).unwrap();
    assert_eq!(compared.notices[0], "tcp at loss=1% seed 3 has no data: the worker crashed");
    let json: Value = serde_json::from_slice(&fs::read(&compared.json).unwrap()).unwrap();
    assert_eq!(json["measures"][0]["rows"][1]["against_baseline"]["seeds"].as_u64(), Some(5));
}

#[test]
fn a_cell_that_died_in_one_folder_is_taken_from_the_one_where_it_ran() {
    let dir = tempfile::tempdir().unwrap();
    let sweep = sweep_of(6);
    let whole = write(&dir.path().join("whole"), &sweep, |_| true);
    let expected = bytes(&compare(from_ref(&whole), &dir.path().join("a"), false).unwrap());
    let died = write(&dir.path().join("died"), &sweep, |number| number % 2 == 0);
    for status in [Status::Crashed, Status::Hung] {
        write_cell(&died, &sweep, &sweep.variants[1], &sweep.points[0], 3, status);
        for (out, folders) in [("b", [died.clone(), whole.clone()]), ("c", [whole.clone(), died.clone()])] {
            let compared = compare(&folders, &dir.path().join(out), false).unwrap();
            assert_eq!(bytes(&compared), expected, "the page does not depend on who died");
            assert!(
                compared.notices.iter().any(|it| it.starts_with("tcp at loss=1% seed 3: the worker ")
                    && it.contains(&died.display().to_string())
                    && it.ends_with(&format!("taken from {}", whole.display()))),
                "{:?}",
                compared.notices
            );
        }
    }

    // Dead in every folder is dead, however it died.
    let other = write(&dir.path().join("other"), &sweep, |_| true);
    write_cell(&other, &sweep, &sweep.variants[1], &sweep.points[0], 3, Status::Crashed);
    let compared = compare(&[died, other], &dir.path().join("d"), false).unwrap();
    assert_eq!(compared.notices[0], "tcp at loss=1% seed 3 has no data: the worker hung and was ended");
}

#[test]
fn folders_that_do_not_belong_together_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    let first = write(&place("first"), &sweep_of(4), |_| true);
    let program = write(&place("program"), &Sweep { program: "other".into(), ..sweep_of(4) }, |_| true);
    let seeds = write(&place("seeds"), &sweep_of(5), |_| true);
    assert!(refusal(&[first.clone(), program]).contains("by different executables"));
    assert!(refusal(&[first.clone(), seeds]).contains("of different plans"));
    assert!(refusal(&[place("nothing")]).contains("is this a folder that `sweep` has written?"));
    let escape = write(&place("escape"), &sweep_of(4), |_| false);
    fs::write(escape.join(SWEEP), Sweep { name: "../x".into(), ..sweep_of(4) }.to_json().unwrap()).unwrap();
    assert!(refusal(&[escape]).contains("expected one that is the name of a folder"));

    // The same cell with another result.
    let sweep = sweep_of(4);
    let other = write(&place("other"), &sweep, |_| true);
    write_cell(&other, &sweep, &sweep.variants[0], &sweep.points[0], 2, Status::Failed);
    assert!(refusal(&[first.clone(), other]).contains("are the same cell with different results"));
    // Records of another run.
    let path = first.join("load/transports/tcp/loss=1%/seed-1/records.jsonl");
    fs::copy(first.join("load/transports/tcp/loss=1%/seed-2/records.jsonl"), path).unwrap();
    assert!(refusal(&[first]).contains("these are not the records of the run"));
}
