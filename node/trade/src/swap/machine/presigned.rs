//! The taker of a presigned order: it needs the maker's signature, which the order has, and nobody's answer.

use std::collections::BTreeMap;

use bitcoin::{OutPoint, Psbt};
use bytes::Bytes;

use crate::Time;
use crate::coin::Coin;
use crate::order::Side;
use crate::psbt::{CheckedPsbt, Style};
use crate::swap::{Agreement, Output, Policy, Reason, Refused, Rejection, Stage, settlement};

use super::{Swap, Taking, Work, inputs_of, refused, require_confirmed};

impl Swap {
    /// The taker's machine for a presigned order, which is sold as a whole; `ask` is the order's PSBT.
    ///
    /// It is written when it broadcasts: before that nothing is given away.
    ///
    /// # Errors
    /// [`Refused`] as for [`take`](Self::take), and for an order that is not presigned or bytes that are no ask.
    pub fn take_presigned(now: Time, taking: Taking, ask: Bytes, policy: Policy) -> Result<Self, Refused> {
        let offer = &taking.order.offer;
        if offer.side != Side::Sell || taking.request.units != offer.units {
            let detail = format!("found {} units, expected a sale of all {}", taking.request.units, offer.units);
            return Err(refused(Rejection::Units, detail));
        }
        let found = settlement::ask(&ask, offer).map_err(|detail| refused(Rejection::Proposal, detail))?;
        if taking.request.stake.inputs.contains(&found.outpoint) {
            return Err(refused(Rejection::Stake, format!("found our input {} in the ask", found.outpoint)));
        }
        let mut machine = Self::begin(now, taking, Style::Presigned, policy)?;
        machine.reserve();
        let terms = machine.record.terms(settlement::ask_stake(&found));
        machine.outputs.push_back(Output::Ask(inputs_of(&terms)));
        machine.work = Work::Completing(ask);
        Ok(machine)
    }

    pub(super) fn complete(&mut self, now: Time, bytes: &[u8], coins: &BTreeMap<OutPoint, Coin>) {
        let ask = settlement::ask(bytes, &self.record.offer).expect("it was read when the machine was made");
        let stake = settlement::ask_stake(&ask);
        let terms = self.record.terms(stake.clone());
        let draft = require_confirmed(&inputs_of(&terms), coins)
            .and_then(|()| settlement::completed(bytes, &ask, &terms, coins));
        match draft {
            Ok(checked) => {
                let agreement = self.agree(checked.txid(), stake, now, coins);
                self.outputs.push_back(Output::Sign(Box::new(checked.clone())));
                self.work = Work::SigningAlone { agreement, checked: Box::new(checked) };
            }
            Err(detail) => self.refuse(now, Rejection::Proposal, detail),
        }
    }

    pub(super) fn settle_alone(&mut self, now: Time, agreement: Agreement, checked: CheckedPsbt, signed: &Psbt) {
        let transaction = match settlement::complete(checked, signed) {
            Ok(transaction) => transaction,
            Err(detail) => return self.abort(now, Reason::NotSigned(detail)),
        };
        self.record.stage = Stage::Broadcast { agreement, transaction: Some(transaction.clone()) };
        self.persist();
        self.reserve();
        self.watch();
        self.broadcast(now, transaction);
    }
}
