//! The server, which the behaviour and every circuit ask.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use darkswap_connectivity::Time;
use darkswap_connectivity::relay::server::{Circuit, Denied, Limits, Server};
use libp2p::PeerId;
use tokio::time::Instant;

/// A relay's server and its time.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    started: Instant,
    books: Arc<Mutex<Books>>,
}

#[derive(Debug)]
struct Books {
    server: Server<PeerId>,
    /// Bytes of each circuit that is open: the server forgets a circuit that it denies more.
    carried: BTreeMap<Circuit, u64>,
}

impl Shared {
    pub(super) fn new(limits: Limits) -> Self {
        let books = Books { server: Server::new(Time::ZERO, limits), carried: BTreeMap::new() };
        Self { started: Instant::now(), books: Arc::new(Mutex::new(books)) }
    }

    /// Asks the server.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(Time, &mut Server<PeerId>) -> T) -> T {
        ask(self.started.elapsed(), &mut self.books().server)
    }

    /// A circuit has ended: the bytes that it carried.
    pub(super) fn end(&self, circuit: Circuit) -> u64 {
        let now = self.started.elapsed();
        let mut books = self.books();
        books.server.end(now, circuit);
        books.carried.remove(&circuit).unwrap_or_default()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Whoever panicked while holding it has ended its connection; the counts are whole at every step.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What tokio calls a time of the server.
    pub(super) fn instant(&self, at: Time) -> Instant {
        self.started + at
    }

    /// Waits until some of these bytes may pass: how many of them. There is at least one of them.
    pub(super) async fn pass(&self, circuit: Circuit, bytes: usize) -> Result<usize, Denied> {
        let now = self.started.elapsed();
        let (allowed, ready) = {
            let mut books = self.books();
            let allowed = books.server.allowance(now, circuit, bytes.try_into().unwrap_or(u64::MAX));
            let ready = books.server.carry(now, circuit, allowed)?;
            *books.carried.entry(circuit).or_default() += allowed;
            (allowed, ready)
        };
        if ready > now {
            tokio::time::sleep_until(self.instant(ready)).await;
        }
        Ok(usize::try_from(allowed).unwrap_or(bytes).min(bytes))
    }
}
