//! Replacement by fee, as BIP 125 has it.
//!
//! | rule | here |
//! |---|---|
//! | 1: the original signals | refused otherwise; everything built here signals |
//! | 2: no new input that only waits | added coins are in blocks |
//! | 3: pays at least the fees of all that it replaces | checked, with what hangs on the original |
//! | 4: and one satoshi per virtual byte of its own | checked |
//! | 5: evicts at most 100 transactions | checked |

use std::collections::BTreeSet;

use bdk_wallet::KeychainKind;
use bitcoin::{Amount, FeeRate, OutPoint, Transaction, Txid, Weight};

use super::{
    PaymentError, check_reclaimed,
    draft::{Change, Draft},
};
use crate::{
    coin::{OwnCoin, Standing},
    wallet::{Wallet, total},
};

/// What a replacement pays for its own relay (rule 4). Newer nodes ask for less; the old number is safe with all.
pub(super) const RELAY_FEE_RATE: FeeRate = FeeRate::from_sat_per_vb_u32(1);

/// The most transactions that a replacement may evict (rule 5).
const MAX_REPLACED: usize = 100;

/// Everything that a replacement evicts.
pub(super) struct Replaced {
    txids: BTreeSet<Txid>,
    fees: Amount,
}

impl Replaced {
    /// Whether a coin may be added to the inputs.
    pub(super) fn allows(&self, coin: &OwnCoin) -> bool {
        self.txids.is_empty() || matches!(coin.standing, Standing::Confirmed(_))
    }

    /// Rules 3 and 4.
    pub(super) fn check(&self, fee: Amount, weight: Weight) -> Result<(), PaymentError> {
        if self.txids.is_empty() {
            return Ok(());
        }
        let vsize = weight.to_vbytes_ceil();
        let relay = RELAY_FEE_RATE.fee_vb(vsize).ok_or(PaymentError::Overflow)?;
        let required = self.fees.checked_add(relay).ok_or(PaymentError::Overflow)?;
        if fee < required {
            return Err(PaymentError::PaysTooLittle { offered: fee, required, replaced: self.fees, relay, vsize });
        }
        Ok(())
    }
}

impl Wallet {
    /// A waiting transaction that signals replaceability.
    pub(super) fn replaceable(&self, txid: Txid) -> Result<Transaction, PaymentError> {
        let found = self.transaction(txid).ok_or(PaymentError::UnknownTransaction(txid))?;
        if let Some(height) = found.height {
            return Err(PaymentError::Confirmed { txid, height });
        }
        if !found.transaction.is_explicitly_rbf() {
            return Err(PaymentError::NotReplaceable(txid));
        }
        Ok(found.transaction.as_ref().clone())
    }

    /// Some transactions, what hangs on them, and their fees.
    pub(super) fn replaced(&self, txids: &BTreeSet<Txid>) -> Result<Replaced, PaymentError> {
        let graph = self.inner.tx_graph();
        let mut all = txids.clone();
        for txid in txids {
            let below = graph.walk_descendants(*txid, |_, below| self.inner.get_tx(below).map(|_| below));
            all.extend(below.take(MAX_REPLACED.saturating_add(1)));
        }
        if all.len() > MAX_REPLACED {
            return Err(PaymentError::TooManyReplaced { found: all.len(), limit: MAX_REPLACED });
        }
        let fees = all
            .iter()
            .map(|txid| self.transaction(*txid).and_then(|tx| tx.fee).ok_or(PaymentError::FeeUnknown(*txid)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Replaced { txids: all, fees: total(fees.into_iter()) })
    }

    /// A waiting transaction as a draft: its inputs, its outputs but the change, and where that was.
    ///
    /// The change is the last output to the internal keychain: payments put it there. Where it carries assets (a reclaim without
    /// any other output), it stays an output at the same place.
    pub(super) fn reopened(&mut self, txid: Txid, original: &Transaction) -> Result<Draft, PaymentError> {
        let owned = self.owned();
        let inputs = original
            .input
            .iter()
            .map(|input| {
                let outpoint = input.previous_output;
                let own = owned.iter().find(|owned| owned.coin.outpoint == outpoint);
                own.map(|own| own.coin.clone()).ok_or(PaymentError::ForeignInput { txid, outpoint })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let index = self.inner.spk_index();
        let mut outputs = original.output.clone();
        let runestone = outputs.iter().any(|output| output.script_pubkey.is_op_return());
        let position = outputs.iter().rposition(|output| {
            let of = index.index_of_spk(output.script_pubkey.clone());
            of.is_some_and(|(keychain, _)| *keychain == KeychainKind::Internal)
        });
        let change = match position {
            Some(position) => {
                let script = outputs.remove(position).script_pubkey;
                Change { script, position, required: runestone || position == 0 }
            }
            None if runestone => return Err(PaymentError::NoChange(txid)),
            None => {
                let script = self.address(KeychainKind::Internal).script_pubkey();
                Change { script, position: outputs.len(), required: false }
            }
        };
        Ok(Draft { inputs, outputs, change })
    }

    /// Own coins to reclaim, and the waiting transactions that spend them now.
    pub(super) fn reclaimed(
        &self,
        outpoints: &BTreeSet<OutPoint>,
        has_runestone: bool,
    ) -> Result<(Vec<OwnCoin>, BTreeSet<Txid>), PaymentError> {
        if outpoints.is_empty() {
            return Err(PaymentError::NothingToReclaim);
        }
        let mut spenders = BTreeSet::new();
        let mut coins = Vec::new();
        for owned in self.owned() {
            if !outpoints.contains(&owned.coin.outpoint) {
                continue;
            }
            if let Some(spender) = owned.spent_by {
                self.replaceable(spender.txid)?;
                spenders.insert(spender.txid);
            }
            check_reclaimed(&owned.coin, has_runestone)?;
            coins.push(owned.coin);
        }
        match outpoints.iter().find(|outpoint| coins.iter().all(|coin| coin.outpoint != **outpoint)) {
            Some(outpoint) => Err(PaymentError::NotOurs(*outpoint)),
            None => Ok((coins, spenders)),
        }
    }
}
