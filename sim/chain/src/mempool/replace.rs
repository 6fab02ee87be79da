//! Replacement of waiting transactions (BIP 125, with the changes that Bitcoin Core made to it).

use std::collections::BTreeSet;

use bitcoin::{Amount, Transaction, Txid};

use super::{Mempool, required_fee};
use crate::refusal::Refusal;

impl Mempool {
    /// The waiting transactions that spend the same outputs. Without full RBF each must have signalled (rule 1).
    pub(super) fn conflicts(&self, transaction: &Transaction) -> Result<BTreeSet<Txid>, Refusal> {
        let mut conflicts = BTreeSet::new();
        for input in &transaction.input {
            let Some(entry) = self.spender(&input.previous_output) else { continue };
            let signals = entry.transaction.input.iter().any(|input| input.sequence.is_rbf());
            if !self.policy.full_rbf && !signals {
                return Err(Refusal::Conflict(entry.txid));
            }
            conflicts.insert(entry.txid);
        }
        Ok(conflicts)
    }

    /// Whether a transaction may replace its conflicts; returns all that it would evict.
    pub(super) fn check_replacement(
        &self,
        transaction: &Transaction,
        fee: Amount,
        vsize: u64,
        conflicts: &BTreeSet<Txid>,
    ) -> Result<BTreeSet<Txid>, Refusal> {
        self.pays_better_rate(fee, vsize, conflicts)?;
        let mut evicted = conflicts.clone();
        for conflict in conflicts {
            evicted.extend(self.descendants(*conflict));
        }
        if evicted.len() > self.policy.max_replaced {
            return Err(Refusal::TooManyReplacements(self.policy.max_replaced));
        }
        self.adds_no_unconfirmed(transaction, conflicts)?;
        self.pays_for_evicted(fee, vsize, &evicted)?;
        Ok(evicted)
    }

    /// Rule 6, which Core added: a higher fee rate than each transaction that it conflicts with.
    fn pays_better_rate(&self, fee: Amount, vsize: u64, conflicts: &BTreeSet<Txid>) -> Result<(), Refusal> {
        for conflict in conflicts.iter().filter_map(|txid| self.entries.get(txid)) {
            let new = u128::from(fee.to_sat()) * u128::from(conflict.vsize);
            let old = u128::from(conflict.fee.to_sat()) * u128::from(vsize);
            if new <= old {
                let detail = format!(
                    "rejecting replacement; new feerate {} sat / {vsize} vB <= old feerate {} sat / {} vB",
                    fee.to_sat(),
                    conflict.fee.to_sat(),
                    conflict.vsize
                );
                return Err(Refusal::InsufficientFee(detail));
            }
        }
        Ok(())
    }

    /// Rule 2: no unconfirmed inputs but those that its conflicts had.
    fn adds_no_unconfirmed(&self, transaction: &Transaction, conflicts: &BTreeSet<Txid>) -> Result<(), Refusal> {
        let mut known = BTreeSet::new();
        for conflict in conflicts.iter().filter_map(|txid| self.entries.get(txid)) {
            known.extend(self.parents(&conflict.transaction));
        }
        match self.parents(transaction).difference(&known).next() {
            Some(parent) => Err(Refusal::ReplacementAddsUnconfirmed(*parent)),
            None => Ok(()),
        }
    }

    /// Rules 3 and 4: not less than all that it evicts paid, and the price of its own relay on top.
    fn pays_for_evicted(&self, fee: Amount, vsize: u64, evicted: &BTreeSet<Txid>) -> Result<(), Refusal> {
        let paid: Amount = evicted.iter().filter_map(|txid| self.entries.get(txid)).map(|entry| entry.fee).sum();
        let Some(additional) = fee.checked_sub(paid) else {
            let detail = format!("rejecting replacement, less fees than conflicting txs; {fee} < {paid}");
            return Err(Refusal::InsufficientFee(detail));
        };
        let needed = Amount::from_sat(required_fee(self.policy.incremental_fee_rate, vsize));
        if additional < needed {
            let detail = format!("rejecting replacement, not enough additional fees to relay; {additional} < {needed}");
            return Err(Refusal::InsufficientFee(detail));
        }
        Ok(())
    }
}
