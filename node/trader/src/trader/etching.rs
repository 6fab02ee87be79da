//! Etchings: a commitment to the name, some blocks of patience, and the transaction that reveals it.
//!
//! | stage | what is waited for | then |
//! |---|---|---|
//! | committing | the commitment, deep enough | the name is still free: reveal; somebody has it: withdraw |
//! | revealing | the etching, deep enough, and known to the index | done, or abandoned where the index does not count it |
//! | withdrawing | the transaction that brings the bitcoin back | abandoned |
//! | done, abandoned | | |
//!
//! What is next follows from the wallet's transactions and the index, never from what was sent: so a crash, a transaction that fell out
//! of the mempool and a reorganisation need nothing of their own. The commitment is known by its script, so one whose fee was raised
//! counts as well. Its inputs are reserved until it is in a block.
//!
//! | part | noun |
//! |---|---|
//! | `record` | an etching as it is stored and told |
//! | `sight` | what the wallet's transactions show of it |
//! | `terms` | what the runestone says, checked |

mod record;
mod sight;
mod terms;

use std::collections::BTreeSet;
use std::time::Duration;

use bitcoin::{Amount, BlockHash, FeeRate, OutPoint, Transaction, Txid};
use darkswap_trade::asset::Asset;
use darkswap_trade::rune;
use darkswap_wallet::Keychain;
use darkswap_wallet::payment::etching::{REVEAL_LOCK, Reveal};
use darkswap_wallet::payment::{Payment, PaymentError};
use darkswap_wallet::wallet::WalletTransaction;
use ordinals::{Etching as Terms, Rune};

use super::Trader;
use super::runes::Purpose;
use super::spending::refusal;
use super::stakes::FOREVER;
use crate::Time;
use crate::chain::{KnownRune, RuneQuery};
use crate::command::{CommandError, NewRune, Reply};
use crate::output::Output;
use crate::store::Table;

pub(super) use record::Etchings;
use record::{Etching, Stage, VERSION, holder, key};
use sight::{Seen, fee_of, input_of, is_a_quarter_more, spender};
use terms::{runestone, terms_of};

/// Etchings under way at once: each holds bitcoin back for an hour.
const MAX_OPEN: usize = 64;
/// When the index is asked again after it did not know.
const AGAIN: Duration = Duration::from_secs(30);
/// After how many blocks an etching that the index does not count never will be: it is far deeper than reorganisations are.
const GIVE_UP: u32 = 144;

impl Trader {
    /// Begins an etching: first the index has to say whether the name is free.
    pub(super) fn etch(&mut self, now: Time, token: u64, new: &NewRune, fee_rate: FeeRate) -> Result<(), CommandError> {
        self.check_sends()?;
        let terms = terms_of(new)?;
        let rune = terms.rune.unwrap_or_default();
        runestone(&terms)?;
        self.check_unlocked(rune)?;
        if self.etchings.by_rune.get(&rune).is_some_and(Etching::is_open) {
            let text = format!("{} is being etched already; `asset list` shows how far it is", new.name);
            return Err(CommandError::Invalid(text));
        }
        if self.etchings.open().count() >= MAX_OPEN {
            let text = format!("{MAX_OPEN} etchings are under way, which is the limit; wait until one has ended");
            return Err(CommandError::Limit(text));
        }
        self.ask_rune_for(now, token, Purpose::Etch(Box::new(terms), fee_rate), RuneQuery::Name(rune))
    }

    /// The index has said who has the name.
    pub(super) fn etch_found(
        &mut self,
        now: Time,
        asked: Option<(u64, Time)>,
        terms: Terms,
        fee_rate: FeeRate,
        found: Result<Option<Box<KnownRune>>, String>,
    ) -> Result<(), CommandError> {
        let rune = terms.rune.unwrap_or_default();
        match found {
            Ok(None) => {}
            Ok(Some(known)) => {
                let name = known.1.spaced();
                let mut text = format!("found that rune {} has the name {name} already; take another name", known.0);
                if self.seen(rune, &self.wallet.transactions()).is_some() {
                    text.push_str(&format!("; `asset cancel {name}` has the bitcoin of your commitment back"));
                }
                return Err(CommandError::Invalid(text));
            }
            Err(reason) => {
                let text = format!("whether the name {rune} is free cannot be looked up: {reason}; nothing was done");
                return Err(CommandError::Chain(text));
            }
        }
        self.check_sends()?;
        if self.etchings.by_rune.get(&rune).is_some_and(Etching::is_open) {
            return Err(CommandError::Invalid(format!("{rune} is being etched already")));
        }
        let mut etching = self.found_etching(now, terms, fee_rate);
        let token = asked.map(|(token, _)| token);
        // One from before the store was lost, or of an attempt that was given up.
        if self.seen(rune, &self.wallet.transactions()).is_some() {
            self.keep_etching(rune, etching);
            let reply = self.etching_report(rune).map(Reply::Etching);
            if let (Some(token), Some(reply)) = (token, reply) {
                self.emit(Output::Answer { token, outcome: Ok(reply) });
            }
            self.look_after_etchings(now);
            return Ok(());
        }
        let runestone = runestone(&etching.terms)?;
        let value = self.wallet.commitment_value(rune, &runestone, fee_rate).map_err(refusal)?;
        let payment = self.wallet.pay(self.wallet.commitment(rune), value, fee_rate).map_err(refusal)?;
        let inputs: BTreeSet<OutPoint> = payment.transaction.input.iter().map(|input| input.previous_output).collect();
        self.wallet.reserve(holder(rune), &inputs, FOREVER).map_err(|error| CommandError::Funds(error.to_string()))?;
        etching.stage = Stage::Committing { transaction: Some(payment.transaction.clone()) };
        self.keep_etching(rune, etching);
        self.send_own(now, payment.transaction, token);
        Ok(())
    }

