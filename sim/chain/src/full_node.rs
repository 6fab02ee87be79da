//! A node that has a chain and a mempool, and keeps them consistent.

mod fund;
mod reorg;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Amount, Block, BlockHash, OutPoint, ScriptBuf, Transaction, TxOut, Txid};

pub use fund::{FundError, spend_witness, spendable_script, spendable_witness_script};
pub use reorg::{Reorg, ReorgError, Reorganised, Returned};

use crate::block::{MAX_BLOCK_WEIGHT, Template, subsidy};
use crate::chain::{Chain, scripts_touched};
use crate::change::ChangeLog;
use crate::mempool::{Limits, Mempool, Policy};
use crate::miner::select;
use crate::refusal::{BlockRefusal, Refusal};
use crate::script_hash::ScriptHash;

/// What is kept free for header and coinbase, as Bitcoin Core does.
const RESERVED_WEIGHT: u64 = 8_000;

/// How a node is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// The rules of its mempool.
    pub policy: Policy,
    /// After how many blocks the subsidy halves: that of the main chain. With regtest's 150, funding would run dry.
    pub halving_interval: u32,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self { policy: Policy::default(), halving_interval: 210_000 }
    }
}

/// What a node did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Transactions that came into the mempool by broadcast.
    pub accepted: u64,
    /// Transactions that were refused.
    pub refused: u64,
    /// Transactions that gave way to a replacement.
    pub replaced: u64,
    /// Transactions that were evicted, by request or because the mempool was full.
    pub evicted: u64,
    /// Waiting transactions that a block made invalid.
    pub conflicted: u64,
    /// Blocks that were connected.
    pub connected: u64,
    /// Blocks that reorgs disconnected.
    pub disconnected: u64,
    /// Transactions that reorgs brought back into the mempool.
    pub returned: u64,
    /// Transactions that were confirmed or waited before a reorg, and are neither after it.
    pub lost: u64,
}

/// A full node that mines.
#[derive(Debug, Clone)]
pub struct FullNode {
    chain: Chain,
    mempool: Mempool,
    changes: ChangeLog,
    counters: Counters,
    /// The tag of the next coinbase.
    tag: u64,
}

impl FullNode {
    /// A node that knows the genesis block only. The seed goes into the blocks, so that each has its own hashes.
    pub fn new(config: NodeConfig, seed: u64) -> Self {
        Self {
            chain: Chain::new(config.halving_interval),
            mempool: Mempool::new(config.policy),
            changes: ChangeLog::default(),
            counters: Counters::default(),
            tag: seed,
        }
    }

