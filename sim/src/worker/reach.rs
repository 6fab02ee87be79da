//! Who can be reached through which relay: the truth, which no node knows as a whole.
//!
//! | from | is known |
//! |---|---|
//! | events of nodes | which relays a peer announces, which of them granted it a reservation, which one is its home |
//! | faults | which hosts are down, or cut off |
//! | load `reach` | when a fresh dial through what a peer announces succeeded |
//!
//! A peer is reachable while it announces a relay that is up and on which it holds a reservation. Time counts from the first moment at
//! which it was reachable, and not while the peer itself is down or cut off: no choice of relays helps there.
//!
//! Failover time counts from the death of a home relay until the first dial of the peer that began after it and succeeded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::cast::Cast;
use super::recorder::{Recorder, seconds, tags};

/// What figures are scaled to.
const DAY: f64 = 86_400.0;

/// What is true of everybody's reachability. Clones share. Hosts are named by their index in the topology.
#[derive(Debug, Clone, Default)]
pub(super) struct Reachability {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    peers: BTreeMap<usize, Peer>,
    /// By host: how many faults keep it down or cut it off.
    gone: BTreeMap<usize, usize>,
    /// By host: when the last of such faults was lifted.
    back: BTreeMap<usize, Duration>,
    failovers: Vec<Failover>,
    /// Pairs between which a dial is under way.
    dialling: BTreeSet<(usize, usize)>,
}

/// A peer that announces relays.
#[derive(Debug, Default)]
struct Peer {
    /// The home first.
    announced: Vec<usize>,
    held: BTreeSet<usize>,
    home: Option<usize>,
    /// Since when it is watched; not before it was reachable for the first time, and not while it is gone.
    since: Option<Duration>,
    watched: Duration,
    /// Since when it is unreachable.
    gap: Option<Duration>,
    gaps: Vec<(Duration, Duration)>,
}

/// A peer whose home relay died.
#[derive(Debug)]
struct Failover {
    peer: usize,
    relay: usize,
    fault: &'static str,
    at: Duration,
    dialled: bool,
    reached: Option<Duration>,
}

impl Reachability {
    /// A peer announces these relays and no others.
    pub(super) fn announce(&self, now: Duration, peer: usize, relays: Vec<usize>) {
        self.change(now, peer, |peer| peer.announced = relays);
    }

    /// A peer holds a reservation, or does not hold it any more.
    pub(super) fn reserve(&self, now: Duration, peer: usize, relay: usize, held: bool) {
        self.change(now, peer, |peer| {
            if held {
                peer.held.insert(relay)
            } else {
                peer.held.remove(&relay)
            };
        });
    }

    /// A peer has another home.
    pub(super) fn settle(&self, peer: usize, home: Option<usize>) {
        self.lock().peers.entry(peer).or_default().home = home;
    }

    /// The relays that a peer announces, the home first.
    pub(super) fn announced(&self, peer: usize) -> Vec<usize> {
        self.lock().peers.get(&peer).map(|peer| peer.announced.clone()).unwrap_or_default()
    }

    /// Hosts crash: what they held is gone with them.
    pub(super) fn crash(&self, now: Duration, hosts: &[usize], fault: &'static str) {
        self.cut(now, hosts, fault);
        let mut inner = self.lock();
        for host in hosts {
            for peer in inner.peers.values_mut() {
                peer.held.remove(host);
            }
            if let Some(peer) = inner.peers.get_mut(host) {
                *peer = Peer { watched: peer.watched, gaps: std::mem::take(&mut peer.gaps), ..Peer::default() };
            }
            inner.failovers.retain(|failover| failover.peer != *host || failover.reached.is_some());
        }
    }

    /// Nothing passes from or to hosts.
    pub(super) fn cut(&self, now: Duration, hosts: &[usize], fault: &'static str) {
        let mut inner = self.lock();
        let mut died = BTreeSet::new();
        for host in hosts {
            let faults = inner.gone.entry(*host).or_default();
            *faults += 1;
            if *faults == 1 {
                died.insert(*host);
            }
        }
        let left = |(index, peer): (&usize, &Peer)| {
            let relay = peer.home.filter(|home| died.contains(home))?;
            Some(Failover { peer: *index, relay, fault, at: now, dialled: false, reached: None })
        };
        let failovers: Vec<_> = inner.peers.iter().filter_map(left).filter(|it| !inner.gone(it.peer)).collect();
        inner.failovers.extend(failovers);
        inner.look(now);
    }

