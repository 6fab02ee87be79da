//! Variants, parameters and what is compared, as a plan's file says them.

use std::collections::BTreeSet;

use darkswap_records::expectation::Measure;

use super::Variant;
use super::path::Path;
use crate::fields::{Fields, Section};
use crate::problem::{Problems, quote};
use crate::source::Place;
use crate::tree::{Kind, Node};
use crate::{bound, names, value};

/// A plan's fields.
pub const PLAN: Section = Section {
    name: "a plan",
    fields: &["title", "about", "scenario", "seeds", "set", "variants", "baseline", "parameters", "compare"],
};

/// A variant's fields.
pub const VARIANT: Section = Section { name: "a variant", fields: &["about", "set"] };

/// A parameter's fields.
pub const PARAMETER: Section = Section { name: "a parameter", fields: &["set", "values"] };

/// Fewest variants: one has nothing to be compared with.
const VARIANTS: usize = 2;

/// A value and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Override<'n> {
    pub(super) path: Path,
    pub(super) value: &'n Node,
}

/// Reads a map of paths and values.
pub(super) fn overrides<'n>(node: &'n Node, problems: &mut Problems<'_>) -> Vec<Override<'n>> {
    let entries = value::map(node, "paths and values", bound::ENTRIES, problems).unwrap_or_default();
    entries.iter().filter_map(|(key, value)| Some(Override { path: Path::read(key, problems)?, value })).collect()
}

/// Reads the variants; at least two.
pub(super) fn variants<'n>(node: &'n Node, problems: &mut Problems<'_>) -> Vec<(Variant, Vec<Override<'n>>)> {
    let Some(entries) = value::map(node, "variants", bound::VARIANTS, problems) else { return Vec::new() };
    if entries.len() < VARIANTS {
        let expected = format!("at least {VARIANTS}, or there is nothing to compare");
        problems.add(node.place, counted(entries.len(), "variant"), expected);
    }
    let mut variants = Vec::new();
    for (key, node) in entries {
        let name = value::name(key, problems);
        let Some(fields) = Fields::open(node, &VARIANT, problems) else { continue };
        let about = fields.find("about").and_then(|node| value::prose(node, bound::TITLE, problems));
        let set = fields.find("set").map_or_else(Vec::new, |node| overrides(node, problems));
        variants.extend(name.map(|name| (Variant { name, about: about.unwrap_or_default() }, set)));
    }
    variants
}

