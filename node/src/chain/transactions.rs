//! Transactions that were fetched, and the blocks that they were proven to be in. Bounded: what is not there is fetched again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bitcoin::{Transaction, Txid};
use darkswap_wallet::bdk_chain::BlockId;

/// Weight units of all held transactions: as much as sixteen blocks, some 100 MB of memory at most.
const MAX_WEIGHT: u64 = 64_000_000;

/// Held transactions: 100 bytes each for finding them.
const MAX_HELD: usize = 100_000;

/// A transaction that was fetched.
#[derive(Debug, Clone)]
struct Held {
    transaction: Arc<Transaction>,
    /// Where it was proven to be.
    proven: Option<BlockId>,
}

/// The transactions that were fetched last.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    held: BTreeMap<Txid, Held>,
    /// Oldest first.
    order: VecDeque<Txid>,
    weight: u64,
}

impl Transactions {
    /// A transaction, if it is held.
    pub(super) fn transaction(&self, txid: &Txid) -> Option<&Arc<Transaction>> {
        self.held.get(txid).map(|held| &held.transaction)
    }

    /// The block that it was proven to be in. That block may have been replaced since.
    pub(super) fn proven(&self, txid: &Txid) -> Option<BlockId> {
        self.held.get(txid)?.proven
    }

    /// Keeps a transaction under its id, which the caller has computed from it. Older ones make room.
    pub(super) fn keep(&mut self, txid: Txid, transaction: Arc<Transaction>) {
        let weight = transaction.weight().to_wu();
        if self.held.contains_key(&txid) || weight > MAX_WEIGHT {
            return;
        }
        self.weight += weight;
        self.held.insert(txid, Held { transaction, proven: None });
        self.order.push_back(txid);
        while self.weight > MAX_WEIGHT || self.order.len() > MAX_HELD {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(gone) = self.held.remove(&oldest) {
                self.weight -= gone.transaction.weight().to_wu();
            }
        }
    }

    /// Notes where it was proven to be.
    pub(super) fn prove(&mut self, txid: &Txid, block: BlockId) {
        if let Some(held) = self.held.get_mut(txid) {
            held.proven = Some(block);
        }
    }
}
