//! The machine behind [`super`].

mod chain;
mod maker;
mod presigned;
mod taker;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use bitcoin::{OutPoint, Psbt, Transaction, Txid};
use bytes::Bytes;

use crate::Time;
use crate::coin::Coin;
use crate::psbt::{CheckedPsbt, Stake, Style, Terms};

use super::{
    ANSWER, Accept, Agreement, Body, GRACE, Input, MARGIN, Misbehaviour, Output, Phase, Policy, Reason, Record,
    Refused, Rejection, Role, Spend, Stage, Status,
};

pub use maker::Incoming;
pub use taker::Taking;

/// One swap of ours.
#[derive(Debug)]
pub struct Swap {
    policy: Policy,
    record: Record,
    /// What is being waited for before anything of ours is given away.
    work: Work,
    /// What the chain knows, as far as we were told.
    status: Option<Status>,
    connected: bool,
    /// Taker: the maker said no after our signatures were given away.
    rejected: bool,
    /// Taker: the finished transaction as the maker says, with unchecked witnesses, until the chain shows it.
    candidate: Option<Transaction>,
    candidates: u32,
    resend_at: Time,
    rebroadcast_at: Time,
    reclaim_at: Time,
    outputs: VecDeque<Output>,
}

/// What is being waited for. None of it is written: after a crash the peer's repeated message begins it anew.
#[derive(Debug)]
enum Work {
    /// The peer, or the chain.
    Nothing,
    /// Maker: what we bring.
    Funding,
    /// Maker: the coins of both, before we agree.
    Appraising(Stake),
    /// Maker: the coins of both, before we sign.
    Verifying(Bytes),
    /// Maker: our signatures, to be joined with these.
    SigningLast(Box<CheckedPsbt>),
    /// Taker: the coins of both, before we sign.
    Checking(Accept),
    /// Taker: our signatures.
    SigningFirst { agreement: Agreement, accept: Accept, checked: Box<CheckedPsbt> },
    /// Taker of a presigned order, whose bytes these are: the coins of both.
    Completing(Bytes),
    /// Taker of a presigned order: our signatures, which complete it.
    SigningAlone { agreement: Agreement, checked: Box<CheckedPsbt> },
}

impl Swap {
    fn new(policy: Policy, record: Record) -> Self {
        Self {
            policy,
            record,
            work: Work::Nothing,
            status: None,
            connected: true,
            rejected: false,
            candidate: None,
            candidates: 0,
            resend_at: Time::ZERO,
            rebroadcast_at: Time::ZERO,
            reclaim_at: Time::ZERO,
            outputs: VecDeque::new(),
        }
    }

    /// The machine that goes on from a record, also from one of a swap that has ended: that one answers repeated messages.
    ///
    /// Nothing that the crash may have lost is taken for done: reservations, watches and broadcasts are asked for again.
    #[must_use]
    pub fn restore(now: Time, record: Record, policy: Policy) -> Self {
        let mut swap = Self::new(policy, record);
        if swap.record.is_terminal() {
            swap.outputs.push_back(Output::Release);
            return swap;
        }
        swap.reserve();
        if swap.has_signed() {
            swap.watch();
            swap.resume(now);
        }
        swap.advance(now);
        swap
    }

    /// Takes note of what happened. Drain [`poll`](Self::poll) afterwards.
    pub fn handle(&mut self, now: Time, input: Input) {
        let before = self.phase();
        // First: nothing may be given away after the deadline, however late we are called.
        if self.gives_up_at().is_some_and(|at| now >= at) {
            self.give_up(now);
        }
        match input {
            Input::Message(body) => match (self.record.style, self.record.role) {
                (Style::Presigned, _) => self.misbehaved(Misbehaviour::OutOfPlace("message")),
                (Style::Interactive, Role::Maker) => self.hear_taker(now, body),
                (Style::Interactive, Role::Taker) => self.hear_maker(now, body),
            },
            Input::Connected => {
                self.connected = true;
                self.resend_at = now;
            }
            Input::Lost => self.connected = false,
            Input::Funded(stake) => self.funded(now, stake),
            Input::Declined(rejection) => self.declined(now, rejection),
            Input::Coins(coins) => self.coins(now, &coins),
            Input::Signed(signed) => self.signed(now, &signed),
            Input::NotSigned(detail) => {
                if matches!(self.work, Work::SigningFirst { .. } | Work::SigningLast(_) | Work::SigningAlone { .. }) {
                    self.abort(now, Reason::NotSigned(detail));
                }
            }
            Input::BroadcastFailed { txid, reason } => self.broadcast_failed(now, txid, &reason),
            Input::Seen(status) => self.seen(now, status),
            Input::Reclaimed(transaction) => self.reclaimed(now, transaction),
            Input::Cancel => self.cancel(now),
            Input::Tick => {}
        }
        self.advance(now);
        let after = self.phase();
        if before != after {
            self.outputs.push_back(Output::Moved { from: before, to: after, reason: self.why() });
        }
    }

