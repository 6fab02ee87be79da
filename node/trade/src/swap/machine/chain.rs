//! What follows once signatures are given away: broadcast, confirmation, reclaim. The same for both sides.

use bitcoin::{OutPoint, Transaction, Txid};

use crate::Time;
use crate::swap::{Cause, GRACE, Output, REBROADCAST, RECLAIM_RETRY, Reason, SETTLE, Stage, Status};

use super::Swap;

impl Swap {
    /// Begins anew what a crash may have interrupted.
    pub(super) fn resume(&mut self, now: Time) {
        match &self.record.stage {
            // Later than that it is the chain's status that decides between another try and a reclaim.
            Stage::Broadcast { agreement, transaction: Some(transaction) }
                if now < agreement.deadline.saturating_add(SETTLE) =>
            {
                let transaction = transaction.clone();
                self.broadcast(now, transaction);
            }
            Stage::Reclaiming { reclaim: Some(reclaim), .. } => {
                let reclaim = reclaim.clone();
                self.reclaim_at = now.saturating_add(RECLAIM_RETRY);
                self.broadcast(now, reclaim);
            }
            Stage::Reclaiming { reclaim: None, .. } => self.ask_reclaim(now),
            _ => {}
        }
    }

    pub(super) fn seen(&mut self, now: Time, status: Status) {
        if !self.has_signed() {
            return;
        }
        let before = self.status.replace(status);
        let enough = self.policy.confirmations.max(1);
        match status {
            Status::Confirmed { depth } if depth >= enough => self.finish(),
            Status::Conflicted { outpoint, by, depth } if depth >= enough => {
                let is_ours = self.own_inputs().contains(&outpoint);
                let reason =
                    if is_ours { Reason::Reclaimed { outpoint, by } } else { Reason::DoubleSpent { outpoint, by } };
                self.abort(now, reason);
            }
            Status::InMempool | Status::Confirmed { .. } => self.take_up(),
            // It was there, or something else was: put it back soon.
            Status::Absent if before.is_some_and(|before| before != Status::Absent) => self.rebroadcast_at = now,
            Status::Absent | Status::Conflicted { .. } => {}
        }
    }

    /// The chain has the transaction. What the maker said of it is worth keeping now.
    fn take_up(&mut self) {
        match &mut self.record.stage {
            Stage::Proposed { agreement, .. } => {
                let (agreement, transaction) = (agreement.clone(), self.candidate.take());
                self.record.stage = Stage::Broadcast { agreement, transaction };
                self.persist();
            }
            Stage::Broadcast { transaction: transaction @ None, .. } if self.candidate.is_some() => {
                *transaction = self.candidate.take();
                self.persist();
            }
            _ => {}
        }
    }

    fn finish(&mut self) {
        let Some(txid) = self.record.agreement().map(|agreement| agreement.txid) else { return };
        let transaction = match &self.record.stage {
            Stage::Broadcast { transaction, .. } | Stage::Reclaiming { transaction, .. } => transaction.clone(),
            _ => None,
        };
        self.record.stage = Stage::Done { txid, transaction: transaction.or(self.candidate.take()) };
        self.persist();
        self.outputs.push_back(Output::Release);
        self.outputs.push_back(Output::Unwatch(txid));
    }

    /// What is to be in the mempool now.
    fn current(&self) -> Option<&Transaction> {
        match &self.record.stage {
            Stage::Proposed { .. } => self.candidate.as_ref(),
            Stage::Broadcast { transaction, .. } => transaction.as_ref().or(self.candidate.as_ref()),
            Stage::Reclaiming { reclaim, .. } => reclaim.as_ref(),
            Stage::Requested | Stage::Accepted { .. } | Stage::Done { .. } | Stage::Aborted { .. } => None,
        }
    }

    pub(super) fn broadcast(&mut self, now: Time, transaction: Transaction) {
        self.rebroadcast_at = now.saturating_add(REBROADCAST);
        self.outputs.push_back(Output::Broadcast(transaction));
    }

    pub(super) fn rebroadcasts_at(&self) -> Option<Time> {
        let is_missing = matches!(self.status, None | Some(Status::Absent));
        (is_missing && self.current().is_some()).then_some(self.rebroadcast_at)
    }

    pub(super) fn rebroadcast(&mut self, now: Time) {
        if let Some(transaction) = self.current().cloned() {
            self.broadcast(now, transaction);
        }
    }

