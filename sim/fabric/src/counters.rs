//! What happened to the packets.

use crate::link::LinkDrop;

/// Totals since the start. Every packet ends in exactly one of the counters that [`Counters::ended`] adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Packets handed to the fabric.
    pub sent: u64,
    /// Bytes of them.
    pub sent_bytes: u64,
    /// Packets that reached a host.
    pub delivered: u64,
    /// Bytes of them.
    pub delivered_bytes: u64,
    /// Datagrams lost independently of each other.
    pub lost: u64,
    /// Datagrams lost in a burst.
    pub lost_burst: u64,
    /// Packets dropped by a NAT; [`NatCounters`](crate::NatCounters) has the reasons.
    pub filtered: u64,
    /// Packets without a route: unknown source or destination, a private address outside its network, IPv6.
    pub unroutable: u64,
    /// Datagrams that found a queue full.
    pub queue_dropped: u64,
    /// Datagrams dropped because [`MAX_IN_FLIGHT`](crate::MAX_IN_FLIGHT) was reached.
    pub overflowed: u64,
    /// Packets dropped by a fault: by a partition, a link that is down, or a crash.
    pub cut: u64,
    /// Additional copies of datagrams.
    pub duplicated: u64,
    /// Datagrams held back so that later ones overtake them.
    pub reordered: u64,
    /// TCP segments that a link lost and that arrived late for it.
    pub tcp_delayed: u64,
    /// Times that a TCP segment was held by a fault until it was lifted.
    pub held: u64,
    /// Packets turned around by a NAT.
    pub hairpinned: u64,
}

impl Counters {
    /// Packets that are no longer under way: `sent + duplicated - ended()` is what is in flight or held.
    pub const fn ended(&self) -> u64 {
        self.delivered
            + self.lost
            + self.lost_burst
            + self.filtered
            + self.unroutable
            + self.queue_dropped
            + self.overflowed
            + self.cut
    }

    pub(crate) const fn count_link(&mut self, reason: LinkDrop) {
        let counter = match reason {
            LinkDrop::QueueFull => &mut self.queue_dropped,
            LinkDrop::Loss => &mut self.lost,
            LinkDrop::Burst => &mut self.lost_burst,
        };
        *counter += 1;
    }
}

/// Totals of one host since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostCounters {
    /// Packets that reached the host.
    pub packets_in: u64,
    /// Bytes of them.
    pub bytes_in: u64,
    /// Packets that the host sent.
    pub packets_out: u64,
    /// Bytes of them.
    pub bytes_out: u64,
}
