//! What hosts are asked to do.

use std::time::Duration;

use crate::bound;
use crate::channel;
use crate::directory::Directory;
use crate::fields::{Fields, Section};
use crate::lie;
use crate::order;
use crate::pairs::{Choice, Pairs};
use crate::population::Servers;
use crate::problem::{Problems, quote};
use crate::timing::Timing;
use crate::topology::{Channels, Floods, HostIndex, Lie, Orders, Takes, Topic};
use crate::tree::Node;
use crate::value;

/// Whom load entries may name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) servers: &'a Servers,
}

/// An entry of the section `load`, without what the seed adds.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) timing: Timing,
    pub(crate) action: Action,
}

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Connect(Pairs),
    Message { pairs: Pairs, size: u64 },
    Gossip { from: Vec<HostIndex>, topic: usize, size: u64 },
    Channel { pairs: Pairs, channels: Channels },
    Lie { pairs: Pairs, lies: Vec<Lie> },
    Reach(Pairs),
    Watch(Pairs),
    Pay(Pairs),
    Order { from: Vec<HostIndex>, orders: Orders },
    Take { from: Vec<HostIndex>, takes: Takes },
    Flood { from: Vec<HostIndex>, floods: Floods },
    ProbeNat,
}

impl Action {
    /// The pairs that it connects: messages may go between those.
    pub(crate) fn connects(&self) -> Option<&Pairs> {
        if let Self::Connect(pairs) = self { Some(pairs) } else { None }
    }
}

pub(crate) const LOAD: Section = Section {
    name: "a load entry",
    fields: &[
        "connect", "message", "gossip", "channel", "lie", "reach", "watch", "pay", "order", "take", "flood", "probe",
        "at", "spread", "every", "until", "count",
    ],
};
pub(crate) const CONNECT: Section = Section { name: "`connect`", fields: &["from", "to", "pairs"] };
pub(crate) const MESSAGE: Section = Section { name: "`message`", fields: &["from", "to", "pairs", "size"] };
pub(crate) const REACH: Section = Section { name: "`reach`", fields: &["from", "to", "pairs"] };
pub(crate) const WATCH: Section = Section { name: "`watch`", fields: &["from", "to", "pairs"] };
pub(crate) const PAY: Section = Section { name: "`pay`", fields: &["from", "to", "pairs"] };
pub(crate) const GOSSIP: Section = Section { name: "`gossip`", fields: &["from", "subscribers", "topic", "size"] };

/// Reads the section `load`; gives its entries and the topics that they name.
pub(crate) fn read(
    node: &Node,
    who: Who<'_>,
    duration: Duration,
    problems: &mut Problems<'_>,
) -> (Vec<Load>, Vec<Topic>) {
    let mut topics = Vec::new();
    let items = value::list(node, "load entries", bound::ENTRIES, problems).unwrap_or_default();
    let mut load: Vec<(&Node, Load)> = Vec::new();
    for item in items {
        let Some(fields) = Fields::open(item, &LOAD, problems) else { continue };
        let timing = Timing::read(&fields, duration, problems);
        if let Some(action) = action(&fields, who, &mut topics, problems) {
            load.push((item, Load { timing, action }));
        }
    }
    let connects: Vec<&Pairs> = load.iter().filter_map(|(_, entry)| entry.action.connects()).collect();
    let (mut actions, mut payments) = (0_u64, 0_u64);
    for (item, entry) in &load {
        let (acting, what) = match &entry.action {
            Action::Connect(pairs)
            | Action::Lie { pairs, .. }
            | Action::Reach(pairs)
            | Action::Watch(pairs)
            | Action::Pay(pairs) => (pairs.at_most(&[]), "pairs"),
            Action::Message { pairs, .. } | Action::Channel { pairs, .. } => (pairs.at_most(&connects), "pairs"),
            Action::Gossip { from, .. } => (from.len(), "publishers"),
            Action::Order { from, .. } | Action::Take { from, .. } | Action::Flood { from, .. } => {
                (from.len(), "traders")
            }
            Action::ProbeNat => (0, "probes"),
        };
        if acting > bound::PAIRS {
            problems.add(item.place, format!("{acting} {what}"), format!("at most {}", bound::PAIRS));
        }
        let between = match &entry.action {
            Action::Message { .. } => "messages",
            Action::Channel { .. } => "channels",
            Action::Connect(_)
            | Action::Gossip { .. }
            | Action::Lie { .. }
            | Action::Reach(_)
            | Action::Watch(_)
            | Action::Pay(_)
            | Action::Order { .. }
            | Action::Take { .. }
            | Action::Flood { .. }
            | Action::ProbeNat => "",
        };
        if !between.is_empty() && acting == 0 {
            let expected = "a `connect` between these hosts, or `pairs: all` or a number of pairs";
            problems.add(item.place, format!("{between} between hosts that no `connect` connects"), expected);
        }
        let each = match &entry.action {
            Action::Channel { channels, .. } => channels.count,
            Action::Lie { lies, .. } => lies.len() as u64,
            Action::Flood { floods, .. } => floods.count.saturating_mul(floods.kinds.len() as u64),
            Action::Connect(_)
            | Action::Message { .. }
            | Action::Gossip { .. }
            | Action::Reach(_)
            | Action::Watch(_)
            | Action::Pay(_)
            | Action::Order { .. }
            | Action::Take { .. }
            | Action::ProbeNat => 1,
        };
        let times = entry.timing.times().saturating_mul(each);
        actions = actions.saturating_add(times.saturating_mul(acting as u64));
        if let Action::Pay(_) = entry.action {
            payments = payments.saturating_add(times.saturating_mul(acting as u64));
        }
    }
    if payments > bound::PAYMENTS {
        problems.add(node.place, format!("{payments} payments in all"), format!("at most {}", bound::PAYMENTS));
    }
    if actions > bound::ACTIONS {
        problems.add(node.place, format!("{actions} actions in all"), format!("at most {}", bound::ACTIONS));
    }
    (load.into_iter().map(|(_, entry)| entry).collect(), topics)
}

