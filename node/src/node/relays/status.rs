//! What the relays are, for people.

use darkswap_connectivity::relay::estimate::Origin;
use darkswap_connectivity::relay::policy::{Parameters, cost};
use darkswap_core::Time;
use libp2p::PeerId;

use super::Relays;
use crate::relay_status::{RelayState, RelayStatus};

impl Relays {
    /// Every known relay: those in use first, the home first of all, then the cheapest.
    pub(in crate::node) fn statuses(&self, now: Time, parameters: &Parameters) -> Vec<RelayStatus> {
        let status = |known: darkswap_connectivity::relay::reservation::Known<PeerId>| {
            let (relay, candidate) = (known.relay, known.candidate);
            let entry = self.known.get(&relay);
            RelayStatus {
                relay,
                configured: entry.is_some_and(|entry| entry.origin == Origin::Configured),
                state: self.state_of(relay),
                round_trip: candidate.rtt,
                loss: candidate.loss,
                reported_load: entry.and_then(|entry| entry.load),
                credibility: self.estimates.estimate(relay).map_or(1.0, |estimate| estimate.credibility()),
                load: candidate.load,
                success: candidate.success,
                cost: cost(&candidate, parameters),
            }
        };
        let mut statuses: Vec<RelayStatus> = self.estimates.candidates(now).into_iter().map(status).collect();
        statuses.sort_by_key(|status| (status.state, status.cost));
        statuses
    }

    fn state_of(&self, relay: PeerId) -> RelayState {
        match self.announced.iter().position(|announced| *announced == relay) {
            Some(0) => RelayState::Home,
            Some(_) => RelayState::Standby,
            None if self.is_used(relay) => RelayState::Changing,
            None => RelayState::Known,
        }
    }
}
