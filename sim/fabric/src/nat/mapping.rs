//! One mapping and the filter state that lives and ends with it.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::behaviour::Behaviour;
use super::config::NatConfig;
use crate::hash::{FastMap, pack};
use crate::packet::{Protocol, Transport};

/// What the mapping behaviour distinguishes: an internal endpoint and a part of the remote one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct MappingKey {
    inside: u64,
    remote: u64,
}

impl MappingKey {
    pub(super) fn new(transport: Transport, internal: SocketAddrV4, remote: u64) -> Self {
        Self { inside: tagged(transport, internal), remote }
    }
}

/// An endpoint together with its transport in one word.
pub(super) fn tagged(transport: Transport, endpoint: SocketAddrV4) -> u64 {
    pack(endpoint) | (transport as u64) << 48
}

/// A remote endpoint to which the mapping has sent.
#[derive(Debug)]
struct Session {
    expires: Duration,
    closing: bool,
}

/// An external port on loan to an internal endpoint.
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) key: MappingKey,
    pub(super) transport: Transport,
    pub(super) internal: SocketAddrV4,
    pub(super) port: u16,
    pub(super) expires: Duration,
    /// Position of the last outbound packet in the order of all; decides between overloaded mappings.
    pub(super) last_outbound: u64,
    sessions: FastMap<u64, Session>,
    addresses: FastMap<u32, Duration>,
}

impl Mapping {
    pub(super) fn new(
        key: MappingKey,
        transport: Transport,
        internal: SocketAddrV4,
        port: u16,
        expires: Duration,
    ) -> Self {
        Self {
            key,
            transport,
            internal,
            port,
            expires,
            last_outbound: 0,
            sessions: FastMap::default(),
            addresses: FastMap::default(),
        }
    }

    pub(super) fn is_live(&self, now: Duration) -> bool {
        now < self.expires
    }

    /// Whether the mapping has lately sent to exactly this endpoint.
    pub(super) fn has_session(&self, now: Duration, remote: SocketAddrV4) -> bool {
        self.sessions.get(&pack(remote)).is_some_and(|session| now < session.expires)
    }

    /// Whether the mapping has lately sent to this address.
    pub(super) fn has_sent_to_address_of(&self, now: Duration, remote: SocketAddrV4) -> bool {
        self.addresses.get(&remote.ip().to_bits()).is_some_and(|&expires| now < expires)
    }

    pub(super) fn admits(&self, now: Duration, filtering: Behaviour, remote: SocketAddrV4) -> bool {
        match filtering {
            Behaviour::EndpointIndependent => true,
            Behaviour::AddressDependent => self.has_sent_to_address_of(now, remote),
            Behaviour::AddressAndPortDependent => self.has_session(now, remote),
        }
    }

    /// Takes note of an outbound packet; returns whether a session was evicted.
    pub(super) fn sent(&mut self, now: Duration, protocol: Protocol, remote: SocketAddrV4, config: &NatConfig) -> bool {
        let rule = config.life(self.transport);
        let known = self.has_session(now, remote);
        let evicted = !known && self.make_room(now, config.limits.sessions_per_mapping);
        if !known {
            let expires = now.saturating_add(rule.life);
            self.sessions.insert(pack(remote), Session { expires, closing: false });
            raise(&mut self.addresses, remote, expires);
        }
        if rule.refresh.by_outbound() || !known {
            self.refresh_session(now, protocol, remote, config);
        }
        if rule.refresh.by_outbound() {
            self.refresh_mapping(now, remote, rule.life);
        }
        self.close(protocol);
        evicted
    }

    /// Takes note of an inbound packet that was admitted.
    pub(super) fn received(&mut self, now: Duration, protocol: Protocol, remote: SocketAddrV4, config: &NatConfig) {
        let rule = config.life(self.transport);
        if rule.refresh.by_inbound() {
            if self.has_session(now, remote) {
                self.refresh_session(now, protocol, remote, config);
            } else if self.has_sent_to_address_of(now, remote) {
                raise(&mut self.addresses, remote, now.saturating_add(rule.life));
            }
            self.refresh_mapping(now, remote, rule.life);
        }
        self.close(protocol);
    }

    fn refresh_session(&mut self, now: Duration, protocol: Protocol, remote: SocketAddrV4, config: &NatConfig) {
        let Some(session) = self.sessions.get_mut(&pack(remote)) else { return };
        let flags = protocol.flags();
        session.closing = !flags.syn && (session.closing || flags.fin || flags.rst);
        let life = if session.closing { config.tcp_closing } else { config.life(self.transport).life };
        session.expires = now.saturating_add(life);
        let expires = session.expires;
        if session.closing {
            self.addresses.insert(remote.ip().to_bits(), expires);
        } else {
            raise(&mut self.addresses, remote, expires);
        }
    }

    fn refresh_mapping(&mut self, now: Duration, remote: SocketAddrV4, life: Duration) {
        let until = match self.sessions.get(&pack(remote)) {
            Some(session) => session.expires,
            None => now.saturating_add(life),
        };
        self.expires = self.expires.max(until);
    }

    /// After FIN or RST the mapping lives no longer than the longest of its sessions.
    fn close(&mut self, protocol: Protocol) {
        let flags = protocol.flags();
        if flags.fin || flags.rst {
            let longest = self.sessions.values().map(|session| session.expires).max();
            self.expires = longest.map_or(self.expires, |longest| longest.min(self.expires));
        }
    }

    /// Makes room for one session; returns whether a live one had to go.
    fn make_room(&mut self, now: Duration, limit: usize) -> bool {
        if self.sessions.len() < limit.max(1) {
            return false;
        }
        self.sessions.retain(|_, session| now < session.expires);
        self.addresses.retain(|_, expires| now < *expires);
        if self.sessions.len() < limit.max(1) {
            return false;
        }
        let first = (0..self.sessions.len()).min_by_key(|&index| self.sessions[index].expires);
        if let Some(index) = first {
            self.sessions.swap_remove_index(index);
        }
        true
    }
}

fn raise(addresses: &mut FastMap<u32, Duration>, remote: SocketAddrV4, expires: Duration) {
    let until = addresses.entry(remote.ip().to_bits()).or_default();
    *until = expires.max(*until);
}
