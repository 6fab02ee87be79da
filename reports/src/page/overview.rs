//! The first screen: what this is, what ran, the verdict, every scenario in one row.

use darkswap_records::summary::{RunSummary, Status, Summary};
use darkswap_records::unit::show_seconds;

use super::section::Section;
use super::table::{Align, Column, number, table, text};
use super::{counted, failure};
use crate::escape::{Escaped, anchor};

const WHAT: &str = "DarkSwap is a peer-to-peer trading node. Here its real code ran inside a deterministic simulated network of \
                    hosts, NATs, links and faults: a <b>scenario</b> describes the network and what is expected of it, a <b>seed</b> \
                    fixes every random choice, and the same scenario, seed and commit give the same packets every time.";

/// Words that a newcomer needs.
const GLOSSARY: [(&str, &str); 6] = [
    ("Run", "One scenario with one seed. It passes when every expectation holds and every fault touched something."),
    (
        "NAT",
        "The address translation of a home or mobile router, which keeps hosts behind it from being reached at will.",
    ),
    (
        "Direct path",
        "Two hosts exchange packets without anybody between them, often after hole punching through their NATs.",
    ),
    ("Relayed path", "A third host, the relay, forwards the packets of two hosts that cannot reach each other."),
    ("p95", "The value that 95 of 100 samples do not exceed; the median is the value that half of them do not exceed."),
    (
        "Fault",
        "A disturbance on the scenario's timeline, such as a partition, a crash or a router that forgets its mappings.",
    ),
];

/// Words that a newcomer needs where WebRTC took part.
const WEBRTC_GLOSSARY: [(&str, &str); 6] = [
    (
        "WebRTC",
        "The standard by which browsers talk directly: ICE finds a path, then encrypted data channels run over it.",
    ),
    (
        "ICE",
        "Interactive connectivity establishment: both hosts collect candidates, tell each other, and try every pair until one works.",
    ),
    (
        "Candidate",
        "An address at which a host may be reached: its own (host), one that its NAT gave it (reflexive), or one at a TURN server \
         (relayed).",
    ),
    (
        "STUN, TURN",
        "A STUN server tells a host its address from outside; a TURN server lends it one and forwards what comes there.",
    ),
    (
        "DCUtR",
        "The hole punching of libp2p: two hosts with a relayed connection dial each other at the same moment, here over QUIC.",
    ),
    (
        "Data channel",
        "One of many independent streams of messages on a WebRTC connection, with a priority and rules for losses.",
    ),
];

/// Words that a newcomer needs where there were relays to choose from.
const RELAY_GLOSSARY: [(&str, &str); 6] = [
    (
        "Reservation",
        "A relay's promise to forward what others want to tell a host behind a NAT. The host announces the addresses of its relays; without one it cannot be reached.",
    ),
    ("Home relay", "The relay that a host announces first, chosen by its policy from what it measured."),
    ("Standby", "A second relay that a host holds a reservation on and announces, for when its home dies."),
    ("Failover time", "From the death of a home relay until somebody who dials the host afresh reaches it again."),
    ("Flap", "A change of home although the old one still worked."),
    (
        "Stretch, fairness",
        "How many times as long the round trip over a relay is as the direct one; and Jain's index, 1 when all relays carry the same.",
    ),
];

/// Everything above the first section.
pub(super) fn overview(summary: &Summary, sections: &[Section]) -> String {
    let what = format!("<p class=\"what\">{WHAT}</p>\n");
    let webrtc: &[_] = if sections.iter().any(|section| section.webrtc) { &WEBRTC_GLOSSARY } else { &[] };
    let relays: &[_] = if sections.iter().any(|section| section.relays) { &RELAY_GLOSSARY } else { &[] };
    let words = GLOSSARY.iter().chain(relays).chain(webrtc);
    let words: String = words.map(|(word, meaning)| format!("<dt>{word}</dt><dd>{meaning}</dd>")).collect();
    let glossary =
        format!("<details class=\"glossary\"><summary>Words used here</summary><dl>{words}</dl></details>\n");
    format!(
        "<header>\n<p class=\"brand\">DarkSwap <span>simulation report</span></p>\n{}{what}{}{glossary}</header>\n{}{}",
        verdict(&summary.runs),
        facts(summary, sections),
        failure::failures(&summary.runs),
        scenarios(sections),
    )
}

