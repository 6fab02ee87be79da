//! The faults that are in force, arranged for the packets that ask.

use crate::fault::{Fault, FaultId};
use crate::hash::FastMap;
use crate::link::LinkConfig;
use crate::topology::{HostIndex, LinkIndex, SiteIndex};

/// Membership of hosts in the groups of one partition.
#[derive(Debug)]
struct Partition {
    id: FaultId,
    /// The group of each host; none is affected by nothing.
    group: Vec<Option<u32>>,
}

/// One fault from its application to the end.
#[derive(Debug)]
pub(super) struct Record {
    /// The fault, until it is lifted.
    pub(super) fault: Option<Fault>,
    pub(super) touched: u64,
}

/// All faults, and indexes to those that are active. Lists are in the order of application.
#[derive(Debug)]
pub(super) struct Faults {
    pub(super) records: Vec<Record>,
    partitions: Vec<Partition>,
    hosts_down: Vec<Vec<FaultId>>,
    host_links_down: Vec<Vec<FaultId>>,
    site_links_down: Vec<Vec<FaultId>>,
    impaired: Vec<Option<FaultId>>,
    impairments: FastMap<usize, Impairments>,
}

#[derive(Debug)]
struct Impairments {
    original: LinkConfig,
    layers: Vec<(FaultId, LinkConfig)>,
}

impl Faults {
    pub(super) fn new(hosts: usize, sites: usize, links: usize) -> Self {
        Self {
            records: Vec::new(),
            partitions: Vec::new(),
            hosts_down: vec![Vec::new(); hosts],
            host_links_down: vec![Vec::new(); hosts],
            site_links_down: vec![Vec::new(); sites],
            impaired: vec![None; links],
            impairments: FastMap::default(),
        }
    }

    pub(super) fn touch(&mut self, id: FaultId, times: u64) {
        if let Some(record) = self.records.get_mut(id.0 as usize) {
            record.touched += times;
        }
    }

    /// The first partition that separates the two.
    pub(super) fn partition_between(&self, one: HostIndex, other: HostIndex) -> Option<FaultId> {
        let group = |partition: &Partition, host: HostIndex| partition.group.get(host.0 as usize).copied().flatten();
        self.partitions.iter().find_map(|partition| match (group(partition, one), group(partition, other)) {
            (Some(left), Some(right)) if left != right => Some(partition.id),
            _ => None,
        })
    }

    pub(super) fn has_partitions(&self) -> bool {
        !self.partitions.is_empty()
    }

    pub(super) fn host_down(&self, host: HostIndex) -> Option<FaultId> {
        first(&self.hosts_down, host.0)
    }

    pub(super) fn host_link_down(&self, host: HostIndex) -> Option<FaultId> {
        first(&self.host_links_down, host.0)
    }

    pub(super) fn site_link_down(&self, site: SiteIndex) -> Option<FaultId> {
        first(&self.site_links_down, site.0)
    }

    pub(super) fn impairment(&self, link: LinkIndex) -> Option<FaultId> {
        self.impaired.get(link.0).copied().flatten()
    }

    pub(super) fn add_partition(&mut self, id: FaultId, groups: &[Vec<HostIndex>]) {
        let mut group = vec![None; self.hosts_down.len()];
        for (number, hosts) in groups.iter().enumerate() {
            for host in hosts {
                group[host.0 as usize] = Some(number as u32);
            }
        }
        self.partitions.push(Partition { id, group });
    }

    pub(super) fn remove_partition(&mut self, id: FaultId) {
        self.partitions.retain(|partition| partition.id != id);
    }

    pub(super) fn hosts_down_of(&mut self, host: HostIndex) -> &mut Vec<FaultId> {
        &mut self.hosts_down[host.0 as usize]
    }

    pub(super) fn host_links_down_of(&mut self, host: HostIndex) -> &mut Vec<FaultId> {
        &mut self.host_links_down[host.0 as usize]
    }

    pub(super) fn site_links_down_of(&mut self, site: SiteIndex) -> &mut Vec<FaultId> {
        &mut self.site_links_down[site.0 as usize]
    }

    /// Puts an impairment on top of what holds for the link.
    pub(super) fn impair(&mut self, link: LinkIndex, id: FaultId, current: LinkConfig, config: LinkConfig) {
        let stack =
            self.impairments.entry(link.0).or_insert_with(|| Impairments { original: current, layers: Vec::new() });
        stack.layers.push((id, config));
        self.impaired[link.0] = Some(id);
    }

    /// Removes an impairment; returns the parameters that hold for the link from now on.
    pub(super) fn repair(&mut self, link: LinkIndex, id: FaultId) -> Option<LinkConfig> {
        let stack = self.impairments.get_mut(&link.0)?;
        stack.layers.retain(|(layer, _)| *layer != id);
        if let Some((top, config)) = stack.layers.last() {
            self.impaired[link.0] = Some(*top);
            return Some(*config);
        }
        self.impaired[link.0] = None;
        self.impairments.swap_remove(&link.0).map(|stack| stack.original)
    }
}

fn first(lists: &[Vec<FaultId>], index: u32) -> Option<FaultId> {
    lists.get(index as usize).and_then(|list| list.first()).copied()
}
