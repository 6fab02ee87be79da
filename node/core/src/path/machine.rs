//! The machine behind [`super`].

use std::collections::{BTreeMap, VecDeque};

use super::{ConnectionKey, HEAD_START, Input, Known, LINGER, NEWS, Output, PathKind, RETRY, UPGRADE};
use crate::Time;
use crate::backoff::Backoff;

/// The path to one peer.
#[derive(Debug)]
pub struct Machine {
    /// Of two peers the one with the smaller id closes surplus connections, so that they never close one each.
    closes_surplus: bool,
    wanted: bool,
    known: Known,
    connections: BTreeMap<ConnectionKey, Connection>,
    best: Option<PathKind>,
    /// When `best` last changed, or a path was first wanted.
    since: Time,
    direct: Attempt,
    relayed: Attempt,
    retry: Backoff,
    upgrade: Backoff,
    next_round: Option<Time>,
    next_upgrade: Option<Time>,
    /// Whether the hole punch with reversed roles was tried since the last upgrade round.
    reversed: bool,
    /// Whether a direct path broke: the relay is dialled without waiting for the direct dial's head start.
    hurry: bool,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Connection {
    kind: PathKind,
    opened: Time,
    closing: bool,
}

/// The state of the dials of one kind in the current round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Untried,
    Running { since: Time },
    Failed,
}

impl Machine {
    /// A machine without connections. `closes_surplus` must be true on exactly one of the two sides; `seed` feeds the jitter.
    #[must_use]
    pub fn new(closes_surplus: bool, seed: u64) -> Self {
        Self {
            closes_surplus,
            wanted: false,
            known: Known::default(),
            connections: BTreeMap::new(),
            best: None,
            since: Time::ZERO,
            direct: Attempt::Untried,
            relayed: Attempt::Untried,
            retry: Backoff::new(RETRY.0, RETRY.1, seed),
            upgrade: Backoff::new(UPGRADE.0, UPGRADE.1, seed.rotate_left(32)),
            next_round: None,
            next_upgrade: None,
            reversed: false,
            hurry: false,
            outputs: VecDeque::new(),
        }
    }

    /// The best open path.
    #[must_use]
    pub fn best(&self) -> Option<PathKind> {
        self.best
    }

