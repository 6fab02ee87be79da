//! A network address translator with one external address, in the vocabulary of RFC 4787.
//!
//! # Choices that the RFC leaves open
//! - **Filter state belongs to the mapping.** What one mapping has sent to opens that mapping only and is forgotten
//!   with it. A NAT with address-and-port-dependent mapping and address-dependent filtering therefore admits a packet
//!   to the port it used towards `S` from the address of `S` only, even if the same host has sent elsewhere too.
//! - **Filter state expires by remote endpoint.** Each remote endpoint (and address) is remembered for the mapping life
//!   since a refreshing packet to or from it, as connection tracking does. Keep-alives to a relay keep the mapping but
//!   not the hole towards a peer.
//! - **Replies follow the mapping behaviour.** A packet that was admitted from an endpoint never sent to before does
//!   not make the reply leave from the port it came to; dependent mapping gives the reply a mapping of its own.
//! - **TCP.** Any outbound segment creates a mapping, not only SYN. FIN and RST shorten the session.
//! - **Port preservation and resets.** See [`AfterReset`].
//!
//! The caller supplies the time; it should not run backwards, though nothing breaks if it does.

mod behaviour;
mod config;
mod counters;
mod mapping;
mod ports;
mod table;
mod tracked;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

pub use self::behaviour::{Behaviour, NatKind};
pub use self::config::{
    Hairpinning, MappingLife, NatConfig, NatLimits, OnClash, PortAssignment, Refresh, TCP_CLOSING_LIFE,
    TCP_MAPPING_LIFE, UDP_MAPPING_LIFE, Unsolicited,
};
pub use self::counters::{NatCounters, NatDrop};
use self::mapping::{Mapping, MappingKey};
use self::ports::PortAllocator;
use self::table::{MappingTable, Occupancy};
use self::tracked::Tracked;
use crate::packet::{Protocol, Transport};

/// Which external ports the flows get that continue after a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AfterReset {
    /// Those that the port assignment gives. A preserving NAT gives the same ports back, so that only the filter state
    /// is lost: a reboot of a home router. A sequential one continues from where it was.
    Reassigned,
    /// Others than before with every port assignment, preservation included: a rebinding. Ports that were in use at the
    /// reset are avoided until the next reset.
    Fresh,
}

/// A NAT box: packets are offered to one of its two sides and come back translated or refused.
#[derive(Debug)]
pub struct Nat {
    config: NatConfig,
    external: Ipv4Addr,
    table: MappingTable,
    ports: PortAllocator,
    tracked: Tracked,
    counters: NatCounters,
    sequence: u64,
}

impl Nat {
    /// Makes a NAT without mappings. `seed` decides random ports and where sequential ones start.
    pub fn new(config: NatConfig, external: Ipv4Addr, seed: u64) -> Self {
        Self {
            config,
            external,
            table: MappingTable::default(),
            ports: PortAllocator::new(config.ports, config.parity, seed),
            tracked: Tracked::default(),
            counters: NatCounters::default(),
            sequence: 0,
        }
    }

    /// How the NAT behaves.
    pub const fn config(&self) -> &NatConfig {
        &self.config
    }

    /// The only address of its external pool.
    pub const fn external(&self) -> Ipv4Addr {
        self.external
    }

    /// What it did since the start.
    pub fn counters(&self) -> NatCounters {
        NatCounters { mappings_expired: self.table.expired(), ..self.counters }
    }

    /// The number of mappings that have not expired.
    pub fn mappings(&self, now: Duration) -> usize {
        self.table.live(now).count()
    }

    /// Translates the source of a packet that leaves; returns the external endpoint it is presented with.
    ///
    /// # Errors
    /// A [`NatDrop`] if a new mapping is needed and a bound is reached.
    pub fn outbound(
        &mut self,
        now: Duration,
        protocol: Protocol,
        source: SocketAddrV4,
        destination: SocketAddrV4,
    ) -> Result<SocketAddrV4, NatDrop> {
        self.translate_outbound(now, protocol, source, destination).inspect_err(|&reason| self.counters.count(reason))
    }

