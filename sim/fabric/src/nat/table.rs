//! The mappings of a NAT, found by internal endpoint and by external port.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::mapping::{Mapping, MappingKey};
use crate::hash::FastMap;
use crate::packet::Transport;

/// Who uses an external port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occupancy {
    /// Nobody.
    Free,
    /// Internal endpoints other than the one that asks.
    Others,
    /// The internal endpoint that asks, for another destination, or something that must not be shared.
    Taken,
}

/// All mappings, live ones and expired ones that nobody has looked at since.
#[derive(Debug, Default)]
pub(super) struct MappingTable {
    slots: Vec<Option<Mapping>>,
    free: Vec<u32>,
    by_key: FastMap<MappingKey, u32>,
    by_port: FastMap<u32, Vec<u32>>,
    by_host: FastMap<u32, usize>,
    /// No mapping expires before this, so that a full table is not searched for every packet.
    earliest: Duration,
    expired: u64,
}

impl MappingTable {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Mappings that ended by their idle life so far.
    pub(super) fn expired(&self) -> u64 {
        self.expired
    }

    pub(super) fn live(&self, now: Duration) -> impl Iterator<Item = &Mapping> {
        self.slots.iter().flatten().filter(move |mapping| mapping.is_live(now))
    }

    pub(super) fn mappings_of(&self, host: Ipv4Addr) -> usize {
        self.by_host.get(&host.to_bits()).copied().unwrap_or_default()
    }

    pub(super) fn get(&self, id: u32) -> Option<&Mapping> {
        self.slots.get(id as usize).and_then(Option::as_ref)
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Mapping> {
        self.slots.get_mut(id as usize).and_then(Option::as_mut)
    }

    /// Finds a live mapping; an expired one ends here.
    pub(super) fn find(&mut self, now: Duration, key: MappingKey) -> Option<u32> {
        let id = *self.by_key.get(&key)?;
        if self.get(id).is_some_and(|mapping| mapping.is_live(now)) {
            return Some(id);
        }
        self.expire(id);
        None
    }

    /// Finds the mapping that a packet from `source` to the external port belongs to, whether or not it is admitted.
    pub(super) fn find_inbound(
        &self,
        now: Duration,
        transport: Transport,
        port: u16,
        source: SocketAddrV4,
    ) -> Option<u32> {
        let ids = self.by_port.get(&port_key(transport, port))?;
        let live = ids.iter().filter_map(|&id| Some((id, self.get(id)?))).filter(|(_, mapping)| mapping.is_live(now));
        let claim = |mapping: &Mapping| {
            let exact = mapping.has_session(now, source);
            (exact, exact || mapping.has_sent_to_address_of(now, source), mapping.last_outbound)
        };
        match ids.as_slice() {
            [_] => live.map(|(id, _)| id).next(),
            _ => live.max_by_key(|(_, mapping)| claim(mapping)).map(|(id, _)| id),
        }
    }

    /// Tells who uses an external port; expired mappings on it end here.
    pub(super) fn occupancy(
        &mut self,
        now: Duration,
        transport: Transport,
        port: u16,
        internal: SocketAddrV4,
    ) -> Occupancy {
        let mut occupancy = Occupancy::Free;
        let mut index = 0;
        while let Some(&id) = self.by_port.get(&port_key(transport, port)).and_then(|ids| ids.get(index)) {
            match self.get(id) {
                Some(mapping) if mapping.is_live(now) => {
                    if mapping.internal == internal {
                        return Occupancy::Taken;
                    }
                    occupancy = Occupancy::Others;
                    index += 1;
                }
                Some(_) | None => self.expire(id),
            }
        }
        occupancy
    }

    pub(super) fn insert(&mut self, mapping: Mapping) -> u32 {
        self.earliest = self.earliest.min(mapping.expires);
        let (key, port, host) =
            (mapping.key, port_key(mapping.transport, mapping.port), mapping.internal.ip().to_bits());
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[id as usize] = Some(mapping);
                id
            }
            None => {
                self.slots.push(Some(mapping));
                (self.slots.len() - 1) as u32
            }
        };
        self.by_key.insert(key, id);
        self.by_port.entry(port).or_default().push(id);
        *self.by_host.entry(host).or_default() += 1;
        id
    }

    /// Takes note that a mapping may now expire earlier than before.
    pub(super) fn shortened(&mut self, expires: Duration) {
        self.earliest = self.earliest.min(expires);
    }

    /// Removes all expired mappings.
    pub(super) fn sweep(&mut self, now: Duration) {
        if now < self.earliest {
            return;
        }
        let mut earliest = Duration::MAX;
        for id in 0..self.slots.len() as u32 {
            match self.get(id) {
                Some(mapping) if mapping.is_live(now) => earliest = earliest.min(mapping.expires),
                Some(_) => self.expire(id),
                None => {}
            }
        }
        self.earliest = earliest;
    }

    pub(super) fn clear(&mut self) {
        let expired = self.expired;
        *self = Self { expired, ..Self::default() };
    }

    fn expire(&mut self, id: u32) {
        let Some(mapping) = self.slots.get_mut(id as usize).and_then(Option::take) else { return };
        self.expired += 1;
        self.free.push(id);
        self.by_key.swap_remove(&mapping.key);
        let port = port_key(mapping.transport, mapping.port);
        if let Some(ids) = self.by_port.get_mut(&port) {
            ids.retain(|&other| other != id);
            if ids.is_empty() {
                self.by_port.swap_remove(&port);
            }
        }
        let host = mapping.internal.ip().to_bits();
        if let Some(count) = self.by_host.get_mut(&host) {
            *count -= 1;
            if *count == 0 {
                self.by_host.swap_remove(&host);
            }
        }
    }
}

fn port_key(transport: Transport, port: u16) -> u32 {
    (transport as u32) << 16 | u32::from(port)
}
