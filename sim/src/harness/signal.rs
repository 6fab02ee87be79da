//! What sockets and tasks tell the harness.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::SocketPair;

/// Wakes the pump when a host may have sent, and carries what turmoil-net does not know.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    pending: AtomicBool,
    wake: Notify,
    departures: Mutex<Vec<Departure>>,
}

/// How an application left a connection that its remote end has not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Departure {
    /// It left everything that arrived read: what arrives later resets the connection (RFC 9293, section 3.10.7.4).
    Quiet(SocketPair),
    /// It left bytes unread: that resets the connection at once (RFC 2525, section 2.17).
    Unread(SocketPair),
}

impl Signal {
    /// Asks for a pass of the pump: packets may be waiting in a host.
    pub(crate) fn host_may_have_sent(&self) {
        if !self.pending.swap(true, Ordering::Relaxed) {
            self.wake.notify_one();
        }
    }

    /// The application left a connection while the remote end may still send.
    pub(crate) fn left(&self, pair: SocketPair) {
        self.departed(Departure::Quiet(pair));
    }

    /// The application left a connection with bytes unread.
    pub(crate) fn left_unread(&self, pair: SocketPair) {
        self.departed(Departure::Unread(pair));
    }

    /// Whether a host may have sent since the last call.
    pub(crate) fn take_pending(&self) -> bool {
        self.pending.swap(false, Ordering::Relaxed)
    }

    /// Completes when a host may have sent.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(crate) fn take_departures(&self) -> Vec<Departure> {
        std::mem::take(&mut *self.lock())
    }

    fn departed(&self, departure: Departure) {
        self.lock().push(departure);
        self.host_may_have_sent();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Departure>> {
        self.departures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
