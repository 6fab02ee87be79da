//! What one slot has.

use super::Backing;
use crate::Time;
use crate::order::Statement;

/// The winner of a slot, and evidence against its maker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) winner: Statement,
    /// Another statement of the winner's revision, the one with the next higher id.
    pub(super) rival: Option<Statement>,
    pub(super) backing: Backing,
    /// Whether it is in the view. Set when it is indexed.
    pub(super) shown: bool,
    /// Under which time its end is indexed.
    pub(super) end: Time,
}

/// What becomes of a slot with one more statement.
pub(super) enum Merged {
    Known,
    Stale,
    Newer(Slot),
    Conflict {
        /// None where the slot stays as it is: it has evidence with lower ids already.
        slot: Option<Slot>,
        evidence: Box<(Statement, Statement)>,
    },
}

impl Slot {
    pub(super) fn new(winner: Statement) -> Self {
        Self { winner, rival: None, backing: Backing::Unknown, shown: false, end: Time::ZERO }
    }

    /// Keeps the two lowest ids of the highest revision: a rule that gives the same whatever comes first.
    pub(super) fn merge(&self, statement: Statement) -> Merged {
        if self.statements().any(|present| present.id() == statement.id()) {
            return Merged::Known;
        }
        if statement.revision() < self.winner.revision() {
            return Merged::Stale;
        }
        if statement.revision() > self.winner.revision() {
            return Merged::Newer(Self::new(statement));
        }
        if statement.id() < self.winner.id() {
            let evidence = Box::new((statement.clone(), self.winner.clone()));
            let slot = Self { rival: Some(self.winner.clone()), ..Self::new(statement) };
            return Merged::Conflict { slot: Some(slot), evidence };
        }
        let evidence = Box::new((self.winner.clone(), statement.clone()));
        let is_lower = self.rival.as_ref().is_none_or(|rival| statement.id() < rival.id());
        let slot = is_lower.then(|| Self { rival: Some(statement), ..self.clone() });
        Merged::Conflict { slot, evidence }
    }

    pub(super) fn statements(&self) -> impl Iterator<Item = &Statement> {
        std::iter::once(&self.winner).chain(&self.rival)
    }

    /// Whether its offer has ended.
    pub(super) fn is_over(&self, now: Time) -> bool {
        self.winner.listing().is_some_and(|listing| listing.order.expires <= now)
    }

    pub(super) fn is_shown(&self, now: Time) -> bool {
        self.winner.listing().is_some() && !self.is_over(now) && self.backing != Backing::Disproved
    }

    /// When something happens to it by itself next.
    pub(super) fn next_end(&self, now: Time) -> Time {
        let offer = self.winner.listing().map(|listing| listing.order.expires).filter(|expires| *expires > now);
        offer.unwrap_or(self.winner.kept_until())
    }
}