    /// Hosts are back, or connected again.
    pub(super) fn restore(&self, now: Duration, hosts: &[usize]) {
        let mut inner = self.lock();
        for host in hosts {
            let Some(faults) = inner.gone.get_mut(host) else { continue };
            *faults = faults.saturating_sub(1);
            if *faults == 0 {
                inner.gone.remove(host);
                inner.back.insert(*host, now);
                if let Some(peer) = inner.peers.get_mut(host).filter(|peer| !peer.announced.is_empty()) {
                    peer.since = Some(now);
                }
            }
        }
        inner.look(now);
    }

    /// Whether a host is down or cut off, so that nobody could reach it.
    pub(super) fn is_gone(&self, host: usize) -> bool {
        self.lock().gone(host)
    }

    /// Whether a host was down or cut off at some moment since then.
    pub(super) fn was_gone(&self, host: usize, since: Duration) -> bool {
        let inner = self.lock();
        inner.gone(host) || inner.back.get(&host).is_some_and(|back| *back > since)
    }

    /// A fresh dial begins; `false` when one between the two is under way.
    pub(super) fn begin(&self, now: Duration, from: usize, to: usize) -> bool {
        let mut inner = self.lock();
        if !inner.dialling.insert((from, to)) {
            return false;
        }
        for failover in inner.failovers.iter_mut().filter(|it| it.peer == to && it.at <= now) {
            failover.dialled = true;
        }
        true
    }

    /// A dial that began then ended.
    pub(super) fn end(&self, now: Duration, (from, to): (usize, usize), begun: Duration, reached: bool) {
        let mut inner = self.lock();
        inner.dialling.remove(&(from, to));
        let waiting = |it: &&mut Failover| it.peer == to && it.at <= begun && it.reached.is_none();
        for failover in inner.failovers.iter_mut().filter(waiting).filter(|_| reached) {
            failover.reached = Some(now);
        }
    }

    /// Records what only the end of the run tells.
    pub(super) fn close(&self, cast: &Cast, recorder: &Recorder) {
        let end = recorder.now();
        let name = |host: usize| cast.members()[host].name.as_str();
        let mut inner = self.lock();
        let inner = &mut *inner;
        for failover in inner.failovers.iter().filter(|it| it.dialled) {
            let names = tags([("to", name(failover.peer)), ("relay", name(failover.relay)), ("fault", failover.fault)]);
            let elapsed = failover.reached.unwrap_or(end).saturating_sub(failover.at);
            recorder.sample(failover.at, "failover_time", seconds(elapsed), None, names);
        }
        for (host, peer) in &mut inner.peers {
            peer.pause(end);
            if peer.watched.is_zero() {
                continue;
            }
            let mut total = Duration::ZERO;
            for (from, until) in &peer.gaps {
                let elapsed = until.saturating_sub(*from);
                total += elapsed;
                recorder.sample(*from, "unreachable_time", seconds(elapsed), None, tags([("host", name(*host))]));
            }
            let per_day = (seconds(total) / seconds(peer.watched) * DAY * 1e3).round() / 1e3;
            recorder.value("unreachable_per_day", per_day, tags([("host", name(*host))]));
        }
    }

