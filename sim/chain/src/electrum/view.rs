//! What a server sees of its node, and what its faults make of that.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::{Amount, OutPoint, Transaction, Txid};

use crate::chain::Chain;
use crate::fault::Faults;
use crate::full_node::FullNode;
use crate::mempool::Mempool;
use crate::script_hash::ScriptHash;

/// Where a transaction is in the eyes of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the block at this height.
    Confirmed(u32),
    /// Not in a block; all of its inputs are confirmed.
    Waiting,
    /// Not in a block, and neither is a parent.
    WaitingForParents,
}

impl Place {
    /// The height as histories tell it: 0 and -1 for transactions that wait.
    pub(super) fn height(self) -> i64 {
        match self {
            Self::Confirmed(height) => i64::from(height),
            Self::Waiting => 0,
            Self::WaitingForParents => -1,
        }
    }
}

/// A transaction in the history of a script.
#[derive(Debug, Clone)]
pub(super) struct Seen<'a> {
    pub(super) txid: Txid,
    pub(super) transaction: &'a Transaction,
    pub(super) place: Place,
    pub(super) fee: Amount,
}

/// An unspent output of a script; height 0 if it is not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unspent {
    pub(super) height: u32,
    pub(super) outpoint: OutPoint,
    pub(super) value: Amount,
}

/// One look at the node.
pub(super) struct View<'a> {
    node: &'a FullNode,
    faults: &'a mut Faults,
    height: u32,
}

impl<'a> View<'a> {
    pub(super) fn new(node: &'a FullNode, faults: &'a mut Faults) -> Self {
        let tip = node.chain().height();
        let height = tip.saturating_sub(faults.lag);
        if height < tip {
            faults.touched.lagging += 1;
        }
        Self { node, faults, height }
    }

    /// The height of the tip that it shows.
    pub(super) fn height(&self) -> u32 {
        self.height
    }

