//! The active chain: blocks by height, the UTXO set, and an index by transaction and by script.

mod connect;
mod index;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::constants::genesis_block;
use bitcoin::{Amount, Block, BlockHash, Network, OutPoint, Transaction, Txid, Wtxid};

pub(crate) use index::scripts_touched;

use crate::coin::{Coin, UtxoSet};
use crate::refusal::Refusal;
use crate::script_hash::ScriptHash;
use crate::verify;
use index::{Index, Position};

/// A coinbase's outputs can be spent in blocks this far above it.
pub const COINBASE_MATURITY: u32 = 100;
/// The median time is taken over this many blocks (BIP 113).
const MEDIAN_TIME_SPAN: usize = 11;
/// Disconnected blocks that are kept, as `bitcoind` keeps them: deeper than any reorg of a scenario.
const MAX_STALE: usize = 1_000;
/// Transactions whose scripts are known to be valid; a full set is cleared. Some 4 MB.
const MAX_VERIFIED: usize = 65_536;

/// The active chain from the genesis block of regtest.
#[derive(Debug, Clone)]
pub struct Chain {
    blocks: Vec<Connected>,
    heights: BTreeMap<BlockHash, u32>,
    stale: VecDeque<Stale>,
    coins: UtxoSet,
    index: Index,
    verified: BTreeSet<Wtxid>,
    halving_interval: u32,
}

/// A block of the active chain, and what is needed to undo it.
#[derive(Debug, Clone)]
struct Connected {
    block: Arc<Block>,
    hash: BlockHash,
    txids: Vec<Txid>,
    /// The spent coins of each transaction but the coinbase.
    spent: Vec<Vec<Coin>>,
    median_time_past: u32,
}

/// A block that a reorg disconnected, with what it spent.
#[derive(Debug, Clone)]
struct Stale {
    block: Arc<Block>,
    hash: BlockHash,
    /// The spent coins of each transaction but the coinbase.
    spent: Vec<Vec<Coin>>,
}

/// A transaction of the active chain.
#[derive(Debug, Clone, Copy)]
pub struct ConfirmedTransaction<'a> {
    /// Its id.
    pub txid: Txid,
    /// The transaction itself.
    pub transaction: &'a Transaction,
    /// The coins that it spends; none for a coinbase.
    pub spent: &'a [Coin],
    /// The height of its block.
    pub height: u32,
    /// Its position in the block.
    pub position: usize,
}

impl Chain {
    /// A chain that consists of regtest's genesis block.
    ///
    /// The subsidy halves every `halving_interval` blocks. The genesis block's own output does not exist, as everywhere.
    pub fn new(halving_interval: u32) -> Self {
        let block = genesis_block(Network::Regtest);
        let (hash, time) = (block.block_hash(), block.header.time);
        let txids = block.txdata.iter().map(Transaction::compute_txid).collect();
        Self {
            blocks: vec![Connected { block: Arc::new(block), hash, txids, spent: vec![], median_time_past: time }],
            heights: BTreeMap::from([(hash, 0)]),
            stale: VecDeque::new(),
            coins: UtxoSet::default(),
            index: Index::default(),
            verified: BTreeSet::new(),
            halving_interval,
        }
    }

    /// The height of the tip.
    pub fn height(&self) -> u32 {
        u32::try_from(self.blocks.len() - 1).expect("a simulated chain is short")
    }

    /// The hash of the tip.
    pub fn tip(&self) -> BlockHash {
        self.last().hash
    }

    /// The block at a height.
    pub fn block(&self, height: u32) -> Option<&Arc<Block>> {
        self.at(height).map(|connected| &connected.block)
    }

    /// The hash of the block at a height.
    pub fn block_hash(&self, height: u32) -> Option<BlockHash> {
        self.at(height).map(|connected| connected.hash)
    }

    /// The header of the block at a height.
    pub fn header(&self, height: u32) -> Option<&Header> {
        self.at(height).map(|connected| &connected.block.header)
    }

    /// The ids of the transactions of the block at a height.
    pub fn txids(&self, height: u32) -> Option<&[Txid]> {
        self.at(height).map(|connected| connected.txids.as_slice())
    }

    /// The median time past of the block at a height, itself included (BIP 113).
    pub fn median_time_past(&self, height: u32) -> Option<u32> {
        self.at(height).map(|connected| connected.median_time_past)
    }

    /// The height of a block of the active chain.
    pub fn height_of(&self, hash: &BlockHash) -> Option<u32> {
        self.heights.get(hash).copied()
    }

