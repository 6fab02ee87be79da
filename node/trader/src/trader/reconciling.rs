//! The end of a reconciliation that asks.
//!
//! | phase | question | answer | next |
//! |---|---|---|---|
//! | comparing | `Open`, then `Step` | `Frame` | comparing; fetching when the difference is known |
//! | fetching | `Fetch` | `Statements` | fetching until all that exist are here; then pushing |
//! | pushing | `Push` | `Taken` | pushing until all are there; then over |
//! | any | | another answer, none, or none in time | over |

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use darkswap_trade::order::{OrderId, TraderKey, decode};
use darkswap_trade::reconcile::{Initiator, Step};

use super::Trader;
use crate::Time;
use crate::command::TradeEvent;
use crate::output::Output;
use crate::sync::{Answer, Ask, Batch, MAX_IDS, MAX_STATEMENTS};

/// Sessions that we began and that are open at once: each has a snapshot's worth of work per round.
const MAX_SESSIONS: usize = 4;
/// How long an answer may take: a full message over a slow relay.
const ANSWER: Duration = Duration::from_secs(60);
/// How long a session may take; what it found until then counts. A late joiner of 100,000 orders needs some 150 round trips.
const SESSION: Duration = Duration::from_secs(600);
/// How often a peer is chosen to reconcile with, without jitter. Gossip brings nearly everything; this finds the rest.
const INTERVAL: Duration = Duration::from_secs(180);
/// How much later at most.
const JITTER: Duration = Duration::from_secs(60);
/// How many peers are chosen soon, one after the other, after a reconciliation that found something: what two books differed in, others
/// of both sides of a partition lack as well, and gossip does not repeat it. Each find begins anew, so that news that two of
/// three peers know still reaches nearly everybody.
const RUMOURS: u8 = 3;
/// How long after such a reconciliation, or the one before, at least and on top at most.
const RUMOUR: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));
/// How soon after a connection the one of the two with the lower key begins, at most. The other one begins after `PATIENCE`,
/// unless the first one did.
const SOON: Duration = Duration::from_secs(1);
/// How long the one with the higher key waits.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long to wait for a free place, or after a busy peer.
const LATER: Duration = Duration::from_secs(5);

/// Sessions that we began, and when to begin more.
#[derive(Debug, Default)]
pub(super) struct Initiators {
    sessions: BTreeMap<TraderKey, Session>,
    /// When to begin with whom.
    due: BTreeMap<TraderKey, Time>,
    /// When to choose somebody.
    next: Option<Time>,
    /// How many of the next ones are chosen soon.
    rumours: u8,
}

#[derive(Debug)]
struct Session {
    phase: Phase,
    /// Which answer is waited for, and until when.
    token: u64,
    answer_by: Time,
    ends: Time,
    /// What we lack and have not asked for, or were not given.
    lacking: VecDeque<OrderId>,
    /// What we asked for with the last question.
    asked: BTreeSet<OrderId>,
    /// What the peer lacks.
    surplus: VecDeque<OrderId>,
    /// Statements that came and were new.
    lacked: u64,
    pushed: u64,
    rounds: u32,
    bytes: u64,
}

#[derive(Debug)]
enum Phase {
    Comparing(Box<Initiator>),
    Fetching,
    Pushing,
}

/// Why a session ends.
enum End {
    Done,
    Failed(String),
}

impl Initiators {
    pub(super) fn deadline(&self) -> Option<Time> {
        let sessions = self.sessions.values().map(|session| session.answer_by.min(session.ends));
        sessions.chain(self.due.values().copied()).chain(self.next).min()
    }

    /// The peer reconciled with us, which does for both.
    pub(super) fn spare(&mut self, peer: TraderKey) {
        self.due.remove(&peer);
    }
}

impl Trader {
    /// There is a path to a trader that there was not.
    pub(super) fn reconcile_newcomer(&mut self, now: Time, peer: TraderKey) {
        let after = if self.us < peer { Duration::ZERO } else { PATIENCE };
        let at = now.saturating_add(after).saturating_add(self.dice.delay(SOON));
        self.initiators.due.insert(peer, at);
        if self.initiators.next.is_none() {
            self.initiators.next = Some(now.saturating_add(INTERVAL).saturating_add(self.dice.delay(JITTER)));
        }
    }

