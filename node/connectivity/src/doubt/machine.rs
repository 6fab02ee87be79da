//! The machine behind [`super`].

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use darkswap_core::path::{ConnectionKey, PathKind};

use super::{ANSWER, CALM, CONNECTIONS, Input, LATE, LONGEST, Output, PAUSE, RATE, REQUESTS};
use crate::Time;
use crate::rtt::Rtt;

/// Alarms after which the times do not grow any more: they have reached [`LONGEST`].
const MOST_CAUTIOUS: u32 = 5;

/// The connections to one peer, and the requests to it. `R` numbers requests.
#[derive(Debug)]
pub struct Machine<R> {
    requests: BTreeMap<R, Request>,
    connections: BTreeMap<ConnectionKey, Watch>,
    /// Alarms of late, each within [`CALM`] of the one before, and the last of them.
    alarms: u32,
    alarmed: Time,
    outputs: VecDeque<Output>,
}

impl<R> Default for Machine<R> {
    fn default() -> Self {
        Self {
            requests: BTreeMap::new(),
            connections: BTreeMap::new(),
            alarms: 0,
            alarmed: Time::ZERO,
            outputs: VecDeque::new(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Request {
    sent: Time,
    size: usize,
}

/// What all connections to a peer share.
#[derive(Debug, Clone, Copy)]
struct Mood {
    /// When the oldest request was sent, with what the sizes of all allow.
    oldest: Option<Time>,
    /// By what times are multiplied.
    caution: u32,
}

/// One connection.
#[derive(Debug, Clone, Copy)]
struct Watch {
    kind: PathKind,
    round_trip: Option<Rtt>,
    /// When something arrived last, the opening included.
    heard: Time,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Trusted,
    Asked { until: Time },
    Doubted { until: Time, pause: Duration },
}

impl Watch {
    /// Twice the retransmission time-out (RFC 6298, section 2; 2.1 before the first sample), within bounds.
    fn patience(&self, least: Duration, caution: u32) -> Duration {
        let rto = self.round_trip.map_or(Duration::from_secs(1), |it| it.smoothed() + it.variation() * 4);
        ((rto * 2).max(least) * caution).min(LONGEST)
    }

    fn deadline(&self, mood: Mood) -> Option<Time> {
        match self.state {
            State::Trusted => Some(mood.oldest?.max(self.heard) + self.patience(LATE, mood.caution)),
            State::Asked { until } | State::Doubted { until, .. } => Some(until),
        }
    }
}

impl<R: Copy + Ord> Machine<R> {
    /// Takes note of what happened. Drain [`poll`](Self::poll) afterwards.
    pub fn handle(&mut self, now: Time, input: Input<R>) {
        if now.saturating_sub(self.alarmed) >= CALM {
            self.alarms = 0;
        }
        match input {
            Input::Opened { connection, kind } => self.opened(now, connection, kind),
            Input::Closed { connection } => {
                self.connections.remove(&connection);
            }
            Input::Asked { request, size } => {
                if self.requests.len() < REQUESTS || self.requests.contains_key(&request) {
                    self.requests.insert(request, Request { sent: now, size });
                }
            }
            Input::Ended { request } => {
                self.requests.remove(&request);
            }
            Input::Heard { connection } => self.heard(now, connection),
            Input::RoundTrip { connection, elapsed } => {
                if let Some(watch) = self.connections.get_mut(&connection) {
                    match &mut watch.round_trip {
                        Some(round_trip) => round_trip.record(elapsed),
                        none => *none = Some(Rtt::first(elapsed)),
                    }
                }
                self.heard(now, connection);
            }
            Input::Roamed => self.roamed(now),
            Input::Tick => {}
        }
        self.advance(now);
    }

    /// What to do next; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to send [`Input::Tick`] if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let mood = self.mood();
        self.connections.values().filter_map(|watch| watch.deadline(mood)).min()
    }

    fn mood(&self) -> Mood {
        let size: u64 = self.requests.values().map(|request| request.size as u64).sum();
        let allowed = Duration::from_millis(size.saturating_mul(1_000) / u64::from(RATE));
        let oldest = self.requests.values().map(|request| request.sent).min().map(|sent| sent.saturating_add(allowed));
        Mood { oldest, caution: self.caution() }
    }

    fn caution(&self) -> u32 {
        1 << self.alarms.saturating_sub(1)
    }

    fn alarm(&mut self, now: Time) {
        self.alarms = (self.alarms + 1).min(MOST_CAUTIOUS);
        self.alarmed = now;
    }

    fn opened(&mut self, now: Time, connection: ConnectionKey, kind: PathKind) {
        if self.connections.len() < CONNECTIONS {
            self.connections.insert(connection, Watch { kind, round_trip: None, heard: now, state: State::Trusted });
        }
        let is_replaced = |watch: &Watch| matches!(watch.state, State::Doubted { .. }) && watch.kind <= kind;
        let replaced: Vec<_> = self.connections.iter().filter(|(_, it)| is_replaced(it)).map(|(key, _)| *key).collect();
        for key in replaced {
            self.give_up(now, key);
        }
        // A better one gets another chance.
        for (key, watch) in &mut self.connections {
            let answer = watch.patience(ANSWER, 1);
            if let State::Doubted { until, .. } = &mut watch.state {
                *until = now + answer;
                self.outputs.push_back(Output::Probe { connection: *key });
            }
        }
    }

    fn heard(&mut self, now: Time, connection: ConnectionKey) {
        let Some(watch) = self.connections.get_mut(&connection) else { return };
        watch.heard = watch.heard.max(now);
        if let State::Doubted { .. } = std::mem::replace(&mut watch.state, State::Trusted) {
            self.outputs.push_back(Output::Cleared { connection });
            self.alarm(now);
        }
    }

    fn roamed(&mut self, now: Time) {
        let caution = self.caution();
        for (key, watch) in &mut self.connections {
            if watch.state == State::Trusted {
                watch.state = State::Asked { until: now + watch.patience(ANSWER, caution) };
                self.outputs.push_back(Output::Probe { connection: *key });
            }
        }
    }

    fn give_up(&mut self, now: Time, connection: ConnectionKey) {
        if let Some(watch) = self.connections.remove(&connection) {
            self.outputs.push_back(Output::Dead { connection, silent: now.saturating_sub(watch.heard) });
        }
    }

    /// Does what time asks for.
    fn advance(&mut self, now: Time) {
        let mood = self.mood();
        let caution = mood.caution;
        let is_due = |watch: &Watch| watch.deadline(mood).is_some_and(|at| now >= at);
        let due: Vec<_> = self.connections.iter().filter(|(_, it)| is_due(it)).map(|(key, _)| *key).collect();
        for connection in due {
            let is_replaceable = self.works_otherwise(connection);
            let Some(watch) = self.connections.get_mut(&connection) else { continue };
            let silent = now.saturating_sub(watch.heard);
            match watch.state {
                State::Trusted => watch.state = State::Asked { until: now + watch.patience(ANSWER, caution) },
                State::Asked { .. } if is_replaceable => {
                    self.alarm(now);
                    self.give_up(now, connection);
                    continue;
                }
                State::Doubted { .. } if is_replaceable => {
                    self.give_up(now, connection);
                    continue;
                }
                State::Asked { .. } => {
                    let pause = watch.patience(ANSWER, caution);
                    watch.state = State::Doubted { until: now + pause, pause };
                    self.outputs.push_back(Output::Doubted { connection, silent });
                    self.alarm(now);
                }
                State::Doubted { pause, .. } => {
                    let pause = (pause * 2).min(PAUSE);
                    watch.state = State::Doubted { until: now + pause, pause };
                }
            }
            self.outputs.push_back(Output::Probe { connection });
        }
    }

    /// Whether another connection was heard of later than this one, and is not in question itself.
    fn works_otherwise(&self, connection: ConnectionKey) -> bool {
        let Some(silent) = self.connections.get(&connection).map(|watch| watch.heard) else { return false };
        let others = self.connections.iter().filter(|(key, _)| **key != connection);
        others.into_iter().any(|(_, other)| other.state == State::Trusted && other.heard > silent)
    }
}