    /// What the operator gets when the commitment was taken by the chain; when it was not, the etching is forgotten.
    pub(super) fn commitment_answered(&mut self, txid: Txid, is_sent: bool) -> Option<Reply> {
        let rune = self.etchings.committing(txid)?;
        if is_sent {
            return self.etching_report(rune).map(Reply::Etching);
        }
        self.wallet.release(holder(rune));
        self.etchings.by_rune.remove(&rune);
        self.journal.remove(Table::Etchings, key(rune));
        None
    }

    /// Stops an etching, or has the bitcoin of a commitment back that none goes on with: it may be from before the store was lost, or
    /// have reached a block after it was given up.
    pub(super) fn cancel_etching(&mut self, now: Time, name: &str) -> Result<(), CommandError> {
        let spaced =
            rune::name::parse(&name.to_ascii_uppercase()).map_err(|error| CommandError::Invalid(error.to_string()))?;
        let rune = spaced.rune;
        let transactions = self.wallet.transactions();
        let seen = self.seen(rune, &transactions);
        let Some(etching) = self.etchings.by_rune.get(&rune).filter(|it| it.is_open()) else {
            let seen = seen.ok_or_else(|| {
                CommandError::NotFound(format!("found no etching of {name} under way; `asset etchings` shows them"))
            })?;
            let fee_rate = self.purse.fee_rate().ok_or_else(|| {
                CommandError::Chain("no server has told what fee rate is usual yet; try again later".to_owned())
            })?;
            let spacers = Some(spaced.spacers).filter(|spacers| *spacers > 0);
            let terms = Terms { rune: Some(rune), spacers, ..Terms::default() };
            let etching = self.found_etching(now, terms, fee_rate);
            self.keep_etching(rune, etching);
            self.withdraw_commitment(now, rune, seen, "the operator has its bitcoin back");
            return Ok(());
        };
        let in_a_block = match &etching.stage {
            Stage::Revealing { transaction } | Stage::Withdrawing { transaction, .. } => {
                spender(input_of(transaction), &transactions)
            }
            Stage::Committing { .. } | Stage::Done { .. } | Stage::Abandoned { .. } => None,
        };
        match (&etching.stage, in_a_block, seen) {
            (Stage::Withdrawing { .. }, Some(_), _) | (Stage::Withdrawing { .. }, None, Some(_)) => {}
            (_, Some(_), _) => {
                return Err(CommandError::Invalid(format!("{name} is in a block already; there is nothing to stop")));
            }
            (_, None, Some(seen)) => self.withdraw_commitment(now, rune, seen, "the operator stopped it"),
            (_, None, None) => {
                self.end_etching(rune, Stage::Abandoned { reason: "the operator stopped it".to_owned() });
            }
        }
        Ok(())
    }

    /// One whose commitment is there already.
    fn found_etching(&mut self, now: Time, terms: Terms, fee_rate: FeeRate) -> Etching {
        let (receive, change) = (Keychain::External, Keychain::Internal);
        let [receive, change] = [receive, change].map(|keychain| self.wallet.address(keychain).script_pubkey());
        let stage = Stage::Committing { transaction: None };
        Etching { version: VERSION, terms, fee_rate, created: now, receive, change, stage }
    }

    pub(super) fn advance_etchings(&mut self, now: Time) {
        if self.etchings.again.is_some_and(|at| at <= now) {
            self.etchings.again = None;
            self.etchings.done_at.clear();
            self.look_after_etchings(now);
        }
    }

