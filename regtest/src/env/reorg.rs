//! Reorganisations: the last blocks give way to others.

use anyhow::{Result, ensure};
use bitcoin::{BlockHash, Transaction};
use serde_json::{Value, json};

use super::TestEnv;
use crate::key::Key;

/// Deeper than any wait for confirmations, and not so deep that rewards which were spent go.
const DEEPEST: u32 = 100;

/// Begins the seed of the key that rewards of replacing blocks go to, so that no block equals the one that it replaces.
const SEED: &[u8] = b"reorganisation";

impl TestEnv {
    /// Replaces the last `depth` blocks by `depth + 1` empty ones. Their transactions are in the mempool again.
    ///
    /// # Errors
    ///
    /// When the chain is not that long, or electrs does not follow.
    pub fn reorg(&self, depth: u32) -> Result<BlockHash> {
        self.reorg_with(depth, &[])
    }

    /// The same, with `transactions` and no others in the first new block. What they conflict with leaves the mempool.
    ///
    /// # Errors
    ///
    /// When the chain is not that long, a transaction is invalid, or electrs does not follow.
    pub fn reorg_with(&self, depth: u32, transactions: &[Transaction]) -> Result<BlockHash> {
        let height = self.height()?;
        ensure!(
            (1..=DEEPEST.min(height)).contains(&depth),
            "a reorganisation of {depth} blocks at height {height}; expected 1 to {DEEPEST}, and no more than there are"
        );
        let first: BlockHash = self.rpc("getblockhash", &[json!(height - depth + 1)])?;
        let _: Value = self.rpc("invalidateblock", &[json!(first)])?;
        let mut seed = SEED.to_vec();
        seed.extend_from_slice(first.as_ref());
        let address = Key::from_seed(&seed).address();
        self.generate_block(&address, transactions)?;
        for _ in 0..depth {
            self.generate_block(&address, &[])?;
        }
        self.wait_electrs()?;
        self.tip()
    }
}
