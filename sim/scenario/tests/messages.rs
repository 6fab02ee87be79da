//! What a person reads when a scenario is wrong: one case for each class of problem.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use darkswap_scenario::check_bytes;

const PLAIN: &str = "\
title: Two homes
duration: 30s
sites:
  flat: {nat: home}
hosts:
  relay: {role: relay}
  alice: {site: flat}
  bob: {nat: home, count: 2}
load:
  - {connect: {from: alice, to: bob}, at: 5s}
expect:
  - share(path == direct) >= 70%
";

/// The problems of the plain scenario with one text replaced by another.
fn problems(old: &str, new: &str) -> String {
    assert_eq!(PLAIN.matches(old).count(), 1, "{old}");
    let text = PLAIN.replace(old, new);
    let problems = check_bytes("test", "test.yaml", text.as_bytes()).err().unwrap_or_default();
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

#[track_caller]
fn shows(old: &str, new: &str, expected: &str) {
    let shown = problems(old, new);
    assert!(shown == expected, "shown:\n{shown}\nexpected:\n{expected}");
}

#[test]
fn the_plain_scenario_is_valid() {
    assert_eq!(problems("30s", "30s"), "");
}

#[test]
fn a_wrong_field() {
    shows(
        "{nat: home, count: 2}",
        "{nat: home, cuont: 2}",
        "\
test.yaml:8:20: found `cuont`, expected a field of a host: role, count, site, nat, link, region, relays, transports, start, spread, hole_punching, discovery, serves, stun, turn, relay_only, indexers, trader, relay_selection, capacity, conduct, bandwidth
  |
8 |   bob: {nat: home, cuont: 2}
  |                    ^^^^^
  = help: did you mean `count`?
",
    );
}

#[test]
fn a_missing_field() {
    shows(
        "{nat: home}\n",
        "{link: dsl}\n",
        "\
test.yaml:4:9: found a site without `nat`, expected the field `nat`
  |
4 |   flat: {link: dsl}
  |         ^
",
    );
}

#[test]
fn a_field_that_does_not_fit_beside_another() {
    shows(
        "{site: flat}",
        "{site: flat, nat: home}",
        "\
test.yaml:7:23: found `nat`, expected no such field here: the site has it
  |
7 |   alice: {site: flat, nat: home}
  |                       ^^^
",
    );
}

#[test]
fn a_server_that_cannot_be_one() {
    shows(
        "{site: flat}",
        "{site: flat, serves: [stun]}",
        "\
test.yaml:7:31: found a server behind a NAT, expected `serves` at public hosts only
  |
7 |   alice: {site: flat, serves: [stun]}
  |                               ^
",
    );
    assert!(problems("{site: flat}", "{site: flat, stun: bob}").contains("`bob-1`, which is no STUN server"));
    assert!(
        problems("role: relay", "role: relay, serves: [turn, turn]")
            .contains("found `turn` again, expected each service once")
    );
}

#[test]
fn a_chain_that_nobody_serves() {
    shows(
        "hosts:",
        "chain: {blocks: fixed}\nhosts:",
        "\
test.yaml:5:1: found a chain that nobody serves, expected a host with `serves: [indexer]`
  |
5 | chain: {blocks: fixed}
  | ^^^^^
",
    );
    let trader = problems("{site: flat}", "{site: flat, trader: {bitcoin: 1btc}}");
    assert!(trader.contains("found a trader without an indexer"), "{trader}");
    let relay = |fields: &str| problems("role: relay", &format!("role: relay, serves: [indexer]{fields}"));
    assert_eq!(relay(", trader: {bitcoin: 1btc, coins: 20, runes: {GOLD: 1}}"), "");
    assert!(relay(", trader: {}").contains("found `trader` without `bitcoin`"));
    assert!(relay(", trader: {bitcoin: 1}").contains("expected an amount such as `0.5btc` or `2000sat`"));
    assert!(relay(", trader: {bitcoin: 1sat}").contains("expected a value from 20000sat to 1000btc"));
    assert!(relay(", trader: {bitcoin: 1btc, runes: {Gold: 1}}").contains("letters from `A` to `Z`, at most 12"));
    assert!(relay(", trader: {bitcoin: 1btc, runes: {ABCDEFGHIJKLM: 1}}").contains("`ABCDEFGHIJKLM`"));
}

#[test]
fn a_fault_of_the_chain_that_cannot_be() {
    let fault = |served: &str, fault: &str| {
        let text = PLAIN.replace("role: relay", &format!("role: relay{served}"));
        let text = text.replace("expect:", &format!("faults:\n  - {{{fault}, at: 5s}}\nexpect:"));
        let problems = check_bytes("test", "test.yaml", text.as_bytes()).err().unwrap_or_default();
        problems.iter().map(|problem| format!("{problem}\n")).collect::<String>()
    };
    let served = ", serves: [indexer]";
    assert_eq!(fault(served, "lag: relay, blocks: 3, for: 2s"), "");
    assert!(fault("", "reorg: 3").contains("found `reorg` without a chain"));
    assert!(fault(served, "reorg: 0").contains("expected a value from 1 to 100"));
    assert!(fault(served, "reorg: 3, for: 1s").contains("a reorg takes no time"));
    assert!(fault(served, "reorg: 3, blocks: 1").contains("only `lag` is so many blocks behind"));
    assert!(fault(served, "evict: chain").contains("expected what is evicted: mempool"));
    assert!(fault(served, "lag: alice, blocks: 3").contains("`alice`, which is no indexer"));
    assert!(fault(served, "lag: relay").contains("found a fault without `blocks`"));
    assert!(
        fault(served, "lie: relay, how: [truth]").contains("expected a lie: hide, invent, balance, proof, swallow")
    );
}

#[test]
fn a_fault_that_waits_for_what_cannot_be() {
    let fault = |fault: &str| {
        let text = PLAIN.replace("role: relay", "role: relay, serves: [indexer]");
        let text = text.replace("{nat: home, count: 2}", "{nat: home, count: 2, trader: {bitcoin: 1btc}}");
        let text = text.replace("expect:", &format!("faults:\n  - {{{fault}}}\nexpect:"));
        let problems = check_bytes("test", "test.yaml", text.as_bytes()).err().unwrap_or_default();
        problems.iter().map(|problem| format!("{problem}\n")).collect::<String>()
    };
    assert_eq!(fault("crash: bob-1, when: proposed, for: 2s"), "");
    assert_eq!(fault("partition: [[alice], [bob]], when: accepted, of: bob, at: 5s"), "");
    let partition = fault("partition: [[alice], [bob]], when: accepted");
    assert!(partition.contains("found a fault without `of`, expected the field `of`"), "{partition}");
    let crash = fault("crash: alice, when: proposed");
    assert!(crash.contains("`alice`, which is no trader, expected a trader: bob-1, bob-2"), "{crash}");
    let step = fault("crash: bob, when: propsed");
    assert!(step.contains("expected a step of a swap: requested, accepted, proposed, broadcast"), "{step}");
    assert!(step.contains("did you mean `proposed`?"), "{step}");
    let of = fault("crash: bob, at: 5s, of: bob");
    assert!(of.contains("found `of`, expected no such field here: it needs `when`"), "{of}");
    assert!(fault("crash: bob").contains("found a fault without `at`"));
}

#[test]
fn a_trader_that_lies_or_floods_in_an_unknown_way() {
    let text = |lies: &str, how: &str| {
        let text = PLAIN.replace("role: relay", "role: relay, serves: [indexer]");
        let trader = format!("{{nat: home, count: 2, trader: {{bitcoin: 1btc, lies: {lies}}}}}");
        let text = text.replace("{nat: home, count: 2}", &trader);
        let text =
            text.replace("load:\n", &format!("load:\n  - {{flood: {{from: bob, count: 9, how: {how}}}, at: 1s}}\n"));
        let problems = check_bytes("test", "test.yaml", text.as_bytes()).err().unwrap_or_default();
        problems.iter().map(|problem| format!("{problem}\n")).collect::<String>()
    };
    assert_eq!(text("[vanish, forge]", "[orders]"), "");
    let lie = text("[vanish, vanish]", "[orders]");
    assert!(lie.contains("found `vanish` again, expected each lie once"), "{lie}");
    let lie = text("[doublespend]", "[orders]");
    assert!(lie.contains("did you mean `double_spend`?"), "{lie}");
    let flood = text("[vanish]", "[order]");
    assert!(flood.contains("expected a flood: orders, garbage, forgeries, stale"), "{flood}");
}

#[test]
fn a_channel_that_cannot_be() {
    let channel = |fields: &str| {
        let entry = format!("{{channel: {{from: alice, to: bob{fields}}}, at: 5s}}");
        problems(
            "{connect: {from: alice, to: bob}, at: 5s}",
            &format!("{{connect: {{from: alice, to: bob}}, at: 5s}}\n  - {entry}"),
        )
    };
    assert!(channel("").contains("found `channel` without `size`"), "{}", channel(""));
    assert!(channel(", size: 17KiB").contains("found `17KiB`, expected a value from 1B to 16KiB"));
    assert!(channel(", size: 1B, priority: urgent").contains("expected a priority: very_low, low, medium, high"));
    assert!(channel(", size: 1B, priority: []").contains("found an empty list, expected at least one priority"));
    assert!(
        channel(", size: 1B, retransmits: 3, lifetime: 1s")
            .contains("found `lifetime`, expected no such field here: `retransmits` bounds the same")
    );
    assert!(channel(", size: 1B, lifetime: 66s").contains("expected a value from 1ms to 65.535s"));
    let alone = problems("{connect: {from: alice, to: bob}, at: 5s}", "{channel: {from: alice, to: bob, size: 1B}}");
    assert!(alone.contains("found channels between hosts that no `connect` connects"), "{alone}");
}

#[test]
fn a_lie_that_cannot_be_told() {
    let lie = |fields: &str| {
        problems("{connect: {from: alice, to: bob}, at: 5s}", &format!("{{lie: {{from: alice{fields}}}, at: 5s}}"))
    };
    assert_eq!(lie(", to: bob"), "");
    assert!(lie("").contains("found `lie` without `to`"), "{}", lie(""));
    let unknown = lie(", to: bob, how: [replaid]");
    assert!(
        unknown.contains("expected a lie: malformed, oversized, out_of_order, forged, replayed, flood"),
        "{unknown}"
    );
    assert!(unknown.contains("did you mean `replayed`?"), "{unknown}");
    assert!(lie(", to: bob, how: []").contains("found an empty list, expected at least one lie"));
    assert!(lie(", to: bob, how: [flood, flood]").contains("found `flood` again, expected each lie once"));
    assert!(lie(", to: alice").contains("found no pair of two different hosts"));
}

#[test]
fn a_wrong_unit() {
    shows(
        "at: 5s",
        "at: 5sec",
        "\
test.yaml:10:44: found unit `sec`, expected a duration such as `20ms`, `1.5s`, `2m` or `1h`
   |
10 |   - {connect: {from: alice, to: bob}, at: 5sec}
   |                                            ^^^
",
    );
    assert!(problems("duration: 30s", "duration: 30").contains("found `30` without a unit"));
    assert!(problems("duration: 30s", "duration: 30Mbit").contains("2:13: found unit `Mbit`"));
}

#[test]
fn a_value_out_of_range() {
    shows(
        "at: 5s",
        "at: 30s",
        "\
test.yaml:10:43: found `30s`, expected a value from 0s to 29.999s
   |
10 |   - {connect: {from: alice, to: bob}, at: 30s}
   |                                           ^^^
",
    );
    assert!(problems("count: 2", "count: 2001").contains("8:27: found `2001`, expected a value from 1 to 2000"));
    assert!(problems("duration: 30s", "duration: 30s\nseeds: 9..3").contains("3:8: found `9..3`, expected a range"));
}

#[test]
fn an_unknown_name() {
    shows(
        "{nat: home}\n",
        "{nat: symetric}\n",
        "\
test.yaml:4:15: found `symetric`, expected a NAT: ei_ei, ei_ad, ei_apd, ad_ei, ad_ad, ad_apd, apd_ei, apd_ad, apd_apd, home, symmetric, linux_masquerade, … (14 in all)
  |
4 |   flat: {nat: symetric}
  |               ^^^^^^^^
  = help: did you mean `symmetric`?
",
    );
}

#[test]
fn an_unknown_reference() {
    shows(
        "{from: alice, to: bob}",
        "{from: alise, to: bob}",
        "\
test.yaml:10:22: found `alise`, expected a host, population or site: relay, alice, bob, bob-1, bob-2, flat, all
   |
10 |   - {connect: {from: alise, to: bob}, at: 5s}
   |                      ^^^^^
   = help: did you mean `alice`?
",
    );
}

#[test]
fn a_name_that_is_taken() {
    shows(
        "  alice: {site: flat}",
        "  flat: {site: flat}",
        "\
test.yaml:4:3: found a second thing called `flat`, expected a name of its own for every host, population and site; `all` means every host
  |
4 |   flat: {nat: home}
  |   ^^^^
test.yaml:10:22: found `alice`, expected a host, population or site: relay, flat, bob, bob-1, bob-2, flat, all
   |
10 |   - {connect: {from: alice, to: bob}, at: 5s}
   |                      ^^^^^
",
    );
}

#[test]
fn a_wrong_expectation() {
    shows(
        "share(path == direct) >= 70%",
        "share(path == dirct) >= 70%",
        "\
test.yaml:12:19: found `dirct`, expected a category of `path`: direct, relayed, failed
   |
12 |   - share(path == dirct) >= 70%
   |                   ^^^^^
   = help: did you mean `direct`?
",
    );
    shows(
        "share(path == direct) >= 70%",
        "'p95(conect_time) < 3s'",
        "\
test.yaml:12:10: found `conect_time`, expected the name of a figure
   |
12 |   - 'p95(conect_time) < 3s'
   |          ^^^^^^^^^^^
   = help: did you mean `connect_time`?
",
    );
    shows(
        "share(path == direct) >= 70%",
        "share(path == direct where from == bob) >= 70%",
        "\
test.yaml:12:40: found `bob`, expected a host: relay, alice, bob-1, bob-2
   |
12 |   - share(path == direct where from == bob) >= 70%
   |                                        ^^^
",
    );
}

#[test]
fn a_mix_that_does_not_add_up() {
    shows(
        "{nat: home, count: 2}",
        "{nat: {home: 50%, symmetric: 40%}, count: 2}",
        "\
test.yaml:8:14: found shares that sum to 90%, expected shares that sum to 100%
  |
8 |   bob: {nat: {home: 50%, symmetric: 40%}, count: 2}
  |              ^
",
    );
}

#[test]
fn sites_in_a_circle() {
    shows(
        "  flat: {nat: home}",
        "  flat: {nat: home, behind: flat}",
        "\
test.yaml:4:9: found `flat` behind too many sites, expected at most 4 sites in a row, and no circle
  |
4 |   flat: {nat: home, behind: flat}
  |         ^
",
    );
}

#[test]
fn broken_yaml() {
    shows(
        "title: Two homes",
        "title: &a Two homes",
        "\
test.yaml:1:11: found an anchor, expected a plain YAML document without anchors, aliases, merge keys and tags
  |
1 | title: &a Two homes
  |           ^^^^^^^^^
",
    );
    assert!(problems("{site: flat}", "{site: flat").contains("malformed YAML"));
    assert!(problems("duration: 30s", "title: again").contains("2:1: found `title` again, expected each field once"));
}

#[test]
fn several_problems_are_told_at_once_in_their_order() {
    let text = PLAIN.replace("30s", "30").replace("at: 5s", "att: 5s").replace("direct", "drect");
    let problems = check_bytes("test", "test.yaml", text.as_bytes()).unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| (problem.place.line, problem.place.column)).collect();
    assert_eq!(places, [(2, 11), (10, 39), (12, 19)]);
}

