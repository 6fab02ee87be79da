//! What a fault waits for: a step of a swap.

use crate::directory::Directory;
use crate::fields::Fields;
use crate::load::Who;
use crate::order;
use crate::population::Servers;
use crate::problem::Problems;
use crate::topology::{HostIndex, Moment, Step};
use crate::value;

const STEPS: [Step; 7] = [
    Step::Requested,
    Step::Accepted,
    Step::Proposed,
    Step::Broadcast,
    Step::Confirming,
    Step::Settled,
    Step::Reclaiming,
];

/// Reads `when` and `of` of a fault. A crash that does not say whose swap it waits for means the swaps of the hosts that crash.
///
/// The outer option is empty after a problem.
pub(crate) fn read(
    fields: &Fields<'_>,
    crashed: Option<&[HostIndex]>,
    (directory, servers): (&Directory, &Servers),
    problems: &mut Problems<'_>,
) -> Option<Option<Moment>> {
    let Some(node) = fields.find("when") else {
        fields.refuse("of", "it needs `when`", problems);
        return Some(None);
    };
    let step = value::word(node, "a step of a swap", &STEPS.map(|step| (step.name(), step)), problems);
    let who = Who { directory, servers };
    let of = match (fields.find("of"), crashed) {
        (None, Some(crashed)) => order::all_traders(crashed, node.place, who, problems),
        (_, _) => fields.require("of", problems).and_then(|node| order::traders(node, who, problems)),
    };
    Some(Some(Moment { step: step?, of: of? }))
}
