//! The choice of relays: what hosts report of it, kept until an interval or the run ends.
//!
//! Nothing here is asked of the policies: homes and announcements are what nodes report, bytes are counted by the network, and the direct
//! way that a relayed one is compared with is the scenario's own latency.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use darkswap_core::path::PathKind;
use darkswap_node::event::{Event, HomeReason};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::cast::Cast;
use super::observer::pair_tags;
use super::recorder::{Recorder, tags};
use latency::Latencies;

mod figure;
pub(super) mod latency;

pub(super) use figure::RelayFigures;

/// What hosts said about relays. Clones share. Hosts are named by their index in the topology.
#[derive(Debug, Clone, Default)]
pub(super) struct RelayBook {
    inner: Arc<Mutex<Inner>>,
    latencies: Arc<Latencies>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The hosts that had a home.
    homes: BTreeMap<usize, Home>,
    /// The relays that each host announces.
    announced: BTreeMap<usize, Vec<PeerId>>,
    /// By relay: intervals in which it was announced, one for each host and interval.
    reserved: BTreeMap<PeerId, u64>,
    /// By relay: circuits that were opened through it.
    circuits: BTreeMap<PeerId, u64>,
    /// By relay: bytes that it had sent when the last interval ended.
    sent: BTreeMap<PeerId, u64>,
    /// Reservations that are held, by host and relay.
    held: BTreeSet<(usize, PeerId)>,
    requests: BTreeMap<usize, Requests>,
    probes: BTreeMap<usize, u64>,
    /// Payload that each host's load sent and others received.
    payload: BTreeMap<String, u64>,
    /// By pair, the smaller index first: payload that passed relays.
    relayed: BTreeMap<(usize, usize), u64>,
    /// Pairs that have had a direct path.
    upgraded: BTreeSet<(usize, usize)>,
}

/// A host's homes since its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Home {
    since: Duration,
    /// Changes for a better one.
    flaps: u64,
}

/// The reservations that a host asked for, without renewals.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Requests {
    granted: u64,
    all: u64,
}

/// Who saw what where.
pub(super) struct Witness<'a> {
    pub(super) host: usize,
    pub(super) cast: &'a Cast,
    pub(super) recorder: &'a Recorder,
}

impl RelayBook {
    pub(super) fn new(latencies: Latencies) -> Self {
        Self { inner: Arc::default(), latencies: Arc::new(latencies) }
    }

    /// A host starts, perhaps again: it announces and holds nothing.
    pub(super) fn start(&self, host: usize) {
        let mut inner = self.lock();
        inner.announced.remove(&host);
        inner.held.retain(|(holder, _)| *holder != host);
    }

    /// A host's load had so much payload received elsewhere.
    pub(super) fn carry(&self, host: &str, bytes: u64) {
        *self.lock().payload.entry(host.to_owned()).or_default() += bytes;
    }

