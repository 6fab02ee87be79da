//! Changes of the host's addresses: noticed, and what follows.
//!
//! The seam tells addresses when asked and no news of them, so the loop asks now and then. What a NAT outside changes cannot be seen
//! here: it shows as connections on which nothing comes back.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use darkswap_connectivity::doubt;
use darkswap_core::Time;
use libp2p::PeerId;

use super::Node;
use crate::Runtime;
use crate::event::Event;

/// Pause between two looks: as for negotiated connections, which look for themselves.
const LOOK: Duration = Duration::from_secs(2);

/// The addresses that the host had at the last look.
#[derive(Debug)]
pub(super) struct Roaming {
    known: BTreeSet<IpAddr>,
    next: Time,
}

impl Roaming {
    pub(super) fn new(runtime: &dyn Runtime) -> Self {
        Self { known: look(runtime).unwrap_or_default(), next: LOOK }
    }

    pub(super) fn deadline(&self) -> Time {
        self.next
    }

    /// The host's addresses, if they are others than at the last look. One that has none at all is between two networks: that is no news.
    fn news(&mut self, now: Time, look: impl FnOnce() -> Option<BTreeSet<IpAddr>>) -> Option<BTreeSet<IpAddr>> {
        if now < self.next {
            return None;
        }
        self.next = now + LOOK;
        let found = look().filter(|found| *found != self.known && !found.is_empty())?;
        self.known.clone_from(&found);
        Some(found)
    }
}

/// The host's addresses but for loopback; `None` when the host does not tell.
fn look(runtime: &dyn Runtime) -> Option<BTreeSet<IpAddr>> {
    let found = runtime.local_addresses().inspect_err(|error| tracing::debug!(%error, "the host's addresses"));
    Some(found.ok()?.into_iter().filter(|address| !address.is_loopback()).collect())
}

impl Node {
    pub(super) fn look_around(&mut self) {
        let now = self.now();
        if let Some(addresses) = self.roaming.news(now, || look(self.runtime.as_ref())) {
            let addresses = addresses.into_iter().collect();
            self.report(Event::Roamed { addresses });
            self.on_roamed();
        }
    }

    /// The host has other addresses: every connection is asked whether it survived, and relays how they see us now.
    pub(super) fn on_roamed(&mut self) {
        let now = self.now();
        let connected: Vec<PeerId> =
            self.peers.iter().filter(|(_, peer)| !peer.connections.is_empty()).map(|(id, _)| *id).collect();
        for id in connected {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.doubt.handle(now, doubt::Input::Roamed);
            }
            self.drive(id);
        }
        self.relays.roamed(now);
        self.observe_again();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Option<BTreeSet<IpAddr>> {
        Some(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn only_other_addresses_are_news_and_each_of_them_once() {
        let mut roaming = Roaming { known: ips(&["10.0.0.1"]).unwrap(), next: Time::ZERO };
        assert_eq!(roaming.news(LOOK, || ips(&["10.0.0.1"])), None);
        assert_eq!(roaming.news(LOOK * 2, || ips(&[])), None, "between two networks");
        assert_eq!(roaming.news(LOOK * 3, || None), None);
        assert_eq!(roaming.news(LOOK * 7 / 2, || ips(&["10.0.0.2"])), None, "not before the next look");
        assert_eq!(roaming.news(LOOK * 4, || ips(&["10.0.0.2"])), ips(&["10.0.0.2"]));
        assert_eq!(roaming.news(LOOK * 5, || ips(&["10.0.0.2"])), None);
    }
}
