//! One direction of a link: bandwidth and queue, loss, latency and jitter, reordering, duplication.

mod config;
mod loss;

use std::time::Duration;

use rand_chacha::rand_core::Rng;

pub use self::config::{AccessConfig, LinkConfig, QueueLimit, Reordering};
use self::loss::BurstState;
pub use self::loss::GilbertElliott;
use crate::packet::Transport;
use crate::tcp::MAX_RETRANSMISSIONS;

/// Why a link dropped a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkDrop {
    /// The queue was full.
    QueueFull,
    /// Independent loss.
    Loss,
    /// Loss in a burst.
    Burst,
}

/// A packet that passes a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Passage {
    /// When it arrives at the far end.
    pub at: Duration,
    /// How often a TCP segment was lost on the way; the caller turns that into delay.
    pub losses: u32,
    /// Whether it was held back so that later packets overtake it.
    pub reordered: bool,
    /// Whether it arrives twice.
    pub duplicated: bool,
}

/// One direction of a link with its queue and its loss state.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    busy_until: Duration,
    burst: BurstState,
    /// When the last packet arrives that keeps its place; nothing that keeps its place arrives before it.
    pub(crate) last_arrival: Duration,
}

impl Link {
    /// Makes an idle link.
    pub fn new(config: LinkConfig) -> Self {
        Self { config, busy_until: Duration::ZERO, burst: BurstState::default(), last_arrival: Duration::ZERO }
    }

    /// The parameters in force.
    pub const fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// Replaces the parameters. Packets that have been sent keep their arrival times; what waits in the queue is not
    /// reconsidered.
    pub fn set_config(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// Bytes that wait at `now`, the packet in transmission included.
    pub fn backlog(&self, now: Duration) -> u64 {
        let waiting = self.busy_until.saturating_sub(now);
        self.config.bandwidth.map_or(0, |bandwidth| bandwidth.bytes_in(waiting))
    }

    /// Sends a packet of `size` bytes into the link at `now`.
    ///
    /// Unless it is reordered it arrives not before `fifo`, which is then raised to its arrival: pass the same variable
    /// for all packets that must stay in order. TCP segments are never dropped, reordered or duplicated.
    ///
    /// # Errors
    /// A [`LinkDrop`] if the datagram is lost.
    pub fn transmit(
        &mut self,
        now: Duration,
        size: u32,
        transport: Transport,
        fifo: &mut Duration,
        rng: &mut impl Rng,
    ) -> Result<Passage, LinkDrop> {
        let departure = self.enqueue(now, size, transport).ok_or(LinkDrop::QueueFull)?;
        let mut losses = 0;
        while let Some(loss) = self.draw_loss(rng) {
            match transport {
                Transport::Udp => return Err(loss),
                Transport::Tcp => losses += 1,
            }
            if losses == MAX_RETRANSMISSIONS {
                break;
            }
        }
        let arrival = departure.saturating_add(self.config.latency).saturating_add(self.draw_jitter(rng));
        let in_order = arrival.max(*fifo);
        let (reordered, duplicated) = match transport {
            Transport::Udp => (self.config.reordering.probability.happens(rng), self.config.duplication.happens(rng)),
            Transport::Tcp => (false, false),
        };
        let at = if reordered {
            in_order.saturating_add(self.config.reordering.extra_delay)
        } else {
            *fifo = in_order;
            in_order
        };
        Ok(Passage { at, losses, reordered, duplicated })
    }

    /// When the last bit has left, or none if the datagram does not fit into the queue.
    fn enqueue(&mut self, now: Duration, size: u32, transport: Transport) -> Option<Duration> {
        let Some(bandwidth) = self.config.bandwidth else { return Some(now) };
        let start = self.busy_until.max(now);
        let departure = start.saturating_add(bandwidth.transmission_time(u64::from(size)));
        if transport == Transport::Udp && start > now {
            let fits = match self.config.queue.unwrap_or(QueueLimit::DEFAULT) {
                QueueLimit::Bytes(limit) => bandwidth.bytes_in(departure - now) <= limit,
                QueueLimit::Time(limit) => departure - now <= limit,
            };
            if !fits {
                return None;
            }
        }
        self.busy_until = departure;
        Some(departure)
    }

    fn draw_loss(&mut self, rng: &mut impl Rng) -> Option<LinkDrop> {
        if let Some(model) = &self.config.burst
            && self.burst.loses(model, rng)
        {
            return Some(LinkDrop::Burst);
        }
        self.config.loss.happens(rng).then_some(LinkDrop::Loss)
    }

    fn draw_jitter(&self, rng: &mut impl Rng) -> Duration {
        if self.config.jitter.is_zero() {
            return Duration::ZERO;
        }
        let bound = u64::try_from(self.config.jitter.as_nanos()).unwrap_or(u64::MAX);
        // The high half of the product is uniform below the bound (multiply-shift).
        let share = (u128::from(rng.next_u64()) * (u128::from(bound) + 1)) >> 64;
        Duration::from_nanos(share as u64)
    }
}
