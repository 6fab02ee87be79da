//! What a load entry asks of data channels.

use std::time::Duration;

use crate::bound;
use crate::directory::Directory;
use crate::fields::{Fields, Section};
use crate::pairs::{Choice, Pairs};
use crate::problem::Problems;
use crate::topology::{Channels, Priority, Reliability};
use crate::tree::{Kind, Node};
use crate::value;

pub(crate) const CHANNEL: Section = Section {
    name: "`channel`",
    fields: &["from", "to", "pairs", "count", "priority", "ordered", "retransmits", "lifetime", "size", "messages"],
};

/// The words of a scenario for priorities (RFC 8831, section 6.4).
const PRIORITIES: [(&str, Priority); 4] =
    [("very_low", Priority::VeryLow), ("low", Priority::Low), ("medium", Priority::Medium), ("high", Priority::High)];

/// Reads one entry.
pub(crate) fn read(node: &Node, directory: &Directory, problems: &mut Problems<'_>) -> Option<(Pairs, Channels)> {
    let fields = Fields::open(node, &CHANNEL, problems)?;
    let number = |name, range, problems: &mut Problems<'_>| match fields.find(name) {
        Some(node) => value::number(node, range, problems),
        None => Some(1),
    };
    let count = number("count", bound::CHANNELS, problems);
    let messages = number("messages", bound::CHANNEL_MESSAGES, problems);
    let size = fields.require("size", problems).and_then(|node| value::size(node, bound::CHANNEL_MESSAGE, problems));
    let priorities = priorities(&fields, problems);
    let ordered = fields.switch("ordered", true, problems);
    let reliability = reliability(&fields, problems);
    let pairs = Pairs::read(&fields, directory, Choice::Connected, problems)?;
    let channels = Channels {
        count: count?,
        messages: messages?,
        size: size?,
        priorities: priorities?,
        ordered,
        reliability: reliability?,
    };
    Some((pairs, channels))
}

/// One priority, or several that the channels take in turn.
fn priorities(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Vec<Priority>> {
    let Some(node) = fields.find("priority") else { return Some(vec![Priority::Low]) };
    let nodes = match &node.kind {
        Kind::List(items) if items.is_empty() => {
            problems.add(node.place, "an empty list", "at least one priority: very_low, low, medium, high");
            return None;
        }
        Kind::List(_) => value::list(node, "priorities", bound::PRIORITIES, problems)?,
        Kind::Scalar { .. } | Kind::Null | Kind::Map(_) => std::slice::from_ref(node),
    };
    nodes.iter().map(|node| value::word(node, "a priority", &PRIORITIES, problems)).collect()
}

fn reliability(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Reliability> {
    let whole_milliseconds = |node: &Node, problems: &mut Problems<'_>| {
        let lifetime = value::duration(node, bound::CHANNEL_LIFETIME, problems)?;
        Some(Reliability::Lifetime(Duration::from_millis(u64::try_from(lifetime.as_millis()).ok()?)))
    };
    match (fields.find("retransmits"), fields.find("lifetime")) {
        (None, None) => Some(Reliability::Reliable),
        (Some(node), None) => {
            let count = value::number(node, 0..=u64::from(u16::MAX), problems)?;
            u16::try_from(count).ok().map(Reliability::Retransmits)
        }
        (None, Some(node)) => whole_milliseconds(node, problems),
        (Some(_), Some(_)) => {
            fields.refuse("lifetime", "`retransmits` bounds the same", problems);
            None
        }
    }
}