    /// What to do, or to report, in this order; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle`](Self::handle) with [`Input::Tick`] if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let times =
            [self.gives_up_at(), self.resends_at(), self.rebroadcasts_at(), self.reclaims_at(), self.retries_at()];
        times.into_iter().flatten().min()
    }

    /// What is known, as it was last written.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Where the swap is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match &self.record.stage {
            Stage::Requested => Phase::Requested,
            Stage::Accepted { .. } => Phase::Accepted,
            Stage::Proposed { .. } => Phase::Proposed,
            Stage::Done { .. } => Phase::Done,
            Stage::Aborted { .. } => Phase::Aborted,
            Stage::Broadcast { .. } | Stage::Reclaiming { .. }
                if matches!(self.status, Some(Status::Confirmed { .. })) =>
            {
                Phase::Confirming
            }
            Stage::Broadcast { .. } => Phase::Broadcast,
            Stage::Reclaiming { .. } => Phase::Reclaiming,
        }
    }

    /// Whether the swap has ended. It still answers what is repeated; forget it when that is not expected any more.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.record.is_terminal()
    }

    fn why(&self) -> Option<String> {
        match &self.record.stage {
            Stage::Aborted { reason } => Some(reason.to_string()),
            Stage::Reclaiming { cause, .. } if self.phase() == Phase::Reclaiming => Some(cause.to_string()),
            _ => None,
        }
    }

    /// Whether our signatures may be out of our hands.
    fn has_signed(&self) -> bool {
        matches!(self.record.stage, Stage::Proposed { .. } | Stage::Broadcast { .. } | Stage::Reclaiming { .. })
    }

    /// Does what the time asks for.
    fn advance(&mut self, now: Time) {
        let due = |at: Option<Time>| at.is_some_and(|at| now >= at);
        if due(self.gives_up_at()) {
            self.give_up(now);
        }
        if due(self.reclaims_at()) {
            let cause = if self.rejected { super::Cause::Rejected } else { super::Cause::Overdue };
            self.reclaim(now, cause);
        }
        if due(self.retries_at()) {
            self.retry_reclaim(now);
        }
        if due(self.rebroadcasts_at()) {
            self.rebroadcast(now);
        }
        if due(self.resends_at()) {
            self.resend(now);
        }
    }

    /// When a swap ends in which nothing was given away.
    fn gives_up_at(&self) -> Option<Time> {
        match (&self.record.stage, &self.work) {
            (Stage::Requested, Work::Checking(accept) | Work::SigningFirst { accept, .. }) => {
                Some(accept.deadline.saturating_sub(MARGIN))
            }
            (Stage::Requested, _) => Some(self.record.created.saturating_add(ANSWER)),
            (Stage::Accepted { agreement }, _) => Some(agreement.deadline),
            _ => None,
        }
    }

    fn give_up(&mut self, now: Time) {
        let reason = match (self.record.role, &self.record.stage, &self.work) {
            (Role::Taker, _, Work::Nothing) => Reason::NoAnswer,
            (Role::Taker, ..) => Reason::Late,
            (Role::Maker, Stage::Accepted { .. }, Work::Nothing) => Reason::NoProposal,
            (Role::Maker, Stage::Accepted { .. }, _) => Reason::Late,
            (Role::Maker, ..) => {
                let detail = format!("the wallet or the chain did not answer within {ANSWER:?}");
                Reason::Refused { rejection: Rejection::Busy, detail }
            }
        };
        self.abort(now, reason);
    }

    /// The coins of both sides arrived.
    fn coins(&mut self, now: Time, coins: &BTreeMap<OutPoint, Coin>) {
        match std::mem::replace(&mut self.work, Work::Nothing) {
            Work::Appraising(stake) => self.appraise(now, stake, coins),
            Work::Verifying(proposal) => self.verify(now, &proposal, coins),
            Work::Checking(accept) => self.check(now, accept, coins),
            Work::Completing(ask) => self.complete(now, &ask, coins),
            // An answer to a question of which nothing is left, after a crash for example.
            other => self.work = other,
        }
    }

    /// Our signatures arrived. They count only for what is being signed at this moment.
    fn signed(&mut self, now: Time, signed: &Psbt) {
        match std::mem::replace(&mut self.work, Work::Nothing) {
            Work::SigningFirst { agreement, checked, .. } => self.propose(now, agreement, *checked, signed),
            Work::SigningLast(checked) => self.settle(now, *checked, signed),
            Work::SigningAlone { agreement, checked } => self.settle_alone(now, agreement, *checked, signed),
            other => self.work = other,
        }
    }

    fn cancel(&mut self, now: Time) {
        match &self.record.stage {
            Stage::Requested | Stage::Accepted { .. } => self.abort(now, Reason::Cancelled),
            Stage::Proposed { .. } | Stage::Broadcast { .. } | Stage::Reclaiming { .. } => self.cancel_signed(now),
            Stage::Done { .. } | Stage::Aborted { .. } => {}
        }
    }

    /// Ends a swap in which nothing changed hands.
    fn abort(&mut self, now: Time, reason: Reason) {
        let watched = self.has_signed();
        let txid = self.record.agreement().map(|agreement| agreement.txid);
        let farewell = reason.farewell();
        // A refusal to begin promises nothing, and strangers could fill the disk with them.
        let is_written = !(self.record.role == Role::Maker && matches!(self.record.stage, Stage::Requested));
        self.work = Work::Nothing;
        self.record.stage = Stage::Aborted { reason };
        if is_written {
            self.persist();
        }
        self.outputs.push_back(Output::Release);
        if let (true, Some(txid)) = (watched, txid) {
            self.outputs.push_back(Output::Unwatch(txid));
        }
        if let Some(rejection) = farewell.filter(|_| self.record.style == Style::Interactive) {
            self.send(now, Body::Reject(rejection));
        }
    }

    fn refuse(&mut self, now: Time, rejection: Rejection, detail: String) {
        self.abort(now, Reason::Refused { rejection, detail });
    }

    fn misbehaved(&mut self, misbehaviour: Misbehaviour) {
        self.outputs.push_back(Output::Misbehaved(misbehaviour));
    }

    fn persist(&mut self) {
        self.outputs.push_back(Output::Persist(Box::new(self.record.clone())));
    }

    fn send(&mut self, now: Time, body: Body) {
        self.resend_at = now.saturating_add(super::RESEND);
        self.outputs.push_back(Output::Send(body));
    }

    /// Keeps our inputs, where we know them: until we give up, or for as long as our signatures are out.
    fn reserve(&mut self) {
        let outpoints = match (self.record.agreement(), self.record.role) {
            (Some(agreement), _) => agreement.stake(self.record.party()).inputs.clone(),
            (None, Role::Taker) => self.record.request.stake.inputs.clone(),
            (None, Role::Maker) => return,
        };
        // Longer than the machine needs: it releases them itself. The time is for a machine that never comes back.
        let until = (!self.has_signed()).then(|| self.gives_up_at().unwrap_or_default().saturating_add(GRACE));
        self.outputs.push_back(Output::Reserve { outpoints, until });
    }

    fn watch(&mut self) {
        let agreement = self.record.agreement().expect("signatures are given away for what was agreed on");
        let (txid, spends) = (agreement.txid, agreement.spends.clone());
        self.outputs.push_back(Output::Watch { txid, spends });
    }

    fn own_inputs(&self) -> Vec<OutPoint> {
        self.record.agreement().map_or_else(Vec::new, |it| it.stake(self.record.party()).inputs.clone())
    }

    fn agree(&self, txid: Txid, maker: Stake, deadline: Time, coins: &BTreeMap<OutPoint, Coin>) -> Agreement {
        let terms = self.record.terms(maker);
        let inputs = terms.seller.inputs.iter().chain(&terms.buyer.inputs);
        let spend = |outpoint: &OutPoint| {
            let coin = coins.get(outpoint).expect("what was checked has all of its coins");
            Spend { outpoint: *outpoint, script: coin.output.script_pubkey.clone() }
        };
        let spends = inputs.map(spend).collect();
        Agreement { terms, deadline, txid, spends }
    }
}

