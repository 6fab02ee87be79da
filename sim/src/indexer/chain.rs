//! The chain of a run, and who waits for its changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bitcoin::BlockHash;
use darkswap_chain::FullNode;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// One chain for everybody. Clones share.
#[derive(Clone)]
pub struct SharedChain {
    inner: Arc<Mutex<Inner>>,
    changed: Arc<Notify>,
}

struct Inner {
    node: FullNode,
    /// When each tip came, since the Unix epoch; also of tips that lost. Bounded by the blocks of a run.
    tips: BTreeMap<BlockHash, Duration>,
}

impl SharedChain {
    /// Shares a chain.
    pub fn new(node: FullNode) -> Self {
        let inner = Inner { node, tips: BTreeMap::new() };
        Self { inner: Arc::new(Mutex::new(inner)), changed: Arc::new(Notify::new()) }
    }

    /// Looks at the chain. The closure must not use this again.
    pub fn look<T>(&self, look: impl FnOnce(&FullNode) -> T) -> T {
        look(&self.lock().node)
    }

    /// Changes the chain at a time since the Unix epoch, and wakes those who wait if it did change. The closure must not use this
    /// again.
    pub fn change<T>(&self, now: Duration, change: impl FnOnce(&mut FullNode) -> T) -> T {
        let mut inner = self.lock();
        let before = (inner.node.revision(), inner.node.chain().tip());
        let changed = change(&mut inner.node);
        let after = (inner.node.revision(), inner.node.chain().tip());
        if before.1 != after.1 {
            inner.tips.entry(after.1).or_insert(now);
        }
        drop(inner);
        if before != after {
            self.tell();
        }
        changed
    }

    /// When a block became the tip, since the Unix epoch; nothing of blocks from before the run and of those that never were the tip.
    pub fn tip_since(&self, block: &BlockHash) -> Option<Duration> {
        self.lock().tips.get(block).copied()
    }

    /// Completes at the next change of the chain, or of what an indexer shows of it. A change after this call is not missed, even if
    /// the future is first polled later.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Wakes everybody who waits for a change.
    pub(super) fn tell(&self) {
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SharedChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedChain").field("height", &self.look(|node| node.chain().height())).finish_non_exhaustive()
    }
}
