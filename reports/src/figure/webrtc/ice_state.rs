//! The state of ICE over time, for the pairs that had the most trouble.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;

use darkswap_records::unit::show_seconds;

use super::super::Figure;
use crate::palette::{AXIS, BLUE, Colour, GREEN, ORANGE, PURPLE, RULE, VERMILLION};
use crate::plot::state_line::{self, Change, Row, Strip};
use crate::plot::{Key, PlotError};
use crate::run::{IceChange, Run};
use crate::scenario::Scenario;

/// Most pairs that are shown: a screenful.
const ROWS: usize = 12;
/// What is shown before the first change and after the last, as a share of the time between.
const MARGIN: f64 = 0.06;
/// The least that is shown before and after, in seconds.
const LEAST_MARGIN: f64 = 0.05;

/// A state of an ICE agent, as the WebRTC specification names them (section 5.6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    New,
    Checking,
    Connected,
    Completed,
    Disconnected,
    Failed,
    Closed,
}

/// Each state with its name in records, its colour, and what it means.
const STATES: [(State, &str, Colour, &str); 7] = [
    (State::New, "new", AXIS, "nothing was checked yet"),
    (State::Checking, "checking", PURPLE, "pairs of candidates are being tried"),
    (State::Connected, "connected", GREEN, "a pair works"),
    (State::Completed, "completed", BLUE, "a pair works and no other is tried"),
    (State::Disconnected, "disconnected", ORANGE, "the pair no longer answers"),
    (State::Failed, "failed", VERMILLION, "no pair works; its beginning has a stroke"),
    (State::Closed, "closed", RULE, "the connection ended"),
];

/// The changes at one end of a pair, ascending in time.
type End = Vec<(u64, State)>;

/// A pair in one run.
#[derive(Debug)]
struct Pair<'a> {
    run: &'a Run,
    hosts: [Rc<str>; 2],
    ends: [End; 2],
}

/// How much trouble a pair had; less is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Trouble {
    outcome: Outcome,
    waited_us: Reverse<u64>,
}

/// How it went with a pair, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    NeverConnected,
    Interrupted,
    Connected,
}

/// The strips; none without a change of state.
pub(super) fn figure(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let mut pairs: Vec<Pair<'_>> = scenario.runs.iter().flat_map(pairs).collect();
    pairs.sort_by_cached_key(|pair| (pair.trouble(), pair.run.summary.seed, pair.hosts.clone()));
    let all = pairs.len();
    // Of each pair the worst seed: otherwise one pair that cannot connect would fill the figure.
    let mut shown: Vec<Pair<'_>> = Vec::new();
    for pair in pairs {
        if shown.len() < ROWS && shown.iter().all(|other| other.hosts != pair.hosts) {
            shown.push(pair);
        }
    }
    let Some(range) = range(scenario, &shown) else { return Ok(None) };
    let several = scenario.runs.len() > 1;
    let rows: Vec<Row> = shown.iter().map(|pair| pair.row(several)).collect();
    let title = "State of ICE over time";
    let plot = state_line::draw(title, range, &rows, &scenario.spans(), legend(&shown))?;
    let hidden = all - shown.len();
    let faults = if scenario.faults.is_empty() { "" } else { " Shaded: faults, numbered as in the list above." };
    let seeds = if several { ", of each pair its worst seed" } else { "" };
    Ok(plot.map(|plot| Figure {
        title: title.into(),
        reading: format!(
            "ICE looks for a pair of addresses over which two hosts reach each other. Each row is one pair of hosts, the upper strip \
             the first of them and the lower the second, coloured by the state of its ICE agent. Pairs that failed come first, then \
             those that were interrupted, then the slowest{seeds}.{faults}"
        ),
        plot,
        notes: if hidden > 0 { vec![format!("{} not shown.", left_out(hidden))] } else { Vec::new() },
        tables: Vec::new(),
    }))
}

fn left_out(hidden: usize) -> String {
    if hidden == 1 { "1 better timeline is".into() } else { format!("{hidden} better timelines are") }
}

/// The pairs of a run.
fn pairs(run: &Run) -> Vec<Pair<'_>> {
    let mut pairs: BTreeMap<[Rc<str>; 2], [End; 2]> = BTreeMap::new();
    for IceChange { at_us, host, peer, state } in &run.ice {
        let Some((state, ..)) = STATES.iter().find(|(_, name, ..)| *name == &**state) else { continue };
        let (hosts, end) = if host <= peer { ([host, peer], 0) } else { ([peer, host], 1) };
        pairs.entry(hosts.map(Rc::clone)).or_default()[end].push((*at_us, *state));
    }
    let pair = |(hosts, mut ends): ([Rc<str>; 2], [End; 2])| {
        for end in &mut ends {
            // Stable: changes of one moment stay in the order in which they were reported.
            end.sort_by_key(|(at_us, _)| *at_us);
        }
        Pair { run, hosts, ends }
    };
    pairs.into_iter().map(pair).collect()
}