#[test]
fn a_file_that_is_no_text_or_not_there() {
    let shown = |bytes: &[u8]| check_bytes("test", "test.yaml", bytes).unwrap_err()[0].to_string();
    assert_eq!(
        shown(b"title: \xff"),
        "test.yaml:1:1: found bytes that are no UTF-8 at offset 7, expected text in UTF-8"
    );
    assert!(shown(b"").starts_with("test.yaml:1:1: found nothing, expected a scenario with the fields title"));
    let missing = darkswap_scenario::check(std::path::Path::new("/nowhere/scenarios/x.yaml")).unwrap_err();
    assert!(missing[0].to_string().starts_with("/nowhere/scenarios/x.yaml:1:1: found no readable file ("));
}

#[test]
fn a_scenario_is_called_after_its_path() {
    let name = |path: &str| darkswap_scenario::name(std::path::Path::new(path));
    assert_eq!(name("scenarios/nat/matrix.yaml"), "nat/matrix");
    assert_eq!(name("/a/scenarios/b/scenarios/quickstart.yaml"), "quickstart");
    assert_eq!(name("elsewhere/mine.yaml"), "mine");
    assert_eq!(name("scenarios"), "");
}

#[test]
fn a_wrong_choice_of_relays() {
    let shown = |selection: &str| {
        problems("nat: home, count: 2}", &format!("nat: home, count: 2, relay_selection: {{{selection}}}}}"))
    };
    assert_eq!(shown("policy: sticky, standbys: 0, parameters: {best_n: 16, load_weight: 1.5}, probe_idle: 90s"), "");
    assert!(
        shown("policy: stiky").contains("8:56: found `stiky`, expected a value of `policy`: lowest_latency, "),
        "{}",
        shown("policy: stiky")
    );
    assert!(shown("policy: stiky").contains("did you mean `sticky`?"));
    assert!(shown("standbys: 9").contains("found `9`, expected a value from 0 to 8"));
    let margin = shown("parameters: {absolute_margn: 20ms}");
    assert!(
        margin.contains("found `absolute_margn`, expected a field of `parameters` of `relay_selection`: unknown_rtt")
    );
    assert!(margin.contains("did you mean `absolute_margin`?"));
    assert!(shown("parameters: {absolute_margin: 20}").contains("without a unit"));
    assert!(shown("parameters: {best_n: 17}").contains("found `17`, expected a value from 1 to 16"));
    assert!(shown("parameters: {load_weight: -1}").contains("found `-1`, expected a number such as `1.5`"));
    assert!(shown("parameters: {relative_margin: 1.5}").contains("found `1.5`, expected a value from 0 to 1"));
    assert_eq!(shown("policy: geographic_hint, hints: regions"), "");
    assert!(shown("hints: region").contains("found `region`, expected a value of `hints`: none, regions"));
    assert!(shown("probe_in_use: 10ms").contains("found `10ms`, expected a value from 1s to 1h"));
}

