//! A plan: variants of one scenario at points of parameters under seeds, and what is compared.
//!
//! | module | noun |
//! |---|---|
//! | `path` | where in a scenario something is set: `hosts.peer.transports` |
//! | `document` | a YAML document put together from two files, in which every node knows its origin |
//! | `text` | such a document as text, and from a place in it back to its origin |
//! | `section` | variants, parameters and what is compared, as a plan's file says them |
//!
//! A variant at a point is the base scenario with some values replaced. It becomes a text that the scenario's own grammar checks, so
//! a plan can set whatever a scenario can say, and nothing else. Every problem points at the file in which a person wrote it.
//!
//! A plan's file name ends in `.plan.yaml`, by which it is told from a scenario. Its reference is `docs/sweeps.md`.

use std::collections::BTreeSet;
use std::path::Path;

use darkswap_records::expectation::Measure;
use darkswap_records::sweep::scenario_name;

use crate::fields::{Fields, Section};
use crate::problem::{Problem, Problems, quote};
use crate::scenario::Scenario;
use crate::source::Source;
use crate::tree::Node;
use crate::{bound, seeds, tree, value};
use document::Document;
use section::Override;

mod document;
mod path;
mod section;
mod text;

pub use section::{PARAMETER, PLAN, VARIANT};

/// The end of a plan's file name.
pub const EXTENSION: &str = ".plan.yaml";

/// Every kind of map in a plan, for the documentation's test.
pub const SECTIONS: &[Section] = &[PLAN, VARIANT, PARAMETER];

/// Fewest seeds: with one there is no spread, so nothing can be told from chance.
const SEEDS: usize = 2;

/// A checked plan. Every scenario in it is in order.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Path below the scenarios folder without extension, such as `relay-selection/transports`.
    pub name: String,
    /// One line.
    pub title: String,
    /// A longer explanation; may be empty.
    pub about: String,
    /// The name of the scenario that variants change.
    pub scenario: String,
    /// At least two.
    pub variants: Vec<Variant>,
    /// The index of the variant that others are compared with.
    pub baseline: usize,
    /// The names of the points of the parameters; a single empty one when there are none.
    pub points: Vec<String>,
    /// At least two, ascending.
    pub seeds: Vec<u64>,
    /// What is compared; at least one.
    pub measures: Vec<Measure>,
    /// Every variant at every point, by variant and then by point.
    pub scenarios: Vec<Resolved>,
}

/// One thing to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// What it is, in a sentence; may be empty.
    pub about: String,
}

/// A variant at a point.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Index of the variant.
    pub variant: usize,
    /// Index of the point.
    pub point: usize,
    /// The scenario as a file would have it, without its seeds.
    pub text: String,
    /// What that says.
    pub scenario: Scenario,
}

/// Whether a path is that of a plan.
pub fn is_plan(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().ends_with(EXTENSION.as_bytes()))
}

/// Reads and checks a plan and the scenario that it names.
///
/// # Errors
/// Everything that is wrong with the scenario, or else with the plan.
pub fn check(path: &Path) -> Result<Plan, Vec<Problem>> {
    let file = path.display().to_string();
    if !is_plan(path) {
        let found = "a file of another name".to_string();
        return Err(vec![crate::alone(&file, found, &format!("a plan, whose name ends in `{EXTENSION}`"))]);
    }
    let bytes = crate::read(path)?;
    let name = crate::name(path);
    let name = name.strip_suffix(".plan").unwrap_or(&name);
    check_bytes(name, &file, &bytes, |scenario| {
        let base = crate::plain_path(&path.parent().unwrap_or(Path::new("")).join(scenario));
        Ok(Base { name: crate::name(&base), file: base.display().to_string(), bytes: crate::read(&base)? })
    })
}

/// The scenario that a plan names.
#[derive(Debug, Clone)]
pub struct Base {
    /// Its name.
    pub name: String,
    /// What problems call its file.
    pub file: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Checks the content of a plan; `open` gets the scenario by its path as the plan says it.
///
/// # Errors
/// Everything that is wrong with the scenario, or else with the plan.
pub fn check_bytes(
    name: &str,
    file: &str,
    bytes: &[u8],
    open: impl FnOnce(&str) -> Result<Base, Vec<Problem>>,
) -> Result<Plan, Vec<Problem>> {
    let text = crate::decode(file, bytes)?;
    let mut problems = Problems::new(Source { file, text });
    let Some(root) = tree::parse(&mut problems) else { return Err(problems.finish()) };
    let Some(draft) = Draft::read(&root, &mut problems) else { return Err(problems.finish()) };
    let base = open(draft.scenario)?;
    // A base with problems of its own would show them once for each variant.
    crate::check_bytes(&base.name, &base.file, &base.bytes)?;
    let text = crate::decode(&base.file, &base.bytes)?;
    let mut base_problems = Problems::new(Source { file: &base.file, text });
    let Some(base_root) = tree::parse(&mut base_problems) else { return Err(base_problems.finish()) };
    let mut both = Both { plan: problems, base: base_problems };
    let scenarios = draft.resolve(name, &base_root, &mut both);
    draft.known(&scenarios, &mut both.plan);
    if !both.plan.is_empty() || !both.base.is_empty() {
        let mut all = both.plan.finish();
        all.extend(both.base.finish());
        return Err(all);
    }
    let Draft { title, about, variants, baseline, points, seeds, measures, .. } = draft;
    Ok(Plan {
        name: name.to_string(),
        title,
        about,
        scenario: base.name,
        variants: variants.into_iter().map(|(variant, _)| variant).collect(),
        baseline,
        points: points.into_iter().map(|(name, _)| name).collect(),
        seeds,
        measures: measures.into_iter().map(|(_, measure)| measure).collect(),
        scenarios,
    })
}

/// The problems of a plan and of its base.
struct Both<'a> {
    plan: Problems<'a>,
    base: Problems<'a>,
}

