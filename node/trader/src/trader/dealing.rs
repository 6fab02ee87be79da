//! What each swap wants done.

use std::time::Duration;

use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::{FeeRate, OutPoint, Transaction, Txid};
use darkswap_trade::psbt::{CheckedPsbt, MAX_FEE_RATE, Style, fee_at_most};
use darkswap_trade::swap::{
    Body, Input, Message, Output as SwapOutput, Phase, Record, Rejection, Role, Stage, Status, Swap,
};
use darkswap_wallet::Holder;

use super::Trader;
use super::history::{SwapKey, written};
use super::purse::CoinsOutcome;
use super::stakes::{FOREVER, MAX_MAKER_INPUTS};
use super::swaps::Question;
use crate::Time;
use crate::chain::ChainRequest;
use crate::command::TradeEvent;
use crate::output::Output;
use crate::store::Table;

/// When a question about coins that nobody could answer is asked again; the swap's own deadline ends that.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Virtual bytes of a reclaim, at least: one taproot input and one output.
const LEAST_RECLAIM: u64 = 110;

impl Trader {
    /// Tells a swap what happened. [`drain`](Self::drain) it afterwards.
    pub(super) fn feed(&mut self, now: Time, key: SwapKey, input: Input) {
        let Some(swap) = self.swaps.machines.get_mut(&key) else { return };
        swap.handle(now, input);
        self.swaps.fills.follow(swap.record());
    }

    /// Carries out everything that a swap says, in its order.
    pub(super) fn drain(&mut self, now: Time, key: SwapKey) {
        while let Some(output) = self.swaps.machines.get_mut(&key).and_then(Swap::poll) {
            self.carry_out(now, key, output);
        }
        if self.swaps.machines.get(&key).is_some_and(Swap::is_terminal) {
            self.end_swap(now, key);
        }
    }

    fn carry_out(&mut self, now: Time, key: SwapKey, output: SwapOutput) {
        match output {
            SwapOutput::Persist(record) => self.keep(now, key, *record),
            SwapOutput::Send(body) => {
                let bytes = Message { swap: key.swap, body }.encode().into();
                self.emit(Output::Send { to: key.peer, bytes });
            }
            SwapOutput::Fund(funding) => {
                let input = match self.stake_of_maker(&funding) {
                    Ok(stake) => Input::Funded(stake),
                    Err(error) => {
                        tracing::debug!(swap = %key.swap, %error, "a request cannot be met");
                        Input::Declined(Rejection::Funds)
                    }
                };
                self.feed(now, key, input);
            }
            SwapOutput::Ask(outpoints) => self.question_coins(key, outpoints),
            SwapOutput::Reserve { outpoints, until } => {
                let outpoints = outpoints.into_iter().collect();
                // Restored swaps reserve again what their own transaction may have spent by now; they hold it already.
                if let Err(error) = self.wallet.reserve(holder(&key), &outpoints, until.unwrap_or(FOREVER)) {
                    tracing::debug!(swap = %key.swap, %error, "coins were not reserved again");
                }
            }
            SwapOutput::Release => self.release(now, key),
            SwapOutput::Sign(checked) => {
                let input = match self.signed(key, &checked) {
                    Ok(psbt) => Input::Signed(psbt),
                    Err(reason) => Input::NotSigned(reason),
                };
                self.feed(now, key, input);
            }
            SwapOutput::Broadcast(transaction) => self.broadcast_for(key, transaction),
            SwapOutput::Watch { txid, spends } => {
                self.swaps.watched.insert(txid, (key, None));
                self.ask_chain(ChainRequest::Watch { txid, spends });
            }
            SwapOutput::Unwatch(txid) => {
                self.swaps.watched.remove(&txid);
                self.ask_chain(ChainRequest::Unwatch(txid));
            }
            SwapOutput::Reclaim { outpoints, attempt } => self.reclaim_for(now, key, &outpoints, attempt),
            SwapOutput::Moved { from, to, reason } => self.moved(now, key, from, to, reason),
            SwapOutput::Misbehaved(misbehaviour) => {
                self.report(TradeEvent::SwapMisbehaviour { peer: key.peer, reason: misbehaviour.to_string() });
            }
            SwapOutput::Failed(reason) => self.failed(format!("swap {}: {reason}; it is tried again", key.swap)),
        }
    }

