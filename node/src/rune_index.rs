//! The rune index: which runes are on which output, from the blocks of a bitcoind, on this host's disk.
//!
//! | part | noun |
//! |---|---|
//! | [`rows`] | where the index is kept: a redb file |
//! | `row` | keys and values of its tables, in bytes |
//! | `view` | what outputs hold, as of one block |
//! | [`blocks`] | the seam to whoever has blocks and a mempool |
//! | `follower` | the task that follows the chain |
//! | `waiting` | outputs of transactions that wait |
//!
//! The rules are those of [`darkswap_trade::rune::index`]. Nobody is believed but the operator's own bitcoind.
//!
//! # Invariants
//! - What is answered of outputs is so as of exactly the block that was asked about, or there is no answer.
//! - After a crash the file is as it was after some block; the task goes on from there.
//! - Nobody waits longer than [`PATIENCE`] for a block and as long again for bitcoind's mempool, and nobody waits at all while the index
//!   is far behind or cannot follow.
//!
//! Deliberately absent: alkanes, for which every contract would have to be run. Of an output that may carry some nothing is said; that
//! is decided where the transactions are (`chain::coins`).

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::OutPoint;
use darkswap_trade::coin::Holdings;
use darkswap_wallet::bdk_chain::BlockId;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::bitcoind::Client;
use crate::chain::assets::{AssetIndex, KnownRune, Place, RuneQuery};
use crate::config::TradingConfig;
use crate::runtime::Runtime;
use crate::store::StoreError;

pub mod blocks;
mod follower;
mod row;
pub mod rows;
#[cfg(test)]
mod tests;
mod view;
mod waiting;

use blocks::{Bitcoind, Blocks};
use follower::Follower;
use rows::Rows;
use view::View;

/// How long an answer waits for a block that the index does not have yet, and as long again for transactions that wait.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How often bitcoind is asked for that block meanwhile.
const AGAIN: Duration = Duration::from_millis(500);

/// How far the index may be behind for an answer to wait: it catches up with so many blocks within [`PATIENCE`].
const NEAR: u32 = 144;

/// Where the index is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Its last block.
    pub tip: Option<BlockId>,
    /// The height of bitcoind's last block, once it was asked.
    pub best: Option<u32>,
    /// Why the index does not follow for now.
    pub trouble: Option<String>,
    /// How often it was built anew because of a reorganisation that was too deep.
    pub rebuilds: u32,
}

/// What the task and those who ask share.
struct Shared {
    rows: Rows,
    /// For the task.
    blocks: Arc<dyn Blocks>,
    progress: watch::Sender<Progress>,
    /// Somebody needs a newer block.
    nudge: Notify,
}

/// An index that follows its chain, until the last clone of it is dropped. Clones are the same one.
#[derive(Clone)]
pub struct RuneIndex {
    shared: Arc<Shared>,
    /// For transactions that wait: a block on its way keeps nobody waiting for them.
    mempool: Arc<dyn Blocks>,
    /// Dropped with the last clone, which ends the task.
    _end: Arc<oneshot::Sender<Infallible>>,
}

