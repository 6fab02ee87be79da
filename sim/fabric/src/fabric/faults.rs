//! Applying and lifting faults.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::Fabric;
use super::active::Record;
use super::flight::{Flight, Stage};
use crate::fault::{AccessPoint, Fault, FaultError, FaultId, LinkRef};
use crate::link::Link;
use crate::topology::{HostIndex, LinkIndex, RegionIndex, SiteIndex};

impl<P: Clone> Fabric<P> {
    /// Breaks something at `now`.
    ///
    /// # Errors
    /// [`FaultError`] if the fault names something that does not exist; then nothing has changed.
    pub fn apply(&mut self, now: Duration, fault: Fault) -> Result<FaultId, FaultError> {
        self.advance(now);
        self.check(&fault)?;
        let id = FaultId(self.faults.records.len() as u32);
        self.faults.records.push(Record { fault: None, touched: 0 });
        match &fault {
            Fault::Partition { groups } => self.faults.add_partition(id, groups),
            Fault::HostDown { host } => {
                self.faults.hosts_down_of(*host).push(id);
                let purged = self.purge(now, *host);
                self.faults.touch(id, 1 + purged);
            }
            Fault::LinkDown { at: AccessPoint::Host(host) } => self.faults.host_links_down_of(*host).push(id),
            Fault::LinkDown { at: AccessPoint::Site(site) } => self.faults.site_links_down_of(*site).push(id),
            Fault::NatReset { site, after } => {
                if let Some(nat) = &mut self.nats[site.0 as usize] {
                    let forgotten = nat.reset(now, *after);
                    self.faults.touch(id, forgotten);
                }
                return Ok(id);
            }
            Fault::Readdress { site, external } => {
                if let Some(nat) = &mut self.nats[site.0 as usize] {
                    if let Some(attachment) = self.topology.addresses.swap_remove(&nat.external()) {
                        self.topology.addresses.insert(*external, attachment);
                    }
                    let forgotten = nat.readdress(now, *external);
                    self.faults.touch(id, 1 + forgotten);
                }
                return Ok(id);
            }
            Fault::Impairment { link, config } => {
                let index = self.link_index(*link)?;
                let link = &mut self.links[index.0];
                self.faults.impair(index, id, *link.config(), *config);
                link.set_config(*config);
            }
        }
        self.faults.records[id.0 as usize].fault = Some(fault);
        Ok(id)
    }

    /// Repairs what a fault has broken; the TCP segments that it held go on in their order.
    ///
    /// # Errors
    /// [`FaultError::UnknownFault`], or [`FaultError::NotActive`] if it was lifted before or takes no time.
    pub fn lift(&mut self, now: Duration, id: FaultId) -> Result<(), FaultError> {
        self.advance(now);
        let record = self.faults.records.get_mut(id.0 as usize).ok_or(FaultError::UnknownFault(id))?;
        let fault = record.fault.take().ok_or(FaultError::NotActive(id))?;
        match fault {
            Fault::Partition { .. } => self.faults.remove_partition(id),
            Fault::HostDown { host } => self.faults.hosts_down_of(host).retain(|&other| other != id),
            Fault::LinkDown { at: AccessPoint::Host(host) } => {
                self.faults.host_links_down_of(host).retain(|&other| other != id);
            }
            Fault::LinkDown { at: AccessPoint::Site(site) } => {
                self.faults.site_links_down_of(site).retain(|&other| other != id);
            }
            Fault::NatReset { .. } | Fault::Readdress { .. } => {}
            Fault::Impairment { link, .. } => {
                let index = self.link_index(link)?;
                if let Some(config) = self.faults.repair(index, id) {
                    self.links[index.0].set_config(config);
                }
            }
        }
        for (holder, since, mut flight) in std::mem::take(&mut self.held) {
            if holder == id {
                flight.sent = flight.sent.saturating_add(now.saturating_sub(since));
                self.schedule.insert(now, flight);
            } else {
                self.held.push((holder, since, flight));
            }
        }
        Ok(())
    }

    /// How much a fault has touched so far: packets, mappings or hosts, see [`Fault`]. An unknown fault has touched
    /// nothing.
    pub fn touched(&self, id: FaultId) -> u64 {
        self.faults.records.get(id.0 as usize).map_or(0, |record| record.touched)
    }

