//! The taker's part, until its signature is out, and what it says afterwards.

use std::collections::BTreeMap;

use bitcoin::{OutPoint, Psbt, Transaction};

use crate::Time;
use crate::coin::Coin;
use crate::order::{Order, TraderKey};
use crate::psbt::{CheckedPsbt, Style};
use crate::swap::record::RecordVersion;
use crate::swap::{
    Accept, Agreement, Body, DRIFT, MAX_CANDIDATES, Misbehaviour, Output, Policy, REBROADCAST, RESEND, Reason, Record,
    Refused, Rejection, Request, Role, Stage, Status, SwapId, WINDOW, settlement,
};

use super::{Swap, Work, inputs_of, refused, require_confirmed};

/// A swap that we want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taking {
    /// Who we are.
    pub us: TraderKey,
    /// A number of our choice: 16 random bytes.
    pub swap: SwapId,
    /// Whose offer we take.
    pub order: Order,
    /// What we want of it and bring; its order id is the order's.
    pub request: Request,
}

impl Swap {
    /// The taker's machine. It asks at once.
    ///
    /// # Errors
    /// [`Refused`] for an order of our own, an expired one, and units or a fee rate that no maker would take.
    pub fn take(now: Time, taking: Taking, policy: Policy) -> Result<Self, Refused> {
        let mut machine = Self::begin(now, taking, Style::Interactive, policy)?;
        machine.persist();
        machine.reserve();
        machine.resend(now);
        Ok(machine)
    }

    pub(super) fn begin(now: Time, taking: Taking, style: Style, policy: Policy) -> Result<Self, Refused> {
        let Taking { us, swap, order, request } = taking;
        if order.maker == us || order.id != request.order {
            return Err(refused(
                Rejection::Order,
                "expected an order of somebody else, and a request of the same order",
            ));
        }
        if order.expires <= now {
            return Err(refused(Rejection::Expired, format!("the order ended at {:?}", order.expires)));
        }
        let (lowest, highest) = policy.fee_rates;
        if request.fee_rate < lowest || request.fee_rate > highest {
            let found = request.fee_rate;
            return Err(refused(Rejection::FeeRate, format!("found {found:#}, expected {lowest:#} to {highest:#}")));
        }
        let offer = &order.offer;
        if let Err(refusal) = offer.check_fill(request.units, offer.units) {
            return Err(refused(Rejection::Units, refusal.to_string()));
        }
        let Some(payment) = offer.price.payment(request.units) else {
            return Err(refused(Rejection::Units, format!("{} units cost more bitcoin than there is", request.units)));
        };
        let record = Record {
            version: RecordVersion,
            swap,
            peer: order.maker,
            role: Role::Taker,
            style,
            created: now,
            offer: order.offer,
            request,
            payment,
            stage: Stage::Requested,
        };
        Ok(Self::new(policy, record))
    }

    pub(super) fn hear_maker(&mut self, now: Time, body: Body) {
        match body {
            Body::Accept(accept) => self.accepted(now, accept),
            Body::Reject(rejection) => match self.record.stage {
                Stage::Requested => self.abort(now, Reason::Rejected(rejection)),
                Stage::Proposed { .. } => self.rejected = true,
                Stage::Accepted { .. }
                | Stage::Broadcast { .. }
                | Stage::Reclaiming { .. }
                | Stage::Done { .. }
                | Stage::Aborted { .. } => {}
            },
            Body::Settled(transaction) => self.told_settled(now, transaction),
            Body::Request(_) => self.misbehaved(Misbehaviour::OutOfPlace("request")),
            Body::Proposal(_) => self.misbehaved(Misbehaviour::OutOfPlace("proposal")),
        }
    }

    fn accepted(&mut self, now: Time, accept: Accept) {
        match (&self.record.stage, &self.work) {
            (Stage::Requested, Work::Nothing) => self.begin_check(now, accept),
            (Stage::Requested, Work::Checking(current) | Work::SigningFirst { accept: current, .. })
                if accept != *current =>
            {
                self.misbehaved(Misbehaviour::Changed("acceptance"));
            }
            (Stage::Proposed { agreement, psbt }, _) => {
                // The maker repeats itself, so it lacks what we answered.
                let maker = self.record.party().other();
                if accept.deadline == agreement.deadline && accept.stake == *agreement.stake(maker) {
                    let body = Body::Proposal(psbt.clone().into());
                    self.send(now, body);
                } else {
                    self.misbehaved(Misbehaviour::Changed("acceptance"));
                }
            }
            (Stage::Aborted { .. }, _) => self.send(now, Body::Reject(Rejection::Withdrawn)),
            _ => {}
        }
    }

