//! The few numbers that tell how a scenario went.

use darkswap_records::statistic::{Percentile, percentile};
use darkswap_records::unit::{show_seconds, show_share};

use crate::scenario::Scenario;

/// A number with its name, over all seeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Headline {
    /// What it is, short enough for a column.
    pub(crate) label: &'static str,
    /// What it is, in full.
    pub(crate) about: &'static str,
    /// Its value; none when the scenario does not measure it.
    pub(crate) value: Option<String>,
}

/// The same numbers in the same order for every scenario.
pub(crate) fn headlines(scenario: &Scenario) -> Vec<Headline> {
    let headline = |label, about, value| Headline { label, about, value };
    let delivered = share(scenario, "message", &["delivered"], &["delivered", "failed", "lost"]);
    vec![
        headline(
            "Direct pairs",
            "pairs that talk directly at the end",
            share(scenario, "path", &["direct"], &["direct", "relayed", "failed"]),
        ),
        headline("Connect median", "time to the first usable path, median", time(scenario, "connect_time", 500)),
        headline("Connect p95", "time to the first usable path, 95th percentile", time(scenario, "connect_time", 950)),
        headline("Round trip", "round-trip time, median", time(scenario, "round_trip", 500)),
        headline("Delivered", "messages that were delivered", delivered),
        headline(
            "Gossip reach",
            "subscribers that gossip reached",
            share(scenario, "gossip", &["delivered"], &["delivered", "missed"]),
        ),
        headline(
            "Settled",
            "trades that their makers agreed to and that a block has",
            share(scenario, "trade", &["settled"], &["settled", "aborted", "open"]),
        ),
        headline(
            "Recovery p95",
            "time until a pair talks again after a fault, 95th percentile",
            time(scenario, "recovery_time", 950),
        ),
    ]
}

fn share(scenario: &Scenario, figure: &str, these: &[&str], all: &[&str]) -> Option<String> {
    let all = scenario.count(figure, all);
    (all > 0).then(|| show_share(scenario.count(figure, these) as f64 / all as f64))
}

fn time(scenario: &Scenario, figure: &str, tenths: u16) -> Option<String> {
    let values: Vec<f64> = scenario.samples(figure).map(|sample| sample.value).collect();
    Percentile::of_tenths(tenths).and_then(|rank| percentile(&values, rank).ok()).map(show_seconds)
}
