//! Every rune and every balance of a chain, block by block, with a way back.
//!
//! | part | noun |
//! |---|---|
//! | [`entry`] | what is known of one rune, and whether it can be minted |
//! | [`state`] | where the index is kept, and the record that undoes a block |
//! | `change` | what one block changes, before any of it is written |
//! | `commitment` | who may take a name |
//!
//! The index does no I/O: it reads and writes a [`State`], and the caller fetches the [previous outputs](Index::wanted) that an etching's
//! commitment refers to. A block is applied as a whole or, on any error, not at all.
//!
//! Rules are those of ord 0.29 with `--index-runes`. Like there, the coinbase transaction counts, and mainnet starts with the rune
//! UNCOMMON•GOODS.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Block, BlockHash, Network, OutPoint, ScriptBuf, Transaction, Txid};
use ordinals::{Artifact, Height, Rune, RuneId, Runestone};
use serde::{Deserialize, Serialize};

mod change;
mod commitment;
pub mod entry;
pub mod state;

pub use entry::{Entry, MintRefusal};
pub use state::{Changes, MemoryState, State, Tip, Undo};

use crate::rune::transfer::{Context, TransferError, add, distribute};
use change::Change;

/// How many blocks' [`Undo`] records a caller should keep: a day's. Reorganisations of mainnet are a few blocks deep, those of test
/// networks sometimes dozens; whoever sees a deeper one builds the index anew.
pub const UNDO_DEPTH: u32 = 144;

/// A previous output that may carry the commitment to a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousOutput {
    /// Its script.
    pub script_pubkey: ScriptBuf,
    /// The height of the block that has it.
    pub height: u32,
}

/// Why a block is not applied or undone. The state is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum IndexError<F: std::error::Error> {
    /// The state could not be read or written.
    #[error("the rune index cannot be read or written: {0}")]
    State(#[source] F),
    /// It is not the block after the last one.
    #[error(
        "found a block of height {found}, expected {expected}: apply blocks in order, from the first rune height of the network"
    )]
    Height {
        /// The height given.
        found: u32,
        /// The height that follows.
        expected: u32,
    },
    /// It does not build on the last one: there was a reorganisation.
    #[error(
        "found a block on {found}, expected one on {expected}: undo blocks until one is reached that both chains have"
    )]
    Parent {
        /// What the block builds on.
        found: BlockHash,
        /// The last block.
        expected: BlockHash,
    },
    /// The record belongs to another block than the last one.
    #[error("found the undo record of block {found}, expected that of the last block, {}", expected.map_or("none".to_owned(), |hash| hash.to_string()))]
    Record {
        /// Whose record it is.
        found: BlockHash,
        /// The last block.
        expected: Option<BlockHash>,
    },
    /// A previous output was not fetched.
    #[error(
        "found no previous output {0}, which an etching may have committed with: fetch all that Index::wanted names"
    )]
    Missing(OutPoint),
    /// The state contradicts itself; no chain leads to it.
    #[error("the rune index is damaged ({0}): build it anew")]
    Damaged(&'static str),
}

/// The rules by which one network's blocks change the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    network: Network,
}

impl Index {
    /// The index of a network.
    pub fn new(network: Network) -> Self {
        Self { network }
    }

    /// The first block that can hold a rune. The first block to apply must not be later.
    pub fn first_height(self) -> u32 {
        Rune::first_rune_height(self.network)
    }

    /// The smallest name, as a number, that can be etched in a block: shorter ones unlock over time.
    pub fn minimum(self, height: u32) -> Rune {
        Rune::minimum_at_height(self.network, Height(height))
    }

    /// The previous outputs that have to be known before a block is applied: inputs that reveal a commitment to the name etched by their
    /// transaction. Most blocks have none.
    pub fn wanted(self, block: &Block) -> BTreeSet<OutPoint> {
        let own: BTreeSet<Txid> = block.txdata.iter().map(Transaction::compute_txid).collect();
        let reveals = |tx: &Transaction| {
            let rune = Runestone::decipher(tx).as_ref().and_then(named_etching)?;
            Some(commitment::candidates(tx, rune).copied().collect::<Vec<OutPoint>>())
        };
        block.txdata.iter().filter_map(reveals).flatten().filter(|outpoint| !own.contains(&outpoint.txid)).collect()
    }

    /// Applies the next block, and returns what undoes it: keep it for [`UNDO_DEPTH`] blocks.
    pub fn apply_block<S: State>(
        self,
        block: &Block,
        height: u32,
        previous: &BTreeMap<OutPoint, PreviousOutput>,
        state: &mut S,
    ) -> Result<Undo, IndexError<S::Failure>> {
        let before = state.tip().map_err(IndexError::State)?;
        self.follows(block, height, before.as_ref())?;
        let hash = block.block_hash();
        let mut change = Change::new(&*state);
        let mut runes = before.as_ref().map_or(0, |tip| tip.runes);
        if before.is_none() && self.network == Network::Bitcoin {
            change.set_id(entry::genesis_rune(), entry::GENESIS_ID)?;
            change.set_entry(entry::GENESIS_ID, entry::genesis())?;
            runes = 1;
        }
        if height >= self.first_height() {
            let txids: Vec<Txid> = block.txdata.iter().map(Transaction::compute_txid).collect();
            let own = txids.iter().copied().collect();
            let site = Site { index: self, height, timestamp: u64::from(block.header.time), own: &own, previous };
            for ((tx, txid), position) in block.txdata.iter().zip(&txids).zip(0..) {
                site.apply(tx, *txid, position, &mut runes, &mut change)?;
            }
        }
        let (forth, back) = change.finish(Some(Tip { height, hash, runes }), before);
        state.write(&forth).map_err(IndexError::State)?;
        Ok(Undo { block: hash, back })
    }