    fn begin_check(&mut self, now: Time, accept: Accept) {
        let found = accept.deadline.saturating_sub(now);
        if found.saturating_add(DRIFT) < WINDOW.0 || found > WINDOW.1 + DRIFT {
            let wrong = Misbehaviour::Deadline { found };
            let detail = wrong.to_string();
            self.misbehaved(wrong);
            return self.refuse(now, Rejection::Late, detail);
        }
        let ours = &self.record.request.stake.inputs;
        if let Some(input) = accept.stake.inputs.iter().find(|input| ours.contains(input)) {
            let input = *input;
            self.misbehaved(Misbehaviour::Stake(input));
            return self.refuse(now, Rejection::Stake, format!("found our input {input} among the peer's"));
        }
        self.outputs.push_back(Output::Ask(inputs_of(&self.record.terms(accept.stake.clone()))));
        self.work = Work::Checking(accept);
        self.reserve();
    }

    /// Builds the transaction, checks it, and has it signed.
    pub(super) fn check(&mut self, now: Time, accept: Accept, coins: &BTreeMap<OutPoint, Coin>) {
        let terms = self.record.terms(accept.stake.clone());
        let draft = require_confirmed(&inputs_of(&terms), coins)
            .and_then(|()| settlement::draft(&terms, self.record.party(), coins));
        match draft {
            Ok(draft) => {
                let agreement = self.agree(draft.txid(), accept.stake.clone(), accept.deadline, coins);
                self.outputs.push_back(Output::Sign(Box::new(draft.clone())));
                self.work = Work::SigningFirst { agreement, accept, checked: Box::new(draft) };
            }
            Err(detail) => self.refuse(now, Rejection::Stake, detail),
        }
    }

    /// Gives our signatures away.
    pub(super) fn propose(&mut self, now: Time, agreement: Agreement, checked: CheckedPsbt, signed: &Psbt) {
        let psbt = match settlement::proposal(checked, signed) {
            Ok(psbt) => psbt,
            Err(detail) => return self.abort(now, Reason::NotSigned(detail)),
        };
        self.record.stage = Stage::Proposed { agreement, psbt: psbt.clone() };
        self.persist();
        self.reserve();
        self.watch();
        self.send(now, Body::Proposal(psbt.into()));
    }

    /// The maker's word that it has settled: something to broadcast, not something to believe.
    fn told_settled(&mut self, now: Time, transaction: Transaction) {
        let Some(agreement) = self.record.agreement() else {
            if self.record.stage == Stage::Requested {
                self.misbehaved(Misbehaviour::OutOfPlace("settlement"));
            }
            return;
        };
        let (found, expected) = (transaction.compute_txid(), agreement.txid);
        if found != expected {
            return self.misbehaved(Misbehaviour::Settled { found, expected });
        }
        let is_wanted = match &self.record.stage {
            Stage::Proposed { .. } => self.candidate.is_none(),
            Stage::Broadcast { transaction, .. } => transaction.is_none() && self.candidate.is_none(),
            _ => false,
        };
        if !is_wanted || self.candidates >= MAX_CANDIDATES {
            return;
        }
        self.candidates += 1;
        self.candidate = Some(transaction.clone());
        if matches!(self.status, None | Some(Status::Absent)) {
            self.broadcast(now, transaction);
        } else {
            self.rebroadcast_at = now.saturating_add(REBROADCAST);
        }
    }

    /// When an unanswered message is repeated. Only the taker repeats: the maker answers.
    pub(super) fn resends_at(&self) -> Option<Time> {
        let is_unanswered = match (&self.record.stage, &self.work) {
            (Stage::Requested, Work::Nothing) => true,
            (Stage::Proposed { .. }, _) => !self.rejected && self.candidate.is_none(),
            _ => false,
        };
        (self.record.role == Role::Taker && self.connected && is_unanswered).then_some(self.resend_at)
    }

    pub(super) fn resend(&mut self, now: Time) {
        self.resend_at = now.saturating_add(RESEND);
        match &self.record.stage {
            Stage::Requested => {
                let body = Body::Request(self.record.request.clone());
                self.send(now, body);
            }
            Stage::Proposed { psbt, .. } => {
                let body = Body::Proposal(psbt.clone().into());
                self.send(now, body);
            }
            Stage::Accepted { .. }
            | Stage::Broadcast { .. }
            | Stage::Reclaiming { .. }
            | Stage::Done { .. }
            | Stage::Aborted { .. } => {}
        }
    }
}
