//! The machine behind [`super`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::account::{Account, Meter};
use super::{ACCOUNTS, Circuit, Denied, Limits, Output, PREFIXES};
use crate::Time;
use crate::limiter::bandwidth::TokenBucket;
use crate::prefix::Prefix;
use crate::relay::load_report::{LONGEST_NOTICE, LoadReport, Share};

/// Over how long the bandwidth of a load report is taken.
const LOAD_WINDOW: Duration = Duration::from_secs(10);

/// A relay's admission, accounts and drain.
#[derive(Debug)]
pub struct Server<P> {
    limits: Limits,
    reservations: BTreeMap<P, Reservation>,
    circuits: BTreeMap<Circuit, Carried<P>>,
    opened: u64,
    peers: BTreeMap<P, (Meter, Account)>,
    prefixes: BTreeMap<Prefix, Meter>,
    whole: TokenBucket,
    drain: Option<Drain<P>>,
    window: Window,
    /// Bytes in all.
    bytes: u64,
    outputs: VecDeque<Output<P>>,
}

#[derive(Debug, Clone, Copy)]
struct Reservation {
    prefix: Prefix,
    expires: Time,
}

#[derive(Debug, Clone, Copy)]
struct Carried<P> {
    opener: P,
    other: P,
    prefix: Prefix,
    ends: Time,
    bytes: u64,
}

#[derive(Debug)]
struct Drain<P> {
    ends: Time,
    /// Who is told, and when; the next one last.
    notices: Vec<(Time, P)>,
    is_over: bool,
}

/// Bytes of this window and the rate of the one before.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    since: Time,
    bytes: u64,
    before: u64,
}

impl Window {
    fn roll(&mut self, now: Time) {
        let age = now.saturating_sub(self.since);
        if age >= LOAD_WINDOW {
            // After a longer silence the window before carried nothing.
            let before = if age < LOAD_WINDOW * 2 { self.bytes } else { 0 };
            *self = Self { since: now, bytes: 0, before };
        }
    }
}

impl<P: Copy + Ord> Server<P> {
    /// A relay that serves nobody yet.
    #[must_use]
    pub fn new(now: Time, limits: Limits) -> Self {
        Self {
            limits,
            reservations: BTreeMap::new(),
            circuits: BTreeMap::new(),
            opened: 0,
            peers: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            whole: TokenBucket::new(now, limits.rate),
            drain: None,
            window: Window { since: now, ..Window::default() },
            bytes: 0,
            outputs: VecDeque::new(),
        }
    }

    /// What a peer used, while it is remembered.
    #[must_use]
    pub fn account(&self, peer: P) -> Option<Account> {
        self.peers.get(&peer).map(|(_, account)| *account)
    }

    /// What every peer used that is remembered, in the order of the peers.
    pub fn accounts(&self) -> impl Iterator<Item = (P, Account)> {
        self.peers.iter().map(|(peer, (_, account))| (*peer, *account))
    }

    /// Bytes on all circuits so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes per second, of the last ten seconds or so.
    #[must_use]
    pub fn rate(&self, now: Time) -> u64 {
        let mut window = self.window;
        window.roll(now);
        window.before.max(window.bytes) / LOAD_WINDOW.as_secs()
    }

