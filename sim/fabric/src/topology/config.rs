//! What a scenario says about hosts and sites.

use std::net::Ipv4Addr;

use crate::link::{AccessConfig, LinkConfig};
use crate::nat::NatConfig;

/// How many sites may lie around a host: home, carrier, and room for two more.
pub const MAX_NESTING: usize = 4;

/// A host, numbered in the order of addition from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostIndex(pub u32);

/// A site, numbered in the order of addition from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteIndex(pub u32);

/// A region of the core, numbered in the order of addition from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegionIndex(pub u32);

/// A place where packets are routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Location {
    /// The core, where public addresses are.
    Core,
    /// The inside of a site.
    Site(SiteIndex),
}

/// Where a host or a site is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Placement {
    /// Directly to the core, in a region.
    Core(RegionIndex),
    /// Inside a site: a host on its LAN, or a home behind a carrier.
    Behind(SiteIndex),
}

/// A host: one address and its own access link.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostConfig {
    /// Its address, unique in the whole fabric even if it is private.
    pub address: Ipv4Addr,
    /// Where it is attached.
    pub placement: Placement,
    /// The link between the host and the place where it is attached.
    pub access: AccessConfig,
}

impl HostConfig {
    /// A host with an ideal access link.
    pub fn new(address: Ipv4Addr, placement: Placement) -> Self {
        Self { address, placement, access: AccessConfig::default() }
    }
}

/// The NAT between a site and what is around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gateway {
    /// The external address, which belongs to the network around the site: public if the site is attached to the core.
    pub external: Ipv4Addr,
    /// How the NAT behaves.
    pub nat: NatConfig,
}

/// A site: a LAN with an access link, behind a NAT or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SiteConfig {
    /// Where it is attached.
    pub placement: Placement,
    /// Its NAT; without one the addresses inside belong to the network around the site.
    pub gateway: Option<Gateway>,
    /// The link between the site and the place where it is attached, outside of the NAT.
    pub access: AccessConfig,
    /// What every packet crosses that is turned around inside: from host to host, hairpinned, or from home to home.
    pub lan: LinkConfig,
}

impl SiteConfig {
    /// A site behind a NAT, with ideal links.
    pub fn behind_nat(placement: Placement, external: Ipv4Addr, nat: NatConfig) -> Self {
        Self {
            placement,
            gateway: Some(Gateway { external, nat }),
            access: AccessConfig::default(),
            lan: LinkConfig::default(),
        }
    }

    /// A site without a NAT, with ideal links.
    pub fn routed(placement: Placement) -> Self {
        Self { placement, gateway: None, access: AccessConfig::default(), lan: LinkConfig::default() }
    }
}
