//! Transactions that wait for a block.

mod accept;
mod family;
mod policy;
mod replace;
mod standard;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Amount, OutPoint, Transaction, Txid, Wtxid};

pub(crate) use accept::Limits;
pub use policy::{Policy, required_fee};

use crate::chain::Chain;
use crate::coin::{Coin, outpoints_of};
use crate::script_hash::ScriptHash;

/// A waiting transaction.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The transaction itself.
    pub transaction: Arc<Transaction>,
    /// Its id.
    pub txid: Txid,
    /// Its id with witnesses.
    pub wtxid: Wtxid,
    /// What it pays.
    pub fee: Amount,
    /// Its size in virtual bytes (BIP 141).
    pub vsize: u64,
    /// Its weight (BIP 141).
    pub weight: u64,
    /// When it was accepted.
    pub added: Duration,
    /// The scripts that it touches.
    pub(crate) scripts: BTreeSet<ScriptHash>,
}

/// The mempool of one node, under Bitcoin Core's rules for single transactions.
#[derive(Debug, Clone)]
pub struct Mempool {
    policy: Policy,
    entries: BTreeMap<Txid, Entry>,
    spends: BTreeMap<OutPoint, Txid>,
    scripts: BTreeMap<ScriptHash, BTreeSet<Txid>>,
    vsize: u64,
    /// Scripts of what came and went since [`Mempool::take_touched`].
    touched: BTreeSet<ScriptHash>,
    /// The fee rate below which nothing is accepted since the pool was full, in satoshis per 1,000 virtual bytes.
    floor: u64,
}

impl Mempool {
    /// An empty mempool.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            entries: BTreeMap::new(),
            spends: BTreeMap::new(),
            scripts: BTreeMap::new(),
            vsize: 0,
            touched: BTreeSet::new(),
            floor: 0,
        }
    }

    /// The rules of admission.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A waiting transaction.
    pub fn entry(&self, txid: &Txid) -> Option<&Entry> {
        self.entries.get(txid)
    }

    /// All waiting transactions in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The sum of virtual sizes.
    pub fn vsize(&self) -> u64 {
        self.vsize
    }

    /// The waiting transaction that spends an outpoint.
    pub fn spender(&self, outpoint: &OutPoint) -> Option<&Entry> {
        self.spends.get(outpoint).and_then(|txid| self.entries.get(txid))
    }

    /// The waiting transactions that pay to a script or spend from it, in the order of their ids.
    pub fn touching(&self, script: &ScriptHash) -> impl Iterator<Item = &Entry> {
        self.scripts.get(script).into_iter().flatten().filter_map(|txid| self.entries.get(txid))
    }

    /// The fee rate that a transaction needs now, in satoshis per 1,000 virtual bytes.
    pub fn min_fee_rate(&self) -> u64 {
        self.floor.max(self.policy.min_relay_fee_rate)
    }

    /// The waiting transactions that spend outputs of this one, which need not wait itself.
    pub(crate) fn children(&self, txid: Txid) -> BTreeSet<Txid> {
        self.spends.range(outpoints_of(txid)).map(|(_, child)| *child).collect()
    }

    /// A coin of the chain or of a waiting transaction, spent in the mempool or not.
    pub(crate) fn coin(&self, chain: &Chain, outpoint: &OutPoint) -> Option<Coin> {
        if let Some(parent) = self.entries.get(&outpoint.txid) {
            let output = parent.transaction.output.get(usize::try_from(outpoint.vout).ok()?)?.clone();
            return Some(Coin { output, height: chain.height() + 1, coinbase: false });
        }
        chain.coins().coin(outpoint).cloned()
    }

    /// Removes transactions and all that descends from them; returns them, parents first.
    pub(crate) fn remove_with_descendants(&mut self, txids: &BTreeSet<Txid>) -> Vec<Entry> {
        let mut doomed = BTreeSet::new();
        for txid in txids.iter().filter(|txid| self.entries.contains_key(*txid)) {
            doomed.insert(*txid);
            doomed.extend(self.descendants(*txid));
        }
        let order = self.parents_first(doomed);
        order.iter().filter_map(|txid| self.remove(txid)).collect()
    }

    /// Takes out what a block confirmed and what conflicts with it; returns both, in this order.
    pub(crate) fn remove_for_block<'a>(
        &mut self,
        block: impl Iterator<Item = (&'a Transaction, Txid)>,
    ) -> (Vec<Entry>, Vec<Entry>) {
        let (mut confirmed, mut conflicts) = (Vec::new(), Vec::new());
        for (transaction, txid) in block {
            confirmed.extend(self.remove(&txid));
            let spent = transaction.input.iter().map(|input| &input.previous_output);
            let doomed: BTreeSet<Txid> = spent.filter_map(|outpoint| self.spends.get(outpoint).copied()).collect();
            conflicts.extend(self.remove_with_descendants(&doomed));
        }
        if self.vsize < self.policy.max_vsize / 2 {
            self.floor = 0;
        }
        (confirmed, conflicts)
    }

    /// Empties the mempool; returns what was in it, parents first.
    pub(crate) fn drain(&mut self) -> Vec<Entry> {
        let order = self.parents_first(self.entries.keys().copied().collect());
        order.iter().filter_map(|txid| self.remove(txid)).collect()
    }

    /// The scripts of all transactions that came or went since the last call.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<ScriptHash> {
        std::mem::take(&mut self.touched)
    }

    fn insert(&mut self, entry: Entry) {
        self.touched.extend(&entry.scripts);
        self.vsize += entry.vsize;
        for input in &entry.transaction.input {
            self.spends.insert(input.previous_output, entry.txid);
        }
        for script in &entry.scripts {
            self.scripts.entry(*script).or_default().insert(entry.txid);
        }
        self.entries.insert(entry.txid, entry);
    }

    fn remove(&mut self, txid: &Txid) -> Option<Entry> {
        let entry = self.entries.remove(txid)?;
        self.vsize -= entry.vsize;
        self.touched.extend(&entry.scripts);
        for input in &entry.transaction.input {
            self.spends.remove(&input.previous_output);
        }
        for script in &entry.scripts {
            if let Some(txids) = self.scripts.get_mut(script) {
                txids.remove(txid);
                if txids.is_empty() {
                    self.scripts.remove(script);
                }
            }
        }
        Some(entry)
    }
}
