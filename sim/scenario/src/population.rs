//! Hosts as the file describes them: one entry each, or many at once.

use std::collections::BTreeSet;
use std::time::Duration;

use darkswap_records::unit;

use darkswap_connectivity::relay::server::Limits;

use crate::bound;
use crate::capacity;
use crate::directory::Directory;
use crate::fields::{Fields, Section};
use crate::link::Link;
use crate::mix::Mix;
use crate::nat::{INTERNET, Nat, PUBLIC};
use crate::problem::{Problems, quote};
use crate::site::{Kinds, SiteSpec};
use crate::topology::{Bandwidth, Conduct, HostIndex, RelaySelection, Role, Service, Trader, Transport};
use crate::tree::{Kind, Node};
use crate::{names, value};

/// An entry of the section `hosts`.
#[derive(Debug, Clone)]
pub(crate) struct Population {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Names of its hosts, in order.
    pub(crate) hosts: Vec<String>,
    pub(crate) place: Placement,
    pub(crate) access: Access,
    pub(crate) region: Mix<usize>,
    /// Empty until [`Population::read_servers`].
    pub(crate) relays: Vec<HostIndex>,
    pub(crate) stun: Vec<HostIndex>,
    pub(crate) turn: Vec<HostIndex>,
    pub(crate) indexers: Vec<HostIndex>,
    pub(crate) transports: Vec<Transport>,
    pub(crate) start: Duration,
    pub(crate) spread: Duration,
    pub(crate) hole_punching: bool,
    pub(crate) discovery: bool,
    pub(crate) serves: Vec<Service>,
    pub(crate) relay_only: bool,
    pub(crate) trader: Option<Trader>,
    pub(crate) relay_selection: Option<RelaySelection>,
    pub(crate) capacity: Option<Limits>,
    pub(crate) conduct: Option<Conduct>,
    pub(crate) bandwidth: Option<Bandwidth>,
}

/// Hosts of the scenario that others depend on, by what they do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Servers {
    pub(crate) relays: Vec<HostIndex>,
    pub(crate) stun: Vec<HostIndex>,
    pub(crate) turn: Vec<HostIndex>,
    pub(crate) indexers: Vec<HostIndex>,
    pub(crate) traders: Vec<HostIndex>,
    /// Names of runes that traders begin with.
    pub(crate) runes: BTreeSet<String>,
}

impl Servers {
    /// Finds them among the hosts, which are numbered in the order of the populations.
    pub(crate) fn of<'a>(populations: impl Iterator<Item = &'a Population>) -> Self {
        let mut servers = Self::default();
        let hosts = populations.flat_map(|population| std::iter::repeat_n(population, population.hosts.len()));
        for (index, population) in hosts.enumerate() {
            let mut enter = |list: fn(&mut Self) -> &mut Vec<HostIndex>| list(&mut servers).push(HostIndex(index));
            if population.role == Role::Relay {
                enter(|servers| &mut servers.relays);
            }
            if population.serves.contains(&Service::Stun) {
                enter(|servers| &mut servers.stun);
            }
            if population.serves.contains(&Service::Turn) {
                enter(|servers| &mut servers.turn);
            }
            if population.serves.contains(&Service::Indexer) {
                enter(|servers| &mut servers.indexers);
            }
            if let Some(trader) = &population.trader {
                enter(|servers| &mut servers.traders);
                servers.runes.extend(trader.runes.iter().map(|(name, _)| name.clone()));
            }
        }
        servers
    }
}

impl Servers {
    /// The hosts that a node names, all of which must be indexers.
    pub(crate) fn require_indexers(
        &self,
        node: &Node,
        directory: &Directory,
        problems: &mut Problems<'_>,
    ) -> Option<Vec<HostIndex>> {
        require(node, directory, (&self.indexers, "indexer", "an indexer"), problems)
    }

    /// The hosts that a node names, all of which must be relays.
    pub(crate) fn require_relays(
        &self,
        node: &Node,
        directory: &Directory,
        problems: &mut Problems<'_>,
    ) -> Option<Vec<HostIndex>> {
        require(node, directory, (&self.relays, "relay", "a relay"), problems)
    }
}

