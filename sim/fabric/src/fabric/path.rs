//! The way of a packet through the fabric, one stage at a time.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::flight::{Flight, Stage, Step};
use super::order::Checkpoint;
use super::{Fabric, MAX_IN_FLIGHT};
use crate::fault::FaultId;
use crate::nat::Nat;
use crate::packet::Transport;
use crate::tcp;
use crate::topology::{Attachment, Descent, HostIndex, LinkIndex, Location, MAX_NESTING, Node, SiteIndex, Topology};

/// Which packets keep their order on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// All: a wire.
    Link,
    /// Those of the same flow: the core, where flows do not see each other.
    Flow,
}

impl<P: Clone> Fabric<P> {
    /// Moves a packet on until it has to wait for a later time, or for other packets that are due before it.
    pub(super) fn run(&mut self, now: Duration, mut flight: Flight<P>) {
        loop {
            match self.step(now, &mut flight) {
                Step::Proceed(stage, at) => {
                    flight.stage = stage;
                    if at > now || self.schedule.has_due(at) {
                        return self.schedule.insert(at, flight);
                    }
                }
                Step::Hold(fault) => return self.held.push((fault, now, flight)),
                Step::Gone => return,
                Step::Deliver(host) => return self.ready.push_back(flight.into_delivery(host, now)),
            }
        }
    }

    fn step(&mut self, now: Duration, flight: &mut Flight<P>) -> Step {
        match flight.stage {
            Stage::Departing => self.depart(now, flight),
            Stage::Rising(location) => self.rise(now, flight, location),
            Stage::LeavingSite(site) => {
                let (link, parent) = (self.topology.site(site).up, self.topology.parent(site));
                match self.faults.site_link_down(site) {
                    Some(fault) => self.block(fault, flight),
                    None => self.cross(now, flight, link, Order::Link, Stage::Rising(parent)),
                }
            }
            Stage::Turned(location) => self.descend_unless_partitioned(now, flight, location),
            Stage::EnteringSite(site) => match self.faults.site_link_down(site) {
                Some(fault) => self.block(fault, flight),
                None => {
                    let link = self.topology.site(site).down;
                    self.cross(now, flight, link, Order::Link, Stage::Translating(site))
                }
            },
            Stage::Translating(site) => self.enter(now, flight, site),
            Stage::EnteringHost(host) => match (self.faults.host_down(host), self.faults.host_link_down(host)) {
                (Some(fault), _) => self.cut(fault),
                (None, Some(fault)) => self.block(fault, flight),
                (None, None) => {
                    let link = self.topology.host(host).down;
                    self.cross(now, flight, link, Order::Link, Stage::Arrived(host))
                }
            },
            Stage::Arrived(host) => self.repair(now, flight, host),
            Stage::Repaired(host) => match self.faults.host_down(host) {
                Some(fault) => self.cut(fault),
                None => Step::Deliver(host),
            },
        }
    }

    fn depart(&mut self, now: Duration, flight: &mut Flight<P>) -> Step {
        let host = self.topology.host(flight.sender);
        if *flight.destination.ip() == host.address {
            return Step::Proceed(Stage::Arrived(flight.sender), now);
        }
        match self.faults.host_link_down(flight.sender) {
            Some(fault) => self.block(fault, flight),
            None => self.cross(now, flight, host.up, Order::Link, Stage::Rising(host.parent)),
        }
    }

    /// Turns the packet around if its destination lies below, else sends it further out.
    fn rise(&mut self, now: Duration, flight: &mut Flight<P>, location: Location) -> Step {
        if let Some((target, _)) = self.way_down(location, flight.destination) {
            return self.turn(now, flight, location, target.node);
        }
        let Location::Site(site) = location else { return self.unroutable() };
        let Some(nat) = &mut self.nats[site.0 as usize] else {
            return Step::Proceed(Stage::LeavingSite(site), now);
        };
        if *flight.destination.ip() != nat.external() {
            return match nat.outbound(now, flight.protocol, flight.source, flight.destination) {
                Ok(source) => {
                    flight.source = source;
                    Step::Proceed(Stage::LeavingSite(site), now)
                }
                Err(_) => self.filtered(),
            };
        }
        match nat.hairpin(now, flight.protocol, flight.source, flight.destination) {
            Ok((source, destination)) => {
                (flight.source, flight.destination) = (source, destination);
                self.counters.hairpinned += 1;
                match self.way_down(location, destination) {
                    Some((target, _)) => self.turn(now, flight, location, target.node),
                    None => self.unroutable(),
                }
            }
            Err(_) => self.filtered(),
        }
    }

    /// Crosses the LAN of a site, or the core.
    fn turn(&mut self, now: Duration, flight: &mut Flight<P>, location: Location, target: Node) -> Step {
        let (link, order) = match location {
            Location::Site(site) => (self.topology.site(site).lan, Order::Link),
            Location::Core => {
                let from = self.topology.host(flight.sender).region;
                (self.topology.core_link(from, self.topology.region_of(target)), Order::Flow)
            }
        };
        self.cross(now, flight, link, order, Stage::Turned(location))
    }