    /// Does what is next for every etching, after the wallet has seen the chain.
    pub(super) fn look_after_etchings(&mut self, now: Time) {
        let open: Vec<Rune> = self.etchings.open().collect();
        let Some((tip, hash)) = self.purse.tip.filter(|_| !open.is_empty()) else { return };
        let transactions = self.wallet.transactions();
        for rune in open {
            let Some(etching) = self.etchings.by_rune.get(&rune).cloned() else { continue };
            let depth = |height: u32| tip.checked_sub(height).map_or(0, |depth| depth.saturating_add(1));
            let is_done = self.etchings.done_at.get(&rune) == Some(&hash);
            match &etching.stage {
                Stage::Committing { transaction } => match self.seen(rune, &transactions) {
                    Some(Seen { height: Some(height), .. }) => {
                        self.wallet.release(holder(rune));
                        if depth(height) >= u32::from(REVEAL_LOCK) && !is_done {
                            self.ask_name(rune, hash);
                        }
                    }
                    Some(Seen { height: None, .. }) => {}
                    None if !is_done => {
                        self.etchings.done_at.insert(rune, hash);
                        self.commit_again(now, rune, transaction.clone(), &transactions);
                    }
                    None => {}
                },
                Stage::Revealing { transaction } => {
                    let is_in_a_block = spender(input_of(transaction), &transactions).is_some();
                    let seen = self.seen(rune, &transactions).and_then(|seen| seen.height);
                    let is_ready = seen.is_some_and(|height| depth(height) >= u32::from(REVEAL_LOCK));
                    if (is_in_a_block || is_ready) && !is_done {
                        self.ask_name(rune, hash);
                    }
                }
                Stage::Withdrawing { transaction, reason } => match spender(input_of(transaction), &transactions) {
                    // What reveals was faster.
                    Some((txid, _)) if txid != transaction.compute_txid() => {
                        if !is_done {
                            self.ask_name(rune, hash);
                        }
                    }
                    Some((_, height)) if depth(height) >= self.settings.policy.confirmations => {
                        self.end_etching(rune, Stage::Abandoned { reason: reason.clone() });
                    }
                    None if !is_done => {
                        self.etchings.done_at.insert(rune, hash);
                        match self.seen(rune, &transactions) {
                            // Its fee was raised meanwhile, so it is another one.
                            Some(seen) if seen.outpoint != input_of(transaction) => {
                                self.withdraw_commitment(now, rune, seen, reason);
                            }
                            Some(_) | None => self.send_own(now, transaction.clone(), None),
                        }
                    }
                    Some(_) | None => {}
                },
                Stage::Done { .. } | Stage::Abandoned { .. } => {}
            }
        }
    }

    fn ask_name(&mut self, rune: Rune, tip: BlockHash) {
        if !self.runes.is_asked_of(rune) {
            self.etchings.done_at.insert(rune, tip);
            self.ask_rune(Purpose::Etching(rune), RuneQuery::Name(rune), None);
        }
    }

    /// The index says who has the name of an etching that goes on.
    pub(super) fn hear_name(&mut self, now: Time, rune: Rune, found: Result<Option<Box<KnownRune>>, String>) {
        let Some(etching) = self.etchings.by_rune.get(&rune).cloned() else { return };
        let found = match found {
            Ok(found) => found,
            Err(reason) => {
                self.failed(format!("the etching of {} waits: {reason}", etching.name()));
                self.etchings.again = Some(now.saturating_add(AGAIN));
                return;
            }
        };
        let transactions = self.wallet.transactions();
        let in_a_block = match &etching.stage {
            Stage::Committing { .. } => None,
            Stage::Revealing { transaction } => spender(input_of(transaction), &transactions),
            Stage::Withdrawing { transaction, .. } => match spender(input_of(transaction), &transactions) {
                Some(other) if other.0 != transaction.compute_txid() => Some(other),
                Some(_) | None => return,
            },
            Stage::Done { .. } | Stage::Abandoned { .. } => return,
        };
        let Some((txid, height)) = in_a_block else {
            // A reorganisation may have moved the commitment meanwhile.
            let Some(seen) = self.seen(rune, &transactions).filter(|seen| seen.height.is_some()) else { return };
            return match found {
                None => self.reveal(now, rune, seen),
                Some(known) => self.withdraw_commitment(now, rune, seen, &format!("rune {} has the name", known.0)),
            };
        };
        let tip = self.purse.tip.map_or(0, |(tip, _)| tip);
        let depth = tip.checked_sub(height).map_or(0, |depth| depth.saturating_add(1));
        let is_final = depth >= self.settings.policy.confirmations;
        match found {
            Some(known) if known.1.etching == txid && is_final => {
                self.end_etching(rune, Stage::Done { txid, id: known.0 });
                self.want_label(Asset::Rune(known.0));
            }
            Some(known) if known.1.etching == txid => {}
            Some(known) if is_final => {
                let reason = format!("rune {} got the name first; transaction {txid} etched nothing", known.0);
                self.end_etching(rune, Stage::Abandoned { reason });
            }
            // The index may be some blocks behind.
            None if depth < GIVE_UP => self.etchings.again = Some(now.saturating_add(AGAIN)),
            None => {
                let reason = format!("the index does not count transaction {txid}, which is {depth} blocks deep");
                self.end_etching(rune, Stage::Abandoned { reason });
            }
            Some(_) => {}
        }
    }