    fn change(&self, now: Duration, peer: usize, change: impl FnOnce(&mut Peer)) {
        let mut inner = self.lock();
        change(inner.peers.entry(peer).or_default());
        inner.look(now);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn gone(&self, host: usize) -> bool {
        self.gone.contains_key(&host)
    }

    /// Looks at everybody again.
    fn look(&mut self, now: Duration) {
        for (host, peer) in &mut self.peers {
            if self.gone.contains_key(host) {
                peer.pause(now);
                continue;
            }
            let is_reachable =
                peer.announced.iter().any(|relay| peer.held.contains(relay) && !self.gone.contains_key(relay));
            match (is_reachable, peer.gap) {
                (true, Some(from)) => {
                    peer.gaps.push((from, now));
                    peer.gap = None;
                }
                (true, None) => {
                    peer.since.get_or_insert(now);
                }
                (false, None) if peer.since.is_some() => peer.gap = Some(now),
                (false, _) => {}
            }
        }
    }
}

impl Peer {
    /// It is not watched from now on.
    fn pause(&mut self, now: Duration) {
        if let Some(since) = self.since.take() {
            self.watched += now.saturating_sub(since);
        }
        if let Some(from) = self.gap.take() {
            self.gaps.push((from, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: usize = 9;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A peer at home on relay 1 with relay 2 in reserve, since second 10.
    fn at_home() -> Reachability {
        let truth = Reachability::default();
        truth.settle(PEER, Some(1));
        for relay in [1, 2] {
            truth.reserve(at(9), PEER, relay, true);
        }
        truth.announce(at(10), PEER, vec![1, 2]);
        truth
    }

    fn gaps(truth: &Reachability) -> Vec<(Duration, Duration)> {
        truth.lock().peers[&PEER].gaps.clone()
    }

    #[test]
    fn a_standby_leaves_no_gap_and_its_death_does() {
        let truth = at_home();
        truth.crash(at(20), &[1], "crash");
        assert_eq!(gaps(&truth), []);
        truth.crash(at(30), &[2], "crash");
        truth.reserve(at(41), PEER, 3, true);
        assert_eq!(gaps(&truth), [], "nobody knows of it yet");
        truth.announce(at(42), PEER, vec![3]);
        assert_eq!(gaps(&truth), [(at(30), at(42))]);
    }

    #[test]
    fn a_relay_that_comes_back_has_forgotten_its_reservations() {
        let truth = at_home();
        truth.announce(at(11), PEER, vec![1]);
        truth.crash(at(20), &[1], "crash");
        truth.restore(at(25), &[1]);
        truth.reserve(at(33), PEER, 1, true);
        assert_eq!(gaps(&truth), [(at(20), at(33))]);
    }

    #[test]
    fn a_relay_that_was_cut_off_still_has_them() {
        let truth = at_home();
        truth.announce(at(11), PEER, vec![1]);
        truth.cut(at(20), &[1], "region_outage");
        truth.restore(at(25), &[1]);
        assert_eq!(gaps(&truth), [(at(20), at(25))]);
    }

    #[test]
    fn a_peer_that_is_gone_itself_is_not_watched() {
        let truth = at_home();
        truth.cut(at(20), &[PEER], "region_outage");
        truth.crash(at(21), &[1, 2], "crash");
        truth.restore(at(30), &[PEER]);
        truth.announce(at(35), PEER, vec![3]);
        truth.reserve(at(36), PEER, 3, true);
        assert_eq!(gaps(&truth), [(at(30), at(36))]);
        assert!(truth.lock().failovers.is_empty(), "nobody could have reached it");
    }

    #[test]
    fn who_is_back_was_gone_for_whoever_asked_before() {
        let truth = at_home();
        truth.crash(at(20), &[1], "crash");
        assert!(truth.was_gone(1, at(25)) && !truth.was_gone(2, at(25)));
        truth.restore(at(30), &[1]);
        assert!(truth.was_gone(1, at(29)) && !truth.was_gone(1, at(30)));
    }

    #[test]
    fn failover_ends_with_a_dial_that_began_after_the_death() {
        let truth = at_home();
        assert!(truth.begin(at(19), 4, PEER));
        assert!(!truth.begin(at(19), 4, PEER), "one at a time");
        truth.crash(at(20), &[1], "crash");
        truth.end(at(21), (4, PEER), at(19), true);
        assert_eq!(truth.lock().failovers[0].reached, None);
        assert!(truth.begin(at(22), 4, PEER));
        truth.end(at(23), (4, PEER), at(22), false);
        assert!(truth.begin(at(24), 4, PEER));
        truth.end(at(26), (4, PEER), at(24), true);
        assert_eq!(truth.lock().failovers[0].reached, Some(at(26)));
    }
}