/// Reads which variant others are compared with: the first unless the plan says otherwise.
pub(super) fn baseline(
    fields: &Fields<'_>,
    variants: &[(Variant, Vec<Override<'_>>)],
    problems: &mut Problems<'_>,
) -> usize {
    let Some(node) = fields.find("baseline") else { return 0 };
    let known: Vec<&str> = variants.iter().map(|(variant, _)| variant.name.as_str()).collect();
    let expected = names::expected("a variant", &known);
    let Some(name) = value::text(node, &expected, problems) else { return 0 };
    let at = known.iter().position(|known| *known == name);
    if at.is_none() {
        problems.add_unknown(node.place, name, expected, known.iter().copied());
    }
    at.unwrap_or(0)
}

/// Reads the parameters and gives every choice of one value for each, the last parameter changing fastest.
pub(super) fn points<'n>(fields: &Fields<'n>, problems: &mut Problems<'_>) -> Vec<(String, Vec<Override<'n>>)> {
    let mut points = vec![(String::new(), Vec::new())];
    let Some(node) = fields.find("parameters") else { return points };
    for (key, node) in value::map(node, "parameters", bound::PARAMETERS, problems).unwrap_or_default() {
        let name = value::name(key, problems).unwrap_or_default();
        let Some(values) = parameter(&name, node, problems) else { continue };
        if points.len().saturating_mul(values.len()) > bound::POINTS {
            let found = format!("more than {} points with {}", bound::POINTS, quote(&name));
            problems.add(key.place, found, format!("at most {}: a plan of its own for some", bound::POINTS));
            return points;
        }
        points = points
            .iter()
            .flat_map(|(label, set): &(String, Vec<Override<'n>>)| {
                values.iter().map(move |(own, more)| {
                    let label = if label.is_empty() { own.clone() } else { format!("{label},{own}") };
                    (label, set.iter().chain(more).cloned().collect())
                })
            })
            .collect();
    }
    points
}

/// A parameter's values with their labels, such as `loss=5%`.
fn parameter<'n>(name: &str, node: &'n Node, problems: &mut Problems<'_>) -> Option<Vec<(String, Vec<Override<'n>>)>> {
    let fields = Fields::open(node, &PARAMETER, problems)?;
    let set = fields.require("set", problems);
    let paths: Vec<&Node> = match set.map(|set| &set.kind) {
        Some(Kind::List(items)) => items.iter().collect(),
        Some(Kind::Scalar { .. } | Kind::Null | Kind::Map(_)) => set.into_iter().collect(),
        None => Vec::new(),
    };
    if let (Some(set), []) = (set, paths.as_slice()) {
        problems.add(set.place, "an empty list", "at least one path");
    }
    let paths: Vec<Path> = paths.into_iter().filter_map(|node| Path::read(node, problems)).collect();
    let node = fields.require("values", problems)?;
    let values = value::list(node, "values", bound::VALUES, problems)?;
    if values.is_empty() {
        problems.add(node.place, "an empty list", "at least one value");
    }
    let mut seen = BTreeSet::new();
    let mut labelled = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let label = format!("{name}={}", label(value, index));
        if !seen.insert(label.clone()) {
            problems.add(value.place, format!("{} again", quote(&label)), "each value once");
        }
        let set = paths.iter().map(|path| Override { path: path.clone(), value });
        labelled.push((label, set.collect()));
    }
    Some(labelled)
}

/// A value as part of a file name: its text where that is short and plain, else its number.
fn label(value: &Node, index: usize) -> String {
    let plain =
        |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '%'));
    match &value.kind {
        Kind::Scalar { text, .. } if plain(text) && !text.is_empty() && text.len() <= bound::NAME => text.clone(),
        Kind::Scalar { .. } | Kind::Null | Kind::List(_) | Kind::Map(_) => format!("{}", index + 1),
    }
}

/// Reads what is compared; at least one, none twice.
pub(super) fn measures<'n>(node: &'n Node, problems: &mut Problems<'_>) -> Vec<(&'n Node, Measure)> {
    const EXPECTED: &str = "what to compare, such as `p95(connect_time)`";
    let Some(items) = value::list(node, "what to compare", bound::MEASURES, problems) else { return Vec::new() };
    if items.is_empty() {
        problems.add(node.place, "an empty list", EXPECTED);
    }
    let mut measures: Vec<(&Node, Measure)> = Vec::new();
    for item in items {
        let Some(line) = value::text(item, EXPECTED, problems) else { continue };
        match Measure::parse(line) {
            Ok(measure) if measures.iter().any(|(_, known)| known.line == measure.line) => {
                problems.add(item.place, format!("{} again", quote(line)), "each measure once");
            }
            Ok(measure) => measures.push((item, measure)),
            Err(error) => {
                let help = error.nearest.map(|nearest| format!("did you mean `{nearest}`?"));
                let place = part(item, error.offset, error.length, problems);
                problems.add_help(place, error.found, error.expected, help);
            }
        }
    }
    measures
}

/// The place of some bytes of a scalar's text, when the file says it literally.
pub(super) fn part(node: &Node, from: usize, length: usize, problems: &Problems<'_>) -> Place {
    match &node.kind {
        Kind::Scalar { offset: Some(offset), .. } => Place::of_bytes(problems.source.text, offset + from, length),
        _ => node.place,
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("one {noun}") } else { format!("{count} {noun}s") }
}