#[test]
fn what_only_relays_or_only_peers_are_told() {
    let relay = |fields: &str| problems("{role: relay}", &format!("{{role: relay, {fields}}}"));
    assert_eq!(relay("capacity: {reservations: 0, rate: 16Mbit}"), "");
    assert_eq!(relay("conduct: {report: 0%}"), "");
    assert!(
        relay("relay_selection: {}")
            .contains("found `relay_selection`, expected no such field here: a relay uses none")
    );
    assert!(relay("capacity: {reservations: many}").contains("found `many`, expected a whole number"));
    assert!(
        relay("conduct: {hop: serve}").contains("found a relay that does what it should, expected `report`, or `hop`")
    );
    assert!(relay("conduct: {hop: stal}").contains("did you mean `stall`?"));
    for field in ["capacity: {circuits: 1}", "conduct: {hop: refuse}"] {
        let shown = problems("nat: home, count: 2}", &format!("nat: home, count: 2, {field}}}"));
        assert!(shown.contains("expected no such field here: only a relay carries circuits"), "{shown}");
    }
}

#[test]
fn wrong_churn_and_outages() {
    let fault = |text: &str| problems("expect:\n", &format!("faults:\n  - {text}\nexpect:\n"));
    assert_eq!(fault("{churn: {hosts: bob, session: 10s, absence: 2s}, at: 5s}"), "");
    assert!(
        fault("{churn: bob, at: 5s}")
            .contains("expected `churn` with the fields hosts, session, absence, distribution")
    );
    assert!(fault("{churn: {hosts: bob, session: 10s}, at: 5s}").contains("found `churn` without `absence`"));
    let twice = "{churn: {hosts: bob, session: 10s, absence: 2s}, at: 5s}\n  - {crash: bob-2, at: 6s}";
    assert!(fault(twice).contains("found `bob-2` that comes and goes, and stops by another fault"), "{}", fault(twice));
    assert!(
        fault("{region_outage: eu, at: 5s}")
            .contains("found `eu`, expected a region of this scenario, but there is none")
    );
}

