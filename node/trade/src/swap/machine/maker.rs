//! The maker's part, until its signature is out.

use std::collections::BTreeMap;

use bitcoin::{OutPoint, Psbt};
use bytes::Bytes;

use crate::Time;
use crate::coin::Coin;
use crate::order::{Order, TraderKey};
use crate::psbt::{CheckedPsbt, Stake, Style};
use crate::swap::record::RecordVersion;
use crate::swap::{
    ANSWER, Accept, Agreement, Body, Fills, Funding, Misbehaviour, Output, Policy, Reason, Record, Refused, Rejection,
    Request, Role, Stage, SwapId, settlement,
};

use super::{Swap, Work, inputs_of, refused, require_confirmed};

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Who asks, known from the connection.
    pub taker: TraderKey,
    /// The taker's number for the swap.
    pub swap: SwapId,
    /// What it asks for.
    pub request: Request,
}

impl Swap {
    /// The maker's machine for a request that fits one of our orders; its units are reserved in the ledger.
    ///
    /// Only for a swap id that this taker has not used: a known one belongs to the machine, or to the record, that has it. After
    /// every drain the ledger [follows](Fills::follow) the machine's record, which takes the promise back when the swap is refused.
    ///
    /// # Errors
    /// [`Refused`], with what to tell the taker, for an order that is not ours, has expired, or does not have the units left.
    pub fn consider(
        now: Time,
        incoming: Incoming,
        us: TraderKey,
        order: Option<&Order>,
        fills: &mut Fills,
        policy: Policy,
    ) -> Result<Self, Refused> {
        let Incoming { taker, swap, request } = incoming;
        let Some(order) = order.filter(|order| order.id == request.order && order.maker == us && taker != us) else {
            return Err(refused(Rejection::Order, "expected an order of ours in the book, from somebody else"));
        };
        let until = now.saturating_add(policy.window);
        if order.expires < until {
            return Err(refused(
                Rejection::Expired,
                format!("the order lasts to {:?}, the swap to {until:?}", order.expires),
            ));
        }
        let (lowest, highest) = policy.fee_rates;
        if request.fee_rate < lowest || request.fee_rate > highest {
            let found = request.fee_rate;
            return Err(refused(Rejection::FeeRate, format!("found {found:#}, expected {lowest:#} to {highest:#}")));
        }
        let Some(payment) = order.offer.price.payment(request.units) else {
            return Err(refused(Rejection::Units, format!("{} units cost more bitcoin than there is", request.units)));
        };
        fills
            .reserve(order.id, &order.offer, taker, swap, request.units)
            .map_err(|refusal| refused(refusal.rejection(), refusal.to_string()))?;
        let record = Record {
            version: RecordVersion,
            swap,
            peer: taker,
            role: Role::Maker,
            style: Style::Interactive,
            created: now,
            offer: order.offer.clone(),
            request,
            payment,
            stage: Stage::Requested,
        };
        let mut machine = Self::new(policy, record);
        machine.work = Work::Funding;
        machine.outputs.push_back(Output::Fund(Funding {
            asset: order.offer.asset,
            units: machine.record.request.units,
            payment,
            party: machine.record.party(),
            until: now.saturating_add(ANSWER),
        }));
        Ok(machine)
    }

    pub(super) fn hear_taker(&mut self, now: Time, body: Body) {
        match body {
            Body::Request(request) if request == self.record.request => self.answer(now),
            Body::Request(_) => self.misbehaved(Misbehaviour::Changed("request")),
            Body::Proposal(psbt) => self.proposed(now, psbt),
            Body::Reject(rejection) => {
                if matches!(self.record.stage, Stage::Requested | Stage::Accepted { .. }) {
                    self.abort(now, Reason::Rejected(rejection));
                }
            }
            Body::Accept(_) => self.misbehaved(Misbehaviour::OutOfPlace("acceptance")),
            Body::Settled(_) => self.misbehaved(Misbehaviour::OutOfPlace("settlement")),
        }
    }

    /// Repeats the last promise, whatever was repeated to us.
    fn answer(&mut self, now: Time) {
        let answer = match &self.record.stage {
            Stage::Requested | Stage::Proposed { .. } => None,
            Stage::Accepted { agreement } => Some(self.acceptance(agreement)),
            Stage::Broadcast { transaction, .. }
            | Stage::Reclaiming { transaction, .. }
            | Stage::Done { transaction, .. } => transaction.clone().map(Body::Settled),
            Stage::Aborted { reason } => Some(Body::Reject(reason.farewell().unwrap_or(Rejection::Withdrawn))),
        };
        if let Some(body) = answer {
            self.send(now, body);
        }
    }