    pub(super) fn broadcast_failed(&mut self, now: Time, txid: Txid, reason: &str) {
        if self.current().is_none_or(|current| current.compute_txid() != txid) {
            return;
        }
        self.rebroadcast_at = now.saturating_add(REBROADCAST);
        // Perhaps its witnesses are wrong: the maker may say another one.
        self.candidate = None;
        self.outputs.push_back(Output::Failed(format!("broadcast of {txid} was refused: {reason}")));
    }

    /// When the transaction is overdue, if it stays as the chain says. Never while we do not know what the chain says.
    pub(super) fn reclaims_at(&self) -> Option<Time> {
        let (agreement, patience) = match &self.record.stage {
            Stage::Proposed { .. } if self.rejected && self.status == Some(Status::Absent) => return Some(Time::ZERO),
            Stage::Proposed { agreement, .. } => (agreement, GRACE),
            Stage::Broadcast { agreement, .. } => (agreement, SETTLE),
            _ => return None,
        };
        let patience = match self.status? {
            Status::Absent => patience,
            // It may confirm, which ends the swap at no cost to us.
            Status::Conflicted { depth: 0, .. } => SETTLE,
            Status::InMempool | Status::Confirmed { .. } | Status::Conflicted { .. } => return None,
        };
        Some(agreement.deadline.saturating_add(patience))
    }

    pub(super) fn reclaim(&mut self, now: Time, cause: Cause) {
        let (agreement, transaction) = match &self.record.stage {
            Stage::Proposed { agreement, .. } => (agreement.clone(), self.candidate.clone()),
            Stage::Broadcast { agreement, transaction } => (agreement.clone(), transaction.clone()),
            _ => return,
        };
        let (attempt, reclaim, pinned) = (0, None, None);
        self.record.stage = Stage::Reclaiming { agreement, transaction, cause, attempt, reclaim, pinned };
        self.candidate = None;
        self.retry_reclaim(now);
    }

    /// When the reclaim is made anew, unless the chain is about to decide.
    pub(super) fn retries_at(&self) -> Option<Time> {
        let Stage::Reclaiming { cause, .. } = &self.record.stage else { return None };
        let is_open = match self.status? {
            Status::Absent | Status::Conflicted { depth: 0, .. } => true,
            Status::InMempool => *cause == Cause::Cancelled,
            Status::Confirmed { .. } | Status::Conflicted { .. } => false,
        };
        is_open.then_some(self.reclaim_at)
    }

    pub(super) fn retry_reclaim(&mut self, now: Time) {
        if let Stage::Reclaiming { attempt, .. } = &mut self.record.stage {
            *attempt = attempt.saturating_add(1);
            self.persist();
            self.ask_reclaim(now);
        }
    }

    fn ask_reclaim(&mut self, now: Time) {
        let Stage::Reclaiming { attempt, pinned, .. } = &self.record.stage else { return };
        let (attempt, pinned) = (*attempt, *pinned);
        self.reclaim_at = now.saturating_add(RECLAIM_RETRY);
        let outpoints = pinned.map_or_else(|| self.own_inputs(), |pinned| vec![pinned]);
        self.outputs.push_back(Output::Reclaim { outpoints, attempt });
    }

    pub(super) fn reclaimed(&mut self, now: Time, made: Option<Transaction>) {
        let own = self.own_inputs();
        let Stage::Reclaiming { pinned, reclaim, .. } = &mut self.record.stage else { return };
        let Some(made) = made else {
            self.outputs.push_back(Output::Failed("the wallet could not make a reclaim".to_owned()));
            return;
        };
        let spends = |outpoint: &OutPoint| made.input.iter().any(|input| input.previous_output == *outpoint);
        let Some(spent) =
            pinned.map_or_else(|| own.iter().find(|it| spends(it)).copied(), |it| spends(&it).then_some(it))
        else {
            self.outputs
                .push_back(Output::Failed("the wallet's reclaim does not spend what it was asked to".to_owned()));
            return;
        };
        *pinned = Some(spent);
        *reclaim = Some(made.clone());
        self.persist();
        self.broadcast(now, made);
    }

    pub(super) fn cancel_signed(&mut self, now: Time) {
        if matches!(self.status, Some(Status::Confirmed { .. })) {
            return;
        }
        match &mut self.record.stage {
            Stage::Reclaiming { cause, .. } => {
                *cause = Cause::Cancelled;
                self.retry_reclaim(now);
            }
            _ => self.reclaim(now, Cause::Cancelled),
        }
    }
}