impl Pair<'_> {
    fn trouble(&self) -> Trouble {
        let troubles = self.ends.iter().filter(|end| !end.is_empty()).map(|end| trouble(end, self.run.end_s));
        troubles.min().unwrap_or(Trouble { outcome: Outcome::Connected, waited_us: Reverse(0) })
    }

    fn row(&self, several: bool) -> Row {
        let Trouble { outcome, waited_us: Reverse(waited_us) } = self.trouble();
        let waited = show_seconds(waited_us as f64 / 1e6);
        let outcome = match outcome {
            Outcome::NeverConnected => format!("not connected in {waited}"),
            Outcome::Interrupted => format!("connected in {waited}, interrupted"),
            Outcome::Connected => format!("connected in {waited}"),
        };
        let seed = if several { format!(" · seed {}", self.run.summary.seed) } else { String::new() };
        let strip = |end: &End| Strip {
            changes: end.iter().map(|(at_us, state)| change(*at_us, *state)).collect(),
            until: self.run.end_s,
        };
        Row {
            label: format!("{} ↔ {}", self.hosts[0], self.hosts[1]),
            note: format!("{outcome}{seed}"),
            strips: self.ends.iter().map(strip).collect(),
        }
    }
}

/// The trouble at one end: from its first change until it first connected, and what came then.
fn trouble(end: &End, end_s: f64) -> Trouble {
    let start = end.first().map_or(0, |(at_us, _)| *at_us);
    let works = |state: State| matches!(state, State::Connected | State::Completed);
    let Some(first) = end.iter().position(|(_, state)| works(*state)) else {
        let last = end.last().map_or(start, |(at_us, state)| match state {
            State::Failed | State::Closed => *at_us,
            State::New | State::Checking | State::Connected | State::Completed | State::Disconnected => {
                (end_s * 1e6) as u64
            }
        });
        return Trouble { outcome: Outcome::NeverConnected, waited_us: Reverse(last.saturating_sub(start)) };
    };
    let broke = |(_, state): &(u64, State)| matches!(state, State::Disconnected | State::Failed);
    let outcome = if end.iter().any(broke) { Outcome::Interrupted } else { Outcome::Connected };
    Trouble { outcome, waited_us: Reverse(end[first].0.saturating_sub(start)) }
}

fn change(at_us: u64, state: State) -> Change {
    let colour = STATES.iter().find(|(known, ..)| *known == state).map_or(AXIS, |(_, _, colour, _)| *colour);
    Change { at: at_us as f64 / 1e6, colour, marked: state == State::Failed }
}

/// The time that is worth showing: every change of the pairs and every fault, with a margin.
fn range(scenario: &Scenario, pairs: &[Pair<'_>]) -> Option<(f64, f64)> {
    let changes = pairs.iter().flat_map(|pair| pair.ends.iter().flatten()).map(|(at_us, _)| *at_us as f64 / 1e6);
    let faults = scenario.faults.iter().flat_map(|fault| [Some(fault.span.from), fault.span.until]).flatten();
    let low = changes.clone().chain(faults.clone()).min_by(f64::total_cmp)?;
    let high = changes.clone().chain(faults).max_by(f64::total_cmp)?;
    changes.clone().next()?;
    let margin = ((high - low) * MARGIN).max(LEAST_MARGIN);
    Some(((low - margin).max(0.0), (high + margin).min(scenario.end_s().max(high + LEAST_MARGIN))))
}

/// The states that are seen.
fn legend(pairs: &[Pair<'_>]) -> Vec<Key> {
    let seen =
        |state: State| pairs.iter().flat_map(|pair| pair.ends.iter().flatten()).any(|(_, other)| *other == state);
    let states = STATES.iter().filter(|(state, ..)| seen(*state));
    states.map(|(_, name, colour, about)| Key::solid(*colour, *name, *about)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_come_before_interruptions_before_slow_ones() {
        let of = |end: &[(u64, State)]| trouble(&end.to_vec(), 60.0);
        let never = of(&[(0, State::Checking), (9_000_000, State::Failed)]);
        let waits = of(&[(0, State::Checking)]);
        let interrupted = of(&[(0, State::Checking), (10, State::Connected), (90, State::Disconnected)]);
        let slow =
            of(&[(5, State::New), (6, State::Checking), (4_000_005, State::Completed), (5_000_000, State::Closed)]);
        let quick = of(&[(0, State::Checking), (100, State::Connected)]);
        assert!(waits < never && never < interrupted && interrupted < slow && slow < quick);
        assert_eq!(slow.waited_us, Reverse(4_000_000));
        assert_eq!(waits.waited_us, Reverse(60_000_000));
    }
}