    /// Takes the last block back, with the record that applying it returned. The state is then exactly what it was before.
    pub fn undo_block<S: State>(self, undo: &Undo, state: &mut S) -> Result<(), IndexError<S::Failure>> {
        let tip = state.tip().map_err(IndexError::State)?.map(|tip| tip.hash);
        if tip != Some(undo.block) {
            return Err(IndexError::Record { found: undo.block, expected: tip });
        }
        state.write(&undo.back).map_err(IndexError::State)
    }

    fn follows<F: std::error::Error>(self, block: &Block, height: u32, tip: Option<&Tip>) -> Result<(), IndexError<F>> {
        match tip {
            None if height > self.first_height() => {
                Err(IndexError::Height { found: height, expected: self.first_height() })
            }
            None => Ok(()),
            Some(tip) if height.checked_sub(1) != Some(tip.height) => {
                Err(IndexError::Height { found: height, expected: tip.height.saturating_add(1) })
            }
            Some(tip) if block.header.prev_blockhash != tip.hash => {
                Err(IndexError::Parent { found: block.header.prev_blockhash, expected: tip.hash })
            }
            Some(_) => Ok(()),
        }
    }
}

/// The name that an artifact etches, if it etches one with a name.
fn named_etching(artifact: &Artifact) -> Option<Rune> {
    match artifact {
        Artifact::Runestone(runestone) => runestone.etching.and_then(|etching| etching.rune),
        Artifact::Cenotaph(cenotaph) => cenotaph.etching,
    }
}

/// The block whose transactions are applied.
struct Site<'a> {
    index: Index,
    height: u32,
    timestamp: u64,
    /// The transactions of this block, whose outputs are too young for a commitment.
    own: &'a BTreeSet<Txid>,
    previous: &'a BTreeMap<OutPoint, PreviousOutput>,
}

impl Site<'_> {
    /// Applies one transaction. `runes` counts the runes etched so far.
    fn apply<S: State>(
        &self,
        tx: &Transaction,
        txid: Txid,
        position: u32,
        runes: &mut u64,
        change: &mut Change<'_, S>,
    ) -> Result<(), IndexError<S::Failure>> {
        let artifact = Runestone::decipher(tx);
        let mut unallocated = crate::rune::Balances::new();
        for input in &tx.input {
            for (id, units) in change.take_balances(&input.previous_output)? {
                add(&mut unallocated, id, units)
                    .ok_or(IndexError::Damaged("more units of a rune than there can be"))?;
            }
        }
        if artifact.is_none() && unallocated.is_empty() {
            return Ok(());
        }
        // The order matters: a mint comes before the etching, so nobody mints what the same transaction etches.
        let mut context = Context::default();
        if let Some(id) = artifact.as_ref().and_then(Artifact::mint) {
            context.minted = self.mint(id, change)?;
        }
        let etched = match &artifact {
            Some(artifact) => self.etched(tx, position, artifact, change)?,
            None => None,
        };
        context.etched = etched.map(|(id, _)| id);
        let moved = distribute(tx, artifact.as_ref(), unallocated, context).map_err(|error| match error {
            TransferError::Overflow { .. } | TransferError::Inputs { .. } => {
                IndexError::Damaged("more units of a rune than its terms allow")
            }
        })?;
        if let (Some((id, rune)), Some(artifact)) = (etched, &artifact) {
            change.set_id(rune, id)?;
            change.set_entry(id, Entry::new(artifact, id, rune, txid, *runes, self.timestamp))?;
            *runes += 1;
        }
        for (balances, vout) in moved.outputs.into_iter().zip(0..) {
            if !balances.is_empty() {
                change.set_balances(OutPoint { txid, vout }, balances)?;
            }
        }
        for (id, units) in moved.burned {
            let entry = change.entry(id)?.ok_or(IndexError::Damaged("a balance of a rune that nobody etched"))?;
            entry.burned =
                entry.burned.checked_add(units).ok_or(IndexError::Damaged("more units burned than there can be"))?;
        }
        Ok(())
    }

    /// Counts a mint and says what it gives; zero where the terms do not allow it.
    fn mint<S: State>(&self, id: RuneId, change: &mut Change<'_, S>) -> Result<u128, IndexError<S::Failure>> {
        let Some(entry) = change.entry(id)? else { return Ok(0) };
        let Ok(amount) = entry.mintable(u64::from(self.height)) else { return Ok(0) };
        entry.mints = entry.mints.checked_add(1).ok_or(IndexError::Damaged("more mints than there can be"))?;
        Ok(amount)
    }

    /// The rune that a transaction etches, if the name is free to take, and committed to long enough ago.
    fn etched<S: State>(
        &self,
        tx: &Transaction,
        position: u32,
        artifact: &Artifact,
        change: &mut Change<'_, S>,
    ) -> Result<Option<(RuneId, Rune)>, IndexError<S::Failure>> {
        let block = u64::from(self.height);
        let id = RuneId { block, tx: position };
        let Some(rune) = named_etching(artifact) else {
            let unnamed = matches!(artifact, Artifact::Runestone(Runestone { etching: Some(_), .. }));
            return Ok(unnamed.then(|| (id, Rune::reserved(block, position))));
        };
        if rune < self.index.minimum(self.height) || rune.is_reserved() || change.id(rune)?.is_some() {
            return Ok(None);
        }
        for outpoint in commitment::candidates(tx, rune) {
            if self.own.contains(&outpoint.txid) {
                continue;
            }
            let previous = self.previous.get(outpoint).ok_or(IndexError::Missing(*outpoint))?;
            if commitment::is_mature(previous, self.height) {
                return Ok(Some((id, rune)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
