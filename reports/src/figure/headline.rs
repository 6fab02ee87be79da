//! The few numbers that tell how a scenario went.

use darkswap_records::statistic::{self, Percentile, percentile};
use darkswap_records::unit::{show_count, show_ratio, show_seconds, show_share};

use super::relay;
use crate::run::Run;
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
        headline(
            "Failover p95",
            "from the death of a home relay until a fresh dial reaches the host again, 95th percentile",
            time(scenario, "failover_time", 950),
        ),
        headline(
            "Unreachable a day",
            "time of a day in which a host cannot be reached through any relay, mean over hosts",
            mean(scenario, "unreachable_per_day").map(show_seconds),
        ),
        headline(
            "Flaps an hour",
            "changes of home by choice per host and hour, mean",
            relay::took_part(scenario).then(|| mean(scenario, "flaps").map(show_count)).flatten(),
        ),
        headline(
            "Stretch",
            "round trip over the relay of each circuit by the direct one, by the scenario's latencies, median",
            rank(scenario, "circuit_stretch", 500).map(show_ratio),
        ),
        headline(
            "Fairness",
            "Jain's index of the bytes, reservations and circuits of relays, mean over seeds: 1 when all carry the same",
            relay::took_part(scenario).then(|| fairness(scenario)).flatten(),
        ),
    ]
}

fn share(scenario: &Scenario, figure: &str, these: &[&str], all: &[&str]) -> Option<String> {
    let all = scenario.count(figure, all);
    (all > 0).then(|| show_share(scenario.count(figure, these) as f64 / all as f64))
}

fn time(scenario: &Scenario, figure: &str, tenths: u16) -> Option<String> {
    rank(scenario, figure, tenths).map(show_seconds)
}

fn rank(scenario: &Scenario, figure: &str, tenths: u16) -> Option<f64> {
    let values: Vec<f64> = scenario.samples(figure).map(|sample| sample.value).collect();
    Percentile::of_tenths(tenths).and_then(|rank| percentile(&values, rank).ok())
}

fn mean(scenario: &Scenario, figure: &str) -> Option<f64> {
    let values: Vec<f64> = scenario.samples(figure).map(|sample| sample.value).collect();
    statistic::mean(&values).ok()
}

fn fairness(scenario: &Scenario) -> Option<String> {
    let index = |run: &Run| {
        let values: Vec<f64> = run.samples("relay_load").iter().map(|sample| sample.value).collect();
        statistic::jain(&values).ok()
    };
    let indices: Vec<f64> = scenario.runs.iter().filter_map(index).collect();
    statistic::mean(&indices).ok().map(show_ratio)
}
