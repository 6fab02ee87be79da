//! From a scenario and a seed to a topology.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Fault, FaultKind, Host, HostIndex, Job, JobAction, Site, SiteIndex, Topology, Uplink, UplinkIndex};
use crate::draw::{Draw, Purpose};
use crate::fault::{FaultSpec, FaultSpecKind};
use crate::load::{Action, Load};
use crate::nat::Nat;
use crate::pairs::{Choice, Pairs};
use crate::population::{Access, Placement, Population};
use crate::scenario::Scenario;

/// Applies a seed.
pub(crate) fn expand(scenario: &Scenario, seed: u64) -> Topology {
    let sites = scenario.sites.iter().map(|site| Site {
        name: site.name.clone(),
        nat: site.nat.clone(),
        behind: site.behind.map(SiteIndex),
    });
    let mut topology = Topology {
        hosts: Vec::new(),
        sites: sites.collect(),
        uplinks: Vec::new(),
        topics: scenario.topics.clone(),
        channels: Vec::new(),
        lies: Vec::new(),
        orders: Vec::new(),
        takes: Vec::new(),
        floods: Vec::new(),
        chain: scenario.chain,
        jobs: Vec::new(),
        faults: Vec::new(),
    };
    let mut shared = vec![None; scenario.sites.len()];
    for (entry, population) in scenario.populations.iter().enumerate() {
        settle(&mut topology, scenario, population, &mut shared, |purpose| Draw::new(seed, purpose, entry));
    }
    for load in &scenario.load {
        match &load.action {
            Action::Channel { channels, .. } => topology.channels.push(channels.clone()),
            Action::Lie { lies, .. } => topology.lies.push(lies.clone()),
            Action::Order { orders, .. } => topology.orders.push(orders.clone()),
            Action::Take { takes, .. } => topology.takes.push(takes.clone()),
            Action::Flood { floods, .. } => topology.floods.push(floods.clone()),
            Action::Connect(_)
            | Action::Message { .. }
            | Action::Gossip { .. }
            | Action::Watch(_)
            | Action::Reach(_)
            | Action::Pay(_)
            | Action::ProbeNat => {}
        }
    }
    topology.jobs = jobs(&topology, &scenario.load, seed);
    let faults = scenario.faults.iter().enumerate();
    topology.faults = faults
        .map(|(entry, fault)| apply(&topology, fault, scenario.duration, &mut Draw::new(seed, Purpose::Churn, entry)))
        .collect();
    topology
}

/// Adds the hosts of a population. `shared` holds the access links of the file's sites, as far as they are in use.
fn settle(
    topology: &mut Topology,
    scenario: &Scenario,
    population: &Population,
    shared: &mut [Option<UplinkIndex>],
    draw: impl Fn(Purpose) -> Draw,
) {
    let count = population.hosts.len();
    let nats: Vec<Option<Nat>> = match &population.place {
        Placement::Site(_) => vec![None; count],
        Placement::Mix(nats) => nats.assign(count, &mut draw(Purpose::Nat)),
        Placement::Each(nats) => {
            let each = count / nats.len().max(1);
            nats.iter().flat_map(|nat| std::iter::repeat_n(nat.clone(), each)).collect()
        }
    };
    let regions = population.region.assign(count, &mut draw(Purpose::Region));
    let links = match &population.access {
        Access::Own(links) => links.assign(count, &mut draw(Purpose::Link)),
        Access::Shared(_) => Vec::new(),
    };
    let mut starts = draw(Purpose::Start);
    for (number, name) in population.hosts.iter().enumerate() {
        let (site, region) = match (&population.place, &nats[number]) {
            (Placement::Site(site), _) => (Some(SiteIndex(*site)), scenario.sites[*site].region),
            (Placement::Mix(_) | Placement::Each(_), Some(nat)) => {
                topology.sites.push(Site { name: name.clone(), nat: nat.clone(), behind: None });
                (Some(SiteIndex(topology.sites.len() - 1)), regions[number])
            }
            (Placement::Mix(_) | Placement::Each(_), None) => (None, regions[number]),
        };
        let uplinks = &mut topology.uplinks;
        let mut add = |link: &crate::Link| {
            uplinks.push(Uplink { link: link.clone(), region });
            UplinkIndex(uplinks.len() - 1)
        };
        let uplink = match &population.access {
            Access::Own(_) => add(&links[number]),
            Access::Shared(site) => *shared[*site].get_or_insert_with(|| add(&scenario.sites[*site].link)),
        };
        topology.hosts.push(Host {
            name: name.clone(),
            group: population.name.clone(),
            role: population.role,
            site,
            uplink,
            start: population.start + starts.duration(population.spread),
            transports: population.transports.clone(),
            relays: population.relays.clone(),
            hole_punching: population.hole_punching,
            discovery: population.discovery,
            serves: population.serves.clone(),
            stun: population.stun.clone(),
            turn: population.turn.clone(),
            relay_only: population.relay_only,
            indexers: population.indexers.clone(),
            trader: population.trader.clone(),
            relay_selection: population.relay_selection,
            capacity: population.capacity,
            conduct: population.conduct,
            bandwidth: population.bandwidth.clone(),
        });
    }
}

