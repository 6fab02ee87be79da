//! A checked scenario.

use std::collections::BTreeSet;
use std::time::Duration;

use darkswap_records::expectation::Expectation;

use crate::directory::Directory;
use crate::expect::{self, Tags};
use crate::fault::{self, FaultSpec, Scene};
use crate::fields::{Fields, Section};
use crate::link::{self, Link};
use crate::load::{self, Load, Who};
use crate::nat::{self, INTERNET, Nat, PUBLIC};
use crate::population::{Placement, Population, Servers};
use crate::problem::Problems;
use crate::region::Core;
use crate::site::{self, Kinds, SiteSpec};
use crate::source::Place;
use crate::topology::{self, Chain, Topic, Topology};
use crate::tree::Node;
use crate::{bound, seeds, value};

/// A checked scenario. Nothing in it depends on a seed; [`Scenario::topology`] applies one.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Path below the scenarios folder without extension, such as `nat/matrix`.
    pub name: String,
    /// One line.
    pub title: String,
    /// A longer explanation; may be empty.
    pub about: String,
    /// Simulated time.
    pub duration: Duration,
    /// Interval of throughput samples.
    pub interval: Duration,
    /// Seeds that are run unless the command line says otherwise; at least one.
    pub seeds: Vec<u64>,
    /// Regions and the network between them.
    pub core: Core,
    /// What must hold; at least one.
    pub expectations: Vec<Expectation>,
    pub(crate) populations: Vec<Population>,
    pub(crate) sites: Vec<SiteSpec>,
    pub(crate) chain: Option<Chain>,
    pub(crate) topics: Vec<Topic>,
    pub(crate) load: Vec<Load>,
    pub(crate) faults: Vec<FaultSpec>,
}

pub(crate) const SCENARIO: Section = Section {
    name: "a scenario",
    fields: &[
        "title", "about", "duration", "interval", "seeds", "regions", "links", "nats", "sites", "chain", "hosts",
        "load", "faults", "expect",
    ],
};

impl Scenario {
    /// Applies a seed: concrete hosts, links, jobs and faults.
    pub fn topology(&self, seed: u64) -> Topology {
        topology::expand(self, seed)
    }

    /// How many hosts there are, whatever the seed.
    pub fn host_count(&self) -> usize {
        self.populations.iter().map(|population| population.hosts.len()).sum()
    }

    /// The names of the hosts, whatever the seed.
    pub fn host_names(&self) -> impl Iterator<Item = &str> {
        self.populations.iter().flat_map(|population| population.hosts.iter().map(String::as_str))
    }

    /// Reads the root of a document; none when it cannot be understood well enough to go on.
    pub(crate) fn read(name: String, root: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        let fields = Fields::open(root, &SCENARIO, problems)?;
        let title = fields.require("title", problems).and_then(|node| value::prose(node, bound::TITLE, problems));
        let about =
            fields.find("about").and_then(|node| value::prose(node, bound::ABOUT, problems)).unwrap_or_default();
        let duration =
            fields.require("duration", problems).and_then(|node| value::duration(node, bound::DURATION, problems));
        // With a wrong duration the rest is still checked, against the longest one.
        let duration = duration.unwrap_or(*bound::DURATION.end());
        let interval = fields.duration("interval", bound::INTERVAL, Duration::from_secs(1), problems);
        let seeds = fields.find("seeds").map_or_else(|| vec![1], |node| seeds::read(node, problems));
        let core = fields.find("regions").and_then(|node| Core::read(node, problems));
        let core_is_wrong = core.is_none() && fields.find("regions").is_some();
        let core = core.unwrap_or_else(Core::plain);

        let links = named(&fields, "links", Link::read, problems);
        let links = with_built_in(links, link::built_in(), |link| &link.name);
        let nats = named(&fields, "nats", Nat::read, problems);
        if let Some(place) = nats.iter().position(|nat| nat.name == PUBLIC).and_then(|_| fields.find("nats")) {
            problems.add(place.place, "a NAT called `public`", "another name: `public` means no NAT");
        }
        if let Some(place) = nats.iter().position(|nat| nat.name == INTERNET.0).and_then(|_| fields.find("nats")) {
            problems.add(place.place, "a NAT called `internet`", "another name: `internet` means a mix of NATs");
        }
        let nats = with_built_in(nats, nat::built_in(), |nat| &nat.name);
        if core_is_wrong {
            // Every region name would be reported as unknown.
            return None;
        }
        let kinds = Kinds { links: &links, nats: &nats, core: &core };
        let sites = fields.find("sites").map_or_else(Vec::new, |node| site::read(node, kinds, problems));
        let hosts = fields.require("hosts", problems);
        let (populations, directory, servers) = hosts_of(hosts?, kinds, &sites, duration, problems)?;

        let chain = chain(&fields, &servers, problems);
        let who = Who { directory: &directory, servers: &servers };
        let (load, topics) =
            fields.find("load").map(|node| load::read(node, who, duration, problems)).unwrap_or_default();
        let scene = Scene {
            directory: &directory,
            populations: &populations,
            sites: &sites,
            servers: &servers,
            core: &core,
            duration,
        };
        let faults = fields.find("faults").map(|node| fault::read(node, scene, problems)).unwrap_or_default();
        let tags = tags(&directory, &populations, &sites, &topics);
        let expectations =
            fields.require("expect", problems).map(|node| expect::read(node, &tags, problems)).unwrap_or_default();
        let populations = populations.into_iter().map(|(_, population)| population).collect();
        Some(Self {
            name,
            title: title?,
            about,
            duration,
            interval,
            seeds,
            core,
            expectations,
            populations,
            sites,
            chain,
            topics,
            load,
            faults,
        })
    }
}

