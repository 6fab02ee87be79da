//! What a report holds, over made-up run directories.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod relay_figures;
mod synthetic;
mod webrtc_figures;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use darkswap_records::summary::{Status, Summary};
use darkswap_reports::{Rendered, render};
use synthetic::{Draft, nat_matrix, partition, quickstart, relay_death, suite, write};

/// Renders drafts in a folder of their own.
fn report(drafts: &[Draft]) -> (tempfile::TempDir, Rendered, String) {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = write(&dir.path().join("run"), drafts);
    let rendered = render(&[run_dir], &dir.path().join("out")).unwrap();
    let html = fs::read_to_string(&rendered.html).unwrap();
    (dir, rendered, html)
}

/// Every file below a folder with its bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn the_first_screen_tells_the_verdict_and_lists_failures_before_everything_else() {
    let (_dir, rendered, html) = report(&suite());
    assert_eq!((rendered.runs, rendered.passed), (16, 12));
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(at("12 of 16 runs passed<small>") < at("What failed"));
    assert!(html.contains("2 failed, 1 crashed, 1 hung"));
    assert!(at("What failed") < at("<h2>Scenarios</h2>"));
    assert!(at("replay scenarios/nat/matrix.yaml --seed 3") < at("<h2>Scenarios</h2>"));
    // Sections of failed scenarios come before those that passed.
    assert!(at("The relay dies and comes back") < at("Partition and heal"));
}

/// The titles of figures, without the rest of them.
fn titles(figures: &[&str]) -> Vec<String> {
    figures
        .iter()
        .map(|figure| figure[figure.find("<h3>").unwrap() + 4..figure.find("</h3>").unwrap()].into())
        .collect()
}

#[test]
fn a_suite_that_passed_says_so() {
    let (_dir, rendered, html) = report(&[quickstart(1), quickstart(2)]);
    assert_eq!(rendered.passed, 2);
    assert!(html.contains("All 2 runs passed"));
    assert!(!html.contains("What failed"));
}

#[test]
fn an_expectation_names_the_seeds_that_failed() {
    let (_dir, _, html) = report(&(1..=4).map(nat_matrix).collect::<Vec<_>>());
    let row = html.lines().find(|line| line.starts_with("<tr>") && line.contains("direct_possible == worse")).unwrap();
    assert!(row.contains("0 … 2") && row.contains("3/4") && row.contains("<td>3</td>"), "{row}");
}

#[test]
fn each_plot_appears_where_it_has_data_and_names_its_origin() {
    let (_dir, _, html) = report(&[nat_matrix(1), partition(1), partition(2)]);
    let (matrix, partition): (Vec<&str>, Vec<&str>) =
        html.split("<figure>").skip(1).partition(|figure| figure.contains("nat/matrix · seed 1 · commit 4f2a9c81d0"));
    assert_eq!(titles(&matrix), ["Direct paths by kind of NAT", "Time to connect", "Time to change the path"]);
    assert_eq!(
        titles(&partition),
        [
            "Messages over time",
            "Throughput over time",
            "Bytes direct and relayed",
            "Gossip coverage over time",
            "Recovery after a fault",
            "Round-trip time",
            "Time to deliver a message",
            "Time for gossip to arrive"
        ]
    );
    assert!(partition.iter().all(|figure| figure.contains("faults/partition · seeds 1, 2 · commit 4f2a9c81d0")));
}

#[test]
fn pairs_that_deviate_from_the_prediction_are_marked() {
    let (_dir, _, html) = report(&(1..=5).map(nat_matrix).collect::<Vec<_>>());
    assert!(html.contains("▼ EI/APD → EI/AD:"), "no note");
    assert!(html.contains(" ▼</text>"), "no mark in the cell");
}

#[test]
fn a_worker_that_died_is_shown_and_its_siblings_are_plotted() {
    let (_dir, rendered, html) = report(&(1..=3).map(relay_death).collect::<Vec<_>>());
    assert_eq!(
        rendered.notices,
        [
            "relay/death seed 1: there are no records, so it is in no plot",
            "relay/death seed 2: the records stop at 3.0 s, before the run ended"
        ]
    );
    assert!(html.contains("the worker crashed") && html.contains("circuit without reservation"));
    assert!(html.contains("the worker hung and was ended"));
    assert!(html.contains("crash of relay</code> touched nothing"));
    assert!(html.contains("relayed, 2 samples"));
}

