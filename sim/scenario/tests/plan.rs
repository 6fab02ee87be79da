//! What a plan becomes, and what a person reads when it is wrong.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::path::Path;

use darkswap_scenario::plan::{self, Base, Plan, SECTIONS};
use darkswap_scenario::{Problem, Scenario};
use proptest::prelude::*;

const BASE: &str = "\
title: Two homes
duration: 30s
seeds: 1..3
regions: {latency: {eu-eu: 15ms}, loss: 1%}
hosts:
  relay: {role: relay}
  peer: {nat: home, count: 2}
load:
  - {connect: {from: peer, to: peer, pairs: all}, at: 5s}
expect:
  - share(path == direct) >= 70%
";

const PLAN: &str = "\
title: Transports
scenario: ../base.yaml
seeds: 1..4
set: {duration: 20s}
variants:
  quic: {about: as it is}
  tcp: {set: {hosts.*.transports: [tcp], expect: [share(path == relayed) == 100%]}}
parameters:
  loss: {set: regions.loss, values: [1%, 5%]}
  peers: {set: hosts.peer.count, values: [2, 3, 4]}
compare: [p95(connect_time), share(path == direct)]
";

fn check(plan: &str, base: &str) -> Result<Plan, Vec<Problem>> {
    plan::check_bytes("suite/transports", "transports.plan.yaml", plan.as_bytes(), |path| {
        assert_eq!(path, "../base.yaml");
        Ok(Base { name: "base".into(), file: "base.yaml".into(), bytes: base.into() })
    })
}

fn problems(old: &str, new: &str) -> String {
    assert_eq!(PLAN.matches(old).count(), 1, "{old}");
    let problems = check(&PLAN.replace(old, new), BASE).err().unwrap_or_default();
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

#[track_caller]
fn shows(old: &str, new: &str, expected: &str) {
    let shown = problems(old, new);
    assert!(shown == expected, "shown:\n{shown}\nexpected:\n{expected}");
}

#[test]
fn a_plan_becomes_every_variant_at_every_point() {
    let plan = check(PLAN, BASE).unwrap();
    assert_eq!((plan.name.as_str(), plan.scenario.as_str(), plan.baseline), ("suite/transports", "base", 0));
    assert_eq!(plan.seeds, [1, 2, 3, 4]);
    assert_eq!(plan.points[0], "loss=1%,peers=2");
    assert_eq!(plan.points[5], "loss=5%,peers=4");
    let scenarios: Vec<&Scenario> = plan.scenarios.iter().map(|resolved| &resolved.scenario).collect();
    assert_eq!(scenarios.len(), 12);
    assert_eq!(scenarios[11].name, "suite/transports/tcp/loss=5%,peers=4");
    assert_eq!([0, 11].map(|at| scenarios[at].host_count()), [3, 5]);
    assert!(scenarios.iter().all(|scenario| scenario.duration.as_secs() == 20));
    assert!(
        plan.scenarios[11].text.contains("\n  relay: {role: relay, transports: [tcp]}\n"),
        "{}",
        plan.scenarios[11].text
    );
    assert!(plan.scenarios[0].text.contains("\n  loss: 1%\n") && !plan.scenarios[0].text.contains("seeds"));
}

#[test]
fn the_text_of_a_variant_does_not_depend_on_how_its_base_is_laid_out() {
    let spread = BASE
        .replace(
            "regions: {latency: {eu-eu: 15ms}, loss: 1%}",
            "# Much is lost.\nregions:\n    latency:\n      eu-eu: 15ms\n    loss:   '1%'",
        )
        .replace("1..3", "7");
    let texts =
        |base| check(PLAN, base).unwrap().scenarios.into_iter().map(|resolved| resolved.text).collect::<Vec<_>>();
    assert_eq!(texts(BASE), texts(&spread));
}

#[test]
fn nothing_removes_a_field_and_a_number_finds_an_item() {
    let set = "{duration: 20s, regions: ~, load.1.at: 6s}";
    let plan = PLAN.replace("{duration: 20s}", set).replace("  loss: {set: regions.loss, values: [1%, 5%]}\n", "");
    let text = check(&plan, BASE).unwrap().scenarios.swap_remove(0).text;
    assert!(!text.contains("regions") && text.contains("pairs: all}, at: 6s}"), "{text}");
}

#[test]
fn one_seed_is_refused() {
    shows(
        "1..4",
        "7",
        "\
transports.plan.yaml:3:8: found one seed, `7`, expected at least 2: one seed cannot tell a difference from chance, and some 30 show a small one
  |
3 | seeds: 7
  |        ^
",
    );
}

#[test]
fn a_wrong_value_is_shown_where_the_plan_says_it_and_once() {
    shows(
        "hosts.*.transports: [tcp]",
        "hosts.*.transports: [tpc]",
        "\
transports.plan.yaml:7:36: found `tpc`, expected a transport: quic, tcp, websocket, webrtc
  |
7 |   tcp: {set: {hosts.*.transports: [tpc], expect: [share(path == relayed) == 100%]}}
  |                                    ^^^
  = help: in the variant tcp at loss=1%,peers=2; did you mean `tcp`?
",
    );
}

#[test]
fn a_wrong_field_is_shown_within_its_path() {
    let shown = problems("hosts.*.transports", "hosts.peer.transprots");
    assert!(
        shown.starts_with("transports.plan.yaml:7:26: found `transprots`, expected a field of a host: "),
        "{shown}"
    );
    assert!(shown.ends_with("did you mean `transports`?\n"), "{shown}");
}

#[test]
fn a_part_of_an_expectation_is_shown_within_the_plan() {
    let shown = problems("share(path == relayed)", "share(path == relaid)");
    assert!(shown.starts_with("transports.plan.yaml:7:65: found `relaid`, expected a category of `path`"), "{shown}");
}

#[test]
fn a_path_that_leads_nowhere_names_what_there_is() {
    shows(
        "hosts.peer.count",
        "hosts.pear.count",
        "\
transports.plan.yaml:10:22: found `pear`, expected what the scenario has there: relay, peer
   |
10 |   peers: {set: hosts.pear.count, values: [2, 3, 4]}
   |                      ^^^^
   = help: did you mean `peer`?
",
    );
    assert!(problems("{duration: 20s}", "{load.2.at: 1s}").contains("the number of an item, from 1 to 1, or `*`"));
    assert!(problems("{duration: 20s}", "{title.x: 1s}").contains("`x` of `Two homes`"));
    assert!(problems("{duration: 20s}", "{seeds: 1..2}").contains("seeds are the plan's own"));
    assert!(problems("{duration: 20s}", "{load..at: 1s}").contains("expected a path such as"));
}

#[test]
fn what_a_variant_breaks_in_the_scenario_is_shown_there_with_the_variant() {
    let shown = problems("{duration: 20s}", "{duration: 4s}");
    assert!(shown.starts_with("base.yaml:9:55: found `5s`"), "{shown}");
    assert!(shown.contains("= help: in the variant quic at loss=1%,peers=2"), "{shown}");
    assert_eq!(shown.matches("found").count(), 1, "{shown}");
}

#[test]
fn a_wrong_scenario_is_shown_as_it_is() {
    let problems = check(PLAN, &BASE.replace("role: relay", "role: raley")).unwrap_err();
    assert_eq!((problems.len(), problems[0].file.as_str(), problems[0].place.line), (1, "base.yaml", 6));
    assert_eq!((problems[0].found.as_str(), &problems[0].help), ("`raley`", &None));
}

#[test]
fn a_plan_has_something_to_compare() {
    assert!(problems("p95(connect_time)", "p95(conect_time)").contains("did you mean `connect_time`?"));
    assert!(problems("p95(connect_time)", "p95(connect_time) < 3s").contains("expected the end of the line"));
    assert!(problems("p95(connect_time)", "share(path == direct)").contains("each measure once"));
    assert!(problems("p95(connect_time)", "p95(connect_time where from == pear-1)").contains("did you mean `peer-1`?"));
    assert!(problems("  quic: {about: as it is}\n", "").contains("one variant, expected at least 2"));
    let baseline = problems("compare:", "baseline: quick\ncompare:");
    assert!(baseline.contains("found `quick`") && baseline.contains("did you mean `quic`?"), "{baseline}");
    assert!(problems("1..4", "1..900").is_empty());
    assert!(problems("[2, 3, 4]", "[2, 2]").contains("`peers=2` again"));
}

#[test]
fn every_field_is_documented() {
    let reference =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sweeps.md")).unwrap();
    for section in SECTIONS {
        for field in section.fields {
            let row = |line: &str| line.starts_with('|') && line.contains(&format!("`{field}`"));
            assert!(reference.lines().any(row), "`{field}` of {} is not documented", section.name);
        }
    }
}

#[test]
fn every_shipped_plan_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/relay-selection");
    let plans =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| plan::is_plan(path));
    let mut count = 0;
    for path in plans {
        if let Err(problems) = plan::check(&path) {
            panic!("{}", problems.iter().map(|problem| format!("{problem}\n\n")).collect::<String>());
        }
        count += 1;
    }
    assert!(count > 0);
}