/// The hosts that a node names, all of which must be among the known ones, which are called so, and one of which is called so.
fn require(
    node: &Node,
    directory: &Directory,
    (known, what, one): (&[HostIndex], &str, &str),
    problems: &mut Problems<'_>,
) -> Option<Vec<HostIndex>> {
    let selected = directory.select(node, problems)?;
    if let Some(other) = selected.iter().find(|host| !known.contains(host)) {
        let name = quote(&directory.hosts[other.0]);
        let known: Vec<&str> = known.iter().map(|host| directory.hosts[host.0].as_str()).collect();
        problems.add(node.place, format!("{name}, which is no {what}"), names::expected(one, &known));
        return None;
    }
    Some(selected)
}

/// Which access links the hosts of a population have.
#[derive(Debug, Clone)]
pub(crate) enum Access {
    /// One of its own each.
    Own(Mix<Link>),
    /// That of this site.
    Shared(usize),
}

/// What is in front of the hosts of a population.
#[derive(Debug, Clone)]
pub(crate) enum Placement {
    /// All share this site.
    Site(usize),
    /// Each has a LAN of its own behind one of these NATs, or none.
    Mix(Mix<Option<Nat>>),
    /// As many hosts behind each of these NATs in turn.
    Each(Vec<Option<Nat>>),
}

pub(crate) const HOST: Section = Section {
    name: "a host",
    fields: &[
        "role",
        "count",
        "site",
        "nat",
        "link",
        "region",
        "relays",
        "transports",
        "start",
        "spread",
        "hole_punching",
        "discovery",
        "serves",
        "stun",
        "turn",
        "relay_only",
        "indexers",
        "trader",
        "relay_selection",
        "capacity",
        "conduct",
        "bandwidth",
    ],
};

const TRANSPORTS: [(&str, Transport); 4] = [
    ("quic", Transport::Quic),
    ("tcp", Transport::Tcp),
    ("websocket", Transport::WebSocket),
    ("webrtc", Transport::WebRtc),
];
const SERVICES: [(&str, Service); 3] =
    [("stun", Service::Stun), ("turn", Service::Turn), ("indexer", Service::Indexer)];

