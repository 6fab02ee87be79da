//! The machine behind [`super`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use darkswap_core::path::{ConnectionKey, PathKind};

use super::{CONNECTIONS, CloseReason, DIAL, GetError, Input, Lease, Output, Settings, Ticket, Usage};
use crate::Time;

/// The pool of one node.
#[derive(Debug)]
pub struct Machine<P> {
    settings: Settings,
    entries: BTreeMap<P, Entry>,
    tickets: BTreeMap<Ticket, Holder<P>>,
    outputs: VecDeque<Output<P>>,
}

#[derive(Debug, Default)]
struct Entry {
    /// In the order of their opening.
    connections: Vec<Lease>,
    dialling: Option<Time>,
    /// Tickets that wait, or hold one of the connections.
    tickets: BTreeSet<Ticket>,
    pinned: bool,
    /// Whether it was ever asked for here.
    asked: bool,
    used: Time,
}

/// Who holds a ticket.
#[derive(Debug, Clone, Copy)]
struct Holder<P> {
    peer: P,
    state: Held,
}

#[derive(Debug, Clone, Copy)]
enum Held {
    Waiting { until: Time, within: Duration },
    Leased { connection: ConnectionKey },
}

impl Entry {
    fn new(now: Time) -> Self {
        Self { used: now, ..Self::default() }
    }

    fn is_idle(&self) -> bool {
        self.tickets.is_empty() && !self.pinned && self.dialling.is_none()
    }

    fn best(&self) -> Option<Lease> {
        let of = |kind| move |lease: &&Lease| lease.kind == kind;
        let direct = self.connections.iter().find(of(PathKind::Direct));
        direct.or_else(|| self.connections.iter().rev().find(of(PathKind::Relayed))).copied()
    }
}

impl<P: Copy + Ord> Machine<P> {
    /// An empty pool.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, entries: BTreeMap::new(), tickets: BTreeMap::new(), outputs: VecDeque::new() }
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is known of a peer: whether it is pinned, and whether somebody uses it. None: there is no entry.
    #[must_use]
    pub fn usage(&self, peer: P) -> Option<Usage> {
        let entry = self.entries.get(&peer)?;
        Some(match entry {
            Entry { pinned: true, .. } => Usage::Pinned,
            entry if !entry.is_idle() => Usage::Busy,
            _ => Usage::Idle,
        })
    }

    /// Takes note of what happened. Drain [`poll`](Self::poll) afterwards.
    ///
    /// # Panics
    /// When a ticket is used for a second `Get` before it was returned.
    pub fn handle(&mut self, now: Time, input: Input<P>) {
        match input {
            Input::Get { peer, ticket, within } => self.take(now, peer, ticket, within),
            Input::Return { ticket } => self.give_back(now, ticket),
            Input::Pin { peer, asked } => self.pin(now, peer, asked),
            Input::Unpin { peer } => self.unpin(now, peer),
            Input::Used { peer } => {
                if let Some(entry) = self.entries.get_mut(&peer) {
                    entry.used = now;
                }
            }
            Input::Opened { peer, connection, kind } => self.opened(now, peer, Lease { connection, kind }),
            Input::Closed { peer, connection } => self.closed(now, peer, connection),
            Input::DialFailed { peer } => self.dial_ended(now, peer),
            Input::Drop { peer } => self.close(peer, CloseReason::Dropped),
            Input::Tick => {}
        }
        self.advance(now);
    }

    /// What to do next; call until `None`.
    pub fn poll(&mut self) -> Option<Output<P>> {
        self.outputs.pop_front()
    }

