//! Reservations on the configured relays: asked for, kept, and asked for again with back-off.

use std::collections::BTreeMap;
use std::time::Duration;

use darkswap_core::Time;
use darkswap_core::backoff::Backoff;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::config::PeerAddress;
use crate::limits::fixed::identify::OBSERVATION;
use crate::limits::fixed::relay::RETRY;

/// The reservations of a node.
#[derive(Debug)]
pub(super) struct Relays {
    relays: BTreeMap<PeerId, Relay>,
    /// When the relays were last asked how they see us.
    observed: Option<Time>,
}

#[derive(Debug)]
struct Relay {
    address: Multiaddr,
    state: State,
    backoff: Backoff,
    /// Since when the reservation is missing.
    since: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting { until: Time },
    Asked { listener: ListenerId },
    Held { listener: ListenerId },
}

impl Relays {
    /// Takes up the configured relays; the first one's address counts when a relay is named twice.
    pub(super) fn new(configured: &[PeerAddress], mut seed: impl FnMut() -> u64) -> Self {
        let mut relays = BTreeMap::new();
        for PeerAddress { peer, address } in configured {
            relays.entry(*peer).or_insert_with(|| Relay {
                address: address.clone(),
                state: State::Waiting { until: Time::ZERO },
                backoff: Backoff::new(RETRY.0, RETRY.1, seed()),
                since: Time::ZERO,
            });
        }
        Self { relays, observed: None }
    }

    /// Relays that should be asked for a reservation now, with the address to listen on.
    pub(super) fn due(&self, now: Time) -> Vec<(PeerId, Multiaddr)> {
        self.relays
            .iter()
            .filter(|(_, relay)| matches!(relay.state, State::Waiting { until } if now >= until))
            .map(|(peer, relay)| (*peer, circuit(&relay.address, *peer)))
            .collect()
    }

    /// A relay was asked through this listener.
    pub(super) fn asked(&mut self, relay: PeerId, listener: ListenerId) {
        if let Some(relay) = self.relays.get_mut(&relay) {
            relay.state = State::Asked { listener };
        }
    }

    /// A relay accepted. Answers with the time for which the reservation was missing.
    pub(super) fn accepted(&mut self, now: Time, relay: PeerId) -> Duration {
        let Some(relay) = self.relays.get_mut(&relay) else { return Duration::ZERO };
        if let State::Asked { listener } = relay.state {
            relay.state = State::Held { listener };
        }
        relay.backoff.reset();
        now.saturating_sub(relay.since)
    }

    /// The listener of a relay ended; answers with the relay.
    pub(super) fn closed(&mut self, now: Time, listener: ListenerId) -> Option<PeerId> {
        let is_its =
            |state| matches!(state, State::Asked { listener: its } | State::Held { listener: its } if its == listener);
        let (peer, relay) = self.relays.iter_mut().find(|(_, relay)| is_its(relay.state))?;
        if matches!(relay.state, State::Held { .. }) {
            relay.since = now;
        }
        relay.state = State::Waiting { until: now + relay.backoff.next_delay() };
        Some(*peer)
    }

    /// A relay could not even be asked.
    pub(super) fn failed(&mut self, now: Time, relay: PeerId) {
        if let Some(relay) = self.relays.get_mut(&relay) {
            relay.state = State::Waiting { until: now + relay.backoff.next_delay() };
        }
    }

    /// When [`due`](Self::due) has something next.
    pub(super) fn deadline(&self) -> Option<Time> {
        let until = |relay: &Relay| match relay.state {
            State::Waiting { until } => Some(until),
            State::Asked { .. } | State::Held { .. } => None,
        };
        self.relays.values().filter_map(until).min()
    }

    /// Relays on which a reservation is held.
    pub(super) fn held(&self) -> Vec<PeerId> {
        self.relays
            .iter()
            .filter(|(_, relay)| matches!(relay.state, State::Held { .. }))
            .map(|(peer, _)| *peer)
            .collect()
    }

    /// Relays to ask again how they see us, with their addresses: those that hold a reservation, unless that was done a moment ago.
    pub(super) fn observers(&mut self, now: Time) -> Vec<(PeerId, Multiaddr)> {
        if self.observed.is_some_and(|at| now < at + OBSERVATION) {
            return Vec::new();
        }
        self.observed = Some(now);
        let held = self.relays.iter().filter(|(_, relay)| matches!(relay.state, State::Held { .. }));
        held.map(|(peer, relay)| (*peer, relay.address.clone())).collect()
    }

    /// Circuits to `peer` through the configured relays, for a peer of which nothing else is known.
    pub(super) fn circuits_to(&self, peer: PeerId) -> Vec<Multiaddr> {
        self.relays
            .iter()
            .filter(|(relay, _)| **relay != peer)
            .map(|(relay, state)| circuit(&state.address, *relay).with(Protocol::P2p(peer)))
            .collect()
    }
}

fn circuit(address: &Multiaddr, relay: PeerId) -> Multiaddr {
    address.clone().with(Protocol::P2p(relay)).with(Protocol::P2pCircuit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_lost_reservation_is_asked_for_again_after_a_pause() {
        let peer = PeerId::random();
        let address = "/ip4/10.0.0.1/udp/4001/quic-v1".parse().unwrap();
        let mut relays = Relays::new(&[PeerAddress { peer, address }], || 7);
        assert_eq!(relays.due(at(0)).len(), 1);
        let listener = ListenerId::next();
        relays.asked(peer, listener);
        assert_eq!((relays.due(at(0)), relays.deadline()), (vec![], None));
        assert_eq!(relays.accepted(at(2), peer), at(2));
        assert_eq!(relays.held(), [peer]);

        assert_eq!(relays.closed(at(9), listener), Some(peer));
        assert_eq!(relays.closed(at(9), listener), None);
        let again = relays.deadline().unwrap();
        assert!(again > at(9) && again <= at(10));
        assert_eq!(relays.due(again).len(), 1);
    }
}