impl Population {
    /// Reads one entry; what is wrong gets a stand-in, so that the rest of the file can still be checked. The servers it uses are read once all hosts are
    /// known.
    pub(crate) fn read(
        key: &Node,
        node: &Node,
        kinds: Kinds<'_>,
        sites: &[SiteSpec],
        duration: Duration,
        problems: &mut Problems<'_>,
    ) -> Option<Self> {
        let name = value::name(key, problems);
        let fields = Fields::open(node, &HOST, problems)?;
        let role = fields.word("role", &[("peer", Role::Peer), ("relay", Role::Relay)], Role::Peer, problems);
        let count = match fields.find("count") {
            // Without a count the hosts have no names.
            Some(node) => value::number(node, 1..=bound::HOSTS as u64, problems)? as usize,
            None => 1,
        };
        let placement = placement(&fields, role, kinds, sites, problems);
        let own = || Access::Own(Mix::one(kinds.default_link()));
        let access = match (fields.find("link"), &placement) {
            (Some(node), _) => {
                Mix::read(node, "a link", problems, |name, place, problems| kinds.link(name, place, problems))
                    .map(Access::Own)
            }
            (None, Some(Placement::Site(site))) => Some(Access::Shared(*site)),
            (None, _) => None,
        };
        let region = match (fields.find("region"), &placement) {
            (Some(node), Some(Placement::Mix(_) | Placement::Each(_)) | None) => {
                Mix::read(node, "a region", problems, |name, place, problems| kinds.core.find(name, place, problems))
            }
            (None, _) | (Some(_), Some(Placement::Site(_))) => None,
        };
        let latest = duration.saturating_sub(Duration::from_millis(1));
        let population = Self {
            hosts: Vec::new(),
            name: String::new(),
            role,
            access: access.unwrap_or_else(own),
            region: region.unwrap_or_else(|| Mix::one(0)),
            relays: Vec::new(),
            stun: Vec::new(),
            turn: Vec::new(),
            indexers: Vec::new(),
            transports: transports(&fields, problems).unwrap_or_default(),
            start: fields.duration("start", Duration::ZERO..=latest, Duration::ZERO, problems),
            spread: fields.duration("spread", Duration::ZERO..=latest, Duration::ZERO, problems),
            hole_punching: fields.switch("hole_punching", true, problems),
            discovery: fields.switch("discovery", false, problems),
            serves: services(&fields, placement.as_ref(), problems).unwrap_or_default(),
            relay_only: fields.switch("relay_only", false, problems),
            trader: fields.find("trader").and_then(|node| Trader::read(node, problems)),
            relay_selection: fields.find("relay_selection").and_then(|node| RelaySelection::read(node, problems)),
            capacity: fields.find("capacity").and_then(|node| capacity::read(node, problems)),
            conduct: fields.find("conduct").and_then(|node| Conduct::read(node, problems)),
            bandwidth: fields.find("bandwidth").and_then(|node| Bandwidth::read(node, problems)),
            place: match placement {
                Some(placement) => placement,
                // Hosts behind a list of NATs are called after these.
                None if fields.find("nat").is_some_and(|node| matches!(node.kind, Kind::List(_))) => return None,
                None => Placement::Mix(Mix::one(kinds.nats.first().cloned())),
            },
        };
        refuse_by_role(&fields, role, problems);
        if let Some(node) = fields.find("spread")
            && population.start + population.spread > duration
        {
            let most = unit::format_duration(duration.saturating_sub(population.start));
            problems.add(node.place, "a spread that goes beyond the end of the run", format!("at most {most}"));
        }
        let population = Self { name: name?, ..population };
        Some(Self { hosts: population.names(count), ..population })
    }

    /// Reads which servers the entry uses: `relays`, `stun`, `turn` and `indexers`, by default every one of the scenario.
    pub(crate) fn read_servers(
        &mut self,
        node: &Node,
        directory: &Directory,
        servers: &Servers,
        problems: &mut Problems<'_>,
    ) {
        // The fields were checked by `read`, so a second look adds no problem.
        let Kind::Map(entries) = &node.kind else { return };
        let mut read = |field: &str, known: &[HostIndex], what: &str| {
            let is = |key: &Node| matches!(&key.kind, Kind::Scalar { text, .. } if text == field);
            match entries.iter().find(|(key, _)| is(key)) {
                None => known.to_vec(),
                Some((_, node)) if matches!(&node.kind, Kind::List(items) if items.is_empty()) => Vec::new(),
                Some((_, node)) => {
                    let selected = directory.select(node, problems).unwrap_or_default();
                    if let Some(other) = selected.iter().find(|host| !known.contains(host)) {
                        let name = quote(&directory.hosts[other.0]);
                        let known: Vec<&str> = known.iter().map(|host| directory.hosts[host.0].as_str()).collect();
                        problems.add(node.place, format!("{name}, which is no {what}"), names::expected(field, &known));
                    }
                    selected
                }
            }
        };
        if self.role != Role::Relay {
            self.relays = read("relays", &servers.relays, "relay");
        }
        self.stun = read("stun", &servers.stun, "STUN server");
        self.turn = read("turn", &servers.turn, "TURN server");
        self.indexers = read("indexers", &servers.indexers, "indexer");
        if self.trader.is_some() && self.indexers.is_empty() {
            problems.add(node.place, "a trader without an indexer", "a host with `serves: [indexer]` that it may ask");
        }
    }

