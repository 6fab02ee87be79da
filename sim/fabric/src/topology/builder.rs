//! Building a fabric piece by piece; every piece is checked when it is added.

use std::net::Ipv4Addr;

use super::config::{HostConfig, HostIndex, Location, MAX_NESTING, Placement, RegionIndex, SiteConfig, SiteIndex};
use super::error::TopologyError;
use super::{Attachment, Host, LinkIndex, Node, Site, Topology};
use crate::fabric::Fabric;
use crate::hash::FastMap;
use crate::link::{Link, LinkConfig};
use crate::nat::Nat;

/// Collects regions, paths, sites and hosts.
#[derive(Debug)]
pub struct FabricBuilder {
    seed: u64,
    topology: Topology,
    links: Vec<Link>,
    nats: Vec<Option<Nat>>,
    paths: FastMap<(RegionIndex, RegionIndex), LinkConfig>,
    every_path: Option<LinkConfig>,
}

impl FabricBuilder {
    /// Starts without anything. `seed` decides all random draws of the fabric, those of the NATs included.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            topology: Topology::default(),
            links: Vec::new(),
            nats: Vec::new(),
            paths: FastMap::default(),
            every_path: None,
        }
    }

    /// Adds a region of the core.
    ///
    /// # Errors
    /// [`TopologyError::DuplicateName`].
    pub fn region(&mut self, name: &str) -> Result<RegionIndex, TopologyError> {
        unique(name, self.topology.regions.iter())?;
        self.topology.regions.push(name.to_owned());
        Ok(RegionIndex((self.topology.regions.len() - 1) as u32))
    }

    /// Says what a packet meets in the core from one region to another (or the same one); replaces what was said
    /// before.
    ///
    /// Every packet of the path shares the bandwidth, if there is one.
    ///
    /// # Errors
    /// [`TopologyError::UnknownRegion`].
    pub fn path(&mut self, from: RegionIndex, to: RegionIndex, config: LinkConfig) -> Result<(), TopologyError> {
        self.check_region(from)?;
        self.check_region(to)?;
        self.paths.insert((from, to), config);
        Ok(())
    }

    /// Says what a packet meets between all pairs of regions for which [`path`](Self::path) says nothing.
    pub fn every_path(&mut self, config: LinkConfig) {
        self.every_path = Some(config);
    }

    /// Adds a site.
    ///
    /// # Errors
    /// [`TopologyError`]: name or external address taken, unknown region or site, nesting too deep.
    pub fn site(&mut self, name: &str, config: SiteConfig) -> Result<SiteIndex, TopologyError> {
        unique(name, self.topology.sites.iter().map(|site| &site.name))?;
        let (parent, region, around) = self.place(name, config.placement)?;
        let depth = around + 1;
        if depth > MAX_NESTING {
            return Err(TopologyError::TooDeep(name.to_owned()));
        }
        let index = SiteIndex(self.topology.sites.len() as u32);
        let outside = self.topology.network(parent);
        if let Some(gateway) = config.gateway {
            self.attach(name, gateway.external, outside, parent, Node::Gateway(index))?;
        }
        let network = if config.gateway.is_some() { Location::Site(index) } else { outside };
        let (up, down, lan) = (self.link(config.access.up), self.link(config.access.down), self.link(config.lan));
        self.topology.sites.push(Site { name: name.to_owned(), parent, network, region, depth, up, down, lan });
        let seed = self.seed.wrapping_add(u64::from(index.0).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        self.nats.push(config.gateway.map(|gateway| Nat::new(gateway.nat, gateway.external, seed)));
        Ok(index)
    }

    /// Adds a host.
    ///
    /// # Errors
    /// [`TopologyError`]: name or address taken, unknown region or site.
    pub fn host(&mut self, name: &str, config: HostConfig) -> Result<HostIndex, TopologyError> {
        unique(name, self.topology.hosts.iter().map(|host| &host.name))?;
        let (parent, region, _) = self.place(name, config.placement)?;
        let index = HostIndex(self.topology.hosts.len() as u32);
        self.attach(name, config.address, self.topology.network(parent), parent, Node::Host(index))?;
        let (up, down) = (self.link(config.access.up), self.link(config.access.down));
        let address = config.address;
        self.topology.hosts.push(Host { name: name.to_owned(), address, parent, region, up, down });
        Ok(index)
    }

    /// Makes the fabric.
    ///
    /// # Errors
    /// [`TopologyError::MissingPath`] if a pair of regions has no path.
    pub fn build<P: Clone>(mut self) -> Result<Fabric<P>, TopologyError> {
        let regions = self.topology.regions.len() as u32;
        for from in (0..regions).map(RegionIndex) {
            for to in (0..regions).map(RegionIndex) {
                let config = self.paths.get(&(from, to)).copied().or(self.every_path);
                let config = config.ok_or_else(|| TopologyError::MissingPath {
                    from: self.topology.regions[from.0 as usize].clone(),
                    to: self.topology.regions[to.0 as usize].clone(),
                })?;
                let link = self.link(config);
                self.topology.core.push(link);
            }
        }
        Ok(Fabric::new(self.seed, self.topology, self.links, self.nats))
    }

    fn check_region(&self, region: RegionIndex) -> Result<(), TopologyError> {
        if (region.0 as usize) < self.topology.regions.len() {
            Ok(())
        } else {
            Err(TopologyError::UnknownRegion(region))
        }
    }

    /// The parent, the region, and how many sites lie around.
    fn place(&self, name: &str, placement: Placement) -> Result<(Location, RegionIndex, usize), TopologyError> {
        match placement {
            Placement::Core(region) => {
                self.check_region(region)?;
                Ok((Location::Core, region, 0))
            }
            Placement::Behind(site) => match self.topology.sites.get(site.0 as usize) {
                Some(parent) => Ok((Location::Site(site), parent.region, parent.depth)),
                None => Err(TopologyError::UnknownSite { name: name.to_owned(), site }),
            },
        }
    }

    fn attach(
        &mut self,
        name: &str,
        address: Ipv4Addr,
        network: Location,
        parent: Location,
        node: Node,
    ) -> Result<(), TopologyError> {
        if let Some(other) = self.topology.addresses.get(&address) {
            let other = match other.node {
                Node::Host(host) => &self.topology.host(host).name,
                Node::Gateway(site) => &self.topology.site(site).name,
            };
            return Err(TopologyError::DuplicateAddress { address, name: name.to_owned(), other: other.clone() });
        }
        self.topology.addresses.insert(address, Attachment { network, parent, node });
        Ok(())
    }

    fn link(&mut self, config: LinkConfig) -> LinkIndex {
        self.links.push(Link::new(config));
        LinkIndex(self.links.len() - 1)
    }
}

fn unique<'a>(name: &str, mut others: impl Iterator<Item = &'a String>) -> Result<(), TopologyError> {
    if others.any(|other| other == name) { Err(TopologyError::DuplicateName(name.to_owned())) } else { Ok(()) }
}
