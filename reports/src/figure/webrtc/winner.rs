//! Which transport carries each pair in the end, by kind of NAT.

use std::collections::BTreeMap;

use super::super::{Figure, nat_pairs};
use super::{CARRIERS, place};
use crate::plot::heat_map::percent;
use crate::plot::split_map::{self, Cell};
use crate::plot::{Key, PlotError};
use crate::scenario::Scenario;

/// How many pairs each carrier has, in the order of [`CARRIERS`].
type Tally = [u64; CARRIERS.len()];

/// The map; none without pairs, or with too many kinds of NAT.
pub(super) fn figure(scenario: &Scenario) -> Result<Option<Figure>, PlotError> {
    let mut tallies: BTreeMap<(String, String), Tally> = BTreeMap::new();
    for sample in scenario.samples("path") {
        let Some(pair) = nat_pairs::pair(sample) else { continue };
        let carrier = if &*sample.category == "direct" { sample.tag("transport") } else { &*sample.category };
        if let Some(place) = place(&CARRIERS, carrier) {
            tallies.entry(pair).or_default()[place] += 1;
        }
    }
    let kinds = nat_pairs::kinds(scenario, tallies.keys());
    if !(1..=nat_pairs::KINDS).contains(&kinds.len()) {
        return Ok(None);
    }
    let cells = nat_pairs::cells(&kinds, |pair| tallies.get(pair).map(cell));
    let title = "Which transport carries a pair, by kind of NAT";
    let plot = split_map::draw(title, &kinds, &cells, legend(tallies.values()))?;
    Ok(Some(Figure {
        title: title.into(),
        reading: "Each cell divides the pairs of two kinds of NAT by what carries them at the end of the run; in words, the most \
                  frequent with its share in per cent. Row is the NAT of the host that asked to connect, column the NAT of the other."
            .into(),
        plot,
        notes: Vec::new(),
        tables: vec!["path"],
    }))
}

fn cell(tally: &Tally) -> Cell {
    let all: u64 = tally.iter().sum();
    // Among equals the first, which is the one without a relay.
    let most = (0..tally.len()).rev().max_by_key(|place| tally[*place]).unwrap_or(0);
    let text = format!("{} {}", CARRIERS[most].0, percent(tally[most] as f64 / all as f64));
    let parts = CARRIERS.iter().zip(tally).map(|((_, colour, _), count)| (*colour, *count as f64));
    Cell { text, bars: vec![parts.collect()] }
}

/// The carriers that there are, with how many pairs each has.
fn legend<'a>(tallies: impl Iterator<Item = &'a Tally>) -> Vec<Key> {
    let mut sum = Tally::default();
    for tally in tallies {
        for (sum, count) in sum.iter_mut().zip(tally) {
            *sum += count;
        }
    }
    let all: u64 = sum.iter().sum();
    let key = |((name, colour, about), count): (&super::Part, u64)| {
        Key::solid(*colour, *name, format!("{about}: {count} of {all} pairs"))
    };
    CARRIERS.iter().zip(sum).filter(|(_, count)| *count > 0).map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_names_the_most_frequent_carrier() {
        assert_eq!(cell(&[3, 0, 0, 9, 0, 0]).text, "webrtc 75");
        assert_eq!(cell(&[0, 0, 0, 0, 4, 0]).text, "relayed 100");
        assert_eq!(cell(&[1, 0, 0, 1, 0, 0]).text, "quic 50");
    }

    #[test]
    fn the_legend_lists_what_there_is() {
        let labels: Vec<String> = legend([[1, 0, 0, 2, 0, 0], [0, 0, 0, 1, 0, 0]].iter())
            .iter()
            .map(|key| format!("{}: {}", key.label, key.note))
            .collect();
        assert_eq!(
            labels,
            [
                "quic: dialled, or hole punched with DCUtR: 1 of 4 pairs",
                "webrtc: dialled, or through ICE, by TURN as well: 3 of 4 pairs"
            ]
        );
    }
}
