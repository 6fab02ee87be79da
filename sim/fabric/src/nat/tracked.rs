//! Connection-tracking entries that unsolicited packets left behind.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::mapping::tagged;
use crate::hash::FastMap;
use crate::packet::Transport;

/// Pairs of remote endpoint and external port that belong to the router itself.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    entries: FastMap<(u64, u16), Duration>,
}

impl Tracked {
    /// Remembers an unsolicited packet; returns whether there was room.
    pub(super) fn add(
        &mut self,
        now: Duration,
        transport: Transport,
        remote: SocketAddrV4,
        port: u16,
        expires: Duration,
        limit: usize,
    ) -> bool {
        let key = (tagged(transport, remote), port);
        if self.entries.len() >= limit && !self.entries.contains_key(&key) {
            self.entries.retain(|_, expires| now < *expires);
            if self.entries.len() >= limit {
                return false;
            }
        }
        self.entries.insert(key, expires);
        true
    }

    /// Whether a flow to `remote` must not use the external port.
    pub(super) fn claims(&self, now: Duration, transport: Transport, remote: SocketAddrV4, port: u16) -> bool {
        !self.entries.is_empty()
            && self.entries.get(&(tagged(transport, remote), port)).is_some_and(|&expires| now < expires)
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}
