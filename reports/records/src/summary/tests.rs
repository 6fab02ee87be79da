use super::*;

fn run(scenario: &str, seed: u64) -> RunSummary {
    RunSummary {
        scenario: scenario.into(),
        seed,
        passed: true,
        status: Status::Passed,
        trace_hash: "00ff".into(),
        simulated_s: 60.0,
        wall_s: 0.4,
        cpu_s: 0.3,
        peak_memory_bytes: 10,
        packets: BTreeMap::from([("sent".into(), 7)]),
        expectations: vec![],
        faults: vec![],
        figures: BTreeMap::from([("dial".into(), FigureSummary::default())]),
        records: "quickstart-1/records.jsonl".into(),
        error: None,
        replay: None,
    }
}

fn summary(runs: Vec<RunSummary>) -> Summary {
    Summary {
        version: VERSION,
        commit: "c".into(),
        started: "2026-01-01T00:00:00Z".into(),
        command: "run".into(),
        runs,
    }
}

#[test]
fn a_summary_reads_back() {
    let summary = summary(vec![run("a", 1)]);
    assert_eq!(Summary::from_json(summary.to_json().unwrap().as_bytes()).unwrap(), summary);
}

#[test]
fn another_version_is_refused_whatever_its_fields() {
    assert!(matches!(Summary::from_json(br#"{"version":9}"#), Err(SummaryError::Version { found: 9 })));
    assert!(matches!(Summary::from_json(b"{"), Err(SummaryError::Json(_))));
}

#[test]
fn shards_merge_in_order() {
    let merged = Summary::merge(vec![summary(vec![run("b", 1), run("a", 2)]), summary(vec![run("a", 1)])]).unwrap();
    assert_eq!(
        merged.runs.iter().map(|run| (run.scenario.as_str(), run.seed)).collect::<Vec<_>>(),
        [("a", 1), ("a", 2), ("b", 1)]
    );
}

#[test]
fn shards_that_do_not_fit_are_refused() {
    let twice = Summary::merge(vec![summary(vec![run("a", 1)]), summary(vec![run("a", 1)])]);
    assert!(matches!(twice, Err(SummaryError::Duplicate { seed: 1, .. })));
    let other = Summary { commit: "d".into(), ..summary(vec![]) };
    assert!(matches!(Summary::merge(vec![summary(vec![]), other]), Err(SummaryError::Commits { .. })));
    assert!(matches!(Summary::merge(vec![]), Err(SummaryError::Empty)));
}

#[test]
fn figures_are_summarised() {
    let sample = |value, category: &str| Sample {
        at_us: 0,
        figure: "dial".into(),
        value,
        category: Some(category.into()),
        tags: BTreeMap::new(),
    };
    let of = FigureSummary::of(&[sample(3.0, "failed"), sample(1.0, "succeeded"), sample(2.0, "failed")]).unwrap();
    assert_eq!((of.count, of.min, of.mean, of.median, of.p95, of.max), (3, 1.0, 2.0, 2.0, 3.0, 3.0));
    assert_eq!(of.categories, BTreeMap::from([("failed".to_string(), 2), ("succeeded".to_string(), 1)]));
    assert_eq!(FigureSummary::of(&[]), None);
}