    /// The active chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The transactions that wait.
    pub fn mempool(&self) -> &Mempool {
        &self.mempool
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes a transaction into the mempool, as `sendrawtransaction` does. One that waits already is no error.
    ///
    /// # Errors
    /// [`Refusal`] with Bitcoin Core's reject string.
    pub fn broadcast(&mut self, now: Duration, transaction: Transaction) -> Result<Txid, Refusal> {
        let (txid, wtxid) = (transaction.compute_txid(), transaction.compute_wtxid());
        let accepted = self.mempool.accept(&self.chain, now, Arc::new(transaction), Limits::Enforced);
        self.note_mempool();
        match accepted {
            Ok(acceptance) => {
                self.chain.scripts_are_valid(wtxid);
                self.counters.accepted += 1;
                self.counters.replaced += acceptance.replaced.len() as u64;
                self.counters.evicted += acceptance.evicted.len() as u64;
                Ok(txid)
            }
            Err(Refusal::AlreadyInMempool) => Ok(txid),
            Err(refusal) => {
                self.counters.refused += 1;
                Err(refusal)
            }
        }
    }

    /// Mines blocks from the mempool, best paid first.
    pub fn mine(&mut self, now: Duration, count: u32) -> Vec<BlockHash> {
        let mut mined = Vec::new();
        for _ in 0..count {
            let chosen = select(&self.mempool, MAX_BLOCK_WEIGHT - RESERVED_WEIGHT);
            let transactions = chosen.iter().map(|entry| entry.transaction.as_ref().clone()).collect();
            let block = self.assemble(now, transactions);
            self.connect(block).expect("what waits in the mempool can be in the next block");
            mined.push(self.chain.tip());
        }
        mined
    }

    /// Mines a block with exactly these transactions, whatever the mempool thinks of them.
    ///
    /// # Errors
    /// [`BlockRefusal`] if they do not make a valid block; nothing changes then.
    pub fn mine_exactly(&mut self, now: Duration, transactions: Vec<Transaction>) -> Result<BlockHash, BlockRefusal> {
        let block = self.assemble(now, transactions);
        self.connect(block)?;
        Ok(self.chain.tip())
    }

    /// Connects a block from elsewhere.
    ///
    /// # Errors
    /// [`BlockRefusal`] if it is not a valid next block; nothing changes then.
    pub fn connect(&mut self, block: Block) -> Result<(), BlockRefusal> {
        self.chain.connect(block)?;
        self.counters.connected += 1;
        let height = self.chain.height();
        let block = Arc::clone(self.chain.block(height).expect("it was connected"));
        let txids = self.chain.txids(height).expect("it was connected");
        // Children that wait had an unconfirmed parent until now, which their status tells.
        let children: BTreeSet<Txid> = txids.iter().flat_map(|txid| self.mempool.children(*txid)).collect();
        let (_, conflicts) = self.mempool.remove_for_block(block.txdata.iter().zip(txids.iter().copied()));
        self.counters.conflicted += conflicts.len() as u64;
        let mut touched = self.scripts_of_block(height);
        for entry in children.iter().filter_map(|txid| self.mempool.entry(txid)) {
            touched.extend(&entry.scripts);
        }
        self.changes.extend(touched);
        self.note_mempool();
        Ok(())
    }

    /// Removes transactions from the mempool, as a node does that restarts without it; returns all that left with them.
    pub fn evict(&mut self, txids: &[Txid]) -> Vec<Txid> {
        let evicted = self.mempool.remove_with_descendants(&txids.iter().copied().collect());
        self.counters.evicted += evicted.len() as u64;
        self.note_mempool();
        evicted.iter().map(|entry| entry.txid).collect()
    }

    /// A number that grows whenever the history of a script may have changed.
    pub fn revision(&self) -> u64 {
        self.changes.revision()
    }

    /// The scripts whose history may have changed since a revision, or `None` if that is too long ago.
    pub fn changed_since(&self, revision: u64) -> Option<BTreeSet<ScriptHash>> {
        self.changes.since(revision)
    }

    /// Builds a block on the tip.
    fn assemble(&mut self, now: Duration, transactions: Vec<Transaction>) -> Block {
        let height = self.chain.height() + 1;
        let median = self.chain.median_time_past(height - 1).expect("the tip exists");
        let now = u32::try_from(now.as_secs()).expect("block times end in the year 2106");
        let reward = subsidy(height, self.chain.halving_interval()).checked_add(self.fees(&transactions));
        self.tag = self.tag.wrapping_add(1);
        let template = Template {
            previous: self.chain.tip(),
            height,
            time: now.max(median + 1),
            payout: treasury(),
            reward: reward.unwrap_or(Amount::ZERO),
            tag: self.tag,
            transactions,
        };
        template.assemble()
    }

    /// What these transactions pay together, each spending coins of the chain or of those before it. Invalid ones pay 0.
    fn fees(&self, transactions: &[Transaction]) -> Amount {
        let mut created: BTreeMap<OutPoint, &TxOut> = BTreeMap::new();
        let mut fees = Amount::ZERO;
        for transaction in transactions {
            let coin = |outpoint: &OutPoint| {
                let confirmed = self.chain.coins().coin(outpoint).map(|coin| coin.output.value);
                confirmed.or_else(|| created.get(outpoint).map(|output| output.value)).unwrap_or(Amount::ZERO)
            };
            let spent = crate::verify::sum(transaction.input.iter().map(|input| coin(&input.previous_output)));
            let paid = crate::verify::sum(transaction.output.iter().map(|output| output.value));
            let fee = spent.zip(paid).and_then(|(spent, paid)| spent.checked_sub(paid)).unwrap_or(Amount::ZERO);
            fees = fees.checked_add(fee).unwrap_or(fees);
            let txid = transaction.compute_txid();
            created.extend((0..).zip(&transaction.output).map(|(vout, output)| (OutPoint { txid, vout }, output)));
        }
        fees
    }

    fn scripts_of_block(&self, height: u32) -> BTreeSet<ScriptHash> {
        let transactions = self.chain.transactions(height);
        transactions.flat_map(|found| scripts_touched(found.transaction, found.spent)).collect()
    }

    fn note_mempool(&mut self) {
        let touched = self.mempool.take_touched();
        self.changes.extend(touched);
    }
}

/// Who gets the rewards: a script that anybody can spend, which only [`FullNode::fund`] does.
fn treasury() -> ScriptBuf {
    spendable_script(fund::TREASURY)
}
