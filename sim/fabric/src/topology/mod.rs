//! Who is attached where: regions, sites behind NATs, hosts.
//!
//! Sites form a forest whose root is the core. A site with a gateway is a network of its own: its hosts and the
//! gateways of the sites inside it are known only there. A site without one belongs to the network around it. An
//! address is routable in the network to which it is attached, and nowhere else.

mod builder;
mod config;
mod error;

use std::net::Ipv4Addr;

pub use self::builder::FabricBuilder;
pub use self::config::{
    Gateway, HostConfig, HostIndex, Location, MAX_NESTING, Placement, RegionIndex, SiteConfig, SiteIndex,
};
pub use self::error::TopologyError;
use crate::hash::FastMap;

/// The place of a link in the list of all links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkIndex(pub(crate) usize);

/// What an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    Host(HostIndex),
    Gateway(SiteIndex),
}

/// An address within its network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attachment {
    pub(crate) network: Location,
    pub(crate) parent: Location,
    pub(crate) node: Node,
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) parent: Location,
    pub(crate) region: RegionIndex,
    pub(crate) up: LinkIndex,
    pub(crate) down: LinkIndex,
}

#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) name: String,
    pub(crate) parent: Location,
    /// The network that the inside of the site belongs to: the site itself if it has a gateway.
    pub(crate) network: Location,
    pub(crate) region: RegionIndex,
    pub(crate) depth: usize,
    pub(crate) up: LinkIndex,
    pub(crate) down: LinkIndex,
    pub(crate) lan: LinkIndex,
}

/// The part of the fabric that does not change, but for the address of a NAT that gets another one.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    pub(crate) regions: Vec<String>,
    pub(crate) sites: Vec<Site>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) addresses: FastMap<Ipv4Addr, Attachment>,
    /// Links between regions, row by row.
    pub(crate) core: Vec<LinkIndex>,
}

/// The next place on the way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descent {
    Site(SiteIndex),
    Host(HostIndex),
}

impl Topology {
    pub(crate) fn site(&self, site: SiteIndex) -> &Site {
        &self.sites[site.0 as usize]
    }

    pub(crate) fn host(&self, host: HostIndex) -> &Host {
        &self.hosts[host.0 as usize]
    }

    pub(crate) fn core_link(&self, from: RegionIndex, to: RegionIndex) -> LinkIndex {
        self.core[from.0 as usize * self.regions.len() + to.0 as usize]
    }

    pub(crate) fn network(&self, location: Location) -> Location {
        match location {
            Location::Core => Location::Core,
            Location::Site(site) => self.site(site).network,
        }
    }

    pub(crate) fn parent(&self, site: SiteIndex) -> Location {
        self.site(site).parent
    }

    /// What `address` is attached to in the network that `location` is in.
    pub(crate) fn resolve(&self, location: Location, address: Ipv4Addr) -> Option<&Attachment> {
        self.addresses.get(&address).filter(|attachment| attachment.network == self.network(location))
    }

    /// The way down from `location` to `target`, or none if it does not lie below.
    pub(crate) fn descent(&self, location: Location, target: &Attachment) -> Option<Descent> {
        if target.parent == location {
            return Some(match target.node {
                Node::Host(host) => Descent::Host(host),
                Node::Gateway(site) => Descent::Site(site),
            });
        }
        let mut cursor = target.parent;
        while let Location::Site(site) = cursor {
            cursor = self.parent(site);
            if cursor == location {
                return Some(Descent::Site(site));
            }
        }
        None
    }

    pub(crate) fn region_of(&self, node: Node) -> RegionIndex {
        match node {
            Node::Host(host) => self.host(host).region,
            Node::Gateway(site) => self.site(site).region,
        }
    }

    /// The sites around a location, from the inside outwards.
    pub(crate) fn sites_around(&self, location: Location) -> impl Iterator<Item = SiteIndex> {
        std::iter::successors(site_of(location), |&site| site_of(self.parent(site)))
    }
}

fn site_of(location: Location) -> Option<SiteIndex> {
    match location {
        Location::Core => None,
        Location::Site(site) => Some(site),
    }
}
