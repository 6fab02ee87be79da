//! What a report holds of runs in which WebRTC took part.

use std::collections::BTreeMap;

use darkswap_records::record::{Event, Record};

use super::synthetic::webrtc::{channels, race, relayed_by_turn, webrtc};
use super::synthetic::{Draft, suite};
use super::{report, titles};

#[test]
fn what_webrtc_did_is_shown_where_it_took_part_and_nowhere_else() {
    let drafts: Vec<Draft> = webrtc().into_iter().chain(suite()).collect();
    let (dir, _, html) = report(&drafts);
    let of = |scenario: &str| -> Vec<&str> {
        html.split("<figure").skip(1).filter(|figure| figure.contains(&format!("{scenario} · seed"))).collect()
    };
    assert_eq!(
        titles(&of("webrtc/race")),
        [
            "Direct paths by kind of NAT",
            "Which transport carries a pair, by kind of NAT",
            "Candidates that ICE selected, by kind of NAT",
            "Time to set up a path, by transport",
            "State of ICE over time",
            "Time to connect",
            "Time to change the path",
        ]
    );
    assert_eq!(
        titles(&of("webrtc/priorities")),
        ["Throughput of a data channel, by priority", "Time to open a data channel", "Time to complete a data channel"]
    );
    assert_eq!(
        titles(&of("nat/matrix")),
        ["Direct paths by kind of NAT", "Time to connect", "Time to change the path"]
    );
    assert!(of("webrtc/race").iter().all(|figure| figure.contains("seeds 1–8 · commit 4f2a9c81d0")));
    assert!(html.contains("<dt>Candidate</dt>"));
    for table in ["candidate_pair", "negotiation", "channel_bytes", "channel_open_time"] {
        assert!(dir.path().join(format!("out/csv/{table}.csv")).exists(), "{table}");
    }
}

#[test]
fn a_page_without_webrtc_does_not_explain_it() {
    let (_dir, _, html) = report(&suite());
    assert!(!html.contains("WebRTC") && !html.contains("ICE"));
}

#[test]
fn only_the_last_candidates_of_a_pair_count() {
    let (_dir, _, html) = report(&[relayed_by_turn(2), race(1)]);
    let map = |scenario: &str| {
        let mut figures = html.split("<figure").filter(|figure| figure.contains(&format!("{scenario} · seed")));
        figures.find(|figure| figure.contains("<h3>Candidates that ICE")).unwrap().to_string()
    };
    assert!(map("webrtc/turn").contains("relay–relay") && map("webrtc/turn").contains("2 of 2 ends"));
    // Two hosts that are not public tried their own addresses first, and kept none of them.
    assert!(map("webrtc/race").contains("srflx–srflx") && !map("webrtc/race").contains("host–host"));
}

#[test]
fn pairs_without_a_connection_come_first_and_the_rows_are_bounded() {
    let (_dir, _, html) = report(&(1..=8).map(race).collect::<Vec<_>>());
    let figure = html.split("<figure").find(|figure| figure.contains("<h3>State of ICE")).unwrap();
    let at = |text: &str| figure.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(at("not connected in 15") < at("interrupted") && at("interrupted") < at("better timelines are not shown"));
    assert_eq!(figure.matches(" ↔ ").count(), 12);
    // Both faults are marked with their numbers.
    assert!(figure.contains(">1</text>") && figure.contains(">2</text>"));
}

#[test]
fn the_transport_that_carries_most_pairs_of_a_cell_is_named() {
    let (_dir, _, html) = report(&(1..=8).map(race).collect::<Vec<_>>());
    let figure = html.split("<figure").find(|figure| figure.contains("<h3>Which transport")).unwrap();
    assert!(figure.contains("relayed 100") && figure.contains(">quic ") && figure.contains(">webrtc "));
    assert!(figure.contains("no direct path, a relay forwards: 24 of 200 pairs"), "{figure}");
}

#[test]
fn a_higher_priority_is_listed_first_with_its_share() {
    let (_dir, _, html) = report(&[channels(1)]);
    let figure = html.split("<figure").find(|figure| figure.contains("<h3>Throughput of a data")).unwrap();
    let at = |text: &str| figure.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(at(">high: ") < at(">medium: ") && at(">low: ") < at(">very low: "));
    assert!(figure.contains("%), 25 channels") && html.contains("1 of 100 channels failed."));
}

#[test]
fn a_connection_that_flaps_without_end_gives_a_small_page() {
    let mut draft = relayed_by_turn(1);
    let event = |n: u64| {
        let state = ["checking", "connected", "failed", "a new state"][n as usize % 4];
        let fields = [("peer", "<b>&"), ("state", state)].map(|(name, value)| (name.to_string(), value.to_string()));
        let (at_us, host, kind) = (n * 1_000, "left".to_string(), "ice_state".to_string());
        Record::Event(Event { at_us, host, kind, fields: BTreeMap::from(fields) })
    };
    draft.records.extend((0..50_000).map(event));
    let (_dir, _, html) = report(&[draft]);
    assert!(html.len() < 120_000, "{}", html.len());
    assert!(html.contains("&lt;b&gt;&amp;") && !html.contains("<b>&"));
}
