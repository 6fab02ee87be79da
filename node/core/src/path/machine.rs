//! The machine behind [`super`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    ConnectionKey, HANDOVER, HEAD_START, ICE_STAGGER, Input, Known, LINGER, NEWS, Origin, Output, PathKind, RETRY,
    UNSUPPORTED, UPGRADE,
};
use crate::Time;
use crate::backoff::Backoff;

/// The path to one peer.
#[derive(Debug)]
pub struct Machine {
    /// Of two peers the one with the smaller id closes surplus connections, so that they never close one each.
    closes_surplus: bool,
    /// Whether we can negotiate WebRTC.
    negotiates: bool,
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
    negotiation: Negotiation,
    /// Until when the peer is known not to speak the signalling protocol.
    unsupported_until: Time,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Connection {
    kind: PathKind,
    origin: Origin,
    opened: Time,
    /// Since when it can be relied on: since it was opened, or recovered.
    sound_since: Time,
    disturbed: bool,
    /// Whether it makes way for the next one of its kind.
    replaced: bool,
    closing: bool,
}

/// The state of the negotiation of a WebRTC connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Negotiation {
    Idle,
    Due { at: Time },
    Running,
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
            negotiates: false,
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
            negotiation: Negotiation::Idle,
            unsupported_until: Time::ZERO,
            outputs: VecDeque::new(),
        }
    }

    /// The same machine for a node that can negotiate WebRTC.
    #[must_use]
    pub fn with_negotiation(mut self) -> Self {
        self.negotiates = true;
        self
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
            Input::Opened { connection, kind, origin } => self.opened(now, connection, kind, origin),
            Input::Closed { connection } => {
                // Nobody restored it, so a new one is due. Without a circuit this comes to nothing, and the round begins anew.
                let closed = self.connections.remove(&connection);
                if closed.is_some_and(|it| it.disturbed && it.kind == PathKind::Direct) {
                    self.arm_negotiation(now);
                }
            }
            Input::DialFailed { kind } => self.dial_failed(kind),
            Input::HolePunchFailed => self.reverse_roles(now),
            Input::NegotiationFailed => self.negotiation_ended(),
            Input::NegotiationUnsupported => {
                self.unsupported_until = now + UNSUPPORTED;
                self.negotiation_ended();
            }
            Input::Disturbed { connection } => self.disturbed(now, connection),
            Input::Recovered { connection } => self.recovered(now, connection),
            Input::OwnAddress | Input::Upgrade => self.hurry_upgrade(now),
            Input::Replace { connection } => self.replace(now, connection),
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
        let surplus = self.surplus().map(|(_, since)| since + LINGER).min();
        let replaced = self.replaced().map(|(_, since)| since + HANDOVER).min();
        let negotiation = match self.negotiation {
            Negotiation::Due { at } => Some(at),
            Negotiation::Idle | Negotiation::Running => None,
        };
        [head_start, surplus, replaced, negotiation, self.next_round, self.next_upgrade].into_iter().flatten().min()
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
        self.abandon_negotiation();
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

    fn opened(&mut self, now: Time, connection: ConnectionKey, kind: PathKind, origin: Origin) {
        let open = Connection {
            kind,
            origin,
            opened: now,
            sound_since: now,
            disturbed: false,
            replaced: false,
            closing: false,
        };
        self.connections.insert(connection, open);
        match kind {
            PathKind::Direct => self.direct = Attempt::Untried,
            PathKind::Relayed => self.relayed = Attempt::Untried,
        }
        if origin == Origin::Negotiated {
            self.negotiation_ended();
        }
        if kind == PathKind::Relayed && origin == Origin::Dialled {
            self.arm_negotiation(now);
        }
        self.next_round = None;
        self.hurry = false;
        self.retry.reset();
    }

    /// The dialler of a circuit negotiates (libp2p WebRTC specification, "Browser to browser"), unless it does so already.
    fn arm_negotiation(&mut self, now: Time) {
        let possible = self.negotiates && self.wanted && now >= self.unsupported_until;
        if possible && self.negotiation == Negotiation::Idle {
            let at = if self.is_disturbed() { now } else { now + ICE_STAGGER };
            self.negotiation = Negotiation::Due { at };
        }
    }

    /// Whether there are direct connections, and every one is disturbed.
    fn is_disturbed(&self) -> bool {
        let mut direct = self.connections.values().filter(|it| it.kind == PathKind::Direct && !it.closing).peekable();
        direct.peek().is_some() && direct.all(|it| it.disturbed)
    }

    /// Nothing is being negotiated any more.
    fn negotiation_ended(&mut self) {
        if self.negotiation == Negotiation::Running {
            self.negotiation = Negotiation::Idle;
        }
    }

    fn abandon_negotiation(&mut self) {
        if std::mem::replace(&mut self.negotiation, Negotiation::Idle) == Negotiation::Running {
            self.outputs.push_back(Output::AbandonNegotiation);
        }
    }

    fn disturbed(&mut self, now: Time, connection: ConnectionKey) {
        let Some(open) = self.connections.get_mut(&connection) else { return };
        if std::mem::replace(&mut open.disturbed, true) {
            return;
        }
        let was_dialled = open.kind == PathKind::Direct && open.origin == Origin::Dialled;
        if self.relayed == Attempt::Failed {
            self.relayed = Attempt::Untried;
        }
        // What was dialled once may be there again: a server that restarted, or a NAT that forgot the old flow only.
        if was_dialled && self.direct == Attempt::Failed {
            self.direct = Attempt::Untried;
        }
        if self.connections.values().any(|it| it.kind == PathKind::Relayed && !it.closing && !it.disturbed) {
            self.arm_negotiation(now);
        }
    }

    fn recovered(&mut self, now: Time, connection: ConnectionKey) {
        let Some(open) = self.connections.get_mut(&connection) else { return };
        open.replaced = false;
        if std::mem::take(&mut open.disturbed) {
            open.sound_since = now;
        }
    }

    fn replace(&mut self, now: Time, connection: ConnectionKey) {
        let Some(open) = self.connections.get_mut(&connection).filter(|open| self.wanted && !open.closing) else {
            return;
        };
        if open.origin == Origin::Negotiated {
            return self.disturbed(now, connection);
        }
        let kind = open.kind;
        open.replaced = true;
        let (known, attempt) = match kind {
            PathKind::Direct => (self.known.direct(), self.direct),
            PathKind::Relayed => (self.known.relayed, self.relayed),
        };
        if known && !matches!(attempt, Attempt::Running { .. }) {
            self.dial(now, kind);
        }
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
        // A disturbed connection is better than none, and worse than any other.
        let open = self.connections.values().filter(|connection| !connection.closing);
        let best = open.max_by_key(|connection| (!connection.disturbed, connection.kind));
        let is_sound = best.is_some_and(|connection| connection.kind == PathKind::Direct && !connection.disturbed);
        let best = best.map(|connection| connection.kind);
        match self.negotiation {
            Negotiation::Due { .. } if best != Some(PathKind::Relayed) => self.negotiation = Negotiation::Idle,
            Negotiation::Running if is_sound => self.abandon_negotiation(),
            Negotiation::Idle | Negotiation::Due { .. } | Negotiation::Running => {}
        }
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
            Some(PathKind::Relayed) => {
                self.negotiate(now);
                self.seek_better(now);
                self.seek_another(now);
            }
            Some(PathKind::Direct) => {
                self.seek_another(now);
            }
        }
    }

    /// Looks for another way while no connection answers: once, since the connection counts until it is closed.
    fn seek_another(&mut self, now: Time) {
        let mut open = self.connections.values().filter(|it| !it.closing).peekable();
        if open.peek().is_none() || open.any(|it| !it.disturbed) {
            return;
        }
        if self.relayed == Attempt::Untried && self.known.relayed {
            self.dial(now, PathKind::Relayed);
        }
        let is_dialled = |it: &Connection| it.kind == PathKind::Direct && it.origin == Origin::Dialled && !it.closing;
        if self.direct == Attempt::Untried && self.known.direct() && self.connections.values().any(is_dialled) {
            self.dial(now, PathKind::Direct);
        }
    }

    fn negotiate(&mut self, now: Time) {
        if matches!(self.negotiation, Negotiation::Due { at } if now >= at) {
            self.negotiation = Negotiation::Running;
            self.outputs.push_back(Output::Negotiate);
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

    /// Connections that another one makes superfluous, and since when. Of direct ones the module's documentation says which is kept.
    /// Of relayed ones it is the newest: it was made to try a hole punch again.
    fn surplus(&self) -> impl Iterator<Item = (ConnectionKey, Time)> {
        let open = || self.connections.iter().filter(|(_, connection)| !connection.closing);
        let of = |kind| open().filter(move |(_, c)| c.kind == kind);
        let direct = of(PathKind::Direct)
            .min_by_key(|(key, c)| (c.disturbed, c.replaced, c.origin == Origin::Negotiated, c.opened, **key));
        let relayed = of(PathKind::Relayed).max_by_key(|(key, c)| (!c.disturbed, !c.replaced, c.opened, **key));
        // The newest circuit is what a disturbed connection is restored through.
        let restoring = direct.filter(|(_, c)| c.disturbed).and(relayed).map(|(key, _)| *key);
        let kept = direct.or(relayed).map(|(key, c)| (*key, c.sound_since));
        open().filter(|_| self.closes_surplus).filter_map(move |(key, connection)| {
            let (kept_key, kept_since) = kept?;
            let is_kept = *key == kept_key || Some(*key) == restoring;
            (!is_kept).then_some((*key, kept_since.max(connection.opened)))
        })
    }

    /// Connections that another one replaces, and since when that is open.
    fn replaced(&self) -> impl Iterator<Item = (ConnectionKey, Time)> {
        let open = || self.connections.iter().filter(|(_, connection)| !connection.closing);
        open().filter(|(_, connection)| connection.replaced).filter_map(move |(key, old)| {
            let follows = |new: &Connection| !new.replaced && !new.disturbed && new.kind >= old.kind;
            let since = open().filter(|(_, new)| follows(new)).map(|(_, new)| new.sound_since).min()?;
            Some((*key, since.max(old.opened)))
        })
    }

    fn close_surplus(&mut self, now: Time) {
        let surplus = self.surplus().filter(|(_, since)| now >= *since + LINGER);
        let replaced = self.replaced().filter(|(_, since)| now >= *since + HANDOVER);
        let due: BTreeSet<_> = surplus.chain(replaced).map(|(key, _)| key).collect();
        for key in due {
            if let Some(connection) = self.connections.get_mut(&key) {
                connection.closing = true;
                self.outputs.push_back(Output::Close { connection: key });
            }
        }
    }
}
