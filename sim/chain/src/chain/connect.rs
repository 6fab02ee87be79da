//! Connecting and disconnecting blocks.

use std::sync::Arc;

use bitcoin::consensus::Params;
use bitcoin::{Amount, Block, CompactTarget, Network, Target, Transaction, Txid};

use super::index::Position;
use super::{Chain, Connected, MAX_STALE, MEDIAN_TIME_SPAN, Stale};
use crate::block::{BLOCK_BITS, MAX_BLOCK_WEIGHT, commits_to_height, subsidy};
use crate::coin::Coin;
use crate::refusal::BlockRefusal;
use crate::verify;

impl Chain {
    /// Connects a block on top of the tip, after all checks. A refused block leaves no trace.
    ///
    /// # Errors
    /// [`BlockRefusal`] with Bitcoin Core's reject string.
    pub fn connect(&mut self, block: Block) -> Result<(), BlockRefusal> {
        self.check_header(&block)?;
        self.check_body(&block)?;
        let height = self.height() + 1;
        let txids: Vec<Txid> = block.txdata.iter().map(Transaction::compute_txid).collect();
        let spent = self.connect_transactions(&block, &txids, height)?;
        let undo = std::iter::once(&[] as &[Coin]).chain(spent.iter().map(Vec::as_slice));
        for (position, ((transaction, txid), spent)) in block.txdata.iter().zip(&txids).zip(undo).enumerate() {
            self.index.insert(*txid, transaction, spent, Position { height, position });
        }
        let hash = block.block_hash();
        self.heights.insert(hash, height);
        let median_time_past = self.median_with(block.header.time);
        self.blocks.push(Connected { block: Arc::new(block), hash, txids, spent, median_time_past });
        Ok(())
    }

    /// Disconnects the tip and returns it; the genesis block stays.
    pub(crate) fn disconnect(&mut self) -> Option<Arc<Block>> {
        let height = self.height();
        if height == 0 {
            return None;
        }
        let Connected { block, hash, txids, spent, .. } = self.blocks.pop()?;
        self.heights.remove(&hash);
        let undo = std::iter::once(&[] as &[Coin]).chain(spent.iter().map(Vec::as_slice));
        for (position, ((transaction, txid), spent)) in block.txdata.iter().zip(&txids).zip(undo).enumerate() {
            self.index.remove(txid, transaction, spent, Position { height, position });
        }
        for (position, (transaction, txid)) in block.txdata.iter().zip(&txids).enumerate().rev() {
            let spent = position.checked_sub(1).map_or(&[] as &[Coin], |undo| &spent[undo]);
            self.undo_transaction(transaction, *txid, spent);
        }
        self.stale.push_back(Stale { block: Arc::clone(&block), hash, spent });
        while self.stale.len() > MAX_STALE {
            self.stale.pop_front();
        }
        Some(block)
    }

    fn check_header(&self, block: &Block) -> Result<(), BlockRefusal> {
        let header = &block.header;
        if header.prev_blockhash != self.tip() {
            return Err(BlockRefusal::NotOnTip);
        }
        let bits = CompactTarget::from_consensus(BLOCK_BITS);
        if header.bits != bits || Target::from_compact(bits) > Params::new(Network::Regtest).max_attainable_target {
            return Err(BlockRefusal::Bits);
        }
        header.validate_pow(Target::from_compact(bits)).map_err(|_| BlockRefusal::ProofOfWork)?;
        if header.time <= self.last().median_time_past {
            return Err(BlockRefusal::TimeTooOld);
        }
        Ok(())
    }