#[test]
fn broken_records_are_reported_and_not_fatal() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = write(&dir.path().join("run"), &[quickstart(1), quickstart(2), quickstart(3)]);
    let records = |seed: u64| run_dir.join(format!("quickstart/seed-{seed}/records.jsonl"));
    fs::write(records(1), "{\"record\":\"run\",\"version\":99}\n").unwrap();
    fs::copy(records(3), records(2)).unwrap();
    let rendered = render(&[run_dir], &dir.path().join("out")).unwrap();
    assert!(rendered.notices[0].contains("record format 99"), "{:?}", rendered.notices);
    assert!(rendered.notices[1].contains("these are the records of quickstart seed 3"), "{:?}", rendered.notices);
}

#[test]
fn text_from_records_is_never_markup() {
    let hostile = "<script>alert(1)</script>\"'&";
    let mut draft = Draft::new("evil", hostile, hostile, 1);
    draft.host(hostile, hostile);
    draft.head.hosts[0].role = hostile.into();
    draft.head.commit = hostile.into();
    for nat in [hostile, "public"] {
        draft.category(1.0, "path", "direct", &[("from_nat", nat), ("to_nat", hostile)]);
        draft.category(
            1.0,
            "direct_possible",
            "worse",
            &[("from_nat", nat), ("to_nat", hostile), ("predicate", hostile)],
        );
    }
    for path in [hostile, "direct"] {
        for _ in 0..10 {
            draft.value(1.0, "connect_time", 1.0, &[("path", path)]);
        }
        draft.value(1.0, "recovery_time", 1.0, &[("fault", path)]);
    }
    draft.value(1.0, hostile, 1.0, &[]);
    draft.fault(hostile, hostile, 1.0, None, 0);
    draft.expect(hostile, 1.0, hostile, false);
    draft.error = Some(hostile.into());
    let dir = tempfile::tempdir().unwrap();
    let run_dir = write(&dir.path().join("run"), &[draft]);
    // The scenario's own name as well; its records stay where the summary says.
    for file in ["summary.json", "evil/seed-1/records.jsonl"].map(|file| run_dir.join(file)) {
        let text = fs::read_to_string(&file).unwrap();
        let named = text.replace("\"evil\"", &serde_json::to_string(hostile).unwrap());
        fs::write(&file, named).unwrap();
    }
    let rendered = render(&[run_dir], &dir.path().join("out")).unwrap();
    let html = fs::read_to_string(&rendered.html).unwrap();
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!html.contains("<script") && !html.contains("alert(1)</script"));
    let junit = fs::read_to_string(&rendered.junit).unwrap();
    assert!(!junit.contains("<script"), "{junit}");
}

#[test]
fn the_page_needs_nothing_else_and_stays_small() {
    let (_dir, _, html) = report(&suite());
    for outside in ["<script", "<link", "<img", "@import", "url(", "src="] {
        assert!(!html.contains(outside), "{outside}");
    }
    let links = html.split("href=\"").skip(1);
    assert!(links.into_iter().all(|link| link.starts_with('#') || link.starts_with("csv/")));
    let (_dir, _, quick) = report(&(1..=5).map(quickstart).collect::<Vec<_>>());
    assert!(quick.len() < 200_000 && html.len() < 1_000_000, "{} and {}", quick.len(), html.len());
}

#[test]
fn every_link_within_the_page_arrives() {
    let (dir, _, html) = report(&suite());
    for link in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        match link.strip_prefix('#') {
            Some(id) => assert!(html.contains(&format!("id=\"{id}\"")), "{link}"),
            None => assert!(dir.path().join("out").join(link).exists(), "{link}"),
        }
    }
}

#[test]
fn the_same_records_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = write(&dir.path().join("run"), &suite());
    let out = dir.path().join("out");
    render(std::slice::from_ref(&run_dir), &out).unwrap();
    let first = files(&out);
    render(std::slice::from_ref(&run_dir), &out).unwrap();
    assert_eq!(first, files(&out));
    // In its own folder, and again from what that wrote.
    render(std::slice::from_ref(&run_dir), &run_dir).unwrap();
    let own = files(&run_dir);
    render(std::slice::from_ref(&run_dir), &run_dir).unwrap();
    assert_eq!(own, files(&run_dir));
    assert_eq!(own[&run_dir.join("report.html")], first[&out.join("report.html")]);
}