    /// Sends what etches, again and with a higher fee where that is usual by now.
    fn reveal(&mut self, now: Time, rune: Rune, seen: Seen) {
        let Some(etching) = self.etchings.by_rune.get(&rune).cloned() else { return };
        let estimate = self.purse.fee_rate().unwrap_or(etching.fee_rate).max(etching.fee_rate);
        let before = match &etching.stage {
            Stage::Revealing { transaction } if input_of(transaction) == seen.outpoint => Some(transaction.clone()),
            _ => None,
        };
        let fee = before.as_ref().map(|it| fee_of(it, seen.value));
        if let (Some(before), Some(fee)) = (&before, fee)
            && !is_a_quarter_more(estimate, fee, before)
        {
            return self.send_own(now, before.clone(), None);
        }
        let waits = before.as_ref().is_some_and(|it| self.wallet.transaction(it.compute_txid()).is_some());
        let replaced = fee.filter(|_| waits).unwrap_or_default();
        let made = runestone(&etching.terms).map_err(|error| error.to_string()).and_then(|runestone| {
            let reveal = Reveal { runestone: Some(runestone), ..etching.reveal(seen, estimate, replaced) };
            self.dearest(reveal, etching.fee_rate).map_err(|error| error.to_string())
        });
        match (made, before) {
            (Ok(payment), _) => {
                let transaction = payment.transaction;
                self.keep_etching(
                    rune,
                    Etching { stage: Stage::Revealing { transaction: transaction.clone() }, ..etching },
                );
                self.send_own(now, transaction, None);
            }
            // It holds no more than it pays already.
            (Err(_), Some(before)) => self.send_own(now, before, None),
            (Err(error), None) => self.withdraw_commitment(now, rune, seen, &error),
        }
    }

    /// At the fee rate that is asked for, or the next lower one that the commitment can pay, down to `least`: whoever sees the name
    /// wait could commit to it as well, so a low fee is the last resort.
    fn dearest(&self, mut reveal: Reveal, least: FeeRate) -> Result<Payment, PaymentError> {
        loop {
            match self.wallet.reveal(&reveal) {
                Err(PaymentError::Commitment { .. }) if reveal.fee_rate > least => {
                    let lower = FeeRate::from_sat_per_kwu(reveal.fee_rate.to_sat_per_kwu() / 4 * 3);
                    reveal.fee_rate = lower.max(least);
                }
                made => return made,
            }
        }
    }

    /// Has the bitcoin of a commitment back.
    fn withdraw_commitment(&mut self, now: Time, rune: Rune, seen: Seen, reason: &str) {
        let Some(etching) = self.etchings.by_rune.get(&rune).cloned() else { return };
        self.wallet.release(holder(rune));
        let waiting = match &etching.stage {
            Stage::Revealing { transaction } if input_of(transaction) == seen.outpoint => Some(transaction),
            _ => None,
        };
        let replaced = waiting
            .filter(|it| self.wallet.transaction(it.compute_txid()).is_some())
            .map_or(Amount::ZERO, |it| fee_of(it, seen.value));
        let estimate = self.purse.fee_rate().unwrap_or(etching.fee_rate);
        let made = self.wallet.reveal(&etching.reveal(seen, estimate, replaced));
        match made.or_else(|_| self.wallet.reveal(&etching.reveal(seen, etching.fee_rate, replaced))) {
            Ok(payment) => {
                let stage = Stage::Withdrawing { transaction: payment.transaction.clone(), reason: reason.to_owned() };
                self.keep_etching(rune, Etching { stage, ..etching });
                self.send_own(now, payment.transaction, None);
            }
            Err(error) => {
                let reason = format!("{reason}; the bitcoin of its commitment could not be taken back: {error}");
                self.end_etching(rune, Stage::Abandoned { reason });
            }
        }
    }

    /// The commitment is not there: it never left, or fell out of the mempool.
    fn commit_again(&mut self, now: Time, rune: Rune, commitment: Option<Transaction>, all: &[WalletTransaction]) {
        let spent = |it: &Transaction| it.input.iter().find_map(|input| spender(input.previous_output, all));
        let reason = match commitment {
            Some(transaction) => match spent(&transaction) {
                None => return self.send_own(now, transaction, None),
                Some((by, _)) => format!("transaction {by} spent a coin of its commitment"),
            },
            None => "its commitment is gone".to_owned(),
        };
        self.end_etching(rune, Stage::Abandoned { reason });
    }
}
