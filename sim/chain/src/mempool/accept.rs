//! Admission to the mempool, in the order of Bitcoin Core's `MemPoolAccept`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Amount, Transaction, Txid, Wtxid};

use super::{Entry, Mempool, required_fee, standard};
use crate::chain::{Chain, scripts_touched};
use crate::coin::Coin;
use crate::refusal::Refusal;
use crate::verify;

/// Whether limits that protect a node are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limits {
    /// All of them.
    Enforced,
    /// Neither fees nor families: for transactions that a reorg brings back, as Core does it.
    Bypassed,
}

/// What an accepted transaction changed.
#[derive(Debug, Clone)]
pub(crate) struct Acceptance {
    /// What it replaced, parents first.
    pub(crate) replaced: Vec<Entry>,
    /// What had to leave because it was too old or the mempool was full, parents first.
    pub(crate) evicted: Vec<Entry>,
}

/// A transaction that passed all checks that look at coins.
struct Checked {
    coins: Vec<Coin>,
    fee: Amount,
    vsize: u64,
    wtxid: Wtxid,
    replaced: BTreeSet<Txid>,
}

impl Mempool {
    /// Checks a transaction and takes it in.
    ///
    /// # Errors
    /// [`Refusal`] with Bitcoin Core's reject string; the mempool is unchanged but for expired transactions.
    pub(crate) fn accept(
        &mut self,
        chain: &Chain,
        now: Duration,
        transaction: Arc<Transaction>,
        limits: Limits,
    ) -> Result<Acceptance, Refusal> {
        let txid = transaction.compute_txid();
        let checked = self.check(chain, &transaction, txid, limits)?;
        let replaced = self.remove_with_descendants(&checked.replaced);
        let scripts = scripts_touched(&transaction, &checked.coins);
        let weight = transaction.weight().to_wu();
        let Checked { fee, vsize, wtxid, .. } = checked;
        self.insert(Entry { transaction, txid, wtxid, fee, vsize, weight, added: now, scripts });
        let mut evicted = Vec::new();
        if limits == Limits::Enforced {
            evicted = self.expire(now);
            evicted.extend(self.shrink());
            if !self.entries.contains_key(&txid) {
                // What it replaced or pushed out is gone all the same, as in Core.
                return Err(Refusal::MempoolFull);
            }
        }
        Ok(Acceptance { replaced, evicted })
    }

    fn check(&self, chain: &Chain, transaction: &Transaction, txid: Txid, limits: Limits) -> Result<Checked, Refusal> {
        verify::check_transaction(transaction)?;
        if transaction.is_coinbase() {
            return Err(Refusal::Coinbase);
        }
        standard::check_transaction(transaction, &self.policy)?;
        let wtxid = transaction.compute_wtxid();
        if let Some(entry) = self.entries.get(&txid) {
            let same = entry.wtxid == wtxid;
            return Err(if same { Refusal::AlreadyInMempool } else { Refusal::SameWithOtherWitness });
        }
        let conflicts = self.conflicts(transaction)?;
        let (coins, fee) = chain.check_next(transaction, |outpoint| self.coin(chain, outpoint)).map_err(|refusal| {
            let known = chain.coins().of_transaction(txid).next().is_some();
            if known && matches!(refusal, Refusal::MissingInput(_)) { Refusal::AlreadyConfirmed } else { refusal }
        })?;
        standard::check_inputs(&coins)?;
        let vsize = transaction.vsize() as u64;
        if limits == Limits::Enforced {
            self.check_fee(fee, vsize)?;
        }
        let ancestors = self.ancestors(transaction);
        if let Some(conflict) = ancestors.intersection(&conflicts).next() {
            return Err(Refusal::SpendsConflicting(*conflict));
        }
        let replaced = match conflicts.is_empty() {
            true => BTreeSet::new(),
            false => self.check_replacement(transaction, fee, vsize, &conflicts)?,
        };
        if limits == Limits::Enforced {
            self.check_family(vsize, &ancestors, &replaced)?;
        }
        chain.check_scripts(transaction, &coins)?;
        if limits == Limits::Enforced && fee.to_sat() > required_fee(self.policy.max_fee_rate, vsize) {
            return Err(Refusal::MaxFeeExceeded);
        }
        Ok(Checked { coins, fee, vsize, wtxid, replaced })
    }

