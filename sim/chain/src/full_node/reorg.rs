//! Reorgs: a longer branch takes over.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Block, BlockHash, Transaction, Txid};
use thiserror::Error;

use super::FullNode;
use crate::mempool::Limits;
use crate::refusal::BlockRefusal;

/// What becomes of the transactions of disconnected blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Returned {
    /// Those that are still valid wait again, as in Bitcoin Core.
    #[default]
    ToMempool,
    /// They are forgotten, as by nodes that never saw them. Their owners must broadcast them anew.
    Forgotten,
}

/// A branch that takes over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reorg {
    /// How many blocks are disconnected.
    pub depth: u32,
    /// How many blocks the new branch has; more than `depth`, else it would not win.
    pub length: u32,
    /// What the first block of the new branch confirms, such as a double spend. The others are empty.
    pub include: Vec<Transaction>,
    /// What becomes of the transactions of disconnected blocks.
    pub returned: Returned,
}

/// What a reorg did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reorganised {
    /// The blocks that are no longer part of the chain, the highest one first.
    pub disconnected: Vec<BlockHash>,
    /// The blocks of the new branch, the lowest one first.
    pub connected: Vec<BlockHash>,
    /// Transactions of disconnected blocks that wait now.
    pub returned: Vec<Txid>,
    /// Transactions that were confirmed or waited, and are neither now.
    pub lost: Vec<Txid>,
}

/// Why a reorg did not happen.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReorgError {
    /// The chain is not that long.
    #[error(
        "a reorg of {depth} blocks was asked for, but the chain has {height} above the genesis block: ask for 1 to {height}"
    )]
    Depth {
        /// What was asked for.
        depth: u32,
        /// What there is.
        height: u32,
    },
    /// The new branch would not be longer.
    #[error("a branch of {length} blocks cannot replace {depth}: it needs at least {}", depth + 1)]
    Length {
        /// What was asked for.
        length: u32,
        /// How many blocks it would replace.
        depth: u32,
    },
    /// The transactions to include are not valid there.
    #[error("the new branch is invalid ({0}): include only transactions that are valid without the replaced blocks")]
    Block(#[from] BlockRefusal),
}

impl FullNode {
    /// Replaces the last blocks by a longer branch. The whole branch appears at once.
    ///
    /// # Errors
    /// [`ReorgError`] if the branch is impossible; nothing changes then.
    pub fn reorg(&mut self, now: Duration, reorg: Reorg) -> Result<Reorganised, ReorgError> {
        let Reorg { depth, length, include, returned } = reorg;
        let height = self.chain.height();
        if depth == 0 || depth > height {
            return Err(ReorgError::Depth { depth, height });
        }
        if length <= depth {
            return Err(ReorgError::Length { length, depth });
        }
        for height in height - depth + 1..=height {
            self.changes.extend(self.scripts_of_block(height));
        }
        let old: Vec<Arc<Block>> = (0..depth).filter_map(|_| self.chain.disconnect()).collect();
        let waiting = self.mempool.drain();
        let first = self.assemble(now, include);
        if let Err(refusal) = self.chain.connect(first) {
            for block in old.iter().rev() {
                self.chain.connect(block.as_ref().clone()).expect("it was valid here before");
            }
            for entry in waiting {
                let again = self.mempool.accept(&self.chain, entry.added, entry.transaction, Limits::Bypassed);
                again.expect("it was valid here before");
            }
            self.note_mempool();
            return Err(refusal.into());
        }
        self.changes.extend(self.scripts_of_block(self.chain.height()));
        for _ in 1..length {
            let block = self.assemble(now, vec![]);
            self.chain.connect(block).expect("an empty block is valid");
            self.changes.extend(self.scripts_of_block(self.chain.height()));
        }
        let (returned, lost) = self.refill(now, returned, &old, waiting);
        self.note_mempool();
        self.counters.disconnected += u64::from(depth);
        self.counters.connected += u64::from(length);
        self.counters.returned += returned.len() as u64;
        self.counters.lost += lost.len() as u64;
        let branch = height - depth + 1..=self.chain.height();
        Ok(Reorganised {
            disconnected: old.iter().map(|block| block.block_hash()).collect(),
            connected: branch.filter_map(|height| self.chain.block_hash(height)).collect(),
            returned,
            lost,
        })
    }

    /// Puts back what is still valid: transactions of disconnected blocks, oldest first, then those that waited.
    fn refill(
        &mut self,
        now: Duration,
        mode: Returned,
        old: &[Arc<Block>],
        waiting: Vec<crate::mempool::Entry>,
    ) -> (Vec<Txid>, Vec<Txid>) {
        let (mut returned, mut lost) = (Vec::new(), Vec::new());
        let disconnected = old.iter().rev().flat_map(|block| block.txdata.iter().skip(1));
        for transaction in disconnected {
            let txid = transaction.compute_txid();
            if self.chain.transaction(&txid).is_some() {
                continue;
            }
            let accepted = mode == Returned::ToMempool && self.accept_again(now, Arc::new(transaction.clone()));
            if accepted { returned.push(txid) } else { lost.push(txid) }
        }
        for entry in waiting {
            let known = self.chain.transaction(&entry.txid).is_some();
            if !known && !self.accept_again(entry.added, entry.transaction) {
                lost.push(entry.txid);
            }
        }
        (returned, lost)
    }

    fn accept_again(&mut self, added: Duration, transaction: Arc<Transaction>) -> bool {
        self.mempool.accept(&self.chain, added, transaction, Limits::Bypassed).is_ok()
    }
}
