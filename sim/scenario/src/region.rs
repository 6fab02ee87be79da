//! Regions and the latency between them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bound;
use crate::fields::{Fields, Section};
use crate::names::Names;
use crate::problem::{Problems, quote};
use crate::source::Place;
use crate::tree::{Kind, Node};
use crate::value;

/// The network between access links.
#[derive(Debug, Clone, PartialEq)]
pub struct Core {
    /// Region names; one with an empty name when the scenario has none.
    pub regions: Vec<String>,
    /// One-way latency by the indices of two regions; symmetric.
    pub latency: Vec<Vec<Duration>>,
    /// Added to the latency of each packet: uniform from zero to this.
    pub jitter: Duration,
    /// Share of packets lost, each by itself.
    pub loss: f64,
}

/// Latency of the network between access links when a scenario has no regions.
const LATENCY: Duration = Duration::from_millis(10);

/// A built-in set of regions by name: one-way latencies in milliseconds. Source and arithmetic: `docs/scenarios.md`.
pub const WORLD: (&str, [(&str, &str, u64); 10]) = (
    "world",
    [
        ("eu", "eu", 7),
        ("us", "us", 19),
        ("sa", "sa", 10),
        ("au", "au", 10),
        ("eu", "us", 67),
        ("eu", "sa", 92),
        ("eu", "au", 134),
        ("us", "sa", 92),
        ("us", "au", 70),
        ("sa", "au", 157),
    ],
);

pub(crate) const REGIONS: Section = Section { name: "`regions`", fields: &["latency", "jitter", "loss"] };

impl Core {
    /// The network of a scenario without regions.
    pub(crate) fn plain() -> Self {
        Self { regions: vec![String::new()], latency: vec![vec![LATENCY]], jitter: Duration::ZERO, loss: 0.0 }
    }

    /// The network between these pairs of regions, with their latencies in milliseconds.
    fn of(latencies: &[(&str, &str, u64)]) -> Self {
        let mut regions = Vec::new();
        for (a, b, _) in latencies {
            index(&mut regions, a);
            index(&mut regions, b);
        }
        let mut latency = vec![vec![Duration::ZERO; regions.len()]; regions.len()];
        for (a, b, milliseconds) in latencies {
            let [a, b] = [a, b].map(|name| index(&mut regions, name));
            latency[a][b] = Duration::from_millis(*milliseconds);
            latency[b][a] = latency[a][b];
        }
        Self { regions, latency, jitter: Duration::ZERO, loss: 0.0 }
    }

    pub(crate) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        let fields = Fields::open(node, &REGIONS, problems)?;
        let jitter = fields.latency("jitter", problems);
        let loss = fields.share("loss", problems);
        let node = fields.require("latency", problems)?;
        if let Kind::Scalar { .. } = &node.kind {
            let latencies =
                value::word(node, "a map of pairs of regions, or a set of them", &[(WORLD.0, WORLD.1)], problems)?;
            return Some(Self { jitter, loss, ..Self::of(&latencies) });
        }
        let mut regions = Vec::new();
        let mut pairs: BTreeMap<(usize, usize), Duration> = BTreeMap::new();
        for (key, value) in value::map(node, "pairs of regions", bound::ENTRIES, problems)? {
            let latency = value::duration(value, bound::LATENCY, problems);
            let Some([a, b]) = pair(key, problems) else { continue };
            let [a, b] = [a, b].map(|name| index(&mut regions, name));
            if pairs.insert((a.min(b), a.max(b)), latency.unwrap_or_default()).is_some() {
                problems.add(key.place, "the same pair of regions again", "each pair once, in either order");
            }
        }
        if regions.is_empty() {
            problems.add(node.place, "no regions", "at least one, such as `eu-eu: 10ms`");
            return None;
        }
        let mut matrix = vec![vec![Duration::ZERO; regions.len()]; regions.len()];
        for a in 0..regions.len() {
            for b in a..regions.len() {
                let Some(latency) = pairs.get(&(a, b)) else {
                    let missing = quote(&format!("{}-{}", regions[a], regions[b]));
                    problems.add(node.place, format!("no latency of {missing}"), "one for every pair of regions");
                    continue;
                };
                matrix[a][b] = *latency;
                matrix[b][a] = *latency;
            }
        }
        Some(Self { regions, latency: matrix, jitter, loss })
    }

    /// The index of a region.
    pub(crate) fn find(&self, name: &str, place: Place, problems: &mut Problems<'_>) -> Option<usize> {
        Names::new("a region of this scenario", self.regions.iter().filter(|name| !name.is_empty()))
            .find(name, place, problems)
    }
}

/// `eu-us` as two names.
fn pair<'n>(key: &'n Node, problems: &mut Problems<'_>) -> Option<[&'n str; 2]> {
    const EXPECTED: &str = "two regions such as `eu-us`, each of letters and digits";
    let text = value::text(key, EXPECTED, problems)?;
    let plain = |name: &str| {
        !name.is_empty() && name.len() <= bound::NAME && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match text.split_once('-') {
        Some((a, b)) if plain(a) && plain(b) => Some([a, b]),
        _ => {
            problems.add(key.place, quote(text), EXPECTED);
            None
        }
    }
}

fn index(regions: &mut Vec<String>, name: &str) -> usize {
    regions.iter().position(|region| region == name).unwrap_or_else(|| {
        regions.push(name.to_string());
        regions.len() - 1
    })
}
