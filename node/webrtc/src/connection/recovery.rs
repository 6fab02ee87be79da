//! When data leaves again after the way to the peer was gone.
//!
//! The stack doubles its T3-rtx timer with every expiry up to a minute, of which 24 s are left on our [clock](super::clock), and hears
//! nothing of ICE: after a restart that took 6 s, data would wait for as long again. So whoever selects a pair has the timer fire at
//! once. A packet that is lost then would wait for the whole doubled time, so this is repeated a few times until an acknowledgement
//! comes, with which the stack's own timer is short again.
//!
//! The price: for the association more time has passed than really has, so messages with a lifetime (RFC 3758) are given up early.
//! They have waited for seconds without a path by then.

use std::time::{Duration, Instant};

use rtc::sctp::AssociationStats;

/// When the timer is fired again without an acknowledgement: first; then after doublings.
const FIRST: Duration = Duration::from_millis(400);
/// How often it is fired for one pair, over 6 s: by then ICE has noticed if the pair is of no use either.
const MOST: u32 = 5;

#[derive(Default)]
pub(super) struct Recovery {
    /// What the association had counted when an acknowledgement last came.
    acknowledgements: u64,
    expiries: u64,
    next: Option<Instant>,
    fired: u32,
}

impl Recovery {
    /// A packet was handled.
    pub(super) fn note(&mut self, stats: &mut AssociationStats) {
        let acknowledgements = stats.get_num_sacks();
        if acknowledgements != self.acknowledgements {
            self.acknowledgements = acknowledgements;
            self.expiries = stats.get_num_t3timeouts();
            self.end();
        }
    }

    /// Whether T3-rtx has expired without an acknowledgement since: only then it is long.
    pub(super) fn is_stalled(&self, stats: &mut AssociationStats) -> bool {
        stats.get_num_t3timeouts() > self.expiries
    }

    /// A pair works; whether that is news.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        // ICE may tell twice: of its state, and of the pair.
        let is_news = self.next.is_none_or(|next| self.fired > 1 || next < now + FIRST);
        if is_news {
            (self.fired, self.next) = (1, Some(now + FIRST));
        }
        is_news
    }

    /// Whether the timer is to be fired once more.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        if self.next.is_none_or(|next| next > now) {
            return false;
        }
        self.fired += 1;
        self.next = (self.fired < MOST).then(|| now + FIRST * (1 << (self.fired - 1)));
        true
    }

    pub(super) fn end(&mut self) {
        self.next = None;
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }
}
