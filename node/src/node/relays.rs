//! The relays of this node: what is known of them, which are asked, held and announced.
//!
//! | part | what it does |
//! |---|---|
//! | this file | what is kept, and the answers to questions of others |
//! | `choice` | carries outputs of one machine into the other, and out to libp2p |
//! | `visit` | connections that are made for relays only, and closed again |
//! | `probe` | the load protocol, as the one who asks and the one who answers |
//! | `draining` | relays that are about to stop, and this one when it is |
//! | `direct` | keeps the load protocol from circuits |
//! | `status` | what people are shown |
//! | `circuit` | libp2p's part: what it may see of listeners, and what identify may tell |
//!
//! The decisions are those of [`estimate`] and [`reservation`]. Nothing else of the node asks for a reservation, ends one, or changes
//! which circuits are announced.

mod choice;
mod circuit;
mod direct;
mod draining;
mod probe;
mod status;
#[cfg(test)]
mod tests;
mod visit;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use darkswap_connectivity::relay::estimate::{self, Origin};
use darkswap_connectivity::relay::reservation;
use darkswap_core::Time;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

pub(super) use circuit::{Announced, Lasting};
pub(super) use direct::Direct;

use crate::config::{Config, Reachability};
use crate::limits::fixed::identify::OBSERVATION;
use crate::limits::fixed::relay::{ADDRESSES, CIRCUITS, RETRY, SETTLED};
use crate::transport::address::host;
use probe::Question;

/// The relays of a node.
#[derive(Debug)]
pub(super) struct Relays {
    estimates: estimate::Machine<PeerId>,
    reservations: reservation::Machine<PeerId>,
    known: BTreeMap<PeerId, Relay>,
    /// What an operator says of where relays are.
    hints: BTreeMap<PeerId, Duration>,
    /// Listeners of reservations, the newest of each relay and those that it replaced.
    listeners: Vec<(ListenerId, PeerId)>,
    /// Questions about load under way.
    questions: BTreeMap<OutboundRequestId, Question>,
    /// Open circuits, with the relays that carry them.
    circuits: BTreeMap<ConnectionId, PeerId>,
    /// Connections to relays that were told to close: nothing more is asked over them.
    closing: BTreeSet<ConnectionId>,
    /// The relays whose circuits are announced, the home first.
    announced: Vec<PeerId>,
    /// The relays with a slot, as the estimates know them, in the order of the reservations.
    used: Vec<PeerId>,
    /// Whether the estimates changed since the reservations heard of them.
    is_news: bool,
    /// Until when the choice waits for the first estimates.
    settled: Option<Time>,
    /// When the relays were last asked how they see us.
    observed: Option<Time>,
}

/// What the node keeps of one relay.
#[derive(Debug)]
struct Relay {
    origin: Origin,
    /// Where it is. The first address names its circuits.
    addresses: Vec<Multiaddr>,
    state: State,
    /// When it was asked for a reservation.
    since: Time,
    /// Our dial under way.
    dial: Option<ConnectionId>,
    /// A connection that nobody but this module asked for.
    visit: Option<ConnectionId>,
    /// Whether a question waits for the dial.
    is_question_due: bool,
    /// Whether a probe was answered or lost yet.
    is_measured: bool,
    /// The load that it told last.
    load: Option<f64>,
    /// Why its listener closed.
    reason: Option<String>,
}

/// The reservation on one relay, as libp2p has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// None.
    Idle,
    /// A request waits for the dial.
    Reaching,
    /// Asked through this listener.
    Asked(ListenerId),
    /// Held by it.
    Held(ListenerId),
}

impl Relay {
    fn listener(&self) -> Option<ListenerId> {
        match self.state {
            State::Idle | State::Reaching => None,
            State::Asked(listener) | State::Held(listener) => Some(listener),
        }
    }
}

impl Relays {
    /// Takes up the configured relays, unless the node is public and needs none.
    pub(super) fn new(config: &Config, mut seed: impl FnMut() -> u64) -> Self {
        let selection = &config.relay_selection;
        let probes = estimate::Settings {
            in_use: selection.probe_in_use,
            idle: selection.probe_idle,
            ..estimate::Settings::default()
        };
        let choice = reservation::Settings {
            standbys: selection.standbys,
            policy: selection.policy,
            parameters: selection.parameters,
            retry: RETRY,
            ..reservation::Settings::default()
        };
        let mut relays = Self {
            estimates: estimate::Machine::new(probes, seed()),
            reservations: reservation::Machine::new(choice, seed()),
            known: BTreeMap::new(),
            hints: selection.hints.clone(),
            listeners: Vec::new(),
            questions: BTreeMap::new(),
            circuits: BTreeMap::new(),
            closing: BTreeSet::new(),
            announced: Vec::new(),
            used: Vec::new(),
            is_news: false,
            settled: None,
            observed: None,
        };
        if config.reachability == Reachability::Public {
            return relays;
        }
        for relay in &config.relays {
            relays.learn(Time::ZERO, relay.peer, Origin::Configured, std::slice::from_ref(&relay.address));
        }
        // Where there is something to choose, the first choice waits for something to go by.
        relays.settled = (relays.known.len() > selection.standbys + 1).then_some(SETTLED);
        relays.reservations.handle(Time::ZERO, reservation::Input::Want);
        relays
    }