    /// Answers a peer that missed the end of a swap, out of its record.
    pub(super) fn recall(&mut self, now: Time, key: SwapKey, record: Record, body: Body) {
        let mut swap = Swap::restore(now, record, self.settings.policy);
        while swap.poll().is_some() {}
        swap.handle(now, Input::Message(body));
        while let Some(output) = swap.poll() {
            // It has ended: there is nothing left to do but to talk.
            if let SwapOutput::Send(_) | SwapOutput::Misbehaved(_) = &output {
                self.carry_out(now, key, output);
            }
        }
    }

    fn keep(&mut self, now: Time, key: SwapKey, record: Record) {
        if record.is_terminal() {
            self.archive(now, record);
        } else {
            self.journal.put(Table::Swaps, key.bytes(), written(&record));
        }
    }

    fn release(&mut self, now: Time, key: SwapKey) {
        let record = self.swaps.machines.get(&key).map(Swap::record);
        if let Some(Stage::Done { transaction: Some(transaction), txid }) = record.map(|record| &record.stage) {
            // The wallet may hear of the block only later; until then it must not take these coins for unspent.
            let (transaction, txid) = (transaction.clone(), *txid);
            if self.wallet.transaction(txid).is_none()
                && let Err(error) = self.wallet.apply_unconfirmed(transaction, now)
            {
                tracing::debug!(%txid, %error, "a swap's transaction was not taken into the wallet");
            }
        }
        self.wallet.release(holder(&key));
        self.want_sync();
    }

    fn signed(&self, key: SwapKey, checked: &CheckedPsbt) -> Result<bitcoin::Psbt, String> {
        let others = checked.psbt().inputs.len().saturating_sub(checked.our_inputs().len());
        if key.role == Role::Taker && checked.style() == Style::Interactive && others > MAX_MAKER_INPUTS {
            return Err(format!(
                "found {others} inputs of the maker, expected at most {MAX_MAKER_INPUTS}; the fee for more is the maker's to pay"
            ));
        }
        self.wallet.sign(checked).map_err(|error| error.to_string())
    }

    /// Looks coins up for a swap; an earlier question of it does not matter any more.
    pub(super) fn question_coins(&mut self, key: SwapKey, outpoints: Vec<OutPoint>) {
        let request = self.number();
        let question = Question { request, outpoints: outpoints.clone(), again: None };
        self.swaps.questions.insert(key, question);
        self.ask_chain(ChainRequest::Coins { request, outpoints });
    }

    /// The answer to such a question.
    pub(super) fn swap_coins(&mut self, now: Time, request: u64, outcome: CoinsOutcome) {
        let mut found = self.swaps.questions.iter_mut();
        let Some((key, question)) = found.find(|(_, question)| question.request == request) else { return };
        let key = *key;
        match outcome {
            Ok(coins) => {
                self.swaps.questions.remove(&key);
                self.feed(now, key, Input::Coins(coins));
                self.drain(now, key);
            }
            Err(reason) => {
                question.again = Some(now.saturating_add(ASK_AGAIN));
                self.failed(format!(
                    "coins of swap {} cannot be looked up: {reason}; they are asked for again",
                    key.swap
                ));
            }
        }
    }

    fn broadcast_for(&mut self, key: SwapKey, transaction: Transaction) {
        self.swaps.broadcast.insert(transaction.compute_txid(), key);
        self.ask_chain(ChainRequest::Broadcast(transaction));
    }

    /// The chain's node took a transaction of a swap, or not.
    pub(super) fn swap_broadcast_answered(&mut self, now: Time, txid: Txid, outcome: &Result<(), String>) {
        let Some(key) = self.swaps.broadcast.get(&txid).copied() else { return };
        if let Err(reason) = outcome {
            self.feed(now, key, Input::BroadcastFailed { txid, reason: reason.clone() });
            self.drain(now, key);
        }
    }

