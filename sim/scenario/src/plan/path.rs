//! Where in a scenario something is set.

use crate::problem::{Problems, quote};
use crate::source::Place;
use crate::tree::{Kind, Node};

use super::section::part;

/// Most steps of a path: the nesting of a scenario.
const STEPS: usize = crate::bound::DEPTH;

/// Names of fields, numbers of list items from 1, and `*` for all of them, joined by dots: `hosts.*.transports`, `load.1.at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// At least one.
    pub(super) steps: Vec<Step>,
}

/// One name of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) place: Place,
}

/// What stands for every field or item.
pub(super) const EVERY: &str = "*";

impl Path {
    pub(super) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        const EXPECTED: &str = "a path such as `regions.loss` or `hosts.*.transports`";
        let Kind::Scalar { text, .. } = &node.kind else {
            problems.add(node.place, node.describe(), EXPECTED);
            return None;
        };
        let mut offset = 0;
        let mut steps = Vec::new();
        for name in text.split('.') {
            if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) || steps.len() == STEPS {
                problems.add(node.place, quote(text), EXPECTED);
                return None;
            }
            steps.push(Step { name: name.to_string(), place: part(node, offset, name.len(), problems) });
            offset += name.len() + 1;
        }
        if steps[0].name == "seeds" || steps[0].name == EVERY {
            let expected = "the path of a field; seeds are the plan's own, and no value fits every section";
            problems.add(steps[0].place, quote(&steps[0].name), expected);
            return None;
        }
        Some(Self { steps })
    }
}
