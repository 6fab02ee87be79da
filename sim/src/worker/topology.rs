//! A scenario's topology as a fabric: addresses, links, NATs and regions.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use darkswap_fabric::{
    AccessConfig, AccessPoint, Bandwidth, Behaviour, FabricBuilder, GilbertElliott, Hairpinning, HostConfig, HostIndex,
    LinkConfig, MappingLife, NatConfig, NatKind, OnClash, Placement, PortAssignment, Probability, QueueLimit, Refresh,
    RegionIndex, Reordering, SiteConfig, SiteIndex, Unsolicited,
};
use darkswap_scenario::link::Link;
use darkswap_scenario::nat::{self, Dependence, Nat};
use darkswap_scenario::{Core, Topology, topology};

use crate::harness::SimFabric;

/// What crossing a LAN costs.
const LAN: Duration = Duration::from_micros(500);

/// A fabric with the way from the scenario's indices to its own.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) fabric: SimFabric,
    pub(super) places: Places,
}

/// Where the scenario's hosts, sites and access links are in the fabric.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) hosts: Vec<HostIndex>,
    pub(super) addresses: Vec<Ipv4Addr>,
    pub(super) sites: Vec<SiteIndex>,
    /// By access link: where it is attached.
    pub(super) uplinks: Vec<AccessPoint>,
    /// Two public hosts for NAT probes, when a scenario probes.
    pub(super) observers: Option<[(HostIndex, Ipv4Addr); 2]>,
}

/// Builds the fabric of a topology. `observers` adds the two public hosts that a NAT probe needs.
pub(super) fn build(topology: &Topology, core: &Core, seed: u64, observers: bool) -> Result<Built> {
    let mut builder = FabricBuilder::new(seed);
    let regions = core.regions.iter().map(|name| builder.region(name)).collect::<Result<Vec<_>, _>>()?;
    let loss = Probability::new(core.loss)?;
    for (from, latencies) in regions.iter().zip(&core.latency) {
        for (to, latency) in regions.iter().zip(latencies) {
            builder.path(
                *from,
                *to,
                LinkConfig { latency: *latency, jitter: core.jitter, loss, ..LinkConfig::default() },
            )?;
        }
    }
    let mut public: Vec<Addresses> = (0..core.regions.len()).map(Addresses::of_region).collect::<Result<_>>()?;
    let mut carrier = Addresses::new(Ipv4Addr::new(100, 64, 0, 0));
    let mut private = Addresses::new(Ipv4Addr::new(10, 0, 0, 0));
    let mut uplinks: Vec<Option<AccessPoint>> = vec![None; topology.uplinks.len()];
    let region_of = |uplink: topology::UplinkIndex| -> Result<(AccessConfig, RegionIndex, usize)> {
        let uplink = topology.uplinks.get(uplink.0).context("an access link of the topology")?;
        let region = *regions.get(uplink.region).context("a region of the topology")?;
        Ok((access(&uplink.link)?, region, uplink.region))
    };

    let mut sites = Vec::new();
    for (index, site) in topology.sites.iter().enumerate() {
        let (placement, external) = match site.behind {
            Some(outer) => (Placement::Behind(*sites.get(outer.0).context("outer sites come first")?), carrier.next()),
            None => {
                let uplink =
                    uplink_behind(topology, index).with_context(|| format!("site {} has no hosts", site.name))?;
                let (_, region, number) = region_of(uplink)?;
                (Placement::Core(region), public[number].next())
            }
        };
        let built = SiteIndex(u32::try_from(index)?);
        // A site without hosts of its own, such as a carrier's, only joins the access links of those behind it.
        let access = match topology.hosts.iter().find(|host| host.site.is_some_and(|site| site.0 == index)) {
            Some(host) => {
                uplinks[host.uplink.0] = Some(AccessPoint::Site(built));
                region_of(host.uplink)?.0
            }
            None => AccessConfig::default(),
        };
        let config = SiteConfig {
            access,
            lan: LinkConfig::with_latency(LAN),
            ..SiteConfig::behind_nat(placement, external, nat_config(&site.nat))
        };
        sites.push(builder.site(&site.name, config)?);
    }

    let (mut hosts, mut addresses) = (Vec::new(), Vec::new());
    for host in &topology.hosts {
        let (address, placement, access) = match host.site {
            Some(site) => {
                let site = *sites.get(site.0).context("a site of the topology")?;
                (private.next(), Placement::Behind(site), AccessConfig::default())
            }
            None => {
                let (access, region, number) = region_of(host.uplink)?;
                (public[number].next(), Placement::Core(region), access)
            }
        };
        let index = builder.host(&host.name, HostConfig { address, placement, access })?;
        if host.site.is_none() {
            uplinks[host.uplink.0] = Some(AccessPoint::Host(index));
        }
        hosts.push(index);
        addresses.push(address);
    }
    let observers = if observers {
        let public = public.first_mut().context("addresses of a region")?;
        Some(add_observers(&mut builder, *regions.first().context("a region")?, public)?)
    } else {
        None
    };
    let uplinks =
        uplinks.into_iter().map(|place| place.context("an access link without a host")).collect::<Result<_>>()?;
    Ok(Built { fabric: builder.build()?, places: Places { hosts, addresses, sites, uplinks, observers } })
}

