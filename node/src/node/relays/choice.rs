//! Carrying what one machine decides into the other, and out to libp2p.

use darkswap_connectivity::relay::estimate;
use darkswap_connectivity::relay::reservation::{Failure, Input, Output, Purpose};
use darkswap_core::Time;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, relay};

use super::State;
use crate::event::Event;
use crate::limits::fixed::relay::LIFE;
use crate::node::pool::Hold;
use crate::node::{Node, explain};
use crate::transport::address::relay_of;

impl Node {
    /// Does what the relays' machines ask for now. The node's loop calls it at every turn, after whatever gave them an input.
    pub(in crate::node) fn drive_relays(&mut self) {
        let now = self.now();
        if self.relays.estimates.deadline().is_some_and(|at| at <= now) {
            self.relays.estimates.handle(now, estimate::Input::Tick);
        }
        let mut is_due = self.relays.reservations.deadline().is_some_and(|at| at <= now);
        loop {
            while let Some(output) = self.relays.estimates.poll() {
                self.on_estimate(output);
            }
            let is_decided = self.relays.settle(now);
            if self.relays.settled.is_none() && (std::mem::take(&mut self.relays.is_news) || is_due) {
                // What is told fades with time, so the machine hears of it whenever it is about to decide.
                let candidates = self.relays.estimates.candidates(now);
                self.relays.reservations.handle(now, Input::Candidates(candidates));
                is_due = false;
            }
            let mut is_done = true;
            while let Some(output) = self.relays.reservations.poll() {
                self.on_reservation(now, output);
                is_done = false;
            }
            self.relays.note_used(now);
            if is_decided {
                self.leave_relays();
            }
            if is_done && (!self.relays.is_news || self.relays.settled.is_some()) {
                break;
            }
        }
    }

    fn on_estimate(&mut self, output: estimate::Output<PeerId>) {
        match output {
            estimate::Output::Probe { relay } => self.probe_relay(relay),
            estimate::Output::Silent { relay } => self.on_silent_relay(relay),
            estimate::Output::Displaced { relay } | estimate::Output::Unplaced { relay } => {
                self.forget_relay(relay);
                self.relay_displaced(relay);
            }
        }
    }

    pub(super) fn forget_relay(&mut self, relay: PeerId) {
        let visit = self.relays.known.remove(&relay).and_then(|entry| entry.visit);
        self.relays.is_news = true;
        if let Some(visit) = visit {
            self.close_visit(visit);
        }
    }

    fn on_reservation(&mut self, now: Time, output: Output<PeerId>) {
        match output {
            Output::Reserve { relay, purpose: Purpose::New } => {
                if let Some(entry) = self.relays.known.get_mut(&relay) {
                    entry.state = State::Reaching;
                    (entry.reason, entry.since) = (None, now);
                }
                self.reach_relay(relay);
            }
            // A second listener on the same connection takes the reservation over from the first, without a gap.
            Output::Reserve { relay, purpose: Purpose::Renewal } => self.listen_through(relay),
            Output::Release { relay } => self.release_relay(relay),
            Output::Announce { relays } => self.announce_relays(relays),
            Output::Home { from, to, reason } => self.report(Event::HomeRelay { from, to, reason }),
            Output::Failed { relay, failure } => self.on_relay_failed(relay, failure),
            Output::Short { held, wanted } => tracing::debug!(held, wanted, "fewer relays are held than wanted"),
        }
    }

    /// Asks a connected relay for a reservation.
    pub(super) fn listen_through(&mut self, relay: PeerId) {
        let Some(circuit) = self.relays.circuit(relay) else { return };
        match self.swarm.listen_on(circuit) {
            Ok(listener) => {
                self.relays.listeners.push((listener, relay));
                let Some(entry) = self.relays.known.get_mut(&relay) else { return };
                entry.state = match entry.state {
                    State::Held(_) => State::Held(listener),
                    State::Idle | State::Reaching | State::Asked(_) => State::Asked(listener),
                };
            }
            Err(error) => self.relay_lost(relay, Some(explain(&error))),
        }
    }

    pub(in crate::node) fn on_relay_client(&mut self, event: &relay::client::Event) {
        let relay::client::Event::ReservationReqAccepted { relay_peer_id: relay, .. } = *event else { return };
        let now = self.now();
        let Some(entry) = self.relays.known.get_mut(&relay) else { return };
        let (listener, renewal) = match entry.state {
            State::Asked(listener) => (listener, false),
            State::Held(listener) => (listener, true),
            // An answer that came after the question was taken back. The relay ends the reservation by itself in time.
            State::Idle | State::Reaching => return,
        };
        entry.state = State::Held(listener);
        let elapsed = if renewal { std::time::Duration::ZERO } else { now.saturating_sub(entry.since) };
        self.hold_open(relay, Hold::Relay);
        self.report(Event::ReservationAccepted { relay, renewal, elapsed });
        self.relays.tell(now, estimate::Input::Granted { relay });
        self.relays.reservations.handle(now, Input::Granted { relay, life: LIFE });
    }