    fn check_body(&self, block: &Block) -> Result<(), BlockRefusal> {
        let Some((coinbase, others)) = block.txdata.split_first() else {
            return Err(BlockRefusal::CoinbaseMissing);
        };
        if !coinbase.is_coinbase() {
            return Err(BlockRefusal::CoinbaseMissing);
        }
        if others.iter().any(Transaction::is_coinbase) {
            return Err(BlockRefusal::CoinbaseMultiple);
        }
        if !block.check_merkle_root() {
            return Err(BlockRefusal::MerkleRoot);
        }
        if !block.check_witness_commitment() {
            return Err(BlockRefusal::WitnessCommitment);
        }
        if block.weight().to_wu() > MAX_BLOCK_WEIGHT {
            return Err(BlockRefusal::Weight);
        }
        if !commits_to_height(&coinbase.input[0].script_sig, self.height() + 1) {
            return Err(BlockRefusal::CoinbaseHeight);
        }
        Ok(())
    }

    /// Applies all transactions to the UTXO set, or none of them.
    fn connect_transactions(
        &mut self,
        block: &Block,
        txids: &[Txid],
        height: u32,
    ) -> Result<Vec<Vec<Coin>>, BlockRefusal> {
        let mut spent: Vec<Vec<Coin>> = Vec::new();
        let mut fees = Amount::ZERO;
        for (position, (transaction, txid)) in block.txdata.iter().zip(txids).enumerate() {
            match self.apply(transaction, *txid, height) {
                Ok((coins, fee)) => {
                    // Fees are paid from existing coins, of which there are less than 21 million.
                    fees = fees.checked_add(fee).expect("fees fit");
                    if position > 0 {
                        spent.push(coins);
                    }
                }
                Err(refusal) => {
                    if position > 0 {
                        self.undo_transactions(block, txids, &spent);
                    }
                    return Err(refusal);
                }
            }
        }
        let taken = verify::sum(block.txdata[0].output.iter().map(|output| output.value));
        let allowed = subsidy(height, self.halving_interval).checked_add(fees);
        if taken.is_none() || taken > allowed {
            self.undo_transactions(block, txids, &spent);
            return Err(BlockRefusal::CoinbaseAmount);
        }
        Ok(spent)
    }

    fn apply(
        &mut self,
        transaction: &Transaction,
        txid: Txid,
        height: u32,
    ) -> Result<(Vec<Coin>, Amount), BlockRefusal> {
        let refuse = |refusal| BlockRefusal::Transaction { txid, refusal };
        verify::check_transaction(transaction).map_err(refuse)?;
        if self.coins.of_transaction(txid).next().is_some() {
            return Err(BlockRefusal::DuplicateTransaction);
        }
        if transaction.is_coinbase() {
            self.coins.create(txid, transaction, height);
            return Ok((vec![], Amount::ZERO));
        }
        let (coins, fee) =
            self.check_next(transaction, |outpoint| self.coins.coin(outpoint).cloned()).map_err(refuse)?;
        self.check_scripts(transaction, &coins).map_err(refuse)?;
        for input in &transaction.input {
            self.coins.spend(&input.previous_output).expect("the coin was found above");
        }
        self.coins.create(txid, transaction, height);
        Ok((coins, fee))
    }

    /// Undoes the coinbase and as many transactions after it as have spent coins listed.
    fn undo_transactions(&mut self, block: &Block, txids: &[Txid], spent: &[Vec<Coin>]) {
        for position in (1..=spent.len()).rev() {
            self.undo_transaction(&block.txdata[position], txids[position], &spent[position - 1]);
        }
        self.undo_transaction(&block.txdata[0], txids[0], &[]);
    }

    fn undo_transaction(&mut self, transaction: &Transaction, txid: Txid, spent: &[Coin]) {
        self.coins.remove_created(txid, transaction);
        for (input, coin) in transaction.input.iter().zip(spent) {
            self.coins.restore(input.previous_output, coin.clone());
        }
    }

    /// The median time of the last blocks and one more with this time.
    fn median_with(&self, time: u32) -> u32 {
        let recent = self.blocks.iter().rev().take(MEDIAN_TIME_SPAN - 1).map(|connected| connected.block.header.time);
        let mut times: Vec<u32> = recent.chain([time]).collect();
        times.sort_unstable();
        times[times.len() / 2]
    }
}
