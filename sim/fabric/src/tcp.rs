//! The model of TCP on lossy links: loss becomes delay.
//!
//! The simulated sockets cannot repair a lost, reordered or duplicated segment, so the fabric never does that to one.
//! - A segment that a link loses arrives later, by the time in which TCP would have repaired the loss. A flow is
//!   first-in, first-out, so the segments behind it wait: head-of-line blocking.
//! - The first loss of a segment costs one round trip (fast retransmit, RFC 5681 section 3.2). Every further loss of
//!   the same segment, and every loss of a SYN, costs a retransmission timeout that doubles each time (RFC 6298).
//! - A segment that finds a queue full is queued nevertheless; the wait is its delay. There is no congestion control:
//!   the sender's window bounds the queue.
//! - Partitions and link flaps hold segments and release them, in order, when they are lifted.
//! - Segments of a crashed host are really dropped. So is what a NAT refuses and what has no route.
//!
//! The delay is added where the segment arrives at the host; NATs on the way see it at its first transmission.

use std::time::Duration;

use crate::packet::TcpFlags;

/// The retransmission timeout before a round trip has been measured (RFC 6298, section 2.1).
pub const INITIAL_TIMEOUT: Duration = Duration::from_secs(1);
/// The shortest retransmission timeout afterwards, as in Linux. RFC 6298 has one second.
pub const MIN_TIMEOUT: Duration = Duration::from_millis(200);
/// The highest number of losses of one segment on one link, even if the link loses everything.
pub const MAX_RETRANSMISSIONS: u32 = 6;

/// The time by which a segment is late that was lost `losses` times and otherwise takes `one_way` to arrive.
pub fn repair_time(flags: TcpFlags, one_way: Duration, losses: u32) -> Duration {
    if losses == 0 {
        return Duration::ZERO;
    }
    if flags.syn {
        return INITIAL_TIMEOUT.saturating_mul(doubled(losses));
    }
    let round_trip = one_way.saturating_mul(2);
    let timeout = MIN_TIMEOUT.max(round_trip.saturating_mul(2));
    round_trip.saturating_add(timeout.saturating_mul(doubled(losses - 1)))
}

/// The sum of the first `times` powers of two.
fn doubled(times: u32) -> u32 {
    1u32.checked_shl(times).map_or(u32::MAX, |power| power - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_WAY: Duration = Duration::from_millis(30);

    #[test]
    fn the_first_loss_costs_a_round_trip_and_further_ones_cost_doubling_timeouts() {
        let data = TcpFlags::default();
        assert_eq!(repair_time(data, ONE_WAY, 0), Duration::ZERO);
        assert_eq!(repair_time(data, ONE_WAY, 1), Duration::from_millis(60));
        assert_eq!(repair_time(data, ONE_WAY, 2), Duration::from_millis(60 + 200));
        assert_eq!(repair_time(data, ONE_WAY, 3), Duration::from_millis(60 + 600));
    }

    #[test]
    fn a_lost_syn_costs_the_initial_timeout() {
        let syn = TcpFlags { syn: true, ..TcpFlags::default() };
        assert_eq!(repair_time(syn, ONE_WAY, 1), Duration::from_secs(1));
        assert_eq!(repair_time(syn, ONE_WAY, 2), Duration::from_secs(3));
    }
}