/// A plan before its variants are applied.
#[derive(Debug)]
struct Draft<'n> {
    title: String,
    about: String,
    scenario: &'n str,
    seeds: Vec<u64>,
    common: Vec<Override<'n>>,
    variants: Vec<(Variant, Vec<Override<'n>>)>,
    baseline: usize,
    points: Vec<(String, Vec<Override<'n>>)>,
    measures: Vec<(&'n Node, Measure)>,
}

impl<'n> Draft<'n> {
    /// Reads the root of a document; none when some part is wrong.
    fn read(root: &'n Node, problems: &mut Problems<'_>) -> Option<Self> {
        let fields = Fields::open(root, &PLAN, problems)?;
        let title = fields.require("title", problems).and_then(|node| value::prose(node, bound::TITLE, problems));
        let about = fields.find("about").and_then(|node| value::prose(node, bound::ABOUT, problems));
        let scenario = fields
            .require("scenario", problems)
            .and_then(|node| value::text(node, "the path of a scenario file, as seen from the plan", problems));
        let seeds = fields.require("seeds", problems).map(|node| many_seeds(node, problems));
        let common = fields.find("set").map_or_else(Vec::new, |node| section::overrides(node, problems));
        let variants = fields.require("variants", problems).map(|node| section::variants(node, problems));
        let variants = variants.unwrap_or_default();
        let baseline = section::baseline(&fields, &variants, problems);
        let points = section::points(&fields, problems);
        let measures = fields.require("compare", problems).map(|node| section::measures(node, problems));
        let (seeds, measures) = (seeds.unwrap_or_default(), measures.unwrap_or_default());
        let cells = variants.len().saturating_mul(points.len()).saturating_mul(seeds.len());
        if cells > bound::CELLS {
            let found =
                format!("{cells} runs: {} variants, {} points, {} seeds", variants.len(), points.len(), seeds.len());
            problems.add(root.place, found, format!("at most {}", bound::CELLS));
        }
        if !problems.is_empty() {
            return None;
        }
        let about = about.unwrap_or_default();
        Some(Self { title: title?, about, scenario: scenario?, seeds, common, variants, baseline, points, measures })
    }

    /// Every variant at every point; those with problems are left out.
    fn resolve(&self, name: &str, base: &Node, both: &mut Both<'_>) -> Vec<Resolved> {
        let mut resolved = Vec::new();
        for (variant, (about, own)) in self.variants.iter().enumerate() {
            for (point, (label, values)) in self.points.iter().enumerate() {
                let mut document = Document::of(base);
                document.remove("seeds");
                for Override { path, value } in self.common.iter().chain(own).chain(values) {
                    document.set(path, value, &mut both.plan);
                }
                if !both.plan.is_empty() {
                    // The same problem again at every other point would say nothing new.
                    return resolved;
                }
                let written = text::write(&document);
                let scenario = scenario_name(name, &about.name, label);
                match crate::check_bytes(&scenario, "", written.text.as_bytes()) {
                    Ok(scenario) => resolved.push(Resolved { variant, point, text: written.text, scenario }),
                    Err(problems) => {
                        let whose =
                            if label.is_empty() { about.name.clone() } else { format!("{} at {label}", about.name) };
                        problems.iter().for_each(|problem| written.report(problem, &whose, both));
                    }
                }
            }
        }
        resolved
    }

    /// What is compared must be something that these scenarios can have.
    fn known(&self, scenarios: &[Resolved], problems: &mut Problems<'_>) {
        // With problems elsewhere the names are not all there are.
        let complete = scenarios.len() == self.variants.len() * self.points.len();
        for (node, measure) in self.measures.iter().filter(|_| complete) {
            for filter in &measure.filters {
                let hosts: BTreeSet<&str> =
                    scenarios.iter().flat_map(|resolved| resolved.scenario.host_names()).collect();
                let host = matches!(filter.tag, "from" | "to" | "host" | "relay");
                if host && !hosts.contains(filter.value.as_str()) {
                    let place = section::part(node, filter.offset, filter.value.len(), problems);
                    problems.add_unknown(place, &filter.value, "a host of the scenario", hosts);
                }
            }
        }
    }
}

fn many_seeds(node: &Node, problems: &mut Problems<'_>) -> Vec<u64> {
    let before = problems.len();
    let mut seeds = seeds::read(node, problems);
    if problems.len() == before && seeds.len() < SEEDS {
        let found = format!("one seed, {}", quote(&seeds.first().map(u64::to_string).unwrap_or_default()));
        let expected =
            format!("at least {SEEDS}: one seed cannot tell a difference from chance, and some 30 show a small one");
        problems.add(node.place, found, expected);
    }
    seeds.sort_unstable();
    seeds
}