    /// Translates the destination of a packet that arrives from the outside; returns the internal endpoint.
    ///
    /// # Errors
    /// [`NatDrop::Unmapped`] or [`NatDrop::Filtered`]; both are unsolicited, see [`Unsolicited`].
    pub fn inbound(
        &mut self,
        now: Duration,
        protocol: Protocol,
        source: SocketAddrV4,
        destination: SocketAddrV4,
    ) -> Result<SocketAddrV4, NatDrop> {
        self.translate_inbound(now, protocol, source, destination).inspect_err(|&reason| {
            self.track(now, protocol.transport(), source, destination.port());
            self.counters.count(reason);
        })
    }

    /// Turns around a packet from the inside to the own external address; returns its new source and destination.
    ///
    /// The source becomes the external endpoint of the sender (RFC 4787, REQ-9), and the filter of the receiver's
    /// mapping applies to that.
    ///
    /// # Errors
    /// [`NatDrop::HairpinningOff`], or what [`outbound`](Self::outbound) and [`inbound`](Self::inbound) say.
    pub fn hairpin(
        &mut self,
        now: Duration,
        protocol: Protocol,
        source: SocketAddrV4,
        destination: SocketAddrV4,
    ) -> Result<(SocketAddrV4, SocketAddrV4), NatDrop> {
        match self.config.hairpinning {
            Hairpinning::Off => {
                self.counters.count(NatDrop::HairpinningOff);
                Err(NatDrop::HairpinningOff)
            }
            Hairpinning::ExternalSource => {
                let source = self.outbound(now, protocol, source, destination)?;
                let destination = self.inbound(now, protocol, source, destination)?;
                self.counters.hairpinned += 1;
                Ok((source, destination))
            }
        }
    }

    /// The internal endpoint that a packet from the outside belongs to, whether or not the filter admits it; changes
    /// nothing.
    pub fn peek(
        &self,
        now: Duration,
        transport: Transport,
        source: SocketAddrV4,
        destination: SocketAddrV4,
    ) -> Option<SocketAddrV4> {
        let id = self.table.find_inbound(now, transport, destination.port(), source)?;
        self.table.get(id).map(|mapping| mapping.internal)
    }

    /// Forgets all mappings, filter state and tracked entries; returns how many live mappings there were.
    pub fn reset(&mut self, now: Duration, after: AfterReset) -> u64 {
        let forgotten = self.table.live(now).count() as u64;
        match after {
            AfterReset::Reassigned => self.ports.retire(std::iter::empty()),
            AfterReset::Fresh => {
                self.ports.retire(self.table.live(now).map(|mapping| (mapping.transport, mapping.port)))
            }
        }
        self.table.clear();
        self.tracked.clear();
        self.counters.mappings_reset += forgotten;
        forgotten
    }

    /// Takes another external address, with which all mappings are void; returns how many live ones there were.
    pub fn readdress(&mut self, now: Duration, external: Ipv4Addr) -> u64 {
        self.external = external;
        self.reset(now, AfterReset::Fresh)
    }

    fn translate_outbound(
        &mut self,
        now: Duration,
        protocol: Protocol,
        source: SocketAddrV4,
        destination: SocketAddrV4,
    ) -> Result<SocketAddrV4, NatDrop> {
        let id = self.mapping_for(now, protocol.transport(), source, destination)?;
        let mapping = self.table.get_mut(id).ok_or(NatDrop::Unmapped)?;
        self.sequence += 1;
        mapping.last_outbound = self.sequence;
        let evicted = mapping.sent(now, protocol, destination, &self.config);
        let (port, expires) = (mapping.port, mapping.expires);
        self.table.shortened(expires);
        self.counters.sessions_evicted += u64::from(evicted);
        self.counters.outbound += 1;
        Ok(SocketAddrV4::new(self.external, port))
    }

