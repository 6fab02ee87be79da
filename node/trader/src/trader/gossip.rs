//! Orders of others: validated, bounded, passed on.

use std::time::Duration;

use bytes::Bytes;
use darkswap_trade::book::{Applied, BookRefusal};
use darkswap_trade::order::{OrderId, Statement, TraderKey, decode};

use super::Trader;
use super::bucket::{Buckets, Rate};
use crate::Time;
use crate::command::TradeEvent;
use crate::output::{Output, Verdict};

/// Statements that one peer may pass on: those of a busy market in which it stands between us and everybody else, and a burst
/// after a partition. Each costs a signature check of some 50 µs, so one peer cannot take more than a few percent of a core.
const FORWARDED: Rate = Rate { burst: 4_096, interval: Duration::from_millis(2) };

/// New statements of one maker: all of its slots twice at once, then one every second, which is faster than anybody changes
/// its mind.
const MADE: Rate = Rate { burst: 128, interval: Duration::from_secs(1) };

/// Peers whose rate is remembered; connections are fewer.
const MAX_FORWARDERS: usize = 4_096;

/// Makers whose rate is remembered: as many as a book of single orders has.
const MAX_MAKERS: usize = 131_072;

/// How much each peer and each maker may say.
#[derive(Debug)]
pub(super) struct Gates {
    forwarders: Buckets,
    makers: Buckets,
}

impl Default for Gates {
    fn default() -> Self {
        Self { forwarders: Buckets::new(FORWARDED, MAX_FORWARDERS), makers: Buckets::new(MADE, MAX_MAKERS) }
    }
}

impl Trader {
    /// Gossip.
    pub(super) fn hear_statement(&mut self, now: Time, token: u64, from: TraderKey, bytes: &Bytes) {
        let verdict = self.take_unasked(now, from, bytes);
        self.outputs.push_back(Output::Verdict { token, verdict });
    }

    /// A statement that somebody passed on unasked.
    pub(super) fn take_unasked(&mut self, now: Time, from: TraderKey, bytes: &Bytes) -> Verdict {
        if !self.gates.forwarders.take(now, from) {
            return Verdict::Ignore;
        }
        let statement = match decode(bytes, now) {
            Ok(statement) => statement,
            Err(refusal) => {
                let misbehaviour = refusal.is_misbehaviour();
                self.report(TradeEvent::StatementRefused { from, reason: refusal.to_string(), misbehaviour });
                return if misbehaviour { Verdict::Reject } else { Verdict::Ignore };
            }
        };
        // What is old does not count against its maker: others can repeat it as often as they like.
        let (maker, revision) = (statement.maker(), statement.revision());
        let is_old = self.book.revision(maker, statement.slot()).is_some_and(|last| last > revision);
        if is_old || self.book.statement(&statement.id()).is_some() || !self.gates.makers.take(now, maker) {
            return Verdict::Ignore;
        }
        self.take_statement(now, from, statement)
    }

    /// The one way into the book for statements of others, however they came.
    pub(super) fn take_statement(&mut self, now: Time, from: TraderKey, statement: Statement) -> Verdict {
        let id = statement.id();
        let shown = statement.listing().map(|listing| (listing.order.maker, listing.order.created));
        let verdict = match self.book.apply(statement, now) {
            Applied::Added { displaced } => {
                self.removed(displaced, "evicted");
                self.added(now, id, shown);
                Verdict::Accept
            }
            Applied::Replaced { earlier } => {
                self.removed(Some(earlier), "replaced");
                self.added(now, id, shown);
                Verdict::Accept
            }
            Applied::Cancelled { earlier, displaced } => {
                self.removed(earlier, "cancelled");
                self.removed(displaced, "evicted");
                Verdict::Accept
            }
            Applied::Ended { earlier, displaced } => {
                self.removed(earlier, "replaced");
                self.removed(displaced, "evicted");
                Verdict::Accept
            }
            // Evidence that the book keeps is worth passing on: it makes books equal.
            Applied::Conflict { .. } if self.book.statement(&id).is_some() => Verdict::Accept,
            Applied::Known | Applied::Stale | Applied::Conflict { .. } => Verdict::Ignore,
            Applied::Refused(refusal) => {
                self.report_refused(from, refusal);
                Verdict::Ignore
            }
        };
        if verdict == Verdict::Accept {
            self.responders.book_changed();
        }
        verdict
    }

    fn report_refused(&mut self, from: TraderKey, refusal: BookRefusal) {
        self.report(TradeEvent::StatementRefused { from, reason: refusal.to_string(), misbehaviour: false });
    }

    /// An offer is in the book.
    pub(super) fn added(&mut self, now: Time, order: OrderId, shown: Option<(TraderKey, Time)>) {
        let Some((maker, created)) = shown else { return };
        let age = now.saturating_sub(created).as_millis();
        let age_milliseconds = u64::try_from(age).unwrap_or(u64::MAX);
        self.report(TradeEvent::OrderAdded { order, maker, age_milliseconds });
        self.question_backing(order);
        if let Some(asset) = self.book.order(&order).map(|listing| listing.order.offer.asset) {
            self.want_label(asset);
        }
    }

    /// A statement left the book; only what could be seen as an order is worth a report, which its reader knows from its
    /// addition.
    pub(super) fn removed(&mut self, order: Option<OrderId>, reason: &str) {
        if let Some(order) = order {
            self.backings.forget(&order);
            self.report(TradeEvent::OrderRemoved { order, reason: reason.to_owned() });
        }
    }
}
