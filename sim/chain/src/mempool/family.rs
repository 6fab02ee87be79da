//! Ancestors and descendants among waiting transactions.

use std::collections::BTreeSet;

use bitcoin::{Transaction, Txid};

use super::Mempool;

impl Mempool {
    /// The waiting transactions that this one, which need not wait itself, depends on.
    pub(crate) fn ancestors(&self, transaction: &Transaction) -> BTreeSet<Txid> {
        let mut found = BTreeSet::new();
        let mut open = self.parents(transaction);
        while let Some(txid) = open.pop_first() {
            if found.insert(txid) {
                open.extend(self.parents(&self.entries[&txid].transaction).difference(&found));
            }
        }
        found
    }

    /// The waiting transactions that depend on this one.
    pub(crate) fn descendants(&self, txid: Txid) -> BTreeSet<Txid> {
        let mut found = BTreeSet::new();
        let mut open = self.children(txid);
        while let Some(child) = open.pop_first() {
            if found.insert(child) {
                open.extend(self.children(child).difference(&found));
            }
        }
        found
    }

    /// The waiting transactions whose outputs this one spends.
    pub(crate) fn parents(&self, transaction: &Transaction) -> BTreeSet<Txid> {
        let spent = transaction.input.iter().map(|input| input.previous_output.txid);
        spent.filter(|txid| self.entries.contains_key(txid)).collect()
    }

    /// Orders waiting transactions so that each comes after those of them that it depends on.
    pub(crate) fn parents_first(&self, mut txids: BTreeSet<Txid>) -> Vec<Txid> {
        let mut ordered = Vec::with_capacity(txids.len());
        while let Some(start) = txids.first().copied() {
            // Depth first, without recursion: a chain of transactions can be long when limits are bypassed.
            let mut path = vec![start];
            while let Some(txid) = path.last().copied() {
                let parents = self.parents(&self.entries[&txid].transaction);
                match parents.into_iter().find(|parent| txids.contains(parent)) {
                    Some(parent) => path.push(parent),
                    None => {
                        path.pop();
                        if txids.remove(&txid) {
                            ordered.push(txid);
                        }
                    }
                }
            }
        }
        ordered
    }
}
