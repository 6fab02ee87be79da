//! The end of a reconciliation that answers.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use darkswap_trade::book::Book;
use darkswap_trade::order::{OrderId, TraderKey};
use darkswap_trade::reconcile::{Responder, Snapshot, Step};

use super::Trader;
use super::bucket::{Buckets, Rate};
use crate::Time;
use crate::command::TradeEvent;
use crate::output::{Output, Verdict};
use crate::sync::{Answer, Ask, Batch, Refusal, SyncError};

/// Sessions of others that are open at once, one per peer: each is a snapshot, which they share, and its bookkeeping.
const MAX_SESSIONS: usize = 32;
/// How long a session waits for its next question.
const IDLE: Duration = Duration::from_secs(60);
/// Sessions that one peer may begin: each may cost a snapshot of a large book, some 20 ms.
const OPENED: Rate = Rate { burst: 4, interval: Duration::from_secs(20) };
/// Questions of one peer: a late joiner's 160 rounds and as many fetches at once, then a few every second.
const ASKED: Rate = Rate { burst: 512, interval: Duration::from_millis(100) };
/// Peers whose rate is remembered; connections are fewer.
const MAX_ASKERS: usize = 4_096;

/// Sessions that others began.
#[derive(Debug)]
pub(super) struct Responders {
    sessions: BTreeMap<TraderKey, Session>,
    opened: Buckets,
    asked: Buckets,
    /// The book as a set, as long as it did not change.
    snapshot: Option<Snapshot>,
}

#[derive(Debug)]
struct Session {
    responder: Responder,
    until: Time,
}

impl Default for Responders {
    fn default() -> Self {
        Self {
            sessions: BTreeMap::new(),
            opened: Buckets::new(OPENED, MAX_ASKERS),
            asked: Buckets::new(ASKED, MAX_ASKERS),
            snapshot: None,
        }
    }
}

impl Responders {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.sessions.values().map(|session| session.until).min()
    }

    pub(super) fn forget(&mut self, peer: TraderKey) {
        self.sessions.remove(&peer);
    }

    /// The next snapshot is a new one.
    pub(super) fn book_changed(&mut self) {
        self.snapshot = None;
    }

    pub(super) fn snapshot(&mut self, book: &Book) -> Snapshot {
        self.snapshot.get_or_insert_with(|| Snapshot::of(book)).clone()
    }
}

impl Trader {
    pub(super) fn advance_answering(&mut self, now: Time) {
        self.responders.sessions.retain(|_, session| session.until > now);
    }

    /// A peer asks a step.
    pub(super) fn answer_sync(&mut self, now: Time, token: u64, from: TraderKey, bytes: Bytes) {
        let answer = if self.responders.asked.take(now, from) {
            match Ask::decode(bytes) {
                Ok(ask) => Some(self.answer_ask(now, from, ask)),
                Err(error) => {
                    let misbehaviour = !matches!(error, SyncError::Version { .. } | SyncError::Kind { .. });
                    self.report(TradeEvent::StatementRefused { from, reason: error.to_string(), misbehaviour });
                    None
                }
            }
        } else {
            Some(Answer::Refused(Refusal::Busy))
        };
        let bytes = answer.map(|answer| answer.encode());
        self.emit(Output::SyncAnswer { token, bytes });
    }

    fn answer_ask(&mut self, now: Time, from: TraderKey, ask: Ask) -> Answer {
        match ask {
            Ask::Open(frame) => self.open(now, from, &frame),
            Ask::Step(frame) => match self.responders.sessions.remove(&from) {
                Some(session) => self.step(now, from, session.responder, &frame),
                None => Answer::Refused(Refusal::NoSession),
            },
            Ask::Fetch(ids) => Answer::Statements(self.fetched(&ids)),
            Ask::Push(statements) => {
                let mut is_news = false;
                for statement in statements {
                    match self.take_unasked(now, from, &statement) {
                        Verdict::Accept => is_news = true,
                        Verdict::Ignore => {}
                        Verdict::Reject => break,
                    }
                }
                if is_news {
                    self.spread(now);
                }
                Answer::Taken
            }
        }
    }

    fn open(&mut self, now: Time, from: TraderKey, frame: &[u8]) -> Answer {
        self.responders.sessions.remove(&from);
        if self.responders.sessions.len() >= MAX_SESSIONS || !self.responders.opened.take(now, from) {
            return Answer::Refused(Refusal::Busy);
        }
        self.initiators.spare(from);
        let responder = Responder::new(self.responders.snapshot(&self.book));
        self.step(now, from, responder, frame)
    }

    fn step(&mut self, now: Time, from: TraderKey, mut responder: Responder, frame: &[u8]) -> Answer {
        match responder.handle(frame) {
            Ok(Step::Send(frame)) => {
                let until = now.saturating_add(IDLE);
                self.responders.sessions.insert(from, Session { responder, until });
                Answer::Frame(frame.into())
            }
            Ok(Step::SendLast(frame)) => Answer::Frame(frame.into()),
            Ok(Step::Done) => Answer::Frame(Bytes::new()),
            Err(refusal) => {
                let reason = refusal.to_string();
                self.report(TradeEvent::StatementRefused { from, reason, misbehaviour: true });
                Answer::Refused(Refusal::Frame)
            }
        }
    }

    /// As many of these statements as fit.
    fn fetched(&self, ids: &[OrderId]) -> Vec<Bytes> {
        let mut batch = Batch::default();
        for id in ids {
            if let Some(statement) = self.book.statement(id)
                && !batch.add(statement.encoded())
            {
                break;
            }
        }
        batch.statements
    }
}