    /// A relay became known, or is at these addresses as well.
    pub(super) fn learn(&mut self, now: Time, peer: PeerId, origin: Origin, addresses: &[Multiaddr]) {
        let relay = self.known.entry(peer).or_insert_with(|| Relay {
            origin,
            addresses: Vec::new(),
            state: State::Idle,
            since: now,
            dial: None,
            visit: None,
            is_question_due: false,
            is_measured: false,
            load: None,
            reason: None,
        });
        if origin < relay.origin {
            return;
        }
        relay.origin = origin;
        for address in addresses {
            if relay.addresses.len() < ADDRESSES && !relay.addresses.contains(address) {
                relay.addresses.push(address.clone());
            }
        }
        let addresses = relay.addresses.iter().filter_map(host).collect();
        let hint = self.hints.get(&peer).copied();
        self.tell(now, estimate::Input::Learnt { relay: peer, origin, addresses, hint });
    }

    /// The host has other addresses: every reservation is renewed.
    pub(super) fn roamed(&mut self, now: Time) {
        self.reservations.handle(now, reservation::Input::Roamed);
    }

    /// A connection shows where a relay is of which only a name was known.
    fn located(&mut self, now: Time, peer: PeerId, address: &Multiaddr) {
        let Some(relay) = self.known.get(&peer) else { return };
        if let Some(ip) = host(address)
            && !relay.addresses.iter().any(|address| host(address).is_some())
        {
            let origin = relay.origin;
            self.tell(now, estimate::Input::Learnt { relay: peer, origin, addresses: vec![ip], hint: None });
        }
    }

    /// The estimates take note of something that may change the choice.
    fn tell(&mut self, now: Time, input: estimate::Input<PeerId>) {
        self.estimates.handle(now, input);
        self.is_news = true;
    }

    /// When there is something to do if nothing else happens.
    pub(super) fn deadline(&self) -> Option<Time> {
        [self.estimates.deadline(), self.reservations.deadline(), self.settled].into_iter().flatten().min()
    }

    /// The relays whose circuits are announced, the home first.
    pub(super) fn held(&self) -> Vec<PeerId> {
        self.announced.clone()
    }

    /// Whether a relay was asked for a reservation, holds one, or is being left.
    fn is_used(&self, relay: PeerId) -> bool {
        self.reservations.relays().any(|used| used == relay)
    }

    /// Relays to ask again how they see us, with their addresses: those that are announced, unless that was done a moment ago.
    pub(super) fn observers(&mut self, now: Time) -> Vec<(PeerId, Multiaddr)> {
        if self.observed.is_some_and(|at| now < at + OBSERVATION) {
            return Vec::new();
        }
        self.observed = Some(now);
        let address = |peer: &PeerId| Some((*peer, self.known.get(peer)?.addresses.first()?.clone()));
        self.announced.iter().filter_map(address).collect()
    }

    /// Circuits to `peer` for when nothing else is known of it: through our own relays, then through the nearest others.
    pub(super) fn circuits_to(&self, peer: PeerId) -> Vec<Multiaddr> {
        let distance = |relay: &PeerId| {
            let rtt = self.estimates.estimate(*relay).and_then(|estimate| estimate.rtt());
            (rtt.is_none(), rtt.map(|rtt| rtt.smoothed()))
        };
        let mut others: Vec<PeerId> =
            self.known.keys().filter(|relay| !self.announced.contains(relay)).copied().collect();
        others.sort_by_key(distance);
        let relays = self.announced.iter().copied().chain(others).filter(|relay| *relay != peer);
        relays.filter_map(|relay| self.circuit(relay)).map(|it| it.with(Protocol::P2p(peer))).take(CIRCUITS).collect()
    }

    /// Whether there is such a circuit.
    pub(super) fn leads_to(&self, peer: PeerId) -> bool {
        self.known.iter().any(|(relay, entry)| *relay != peer && !entry.addresses.is_empty())
    }

    /// What is listened on for a reservation.
    fn circuit(&self, relay: PeerId) -> Option<Multiaddr> {
        let address = self.known.get(&relay)?.addresses.first()?;
        Some(address.clone().with(Protocol::P2p(relay)).with(Protocol::P2pCircuit))
    }
}
