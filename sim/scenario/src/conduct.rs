//! How a relay breaks the rules, and how a peer does.

use crate::directory::Directory;
use crate::fields::{Fields, Section};
use crate::names;
use crate::problem::{Problems, quote};
use crate::topology::{AttackKind, Conduct, Hop, HostIndex};
use crate::tree::{Kind, Node};
use crate::value;

pub(crate) const CONDUCT: Section = Section { name: "`conduct`", fields: &["report", "hop", "attack", "to"] };

const HOPS: [(&str, Hop); 7] = [
    ("serve", Hop::Serve),
    ("refuse", Hop::Refuse),
    ("stall", Hop::Stall),
    ("garble", Hop::Garble),
    ("drop", Hop::Drop),
    ("swallow", Hop::Swallow),
    ("corrupt", Hop::Corrupt),
];

const ATTACKS: [(&str, AttackKind); 4] = [
    ("bomb", AttackKind::Bomb),
    ("flood", AttackKind::Flood),
    ("spoof", AttackKind::Spoof),
    ("pose", AttackKind::Pose),
];

/// What the figure `attack` calls each single thing that a peer does.
pub(crate) const WAYS: [&str; 13] = [
    "size",
    "ratio",
    "claim",
    "many",
    "hello",
    "message",
    "stream",
    "reservation",
    "circuit",
    "replay",
    "forge",
    "certificate",
    "challenge",
];

impl Conduct {
    /// Reads the field of a relay.
    pub(crate) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        let fields = Fields::open(node, &CONDUCT, problems)?;
        for name in ["attack", "to"] {
            fields.refuse(name, "a relay waits until it is asked", problems);
        }
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

impl AttackKind {
    /// Reads the field of a peer, all but whom it attacks.
    pub(crate) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        let fields = Fields::open(node, &CONDUCT, problems)?;
        for name in ["report", "hop"] {
            fields.refuse(name, "only a relay carries circuits", problems);
        }
        let attack = fields.require("attack", problems)?;
        let kind = value::word(attack, "an attack", &ATTACKS, problems)?;
        if kind == Self::Pose {
            fields.refuse("to", "who poses waits until others open a session", problems);
        }
        Some(kind)
    }
}

/// Whom the peer described by `host` attacks: the nodes that its `conduct` names, or all of them.
pub(crate) fn targets(
    host: &Node,
    directory: &Directory,
    nodes: &[HostIndex],
    problems: &mut Problems<'_>,
) -> Vec<HostIndex> {
    // The fields were checked before, so a second look adds no problem.
    let Some(named) = field(host, "conduct").and_then(|conduct| field(conduct, "to")) else { return nodes.to_vec() };
    let targets = directory.select(named, problems).unwrap_or_default();
    if let Some(other) = targets.iter().find(|host| !nodes.contains(host)) {
        let name = quote(&directory.hosts[other.0]);
        let known: Vec<&str> = nodes.iter().map(|host| directory.hosts[host.0].as_str()).collect();
        problems.add(named.place, format!("{name}, which runs no node"), names::expected("a node", &known));
    }
    targets
}

fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Kind::Map(entries) = &node.kind else { return None };
    let is = |key: &Node| matches!(&key.kind, Kind::Scalar { text, .. } if text == name);
    entries.iter().find(|(key, _)| is(key)).map(|(_, value)| value)
}