fn action(fields: &Fields<'_>, who: Who<'_>, topics: &mut Vec<Topic>, problems: &mut Problems<'_>) -> Option<Action> {
    const EXPECTED: &str = "exactly one of `connect`, `message`, `gossip`, `channel`, `lie`, `reach`, `watch`, `pay`, `order`, `take`, `flood` and `probe`";
    const ACTIONS: [&str; 12] =
        ["connect", "message", "gossip", "channel", "lie", "reach", "watch", "pay", "order", "take", "flood", "probe"];
    let found: Vec<_> = ACTIONS.into_iter().filter_map(|name| Some((name, fields.entry(name)?))).collect();
    let [(name, (_, node))] = found.as_slice() else {
        match found.get(1) {
            Some((name, (key, _))) => {
                problems.add(key.place, format!("{} besides another action", quote(name)), EXPECTED)
            }
            None => problems.add(fields.place, "a load entry without an action", EXPECTED),
        }
        return None;
    };
    let directory = who.directory;
    match *name {
        "connect" => {
            let fields = Fields::open(node, &CONNECT, problems)?;
            Pairs::read(&fields, directory, Choice::All, problems).map(Action::Connect)
        }
        "message" => {
            let fields = Fields::open(node, &MESSAGE, problems)?;
            let size = fields.require("size", problems).and_then(|node| value::size(node, bound::MESSAGE, problems));
            let pairs = Pairs::read(&fields, directory, Choice::Connected, problems);
            Some(Action::Message { pairs: pairs?, size: size? })
        }
        "gossip" => gossip(node, directory, topics, problems),
        "channel" => {
            channel::read(node, directory, problems).map(|(pairs, channels)| Action::Channel { pairs, channels })
        }
        "lie" => lie::read(node, directory, problems).map(|(pairs, lies)| Action::Lie { pairs, lies }),
        "reach" => reach(node, directory, problems).map(Action::Reach),
        "watch" => asking(node, &WATCH, who, problems).map(Action::Watch),
        "pay" => asking(node, &PAY, who, problems).map(Action::Pay),
        "order" => order::read(node, who, problems).map(|(from, orders)| Action::Order { from, orders }),
        "take" => order::read_take(node, who, problems).map(|(from, takes)| Action::Take { from, takes }),
        "flood" => order::read_flood(node, who, problems).map(|(from, floods)| Action::Flood { from, floods }),
        _ => value::word(node, "what to probe", &[("nat", ())], problems).map(|()| Action::ProbeNat),
    }
}

/// Pairs of a host that dials and one that is dialled.
fn reach(node: &Node, directory: &Directory, problems: &mut Problems<'_>) -> Option<Pairs> {
    let fields = Fields::open(node, &REACH, problems)?;
    Pairs::read(&fields, directory, Choice::All, problems)
}

/// Pairs of which the second hosts are indexers.
fn asking(node: &Node, section: &'static Section, who: Who<'_>, problems: &mut Problems<'_>) -> Option<Pairs> {
    let fields = Fields::open(node, section, problems)?;
    if let Some(to) = fields.find("to") {
        who.servers.require_indexers(to, who.directory, problems)?;
    }
    Pairs::read(&fields, who.directory, Choice::All, problems)
}

fn gossip(node: &Node, directory: &Directory, topics: &mut Vec<Topic>, problems: &mut Problems<'_>) -> Option<Action> {
    let fields = Fields::open(node, &GOSSIP, problems)?;
    let from = fields.require("from", problems).and_then(|node| directory.select(node, problems));
    let size = fields.require("size", problems).and_then(|node| value::size(node, bound::GOSSIP, problems));
    let name = fields.require("topic", problems).and_then(|node| value::name(node, problems));
    let subscribers = match fields.find("subscribers") {
        Some(node) => directory.select(node, problems)?,
        None => (0..directory.hosts.len()).map(HostIndex).collect(),
    };
    let name = name?;
    let topic = match topics.iter().position(|topic| topic.name == name) {
        Some(known) if topics[known].subscribers != subscribers => {
            let place = fields.find("topic").map_or(node.place, |node| node.place);
            problems.add(
                place,
                format!("topic {} with other subscribers", quote(&name)),
                "the same `subscribers` wherever a topic is named",
            );
            return None;
        }
        Some(known) => known,
        None => {
            topics.push(Topic { name, subscribers });
            topics.len() - 1
        }
    };
    Some(Action::Gossip { from: from?, topic, size: size? })
}