#[test]
fn built_in_regions_and_the_mix_of_nats() {
    let world = problems("sites:\n", "regions: {latency: world, jitter: 1ms}\nsites:\n");
    assert_eq!(world, "");
    let wrong = problems("sites:\n", "regions: {latency: wrold}\nsites:\n");
    assert!(wrong.contains("did you mean `world`?"), "{wrong}");
    assert_eq!(problems("nat: home, count: 2}", "nat: internet, count: 50}"), "");
    let own = problems("sites:\n", "nats: {internet: {life: 60s}}\nsites:\n");
    assert!(own.contains("found a NAT called `internet`, expected another name"), "{own}");
}

#[test]
fn wrong_drains() {
    let fault = |text: &str| problems("expect:\n", &format!("faults:\n  - {text}\nexpect:\n"));
    assert_eq!(fault("{drain: relay, at: 5s, within: 20s}"), "");
    assert!(fault("{drain: bob, at: 5s, within: 20s}").contains("found `bob-1`, which is no relay"));
    assert!(fault("{drain: relay, at: 5s}").contains("found a fault without `within`"));
    assert!(fault("{drain: relay, at: 20s, within: 20s}").contains("found a drain that outlasts the run of 30s"));
    assert!(
        fault("{drain: relay, at: 5s, within: 20s, for: 20s}").contains("a relay that has drained does not come back")
    );
    assert!(fault("{crash: relay, at: 5s, within: 20s}").contains("only `drain` takes notice"));
    let twice = "{drain: relay, at: 5s, within: 20s}\n  - {crash: relay, at: 6s}";
    assert!(fault(twice).contains("found `relay` that drains, and stops by another fault"), "{}", fault(twice));
}