    pub(super) fn chain(&self) -> &'a Chain {
        self.node.chain()
    }

    fn mempool(&self) -> &'a Mempool {
        self.node.mempool()
    }

    /// The history of a script, confirmed transactions first, in the order that the protocol demands.
    pub(super) fn history(&mut self, script: &ScriptHash) -> Vec<Seen<'a>> {
        let (mut confirmed, mut waiting) = (Vec::new(), Vec::new());
        for found in self.chain().history(script) {
            let fee = self.chain().fee(&found);
            let place = match found.height <= self.height {
                true => Place::Confirmed(found.height),
                // A coinbase never waits.
                false if found.position == 0 => continue,
                false => self.waiting_place(found.transaction),
            };
            let seen = Seen { txid: found.txid, transaction: found.transaction, place, fee };
            if found.height <= self.height { confirmed.push(seen) } else { waiting.push(seen) }
        }
        for entry in self.mempool().touching(script) {
            let place = self.waiting_place(&entry.transaction);
            waiting.push(Seen { txid: entry.txid, transaction: &entry.transaction, place, fee: entry.fee });
        }
        waiting.sort_by_key(|seen| (-seen.place.height(), seen.txid.to_string()));
        confirmed.extend(waiting);
        self.lie(confirmed)
    }

    /// The status of a script: the hash of its history, or `None` without history (Electrum protocol, "Status").
    pub(super) fn status(&mut self, script: &ScriptHash) -> Option<sha256::Hash> {
        let history = self.history(script);
        let mut engine = sha256::Hash::engine();
        for seen in &history {
            engine.input(format!("{}:{}:", seen.txid, seen.place.height()).as_bytes());
        }
        (!history.is_empty()).then(|| sha256::Hash::from_engine(engine))
    }

    /// The confirmed balance and what waiting transactions add to it, in satoshis.
    pub(super) fn balance(&mut self, script: &ScriptHash) -> (i64, i64) {
        let history = self.history(script);
        let confirmed_only: Vec<Seen<'_>> =
            history.iter().filter(|seen| matches!(seen.place, Place::Confirmed(_))).cloned().collect();
        let sum =
            |seen: &[Seen<'_>]| unspent(seen, script).iter().map(|unspent| unspent.value.to_sat() as i64).sum::<i64>();
        let (mut confirmed, total) = (sum(&confirmed_only), sum(&history));
        let unconfirmed = total - confirmed;
        if let Some(difference) = self.faults.balances.get(script) {
            self.faults.touched.balances += 1;
            // A negative balance would give the lie away before anybody compares.
            confirmed = confirmed.saturating_add(*difference).max(0);
        }
        (confirmed, unconfirmed)
    }

    /// What a script can spend, waiting transactions included, oldest first.
    pub(super) fn unspent(&mut self, script: &ScriptHash) -> Vec<Unspent> {
        unspent(&self.history(script), script)
    }

    /// A transaction, and its height if it is confirmed.
    pub(super) fn transaction(&mut self, txid: &Txid) -> Option<(&'a Transaction, Option<u32>)> {
        if self.faults.hidden.contains(txid) {
            self.faults.touched.hidden += 1;
            return None;
        }
        if let Some(found) = self.chain().transaction(txid) {
            return Some((found.transaction, (found.height <= self.height).then_some(found.height)));
        }
        self.mempool().entry(txid).map(|entry| (entry.transaction.as_ref(), None))
    }

    /// The ids of the transactions of a block that it shows.
    pub(super) fn txids(&self, height: u32) -> Option<&'a [Txid]> {
        self.chain().txids(height).filter(|_| height <= self.height)
    }

    /// Whether a proof for this transaction at this height must be a wrong one. Counted.
    pub(super) fn forges(&mut self, txid: &Txid, height: u32) -> bool {
        let forged = self.faults.forged.contains(txid) || self.faults.invented.get(txid) == Some(&height);
        self.faults.touched.proofs += u64::from(forged);
        forged
    }

    fn waiting_place(&self, transaction: &Transaction) -> Place {
        let shown = |txid: &Txid| self.chain().transaction(txid).is_some_and(|found| found.height <= self.height);
        match transaction.input.iter().all(|input| shown(&input.previous_output.txid)) {
            true => Place::Waiting,
            false => Place::WaitingForParents,
        }
    }

    fn lie(&mut self, history: Vec<Seen<'a>>) -> Vec<Seen<'a>> {
        let mut told = Vec::with_capacity(history.len());
        for mut seen in history {
            if self.faults.hidden.contains(&seen.txid) {
                self.faults.touched.hidden += 1;
                continue;
            }
            let waits = !matches!(seen.place, Place::Confirmed(_));
            if let Some(height) = self.faults.invented.get(&seen.txid).filter(|_| waits) {
                self.faults.touched.invented += 1;
                seen.place = Place::Confirmed(*height);
            }
            told.push(seen);
        }
        // Stable: only invented confirmations move, to the end of their height.
        let group = |seen: &Seen<'_>| match seen.place {
            Place::Confirmed(height) => (0, height),
            Place::Waiting | Place::WaitingForParents => (1, 0),
        };
        told.sort_by_key(group);
        told
    }
}

/// The outputs of a history that pay to the script and are not spent in it.
fn unspent(history: &[Seen<'_>], script: &ScriptHash) -> Vec<Unspent> {
    let inputs = history.iter().flat_map(|seen| &seen.transaction.input);
    let spent: BTreeSet<OutPoint> = inputs.map(|input| input.previous_output).collect();
    let mut funded = BTreeMap::new();
    for (order, seen) in history.iter().enumerate() {
        for (vout, output) in (0..).zip(&seen.transaction.output) {
            let outpoint = OutPoint { txid: seen.txid, vout };
            if ScriptHash::of(&output.script_pubkey) == *script && !spent.contains(&outpoint) {
                let height = u32::try_from(seen.place.height()).unwrap_or(0);
                funded.insert((order, vout), Unspent { height, outpoint, value: output.value });
            }
        }
    }
    funded.into_values().collect()
}