    fn check_fee(&self, fee: Amount, vsize: u64) -> Result<(), Refusal> {
        let fee = fee.to_sat();
        let relay = required_fee(self.policy.min_relay_fee_rate, vsize);
        if fee < relay {
            return Err(Refusal::MinRelayFee(fee, relay));
        }
        let floor = required_fee(self.floor, vsize);
        if fee < floor {
            return Err(Refusal::MempoolMinFee(fee, floor));
        }
        Ok(())
    }

    /// Checks the limits on ancestors, and on the descendants of each of them once the replaced ones are gone.
    fn check_family(&self, vsize: u64, ancestors: &BTreeSet<Txid>, replaced: &BTreeSet<Txid>) -> Result<(), Refusal> {
        let limit = |detail: String| Err(Refusal::TooLongChain(detail));
        let size = |txids: &BTreeSet<Txid>| txids.iter().map(|txid| self.entries[txid].vsize).sum::<u64>();
        if ancestors.len() + 1 > self.policy.max_ancestors {
            return limit(format!("too many unconfirmed ancestors [limit: {}]", self.policy.max_ancestors));
        }
        if size(ancestors) + vsize > self.policy.max_family_vsize {
            return limit(format!("exceeds ancestor size limit [limit: {}]", self.policy.max_family_vsize));
        }
        for ancestor in ancestors {
            let mut family = self.descendants(*ancestor);
            family.retain(|txid| !replaced.contains(txid));
            family.insert(*ancestor);
            if family.len() + 1 > self.policy.max_descendants {
                let limit_text = self.policy.max_descendants;
                return limit(format!("too many descendants for tx {ancestor} [limit: {limit_text}]"));
            }
            if size(&family) + vsize > self.policy.max_family_vsize {
                let limit_text = self.policy.max_family_vsize;
                return limit(format!("exceeds descendant size limit for tx {ancestor} [limit: {limit_text}]"));
            }
        }
        Ok(())
    }

    /// Drops what waited too long.
    fn expire(&mut self, now: Duration) -> Vec<Entry> {
        let old = |entry: &&Entry| now.saturating_sub(entry.added) > self.policy.expiry;
        let expired: BTreeSet<Txid> = self.entries.values().filter(old).map(|entry| entry.txid).collect();
        self.remove_with_descendants(&expired)
    }

    /// Evicts the family with the lowest fee rate until the rest fits; the floor rises above it.
    fn shrink(&mut self) -> Vec<Entry> {
        let mut evicted = Vec::new();
        while self.vsize > self.policy.max_vsize {
            let rates = self.entries.keys().map(|txid| (self.descendant_rate(*txid), *txid));
            let Some((rate, txid)) = rates.min() else { break };
            self.floor = self.floor.max(rate.saturating_add(self.policy.incremental_fee_rate));
            evicted.extend(self.remove_with_descendants(&BTreeSet::from([txid])));
        }
        evicted
    }

    /// The better one of its own fee rate and that with its descendants, in satoshis per 1,000 virtual bytes.
    fn descendant_rate(&self, txid: Txid) -> u64 {
        let rate = |fee: u64, vsize: u64| fee.saturating_mul(1_000) / vsize.max(1);
        let own = &self.entries[&txid];
        let family = self.descendants(txid);
        let (mut fee, mut vsize) = (own.fee.to_sat(), own.vsize);
        for entry in family.iter().filter_map(|txid| self.entries.get(txid)) {
            fee = fee.saturating_add(entry.fee.to_sat());
            vsize += entry.vsize;
        }
        rate(own.fee.to_sat(), own.vsize).max(rate(fee, vsize))
    }
}