    /// Whether an address belongs to a host or a NAT, in whatever network.
    pub fn is_taken(&self, address: Ipv4Addr) -> bool {
        self.topology.addresses.contains_key(&address)
    }

    /// A link with its parameters in force.
    ///
    /// # Errors
    /// [`FaultError`] if it names something that does not exist.
    pub fn link(&self, link: LinkRef) -> Result<&Link, FaultError> {
        self.link_index(link).map(|index| &self.links[index.0])
    }

    fn check(&self, fault: &Fault) -> Result<(), FaultError> {
        match fault {
            Fault::Partition { groups } => groups.iter().flatten().try_for_each(|&host| self.check_host(host)),
            Fault::HostDown { host } => self.check_host(*host),
            Fault::LinkDown { at: AccessPoint::Host(host) } => self.check_host(*host),
            Fault::LinkDown { at: AccessPoint::Site(site) } => self.check_site(*site),
            Fault::NatReset { site, .. } => {
                self.check_site(*site)?;
                self.nat(*site).map(|_| ()).ok_or(FaultError::NoNat(*site))
            }
            Fault::Readdress { site, external } => {
                self.check_site(*site)?;
                self.nat(*site).ok_or(FaultError::NoNat(*site))?;
                if self.is_taken(*external) { Err(FaultError::AddressTaken(*external)) } else { Ok(()) }
            }
            Fault::Impairment { link, .. } => self.link_index(*link).map(|_| ()),
        }
    }

    fn check_host(&self, host: HostIndex) -> Result<(), FaultError> {
        let exists = (host.0 as usize) < self.topology.hosts.len();
        if exists { Ok(()) } else { Err(FaultError::UnknownHost(host)) }
    }

    fn check_site(&self, site: SiteIndex) -> Result<(), FaultError> {
        let exists = (site.0 as usize) < self.topology.sites.len();
        if exists { Ok(()) } else { Err(FaultError::UnknownSite(site)) }
    }

    fn check_region(&self, region: RegionIndex) -> Result<(), FaultError> {
        let exists = (region.0 as usize) < self.topology.regions.len();
        if exists { Ok(()) } else { Err(FaultError::UnknownRegion(region)) }
    }

    fn link_index(&self, link: LinkRef) -> Result<LinkIndex, FaultError> {
        match link {
            LinkRef::Up(AccessPoint::Host(host)) => self.check_host(host).map(|()| self.topology.host(host).up),
            LinkRef::Down(AccessPoint::Host(host)) => self.check_host(host).map(|()| self.topology.host(host).down),
            LinkRef::Up(AccessPoint::Site(site)) => self.check_site(site).map(|()| self.topology.site(site).up),
            LinkRef::Down(AccessPoint::Site(site)) => self.check_site(site).map(|()| self.topology.site(site).down),
            LinkRef::Lan(site) => self.check_site(site).map(|()| self.topology.site(site).lan),
            LinkRef::Core { from, to } => {
                self.check_region(from)?;
                self.check_region(to)?;
                Ok(self.topology.core_link(from, to))
            }
        }
    }

    /// Drops everything from and to a host, wherever it is; returns how many packets.
    fn purge(&mut self, now: Duration, host: HostIndex) -> u64 {
        let (topology, nats) = (&self.topology, &self.nats);
        let concerns = |flight: &Flight<P>| {
            flight.sender == host
                || match flight.stage {
                    Stage::EnteringHost(receiver) | Stage::Arrived(receiver) | Stage::Repaired(receiver) => {
                        receiver == host
                    }
                    Stage::Departing
                    | Stage::Rising(_)
                    | Stage::LeavingSite(_)
                    | Stage::Turned(_)
                    | Stage::EnteringSite(_)
                    | Stage::Translating(_) => super::path::receiver(topology, nats, now, flight) == Some(host),
                }
        };
        let mut purged = self.schedule.retain(|flight| !concerns(flight));
        let before = self.held.len() + self.ready.len();
        self.held.retain(|(_, _, flight)| !concerns(flight));
        self.ready.retain(|delivery| delivery.host != host && delivery.sender != host);
        purged += (before - self.held.len() - self.ready.len()) as u64;
        self.counters.cut += purged;
        purged
    }
}
