//! What the choice of relays came to: homes, the load of relays, and how long it took when one died.
//!
//! | module | noun |
//! |---|---|
//! | [`home`] | who was at home where, and when |
//! | [`load`] | what each relay carried over time, and how evenly |
//! | [`time`] | failover, reach and stretch as distributions |

mod home;
mod load;
mod time;

use std::cmp::Reverse;
use std::collections::BTreeMap;

pub(crate) use load::mean_share;

use super::Figure;
use crate::palette::{CATEGORIES, Colour, MUTED};
use crate::plot::PlotError;
use crate::scenario::Scenario;

/// Relays with a colour of their own; more colours could not be told apart.
const COLOURED: usize = CATEGORIES.len();

/// Every figure about relays; none where there was nothing to choose.
pub(crate) fn figures(scenario: &Scenario) -> Result<Vec<Figure>, PlotError> {
    if !took_part(scenario) {
        return Ok(Vec::new());
    }
    let mut figures = time::outages(scenario)?;
    figures.extend(home::figure(scenario)?);
    figures.extend(load::figures(scenario)?);
    figures.extend(time::stretch(scenario)?);
    Ok(figures)
}

/// Whether there were several relays, so that one could be chosen.
pub(crate) fn took_part(scenario: &Scenario) -> bool {
    relays(scenario).len() > 1
}

/// The relays that the scenario measured, by name.
pub(crate) fn relays(scenario: &Scenario) -> Vec<String> {
    let mut names: Vec<String> = scenario.samples("relay_bytes").map(|sample| sample.tag("relay").to_owned()).collect();
    names.sort_by_key(|name| natural(name));
    names.dedup();
    names
}

/// A key by which `relay-10` comes after `relay-9`.
fn natural(name: &str) -> (String, u64) {
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (word, number) = name.split_at(name.len() - digits);
    (word.to_owned(), number.parse().unwrap_or(0))
}

/// A colour for each of the relays that were home most often, the same in every plot; the others are grey.
fn colours(scenario: &Scenario) -> BTreeMap<String, Colour> {
    let mut homes: BTreeMap<&str, usize> = BTreeMap::new();
    for change in scenario.samples("home_change") {
        *homes.entry(change.tag("relay")).or_default() += 1;
    }
    let mut names = relays(scenario);
    // Stable: of equals the first by name.
    names.sort_by_key(|name| Reverse(homes.get(name.as_str()).copied().unwrap_or_default()));
    names.truncate(COLOURED);
    names.sort_by_key(|name| natural(name));
    names.into_iter().zip(CATEGORIES).collect()
}

/// The colour of a relay without one of its own.
const OTHER: Colour = MUTED;

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn the_tenth_relay_comes_after_the_ninth() {
        let mut names = ["relay-10", "relay-9", "eu", "relay-1"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["eu", "relay-1", "relay-9", "relay-10"]);
    }
}
