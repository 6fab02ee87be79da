//! The machine behind [`super`].

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Input, Output, PATIENCE, Priority, RefusalReason, Settings, Ticket};
use crate::Time;

/// Work that runs, and work that waits.
#[derive(Debug)]
pub struct Machine<P> {
    settings: Settings,
    running: BTreeMap<Ticket, P>,
    /// By class, then in the order of asking.
    waiting: BTreeMap<(Priority, u64), Waiter<P>>,
    /// How often each class was passed over in a row.
    passed: BTreeMap<Priority, u32>,
    asked: u64,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Waiter<P> {
    ticket: Ticket,
    peer: P,
    until: Time,
    within: Duration,
}

impl<P: Copy + Ord> Machine<P> {
    /// A limiter with all places free.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let (running, waiting, passed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { settings, running, waiting, passed, asked: 0, outputs: VecDeque::new() }
    }

    /// How much runs, and how much waits.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.running.len(), self.waiting.len())
    }

    /// Takes note of what happened. Drain [`poll`](Self::poll) afterwards.
    ///
    /// # Panics
    /// When a ticket asks again before it is done.
    pub fn handle(&mut self, now: Time, input: Input<P>) {
        self.expire(now);
        match input {
            Input::Ask { ticket, peer, priority, within } => {
                let is_known =
                    self.running.contains_key(&ticket) || self.waiting.values().any(|it| it.ticket == ticket);
                assert!(!is_known, "a ticket asks once");
                let until = now.saturating_add(within);
                self.ask(priority, Waiter { ticket, peer, until, within });
            }
            Input::Done { ticket } => {
                if self.running.remove(&ticket).is_none() {
                    self.waiting.retain(|_, waiter| waiter.ticket != ticket);
                }
            }
            Input::Tick => {}
        }
        self.admit();
        // A class in which nobody waits was not passed over.
        let is_waited_for = |priority: Priority| self.waiting.keys().any(|(other, _)| *other == priority);
        let idle: Vec<Priority> = Priority::ALL.into_iter().filter(|priority| !is_waited_for(*priority)).collect();
        self.passed.retain(|priority, _| !idle.contains(priority));
    }

    /// What to do next; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to send [`Input::Tick`] if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.waiting.values().map(|waiter| waiter.until).min()
    }

    fn refuse(&mut self, ticket: Ticket, reason: RefusalReason) {
        self.outputs.push_back(Output::Refuse { ticket, reason });
    }

    fn expire(&mut self, now: Time) {
        let late = self.waiting.iter().filter(|(_, waiter)| now >= waiter.until).map(|(key, _)| *key);
        for key in late.collect::<Vec<_>>() {
            if let Some(waiter) = self.waiting.remove(&key) {
                self.refuse(waiter.ticket, RefusalReason::TimedOut { within: waiter.within });
            }
        }
    }

    fn ask(&mut self, priority: Priority, waiter: Waiter<P>) {
        let Settings { waiting, waiting_per_peer, .. } = self.settings;
        // Whoever waits while there are free places may not run for now, so that nobody is overtaken.
        let is_free = self.may_run(waiter.peer, priority);
        if !is_free {
            if self.waiting.values().filter(|other| other.peer == waiter.peer).count() >= waiting_per_peer {
                return self.refuse(waiter.ticket, RefusalReason::PeerFull { limit: waiting_per_peer });
            }
            if self.waiting.len() >= waiting && !self.displace(priority) {
                return self.refuse(waiter.ticket, RefusalReason::QueueFull { limit: waiting });
            }
        }
        self.asked += 1;
        self.waiting.insert((priority, self.asked), waiter);
    }

    /// The youngest of the lowest class gives way, if its class is lower than this one.
    fn displace(&mut self, priority: Priority) -> bool {
        let lowest = self.waiting.keys().next().map(|(lowest, _)| *lowest).filter(|lowest| *lowest < priority);
        let youngest = lowest.and_then(|lowest| self.waiting.range(..=(lowest, u64::MAX)).next_back());
        let Some(key) = youngest.map(|(key, _)| *key) else { return false };
        if let Some(waiter) = self.waiting.remove(&key) {
            self.refuse(waiter.ticket, RefusalReason::Displaced);
        }
        true
    }

    /// Whether there is a place for this peer and class.
    fn may_run(&self, peer: P, priority: Priority) -> bool {
        let Settings { running, running_per_peer, kept, kept_per_peer, .. } = self.settings;
        let (kept, kept_per_peer) = if priority == Priority::Trade { (0, 0) } else { (kept, kept_per_peer) };
        self.running.len() < running.saturating_sub(kept)
            && self.running.values().filter(|other| **other == peer).count()
                < running_per_peer.saturating_sub(kept_per_peer)
    }

    fn admit(&mut self) {
        while self.running.len() < self.settings.running {
            let Some(key) = self.next() else { return };
            let Some(waiter) = self.waiting.remove(&key) else { return };
            for priority in Priority::ALL {
                if priority == key.0 {
                    self.passed.remove(&priority);
                } else if self.oldest(priority).is_some() {
                    *self.passed.entry(priority).or_default() += 1;
                }
            }
            self.running.insert(waiter.ticket, waiter.peer);
            self.outputs.push_back(Output::Admit { ticket: waiter.ticket });
        }
    }

    /// The oldest of a class that may run.
    fn oldest(&self, priority: Priority) -> Option<(Priority, u64)> {
        let of_class = self.waiting.range((priority, 0)..=(priority, u64::MAX));
        of_class.into_iter().find(|(_, waiter)| self.may_run(waiter.peer, priority)).map(|(key, _)| *key)
    }

    /// Whose turn it is.
    fn next(&self) -> Option<(Priority, u64)> {
        let passed = |priority: &Priority| self.passed.get(priority).copied().unwrap_or(0);
        let heads = Priority::ALL.into_iter().filter_map(|priority| self.oldest(priority));
        heads.max_by_key(|(priority, _)| (passed(priority).saturating_sub(PATIENCE - 1), *priority))
    }
}