    /// Takes note of an event, and records what it tells at once.
    pub(super) fn see(&self, witness: &Witness<'_>, event: &Event) {
        let Witness { host, cast, recorder } = *witness;
        let name = |relay: Option<PeerId>| relay.map_or_else(|| "none".to_owned(), |relay| cast.name_of(relay));
        let from = &*cast.members()[host].name;
        // Only what has to do with relays; the observer looks at every event.
        match event {
            Event::HomeRelay { to, reason, .. } => {
                recorder.category("home_change", reason.name(), tags([("from", from), ("relay", &name(*to))]));
                self.lock().move_home(host, recorder.now(), to.is_some(), *reason);
            }
            Event::RelaysAnnounced { relays } => {
                self.lock().announced.insert(host, relays.clone());
            }
            Event::RelayProbed { relay, round_trip, .. } => {
                let answer = if round_trip.is_some() { "answered" } else { "silent" };
                recorder.category("relay_probe", answer, tags([("from", from), ("relay", &name(Some(*relay)))]));
                *self.lock().probes.entry(host).or_default() += 1;
            }
            Event::ReservationAccepted { relay, renewal: false, .. } => self.lock().answer(host, *relay, true),
            Event::ReservationLost { relay, .. } => self.lock().answer(host, *relay, false),
            Event::ConnectionOpened { peer, path: PathKind::Relayed, dialer: true, address, .. } => {
                let Some(relay) = relay_of(address) else { return };
                *self.lock().circuits.entry(relay).or_default() += 1;
                let Some((other, over)) = cast.index_of(*peer).zip(cast.index_of(relay)) else { return };
                if let Some(stretch) = self.latencies.detour(host, over, other) {
                    let (to, relay) = (cast.name_of(*peer), cast.name_of(relay));
                    recorder.value("circuit_stretch", stretch, tags([("from", from), ("to", &to), ("relay", &relay)]));
                }
            }
            Event::Ping { peer, path: PathKind::Relayed, round_trip } => {
                let Some(other) = cast.index_of(*peer) else { return };
                if let Some(stretch) = self.latencies.stretch(host, other, *round_trip) {
                    let to = cast.name_of(*peer);
                    recorder.value("latency_stretch", stretch, tags([("from", from), ("to", &to)]));
                }
            }
            Event::MessageReceived { peer, path: PathKind::Relayed, payload, .. } => {
                if let Some(other) = cast.index_of(*peer) {
                    self.lock().relay(host, other, payload.len() as u64);
                }
            }
            Event::PathChanged { peer, from, to: Some(PathKind::Direct), .. } => {
                let Some(other) = cast.index_of(*peer) else { return };
                let was_relayed = *from == Some(PathKind::Relayed);
                if let Some(bytes) = self.lock().upgrade(host, other).filter(|_| was_relayed) {
                    let tags = pair_tags(cast, host, other);
                    recorder.value("relayed_bytes_before_upgrade", bytes as f64, tags);
                }
            }
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn move_home(&mut self, host: usize, now: Duration, found: bool, reason: HomeReason) {
        if !found {
            return;
        }
        let home = self.homes.entry(host).or_insert(Home { since: now, flaps: 0 });
        home.flaps += u64::from(reason == HomeReason::Better);
    }

    /// A relay granted a reservation, or there is none: it refused, did not answer, or took one back.
    fn answer(&mut self, host: usize, relay: PeerId, granted: bool) {
        let was_held = if granted { !self.held.insert((host, relay)) } else { self.held.remove(&(host, relay)) };
        if granted || !was_held {
            let requests = self.requests.entry(host).or_default();
            requests.granted += u64::from(granted);
            requests.all += 1;
        }
    }

    fn relay(&mut self, host: usize, other: usize, bytes: u64) {
        let pair = (host.min(other), host.max(other));
        if !self.upgraded.contains(&pair) {
            *self.relayed.entry(pair).or_default() += bytes;
        }
    }

    /// A pair has a direct path; answers with what passed relays before the first one.
    fn upgrade(&mut self, host: usize, other: usize) -> Option<u64> {
        let pair = (host.min(other), host.max(other));
        self.upgraded.insert(pair).then(|| self.relayed.remove(&pair).unwrap_or_default())
    }
}

/// The relay that an address of a circuit leads through: `/p2p/RELAY/p2p-circuit`.
fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    let mut last = None;
    for part in address {
        match part {
            Protocol::P2p(peer) => last = Some(peer),
            Protocol::P2pCircuit => return last,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn peer(number: u8) -> PeerId {
        libp2p::identity::Keypair::ed25519_from_bytes([number; 32]).unwrap().public().to_peer_id()
    }

    #[test]
    fn only_a_change_for_a_better_home_is_a_flap() {
        let mut inner = Inner::default();
        for (at, found, reason) in [
            (3, true, HomeReason::First),
            (10, true, HomeReason::Better),
            (20, true, HomeReason::Failed),
            (25, false, HomeReason::Failed),
            (30, true, HomeReason::First),
            (40, true, HomeReason::Ending),
            (50, true, HomeReason::Better),
        ] {
            inner.move_home(7, SECOND * at, found, reason);
        }
        inner.move_home(8, SECOND, false, HomeReason::Failed);
        assert_eq!(inner.homes, BTreeMap::from([(7, Home { since: SECOND * 3, flaps: 2 })]));
    }

    #[test]
    fn a_reservation_that_is_taken_back_was_no_refused_request() {
        let (mut inner, [one, other]) = (Inner::default(), [1, 2].map(peer));
        inner.answer(0, one, true);
        inner.answer(0, one, false);
        inner.answer(0, other, false);
        inner.answer(0, one, true);
        assert_eq!(inner.requests, BTreeMap::from([(0, Requests { granted: 2, all: 3 })]));
    }

    #[test]
    fn payload_counts_until_the_first_direct_path_of_either_side() {
        let mut inner = Inner::default();
        inner.relay(1, 2, 100);
        inner.relay(2, 1, 50);
        inner.relay(1, 3, 7);
        assert_eq!(inner.upgrade(2, 1), Some(150));
        inner.relay(1, 2, 1_000);
        assert_eq!(inner.upgrade(1, 2), None);
        assert_eq!((inner.upgrade(3, 1), inner.upgrade(4, 5)), (Some(7), Some(0)));
    }

    #[test]
    fn the_relay_of_a_circuit_is_the_peer_before_it() {
        let [relay, to] = [1, 2].map(peer);
        let circuit: Multiaddr =
            format!("/ip4/198.18.0.3/udp/1/quic-v1/p2p/{relay}/p2p-circuit/p2p/{to}").parse().unwrap();
        let direct: Multiaddr = format!("/ip4/198.18.0.3/udp/1/quic-v1/p2p/{to}").parse().unwrap();
        assert_eq!((relay_of(&circuit), relay_of(&direct)), (Some(relay), None));
    }
}
