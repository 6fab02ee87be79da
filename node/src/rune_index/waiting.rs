//! What outputs of transactions hold that wait in the mempool: computed from the blocks' balances, transaction by transaction.

use std::collections::BTreeMap;

use bitcoin::{OutPoint, Transaction, Txid};
use darkswap_trade::coin::Holdings;
use darkswap_trade::rune::transfer::{Context, allocate};
use darkswap_wallet::bdk_chain::BlockId;
use ordinals::{Artifact, Runestone};

use super::blocks::Blocks;
use super::view::View;

/// Transactions that wait and on which what is asked about depends: as many as relaying nodes allow in a chain (`-limitancestorcount`).
const MAX_ANCESTORS: usize = 25;

/// Inputs of all of them whose origin is looked up. Transactions of standard size that move assets have far fewer.
const MAX_INPUTS: usize = 1_000;

/// Transactions that wait, with what has to be known of each.
struct Family<'a> {
    blocks: &'a dyn Blocks,
    view: &'a View,
    /// By id. None is not in the mempool: it is in a block.
    members: BTreeMap<Txid, Option<Transaction>>,
    outputs: BTreeMap<Txid, Vec<Holdings>>,
    inputs: usize,
}

/// What the outputs hold, which are of waiting transactions.
///
/// # Errors
/// In words, why nobody can know.
pub(super) async fn holdings(
    blocks: &dyn Blocks,
    view: &View,
    outpoints: &[OutPoint],
    tip: BlockId,
) -> Result<Vec<Holdings>, String> {
    let mut family = Family { blocks, view, members: BTreeMap::new(), outputs: BTreeMap::new(), inputs: 0 };
    // A mempool fits the tip that bitcoind has. If it is the same before and after, nothing of what was not found there has just left
    // it into a block that nobody looked at.
    same_tip(blocks, tip).await?;
    for outpoint in outpoints {
        family.gather(outpoint.txid).await?;
    }
    for outpoint in outpoints {
        if blocks.waiting(outpoint.txid).await?.is_none() {
            return Err(format!("transaction {} does not wait any more", outpoint.txid));
        }
    }
    same_tip(blocks, tip).await?;
    outpoints.iter().map(|outpoint| family.output(*outpoint)).collect()
}

async fn same_tip(blocks: &dyn Blocks, tip: BlockId) -> Result<(), String> {
    let found = blocks.tip().await?;
    if found == tip {
        return Ok(());
    }
    Err(format!("bitcoind is at block {} ({}), expected {} ({})", found.height, found.hash, tip.height, tip.hash))
}

impl Family<'_> {
    /// Fetches a transaction and everything that waits and that it depends on.
    async fn gather(&mut self, txid: Txid) -> Result<(), String> {
        let mut missing = vec![txid];
        while let Some(txid) = missing.pop() {
            if self.members.contains_key(&txid) {
                continue;
            }
            let found = self.blocks.waiting(txid).await?;
            for input in found.iter().flat_map(|transaction| &transaction.input) {
                self.inputs += 1;
                let known = self.view.balances(&input.previous_output).map_err(|error| error.to_string())?.is_some();
                if !known && !self.members.contains_key(&input.previous_output.txid) {
                    missing.push(input.previous_output.txid);
                }
            }
            self.members.insert(txid, found);
            let waiting = self.members.values().flatten().count();
            if waiting > MAX_ANCESTORS || self.inputs > MAX_INPUTS {
                return Err(format!(
                    "more than {MAX_ANCESTORS} waiting transactions, or {MAX_INPUTS} inputs, have to be known: wait for a block"
                ));
            }
        }
        Ok(())
    }

    /// What an output of a waiting transaction holds.
    fn output(&mut self, outpoint: OutPoint) -> Result<Holdings, String> {
        self.evaluate(outpoint.txid)?;
        let outputs = self.outputs.get(&outpoint.txid);
        let output = outputs.and_then(|outputs| outputs.get(usize::try_from(outpoint.vout).ok()?));
        output.cloned().ok_or_else(|| format!("{outpoint} does not exist"))
    }

    /// Computes a transaction after those that it spends. There are at most [`MAX_ANCESTORS`] of them, and so as many levels.
    fn evaluate(&mut self, txid: Txid) -> Result<(), String> {
        if self.outputs.contains_key(&txid) {
            return Ok(());
        }
        let transaction = self.members.get(&txid).cloned().flatten();
        let transaction = transaction.ok_or_else(|| format!("transaction {txid} does not wait any more"))?;
        let mut held = Vec::new();
        for input in &transaction.input {
            let outpoint = input.previous_output;
            let in_block = self.view.holdings(&outpoint).map_err(|error| error.to_string())?;
            held.push(match in_block {
                Some(holdings) => holdings,
                // It does not wait, so it is in a block, and the index knows all outputs of blocks that hold something.
                None if self.members.get(&outpoint.txid).is_none_or(Option::is_none) => Holdings::new(),
                None => self.output(outpoint)?,
            });
        }
        self.outputs.insert(txid, moved(txid, &transaction, &held)?);
        Ok(())
    }
}

/// What a transaction that waits leaves on its outputs.
fn moved(txid: Txid, transaction: &Transaction, held: &[Holdings]) -> Result<Vec<Holdings>, String> {
    match Runestone::decipher(transaction) {
        Some(Artifact::Runestone(Runestone { mint: Some(_), .. })) => {
            return Err(format!("transaction {txid} mints a rune, which only a block decides: wait for it"));
        }
        Some(Artifact::Runestone(Runestone { etching: Some(_), .. })) => {
            return Err(format!("transaction {txid} etches a rune, which only a block decides: wait for it"));
        }
        // Whatever a cenotaph mints or etches, it burns.
        Some(Artifact::Runestone(_) | Artifact::Cenotaph(_)) | None => {}
    }
    let allocation = allocate(transaction, held, Context::default()).map_err(|error| error.to_string())?;
    Ok(allocation.outputs)
}