    /// Whether somebody needs a path.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Whether the machine can be forgotten: nobody wants it and nothing is open.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.wanted && self.connections.is_empty()
    }

    /// Takes note of what happened. Drain [`poll`](Self::poll) afterwards.
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Want => self.want(now),
            Input::Release => self.release(),
            Input::Addresses(known) => self.learn(now, known),
            Input::Opened { connection, kind } => self.opened(now, connection, kind),
            Input::Closed { connection } => {
                self.connections.remove(&connection);
            }
            Input::DialFailed { kind } => self.dial_failed(kind),
            Input::HolePunchFailed => self.reverse_roles(now),
            Input::OwnAddress => self.hurry_upgrade(now),
            Input::Tick => {}
        }
        self.note_best(now);
        self.advance(now);
    }

    /// What to do next; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to send [`Input::Tick`] if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let head_start = match (self.wanted && self.best.is_none(), self.direct, self.relayed) {
            (true, Attempt::Running { since }, Attempt::Untried) if self.known.relayed => Some(since + HEAD_START),
            _ => None,
        };
        let surplus = self.surplus().map(|(_, opened)| opened + LINGER).min();
        [head_start, surplus, self.next_round, self.next_upgrade].into_iter().flatten().min()
    }

    fn want(&mut self, now: Time) {
        if self.wanted {
            return;
        }
        self.wanted = true;
        if self.best.is_none() {
            self.since = now;
            self.start_round();
        } else {
            self.schedule_upgrade(now);
        }
    }

    fn release(&mut self) {
        self.wanted = false;
        self.next_round = None;
        self.next_upgrade = None;
        for (key, connection) in &mut self.connections {
            if !connection.closing {
                connection.closing = true;
                self.outputs.push_back(Output::Close { connection: *key });
            }
        }
    }

    fn learn(&mut self, now: Time, known: Known) {
        let news = known.direct() && !self.known.direct() || known.relayed && !self.known.relayed;
        self.known = known;
        if news && self.wanted && self.best.is_none() && self.next_round.is_some_and(|at| at > now) {
            self.next_round = Some(now);
        }
    }

    fn opened(&mut self, now: Time, connection: ConnectionKey, kind: PathKind) {
        self.connections.insert(connection, Connection { kind, opened: now, closing: false });
        match kind {
            PathKind::Direct => self.direct = Attempt::Untried,
            PathKind::Relayed => self.relayed = Attempt::Untried,
        }
        self.next_round = None;
        self.hurry = false;
        self.retry.reset();
    }

    fn dial_failed(&mut self, kind: PathKind) {
        match kind {
            PathKind::Direct => self.direct = Attempt::Failed,
            PathKind::Relayed => self.relayed = Attempt::Failed,
        }
    }

    /// The fixed roles of DCUtR reach fewer NAT pairs than an attempt from both sides does: dial a circuit ourselves, which makes
    /// the peer the QUIC server of the next exchange.
    fn reverse_roles(&mut self, now: Time) {
        let possible = self.best == Some(PathKind::Relayed) && self.known.relayed;
        if possible && !self.reversed && !matches!(self.relayed, Attempt::Running { .. }) {
            self.reversed = true;
            self.dial(now, PathKind::Relayed);
        }
    }

    fn note_best(&mut self, now: Time) {
        let best =
            self.connections.values().filter(|connection| !connection.closing).map(|connection| connection.kind).max();
        if best == self.best {
            return;
        }
        let from = std::mem::replace(&mut self.best, best);
        self.outputs.push_back(Output::Changed { from, to: best, elapsed: now.saturating_sub(self.since) });
        self.since = now;
        match best {
            None => {
                self.hurry = from == Some(PathKind::Direct);
                self.start_round();
            }
            Some(PathKind::Direct) => {
                self.next_upgrade = None;
                self.upgrade.reset();
                self.reversed = false;
            }
            Some(PathKind::Relayed) => self.schedule_upgrade(now),
        }
    }

    fn start_round(&mut self) {
        self.next_upgrade = None;
        self.next_round = None;
        for attempt in [&mut self.direct, &mut self.relayed] {
            if *attempt == Attempt::Failed {
                *attempt = Attempt::Untried;
            }
        }
    }

    fn schedule_upgrade(&mut self, now: Time) {
        if self.wanted && self.best == Some(PathKind::Relayed) {
            self.next_upgrade = Some(now + self.upgrade.next_delay());
        }
    }

    fn hurry_upgrade(&mut self, now: Time) {
        if let Some(at) = self.next_upgrade {
            self.upgrade.reset();
            self.next_upgrade = Some(at.min(now + NEWS));
        }
    }

    /// Does what the state and the time ask for.
    fn advance(&mut self, now: Time) {
        self.close_surplus(now);
        if !self.wanted {
            return;
        }
        match self.best {
            None => self.seek(now),
            Some(PathKind::Relayed) => self.seek_better(now),
            Some(PathKind::Direct) => {}
        }
    }

    fn seek(&mut self, now: Time) {
        if let Some(at) = self.next_round {
            if now < at {
                return;
            }
            self.start_round();
        }
        if self.direct == Attempt::Untried && self.known.direct() {
            self.dial(now, PathKind::Direct);
        }
        let direct_is_late = match self.direct {
            Attempt::Running { since } => self.hurry || !self.known.global || now >= since + HEAD_START,
            Attempt::Untried | Attempt::Failed => true,
        };
        if self.relayed == Attempt::Untried && self.known.relayed && direct_is_late {
            self.dial(now, PathKind::Relayed);
        }
        let running = |attempt| matches!(attempt, Attempt::Running { .. });
        if !running(self.direct) && !running(self.relayed) {
            self.outputs.push_back(Output::Failed { elapsed: now.saturating_sub(self.since) });
            self.next_round = Some(now + self.retry.next_delay());
        }
    }

    fn seek_better(&mut self, now: Time) {
        if self.next_upgrade.is_none_or(|at| now < at) {
            return;
        }
        self.reversed = false;
        self.schedule_upgrade(now);
        for (kind, known, attempt) in [
            (PathKind::Direct, self.known.direct(), self.direct),
            // A new circuit makes the peer start a new hole punch with what it has learnt of its addresses since.
            (PathKind::Relayed, self.known.relayed, self.relayed),
        ] {
            if known && !matches!(attempt, Attempt::Running { .. }) {
                self.dial(now, kind);
            }
        }
    }

    fn dial(&mut self, now: Time, kind: PathKind) {
        let attempt = match kind {
            PathKind::Direct => &mut self.direct,
            PathKind::Relayed => &mut self.relayed,
        };
        *attempt = Attempt::Running { since: now };
        self.outputs.push_back(Output::Dial { kind });
    }

    /// Connections that another one makes superfluous. Of direct ones the oldest is kept: a reservation or circuits may live on it.
    /// Of relayed ones the newest is kept: it was made to try a hole punch again.
    fn surplus(&self) -> impl Iterator<Item = (ConnectionKey, Time)> {
        let open = || self.connections.iter().filter(|(_, connection)| !connection.closing);
        let of = |kind| open().filter(move |(_, c)| c.kind == kind).map(|(key, c)| (c.opened, *key));
        let kept = self.best.and_then(|best| match best {
            PathKind::Direct => of(best).min(),
            PathKind::Relayed => of(best).max(),
        });
        open().filter(|_| self.closes_surplus).filter_map(move |(key, connection)| {
            let (kept_since, kept_key) = kept?;
            (*key != kept_key).then_some((*key, kept_since.max(connection.opened)))
        })
    }

    fn close_surplus(&mut self, now: Time) {
        let due: Vec<_> = self.surplus().filter(|(_, since)| now >= *since + LINGER).map(|(key, _)| key).collect();
        for key in due {
            if let Some(connection) = self.connections.get_mut(&key) {
                connection.closing = true;
                self.outputs.push_back(Output::Close { connection: key });
            }
        }
    }
}