impl Reason {
    /// What the peer is told, so that it need not wait for a deadline. Nobody tells who was told.
    fn farewell(&self) -> Option<Rejection> {
        match self {
            Self::Rejected(_) | Self::DoubleSpent { .. } | Self::Reclaimed { .. } => None,
            Self::Refused { rejection, .. } => Some(*rejection),
            Self::NoAnswer | Self::Cancelled | Self::NotSigned(_) => Some(Rejection::Withdrawn),
            Self::NoProposal | Self::Late => Some(Rejection::Late),
        }
    }
}

/// All inputs of both sides must be in a block: a parent that waits can be replaced, which would undo the swap at no cost.
fn require_confirmed(inputs: &[OutPoint], coins: &BTreeMap<OutPoint, Coin>) -> Result<(), String> {
    for outpoint in inputs {
        match coins.get(outpoint) {
            None => return Err(format!("found no unspent output at {outpoint}, expected an input of the swap")),
            Some(coin) if coin.height.is_none() => {
                return Err(format!(
                    "found {outpoint} unconfirmed, expected an output in a block; wait for the next one"
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn inputs_of(terms: &Terms) -> Vec<OutPoint> {
    terms.seller.inputs.iter().chain(&terms.buyer.inputs).copied().collect()
}

fn refused(rejection: Rejection, detail: impl Into<String>) -> Refused {
    Refused { rejection, detail: detail.into() }
}
