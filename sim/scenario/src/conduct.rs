//! How a relay breaks the rules.

use crate::fields::{Fields, Section};
use crate::problem::Problems;
use crate::topology::{Conduct, Hop};
use crate::tree::Node;
use crate::value;

pub(crate) const CONDUCT: Section = Section { name: "`conduct`", fields: &["report", "hop"] };

const HOPS: [(&str, Hop); 5] = [
    ("serve", Hop::Serve),
    ("refuse", Hop::Refuse),
    ("stall", Hop::Stall),
    ("garble", Hop::Garble),
    ("drop", Hop::Drop),
];

impl Conduct {
    /// Reads the field of a relay.
    pub(crate) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        let fields = Fields::open(node, &CONDUCT, problems)?;
        let report = fields.find("report").and_then(|node| value::share(node, problems));
        let conduct = Self { report, hop: fields.word("hop", &HOPS, Hop::Serve, problems) };
        if conduct == Self::default() && fields.find("report").is_none() {
            problems.add(
                fields.place,
                "a relay that does what it should",
                "`report`, or `hop` with another word than `serve`",
            );
            return None;
        }
        Some(conduct)
    }
}
