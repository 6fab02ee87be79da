//! Who reaches whom directly, by kind of NAT.

use std::collections::{BTreeMap, BTreeSet};

use super::Figure;
use crate::plot::PlotError;
use crate::plot::heat_map::{self, Cell, Mark};
use crate::run::Sample;
use crate::scenario::Scenario;

/// Most kinds of one map; a crowd of one-off combinations is no matrix.
pub(super) const KINDS: usize = 16;
/// Most deviating pairs that are listed below the map.
const LISTED: usize = 12;

/// Pairs of one (from, to) kind.
#[derive(Debug, Default)]
struct Tally {
    direct: u64,
    all: u64,
    worse: BTreeMap<String, u64>,
    better: BTreeMap<String, u64>,
}

/// The heat map; none when there are fewer than two kinds of NAT or too many.
pub(crate) fn figure(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let tallies = tallies(scenario);
    let measured = tallies.iter().filter(|(_, tally)| tally.all > 0).map(|(pair, _)| pair);
    let kinds = kinds(scenario, measured);
    if !(2..=KINDS).contains(&kinds.len()) {
        return Ok(None);
    }
    let cells = cells(&kinds, |pair| tallies.get(pair).and_then(Tally::cell));
    let title = "Direct paths by kind of NAT";
    let plot = heat_map::draw(title, &kinds, &cells)?;
    Ok(Some(Figure {
        title: title.into(),
        reading: "Each cell is the share of pairs, in per cent, that talk directly at the end of the run: row is the NAT of the \
                  host that asked to connect, column the NAT of the other; what is missing to 100 goes through a relay or failed."
            .into(),
        plot,
        notes: notes(&kinds, &tallies),
        tables: vec!["path", "direct_possible"],
    }))
}

impl Tally {
    fn cell(&self) -> Option<Cell> {
        let mark = match (self.worse.is_empty(), self.better.is_empty()) {
            (false, _) => Mark::Worse,
            (true, false) => Mark::Better,
            (true, true) => Mark::None,
        };
        (self.all > 0).then(|| Cell { share: self.direct as f64 / self.all as f64, mark })
    }
}

fn tallies(scenario: &Scenario) -> BTreeMap<(String, String), Tally> {
    let mut tallies: BTreeMap<(String, String), Tally> = BTreeMap::new();
    for sample in scenario.samples("path") {
        let Some(pair) = pair(sample) else { continue };
        let tally = tallies.entry(pair).or_default();
        tally.all += 1;
        tally.direct += u64::from(&*sample.category == "direct");
    }
    for sample in scenario.samples("direct_possible") {
        let Some(pair) = pair(sample) else { continue };
        let tally = tallies.entry(pair).or_default();
        let deviations = match &*sample.category {
            "worse" => &mut tally.worse,
            "better" => &mut tally.better,
            _ => continue,
        };
        *deviations.entry(sample.tag("predicate").to_string()).or_default() += 1;
    }
    tallies
}

/// The kinds of NAT that a sample is between; none when it does not say.
pub(super) fn pair(sample: &Sample) -> Option<(String, String)> {
    let (from, to) = (sample.tag("from_nat"), sample.tag("to_nat"));
    (!from.is_empty() && !to.is_empty()).then(|| (from.to_string(), to.to_string()))
}

/// The kinds of these pairs in the order in which the scenario lists its hosts; any other after them.
pub(super) fn kinds<'a>(
    scenario: &'a Scenario,
    pairs: impl Iterator<Item = &'a (String, String)> + Clone,
) -> Vec<String> {
    let hosts = scenario.runs.iter().filter_map(|run| run.head.as_ref()).flat_map(|head| &head.hosts);
    let used: BTreeSet<&String> = pairs.clone().flat_map(|(from, to)| [from, to]).collect();
    let listed = hosts.map(|host| &host.nat).filter(|kind| used.contains(kind));
    let mut kinds: Vec<String> = Vec::new();
    for kind in listed.chain(pairs.flat_map(|(from, to)| [from, to])) {
        if !kinds.contains(kind) {
            kinds.push(kind.clone());
        }
    }
    kinds
}

/// A row of cells for each kind, with a column for each.
pub(super) fn cells<T>(kinds: &[String], cell: impl Fn(&(String, String)) -> Option<T>) -> Vec<Vec<Option<T>>> {
    let row = |from: &String| kinds.iter().map(|to| cell(&(from.clone(), to.clone()))).collect();
    kinds.iter().map(row).collect()
}

fn notes(kinds: &[String], tallies: &BTreeMap<(String, String), Tally>) -> Vec<String> {
    let sizes = || tallies.values().map(|tally| tally.all).filter(|all| *all > 0);
    let mut notes = match (sizes().min(), sizes().max()) {
        (Some(one), Some(other)) if one == other => vec![format!("Pairs per cell: {one}.")],
        (Some(least), Some(most)) => vec![format!("Pairs per cell: {least} to {most}.")],
        _ => Vec::new(),
    };
    let mut deviations = Vec::new();
    for (from, to) in kinds.iter().flat_map(|from| kinds.iter().map(move |to| (from, to))) {
        let Some(tally) = tallies.get(&(from.clone(), to.clone())) else { continue };
        let worse = tally.worse.iter().map(|(by, count)| ("▼", count, "worse", by));
        let better = tally.better.iter().map(|(by, count)| ("▲", count, "better", by));
        for (sign, count, word, by) in worse.chain(better) {
            let predicate = if by.is_empty() { "predicted".into() } else { format!("the predicate “{by}” says") };
            deviations.push(format!("{sign} {from} → {to}: {count} of {} pairs {word} than {predicate}.", tally.all));
        }
    }
    let hidden = deviations.len().saturating_sub(LISTED);
    deviations.truncate(LISTED);
    notes.extend(deviations);
    if hidden > 0 {
        notes.push(format!("… and {hidden} more, see the table."));
    }
    notes
}
