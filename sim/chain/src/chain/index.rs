//! Where transactions are, and which scripts they touch.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Transaction, Txid};

use crate::coin::Coin;
use crate::script_hash::ScriptHash;

/// The place of a transaction in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) height: u32,
    pub(super) position: usize,
}

/// The index of the active chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Index {
    transactions: BTreeMap<Txid, Position>,
    scripts: BTreeMap<ScriptHash, BTreeSet<Position>>,
}

impl Index {
    pub(super) fn transaction(&self, txid: &Txid) -> Option<Position> {
        self.transactions.get(txid).copied()
    }

    pub(super) fn history(&self, script: &ScriptHash) -> impl Iterator<Item = Position> {
        self.scripts.get(script).into_iter().flatten().copied()
    }

    pub(super) fn insert(&mut self, txid: Txid, transaction: &Transaction, spent: &[Coin], position: Position) {
        self.transactions.insert(txid, position);
        for script in scripts_touched(transaction, spent) {
            self.scripts.entry(script).or_default().insert(position);
        }
    }

    pub(super) fn remove(&mut self, txid: &Txid, transaction: &Transaction, spent: &[Coin], position: Position) {
        self.transactions.remove(txid);
        for script in scripts_touched(transaction, spent) {
            if let Some(positions) = self.scripts.get_mut(&script) {
                positions.remove(&position);
                if positions.is_empty() {
                    self.scripts.remove(&script);
                }
            }
        }
    }
}

/// The scripts that a transaction pays to or spends from.
pub(crate) fn scripts_touched(transaction: &Transaction, spent: &[Coin]) -> BTreeSet<ScriptHash> {
    let paid = transaction.output.iter().map(|output| &output.script_pubkey);
    paid.chain(spent.iter().map(|coin| &coin.output.script_pubkey)).map(|script| ScriptHash::of(script)).collect()
}