    /// `alice`, `peer-1` to `peer-20`, `left-ei_apd`, `left-ei_apd-1`: as many hosts behind each NAT of a list.
    fn names(&self, count: usize) -> Vec<String> {
        let numbered = |stem: &str| match count {
            1 => vec![stem.to_string()],
            _ => (1..=count).map(|number| format!("{stem}-{number}")).collect(),
        };
        match &self.place {
            Placement::Site(_) | Placement::Mix(_) => numbered(&self.name),
            Placement::Each(nats) => {
                let nat = |nat: &Option<Nat>| nat.as_ref().map_or(PUBLIC.to_string(), |nat| nat.name.clone());
                // A wrong list times a large count must not fill the memory before it is refused.
                let entries = nats.len().min(1 + bound::HOSTS / count);
                nats[..entries].iter().flat_map(|entry| numbered(&format!("{}-{}", self.name, nat(entry)))).collect()
            }
        }
    }
}

/// What only relays, or only peers, can be told.
fn refuse_by_role(fields: &Fields<'_>, role: Role, problems: &mut Problems<'_>) {
    match role {
        Role::Relay => fields.refuse("relay_selection", "a relay uses none", problems),
        Role::Peer => {
            for name in ["capacity", "conduct"] {
                fields.refuse(name, "only a relay carries circuits", problems);
            }
        }
    }
}

fn placement(
    fields: &Fields<'_>,
    role: Role,
    kinds: Kinds<'_>,
    sites: &[SiteSpec],
    problems: &mut Problems<'_>,
) -> Option<Placement> {
    if role == Role::Relay {
        for name in ["site", "nat"] {
            fields.refuse(name, "a relay is public", problems);
        }
        fields.refuse("relays", "a relay uses none", problems);
        return Some(Placement::Mix(Mix::one(None)));
    }
    if let Some(node) = fields.find("site") {
        fields.refuse("nat", "the site has it", problems);
        fields.refuse("region", "the site has it", problems);
        let name = value::text(node, "a site", problems)?;
        let known = names::Names::new("a site", sites.iter().map(|site| &site.name));
        return known.find(name, node.place, problems).map(Placement::Site);
    }
    let public = PUBLIC.to_string();
    let known = || std::iter::once(&public).chain(kinds.nats.iter().map(|nat| &nat.name));
    let find = |name: &str, place, problems: &mut Problems<'_>| {
        let index = names::Names::new("a NAT", known()).find(name, place, problems)?;
        Some(index.checked_sub(1).map(|index| kinds.nats[index].clone()))
    };
    let Some(node) = fields.find("nat") else { return Some(Placement::Mix(Mix::one(None))) };
    if matches!(&node.kind, Kind::Scalar { text, .. } if text == INTERNET.0) {
        let shares = INTERNET.1.map(|(name, share)| Some((find(name, node.place, problems)?, share)));
        return shares.into_iter().collect::<Option<_>>().map(|shares| Placement::Mix(Mix::of(shares)));
    }
    let Kind::List(_) = &node.kind else { return Mix::read(node, "a NAT", problems, find).map(Placement::Mix) };
    let items = value::list(node, "NATs", bound::ENTRIES, problems)?;
    if items.is_empty() {
        problems.add(node.place, "an empty list", "at least one NAT");
        return None;
    }
    let read: Vec<_> = items
        .iter()
        .map(|item| value::text(item, "a NAT", problems).and_then(|name| find(name, item.place, problems)))
        .collect();
    read.into_iter().collect::<Option<Vec<_>>>().map(Placement::Each)
}

/// The services of an entry; only public hosts can have some.
fn services(fields: &Fields<'_>, placement: Option<&Placement>, problems: &mut Problems<'_>) -> Option<Vec<Service>> {
    let node = fields.find("serves")?;
    let is_public = match placement {
        Some(Placement::Mix(nats)) => nats.values().all(|nat| nat.is_none()),
        Some(Placement::Each(nats)) => nats.iter().all(Option::is_none),
        Some(Placement::Site(_)) => false,
        None => true,
    };
    if !is_public {
        problems.add(node.place, "a server behind a NAT", "`serves` at public hosts only");
        return None;
    }
    value::distinct(node, "service", &SERVICES, problems)
}

fn transports(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Vec<Transport>> {
    let Some(node) = fields.find("transports") else { return Some(vec![Transport::Quic, Transport::Tcp]) };
    value::distinct(node, "transport", &TRANSPORTS, problems)
}