    fn translate_inbound(
        &mut self,
        now: Duration,
        protocol: Protocol,
        source: SocketAddrV4,
        destination: SocketAddrV4,
    ) -> Result<SocketAddrV4, NatDrop> {
        let id =
            self.table.find_inbound(now, protocol.transport(), destination.port(), source).ok_or(NatDrop::Unmapped)?;
        let mapping = self.table.get_mut(id).ok_or(NatDrop::Unmapped)?;
        if !mapping.admits(now, self.config.kind.filtering, source) {
            return Err(NatDrop::Filtered);
        }
        mapping.received(now, protocol, source, &self.config);
        let (internal, expires) = (mapping.internal, mapping.expires);
        self.table.shortened(expires);
        self.counters.inbound += 1;
        Ok(internal)
    }

    /// Finds or opens the mapping for an outbound packet.
    fn mapping_for(
        &mut self,
        now: Duration,
        transport: Transport,
        source: SocketAddrV4,
        destination: SocketAddrV4,
    ) -> Result<u32, NatDrop> {
        let behaviour = self.config.kind.mapping;
        let key = MappingKey::new(transport, source, behaviour.part_of(destination));
        if self.config.unsolicited == Unsolicited::Drop {
            return match self.table.find(now, key) {
                Some(id) => Ok(id),
                None => self.open(now, transport, source, destination, key),
            };
        }
        // A flow that once stepped aside for a tracked entry keeps the mapping it got then.
        let exact = MappingKey::new(transport, source, Behaviour::AddressAndPortDependent.part_of(destination));
        if let Some(id) = self.table.find(now, exact) {
            return Ok(id);
        }
        let found = self.table.find(now, key);
        let port = match found.and_then(|id| self.table.get(id)) {
            Some(mapping) if mapping.has_session(now, destination) => None,
            Some(mapping) => Some(mapping.port),
            None => matches!(self.config.ports, PortAssignment::Preserve { .. }).then_some(source.port()),
        };
        if port.is_some_and(|port| self.tracked.claims(now, transport, destination, port)) {
            self.counters.remapped += 1;
            return self.open(now, transport, source, destination, exact);
        }
        match found {
            Some(id) => Ok(id),
            None => self.open(now, transport, source, destination, key),
        }
    }

    fn open(
        &mut self,
        now: Duration,
        transport: Transport,
        source: SocketAddrV4,
        destination: SocketAddrV4,
        key: MappingKey,
    ) -> Result<u32, NatDrop> {
        let limits = self.config.limits;
        if self.table.len() >= limits.mappings || self.table.mappings_of(*source.ip()) >= limits.mappings_per_host {
            self.table.sweep(now);
            if self.table.len() >= limits.mappings {
                return Err(NatDrop::MappingsExhausted);
            }
            if self.table.mappings_of(*source.ip()) >= limits.mappings_per_host {
                return Err(NatDrop::HostMappingsExhausted);
            }
        }
        let (table, tracked) = (&mut self.table, &self.tracked);
        let port = self
            .ports
            .assign(transport, source.port(), |port| {
                if tracked.claims(now, transport, destination, port) {
                    Occupancy::Taken
                } else {
                    table.occupancy(now, transport, port, source)
                }
            })
            .ok_or(NatDrop::PortsExhausted)?;
        self.counters.mappings_created += 1;
        let expires = now.saturating_add(self.config.life(transport).life);
        Ok(self.table.insert(Mapping::new(key, transport, source, port, expires)))
    }

    fn track(&mut self, now: Duration, transport: Transport, remote: SocketAddrV4, port: u16) {
        if self.config.unsolicited == Unsolicited::Track {
            let expires = now.saturating_add(self.config.life(transport).life);
            let limit = self.config.limits.tracked;
            self.counters.tracked += u64::from(self.tracked.add(now, transport, remote, port, expires, limit));
        }
    }
}
