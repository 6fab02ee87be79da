//! What goes wrong, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use darkswap_records::unit;

use crate::bound;
use crate::churn::Churn;
use crate::directory::Directory;
use crate::fields::{Fields, Section};
use crate::link::LinkChange;
use crate::moment;
use crate::names;
use crate::population::{Placement, Population, Servers};
use crate::problem::{Problems, quote};
use crate::region::Core;
use crate::site::SiteSpec;
use crate::topology::{ChainLie, HostIndex, Moment};
use crate::tree::{Kind, Node};
use crate::value;

/// An entry of the section `faults`, in host and site numbers of the file.
#[derive(Debug, Clone)]
pub(crate) struct FaultSpec {
    pub(crate) at: Duration,
    pub(crate) when: Option<Moment>,
    pub(crate) lasts: Option<Duration>,
    /// Names as written, for people.
    pub(crate) target: String,
    pub(crate) kind: FaultSpecKind,
}

#[derive(Debug, Clone)]
pub(crate) enum FaultSpecKind {
    Partition(Vec<Vec<HostIndex>>),
    Crash(Vec<HostIndex>),
    /// Relays, and within which time.
    Drain(Vec<HostIndex>, Duration),
    LinkFlap(Vec<HostIndex>),
    ResetSite(usize),
    ResetNatsOf(Vec<HostIndex>),
    ReaddressSite(usize),
    ReaddressNatsOf(Vec<HostIndex>),
    Impair(Vec<HostIndex>, LinkChange),
    Lag(Vec<HostIndex>, u32),
    Lie(Vec<HostIndex>, Vec<ChainLie>),
    Reorg {
        depth: u32,
        forget: bool,
    },
    Evict,
    Churn(Churn),
    /// A region by its index.
    RegionOutage(usize),
}

/// The actions of a fault entry.
pub(crate) const KINDS: [&str; 13] = [
    "partition",
    "crash",
    "drain",
    "churn",
    "link_flap",
    "region_outage",
    "nat_reset",
    "readdress",
    "impair",
    "lag",
    "lie",
    "reorg",
    "evict",
];
const DETAILS: [&str; 9] = ["link", "within", "blocks", "how", "forget", "when", "of", "at", "for"];
/// The words of a scenario for lies about the chain.
const LIES: [(&str, ChainLie); 5] = [
    ("hide", ChainLie::Hide),
    ("invent", ChainLie::Invent),
    ("balance", ChainLie::Balance),
    ("proof", ChainLie::Proof),
    ("swallow", ChainLie::Swallow),
];

pub(crate) const FAULT: Section = Section { name: "a fault", fields: &fields() };

/// The action is the name of a field; the others say more about it.
const fn fields() -> [&'static str; KINDS.len() + DETAILS.len()] {
    let mut fields = [""; KINDS.len() + DETAILS.len()];
    let mut index = 0;
    while index < fields.len() {
        fields[index] = if index < KINDS.len() { KINDS[index] } else { DETAILS[index - KINDS.len()] };
        index += 1;
    }
    fields
}

/// What faults may refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) populations: &'a [(crate::source::Place, Population)],
    pub(crate) sites: &'a [SiteSpec],
    pub(crate) servers: &'a Servers,
    pub(crate) core: &'a Core,
    pub(crate) duration: Duration,
}

/// Reads the section `faults`.
pub(crate) fn read(node: &Node, scene: Scene<'_>, problems: &mut Problems<'_>) -> Vec<FaultSpec> {
    let items = value::list(node, "faults", bound::ENTRIES, problems).unwrap_or_default();
    let faults: Vec<(&Node, FaultSpec)> =
        items.iter().filter_map(|item| Some((item, fault(item, scene, problems)?))).collect();
    once(&faults, scene.directory, problems);
    faults.into_iter().map(|(_, fault)| fault).collect()
}

/// A host that comes and goes, or drains, must not stop by another fault as well: it may be down already.
fn once(faults: &[(&Node, FaultSpec)], directory: &Directory, problems: &mut Problems<'_>) {
    let stopped = |fault: &FaultSpec| match &fault.kind {
        FaultSpecKind::Churn(churn) => churn.hosts.clone(),
        FaultSpecKind::Crash(hosts) | FaultSpecKind::Drain(hosts, _) => hosts.clone(),
        _ => Vec::new(),
    };
    for (index, (node, fault)) in faults.iter().enumerate() {
        let does = match &fault.kind {
            FaultSpecKind::Churn(_) => "comes and goes",
            FaultSpecKind::Drain(..) => "drains",
            _ => continue,
        };
        let others = faults.iter().enumerate().filter(|(other, _)| *other != index);
        let others: BTreeSet<HostIndex> = others.flat_map(|(_, (_, other))| stopped(other)).collect();
        if let Some(twice) = stopped(fault).iter().find(|host| others.contains(host)) {
            let found = format!("{} that {does}, and stops by another fault", quote(&directory.hosts[twice.0]));
            problems.add(node.place, found, "each host in one of them");
        }
    }
}