    /// When to send [`Input::Tick`] if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let waiting = self.tickets.values().filter_map(|holder| match holder.state {
            Held::Waiting { until, .. } => Some(until),
            Held::Leased { .. } => None,
        });
        let dials = self.entries.values().filter_map(|entry| Some(entry.dialling? + DIAL));
        let idle = self
            .entries
            .values()
            .filter(|entry| entry.asked && entry.is_idle())
            .map(|entry| entry.used + self.settings.idle);
        waiting.chain(dials).chain(idle).min()
    }

    fn answer(&mut self, ticket: Ticket, result: Result<Lease, GetError>) {
        self.outputs.push_back(Output::Answer { ticket, result });
    }

    fn take(&mut self, now: Time, peer: P, ticket: Ticket, within: Duration) {
        assert!(!self.tickets.contains_key(&ticket), "a ticket is returned before it is used again");
        if self.tickets.len() >= self.settings.tickets {
            return self.answer(ticket, Err(GetError::TooMany { limit: self.settings.tickets }));
        }
        if !self.entries.contains_key(&peer) && !self.make_room(true) {
            return self.answer(ticket, Err(GetError::Full { limit: self.settings.peers }));
        }
        let entry = self.entries.entry(peer).or_insert_with(|| Entry::new(now));
        (entry.asked, entry.used) = (true, now);
        entry.tickets.insert(ticket);
        let state = match entry.best() {
            Some(lease) => {
                self.outputs.push_back(Output::Answer { ticket, result: Ok(lease) });
                Held::Leased { connection: lease.connection }
            }
            None => {
                if entry.dialling.is_none() {
                    entry.dialling = Some(now);
                    self.outputs.push_back(Output::Dial { peer });
                }
                Held::Waiting { until: now.saturating_add(within), within }
            }
        };
        self.tickets.insert(ticket, Holder { peer, state });
    }

    fn give_back(&mut self, now: Time, ticket: Ticket) {
        let Some(holder) = self.tickets.remove(&ticket) else { return };
        if let Some(entry) = self.entries.get_mut(&holder.peer) {
            entry.tickets.remove(&ticket);
            entry.used = now;
        }
    }

    fn pin(&mut self, now: Time, peer: P, asked: bool) {
        // Without an entry there is nothing to keep yet: whoever pins gets first.
        if let Some(entry) = self.entries.get_mut(&peer) {
            (entry.pinned, entry.asked, entry.used) = (true, entry.asked || asked, now);
        }
    }

    fn unpin(&mut self, now: Time, peer: P) {
        if let Some(entry) = self.entries.get_mut(&peer)
            && std::mem::take(&mut entry.pinned)
        {
            entry.used = now;
            // One of ours ends with its idle time, which a stranger does not have.
            if !entry.asked && entry.connections.is_empty() && entry.is_idle() {
                self.entries.remove(&peer);
            }
        }
    }

    fn opened(&mut self, now: Time, peer: P, lease: Lease) {
        if !self.entries.contains_key(&peer) {
            if !self.make_room(false) {
                return self.outputs.push_back(Output::Close { peer, reason: CloseReason::NoRoom });
            }
            self.entries.insert(peer, Entry::new(now));
        }
        let Some(entry) = self.entries.get_mut(&peer) else { return };
        entry.connections.retain(|known| known.connection != lease.connection);
        if entry.connections.len() < CONNECTIONS {
            entry.connections.push(lease);
        }
        entry.used = now;
        entry.dialling = None;
        let Some(best) = entry.best() else { return };
        for ticket in entry.tickets.clone() {
            let Some(holder) = self.tickets.get_mut(&ticket) else { continue };
            if let Held::Waiting { .. } = holder.state {
                holder.state = Held::Leased { connection: best.connection };
                self.outputs.push_back(Output::Answer { ticket, result: Ok(best) });
            }
        }
    }

    fn closed(&mut self, now: Time, peer: P, connection: ConnectionKey) {
        let Some(entry) = self.entries.get_mut(&peer) else { return };
        entry.connections.retain(|known| known.connection != connection);
        entry.used = now;
        let is_gone = entry.connections.is_empty();
        for ticket in entry.tickets.clone() {
            let holder = self.tickets.get(&ticket).map(|holder| holder.state);
            if matches!(holder, Some(Held::Leased { connection: leased }) if leased == connection) {
                entry.tickets.remove(&ticket);
                self.tickets.remove(&ticket);
                self.outputs.push_back(Output::Broken { ticket });
            }
        }
        if is_gone && entry.is_idle() {
            self.entries.remove(&peer);
        }
    }

    /// A dial came to nothing: everybody who waits for it is told.
    fn dial_ended(&mut self, now: Time, peer: P) {
        let Some(entry) = self.entries.get_mut(&peer) else { return };
        if entry.dialling.take().is_none() {
            return;
        }
        entry.used = now;
        for ticket in entry.tickets.clone() {
            let holder = self.tickets.get(&ticket).map(|holder| holder.state);
            if matches!(holder, Some(Held::Waiting { .. })) {
                entry.tickets.remove(&ticket);
                self.tickets.remove(&ticket);
                self.outputs.push_back(Output::Answer { ticket, result: Err(GetError::Unreachable) });
            }
        }
        if entry.connections.is_empty() && entry.is_idle() {
            self.entries.remove(&peer);
        }
    }

    /// Makes room for one entry, if there is any. Only what was asked for here pushes out what was asked for here.
    fn make_room(&mut self, asked: bool) -> bool {
        if self.entries.len() < self.settings.peers {
            return true;
        }
        let idle = self.entries.iter().filter(|(_, entry)| entry.is_idle() && (asked || !entry.asked));
        let Some(peer) = idle.min_by_key(|(_, entry)| (entry.asked, entry.used)).map(|(peer, _)| *peer) else {
            return false;
        };
        self.close(peer, CloseReason::Pruned);
        true
    }

    fn close(&mut self, peer: P, reason: CloseReason) {
        let Some(entry) = self.entries.remove(&peer) else { return };
        for ticket in entry.tickets {
            match self.tickets.remove(&ticket).map(|holder| holder.state) {
                Some(Held::Waiting { .. }) => self.answer(ticket, Err(GetError::Dropped)),
                Some(Held::Leased { .. }) => self.outputs.push_back(Output::Broken { ticket }),
                None => {}
            }
        }
        if entry.dialling.is_some() {
            self.outputs.push_back(Output::Abandon { peer });
        }
        self.outputs.push_back(Output::Close { peer, reason });
    }

    /// Does what time asks for.
    fn advance(&mut self, now: Time) {
        let late: Vec<(Ticket, P, Duration)> = (self.tickets.iter())
            .filter_map(|(ticket, holder)| match holder.state {
                Held::Waiting { until, within } if now >= until => Some((*ticket, holder.peer, within)),
                Held::Waiting { .. } | Held::Leased { .. } => None,
            })
            .collect();
        for (ticket, peer, within) in late {
            self.tickets.remove(&ticket);
            if let Some(entry) = self.entries.get_mut(&peer) {
                entry.tickets.remove(&ticket);
            }
            self.answer(ticket, Err(GetError::TimedOut { within }));
        }
        let is_late = |entry: &Entry| entry.dialling.is_some_and(|since| now >= since + DIAL);
        let late: Vec<P> = self.entries.iter().filter(|(_, entry)| is_late(entry)).map(|(peer, _)| *peer).collect();
        for peer in late {
            self.outputs.push_back(Output::Abandon { peer });
            self.dial_ended(now, peer);
        }
        let is_over = |entry: &Entry| entry.asked && entry.is_idle() && now >= entry.used + self.settings.idle;
        let over: Vec<P> = self.entries.iter().filter(|(_, entry)| is_over(entry)).map(|(peer, _)| *peer).collect();
        for peer in over {
            self.close(peer, CloseReason::Idle);
        }
    }
}
