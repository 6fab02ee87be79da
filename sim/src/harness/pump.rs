//! The task that moves packets.

use std::future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::Signal;
use super::network::Network;
use super::world::lock;
use crate::clock;

/// Moves packets for ever.
///
/// The runtime must run many tasks between two looks at its timers, so that yielding lets every ready task run.
pub(super) async fn pump(network: Arc<Mutex<Network>>, signal: Arc<Signal>, start: Instant) {
    loop {
        let now = clock::since(start);
        lock(&network).deliver_due(now);
        tokio::task::yield_now().await;
        if signal.take_pending() {
            lock(&network).collect(now);
        }
        let due = lock(&network).next_due();
        if due.is_none_or(|due| due > now) {
            tokio::select! {
                biased;
                () = signal.woken() => {}
                () = sleep_until(start, due) => {}
            }
        }
    }
}

async fn sleep_until(start: Instant, due: Option<Duration>) {
    match due {
        Some(due) => tokio::time::sleep_until(start + due).await,
        None => future::pending().await,
    }
}
