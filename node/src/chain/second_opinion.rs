//! What another server says: of the tip, and of what was broadcast.
//!
//! The chain with the most work is the same for all, so whichever server shows less is behind or lies. A transaction that a
//! server took for broadcast, and that another one does not know, is broadcast there as well. If that one takes it and the
//! first does not have it (any more), the first swallowed it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::Transaction;
use electrum_streaming_client::request::{BroadcastTx, GetTx};
use tokio::time::{Instant, timeout};

use super::desk::{Desk, Link};
use super::misbehaviour::{Misbehaviour, Trouble};

/// How long a broadcast may take to reach another server.
pub(super) const SPREAD: Duration = Duration::from_secs(20);

/// How long another server may be asked, while the one in use waits: a few answers of a slow one. Headers that it has shown by then
/// are kept, so that one with many goes on with them the next time.
const COMPARISON: Duration = Duration::from_secs(60);

/// Broadcasts that wait to be looked up. The oldest ones give way: their owners broadcast again when they are missing.
const MAX_BROADCASTS: usize = 256;

/// What is to be asked next, and when.
#[derive(Debug)]
pub(super) struct SecondOpinion {
    tip: Instant,
    broadcasts: VecDeque<(Instant, Arc<Transaction>)>,
}

impl SecondOpinion {
    /// The first look at another tip is at this time.
    pub(super) fn new(tip: Instant) -> Self {
        Self { tip, broadcasts: VecDeque::new() }
    }

    /// When there is something to ask.
    pub(super) fn due(&self) -> Instant {
        self.broadcasts.front().map_or(self.tip, |(due, _)| self.tip.min(*due))
    }

    /// It was broadcast just now, and is looked up later.
    pub(super) fn broadcast(&mut self, transaction: Arc<Transaction>) {
        if self.broadcasts.len() >= MAX_BROADCASTS {
            self.broadcasts.pop_front();
        }
        self.broadcasts.push_back((Instant::now() + SPREAD, transaction));
    }
}

impl Desk {
    /// Asks another server. Trouble with that one is its own; what is returned is trouble with the one in use.
    pub(super) async fn ask_second(&mut self, link: &Link, server: usize) -> Result<(), Trouble> {
        let now = Instant::now();
        self.second_opinion.tip = now + self.settings.second_opinion;
        let waiting = &mut self.second_opinion.broadcasts;
        let due = waiting.iter().take_while(|(due, _)| *due <= now).count();
        let broadcasts: Vec<Arc<Transaction>> = waiting.drain(..due).map(|(_, transaction)| transaction).collect();
        let before = self.headers.tip();
        let late = || Trouble::Lost(format!("it was not done with a comparison within {} s", COMPARISON.as_secs()));
        let compared = timeout(COMPARISON, self.compare(link, server, &broadcasts)).await;
        match compared.unwrap_or_else(|_| Err(late())) {
            // Only what is said of the server in use comes as a value.
            Ok(Some(misbehaviour)) => return Err(misbehaviour.into()),
            Ok(None) => {}
            Err(trouble) => drop(self.leave(server, &trouble)),
        }
        // The other server may have shown more work: then the one in use has to follow.
        if self.headers.tip() == before { Ok(()) } else { self.refresh(link).await.and(Err(Trouble::Moved)) }
    }

    async fn compare(
        &mut self,
        link: &Link,
        server: usize,
        broadcasts: &[Arc<Transaction>],
    ) -> Result<Option<Misbehaviour>, Trouble> {
        let second = self.open(server).await?;
        self.refresh(&second).await?;
        for transaction in broadcasts {
            let txid = transaction.compute_txid();
            if second.connection.ask(GetTx { txid }).await?.is_ok() {
                continue;
            }
            let taken = second.connection.ask(BroadcastTx(transaction.as_ref().clone())).await?.is_ok();
            let denied = matches!(link.connection.ask(GetTx { txid }).await, Ok(Err(_)));
            if taken && denied {
                return Ok(Some(Misbehaviour::Swallowed(txid)));
            }
        }
        Ok(None)
    }
}
