//! How good the connections are, and what is done when the one to a wanted peer stays bad.
//!
//! Every ping scores its connection. The score of the best connection to a peer feeds the peer's machine
//! ([`quality::Machine`]), which knows when to act; what it asks for is for the path machine:
//!
//! | action | carried out as |
//! |---|---|
//! | upgrade | the next attempt to get a direct path comes at once |
//! | switch the relay | a circuit through another relay is dialled; when it is open, the bad one is closed |
//! | reconnect | another connection of the same kind is dialled; when it is open, the bad one is closed |

use std::time::Duration;

use darkswap_connectivity::quality::{self, Action, HIGH, Input, Kind, LOW, Measurement, Output, Reason, Score, Way};
use darkswap_core::Time;
use darkswap_core::path::{ConnectionKey, Input as PathInput, PathKind};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::peer::{Connection, Peer};
use super::{Node, alive};
use crate::event::Event;
use crate::handle::ConnectionQuality;
use crate::limits::fixed::ping;
use crate::relay_load;
use crate::transport::address::relay_of;

/// How often a connection's quality is reported while its class stays the same.
const REPORT: Duration = Duration::from_secs(60);

/// Protocols that ask whether and how well a connection works. What arrives on them is no use of it.
pub(super) static PROBES: [StreamProtocol; 3] = [libp2p::ping::PROTOCOL_NAME, alive::PROTOCOL, relay_load::PROTOCOL];

/// What is kept of the scores of one connection.
#[derive(Debug, Default)]
pub(super) struct Scores {
    /// When the last ping was answered.
    answered: Option<Time>,
    /// The class that was reported last, and when.
    reported: Option<(Class, Time)>,
}

/// The classes of scores between which the machine tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Low,
    Middle,
    High,
}

impl Class {
    fn of(points: u8) -> Self {
        match points {
            ..LOW => Self::Low,
            HIGH.. => Self::High,
            _ => Self::Middle,
        }
    }
}

impl Scores {
    /// Whether a ping was lost between the last answer and this one. libp2p tells of the second time-out in a row only.
    fn missed(&mut self, now: Time, round_trip: Duration) -> bool {
        let before = self.answered.replace(now);
        before.is_some_and(|before| now.saturating_sub(before + round_trip) >= ping::INTERVAL + ping::TIMEOUT)
    }

    /// Whether this score is to be reported.
    fn is_news(&mut self, now: Time, score: Score) -> bool {
        let class = Class::of(score.points);
        let is_news = self.reported.is_none_or(|(before, at)| before != class || now >= at + REPORT);
        if is_news {
            self.reported = Some((class, now));
        }
        is_news
    }
}

impl Node {
    /// A ping on a connection was answered, or lost.
    pub(super) fn pinged(&mut self, id: PeerId, key: ConnectionKey, round_trip: Option<Duration>) {
        let now = self.now();
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(open) = peer.connections.get_mut(&key) else { return };
        match round_trip {
            Some(round_trip) => {
                if open.scores.missed(now, round_trip) {
                    open.meter.unanswered();
                }
                open.meter.answered(round_trip);
            }
            None => open.meter.unanswered(),
        }
        let measured = open.meter.measure();
        let score = Score::of(&measured);
        let event = open.scores.is_news(now, score).then(|| event(id, open, &measured, score));
        let (this, way) = (open.id, way(&measured));
        let judged = peer.path.is_wanted() && peer.best().is_some_and(|best| best.id == this);
        if judged {
            peer.quality.handle(now, Input::Scored { score, way });
        }
        if let Some(event) = event {
            self.report(event);
        }
        if judged {
            self.drive(id);
        }
    }

    /// Does what the quality of a peer's connection asks for.
    pub(super) fn improve(&mut self, now: Time, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.quality.deadline().is_some_and(|at| at <= now) {
            peer.quality.handle(now, Input::Tick);
        }
        while let Some(output) = self.peers.get_mut(&id).and_then(|peer| peer.quality.poll()) {
            match output {
                Output::Act { action, reason } => self.act(now, id, action, reason),
                Output::Recovered { low_for, attempts } => {
                    let peer = self.peer(id);
                    peer.avoided = None;
                    if let Some((connection, _)) = best(peer) {
                        peer.path.handle(now, PathInput::Recovered { connection });
                    }
                    self.report(Event::QualityRecovered { peer: id, low_for, attempts });
                }
            }
        }
    }