    /// A listener closed. Whether it was one of a reservation.
    pub(in crate::node) fn on_relay_listener_closed(&mut self, listener: ListenerId, reason: Option<&String>) -> bool {
        let Some(index) = self.relays.listeners.iter().position(|(its, _)| *its == listener) else { return false };
        let (_, relay) = self.relays.listeners.remove(index);
        let is_current = self.relays.known.get(&relay).is_some_and(|entry| entry.listener() == Some(listener));
        if is_current {
            self.relay_lost(relay, reason.cloned());
        }
        true
    }

    /// A relay did not grant, or no longer holds, a reservation.
    pub(super) fn relay_lost(&mut self, relay: PeerId, reason: Option<String>) {
        let (now, is_connected) = (self.now(), self.is_connected_to(relay));
        let Some(entry) = self.relays.known.get_mut(&relay) else { return };
        let was_asked = matches!(entry.state, State::Asked(_)) && is_connected;
        entry.reason = reason;
        let input = if was_asked { Input::Refused { relay } } else { Input::Lost { relay } };
        self.relays.reservations.handle(now, input);
    }

    /// A relay in use answers nothing. Its connections are closed at once: what goes through them is lost, and new circuits must not
    /// be led into them.
    fn on_silent_relay(&mut self, relay: PeerId) {
        self.relay_lost(relay, Some("it answers no probe".to_owned()));
        self.disconnect_relay(relay);
    }

    /// A relay was given up.
    fn on_relay_failed(&mut self, relay: PeerId, failure: Failure) {
        let now = self.now();
        let entry = self.relays.known.get_mut(&relay);
        let asked = entry.as_ref().filter(|entry| matches!(entry.state, State::Reaching | State::Asked(_)));
        let asked = asked.map(|entry| now.saturating_sub(entry.since));
        let reason = entry.and_then(|entry| entry.reason.take());
        let reason = reason.unwrap_or_else(|| {
            match failure {
                Failure::Refused => "it refused",
                Failure::TimedOut => "it did not answer in time",
                Failure::Lost => "the connection to it is gone",
                Failure::TooShort => "it granted too short a reservation",
                Failure::Ended => "it ended",
            }
            .to_owned()
        });
        self.report(Event::ReservationLost { relay, reason, asked });
        if asked.is_some() || matches!(failure, Failure::Refused | Failure::TimedOut) {
            self.relays.tell(now, estimate::Input::Refused { relay });
        }
        self.release_relay(relay);
    }

    /// Ends the listener of a relay, or the attempt to get one.
    fn release_relay(&mut self, relay: PeerId) {
        for (listener, _) in self.relays.listeners.extract_if(.., |(_, its)| *its == relay) {
            self.swarm.remove_listener(listener);
        }
        if let Some(entry) = self.relays.known.get_mut(&relay) {
            entry.state = State::Idle;
        }
        self.let_go(relay, Hold::Relay);
        self.leave_relay(relay);
    }

    /// Announces circuits through these relays and no others. Neither identify nor the swarm keeps an order.
    fn announce_relays(&mut self, relays: Vec<PeerId>) {
        let local = self.handle.peer_id();
        let circuits = relays.iter().filter_map(|relay| self.relays.circuit(*relay));
        let wanted: Vec<Multiaddr> = circuits.map(|circuit| circuit.with(Protocol::P2p(local))).collect();
        let is_gone = |address: &&Multiaddr| relay_of(address).is_some_and(|relay| !relays.contains(&relay));
        let gone: Vec<Multiaddr> = self.swarm.external_addresses().filter(is_gone).cloned().collect();
        gone.iter().for_each(|address| self.swarm.remove_external_address(address));
        for address in wanted {
            if !self.swarm.external_addresses().any(|known| *known == address) {
                self.swarm.add_external_address(address.clone());
                self.report(Event::ExternalAddress { address });
            }
        }
        let behaviours = self.swarm.behaviour_mut();
        behaviours.identify.inner.announce(&relays);
        if let Some(signalling) = behaviours.signalling.as_mut() {
            signalling.announce(&relays);
        }
        self.announced_changed();
        self.relays.announced.clone_from(&relays);
        self.report(Event::RelaysAnnounced { relays });
    }
}
