//! The choice of relays: what hosts report of it, kept until an interval or the run ends.
//!
//! Nothing here is asked of the policies: homes and announcements are what nodes report, bytes are counted by the network, and the direct
//! way that a relayed one is compared with is the scenario's own latency.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use darkswap_core::path::PathKind;
use darkswap_node::event::{Event, HomeReason};
use darkswap_node::transport::relay_of;
use libp2p::PeerId;

use super::cast::Cast;
use super::observer::pair_tags;
use super::reach::Reachability;
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
    requests: BTreeMap<usize, Requests>,
    probes: BTreeMap<usize, u64>,
    /// Payload that each host's load sent and others received.
    payload: BTreeMap<String, u64>,
    /// By who counted and the other one: bytes of relayed connections that were closed.
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
    /// Not granted by a relay that was there.
    failed: u64,
    /// Not granted since one of the two was not there.
    vain: u64,
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
        self.lock().announced.remove(&host);
    }

    /// A host's load had so much payload received elsewhere.
    pub(super) fn carry(&self, host: &str, bytes: u64) {
        *self.lock().payload.entry(host.to_owned()).or_default() += bytes;
    }

    /// Takes note of an event, and records what it tells at once.
    pub(super) fn see(&self, witness: &Witness<'_>, event: &Event, truth: &Reachability) {
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
            Event::ReservationAccepted { renewal: false, .. } => {
                self.lock().requests.entry(host).or_default().granted += 1;
            }
            Event::ReservationLost { relay, asked: Some(asked), .. } => {
                let since = recorder.now().saturating_sub(*asked);
                let ends = [Some(host), cast.index_of(*relay)];
                let is_vain = ends.into_iter().flatten().any(|end| truth.was_gone(end, since));
                self.lock().requests.entry(host).or_default().fail(is_vain);
            }
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
            Event::ConnectionClosed { peer, path: PathKind::Relayed, sent, received, .. } => {
                if let Some(other) = cast.index_of(*peer) {
                    self.lock().relay(host, other, sent + received);
                }
            }
            Event::PathChanged { peer, from, to: Some(PathKind::Direct), relayed, .. } => {
                let Some(other) = cast.index_of(*peer) else { return };
                let was_relayed = *from == Some(PathKind::Relayed);
                if let Some(bytes) = self.lock().upgrade(host, other, *relayed).filter(|_| was_relayed) {
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

    /// A relayed connection of a host was closed that carried so much.
    fn relay(&mut self, host: usize, other: usize, bytes: u64) {
        if !self.upgraded.contains(&(host.min(other), host.max(other))) {
            *self.relayed.entry((host, other)).or_default() += bytes;
        }
    }

    /// A host has a direct path while its open relayed connections to the other have carried `open`; answers with all that passed
    /// relays before the first direct path of the pair.
    fn upgrade(&mut self, host: usize, other: usize, open: u64) -> Option<u64> {
        let is_first = self.upgraded.insert((host.min(other), host.max(other)));
        let closed = self.relayed.remove(&(host, other)).unwrap_or_default();
        is_first.then_some(closed + open)
    }
}

impl Requests {
    fn fail(&mut self, is_vain: bool) {
        self.failed += u64::from(!is_vain);
        self.vain += u64::from(is_vain);
    }

    /// The share that was granted of what relays that were there were asked for; none when they were asked for nothing.
    fn success(self) -> Option<f64> {
        let all = self.granted + self.failed;
        (all > 0).then(|| self.granted as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::Multiaddr;

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
    fn a_request_at_a_dead_relay_is_in_vain_and_no_failure() {
        let mut requests = Requests::default();
        requests.fail(true);
        assert_eq!(requests.success(), None);
        requests.fail(false);
        requests.granted += 3;
        assert_eq!((requests.success(), requests.vain), (Some(0.75), 1));
    }

    #[test]
    fn bytes_count_until_the_first_direct_path_as_the_side_that_has_it_counts_them() {
        let mut inner = Inner::default();
        inner.relay(1, 2, 100);
        inner.relay(2, 1, 101);
        inner.relay(1, 3, 7);
        assert_eq!(inner.upgrade(2, 1, 50), Some(151));
        inner.relay(1, 2, 1_000);
        assert_eq!(inner.upgrade(1, 2, 1_000), None);
        assert_eq!((inner.upgrade(1, 3, 0), inner.upgrade(4, 5, 9)), (Some(7), Some(9)));
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