    /// Carries out an action. Drained by whoever drives the peer.
    fn act(&mut self, now: Time, id: PeerId, action: Action, reason: Reason) {
        let Some(peer) = self.peers.get(&id).filter(|peer| peer.path.is_wanted()) else { return };
        let Some((connection, relay)) = best(peer) else { return };
        let other = relay.filter(|relay| self.circuits(id).iter().any(|circuit| relay_of(circuit) != Some(*relay)));
        // Without another relay there is still another circuit through the same one.
        let action = match action {
            Action::SwitchRelay if other.is_none() => Action::Reconnect,
            Action::Upgrade | Action::SwitchRelay | Action::Reconnect => action,
        };
        let peer = self.peer(id);
        peer.avoided = other.filter(|_| action == Action::SwitchRelay);
        peer.path.handle(
            now,
            match action {
                Action::Upgrade => PathInput::Upgrade,
                Action::SwitchRelay | Action::Reconnect => PathInput::Replace { connection },
            },
        );
        self.report(Event::QualityAction { peer: id, action, reason });
    }

    /// The circuits to a peer: through its relays, and through ours.
    fn circuits(&self, id: PeerId) -> Vec<Multiaddr> {
        let mut circuits = self.peers.get(&id).map(|peer| peer.book.of(PathKind::Relayed)).unwrap_or_default();
        circuits.extend(self.relays.circuits_to(id));
        circuits
    }

    /// The circuits to dial when one relay is avoided. None: any will do.
    pub(super) fn circuits_past_the_avoided(&self, id: PeerId) -> Option<Vec<Multiaddr>> {
        let avoided = self.peers.get(&id)?.avoided?;
        let mut circuits = self.circuits(id);
        circuits.retain(|circuit| relay_of(circuit) != Some(avoided));
        (!circuits.is_empty()).then_some(circuits)
    }
}

/// The best connection to a peer, and the relay it goes through.
fn best(peer: &Peer) -> Option<(ConnectionKey, Option<PeerId>)> {
    let (key, best) = peer.best_entry()?;
    Some((key, relay(&best.meter.measure())))
}

fn relay(measured: &Measurement<PeerId>) -> Option<PeerId> {
    match measured.kind {
        Kind::Relayed(relay) => Some(relay),
        Kind::Direct(_) => None,
    }
}

fn way(measured: &Measurement<PeerId>) -> Way {
    match measured.kind {
        Kind::Relayed(_) => Way::Relayed,
        Kind::Direct(_) => Way::Direct,
    }
}

fn event(peer: PeerId, open: &Connection, measured: &Measurement<PeerId>, score: Score) -> Event {
    let (path, transport, quality) = (open.kind, open.transport, ConnectionQuality::new(measured, score));
    Event::Quality { peer, path, transport, quality }
}

impl Connection {
    /// How good it is.
    pub(super) fn quality(&self) -> ConnectionQuality {
        let measured = self.meter.measure();
        ConnectionQuality::new(&measured, Score::of(&measured))
    }
}

impl ConnectionQuality {
    fn new(measured: &Measurement<PeerId>, score: Score) -> Self {
        Self {
            relay: relay(measured),
            score: score.points,
            weakest: score.weakest,
            round_trip: measured.rtt,
            jitter: measured.jitter,
            loss: measured.loss,
            throughput: measured.throughput,
            sent: measured.sent,
            received: measured.received,
            inactive: measured.inactive,
        }
    }
}

/// The machine that acts on the scores of a peer.
pub(super) fn machine(seed: u64) -> quality::Machine {
    quality::Machine::new(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Duration::from_secs(seconds)
    }

    fn score(points: u8) -> Score {
        Score { points, weakest: quality::Factor::Latency }
    }

    #[test]
    fn a_score_is_reported_when_its_class_changes_and_once_a_minute() {
        let mut scores = Scores::default();
        let news: Vec<_> = [(0, 90), (8, 70), (16, HIGH - 1), (24, LOW), (32, LOW - 1), (40, 0), (92, 3)]
            .into_iter()
            .filter(|(second, points)| scores.is_news(at(*second), score(*points)))
            .map(|(second, _)| second)
            .collect();
        assert_eq!(news, [0, 16, 32, 92]);
    }

    #[test]
    fn a_ping_that_was_lost_without_a_word_is_noticed_at_the_next_answer() {
        let mut scores = Scores::default();
        let trip = Duration::from_millis(300);
        let pause = ping::INTERVAL + trip;
        assert!(!scores.missed(at(1), trip));
        assert!(!scores.missed(at(1) + pause, trip));
        assert!(scores.missed(at(1) + pause * 2 + ping::INTERVAL + ping::TIMEOUT, trip));
        assert!(!scores.missed(at(1) + pause * 3 + ping::INTERVAL + ping::TIMEOUT, trip));
    }
}