fn add_observers(
    builder: &mut FabricBuilder,
    region: RegionIndex,
    public: &mut Addresses,
) -> Result<[(HostIndex, Ipv4Addr); 2]> {
    let mut add = |name: &str| -> Result<(HostIndex, Ipv4Addr)> {
        let address = public.next();
        Ok((builder.host(name, HostConfig::new(address, Placement::Core(region)))?, address))
    };
    Ok([add("observer-1")?, add("observer-2")?])
}

/// The access link of the first host behind an outermost site.
fn uplink_behind(topology: &Topology, site: usize) -> Option<topology::UplinkIndex> {
    let outermost = |mut at: topology::SiteIndex| {
        while let Some(outer) = topology.sites.get(at.0).and_then(|site| site.behind) {
            at = outer;
        }
        at.0
    };
    topology.hosts.iter().find(|host| host.site.map(outermost) == Some(site)).map(|host| host.uplink)
}

/// A link of the scenario in both directions.
pub(super) fn access(link: &Link) -> Result<AccessConfig> {
    let direction = |rate: Option<u64>| -> Result<LinkConfig> {
        Ok(LinkConfig {
            latency: link.latency,
            jitter: link.jitter,
            bandwidth: rate.and_then(Bandwidth::from_bits_per_second),
            queue: Some(QueueLimit::Bytes(link.queue)),
            loss: Probability::new(link.loss)?,
            burst: link
                .burst
                .map(|burst| -> Result<GilbertElliott> {
                    Ok(GilbertElliott {
                        good_to_bad: Probability::new(burst.to_bad)?,
                        bad_to_good: Probability::new(burst.to_good)?,
                        loss_in_good: Probability::new(burst.loss_good)?,
                        loss_in_bad: Probability::new(burst.loss_bad)?,
                    })
                })
                .transpose()?,
            reordering: match link.reorder {
                Some(reorder) => {
                    Reordering { probability: Probability::new(reorder.share)?, extra_delay: reorder.delay }
                }
                None => Reordering::default(),
            },
            duplication: Probability::new(link.duplicate)?,
        })
    };
    Ok(AccessConfig { up: direction(link.up)?, down: direction(link.down)? })
}

/// The mapping and filtering of a NAT, for the predicates.
pub(super) fn nat_kind(nat: &Nat) -> NatKind {
    NatKind::new(behaviour(nat.mapping), behaviour(nat.filtering))
}

/// A scenario's NAT as the fabric's.
pub(super) fn nat_config(nat: &Nat) -> NatConfig {
    let on_clash = if nat.overload { OnClash::Overload } else { OnClash::NextFree };
    NatConfig {
        ports: match nat.ports {
            nat::PortAssignment::Preserve => PortAssignment::Preserve { on_clash },
            nat::PortAssignment::Sequential => PortAssignment::Sequential,
            nat::PortAssignment::Random => PortAssignment::Random,
        },
        parity: nat.parity,
        udp: MappingLife {
            life: nat.life,
            refresh: match nat.refresh {
                nat::Refresh::Outbound => Refresh::Outbound,
                nat::Refresh::Inbound => Refresh::Inbound,
                nat::Refresh::Both => Refresh::Both,
            },
        },
        hairpinning: if nat.hairpinning { Hairpinning::ExternalSource } else { Hairpinning::Off },
        unsolicited: match nat.unsolicited {
            nat::Unsolicited::Drop => Unsolicited::Drop,
            nat::Unsolicited::Track => Unsolicited::Track,
        },
        ..NatConfig::new(nat_kind(nat))
    }
}

fn behaviour(dependence: Dependence) -> Behaviour {
    match dependence {
        Dependence::EndpointIndependent => Behaviour::EndpointIndependent,
        Dependence::AddressDependent => Behaviour::AddressDependent,
        Dependence::AddressAndPortDependent => Behaviour::AddressAndPortDependent,
    }
}

/// Addresses of a block in order, without those that end in 0 or 255.
struct Addresses {
    base: u32,
    count: u32,
}

impl Addresses {
    fn new(base: Ipv4Addr) -> Self {
        Self { base: base.into(), count: 0 }
    }

    /// Public addresses of a region: each region has a /16 of its own, since what shares one counts as one network.
    fn of_region(region: usize) -> Result<Self> {
        Ok(Self { base: u32::from(Ipv4Addr::new(198, 18, 0, 0)) + (u32::try_from(region)? << 16), count: 0 })
    }

    fn next(&mut self) -> Ipv4Addr {
        let (block, host) = (self.count / 254, self.count % 254);
        self.count += 1;
        (self.base + (block << 8) + host + 1).into()
    }
}