    fn descend_unless_partitioned(&mut self, now: Duration, flight: &mut Flight<P>, location: Location) -> Step {
        if self.faults.has_partitions()
            && let Some(receiver) = receiver(&self.topology, &self.nats, now, flight)
            && let Some(fault) = self.faults.partition_between(flight.sender, receiver)
        {
            return self.block(fault, flight);
        }
        self.descend(now, flight, location)
    }

    fn descend(&mut self, now: Duration, flight: &Flight<P>, location: Location) -> Step {
        match self.way_down(location, flight.destination) {
            Some((_, Descent::Site(site))) => Step::Proceed(Stage::EnteringSite(site), now),
            Some((_, Descent::Host(host))) => Step::Proceed(Stage::EnteringHost(host), now),
            None => self.unroutable(),
        }
    }

    /// Translates at the NAT of a site, if it has one, and goes on inside.
    fn enter(&mut self, now: Duration, flight: &mut Flight<P>, site: SiteIndex) -> Step {
        if let Some(nat) = &mut self.nats[site.0 as usize] {
            match nat.inbound(now, flight.protocol, flight.source, flight.destination) {
                Ok(internal) => flight.destination = internal,
                Err(_) => return self.filtered(),
            }
        }
        self.descend(now, flight, Location::Site(site))
    }

    /// Lets a TCP segment wait until it, and all before it, would have been repaired.
    fn repair(&mut self, now: Duration, flight: &Flight<P>, host: HostIndex) -> Step {
        if flight.protocol.transport() == Transport::Udp {
            return Step::Proceed(Stage::Repaired(host), now);
        }
        let one_way = now.saturating_sub(flight.sent);
        let repaired = now.saturating_add(tcp::repair_time(flight.protocol.flags(), one_way, flight.losses));
        let last = self.order.of(now, Checkpoint::Host, Transport::Tcp, flight.source, flight.destination);
        *last = repaired.max(*last);
        Step::Proceed(Stage::Repaired(host), *last)
    }

    fn cross(&mut self, now: Duration, flight: &mut Flight<P>, link: LinkIndex, order: Order, next: Stage) -> Step {
        if let Some(fault) = self.faults.impairment(link) {
            self.faults.touch(fault, 1);
        }
        let transport = flight.protocol.transport();
        let link = &mut self.links[link.0];
        let passage = match order {
            Order::Link => {
                let mut last = link.last_arrival;
                let passage = link.transmit(now, flight.size, transport, &mut last, &mut self.rng);
                link.last_arrival = last;
                passage
            }
            Order::Flow if transport == Transport::Udp && link.config().jitter.is_zero() => {
                let mut unordered = Duration::ZERO;
                link.transmit(now, flight.size, transport, &mut unordered, &mut self.rng)
            }
            Order::Flow => {
                let last = self.order.of(now, Checkpoint::Core, transport, flight.source, flight.destination);
                link.transmit(now, flight.size, transport, last, &mut self.rng)
            }
        };
        let passage = match passage {
            Ok(passage) => passage,
            Err(reason) => {
                self.counters.count_link(reason);
                return Step::Gone;
            }
        };
        self.counters.reordered += u64::from(passage.reordered);
        if passage.losses > 0 {
            self.counters.tcp_delayed += u64::from(flight.losses == 0);
            flight.losses = flight.losses.saturating_add(passage.losses);
        }
        if passage.duplicated && self.schedule.len() < MAX_IN_FLIGHT {
            self.counters.duplicated += 1;
            self.schedule.insert(passage.at, Flight { stage: next, ..flight.clone() });
        }
        Step::Proceed(next, passage.at)
    }

    fn way_down(&self, location: Location, destination: SocketAddrV4) -> Option<(Attachment, Descent)> {
        let target = self.topology.resolve(location, *destination.ip())?;
        Some((*target, self.topology.descent(location, target)?))
    }

    /// Datagrams are dropped at a fault, TCP segments wait for its end.
    fn block(&mut self, fault: FaultId, flight: &Flight<P>) -> Step {
        match flight.protocol.transport() {
            Transport::Udp => self.cut(fault),
            Transport::Tcp => {
                self.faults.touch(fault, 1);
                self.counters.held += 1;
                Step::Hold(fault)
            }
        }
    }

    pub(super) fn cut(&mut self, fault: FaultId) -> Step {
        self.faults.touch(fault, 1);
        self.counters.cut += 1;
        Step::Gone
    }

    fn filtered(&mut self) -> Step {
        self.counters.filtered += 1;
        Step::Gone
    }

    fn unroutable(&mut self) -> Step {
        self.counters.unroutable += 1;
        Step::Gone
    }
}

/// The host that a packet would reach if no NAT filtered it.
pub(super) fn receiver<P>(
    topology: &Topology,
    nats: &[Option<Nat>],
    now: Duration,
    flight: &Flight<P>,
) -> Option<HostIndex> {
    let mut destination = flight.destination;
    for _ in 0..=MAX_NESTING {
        match topology.addresses.get(destination.ip())?.node {
            Node::Host(host) => return Some(host),
            Node::Gateway(site) => {
                let nat = nats.get(site.0 as usize)?.as_ref()?;
                destination = nat.peek(now, flight.protocol.transport(), flight.source, destination)?;
            }
        }
    }
    None
}