    /// A reconciliation found something: others may lack it too.
    pub(super) fn spread(&mut self, now: Time) {
        let (least, jitter) = RUMOUR;
        let soon = now.saturating_add(least).saturating_add(self.dice.delay(jitter));
        // The first one is chosen at that time, the others follow it.
        self.initiators.rumours = RUMOURS - 1;
        self.initiators.next = self.initiators.next.map(|at| at.min(soon));
    }

    /// There is no path to a peer any more.
    pub(super) fn forget_sessions(&mut self, peer: TraderKey) {
        self.initiators.due.remove(&peer);
        self.initiators.sessions.remove(&peer);
        self.responders.forget(peer);
        if self.peers.is_empty() {
            self.initiators.next = None;
        }
    }

    pub(super) fn advance_reconciling(&mut self, now: Time) {
        if self.initiators.next.is_some_and(|at| at <= now) {
            let chosen = self.dice.below(self.peers.len());
            if let Some(peer) = self.peers.iter().nth(chosen).copied() {
                self.initiators.due.entry(peer).or_insert(now);
            }
            let (least, jitter) = match self.initiators.rumours.checked_sub(1) {
                Some(left) => {
                    self.initiators.rumours = left;
                    RUMOUR
                }
                None => (INTERVAL, JITTER),
            };
            self.initiators.next = Some(now.saturating_add(least).saturating_add(self.dice.delay(jitter)));
        }
        let late = self.initiators.sessions.iter().filter(|(_, it)| it.answer_by.min(it.ends) <= now);
        let late: Vec<TraderKey> = late.map(|(peer, _)| *peer).collect();
        for peer in late {
            if let Some(session) = self.initiators.sessions.remove(&peer) {
                self.end_session(peer, &session, End::Failed("no answer came in time".to_owned()));
            }
        }
        let due = self.initiators.due.iter().filter(|(_, at)| **at <= now);
        let due: Vec<TraderKey> = due.map(|(peer, _)| *peer).collect();
        for peer in due {
            self.initiators.due.remove(&peer);
            if self.initiators.sessions.contains_key(&peer) {
                continue;
            }
            if self.initiators.sessions.len() >= MAX_SESSIONS {
                self.initiators.due.insert(peer, now.saturating_add(LATER));
                continue;
            }
            self.begin_session(now, peer);
        }
    }

    fn begin_session(&mut self, now: Time, peer: TraderKey) {
        let (initiator, frame) = Initiator::new(self.responders.snapshot(&self.book));
        let session = Session {
            phase: Phase::Comparing(Box::new(initiator)),
            token: 0,
            answer_by: now,
            ends: now.saturating_add(SESSION),
            lacking: VecDeque::new(),
            asked: BTreeSet::new(),
            surplus: VecDeque::new(),
            lacked: 0,
            pushed: 0,
            rounds: 0,
            bytes: 0,
        };
        self.ask_peer(now, peer, session, &Ask::Open(frame.into()));
    }

    fn ask_peer(&mut self, now: Time, to: TraderKey, mut session: Session, ask: &Ask) {
        let (token, bytes) = (self.number(), ask.encode());
        session.token = token;
        session.answer_by = now.saturating_add(ANSWER);
        if matches!(session.phase, Phase::Comparing(_)) {
            session.rounds = session.rounds.saturating_add(1);
            session.bytes = session.bytes.saturating_add(bytes.len() as u64);
        }
        self.initiators.sessions.insert(to, session);
        self.emit(Output::SyncAsk { token, to, bytes });
    }

    /// A peer answered, or did not.
    pub(super) fn sync_answered(&mut self, now: Time, token: u64, bytes: Option<Bytes>) {
        let found = self.initiators.sessions.iter().find(|(_, session)| session.token == token);
        let Some(peer) = found.map(|(peer, _)| *peer) else { return };
        let Some(mut session) = self.initiators.sessions.remove(&peer) else { return };
        let Some(bytes) = bytes else {
            return self.end_session(peer, &session, End::Failed("the peer did not answer".to_owned()));
        };
        let length = bytes.len() as u64;
        let answer = match Answer::decode(bytes) {
            Ok(answer) => answer,
            Err(error) => return self.end_session(peer, &session, End::Failed(error.to_string())),
        };
        if matches!(session.phase, Phase::Comparing(_)) {
            session.bytes = session.bytes.saturating_add(length);
        }
        match self.digest(now, peer, &mut session, answer) {
            Ok(Some(ask)) => self.ask_peer(now, peer, session, &ask),
            Ok(None) => {
                if session.lacked > 0 || session.pushed > 0 {
                    self.spread(now);
                }
                self.end_session(peer, &session, End::Done);
            }
            Err(reason) => self.end_session(peer, &session, End::Failed(reason)),
        }
    }