fn verdict(runs: &[RunSummary]) -> String {
    let (passed, all) = (runs.iter().filter(|run| run.passed).count(), runs.len());
    if all == 0 {
        return "<h1 class=\"verdict fail\"><span class=\"sign\">–</span>Nothing ran</h1>\n".into();
    }
    if passed == all {
        let what = if all == 1 { "The only run passed".into() } else { format!("All {all} runs passed") };
        return format!("<h1 class=\"verdict pass\"><span class=\"sign\">✓</span>{what}</h1>\n");
    }
    let of = |status| runs.iter().filter(|run| run.status == status).count();
    let kinds = [
        (of(Status::Failed), "failed"),
        (of(Status::Crashed), "crashed"),
        (of(Status::Hung), "hung"),
        (of(Status::Invalid), "could not be run"),
    ];
    let kinds: Vec<String> =
        kinds.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let runs = if all == 1 { "run" } else { "runs" };
    format!(
        "<h1 class=\"verdict fail\"><span class=\"sign\">✗</span>{passed} of {all} {runs} passed<small>{}</small></h1>\n",
        kinds.join(", ")
    )
}

fn facts(summary: &Summary, sections: &[Section]) -> String {
    let runs = &summary.runs;
    let outcomes = || runs.iter().flat_map(|run| &run.expectations);
    let (held, all) = (outcomes().filter(|outcome| outcome.held).count(), outcomes().count());
    let simulated: f64 = runs.iter().map(|run| run.simulated_s).sum();
    let wall: f64 = runs.iter().map(|run| run.wall_s).sum();
    let speed = if wall > 0.0 { format!("{:.0} times as fast as real time", simulated / wall) } else { String::new() };
    let seeds = runs.iter().map(|run| run.seed).collect::<std::collections::BTreeSet<_>>();
    let fact = |name: &str, value: String, note: String| {
        format!("<div><dt>{name}</dt><dd>{}<small>{}</small></dd></div>", Escaped(&value), Escaped(&note))
    };
    let facts = [
        fact("Scenarios", sections.len().to_string(), String::new()),
        fact("Runs", runs.len().to_string(), counted(seeds.len(), "seed", "different seeds")),
        fact("Expectations held", format!("{held} of {all}"), String::new()),
        fact("Simulated time", show_seconds(simulated), "summed over runs".into()),
        fact("Wall time", show_seconds(wall), speed),
        fact(
            "Commit",
            short(&summary.commit),
            if summary.commit.ends_with('+') { "with local changes".into() } else { String::new() },
        ),
    ];
    format!("<dl class=\"facts\">{}</dl>\n", facts.concat())
}

/// A commit as people quote it, keeping the sign of a modified tree.
pub(super) fn short(commit: &str) -> String {
    let (hash, modified) = commit.strip_suffix('+').map_or((commit, ""), |hash| (hash, "+"));
    let hexadecimal = hash.len() > 10 && hash.chars().all(|c| c.is_ascii_hexdigit());
    if hexadecimal { format!("{}{modified}", &hash[..10]) } else { commit.to_string() }
}

/// One row per scenario.
fn scenarios(sections: &[Section]) -> String {
    // Columns that no scenario measures are left out.
    let labels: Vec<usize> = (0..sections.first().map_or(0, |section| section.headlines.len()))
        .filter(|index| sections.iter().any(|section| section.headlines[*index].value.is_some()))
        .collect();
    let mut columns = vec![text("Scenario"), number("Passed"), number("Held")];
    if let Some(section) = sections.first() {
        let column = |index: &usize| {
            let headline = &section.headlines[*index];
            Column { heading: headline.label, about: headline.about, align: Align::Number }
        };
        columns.extend(labels.iter().map(column));
    }
    columns.push(Column { heading: "Simulated", about: "simulated time, summed over seeds", align: Align::Number });
    let rows = sections.iter().map(|section| row(section, &labels));
    format!("<section>\n<h2>Scenarios</h2>\n{}</section>\n", table(&columns, rows))
}

fn row(section: &Section, headlines: &[usize]) -> Vec<String> {
    let sign = if section.passed() { "<span class=\"pass\">✓</span>" } else { "<span class=\"fail\">✗</span>" };
    let link = format!("{sign}&nbsp;<a href=\"#{}\">{}</a>", anchor(&section.name), Escaped(&section.name));
    let held = if section.outcomes == 0 { "–".into() } else { format!("{}/{}", section.held, section.outcomes) };
    let mut row = vec![link, format!("{}/{}", section.passed, section.runs), held];
    row.extend(headlines.iter().map(|index| section.headlines[*index].value.clone().unwrap_or_else(|| "–".into())));
    row.push(show_seconds(section.simulated_s));
    row
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_long_commit_is_quoted_short_and_stays_marked_as_modified() {
        assert_eq!(short("0123456789abcdef0123+"), "0123456789+");
        assert_eq!(short("unknown"), "unknown");
    }
}