    /// Reservations and circuits.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.reservations.len(), self.circuits.len())
    }

    /// Whether a connection from this address is accepted.
    ///
    /// # Errors
    /// [`Denied::Pace`] when its prefix comes too often.
    pub fn accept(&mut self, now: Time, address: IpAddr) -> Result<(), Denied> {
        let prefix = self.limits.prefixes.of(address);
        let pace = self.limits.accepts;
        self.prefix(now, prefix).requests.pass(now, pace).map_err(|ready| Denied::Pace { ready })
    }

    /// Grants or renews a reservation for the time that is returned.
    ///
    /// # Errors
    /// [`Denied`], with what is used up.
    pub fn reserve(&mut self, now: Time, peer: P, address: IpAddr) -> Result<Duration, Denied> {
        self.tick(now);
        let prefix = self.limits.prefixes.of(address);
        let pace = self.limits.requests;
        let paced = self.peer(now, peer).0.requests.pass(now, pace).map_err(|ready| Denied::Pace { ready });
        let granted = paced.and_then(|()| self.check_reservation(peer, prefix));
        self.note(now, peer, granted, |account| &mut account.granted)?;
        let life = self.limits.reservation_life;
        self.reservations.insert(peer, Reservation { prefix, expires: now + life });
        Ok(life)
    }

    fn check_reservation(&self, peer: P, prefix: Prefix) -> Result<(), Denied> {
        if self.drain.is_some() {
            return Err(Denied::Draining);
        }
        let Limits { reservations, reservations_per_prefix, .. } = self.limits;
        let others = || self.reservations.iter().filter(|(other, _)| **other != peer);
        if others().count() >= reservations {
            return Err(Denied::Reservations { limit: reservations });
        }
        if others().filter(|(_, other)| other.prefix == prefix).count() >= reservations_per_prefix {
            return Err(Denied::PrefixReservations { limit: reservations_per_prefix });
        }
        Ok(())
    }

    /// Opens a circuit from `opener`, which is at `address`, to `other`.
    ///
    /// # Errors
    /// [`Denied`], with what is used up or missing.
    pub fn connect(&mut self, now: Time, opener: P, address: IpAddr, other: P) -> Result<Circuit, Denied> {
        self.tick(now);
        let prefix = self.limits.prefixes.of(address);
        let pace = self.limits.circuit_requests;
        let paced = self.peer(now, opener).0.circuits.pass(now, pace).map_err(|ready| Denied::Pace { ready });
        let checked = paced.and_then(|()| self.check_circuit(now, opener, prefix, other));
        self.note(now, opener, checked, |account| &mut account.opened)?;
        self.note(now, other, Ok(()), |account| &mut account.reached)?;
        self.opened += 1;
        let circuit = Circuit(self.opened);
        let ends = now + self.limits.circuit_life;
        self.circuits.insert(circuit, Carried { opener, other, prefix, ends, bytes: 0 });
        Ok(circuit)
    }

    fn check_circuit(&mut self, now: Time, opener: P, prefix: Prefix, other: P) -> Result<(), Denied> {
        let Limits { circuits, circuits_per_peer, circuits_per_prefix, peer_bytes, prefix_bytes, .. } = self.limits;
        // Until its end, a drain keeps the word that was given with each reservation: some have not even heard of it yet.
        if self.drain.as_ref().is_some_and(|drain| drain.is_over) {
            return Err(Denied::Draining);
        }
        if !self.reservations.contains_key(&other) {
            return Err(Denied::NoReservation);
        }
        if self.circuits.len() >= circuits {
            return Err(Denied::Circuits { limit: circuits });
        }
        let of = |peer: P| self.circuits.values().filter(|it| it.opener == peer || it.other == peer).count();
        if of(opener) >= circuits_per_peer || of(other) >= circuits_per_peer {
            return Err(Denied::PeerCircuits { limit: circuits_per_peer });
        }
        if self.circuits.values().filter(|it| it.prefix == prefix).count() >= circuits_per_prefix {
            return Err(Denied::PrefixCircuits { limit: circuits_per_prefix });
        }
        if self.peer(now, opener).0.used(now) >= peer_bytes {
            return Err(Denied::PeerBytes { limit: peer_bytes });
        }
        if self.prefix(now, prefix).used(now) >= prefix_bytes {
            return Err(Denied::PrefixBytes { limit: prefix_bytes });
        }
        Ok(())
    }

    /// How many of these bytes every budget of a circuit still holds; at least one, so that [`carry`](Self::carry) of so many says
    /// which budget is used up.
    pub fn allowance(&mut self, now: Time, circuit: Circuit, bytes: u64) -> u64 {
        let Some(carried) = self.circuits.get(&circuit).copied() else { return 1 };
        let Limits { circuit_bytes, peer_bytes, prefix_bytes, .. } = self.limits;
        let left = circuit_bytes.saturating_sub(carried.bytes);
        let left = left.min(peer_bytes.saturating_sub(self.peer(now, carried.opener).0.used(now)));
        let left = left.min(prefix_bytes.saturating_sub(self.prefix(now, carried.prefix).used(now)));
        bytes.min(left).max(1)
    }

    /// Takes bytes of a circuit into account: `Ok` with the time from which on they may pass, which may be now. They need not be asked
    /// for again: whoever comes later waits longer, so that nobody is passed over.
    ///
    /// # Errors
    /// [`Denied`] when a budget is used up. The circuit is gone then: close it.
    pub fn carry(&mut self, now: Time, circuit: Circuit, bytes: u64) -> Result<Time, Denied> {
        let Some(carried) = self.circuits.get(&circuit).copied() else { return Err(Denied::NoCircuit) };
        let Limits { circuit_bytes, peer_bytes, prefix_bytes, .. } = self.limits;
        let fits = |used: u64, limit: u64| used.checked_add(bytes).is_some_and(|sum| sum <= limit);
        let denied = if !fits(carried.bytes, circuit_bytes) {
            Some(Denied::CircuitBytes { limit: circuit_bytes })
        } else if !fits(self.peer(now, carried.opener).0.used(now), peer_bytes) {
            Some(Denied::PeerBytes { limit: peer_bytes })
        } else if !fits(self.prefix(now, carried.prefix).used(now), prefix_bytes) {
            Some(Denied::PrefixBytes { limit: prefix_bytes })
        } else {
            None
        };
        if let Some(denied) = denied {
            let account = &mut self.peer(now, carried.opener).1;
            account.denied = account.denied.saturating_add(1);
            self.end(now, circuit);
            return Err(denied);
        }
        let ready = self.whole.ready(now);
        let ready = ready.max(self.peer(now, carried.opener).0.ready(now));
        let ready = ready.max(self.prefix(now, carried.prefix).ready(now));
        self.whole.spend(now, bytes);
        self.window.roll(now);
        self.window.bytes = self.window.bytes.saturating_add(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        self.prefix(now, carried.prefix).spend(now, bytes);
        let (meter, account) = self.peer(now, carried.opener);
        meter.spend(now, bytes);
        account.bytes = account.bytes.saturating_add(bytes);
        if let Some(carried) = self.circuits.get_mut(&circuit) {
            carried.bytes = carried.bytes.saturating_add(bytes);
        }
        Ok(ready)
    }

    /// A circuit ended.
    pub fn end(&mut self, now: Time, circuit: Circuit) {
        self.circuits.remove(&circuit);
        self.tick(now);
    }

    /// A peer gave its reservation up, or its connection is gone.
    pub fn release(&mut self, now: Time, peer: P) {
        self.reservations.remove(&peer);
        self.tick(now);
    }

    /// Begins to drain; the relay stops within this time, a [day](LONGEST_NOTICE) at most. A second call changes nothing.
    pub fn drain(&mut self, now: Time, within: Duration) {
        if self.drain.is_none() {
            let within = within.min(Duration::from_secs(u64::from(LONGEST_NOTICE)));
            let count = u32::try_from(self.reservations.len()).unwrap_or(u32::MAX).max(1);
            let step = within / 2 / count;
            let mut notices: Vec<(Time, P)> =
                (0..).zip(self.reservations.keys()).map(|(i, peer)| (now + step * i, *peer)).collect();
            notices.reverse();
            self.drain = Some(Drain { ends: now + within, notices, is_over: false });
        }
        self.tick(now);
    }

    /// Time passed. Every call but `accept` and `carry` does this as well. Drain [`poll`](Self::poll) afterwards.
    pub fn tick(&mut self, now: Time) {
        let expired: Vec<P> =
            self.reservations.iter().filter(|(_, it)| now >= it.expires).map(|(peer, _)| *peer).collect();
        for peer in expired {
            self.reservations.remove(&peer);
            self.outputs.push_back(Output::Expired { peer });
        }
        let old: Vec<Circuit> =
            self.circuits.iter().filter(|(_, it)| now >= it.ends).map(|(circuit, _)| *circuit).collect();
        for circuit in old {
            self.close(circuit, Denied::CircuitLife { limit: self.limits.circuit_life });
        }
        self.advance_drain(now);
    }

    fn advance_drain(&mut self, now: Time) {
        let Some(drain) = self.drain.as_mut().filter(|drain| !drain.is_over) else { return };
        while let Some((_, peer)) = drain.notices.pop_if(|(at, _)| now >= *at) {
            if self.reservations.contains_key(&peer) {
                self.outputs.push_back(Output::Notify { peer, within: drain.ends.saturating_sub(now) });
            }
        }
        let is_empty = self.reservations.is_empty() && self.circuits.is_empty();
        if !is_empty && now < drain.ends {
            return;
        }
        drain.is_over = true;
        drain.notices.clear();
        let left: Vec<Circuit> = self.circuits.keys().copied().collect();
        for circuit in &left {
            self.close(*circuit, Denied::Draining);
        }
        self.reservations.clear();
        self.outputs.push_back(Output::Drained { cut: left.len() });
    }

    fn close(&mut self, circuit: Circuit, reason: Denied) {
        self.circuits.remove(&circuit);
        self.outputs.push_back(Output::Close { circuit, reason });
    }

    /// What to do next; call until `None`.
    pub fn poll(&mut self) -> Option<Output<P>> {
        self.outputs.pop_front()
    }

    /// When to [`tick`](Self::tick) if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let reservations = self.reservations.values().map(|it| it.expires);
        let circuits = self.circuits.values().map(|it| it.ends);
        let drain = self.drain.iter().filter(|drain| !drain.is_over);
        let drain = drain.flat_map(|drain| [Some(drain.ends), drain.notices.last().map(|(at, _)| *at)]).flatten();
        reservations.chain(circuits).chain(drain).min()
    }

    /// What the relay says of its load.
    #[must_use]
    pub fn report(&self, now: Time) -> LoadReport {
        let share = |used: usize, limit: usize| Share::of(used as u64, limit as u64);
        let mut window = self.window;
        window.roll(now);
        let possible = self.limits.rate.saturating_mul(LOAD_WINDOW.as_secs());
        let left = self.drain.as_ref().map(|drain| drain.ends.saturating_sub(now).as_secs());
        LoadReport {
            reservations: share(self.reservations.len(), self.limits.reservations),
            circuits: share(self.circuits.len(), self.limits.circuits),
            bandwidth: Share::of(window.before.max(window.bytes), possible),
            drains_in: left.map(|left| u32::try_from(left).unwrap_or(LONGEST_NOTICE)),
        }
    }

    /// Counts an answer in a peer's account: a yes where `counter` says, a no as denied.
    fn note(
        &mut self,
        now: Time,
        peer: P,
        answer: Result<(), Denied>,
        counter: impl FnOnce(&mut Account) -> &mut u64,
    ) -> Result<(), Denied> {
        let account = &mut self.peer(now, peer).1;
        let counter = if answer.is_ok() { counter(account) } else { &mut account.denied };
        *counter = counter.saturating_add(1);
        answer
    }

    fn peer(&mut self, now: Time, peer: P) -> &mut (Meter, Account) {
        if self.peers.len() >= ACCOUNTS && !self.peers.contains_key(&peer) {
            let ends = self.circuits.values().flat_map(|it| [it.opener, it.other]);
            let in_use: BTreeSet<P> = ends.chain(self.reservations.keys().copied()).collect();
            // The limits in all keep those in use far below the number of accounts. Were they not, they would give way last.
            forget_oldest(&mut self.peers, |peer, (meter, _)| (in_use.contains(peer), meter.seen));
        }
        let rate = self.limits.peer_rate;
        let entry = self.peers.entry(peer).or_insert_with(|| (Meter::new(now, rate), Account::default()));
        entry.0.seen = now;
        entry
    }

    fn prefix(&mut self, now: Time, prefix: Prefix) -> &mut Meter {
        if self.prefixes.len() >= PREFIXES && !self.prefixes.contains_key(&prefix) {
            let in_use: BTreeSet<Prefix> = self.circuits.values().map(|it| it.prefix).collect();
            forget_oldest(&mut self.prefixes, |prefix, meter| (in_use.contains(prefix), meter.seen));
        }
        let rate = self.limits.prefix_rate;
        let meter = self.prefixes.entry(prefix).or_insert_with(|| Meter::new(now, rate));
        meter.seen = now;
        meter
    }
}

/// Forgets an eighth at once, so that a flood of newcomers does not sort the map for each of them.
fn forget_oldest<K: Copy + Ord, V>(map: &mut BTreeMap<K, V>, worth: impl Fn(&K, &V) -> (bool, Time)) {
    let mut keys: Vec<((bool, Time), K)> = map.iter().map(|(key, value)| (worth(key, value), *key)).collect();
    keys.sort_unstable();
    for (_, key) in keys.iter().take(map.len() / 8 + 1) {
        map.remove(key);
    }
}
