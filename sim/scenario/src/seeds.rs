//! The section `seeds`: `7`, `1..4` (both ends included) or `[1, 5, 9]`.

use std::collections::BTreeSet;

use crate::bound;
use crate::problem::{Problems, quote};
use crate::tree::{Kind, Node};
use crate::value;

const EXPECTED: &str = "a seed such as `7`, a range such as `1..4` or a list such as `[1, 5, 9]`";

/// Reads seeds; at least one, none twice.
pub(crate) fn read(node: &Node, problems: &mut Problems<'_>) -> Vec<u64> {
    let read = match &node.kind {
        Kind::Scalar { text, .. } => match parse(text) {
            Ok(seeds) => Some(seeds),
            Err(expected) => {
                problems.add(node.place, quote(text), expected);
                None
            }
        },
        Kind::List(_) => list(node, problems),
        Kind::Null | Kind::Map(_) => {
            problems.add(node.place, node.describe(), EXPECTED);
            None
        }
    };
    read.unwrap_or_else(|| vec![1])
}

/// Reads `7` or `1..4`, as the command line has it too.
///
/// # Errors
/// What was expected, in words.
pub fn parse(text: &str) -> Result<Vec<u64>, String> {
    let digits = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u64>().map_err(|_| EXPECTED.to_string()),
        false => Err(EXPECTED.to_string()),
    };
    let Some((first, last)) = text.split_once("..") else { return Ok(vec![digits(text)?]) };
    let (first, last) = (digits(first)?, digits(last)?);
    if last < first {
        return Err("a range whose end is not before its beginning".into());
    }
    if last - first >= bound::SEEDS as u64 {
        return Err(format!("at most {} seeds", bound::SEEDS));
    }
    Ok((first..=last).collect())
}

fn list(node: &Node, problems: &mut Problems<'_>) -> Option<Vec<u64>> {
    let items = value::list(node, "seeds", bound::SEEDS, problems)?;
    if items.is_empty() {
        problems.add(node.place, "an empty list", EXPECTED);
    }
    let mut seen = BTreeSet::new();
    let mut seeds = Vec::new();
    for item in items {
        let seed = value::number(item, 0..=u64::MAX, problems)?;
        if !seen.insert(seed) {
            problems.add(item.place, format!("seed {seed} again"), "each seed once");
        }
        seeds.push(seed);
    }
    Some(seeds)
}