/// The jobs of all load entries. Connects are drawn first, since messages may go between connected pairs.
fn jobs(topology: &Topology, load: &[Load], seed: u64) -> Vec<Job> {
    let pairs = |entry: usize, pairs: &Pairs, connected: &[_]| {
        pairs.resolve(connected, &mut Draw::new(seed, Purpose::Pairs, entry))
    };
    let connected: Vec<(HostIndex, HostIndex)> = load
        .iter()
        .enumerate()
        .filter_map(|(entry, load)| Some(pairs(entry, load.action.connects()?, &[])))
        .flatten()
        .collect();
    let mut jobs = Vec::new();
    let (mut channel, mut lie, mut order, mut take, mut flood) = (0.., 0.., 0.., 0.., 0..);
    for (entry, load) in load.iter().enumerate() {
        let actions: Vec<JobAction> = match &load.action {
            Action::Connect(connect) => {
                debug_assert!(connect.choice != Choice::Connected, "a connect does not ask for connected pairs");
                let pairs = pairs(entry, connect, &[]);
                pairs.into_iter().map(|(from, to)| JobAction::Connect { from, to }).collect()
            }
            Action::Message { pairs: message, size } => {
                let pairs = pairs(entry, message, &connected);
                pairs.into_iter().map(|(from, to)| JobAction::Message { from, to, size: *size }).collect()
            }
            Action::Gossip { from, topic, size } => {
                from.iter().map(|from| JobAction::Gossip { from: *from, topic: *topic, size: *size }).collect()
            }
            Action::Channel { pairs: between, .. } => {
                let pairs = pairs(entry, between, &connected);
                let channels = channel.next().unwrap_or_default();
                pairs.into_iter().map(|(from, to)| JobAction::Channel { from, to, channels }).collect()
            }
            Action::Lie { pairs: between, .. } => {
                let lies = lie.next().unwrap_or_default();
                let pairs = pairs(entry, between, &[]);
                pairs.into_iter().map(|(from, to)| JobAction::Lie { from, to, lies }).collect()
            }
            Action::Reach(between) => {
                let pairs = pairs(entry, between, &[]);
                pairs.into_iter().map(|(from, to)| JobAction::Reach { from, to }).collect()
            }
            Action::Watch(between) => {
                let pairs = pairs(entry, between, &[]);
                pairs.into_iter().map(|(from, to)| JobAction::Watch { from, to }).collect()
            }
            Action::Pay(between) => {
                let pairs = pairs(entry, between, &[]);
                pairs.into_iter().map(|(from, to)| JobAction::Pay { from, to }).collect()
            }
            Action::Order { from, .. } => {
                let orders = order.next().unwrap_or_default();
                from.iter().map(|from| JobAction::Order { from: *from, orders }).collect()
            }
            Action::Take { from, .. } => {
                let takes = take.next().unwrap_or_default();
                from.iter().map(|from| JobAction::Take { from: *from, takes }).collect()
            }
            Action::Flood { from, .. } => {
                let floods = flood.next().unwrap_or_default();
                from.iter().map(|from| JobAction::Flood { from: *from, floods }).collect()
            }
            Action::ProbeNat => probes(topology),
        };
        let mut offsets = Draw::new(seed, Purpose::Offsets, entry);
        let timing = load.timing;
        jobs.extend(actions.into_iter().map(|action| Job {
            first: timing.at + offsets.duration(timing.spread),
            every: timing.every,
            until: timing.until,
            count: timing.count,
            action,
        }));
    }
    jobs
}