fn fault(node: &Node, scene: Scene<'_>, problems: &mut Problems<'_>) -> Option<FaultSpec> {
    let fields = Fields::open(node, &FAULT, problems)?;
    let (at, lasts) = span(&fields, scene.duration, problems)?;
    let found: Vec<_> = KINDS.into_iter().filter_map(|name| Some((name, fields.entry(name)?))).collect();
    let [(name, (_, target))] = found.as_slice() else {
        let expected = format!("exactly one of {}", KINDS.join(", "));
        match found.get(1) {
            Some((name, (key, _))) => {
                problems.add(key.place, format!("{} besides another fault", quote(name)), expected)
            }
            None => problems.add(fields.place, "a fault without a kind", expected),
        }
        return None;
    };
    for (only, field, reason) in [
        ("impair", "link", "only `impair` changes a link"),
        ("drain", "within", "only `drain` takes notice"),
        ("lag", "blocks", "only `lag` is so many blocks behind"),
        ("lie", "how", "only `lie` has several ways"),
        ("reorg", "forget", "only `reorg` returns transactions"),
    ] {
        if *name != only {
            fields.refuse(field, reason, problems);
        }
    }
    let hosts = |problems: &mut Problems<'_>| scene.directory.select(target, problems);
    let kind = match *name {
        "partition" => FaultSpecKind::Partition(groups(target, scene.directory, problems)?),
        "crash" => FaultSpecKind::Crash(hosts(problems)?),
        "drain" => drain(target, &fields, (at, scene), problems)?,
        "link_flap" => {
            fields.require("for", problems)?;
            FaultSpecKind::LinkFlap(hosts(problems)?)
        }
        "churn" => {
            let select = |node: &Node, problems: &mut Problems<'_>| scene.directory.select(node, problems);
            FaultSpecKind::Churn(Churn::read(target, select, problems)?)
        }
        "region_outage" => {
            let name = value::text(target, "a region of this scenario", problems)?;
            FaultSpecKind::RegionOutage(scene.core.find(name, target.place, problems)?)
        }
        "nat_reset" => {
            fields.refuse("for", "a reset takes no time", problems);
            reset(target, scene, problems)?
        }
        "readdress" => {
            fields.refuse("for", "another address takes no time", problems);
            match reset(target, scene, problems)? {
                FaultSpecKind::ResetSite(site) => FaultSpecKind::ReaddressSite(site),
                FaultSpecKind::ResetNatsOf(hosts) => FaultSpecKind::ReaddressNatsOf(hosts),
                other => other,
            }
        }
        "lag" | "lie" | "reorg" | "evict" => chain_fault(name, target, &fields, scene, problems)?,
        _ => {
            let change = fields.require("link", problems).and_then(|node| LinkChange::read(node, problems));
            FaultSpecKind::Impair(hosts(problems)?, change?)
        }
    };
    let crashed = match &kind {
        FaultSpecKind::Crash(hosts) => Some(hosts.as_slice()),
        _ => None,
    };
    let when = moment::read(&fields, crashed, (scene.directory, scene.servers), problems)?;
    Some(FaultSpec { at, when, lasts, target: describe(target), kind })
}

/// Relays that stop in good order: told beforehand, and not back within the run.
fn drain(
    target: &Node,
    fields: &Fields<'_>,
    (at, scene): (Duration, Scene<'_>),
    problems: &mut Problems<'_>,
) -> Option<FaultSpecKind> {
    fields.refuse("for", "a relay that has drained does not come back", problems);
    fields.refuse("when", "a relay drains at a time", problems);
    let relays = scene.servers.require_relays(target, scene.directory, problems);
    let node = fields.require("within", problems)?;
    let within = value::duration(node, bound::DRAIN, problems)?;
    if at + within > scene.duration {
        let found = format!("a drain that outlasts the run of {}", unit::format_duration(scene.duration));
        let most = unit::format_duration(scene.duration.saturating_sub(at));
        problems.add(node.place, found, format!("at most {most}"));
        return None;
    }
    Some(FaultSpecKind::Drain(relays?, within))
}

/// A fault of the chain, or of those who tell about it.
fn chain_fault(
    name: &str,
    target: &Node,
    fields: &Fields<'_>,
    scene: Scene<'_>,
    problems: &mut Problems<'_>,
) -> Option<FaultSpecKind> {
    if scene.servers.indexers.is_empty() {
        problems.add(target.place, format!("{} without a chain", quote(name)), "a host with `serves: [indexer]`");
        return None;
    }
    let blocks = |node: &Node, problems: &mut Problems<'_>| {
        value::number(node, bound::BLOCKS, problems).and_then(|blocks| u32::try_from(blocks).ok())
    };
    let indexers = |problems: &mut Problems<'_>| scene.servers.require_indexers(target, scene.directory, problems);
    match name {
        "lag" => {
            let blocks = fields.require("blocks", problems).and_then(|node| blocks(node, problems));
            Some(FaultSpecKind::Lag(indexers(problems)?, blocks?))
        }
        "lie" => {
            let lies = match fields.find("how") {
                Some(node) => value::distinct(node, "lie", &LIES, problems),
                None => Some(LIES.map(|(_, lie)| lie).to_vec()),
            };
            Some(FaultSpecKind::Lie(indexers(problems)?, lies?))
        }
        "reorg" => {
            fields.refuse("for", "a reorg takes no time", problems);
            let forget = fields.switch("forget", false, problems);
            blocks(target, problems).map(|depth| FaultSpecKind::Reorg { depth, forget })
        }
        _ => {
            fields.refuse("for", "an eviction takes no time", problems);
            let evict = FaultSpecKind::Evict;
            value::word(target, "what is evicted", &[("mempool", ())], problems).map(|()| evict)
        }
    }
}

