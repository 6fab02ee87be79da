//! What was found, made an update: whole transactions, proven blocks, and how they connect to those that the wallet knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::constants::genesis_block;
use bitcoin::{BlockHash, Transaction, Txid};
use darkswap_wallet::Update;
use darkswap_wallet::bdk_chain::{BlockId, CheckPoint, ConfirmationBlockTime, TxUpdate};

use super::{Found, STEP};
use crate::chain::desk::{Desk, Link};
use crate::chain::misbehaviour::{Misbehaviour, Trouble};

/// Blocks at the tip that a wallet is told of, so that it finds the place where a reorganisation began.
const SUFFIX: u32 = 8;

/// Weight units of the transactions of one answer: what fifty blocks hold. A server can make up any number of waiting ones.
const MAX_WEIGHT: u64 = 200_000_000;

/// Transactions that are fetched only for the fees of those that spend them.
const MAX_PARENTS: usize = 2_000;

impl Desk {
    /// Makes an update of what was found.
    pub(super) async fn update(
        &mut self,
        link: &mut Link,
        found: Found,
        start_time: u64,
        wallet_tip: Option<CheckPoint>,
    ) -> Result<Update, Trouble> {
        let Found { seen, missed, active } = found;
        let places: Vec<(Txid, Option<u32>)> = seen.into_iter().collect();
        let mut update = TxUpdate::<ConfirmationBlockTime>::default();
        let mut blocks = BTreeSet::new();
        let mut parents = BTreeSet::new();
        let mut weight = 0;
        for step in places.chunks(STEP) {
            let transactions = self.fetch(&link.connection, step.iter().map(|(txid, _)| *txid)).await?;
            weight += transactions.values().map(|transaction| transaction.weight().to_wu()).sum::<u64>();
            if weight > MAX_WEIGHT {
                return Err(Misbehaviour::History { found: places.len(), limit: STEP }.into());
            }
            for (block, time, txid) in self.confirmed(link, step, &transactions).await? {
                blocks.insert(block);
                update.anchors.insert((ConfirmationBlockTime { block_id: block, confirmation_time: time }, txid));
            }
            for (txid, _) in step.iter().filter(|(_, height)| height.is_none()) {
                // What left the mempool since the history was told is not there any more.
                let Some(transaction) = transactions.get(txid) else { continue };
                update.seen_ats.insert((*txid, start_time));
                parents.extend(transaction.input.iter().map(|input| input.previous_output.txid));
            }
            update.txs.extend(transactions.into_values());
            self.attend(link).await?;
        }
        let there = |txid: &Txid| places.binary_search_by(|(known, _)| known.cmp(txid)).is_ok();
        update.evicted_ats.extend(missed.into_iter().filter(|txid| !there(txid)).map(|txid| (txid, start_time)));
        let parents = parents.into_iter().filter(|txid| !there(txid)).take(MAX_PARENTS).collect::<Vec<_>>();
        for step in parents.chunks(STEP) {
            update.txs.extend(self.fetch(&link.connection, step.iter().copied()).await?.into_values());
        }
        let chain = match wallet_tip {
            Some(tip) => Some(self.checkpoints(link, &tip, blocks).await?),
            None => None,
        };
        Ok(Update { last_active_indices: active, tx_update: update, chain })
    }

    /// Proves where the confirmed transactions among these are: block, its time, transaction.
    async fn confirmed(
        &mut self,
        link: &Link,
        places: &[(Txid, Option<u32>)],
        transactions: &BTreeMap<Txid, Arc<Transaction>>,
    ) -> Result<Vec<(BlockId, u64, Txid)>, Trouble> {
        let mut claims = Vec::new();
        for (txid, height) in places {
            let Some(height) = height else { continue };
            let transaction = transactions.get(txid).ok_or_else(|| {
                Trouble::Lost(format!("it shows transaction {txid} in block {height} and does not have it"))
            })?;
            claims.push((transaction.clone(), *height));
        }
        let blocks = self.prove(&link.connection, &claims).await?;
        let mut confirmed = Vec::with_capacity(blocks.len());
        for (block, (transaction, _)) in blocks.into_iter().zip(claims) {
            let time = self.header(&link.connection, block.height).await?.time;
            confirmed.push((block, u64::from(time), transaction.compute_txid()));
        }
        Ok(confirmed)
    }

    /// The wallet's blocks up to the last one that is still in the chain; then those that replaced others, the given ones,
    /// and the last few.
    async fn checkpoints(
        &mut self,
        link: &Link,
        wallet_tip: &CheckPoint,
        given: BTreeSet<BlockId>,
    ) -> Result<CheckPoint, Trouble> {
        let tip = self.headers.tip().ok_or(Trouble::Moved)?;
        let mut heights: BTreeSet<u32> = given.into_iter().map(|block| block.height).collect();
        heights.extend(tip.height.saturating_sub(SUFFIX - 1).max(self.headers.base())..=tip.height);
        let mut agreed = None;
        for known in wallet_tip.iter().filter(|known| known.height() <= tip.height) {
            if self.hash_at(link, known.height()).await? == known.hash() {
                agreed = Some(known);
                break;
            }
            heights.insert(known.height());
        }
        let foreign = || Trouble::Lost("the wallet knows no block of this chain: it belongs to another network".into());
        let mut checkpoints = agreed.ok_or_else(foreign)?;
        let lowest = checkpoints.iter().last().map_or(0, |first| first.height());
        for height in heights.into_iter().filter(|height| *height > lowest) {
            let hash = self.hash_at(link, height).await?;
            checkpoints = checkpoints.insert(BlockId { height, hash });
        }
        Ok(checkpoints)
    }

    async fn hash_at(&mut self, link: &Link, height: u32) -> Result<BlockHash, Trouble> {
        // So that a new wallet does not make all headers below the checkpoint be fetched.
        if height == 0 {
            return Ok(genesis_block(self.settings.network).block_hash());
        }
        Ok(self.header(&link.connection, height).await?.block_hash())
    }
}
