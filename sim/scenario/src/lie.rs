//! What a load entry asks of a lying signalling peer.

use crate::directory::Directory;
use crate::fields::{Fields, Section};
use crate::pairs::{Choice, Pairs};
use crate::problem::Problems;
use crate::topology::Lie;
use crate::tree::Node;
use crate::value;

pub(crate) const LIE: Section = Section { name: "`lie`", fields: &["from", "to", "pairs", "how"] };

/// The words of a scenario for lies.
const LIES: [(&str, Lie); 6] = [
    ("malformed", Lie::Malformed),
    ("oversized", Lie::Oversized),
    ("out_of_order", Lie::OutOfOrder),
    ("forged", Lie::Forged),
    ("replayed", Lie::Replayed),
    ("flood", Lie::Flood),
];

/// Reads one entry. Without `how` every lie is told.
pub(crate) fn read(node: &Node, directory: &Directory, problems: &mut Problems<'_>) -> Option<(Pairs, Vec<Lie>)> {
    let fields = Fields::open(node, &LIE, problems)?;
    let lies = match fields.find("how") {
        Some(node) => value::distinct(node, "lie", &LIES, problems),
        None => Some(LIES.map(|(_, lie)| lie).to_vec()),
    };
    let pairs = Pairs::read(&fields, directory, Choice::All, problems)?;
    Some((pairs, lies?))
}
