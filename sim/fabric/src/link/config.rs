//! The parameters of one direction of a link.

use std::time::Duration;

use super::loss::GilbertElliott;
use crate::bandwidth::Bandwidth;
use crate::probability::Probability;

/// How much may wait in front of a link with limited bandwidth; what does not fit is dropped (tail drop).
///
/// An idle link accepts a packet of any size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueLimit {
    /// Bytes on the wire, the packet in transmission included.
    Bytes(u64),
    /// Time until the last bit of the queue has left.
    Time(Duration),
}

impl QueueLimit {
    /// The limit that a link has if nothing else is said: 100 ms.
    pub const DEFAULT: Self = Self::Time(Duration::from_millis(100));
}

/// Packets that are held back so that later ones overtake them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reordering {
    /// The share of packets held back.
    pub probability: Probability,
    /// How long they are held back.
    pub extra_delay: Duration,
}

/// One direction of a link. The default is ideal: no delay, no loss, no limit.
///
/// Order of effects: queue and transmission (bandwidth), loss, latency and jitter, reordering, duplication. Jitter
/// alone does not reorder. Loss, reordering and duplication apply to UDP; for TCP see [`crate::tcp`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LinkConfig {
    /// Propagation time of every packet.
    pub latency: Duration,
    /// Upper bound of an additional, uniformly distributed delay.
    pub jitter: Duration,
    /// Transmission rate; none is unlimited, and then there is no queue.
    pub bandwidth: Option<Bandwidth>,
    /// Bound of the queue; [`QueueLimit::DEFAULT`] if none.
    pub queue: Option<QueueLimit>,
    /// Loss that strikes each packet independently.
    pub loss: Probability,
    /// Loss that comes in bursts, in addition.
    pub burst: Option<GilbertElliott>,
    /// Packets held back.
    pub reordering: Reordering,
    /// The share of packets that arrive twice.
    pub duplication: Probability,
}

impl LinkConfig {
    /// A link that does nothing but delay.
    pub fn with_latency(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }
}

/// The two directions of an access link.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AccessConfig {
    /// Away from the host or site.
    pub up: LinkConfig,
    /// Towards the host or site.
    pub down: LinkConfig,
}

impl AccessConfig {
    /// The same parameters in both directions.
    pub const fn symmetric(config: LinkConfig) -> Self {
        Self { up: config, down: config }
    }
}
