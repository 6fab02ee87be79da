//! Relays that stop in good order, as one does at SIGTERM.

use std::time::Duration;

use anyhow::Result;
use darkswap_fabric::FaultId;
use darkswap_scenario::topology::{Fault, HostIndex};

use super::{Applied, Faults};

/// What the end of a node may take after it has drained: the goodbyes of its connections.
const CLOSING: Duration = Duration::from_secs(1);

impl Faults<'_> {
    /// Lets relays drain, all at once, and stops each when it is done.
    pub(super) async fn drain(&self, fault: &Fault, relays: &[HostIndex], within: Duration) -> Result<Applied> {
        let mut applied = self.begin(fault)?;
        let stopping = relays.iter().map(|relay| self.drain_relay(*relay, within, fault.kind.name()));
        for stopped in futures::future::join_all(stopping).await {
            applied.network.push(stopped?);
        }
        applied.until = Some(self.scene.recorder.now());
        Ok(applied)
    }

    /// Whatever comes of it, the relay is gone in time: a rogue has no node that would drain.
    async fn drain_relay(&self, relay: HostIndex, within: Duration, fault: &'static str) -> Result<FaultId> {
        let end = tokio::time::Instant::now() + within;
        if let Some(handle) = self.scene.cast.handle(relay.0) {
            // The node tells how many circuits were cut.
            let _ = tokio::time::timeout_at(end, handle.drain(within)).await;
            let _ = tokio::time::timeout(CLOSING, handle.stop()).await;
        } else {
            tokio::time::sleep_until(end).await;
        }
        self.stop(relay, fault)
    }
}