    fn acceptance(&self, agreement: &Agreement) -> Body {
        let stake = agreement.stake(self.record.party()).clone();
        Body::Accept(Accept { stake, deadline: agreement.deadline })
    }

    pub(super) fn declined(&mut self, now: Time, rejection: Rejection) {
        if matches!(self.work, Work::Funding) {
            self.refuse(now, rejection, "the wallet or the operator declined".to_owned());
        }
    }

    pub(super) fn funded(&mut self, now: Time, stake: Stake) {
        if !matches!(self.work, Work::Funding) {
            return;
        }
        let theirs = &self.record.request.stake.inputs;
        if let Some(ours) = stake.inputs.iter().find(|input| theirs.contains(input)) {
            let ours = *ours;
            self.misbehaved(Misbehaviour::Stake(ours));
            return self.refuse(now, Rejection::Stake, format!("found our input {ours} among the peer's"));
        }
        let until = Some(now.saturating_add(self.policy.window).saturating_add(ANSWER));
        self.outputs.push_back(Output::Reserve { outpoints: stake.inputs.clone(), until });
        self.outputs.push_back(Output::Ask(inputs_of(&self.record.terms(stake.clone()))));
        self.work = Work::Appraising(stake);
    }

    /// Agrees, if a transaction of these coins is possible.
    pub(super) fn appraise(&mut self, now: Time, stake: Stake, coins: &BTreeMap<OutPoint, Coin>) {
        let terms = self.record.terms(stake.clone());
        let draft = require_confirmed(&inputs_of(&terms), coins)
            .and_then(|()| settlement::draft(&terms, self.record.party(), coins));
        let draft = match draft {
            Ok(draft) => draft,
            Err(detail) => return self.refuse(now, Rejection::Stake, detail),
        };
        let deadline = whole_millis(now.saturating_add(self.policy.window));
        let agreement = self.agree(draft.txid(), stake, deadline, coins);
        let acceptance = self.acceptance(&agreement);
        self.record.stage = Stage::Accepted { agreement };
        self.persist();
        self.reserve();
        self.send(now, acceptance);
    }

    fn proposed(&mut self, now: Time, psbt: Bytes) {
        match (&self.record.stage, &self.work) {
            (Stage::Requested, _) => self.misbehaved(Misbehaviour::OutOfPlace("proposal")),
            (Stage::Accepted { agreement }, Work::Nothing) => {
                if now < agreement.deadline {
                    self.outputs.push_back(Output::Ask(inputs_of(&agreement.terms)));
                    self.work = Work::Verifying(psbt);
                }
            }
            // A repetition of what is being verified, or a second one, which gets no say.
            (Stage::Accepted { .. }, _) => {}
            _ => self.answer(now),
        }
    }

    /// Checks a proposal against what the chain says at this moment, and has it signed.
    pub(super) fn verify(&mut self, now: Time, proposal: &[u8], coins: &BTreeMap<OutPoint, Coin>) {
        let Stage::Accepted { agreement } = &self.record.stage else { return };
        let terms = agreement.terms.clone();
        if let Err(detail) = require_confirmed(&inputs_of(&terms), coins) {
            return self.refuse(now, Rejection::Stake, detail);
        }
        match settlement::receive(proposal, &terms, self.record.party(), coins) {
            Ok(checked) => {
                self.outputs.push_back(Output::Sign(Box::new(checked.clone())));
                self.work = Work::SigningLast(Box::new(checked));
            }
            Err(detail) => {
                self.misbehaved(Misbehaviour::Proposal(detail.clone()));
                self.refuse(now, Rejection::Proposal, detail);
            }
        }
    }

    /// Both have signed: from here on the chain decides.
    pub(super) fn settle(&mut self, now: Time, checked: CheckedPsbt, signed: &Psbt) {
        let Stage::Accepted { agreement } = &self.record.stage else { return };
        let agreement = agreement.clone();
        let transaction = match settlement::complete(checked, signed) {
            Ok(transaction) => transaction,
            Err(detail) => return self.abort(now, Reason::NotSigned(detail)),
        };
        assert_eq!(transaction.compute_txid(), agreement.txid, "what was checked has the id of what was agreed on");
        self.record.stage = Stage::Broadcast { agreement, transaction: Some(transaction.clone()) };
        self.persist();
        self.reserve();
        self.watch();
        self.broadcast(now, transaction.clone());
        self.send(now, Body::Settled(transaction));
    }
}

/// The wire carries whole milliseconds; both sides must mean the same.
fn whole_millis(time: Time) -> Time {
    Time::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