    /// A block by its hash, also one that a reorg disconnected.
    pub fn block_by_hash(&self, hash: &BlockHash) -> Option<&Arc<Block>> {
        match self.height_of(hash) {
            Some(height) => self.block(height),
            None => self.stale(hash).map(|stale| &stale.block),
        }
    }

    /// The coins that each transaction of a block but its coinbase spends, also of a block that a reorg disconnected.
    pub(crate) fn spent(&self, hash: &BlockHash) -> Option<&[Vec<Coin>]> {
        match self.height_of(hash) {
            Some(height) => self.blocks.get(height as usize).map(|block| block.spent.as_slice()),
            None => self.stale(hash).map(|stale| stale.spent.as_slice()),
        }
    }

    fn stale(&self, hash: &BlockHash) -> Option<&Stale> {
        self.stale.iter().find(|stale| stale.hash == *hash)
    }

    /// The transactions of the block at a height with the coins that they spend; none above the tip.
    pub(crate) fn transactions(&self, height: u32) -> impl Iterator<Item = ConfirmedTransaction<'_>> {
        let count = self.txids(height).unwrap_or_default().len();
        (0..count).map(move |position| self.located(Position { height, position }))
    }

    /// The unspent outputs.
    pub fn coins(&self) -> &UtxoSet {
        &self.coins
    }

    /// After how many blocks the subsidy halves.
    pub fn halving_interval(&self) -> u32 {
        self.halving_interval
    }

    /// A transaction of the active chain, the genesis block excepted.
    pub fn transaction(&self, txid: &Txid) -> Option<ConfirmedTransaction<'_>> {
        self.index.transaction(txid).map(|position| self.located(position))
    }

    /// The transactions that pay to a script or spend from it, oldest first.
    pub fn history(&self, script: &ScriptHash) -> impl Iterator<Item = ConfirmedTransaction<'_>> {
        self.index.history(script).map(|position| self.located(position))
    }

    /// What a transaction of the chain paid.
    pub fn fee(&self, confirmed: &ConfirmedTransaction<'_>) -> Amount {
        let spent = confirmed.spent.iter().map(|coin| coin.output.value).sum::<Amount>();
        let created = confirmed.transaction.output.iter().map(|output| output.value).sum();
        spent.checked_sub(created).unwrap_or(Amount::ZERO)
    }

    /// Whether this transaction could be in the next block, where `coin` finds what it may spend.
    ///
    /// Returns the coins that it spends and its fee.
    pub(crate) fn check_next(
        &self,
        transaction: &Transaction,
        coin: impl Fn(&OutPoint) -> Option<Coin>,
    ) -> Result<(Vec<Coin>, Amount), Refusal> {
        let next = self.height() + 1;
        if !verify::is_final(transaction, next, self.last().median_time_past) {
            return Err(Refusal::NotFinal);
        }
        let coins = verify::spent_coins(transaction, coin)?;
        let median_time_past = |height| self.median_time_past(height).unwrap_or(self.last().median_time_past);
        if !verify::sequence_locks_passed(transaction, &coins, next, median_time_past) {
            return Err(Refusal::SequenceLocked);
        }
        let fee = verify::check_inputs(transaction, &coins, next)?;
        Ok((coins, fee))
    }

    /// Checks scripts, unless the same transaction passed before: its inputs name what they spend, so the result stays.
    pub(crate) fn check_scripts(&self, transaction: &Transaction, coins: &[Coin]) -> Result<(), Refusal> {
        let known = self.verified.contains(&transaction.compute_wtxid());
        if known { Ok(()) } else { verify::check_scripts(transaction, coins) }
    }

    /// Remembers that the scripts of a transaction are valid.
    pub(crate) fn scripts_are_valid(&mut self, wtxid: Wtxid) {
        if self.verified.len() >= MAX_VERIFIED {
            self.verified.clear();
        }
        self.verified.insert(wtxid);
    }

    fn last(&self) -> &Connected {
        self.blocks.last().expect("the genesis block stays")
    }

    fn at(&self, height: u32) -> Option<&Connected> {
        self.blocks.get(usize::try_from(height).ok()?)
    }

    fn located(&self, Position { height, position }: Position) -> ConfirmedTransaction<'_> {
        let connected = self.at(height).expect("the index follows the chain");
        let spent = match position.checked_sub(1) {
            Some(undo) => connected.spent[undo].as_slice(),
            None => &[],
        };
        let txid = connected.txids[position];
        ConfirmedTransaction { txid, transaction: &connected.block.txdata[position], spent, height, position }
    }
}