impl RuneIndex {
    /// Opens the index of a configuration and starts its task; none without a bitcoind.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(config: &TradingConfig, runtime: &Arc<dyn Runtime>) -> Result<Option<Self>, StoreError> {
        let Some(bitcoind) = &config.bitcoind else { return Ok(None) };
        let connect = || {
            let client = Client::new(bitcoind.clone(), Arc::clone(runtime));
            Arc::new(Bitcoind { client, network: config.network }) as Arc<dyn Blocks>
        };
        let rows = Rows::open(runtime.as_ref(), &config.rune_index(), config.network)?;
        Ok(Some(Self::follow(rows, connect(), connect(), runtime)))
    }

    /// Starts the task that follows `blocks`; `mempool` is asked for transactions that wait.
    #[must_use]
    pub fn follow(rows: Rows, blocks: Arc<dyn Blocks>, mempool: Arc<dyn Blocks>, runtime: &Arc<dyn Runtime>) -> Self {
        let mut seed = [0; 8];
        runtime.fill_random(&mut seed);
        let shared = Arc::new(Shared { rows, blocks, progress: watch::Sender::default(), nudge: Notify::new() });
        let follower = Follower::new(Arc::clone(&shared), u64::from_le_bytes(seed));
        let (end, ended) = oneshot::channel();
        let follow = async move {
            tokio::select! {
                biased;
                _ = ended => {}
                () = follower.run() => {}
            }
        };
        runtime.spawn("rune index", Box::pin(follow));
        Self { shared, mempool, _end: Arc::new(end) }
    }

    /// Where it is, now and whenever it moves.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    /// What is durable of it.
    #[must_use]
    pub fn rows(&self) -> &Rows {
        &self.shared.rows
    }

    /// The balances as of a block, for which it waits a while.
    async fn view(&self, tip: BlockId) -> Result<View, String> {
        let mut progress = self.shared.progress.subscribe();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let view = self.shared.rows.view(tip.height, tip.hash).map_err(|error| error.to_string())?;
            if let Some(view) = view {
                return Ok(view);
            }
            let Progress { tip: own, trouble, .. } = progress.borrow_and_update().clone();
            if let Some(trouble) = trouble {
                return Err(format!("the rune index cannot follow the chain: {trouble}"));
            }
            let first = self.shared.rows.index().first_height();
            let next = own.map_or(first, |own| own.height.saturating_add(1));
            let late = Instant::now() >= deadline;
            if late || next.saturating_add(NEAR) < tip.height {
                let reached = own.map_or("no block".to_owned(), |own| format!("block {} ({})", own.height, own.hash));
                return Err(format!(
                    "the rune index has reached {reached}, expected block {} ({}): wait until it has caught up with bitcoind",
                    tip.height, tip.hash
                ));
            }
            self.shared.nudge.notify_one();
            let _ = timeout_at(deadline.min(Instant::now() + AGAIN), progress.changed()).await;
        }
    }

    async fn look_up(&self, places: &[Place], tip: BlockId) -> Result<Vec<Holdings>, String> {
        let view = self.view(tip).await?;
        let waiting: Vec<OutPoint> =
            places.iter().filter(|place| place.height.is_none()).map(|place| place.outpoint).collect();
        let mut computed =
            match waiting.is_empty() {
                true => Vec::new(),
                false => timeout(PATIENCE, waiting::holdings(&*self.mempool, &view, &waiting, tip)).await.map_err(
                    |_| format!("bitcoind did not tell of {} waiting outputs within {PATIENCE:?}", waiting.len()),
                )??,
            }
            .into_iter();
        let holdings = |place: &Place| match place.height {
            Some(height) if height > tip.height => {
                Err(format!("{} is told to be in block {height}, expected at most {}", place.outpoint, tip.height))
            }
            Some(_) => {
                let held = view.holdings(&place.outpoint).map_err(|error| error.to_string())?;
                Ok(held.unwrap_or_default())
            }
            None => Ok(computed.next().expect("there is one for each place that waits")),
        };
        places.iter().map(holdings).collect()
    }
}

impl AssetIndex for RuneIndex {
    fn holdings(&self, places: Vec<Place>, tip: BlockId) -> BoxFuture<'static, Result<Vec<Holdings>, String>> {
        let index = self.clone();
        async move { index.look_up(&places, tip).await }.boxed()
    }

    fn entry(&self, rune: RuneQuery) -> BoxFuture<'static, Result<Option<KnownRune>, String>> {
        let found = self.shared.rows.rune(rune).map_err(|error| error.to_string());
        let progress = self.shared.progress.borrow().clone();
        let answer = match found {
            // Not there yet is not the same as not etched.
            Ok((None, tip)) if tip.as_ref().map(|own| own.height) != progress.best || progress.best.is_none() => {
                Err(match progress.trouble {
                    Some(trouble) => format!("the rune index cannot follow the chain: {trouble}"),
                    None => "the rune index has not caught up with bitcoind: ask again later".to_owned(),
                })
            }
            found => found.map(|(rune, _)| rune),
        };
        std::future::ready(answer).boxed()
    }
}

impl fmt::Debug for RuneIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuneIndex").field("rows", &self.shared.rows).finish_non_exhaustive()
    }
}