/// When the fault begins, at the earliest if it waits for something, and how long it lasts.
fn span(fields: &Fields<'_>, duration: Duration, problems: &mut Problems<'_>) -> Option<(Duration, Option<Duration>)> {
    let latest = duration.saturating_sub(Duration::from_millis(1));
    let at = match (fields.find("at"), fields.find("when")) {
        (None, Some(_)) => Duration::ZERO,
        (_, _) => {
            fields.require("at", problems).and_then(|node| value::duration(node, Duration::ZERO..=latest, problems))?
        }
    };
    let Some(node) = fields.find("for") else { return Some((at, None)) };
    let lasts = value::duration(node, bound::FAULT, problems)?;
    if at + lasts > duration {
        let most = unit::format_duration(duration - at);
        let found = format!("a fault that outlasts the run of {}", unit::format_duration(duration));
        problems.add(node.place, found, format!("at most {most}, or no `for` for one that is never lifted"));
        return None;
    }
    Some((at, Some(lasts)))
}

/// The groups of a partition: at least two, without a host in common.
fn groups(node: &Node, directory: &Directory, problems: &mut Problems<'_>) -> Option<Vec<Vec<HostIndex>>> {
    let items = value::list(node, "groups", bound::ENTRIES, problems)?;
    if items.len() < 2 {
        problems.add(
            node.place,
            format!("{} group", items.len()),
            "at least two groups such as `[[alice], [bob, relay]]`",
        );
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut groups = Vec::new();
    for item in items {
        let group = directory.select(item, problems)?;
        if let Some(twice) = group.iter().find(|host| !seen.insert(**host)) {
            let name = quote(&directory.hosts[twice.0]);
            problems.add(item.place, format!("{name} in two groups"), "each host in one group at most");
            return None;
        }
        groups.push(group);
    }
    Some(groups)
}

/// Which NATs a reset means: that of a site, or those in front of hosts.
fn reset(node: &Node, scene: Scene<'_>, problems: &mut Problems<'_>) -> Option<FaultSpecKind> {
    if let Kind::Scalar { text, .. } = &node.kind
        && let Some(site) = scene.sites.iter().position(|site| site.name == *text)
    {
        return Some(FaultSpecKind::ResetSite(site));
    }
    let hosts = scene.directory.select(node, problems)?;
    let mut first = 0;
    let natted = scene.populations.iter().any(|(_, population)| {
        let range = first..first + population.hosts.len();
        first = range.end;
        let natted = match &population.place {
            Placement::Site(_) => true,
            Placement::Mix(nats) => nats.values().any(Option::is_some),
            Placement::Each(nats) => nats.iter().any(Option::is_some),
        };
        natted && hosts.iter().any(|host| range.contains(&host.0))
    });
    if !natted {
        let sites: Vec<&str> = scene.sites.iter().map(|site| site.name.as_str()).collect();
        problems.add(node.place, "hosts without a NAT", names::expected("hosts behind a NAT, or a site", &sites));
        return None;
    }
    Some(FaultSpecKind::ResetNatsOf(hosts))
}

/// Names of a target in one line.
fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar { text, .. } => text.clone(),
        Kind::List(items) => {
            let lists = items.iter().any(|item| matches!(item.kind, Kind::List(_)));
            items.iter().map(describe).collect::<Vec<_>>().join(if lists { " | " } else { ", " })
        }
        // Of `churn`, who comes and goes.
        Kind::Map(entries) => {
            let is = |key: &Node| matches!(&key.kind, Kind::Scalar { text, .. } if text == "hosts");
            entries.iter().find(|(key, _)| is(key)).map(|(_, hosts)| describe(hosts)).unwrap_or_default()
        }
        Kind::Null => String::new(),
    }
}
