//! Who was at home where, and when: the hosts that moved most.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::super::Figure;
use super::{OTHER, colours};
use crate::palette::{Colour, RULE};
use crate::plot::state_line::{self, Change, Row, Strip};
use crate::plot::{Key, PlotError};
use crate::run::{Run, Sample};
use crate::scenario::Scenario;

/// Most hosts that are shown: a screenful.
const ROWS: usize = 12;
/// What records call a home that is none.
const NONE: &str = "none";

/// A host in one run, with its changes of home in order of time.
struct Host<'a> {
    run: &'a Run,
    name: &'a str,
    changes: Vec<&'a Sample>,
}

/// The strips; none without a home.
pub(super) fn figure(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let mut hosts: Vec<Host<'_>> = scenario.runs.iter().flat_map(hosts).collect();
    hosts.sort_by_cached_key(|host| {
        (Reverse(host.count("failed")), Reverse(host.changes.len()), host.name.to_owned(), host.run.summary.seed)
    });
    let names: BTreeSet<&str> = hosts.iter().map(|host| host.name).collect();
    let (all, mut seen) = (names.len(), BTreeSet::new());
    // Of each host the worst seed: otherwise one host that moves in every seed would fill the figure.
    hosts.retain(|host| seen.len() < ROWS && seen.insert(host.name));
    let colours = colours(scenario);
    let several = scenario.runs.len() > 1;
    let rows: Vec<Row> = hosts.iter().map(|host| host.row(&colours, several)).collect();
    let title = "Home relay over time";
    let plot = state_line::draw(title, (0.0, scenario.end_s()), &rows, &scenario.spans(), legend(&hosts, &colours))?;
    let seeds = if several { ", of each its worst seed" } else { "" };
    let faults = if scenario.faults.is_empty() { "" } else { " Shaded: faults, numbered as in the list above." };
    Ok(plot.map(|plot| Figure {
        title: title.into(),
        reading: format!(
            "Each row is a host that others reach through relays, coloured by its home: the relay that it announces first. A stroke \
             marks where a home failed and another one took over; a change without a stroke was the host's own choice. Hosts that lost a home come first{seeds}.{faults}"
        ),
        plot,
        notes: if all > hosts.len() { vec![format!("{} more hosts moved less and are not shown.", all - hosts.len())] } else { Vec::new() },
        tables: vec!["home_change", "flaps"],
    }))
}

fn hosts(run: &Run) -> Vec<Host<'_>> {
    let mut hosts: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for change in run.samples("home_change") {
        hosts.entry(change.tag("from")).or_default().push(change);
    }
    hosts.into_iter().map(|(name, changes)| Host { run, name, changes }).collect()
}

impl Host<'_> {
    fn count(&self, reason: &str) -> usize {
        self.changes.iter().filter(|change| &*change.category == reason).count()
    }

    fn row(&self, colours: &BTreeMap<String, Colour>, several: bool) -> Row {
        let change = |change: &&Sample| Change {
            at: change.at,
            colour: colour(change.tag("relay"), colours),
            marked: &*change.category == "failed",
        };
        let reasons = [("failed", "failed"), ("ending", "drained"), ("better", "by choice")];
        let moves: Vec<String> = reasons
            .iter()
            .filter_map(|(reason, word)| {
                Some(self.count(reason)).filter(|count| *count > 0).map(|count| format!("{count} {word}"))
            })
            .collect();
        let moves = if moves.is_empty() { "one home".into() } else { moves.join(", ") };
        let seed = if several { format!(" · seed {}", self.run.summary.seed) } else { String::new() };
        let strip = Strip { changes: self.changes.iter().map(change).collect(), until: self.run.end_s };
        Row { label: self.name.to_owned(), note: format!("{moves}{seed}"), strips: vec![strip] }
    }
}

fn colour(relay: &str, colours: &BTreeMap<String, Colour>) -> Colour {
    if relay == NONE { RULE } else { colours.get(relay).copied().unwrap_or(OTHER) }
}

/// The relays that are seen.
fn legend(hosts: &[Host<'_>], colours: &BTreeMap<String, Colour>) -> Vec<Key> {
    let seen: BTreeSet<&str> = hosts.iter().flat_map(|host| &host.changes).map(|change| change.tag("relay")).collect();
    let known = colours.iter().filter(|(name, _)| seen.contains(name.as_str()));
    let mut keys: Vec<Key> = known.map(|(name, colour)| Key::solid(*colour, name, "")).collect();
    if seen.iter().any(|name| *name != NONE && !colours.contains_key(*name)) {
        keys.push(Key::solid(OTHER, "another relay", ""));
    }
    if seen.contains(NONE) {
        keys.push(Key::solid(RULE, "no home", ""));
    }
    keys
}
