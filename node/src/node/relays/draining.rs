//! Relays that are about to stop: others, and this one.

use std::time::Duration;

use darkswap_connectivity::relay::estimate::{self, Origin};
use darkswap_connectivity::relay::load_report::{LONGEST_NOTICE, LoadReport};
use darkswap_connectivity::relay::reservation;
use libp2p::PeerId;

use crate::event::{Event, Misbehaviour};
use crate::node::Node;
use crate::relay_load::Request;

impl Node {
    /// A peer says of its own that it is about to stop.
    pub(super) fn on_telling(&mut self, peer: PeerId, report: LoadReport) {
        let evidence = match report.drains_in {
            Some(within) => {
                let is_withdrawal = self.relay_withdrawn(peer);
                if self.relays.is_used(peer) {
                    return self.on_draining(peer, within);
                }
                if is_withdrawal {
                    return;
                }
                "found a notice of a drain, expected none of a peer whose reservation we do not have"
            }
            None => "found a report of load that was not asked for, expected a notice of a drain",
        };
        let kind = Misbehaviour::Unsolicited;
        self.report(Event::Misbehaviour { peer, kind, evidence: evidence.to_owned() });
    }

    pub(super) fn on_draining(&mut self, relay: PeerId, seconds: u32) {
        let (now, within) = (self.now(), Duration::from_secs(seconds.into()));
        self.relays.reservations.handle(now, reservation::Input::Draining { relay, within });
    }

    /// Forgets a relay that answered a probe with the word that it drains, if it was found in the DHT and nothing here uses it: there is
    /// nothing to come of asking it again.
    pub(super) fn drop_draining(&mut self, relay: PeerId, seconds: u32) {
        let Some(entry) = self.relays.known.get(&relay) else { return };
        // A visit that is left over carries something.
        if entry.origin != Origin::Found || entry.visit.is_some() || self.relays.is_used(relay) {
            return;
        }
        let now = self.now();
        self.relays.tell(now, estimate::Input::Forgotten { relay });
        self.forget_relay(relay);
        self.leave_found(relay, Duration::from_secs(seconds.into()));
    }

    /// Tells a peer with a reservation here that this relay stops.
    pub(in crate::node) fn tell_draining(&mut self, peer: PeerId, within: Duration) {
        let seconds = u32::try_from(within.as_secs()).unwrap_or(LONGEST_NOTICE).min(LONGEST_NOTICE);
        let report = self.load_report().unwrap_or_default();
        let telling = Request::Telling(LoadReport { drains_in: Some(seconds), ..report });
        self.swarm.behaviour_mut().relay_load.inner().send_request(&peer, Ok(telling));
    }
}
