//! The reference in `docs/records.md` is complete, and its examples are what the code reads and writes.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use darkswap_records::read::read;
use darkswap_records::record::{End, Event, Fault, Host, Outcome, Record, Run, Sample};
use darkswap_records::summary::{FigureSummary, RunSummary, Status, Summary};
use serde_json::Value;

/// Fields whose keys are data.
const OPEN: [&str; 5] = ["tags", "fields", "packets", "figures", "categories"];

#[test]
fn every_field_of_every_record_is_documented_with_its_kind() {
    for record in records() {
        let value = serde_json::to_value(&record).unwrap();
        let kind = value["record"].as_str().unwrap();
        let section = section(&format!("### `{kind}`"));
        require_rows(&section, &value);
    }
}

#[test]
fn every_field_of_the_summary_is_documented() {
    let section = section("## `summary.json`");
    let expectations_and_faults_are_records = ["expectations", "faults"];
    let mut value = serde_json::to_value(summary()).unwrap();
    for name in expectations_and_faults_are_records {
        value["runs"][0][name] = Value::Null;
    }
    require_rows(&section, &value);
}

#[test]
fn every_status_is_documented() {
    let section = section("## `summary.json`");
    for status in [Status::Passed, Status::Failed, Status::Crashed, Status::Hung, Status::Invalid] {
        // Here the compiler says that a status is missing above.
        match status {
            Status::Passed | Status::Failed | Status::Crashed | Status::Hung | Status::Invalid => {}
        }
        let name = serde_json::to_value(status).unwrap();
        assert!(has_row(&section, name.as_str().unwrap()), "status {name} is not documented");
    }
}

#[test]
fn the_examples_are_read_and_written_back_as_they_are() {
    let page = page();
    let lines = block(&page, "```jsonl\n");
    let records = read(lines.as_bytes()).unwrap();
    let kinds: Vec<_> = records.iter().map(|record| serde_json::to_value(record).unwrap()["record"].clone()).collect();
    assert_eq!(kinds, ["run", "sample", "event", "fault", "expectation", "end"]);
    for (line, record) in lines.lines().zip(&records) {
        assert_eq!(line, serde_json::to_string(record).unwrap());
    }
    let json = block(&page, "```json\n");
    let summary = Summary::from_json(json.as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&summary).unwrap(), serde_json::from_str::<Value>(json).unwrap());
}

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/records.md")).unwrap()
}

/// The text below a heading, up to the next one of its level or above.
fn section(heading: &str) -> String {
    let page = page();
    let level = heading.bytes().take_while(|byte| *byte == b'#').count();
    let ends = |line: &&str| {
        let depth = line.bytes().take_while(|byte| *byte == b'#').count();
        depth > 0 && depth <= level
    };
    let mut lines = page.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "docs/records.md has no heading {heading}");
    lines.take_while(|line| !ends(line)).collect::<Vec<_>>().join("\n")
}

fn block<'a>(page: &'a str, opening: &str) -> &'a str {
    let start = page.find(opening).unwrap() + opening.len();
    &page[start..start + page[start..].find("```").unwrap()]
}

/// Whether the first cell of some row names the field.
fn has_row(section: &str, name: &str) -> bool {
    let cells = section.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    cells.into_iter().any(|cell| cell.contains(&format!("`{name}`")))
}

fn require_rows(section: &str, value: &Value) {
    let mut names = BTreeSet::new();
    collect(value, &mut names);
    names.remove("record");
    for name in names {
        assert!(has_row(section, &name), "`{name}` is not documented");
    }
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                names.insert(name.clone());
                match value {
                    Value::Object(data) if OPEN.contains(&name.as_str()) => {
                        data.values().for_each(|value| collect(value, names));
                    }
                    _ => collect(value, names),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One record of each kind with nothing left out.
fn records() -> Vec<Record> {
    let text = || "x".to_string();
    let tags = || BTreeMap::from([(text(), text())]);
    let host = Host { name: text(), role: text(), group: text(), nat: text(), region: text(), address: text() };
    let run =
        Run { version: 1, scenario: text(), title: text(), about: text(), seed: 1, commit: text(), hosts: vec![host] };
    let records = vec![
        Record::Run(run),
        Record::Sample(Sample { at_us: 1, figure: text(), value: 1.0, category: Some(text()), tags: tags() }),
        Record::Event(Event { at_us: 1, host: text(), kind: text(), fields: tags() }),
        Record::Fault(fault()),
        Record::Expectation(outcome()),
        Record::End(End { at_us: 1, passed: true, trace_hash: text(), packets: BTreeMap::from([(text(), 1)]) }),
    ];
    for record in &records {
        // Here the compiler says that a kind is missing above.
        match record {
            Record::Run(_)
            | Record::Sample(_)
            | Record::Event(_)
            | Record::Fault(_)
            | Record::Expectation(_)
            | Record::End(_) => {}
        }
    }
    records
}

fn fault() -> Fault {
    Fault { at_us: 1, until_us: Some(2), kind: "x".into(), target: "x".into(), touched: 1 }
}

fn outcome() -> Outcome {
    Outcome { line: "x".into(), value: Some(1.0), shown: "x".into(), held: true, error: Some("x".into()) }
}

fn summary() -> Summary {
    let text = || "x".to_string();
    let figure = FigureSummary { count: 1, categories: BTreeMap::from([(text(), 1)]), ..FigureSummary::default() };
    let run = RunSummary {
        scenario: text(),
        seed: 1,
        passed: true,
        status: Status::Passed,
        trace_hash: text(),
        simulated_s: 1.0,
        wall_s: 1.0,
        cpu_s: 1.0,
        peak_memory_bytes: 1,
        packets: BTreeMap::from([(text(), 1)]),
        expectations: vec![outcome()],
        faults: vec![fault()],
        figures: BTreeMap::from([(text(), figure)]),
        records: text(),
        error: Some(text()),
        replay: Some(text()),
    };
    Summary { version: 1, commit: text(), started: text(), command: text(), runs: vec![run] }
}
