//! The order of packets within a flow.

use std::net::SocketAddrV4;
use std::time::Duration;

use crate::hash::{FastMap, pack};
use crate::packet::Transport;

/// The table is swept when it has grown to this, or to twice what was left by the sweep before.
const FIRST_SWEEP: usize = 4_096;

/// Where along the path the order is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checkpoint {
    /// At the far end of the core.
    Core,
    /// At the receiving host.
    Host,
}

/// When the last packet of each flow passes a checkpoint: the earliest time at which the next one may.
///
/// An entry in the past has no effect, so the table needs to hold only those in the future.
#[derive(Debug)]
pub(super) struct FlowOrder {
    last: FastMap<(u64, u64), Duration>,
    sweep_at: usize,
}

impl FlowOrder {
    pub(super) fn new() -> Self {
        Self { last: FastMap::default(), sweep_at: FIRST_SWEEP }
    }

    pub(super) fn of(
        &mut self,
        now: Duration,
        checkpoint: Checkpoint,
        transport: Transport,
        source: SocketAddrV4,
        destination: SocketAddrV4,
    ) -> &mut Duration {
        if self.last.len() >= self.sweep_at {
            self.last.retain(|_, last| *last > now);
            self.sweep_at = FIRST_SWEEP.max(2 * self.last.len());
        }
        let tag = (checkpoint as u64) << 56 | (transport as u64) << 48;
        self.last.entry((pack(source) | tag, pack(destination))).or_default()
    }
}
