//! An etching as it is stored and told.

use std::collections::BTreeMap;

use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::hex::DisplayHex as _;
use bitcoin::{Amount, BlockHash, FeeRate, ScriptBuf, Transaction, Txid};
use darkswap_trade::asset::Asset;
use darkswap_wallet::Holder;
use darkswap_wallet::payment::etching::Reveal;
use ordinals::{Etching as Terms, Rune, RuneId, Runestone, SpacedRune};
use serde::{Deserialize, Serialize};

use super::sight::Seen;
use crate::Time;
use crate::command::{EtchingPhase, EtchingReport, TradeEvent, seconds};
use crate::store::{Stored, Table};
use crate::trader::{RestoreError, Trader};

/// Etchings that are remembered after their end.
const MAX_ENDED: usize = 256;
/// The form of a stored etching.
pub(super) const VERSION: u16 = 1;

/// Etchings under way and ended, by name.
#[derive(Debug, Default)]
pub(in crate::trader) struct Etchings {
    pub(super) by_rune: BTreeMap<Rune, Etching>,
    /// At which tip something was done last for an etching, so that it is done once for each.
    pub(super) done_at: BTreeMap<Rune, BlockHash>,
    pub(super) again: Option<Time>,
}

/// One of them, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Etching {
    pub(super) version: u16,
    pub(super) terms: Terms,
    pub(super) fee_rate: FeeRate,
    pub(super) created: Time,
    /// Who gets the premine.
    pub(super) receive: ScriptBuf,
    /// Who gets the rest.
    pub(super) change: ScriptBuf,
    pub(super) stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// The commitment; none where one of an earlier life was found.
    Committing {
        transaction: Option<Transaction>,
    },
    Revealing {
        transaction: Transaction,
    },
    Withdrawing {
        transaction: Transaction,
        reason: String,
    },
    Done {
        txid: Txid,
        id: RuneId,
    },
    Abandoned {
        reason: String,
    },
}

impl Etchings {
    pub(in crate::trader) fn deadline(&self) -> Option<Time> {
        self.again
    }

    pub(super) fn open(&self) -> impl Iterator<Item = Rune> {
        self.by_rune.iter().filter(|(_, it)| it.is_open()).map(|(rune, _)| *rune)
    }

    /// The one whose commitment this is, and nobody has seen it yet.
    pub(super) fn committing(&self, txid: Txid) -> Option<Rune> {
        let is_it = |etching: &Etching| matches!(&etching.stage, Stage::Committing { transaction: Some(it) } if it.compute_txid() == txid);
        self.by_rune.iter().find(|(_, etching)| is_it(etching)).map(|(rune, _)| *rune)
    }
}

impl Etching {
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Done { .. } | Stage::Abandoned { .. })
    }

    pub(super) fn name(&self) -> SpacedRune {
        SpacedRune { rune: self.terms.rune.unwrap_or_default(), spacers: self.terms.spacers.unwrap_or_default() }
    }

    /// What spends the commitment.
    pub(super) fn reveal(&self, seen: Seen, fee_rate: FeeRate, replaced: Amount) -> Reveal {
        Reveal {
            rune: self.name().rune,
            commitment: seen.outpoint,
            value: seen.value,
            runestone: None,
            receive: self.receive.clone(),
            change: self.change.clone(),
            fee_rate,
            replaced,
        }
    }
}

impl Trader {
    pub(super) fn keep_etching(&mut self, rune: Rune, etching: Etching) {
        let value = serde_json::to_vec(&etching).expect("an etching has no maps, and a vector takes every write");
        self.journal.put(Table::Etchings, key(rune), value);
        let before = self.etchings.by_rune.insert(rune, etching).map(|it| phase_of(&it.stage));
        if let Some(report) = self.etching_report(rune).filter(|report| before != Some(report.phase)) {
            self.report(TradeEvent::EtchingMoved(report));
        }
    }