/// Problems lie within one of the texts and can be shown.
fn survives(plan: &str, base: &str) {
    if let Err(problems) = plan::check_bytes("p", "p.plan.yaml", plan.as_bytes(), |_| {
        Ok(Base { name: "base".into(), file: "base.yaml".into(), bytes: base.into() })
    }) {
        assert!(!problems.is_empty());
        for problem in problems {
            let text = if problem.file == "base.yaml" { base } else { plan };
            assert!(problem.place.line <= text.lines().count().max(1) + 1, "{problem}");
        }
    }
}

proptest! {
    #[test]
    fn a_damaged_plan_never_panics(at in 0_usize..600, length in 0_usize..20, new in "[ -~\n]{0,12}") {
        let damaged = |text: &str| {
            let at = at % text.len();
            let end = (at + length).min(text.len());
            format!("{}{new}{}", &text[..at], &text[end..])
        };
        survives(&damaged(PLAN), BASE);
        survives(PLAN, &damaged(BASE));
    }

    #[test]
    fn any_override_never_panics(path in "[a-z0-9.*]{1,20}", value in "[ -~]{0,30}") {
        survives(&PLAN.replace("{duration: 20s}", &format!("{{{path}: {value}}}")), BASE);
        survives(&PLAN.replace("{duration: 20s}", &format!("{{hosts.{path}: {value}}}")), BASE);
    }
}

#[test]
fn a_star_before_more_names_means_the_entries_that_have_the_next_one() {
    let base = BASE.replace("count: 2}", "count: 2, relay_selection: {standbys: 1}}");
    let plan = |path: &str| PLAN.replace("{about: as it is}", &format!("{{set: {{{path}: lowest_latency}}}}"));
    let checked = check(&plan("hosts.*.relay_selection.policy"), &base).unwrap();
    let hosts: Vec<_> = checked.scenarios[0].scenario.topology(1).hosts;
    assert!(hosts[0].relay_selection.is_none(), "a relay chooses none");
    assert_eq!(hosts[1].relay_selection.map(|chosen| (chosen.policy, chosen.standbys)), Some(("lowest_latency", 1)));
    let wrong = check(&plan("hosts.*.relay_selction.policy"), &base).unwrap_err();
    assert!(wrong[0].to_string().contains("found `relay_selction`"), "{}", wrong[0]);
}