#[test]
fn shards_give_the_report_of_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let whole = write(&dir.path().join("whole"), &suite());
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for (index, draft) in suite().into_iter().enumerate() {
        if index % 2 == 0 { one.push(draft) } else { other.push(draft) }
    }
    let shards = [write(&dir.path().join("one"), &one), write(&dir.path().join("other"), &other)];
    let expected = render(&[whole], &dir.path().join("a")).unwrap();
    let merged = render(&shards, &dir.path().join("b")).unwrap();
    assert_eq!(fs::read(&expected.html).unwrap(), fs::read(&merged.html).unwrap());
    assert_eq!(fs::read(&expected.junit).unwrap(), fs::read(&merged.junit).unwrap());
    // The merged folder stands for its shards.
    let again = render(&[dir.path().join("b")], &dir.path().join("c")).unwrap();
    assert_eq!(fs::read(&merged.html).unwrap(), fs::read(&again.html).unwrap());
    let summary = Summary::from_json(&fs::read(&merged.summary).unwrap()).unwrap();
    assert!(summary.runs.iter().any(|run| run.records == "../one/quickstart/seed-1/records.jsonl"));
}

#[test]
fn a_run_in_two_shards_is_one_run_when_equal_and_refused_when_not() {
    let dir = tempfile::tempdir().unwrap();
    let one = write(&dir.path().join("one"), &[quickstart(1)]);
    let same = write(&dir.path().join("same"), &[quickstart(1), quickstart(2)]);
    let mut draft = quickstart(1);
    draft.expect("share(path == direct) >= 99%", 0.6, "60 %", false);
    let other = write(&dir.path().join("other"), &[draft]);
    let out = dir.path().join("out");
    assert_eq!(render(&[one.clone(), same], &out).unwrap().runs, 2);
    let error = format!("{:#}", render(&[one, other], &out).unwrap_err());
    assert!(
        error.contains("quickstart") && error.contains("seed 1") && error.contains("more than one shard"),
        "{error}"
    );
}

#[test]
fn a_folder_without_a_run_is_named_in_the_error() {
    let dir = tempfile::tempdir().unwrap();
    let error = format!("{:#}", render(&[dir.path().join("nowhere")], &dir.path().join("out")).unwrap_err());
    assert!(error.contains("nowhere") && error.contains("is this a run directory?"), "{error}");
    assert!(render(&[], &dir.path().join("out")).is_err());
}

#[test]
fn each_figure_has_a_table_with_scenario_seed_and_commit() {
    let (_dir, rendered, _) = report(&[partition(1), partition(2)]);
    let table = fs::read_to_string(rendered.csv.join("recovery_time.csv")).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "scenario,seed,commit,at [s],value [s],from,to,fault");
    assert!(lines[1].starts_with("faults/partition,1,4f2a9c81d0e7b6533aa1c0de,80.000000,"), "{}", lines[1]);
    assert_eq!(lines.len(), 1 + 2 * 18);
    assert!(!rendered.csv.join("hole_punch.csv").exists());
}

#[test]
fn junit_has_a_case_per_expectation_and_seed_and_explains_every_failure() {
    let (_dir, rendered, _) = report(&suite());
    let xml = fs::read_to_string(&rendered.junit).unwrap();
    // 5 of quickstart, 15 of the matrix, 6 of the partition; the dead relay has a crash, a hang, an expectation and an idle fault.
    assert_eq!(counts(&xml), (30, 2, 2), "{xml}");
    assert!(xml.contains("seed 3: count(direct_possible == worse) == 0"));
    assert!(xml.contains("message=\"was 2\""));
    assert!(xml.contains("replay: cargo run --release -- replay scenarios/relay/death.yaml --seed 1"));
}

/// Test cases, errors and failures.
fn counts(xml: &str) -> (usize, usize, usize) {
    (xml.matches("<testcase ").count(), xml.matches("<error ").count(), xml.matches("<failure ").count())
}

#[test]
fn a_run_that_failed_without_a_reason_still_fails_everywhere() {
    let mut draft = quickstart(1);
    draft.status = Status::Failed;
    let (_dir, rendered, html) = report(&[draft]);
    assert!(html.contains("0 of 1 run passed") && html.contains("failed without a reason given"));
    assert_eq!(counts(&fs::read_to_string(&rendered.junit).unwrap()).1, 1);
}

#[test]
fn a_crowd_of_samples_gives_a_small_page() {
    let mut draft = Draft::new("load/crowd", "Many samples", "", 1);
    let mut dice = synthetic::Dice::new(7);
    for n in 0..60_000 {
        let at = f64::from(n) / 1_000.0;
        draft.value(at, "message_time", dice.tail(0.1), &[("path", if n % 3 == 0 { "relayed" } else { "direct" })]);
        draft.category(at, "message", "delivered", &[]);
    }
    let (_dir, _, html) = report(&[draft]);
    assert!(html.len() < 100_000, "{}", html.len());
    assert!(html.contains("40000 samples"));
}
