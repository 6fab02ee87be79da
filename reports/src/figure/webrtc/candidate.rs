//! The kinds of the candidates that ICE selected, by kind of NAT.

use std::collections::BTreeMap;

use super::super::{Figure, nat_pairs};
use super::{Part, place};
use crate::palette::{BLUE, GREEN, ORANGE, PURPLE};
use crate::plot::split_map::{self, Cell};
use crate::plot::{Key, PlotError};
use crate::run::{Run, Sample};
use crate::scenario::Scenario;

/// Kinds of candidates (RFC 8445, section 5.1.1).
const KINDS: [Part; 4] = [
    ("host", BLUE, "an address of the host itself"),
    ("server_reflexive", PURPLE, "its address as a STUN server sees it"),
    ("peer_reflexive", GREEN, "its address as the peer sees it"),
    ("relayed", ORANGE, "an address at a TURN server, which forwards"),
];
/// What they are called in a candidate (RFC 8839, section 5.1).
const TYPES: [&str; KINDS.len()] = ["host", "srflx", "prflx", "relay"];

/// How often each own kind was selected with each kind of the peer.
type Tally = [[u64; KINDS.len()]; KINDS.len()];

/// The map; none when ICE selected nothing, or with too many kinds of NAT.
pub(super) fn figure(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let mut tallies: BTreeMap<(String, String), Tally> = BTreeMap::new();
    for sample in scenario.runs.iter().flat_map(last) {
        let Some(pair) = nat_pairs::pair(sample) else { continue };
        if let (Some(own), Some(remote)) = (place(&KINDS, &sample.category), place(&KINDS, sample.tag("remote_kind"))) {
            tallies.entry(pair).or_default()[own][remote] += 1;
        }
    }
    let kinds = nat_pairs::kinds(scenario, tallies.keys());
    if !(1..=nat_pairs::KINDS).contains(&kinds.len()) {
        return Ok(None);
    }
    let cells = nat_pairs::cells(&kinds, |pair| tallies.get(pair).map(cell));
    let title = "Candidates that ICE selected, by kind of NAT";
    let plot = split_map::draw(title, &kinds, &cells, legend(tallies.values()))?;
    Ok(Some(Figure {
        title: title.into(),
        reading: "Each cell divides the WebRTC connections between two kinds of NAT by their candidates, the kinds of address that \
                  ICE chose last: the upper bar is the own one of a host behind the NAT of the row, the lower bar its peer's behind \
                  the NAT of the column; in words, the most frequent pair. A dash: ICE chose none, or was not used."
            .into(),
        plot,
        notes: Vec::new(),
        tables: vec!["candidate_pair"],
    }))
}

/// The last sample of each host and peer of a run.
fn last(run: &Run) -> impl Iterator<Item = &Sample> {
    let samples = run.samples("candidate_pair").iter();
    let by_pair: BTreeMap<_, _> = samples.map(|sample| ((sample.tag("from"), sample.tag("to")), sample)).collect();
    by_pair.into_values()
}

fn own(tally: &Tally) -> [u64; KINDS.len()] {
    tally.map(|remotes| remotes.iter().sum())
}

fn cell(tally: &Tally) -> Cell {
    let remote: [u64; KINDS.len()] = std::array::from_fn(|kind| tally.iter().map(|remotes| remotes[kind]).sum());
    let pairs = (0..KINDS.len()).flat_map(|own| (0..KINDS.len()).map(move |remote| (own, remote)));
    let (most_own, most_remote) = pairs.rev().max_by_key(|(own, remote)| tally[*own][*remote]).unwrap_or((0, 0));
    let bar = |counts: [u64; KINDS.len()]| {
        KINDS.iter().zip(counts).map(|((_, colour, _), count)| (*colour, count as f64)).collect()
    };
    Cell { text: format!("{}–{}", TYPES[most_own], TYPES[most_remote]), bars: vec![bar(own(tally)), bar(remote)] }
}

/// The kinds that there are at either end, with how often each is the own one.
fn legend<'a>(tallies: impl Iterator<Item = &'a Tally>) -> Vec<Key> {
    let mut sum = [0; KINDS.len()];
    let mut seen = [false; KINDS.len()];
    for tally in tallies {
        for (own, remotes) in tally.iter().enumerate() {
            for (remote, count) in remotes.iter().enumerate().filter(|(_, count)| **count > 0) {
                sum[own] += count;
                seen[own] = true;
                seen[remote] = true;
            }
        }
    }
    let all: u64 = sum.iter().sum();
    let key = |kind: usize| {
        let (name, colour, about) = KINDS[kind];
        let label =
            if name == TYPES[kind] { name.into() } else { format!("{} ({})", name.replace('_', " "), TYPES[kind]) };
        Key::solid(colour, label, format!("{about}: {} of {all} ends", sum[kind]))
    };
    (0..KINDS.len()).filter(|kind| seen[*kind]).map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_has_the_own_kind_above_the_peers() {
        let mut tally = Tally::default();
        tally[1][0] = 3;
        tally[2][0] = 1;
        let cell = cell(&tally);
        assert_eq!(cell.text, "srflx–host");
        assert_eq!(cell.bars[0], [(BLUE, 0.0), (PURPLE, 3.0), (GREEN, 1.0), (ORANGE, 0.0)]);
        assert_eq!(cell.bars[1], [(BLUE, 4.0), (PURPLE, 0.0), (GREEN, 0.0), (ORANGE, 0.0)]);
    }

    #[test]
    fn the_legend_explains_the_kinds_at_either_end() {
        let mut tally = Tally::default();
        tally[1][0] = 3;
        let labels: Vec<String> = legend([tally].iter()).into_iter().map(|key| key.label).collect();
        assert_eq!(labels, ["host", "server reflexive (srflx)"]);
    }
}