    pub(super) fn end_etching(&mut self, rune: Rune, stage: Stage) {
        self.wallet.release(holder(rune));
        self.etchings.done_at.remove(&rune);
        if let Some(etching) = self.etchings.by_rune.get(&rune).cloned() {
            self.keep_etching(rune, Etching { stage, ..etching });
        }
        let ended = self.etchings.by_rune.iter().filter(|(_, it)| !it.is_open());
        if ended.clone().count() > MAX_ENDED
            && let Some(oldest) = ended.min_by_key(|(_, it)| it.created).map(|(rune, _)| *rune)
        {
            self.etchings.by_rune.remove(&oldest);
            self.journal.remove(Table::Etchings, key(oldest));
        }
    }

    /// All of them, the newest first.
    pub(in crate::trader) fn etching_reports(&self) -> Vec<EtchingReport> {
        let mut all: Vec<EtchingReport> =
            self.etchings.by_rune.keys().filter_map(|rune| self.etching_report(*rune)).collect();
        all.sort_by_key(|it| std::cmp::Reverse(it.created_seconds));
        all
    }

    pub(super) fn etching_report(&self, rune: Rune) -> Option<EtchingReport> {
        let etching = self.etchings.by_rune.get(&rune)?;
        let seen = etching.is_open().then(|| self.seen(rune, &self.wallet.transactions())).flatten();
        let tip = self.purse.tip.map_or(0, |(tip, _)| tip);
        let depth = seen.and_then(|seen| tip.checked_sub(seen.height?)).map_or(0, |depth| depth.saturating_add(1));
        let (txid, asset, reason) = match &etching.stage {
            Stage::Committing { .. } => (None, None, None),
            Stage::Revealing { transaction } => (Some(transaction.compute_txid()), None, None),
            Stage::Withdrawing { transaction, reason } => {
                (Some(transaction.compute_txid()), None, Some(reason.clone()))
            }
            Stage::Done { txid, id } => (Some(*txid), Some(Asset::Rune(*id)), None),
            Stage::Abandoned { reason } => (None, None, Some(reason.clone())),
        };
        let phase = match phase_of(&etching.stage) {
            EtchingPhase::Committing if depth > 0 => EtchingPhase::Maturing,
            phase => phase,
        };
        Some(EtchingReport {
            name: etching.name().to_string(),
            phase,
            commitment: seen.map(|seen| seen.outpoint.txid),
            confirmations: depth,
            needed: u32::from(Runestone::COMMIT_CONFIRMATIONS),
            txid,
            asset,
            reason,
            created_seconds: seconds(etching.created),
        })
    }

    pub(in crate::trader) fn restore_etchings(&mut self, stored: &Stored) -> Result<(), RestoreError> {
        for (key, value) in stored.of(Table::Etchings) {
            let damaged = |reason: String| RestoreError::Damaged {
                table: Table::Etchings.name(),
                key: key.to_lower_hex_string(),
                reason,
            };
            let etching: Etching = serde_json::from_slice(value).map_err(|error| damaged(error.to_string()))?;
            if etching.version != VERSION {
                return Err(damaged(format!("found version {}, expected {VERSION}", etching.version)));
            }
            let spent = match &etching.stage {
                Stage::Revealing { transaction } | Stage::Withdrawing { transaction, .. } => {
                    !transaction.input.is_empty()
                }
                Stage::Committing { .. } | Stage::Done { .. } | Stage::Abandoned { .. } => true,
            };
            if !spent || etching.terms.rune.is_none() {
                return Err(damaged("found an etching without a name or an input".to_owned()));
            }
            self.etchings.by_rune.insert(etching.name().rune, etching);
        }
        Ok(())
    }
}

fn phase_of(stage: &Stage) -> EtchingPhase {
    match stage {
        Stage::Committing { .. } => EtchingPhase::Committing,
        Stage::Revealing { .. } => EtchingPhase::Revealing,
        Stage::Withdrawing { .. } => EtchingPhase::Withdrawing,
        Stage::Done { .. } => EtchingPhase::Done,
        Stage::Abandoned { .. } => EtchingPhase::Abandoned,
    }
}

pub(super) fn key(rune: Rune) -> Vec<u8> {
    rune.n().to_be_bytes().to_vec()
}

/// Who has the coins of a commitment reserved.
pub(super) fn holder(rune: Rune) -> Holder {
    let bytes = [b"darkswap etching ".as_slice(), &rune.n().to_be_bytes()].concat();
    Holder(sha256::Hash::hash(&bytes).to_byte_array())
}