    /// The next question, or none when all is done.
    fn digest(
        &mut self,
        now: Time,
        peer: TraderKey,
        session: &mut Session,
        answer: Answer,
    ) -> Result<Option<Ask>, String> {
        match (&mut session.phase, answer) {
            (Phase::Comparing(initiator), Answer::Frame(frame)) => {
                match initiator.handle(&frame).map_err(|refusal| refusal.to_string())? {
                    Step::Send(frame) => return Ok(Some(Ask::Step(frame.into()))),
                    // What the last message would tell, `Push` and `Fetch` tell by themselves.
                    Step::SendLast(_) | Step::Done => {}
                }
                let difference = initiator.difference();
                session.lacking = difference.lacking.iter().copied().collect();
                session.surplus = difference.peer_lacks.iter().copied().collect();
                session.phase = Phase::Fetching;
                Ok(self.next_question(session))
            }
            (Phase::Fetching, Answer::Statements(statements)) => {
                let before = session.asked.len();
                for statement in statements.iter().take(MAX_STATEMENTS) {
                    self.take_fetched(now, peer, session, statement)?;
                }
                // What was asked for and did not fit comes next; what the peer does not have any more does not come.
                if session.asked.len() == before {
                    session.asked.clear();
                }
                session.lacking.extend(std::mem::take(&mut session.asked));
                Ok(self.next_question(session))
            }
            (Phase::Pushing, Answer::Taken) => Ok(self.next_question(session)),
            (_, Answer::Refused(refusal)) => Err(format!("the peer refused: {refusal}")),
            (Phase::Comparing(_), _) => Err("found another answer, expected a frame".to_owned()),
            (Phase::Fetching, _) => Err("found another answer, expected statements".to_owned()),
            (Phase::Pushing, _) => Err("found another answer, expected that the push was taken".to_owned()),
        }
    }

    /// Takes a statement that we asked for; another one ends the session, since no correct peer sends it.
    fn take_fetched(
        &mut self,
        now: Time,
        peer: TraderKey,
        session: &mut Session,
        statement: &Bytes,
    ) -> Result<(), String> {
        match decode(statement, now) {
            Ok(statement) if !session.asked.remove(&statement.id()) => {
                Err("found a statement that was not asked for".to_owned())
            }
            Ok(statement) => {
                let id = statement.id();
                self.take_statement(now, peer, statement);
                let is_kept = self.book.statement(&id).is_some();
                session.lacked = session.lacked.saturating_add(u64::from(is_kept));
                Ok(())
            }
            Err(refusal) if refusal.is_misbehaviour() => {
                let reason = refusal.to_string();
                self.report(TradeEvent::StatementRefused { from: peer, reason: reason.clone(), misbehaviour: true });
                Err(reason)
            }
            // It grew too old on the way, or clocks differ.
            Err(_) => Ok(()),
        }
    }

    fn next_question(&mut self, session: &mut Session) -> Option<Ask> {
        if matches!(session.phase, Phase::Fetching) {
            let count = session.lacking.len().min(MAX_IDS);
            let ids: Vec<OrderId> = session.lacking.drain(..count).collect();
            if !ids.is_empty() {
                session.asked = ids.iter().copied().collect();
                return Some(Ask::Fetch(ids));
            }
            session.phase = Phase::Pushing;
        }
        let mut batch = Batch::default();
        while let Some(id) = session.surplus.front() {
            // It may have been replaced meanwhile: then gossip told the peer.
            if let Some(statement) = self.book.statement(id)
                && !batch.add(statement.encoded())
            {
                break;
            }
            session.surplus.pop_front();
        }
        session.pushed = session.pushed.saturating_add(batch.statements.len() as u64);
        (!batch.statements.is_empty()).then_some(Ask::Push(batch.statements))
    }

    fn end_session(&mut self, peer: TraderKey, session: &Session, end: End) {
        match end {
            End::Done => {
                let (lacked, surplus, rounds, bytes) = (session.lacked, session.pushed, session.rounds, session.bytes);
                self.report(TradeEvent::Reconciled { peer, lacked, surplus, rounds, bytes });
            }
            End::Failed(reason) => {
                self.failed(format!("reconciliation with {peer} ended early: {reason}; another one follows later"));
            }
        }
    }
}