/// The entries of a section that maps names to things.
fn named<T>(
    fields: &Fields<'_>,
    section: &'static str,
    read: impl Fn(String, &Node, &mut Problems<'_>) -> T,
    problems: &mut Problems<'_>,
) -> Vec<T> {
    let Some(node) = fields.find(section) else { return Vec::new() };
    let entries = value::map(node, section, bound::ENTRIES, problems).unwrap_or_default();
    entries
        .iter()
        .filter_map(|(key, node)| {
            let name = value::name(key, problems);
            // Its fields are checked even when its name is wrong.
            let thing = read(name.clone().unwrap_or_default(), node, problems);
            name.map(|_| thing)
        })
        .collect()
}

/// Adds the built-in things whose names the file does not use itself.
fn with_built_in<T>(mut own: Vec<T>, built_in: Vec<T>, name: impl Fn(&T) -> &String) -> Vec<T> {
    let names: BTreeSet<String> = own.iter().map(|thing| name(thing).clone()).collect();
    own.extend(built_in.into_iter().filter(|thing| !names.contains(name(thing))));
    own
}

/// The chain, when some host serves it.
fn chain(fields: &Fields<'_>, servers: &Servers, problems: &mut Problems<'_>) -> Option<Chain> {
    let read = fields.find("chain").and_then(|node| Chain::read(node, problems));
    if !servers.indexers.is_empty() {
        return Some(read.unwrap_or_else(Chain::plain));
    }
    if let Some((key, _)) = fields.entry("chain") {
        problems.add(key.place, "a chain that nobody serves", "a host with `serves: [indexer]`");
    }
    None
}

type Populations = Vec<(Place, Population)>;

/// Reads the section `hosts`; none when some entry is so wrong that names would be missing.
fn hosts_of(
    node: &Node,
    kinds: Kinds<'_>,
    sites: &[SiteSpec],
    duration: Duration,
    problems: &mut Problems<'_>,
) -> Option<(Populations, Directory, Servers)> {
    let entries = value::map(node, "hosts", bound::ENTRIES, problems)?;
    let read: Vec<_> = entries
        .iter()
        .map(|(key, node)| Some((key.place, Population::read(key, node, kinds, sites, duration, problems)?)))
        .collect();
    let mut populations: Populations = read.into_iter().collect::<Option<_>>()?;
    let count: usize = populations.iter().map(|(_, population)| population.hosts.len()).sum();
    if count == 0 || count > bound::HOSTS {
        problems.add(node.place, format!("{count} hosts"), format!("from 1 to {}", bound::HOSTS));
        return None;
    }
    let directory = Directory::new(&populations, sites, problems);
    let servers = Servers::of(populations.iter().map(|(_, population)| population));
    for ((_, population), (_, node)) in populations.iter_mut().zip(entries) {
        population.read_servers(node, &directory, &servers, problems);
    }
    Some((populations, directory, servers))
}

/// Everything that a `where` of an expectation may say.
fn tags(directory: &Directory, populations: &Populations, sites: &[SiteSpec], topics: &[Topic]) -> Tags {
    let mut tags = Tags {
        hosts: directory.hosts.clone(),
        topics: topics.iter().map(|topic| topic.name.clone()).collect(),
        ..Tags::default()
    };
    let mut enter = |nats: Vec<&Nat>| {
        tags.kinds.insert(topology::join(nats.iter().map(|nat| nat.kind())));
        tags.nats.extend(nats.iter().map(|nat| nat.name.clone()));
    };
    for (_, population) in populations {
        match &population.place {
            Placement::Site(site) => {
                let chain =
                    std::iter::successors(sites.get(*site), |site| site.behind.and_then(|outer| sites.get(outer)));
                enter(chain.map(|site| &site.nat).collect());
            }
            Placement::Mix(nats) => nats.values().for_each(|nat| enter(nat.iter().collect())),
            Placement::Each(nats) => nats.iter().for_each(|nat| enter(nat.iter().collect())),
        }
    }
    tags
}