    /// Spends an own input elsewhere, so that nobody can use our signature any more.
    fn reclaim_for(&mut self, now: Time, key: SwapKey, outpoints: &[OutPoint], attempt: u32) {
        let Some(record) = self.swaps.machines.get(&key).map(Swap::record) else { return };
        let agreed = record.request.fee_rate;
        let fee_rate = self.purse.fee_rate().map_or(agreed, |rate| rate.max(agreed));
        let fee_rate = fee_rate.max(self.replacing(now, key).unwrap_or(fee_rate));
        let mut refusals = Vec::new();
        let mut made = None;
        for outpoint in self.cheapest_first(outpoints) {
            match self.make_reclaim(outpoint, fee_rate, attempt) {
                Ok(transaction) => {
                    made = Some(transaction);
                    break;
                }
                Err(error) => refusals.push(format!("{outpoint}: {error}")),
            }
        }
        match &made {
            Some(transaction) => {
                if let Err(error) = self.wallet.apply_unconfirmed(transaction.clone(), now) {
                    tracing::debug!(swap = %key.swap, %error, "a reclaim was not taken into the wallet");
                }
            }
            None => self.failed(format!("swap {}: nothing could be reclaimed: {}", key.swap, refusals.join("; "))),
        }
        self.feed(now, key, Input::Reclaimed(made));
    }

    /// The fee rate of a reclaim that replaces the swap's transaction, where the wallet cannot know it: of a transaction that
    /// it has not seen yet, or whose other inputs it does not know. Makes the wallet forget such a one, which would else be
    /// in the way.
    fn replacing(&mut self, now: Time, key: SwapKey) -> Option<FeeRate> {
        let record = self.swaps.machines.get(&key).map(Swap::record)?;
        let (agreement, agreed) = (record.agreement()?, record.request.fee_rate);
        let (txid, inputs) = (agreement.txid, agreement.spends.len());
        if self.wallet.transaction(txid).is_some_and(|known| known.height.is_none() && known.fee.is_none()) {
            self.wallet.apply_evicted([txid], now);
        }
        let (_, status) = self.swaps.watched.get(&txid)?;
        match status {
            Some(Status::InMempool) if self.wallet.transaction(txid).is_none() => {
                let fee = fee_at_most(inputs, agreed)?.to_sat();
                // BIP 125, rules 3 and 4.
                let rate = FeeRate::from_sat_per_vb(fee.div_ceil(LEAST_RECLAIM).checked_add(1)?)?;
                Some(rate.min(MAX_FEE_RATE))
            }
            // It is not there, whatever the wallet believes.
            Some(Status::Absent | Status::Conflicted { .. }) => {
                self.wallet.apply_evicted([txid], now);
                None
            }
            Some(Status::InMempool | Status::Confirmed { .. }) | None => None,
        }
    }

    fn moved(&mut self, now: Time, key: SwapKey, from: Phase, to: Phase, reason: Option<String>) {
        let Some(record) = self.swaps.machines.get(&key).map(Swap::record) else { return };
        let elapsed = now.saturating_sub(record.created).as_millis();
        let event = TradeEvent::SwapMoved {
            swap: key.swap,
            peer: key.peer,
            role: key.role,
            from,
            to,
            txid: txid_of(record),
            reason,
            elapsed_milliseconds: u64::try_from(elapsed).unwrap_or(u64::MAX),
        };
        self.report(event);
    }
}

/// The transaction of a swap, once it is known.
pub(super) fn txid_of(record: &Record) -> Option<Txid> {
    match &record.stage {
        Stage::Done { txid, .. } => Some(*txid),
        _ => record.agreement().map(|agreement| agreement.txid),
    }
}

/// Who has the coins of a swap reserved: two peers may choose the same swap id, and one peer may in both roles.
fn holder(key: &SwapKey) -> Holder {
    let bytes: Vec<u8> = [&b"darkswap swap "[..], &key.bytes()].concat();
    Holder(sha256::Hash::hash(&bytes).to_byte_array())
}
