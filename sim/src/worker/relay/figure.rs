//! What the choice of relays came to, at the end of an interval and of the run.

use std::collections::BTreeMap;
use std::time::Duration;

use darkswap_scenario::topology::Role;
use libp2p::PeerId;

use super::super::recorder::tags;
use super::super::scene::Scene;
use super::Home;

/// Seconds of an hour and of a minute.
const HOUR: f64 = 3_600.0;
const MINUTE: f64 = 60.0;

/// The figures about relays.
pub(crate) struct RelayFigures<'a> {
    pub(crate) scene: Scene<'a>,
}

/// A relay of the scenario.
struct Relay<'a> {
    peer: PeerId,
    name: &'a str,
    /// Bytes that it sent since the start of the run.
    sent: u64,
}

impl<'a> RelayFigures<'a> {
    /// Records what each relay did in the interval that ends now.
    pub(crate) fn interval(&self) {
        let relays = self.relays();
        let announcing = self.announcing();
        for relay in relays {
            let holders = announcing.get(&relay.peer).copied().unwrap_or_default();
            let before = {
                let mut inner = self.scene.ledger.relays.lock();
                *inner.reserved.entry(relay.peer).or_default() += holders;
                inner.sent.insert(relay.peer, relay.sent).unwrap_or_default()
            };
            let names = || tags([("relay", relay.name)]);
            self.scene.recorder.value("relay_bytes", relay.sent.saturating_sub(before) as f64, names());
            self.scene.recorder.value("relay_reservations", holders as f64, names());
        }
    }

    /// Records what only the end of the run tells.
    pub(crate) fn close(&self) {
        self.close_loads();
        self.close_homes();
        self.close_control_traffic();
    }

    fn close_loads(&self) {
        let relays = self.relays();
        let (reserved, circuits) = {
            let inner = self.scene.ledger.relays.lock();
            (inner.reserved.clone(), inner.circuits.clone())
        };
        let bytes = relays.iter().map(|relay| (relay.peer, relay.sent)).collect();
        for (of, counts) in [("bytes", bytes), ("reservations", reserved), ("circuits", circuits)] {
            for (relay, share) in relays.iter().zip(shares(&relays, &counts)) {
                self.scene.recorder.value("relay_load", share, tags([("relay", relay.name), ("of", of)]));
            }
        }
    }

    fn close_homes(&self) {
        let now = self.scene.recorder.now();
        let (homes, requests, probes) = {
            let inner = self.scene.ledger.relays.lock();
            (inner.homes.clone(), inner.requests.clone(), inner.probes.clone())
        };
        for (host, home) in homes {
            if let Some(rate) = flaps_per_hour(home, now) {
                self.scene.recorder.value("flaps", rate, tags([("from", self.name(host))]));
            }
        }
        for (host, requests) in requests {
            let names = || tags([("from", self.name(host))]);
            if let Some(share) = requests.success() {
                self.scene.recorder.value("reservation_success", share, names());
            }
            self.scene.recorder.value("reservation_in_vain", requests.vain as f64, names());
        }
        for (host, count) in probes {
            let rate = count as f64 / (now.as_secs_f64() / MINUTE);
            self.scene.recorder.value("probes", rate, tags([("host", self.name(host))]));
        }
    }

    fn close_control_traffic(&self) {
        let now = self.scene.recorder.now().as_secs_f64();
        let payload = self.scene.ledger.relays.lock().payload.clone();
        for (index, host) in self.scene.topology.hosts.iter().enumerate() {
            if host.role == Role::Peer {
                let carried = payload.get(&host.name).copied().unwrap_or_default();
                let rate = self.sent(index).saturating_sub(carried) as f64 / now;
                self.scene.recorder.value("control_traffic", rate, tags([("host", &*host.name)]));
            }
        }
    }

    /// How many hosts that are up announce each relay.
    fn announcing(&self) -> BTreeMap<PeerId, u64> {
        let announced = self.scene.ledger.relays.lock().announced.clone();
        let mut counts = BTreeMap::new();
        let up = announced.into_iter().filter(|(host, _)| self.scene.cast.handle(*host).is_some());
        for relay in up.flat_map(|(_, relays)| relays) {
            *counts.entry(relay).or_default() += 1;
        }
        counts
    }

    fn relays(&self) -> Vec<Relay<'a>> {
        let hosts = self.scene.topology.hosts.iter().enumerate().filter(|(_, host)| host.role == Role::Relay);
        let relay = |(index, _): (usize, _)| {
            let member = &self.scene.cast.members()[index];
            Relay { peer: member.peer_id(), name: &member.name, sent: self.sent(index) }
        };
        hosts.map(relay).collect()
    }

    /// Bytes that a host sent since the start of the run.
    fn sent(&self, host: usize) -> u64 {
        let host = self.scene.places.hosts[host];
        self.scene.world.fabric(|fabric| fabric.host_counters(host).map_or(0, |counters| counters.bytes_out))
    }

    fn name(&self, host: usize) -> &'a str {
        &self.scene.cast.members()[host].name
    }
}

/// Each relay's share of what all of them did; nothing when none did anything.
fn shares(relays: &[Relay<'_>], counts: &BTreeMap<PeerId, u64>) -> Vec<f64> {
    let count = |relay: &Relay<'_>| counts.get(&relay.peer).copied().unwrap_or_default();
    let all: u64 = relays.iter().map(count).sum();
    if all == 0 { Vec::new() } else { relays.iter().map(|relay| count(relay) as f64 / all as f64).collect() }
}

/// Changes for a better home per hour; none of a home that was found at the very end.
fn flaps_per_hour(home: Home, now: Duration) -> Option<f64> {
    let hours = now.saturating_sub(home.since).as_secs_f64() / HOUR;
    (hours > 0.0).then(|| home.flaps as f64 / hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_a_relay_that_nobody_used_has_none() {
        let peer =
            |number: u8| libp2p::identity::Keypair::ed25519_from_bytes([number; 32]).unwrap().public().to_peer_id();
        let [a, b, c, stranger] = [1, 2, 3, 4].map(peer);
        let relays = [a, b, c].map(|peer| Relay { peer, name: "", sent: 0 });
        // What passed a host that is no relay of the scenario counts nowhere.
        let counts = BTreeMap::from([(a, 30), (b, 10), (stranger, 60)]);
        assert_eq!(shares(&relays, &counts), [0.75, 0.25, 0.0]);
        assert_eq!(shares(&relays, &BTreeMap::new()), [0.0; 0]);
    }

    #[test]
    fn flaps_are_per_hour_since_the_first_home() {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let home = Home { since: minutes(5), flaps: 3 };
        assert_eq!(flaps_per_hour(home, minutes(35)), Some(6.0));
        assert_eq!(flaps_per_hour(home, minutes(5)), None);
    }
}