/// One probe for each NAT with a host directly behind it and no other NAT in front.
fn probes(topology: &Topology) -> Vec<JobAction> {
    let mut probed = BTreeSet::new();
    let hosts = topology.hosts.iter().enumerate();
    hosts
        .filter_map(|(index, host)| {
            let site = host.site?;
            let outermost = topology.sites[site.0].behind.is_none();
            (outermost && probed.insert(site)).then_some(JobAction::ProbeNat { host: HostIndex(index) })
        })
        .collect()
}

fn apply(topology: &Topology, fault: &FaultSpec, end: Duration, draw: &mut Draw) -> Fault {
    let uplinks = |hosts: &[HostIndex]| {
        let set: BTreeSet<UplinkIndex> = hosts.iter().map(|host| topology.hosts[host.0].uplink).collect();
        set.into_iter().collect::<Vec<_>>()
    };
    let sites = |hosts: &[HostIndex]| {
        let set: BTreeSet<SiteIndex> = hosts.iter().filter_map(|host| topology.hosts[host.0].site).collect();
        set.into_iter().collect::<Vec<_>>()
    };
    let kind = match &fault.kind {
        FaultSpecKind::Partition(groups) => FaultKind::Partition(groups.clone()),
        FaultSpecKind::Crash(hosts) => FaultKind::Crash(hosts.clone()),
        FaultSpecKind::Drain(hosts, within) => FaultKind::Drain(hosts.clone(), *within),
        FaultSpecKind::LinkFlap(hosts) => FaultKind::LinkFlap(uplinks(hosts)),
        FaultSpecKind::ResetSite(site) => FaultKind::NatReset(vec![SiteIndex(*site)]),
        FaultSpecKind::ResetNatsOf(hosts) => FaultKind::NatReset(sites(hosts)),
        FaultSpecKind::ReaddressSite(site) => FaultKind::Readdress(vec![SiteIndex(*site)]),
        FaultSpecKind::ReaddressNatsOf(hosts) => FaultKind::Readdress(sites(hosts)),
        FaultSpecKind::Lag(hosts, blocks) => FaultKind::Lag(hosts.clone(), *blocks),
        FaultSpecKind::Lie(hosts, lies) => FaultKind::Lie(hosts.clone(), lies.clone()),
        FaultSpecKind::Reorg { depth, forget } => FaultKind::Reorg { depth: *depth, forget: *forget },
        FaultSpecKind::Evict => FaultKind::Evict,
        FaultSpecKind::Churn(churn) => {
            let until = fault.lasts.map_or(end, |lasts| fault.at + lasts);
            let mut absences = churn.absences(&topology.hosts, fault.at, until, draw);
            // A host that would be back when everything is over stays away.
            for absence in &mut absences {
                absence.until = absence.until.filter(|until| *until < end);
            }
            FaultKind::Churn(absences)
        }
        FaultSpecKind::RegionOutage(region) => {
            let uplinks = topology.uplinks.iter().enumerate();
            let inside = uplinks.filter(|(_, uplink)| uplink.region == *region);
            FaultKind::RegionOutage(inside.map(|(index, _)| UplinkIndex(index)).collect())
        }
        FaultSpecKind::Impair(hosts, change) => FaultKind::Impair(uplinks(hosts), change.clone()),
    };
    Fault { at: fault.at, when: fault.when.clone(), lasts: fault.lasts, target: fault.target.clone(), kind }
}
