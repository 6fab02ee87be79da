//! The task that follows the chain: block by block from the first one that can hold a rune, back where the chain was reorganised.

use std::sync::Arc;
use std::time::Duration;

use darkswap_core::backoff::Backoff;
use darkswap_trade::rune::index::{IndexError, Tip, UNDO_DEPTH};
use darkswap_wallet::bdk_chain::BlockId;
use thiserror::Error;
use tokio::time::sleep;

use super::rows::{Fetched, Undone};
use super::{Progress, Shared};
use crate::store::StoreError;

/// How often bitcoind is asked for its tip. Whoever needs a newer block [nudges](Shared::nudge).
const POLL: Duration = Duration::from_secs(10);

/// The first and the longest pause after a failure.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Blocks that are applied in one transaction: far behind the tip, making each of them durable takes longer than applying it.
const MAX_BATCH: u32 = 32;

/// Bytes of blocks beyond which a batch takes no further one: four full blocks.
const MAX_BATCH_BYTES: usize = 16 << 20;

/// Why the index does not follow for now.
#[derive(Debug, Error)]
enum Trouble {
    #[error("{0}")]
    Blocks(String),
    #[error(transparent)]
    Index(#[from] IndexError<StoreError>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The state of the task.
pub(super) struct Follower {
    shared: Arc<Shared>,
    backoff: Backoff,
}

impl Follower {
    /// `seed` draws the pauses after failures.
    pub(super) fn new(shared: Arc<Shared>, seed: u64) -> Self {
        Self { shared, backoff: Backoff::new(RETRY.0, RETRY.1, seed) }
    }

    /// Follows for ever: whoever runs it ends it.
    pub(super) async fn run(mut self) {
        loop {
            match self.catch_up().await {
                Ok(()) => {
                    self.backoff.reset();
                    tokio::select! {
                        () = sleep(POLL) => {}
                        () = self.shared.nudge.notified() => {}
                    }
                }
                Err(trouble) => {
                    let reason = trouble.to_string();
                    if self.shared.progress.borrow().trouble.as_ref() != Some(&reason) {
                        tracing::warn!(%reason, "the rune index cannot follow the chain");
                    }
                    self.shared.progress.send_modify(|progress| progress.trouble = Some(reason));
                    sleep(self.backoff.next_delay()).await;
                }
            }
        }
    }

    /// Goes on until the last block is bitcoind's tip.
    async fn catch_up(&self) -> Result<(), Trouble> {
        loop {
            let best = self.shared.blocks.tip().await.map_err(Trouble::Blocks)?;
            let own = self.shared.rows.tip()?;
            self.tell(own.as_ref(), best.height);
            if own.as_ref().is_some_and(|own| own.hash == best.hash) {
                return Ok(());
            }
            if let Some(own) = &own
                && self.shared.blocks.block_hash(own.height).await.map_err(Trouble::Blocks)? != Some(own.hash)
            {
                self.undo(own)?;
                continue;
            }
            let batch = self.fetch(own.as_ref(), best).await?;
            if batch.is_empty() {
                // Below the first block that can hold a rune, or the chain moves: the next look will tell.
                return Ok(());
            }
            self.shared.rows.apply(&batch).await?;
            self.tell(self.shared.rows.tip()?.as_ref(), best.height);
        }
    }

    /// Takes the last block back, which the chain has no longer.
    fn undo(&self, own: &Tip) -> Result<(), Trouble> {
        match self.shared.rows.undo()? {
            Undone::Block => tracing::info!(height = own.height, hash = %own.hash, "the rune index took a block back"),
            Undone::TooDeep => {
                let height = own.height;
                tracing::error!(
                    height,
                    "the chain was reorganised deeper than {UNDO_DEPTH} blocks: the rune index is built anew"
                );
                self.shared.rows.clear()?;
                self.shared.progress.send_modify(|progress| progress.rebuilds += 1);
            }
        }
        Ok(())
    }

    /// The next blocks behind the last one, as far as they follow each other.
    async fn fetch(&self, own: Option<&Tip>, best: BlockId) -> Result<Vec<Fetched>, Trouble> {
        let Shared { rows, blocks, .. } = &*self.shared;
        let mut last = own.map(|own| own.hash);
        let first = own.map_or(rows.index().first_height(), |own| own.height.saturating_add(1));
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for height in first..=best.height.min(first.saturating_add(MAX_BATCH - 1)) {
            let Some(hash) = blocks.block_hash(height).await.map_err(Trouble::Blocks)? else { break };
            let block = blocks.block(hash).await.map_err(Trouble::Blocks)?;
            if last.is_some_and(|last| block.header.prev_blockhash != last) {
                break;
            }
            last = Some(hash);
            let wanted = rows.index().wanted(&block);
            let previous = blocks.previous_outputs(hash, &wanted).await.map_err(Trouble::Blocks)?;
            bytes += block.total_size();
            batch.push(Fetched { height, block, previous });
            if bytes >= MAX_BATCH_BYTES {
                break;
            }
        }
        Ok(batch)
    }

    fn tell(&self, own: Option<&Tip>, best: u32) {
        let tip = own.map(|own| BlockId { height: own.height, hash: own.hash });
        self.shared.progress.send_if_modified(|progress| {
            let next = Progress { tip, best: Some(best), trouble: None, rebuilds: progress.rebuilds };
            let differs = *progress != next;
            *progress = next;
            differs
        });
    }
}
