//! The fabric: takes packets, says when which host receives what.

mod active;
mod faults;
mod flight;
mod order;
mod path;
mod schedule;

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use self::active::Faults;
use self::flight::{Flight, Stage};
use self::order::FlowOrder;
use self::schedule::Schedule;
use crate::counters::{Counters, HostCounters};
use crate::fault::FaultId;
use crate::link::Link;
use crate::nat::{Nat, NatKind};
use crate::packet::{Delivery, Packet, Transport};
use crate::topology::{HostIndex, Location, Node, RegionIndex, SiteIndex, Topology};

/// How many packets may be under way; datagrams beyond that are dropped. TCP segments are bounded by their windows.
pub const MAX_IN_FLIGHT: usize = 1 << 20;

/// The network between all hosts. Made by a [`FabricBuilder`](crate::FabricBuilder).
///
/// Times are since the start of the simulation and must not run backwards from call to call.
#[derive(Debug)]
pub struct Fabric<P> {
    topology: Topology,
    links: Vec<Link>,
    nats: Vec<Option<Nat>>,
    rng: ChaCha8Rng,
    schedule: Schedule<Flight<P>>,
    ready: VecDeque<Delivery<P>>,
    held: Vec<(FaultId, Duration, Flight<P>)>,
    order: FlowOrder,
    faults: Faults,
    counters: Counters,
    host_counters: Vec<HostCounters>,
}

impl<P: Clone> Fabric<P> {
    pub(crate) fn new(seed: u64, topology: Topology, links: Vec<Link>, nats: Vec<Option<Nat>>) -> Self {
        let (hosts, sites) = (topology.hosts.len(), topology.sites.len());
        Self {
            faults: Faults::new(hosts, sites, links.len()),
            host_counters: vec![HostCounters::default(); hosts],
            topology,
            links,
            nats,
            rng: ChaCha8Rng::seed_from_u64(seed),
            schedule: Schedule::new(),
            ready: VecDeque::new(),
            held: Vec::new(),
            order: FlowOrder::new(),
            counters: Counters::default(),
        }
    }

    /// Takes a packet that a host sends at `now`. What becomes of it shows in deliveries and counters.
    ///
    /// The sender is found by the packet's source address.
    pub fn send(&mut self, now: Duration, packet: Packet<P>) {
        self.advance(now);
        self.counters.sent += 1;
        self.counters.sent_bytes += u64::from(packet.size);
        let Some((source, destination)) = packet.endpoints() else {
            self.counters.unroutable += 1;
            return;
        };
        let Some(sender) = self.host_at(*source.ip()) else {
            self.counters.unroutable += 1;
            return;
        };
        let counters = &mut self.host_counters[sender.0 as usize];
        counters.packets_out += 1;
        counters.bytes_out += u64::from(packet.size);
        if let Some(fault) = self.faults.host_down(sender) {
            self.cut(fault);
            return;
        }
        if packet.protocol.transport() == Transport::Udp && self.schedule.len() >= MAX_IN_FLIGHT {
            self.counters.overflowed += 1;
            return;
        }
        let Packet { protocol, size, body, .. } = packet;
        let stage = Stage::Departing;
        self.run(now, Flight { source, destination, protocol, size, body, sender, sent: now, losses: 0, stage });
    }

    /// When the fabric wants to be asked again by [`pop_due`](Self::pop_due); none if nothing is under way.
    ///
    /// At that time something happens inside, not necessarily a delivery.
    pub fn next_due(&self) -> Option<Duration> {
        self.ready.front().map(|delivery| delivery.at).or_else(|| self.schedule.next_due())
    }

    /// Takes the next packet that has arrived at or before `now`; call it until it returns none.
    ///
    /// Everything happens at its own time even if the caller asks late, and deliveries come in the order of arrival.
    pub fn pop_due(&mut self, now: Duration) -> Option<Delivery<P>> {
        loop {
            if let Some(delivery) = self.ready.pop_front() {
                self.count_delivery(&delivery);
                return Some(delivery);
            }
            let (due, flight) = self.schedule.pop_due(now)?;
            self.run(due, flight);
        }
    }

    fn count_delivery(&mut self, delivery: &Delivery<P>) {
        let bytes = u64::from(delivery.packet.size);
        self.counters.delivered += 1;
        self.counters.delivered_bytes += bytes;
        let counters = &mut self.host_counters[delivery.host.0 as usize];
        counters.packets_in += 1;
        counters.bytes_in += bytes;
    }

    /// Lets everything happen that is due at or before `now`.
    pub(crate) fn advance(&mut self, now: Duration) {
        while let Some((due, flight)) = self.schedule.pop_due(now) {
            self.run(due, flight);
        }
    }

    /// Totals since the start.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Packets under way, held by faults, or arrived and not yet popped.
    pub fn in_flight(&self) -> usize {
        self.schedule.len() + self.held.len() + self.ready.len()
    }

    /// Totals of one host; none if it does not exist.
    pub fn host_counters(&self, host: HostIndex) -> Option<&HostCounters> {
        self.host_counters.get(host.0 as usize)
    }

    /// The NAT of a site; none if there is none.
    pub fn nat(&self, site: SiteIndex) -> Option<&Nat> {
        self.nats.get(site.0 as usize).and_then(Option::as_ref)
    }

    /// All hosts in order of index: name and address.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = (HostIndex, &str, Ipv4Addr)> {
        let numbered = self.topology.hosts.iter().enumerate();
        numbered.map(|(index, host)| (HostIndex(index as u32), host.name.as_str(), host.address))
    }

    /// All sites in order of index, with their names.
    pub fn sites(&self) -> impl ExactSizeIterator<Item = (SiteIndex, &str)> {
        let numbered = self.topology.sites.iter().enumerate();
        numbered.map(|(index, site)| (SiteIndex(index as u32), site.name.as_str()))
    }

    /// All regions in order of index, with their names.
    pub fn regions(&self) -> impl ExactSizeIterator<Item = (RegionIndex, &str)> {
        let numbered = self.topology.regions.iter().enumerate();
        numbered.map(|(index, name)| (RegionIndex(index as u32), name.as_str()))
    }

    /// The host with this address.
    pub fn host_at(&self, address: Ipv4Addr) -> Option<HostIndex> {
        match self.topology.addresses.get(&address)?.node {
            Node::Host(host) => Some(host),
            Node::Gateway(_) => None,
        }
    }

    /// The kinds of the NATs in front of a host, from the host outwards: what the [predicates](crate::predicate) take.
    /// Empty for a public host, and for one that does not exist.
    pub fn nat_chain(&self, host: HostIndex) -> Vec<NatKind> {
        let parent = self.topology.hosts.get(host.0 as usize).map_or(Location::Core, |host| host.parent);
        self.topology.sites_around(parent).filter_map(|site| self.nat(site)).map(|nat| nat.config().kind).collect()
    }

    /// The innermost place that two hosts share: the core, or a site within which they are neighbours and to which the
    /// predicates do not apply. None if a host does not exist.
    pub fn common_location(&self, one: HostIndex, other: HostIndex) -> Option<Location> {
        let one = self.topology.hosts.get(one.0 as usize)?.parent;
        let other = self.topology.hosts.get(other.0 as usize)?.parent;
        let shared = self
            .topology
            .sites_around(one)
            .find(|&site| self.topology.sites_around(other).any(|around| around == site));
        Some(shared.map_or(Location::Core, Location::Site))
    }
}