#[test]
fn wrong_bandwidths() {
    let host = |text: &str| problems("nat: home, count: 2}", &format!("nat: home, count: 2, bandwidth: {text}}}"));
    for right in [
        "{node_sends: 64KiB, connection_receives: unlimited}",
        "{connection_sends: [{from: \"08:00\", to: \"18:00\", rate: 64KiB}, {from: \"22:00\", to: \"08:00\", rate: 2MiB}]}",
    ] {
        assert_eq!(host(right), "");
    }
    assert!(host("{}").contains("expected at least one of node_sends"));
    assert!(host("{node_sends: fast}").contains("found `fast`"), "{}", host("{node_sends: fast}"));
    assert!(host("{node_sends: 1B}").contains("expected a value from 1KiB to"), "{}", host("{node_sends: 1B}"));
    let span = |from: &str, to: &str| host(&format!("{{node_sends: [{{from: {from:?}, to: {to:?}, rate: 1KiB}}]}}"));
    assert!(span("8:00", "09:00").contains("found `8:00`, expected a time of the day such as `08:00`"));
    assert!(span("08:00", "24:01").contains("found `24:01`"));
    assert!(span("08:00", "08:00").contains("found a span without a minute"));
    let both =
        "{node_sends: [{from: \"01:00\", to: \"03:00\", rate: 1KiB}, {from: \"23:00\", to: \"01:01\", rate: 2KiB}]}";
    assert!(host(both).contains("found a second rate at 01:00, expected spans that do not overlap"), "{}", host(both));
}
