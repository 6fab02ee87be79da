//! How often each peer may do something.

use std::collections::BTreeMap;
use std::time::Duration;

use darkswap_trade::order::TraderKey;

use crate::Time;

/// How often the quiet are forgotten, at most.
const SWEEP: Duration = Duration::from_secs(1);

/// So many at once, and one more after each interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) burst: u32,
    pub(super) interval: Duration,
}

/// A bucket of tokens for each peer that was heard lately.
#[derive(Debug)]
pub(super) struct Buckets {
    rate: Rate,
    most: usize,
    by_peer: BTreeMap<TraderKey, Bucket>,
    /// When the quiet were forgotten last.
    swept: Time,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: u32,
    /// Until when it was filled up.
    filled: Time,
}

impl Buckets {
    /// Buckets of at most `most` peers.
    pub(super) fn new(rate: Rate, most: usize) -> Self {
        Self { rate, most, by_peer: BTreeMap::new(), swept: Time::ZERO }
    }

    /// Takes a token of a peer; false where there is none. A peer beyond the most that are remembered has none either, until
    /// others were quiet long enough to be forgotten: a flood of new peers slows newcomers down, not those that are known.
    pub(super) fn take(&mut self, now: Time, peer: TraderKey) -> bool {
        let rate = self.rate;
        if !self.by_peer.contains_key(&peer) && self.by_peer.len() >= self.most {
            self.sweep(now);
            if self.by_peer.len() >= self.most {
                return false;
            }
        }
        let bucket = self.by_peer.entry(peer).or_insert(Bucket { tokens: rate.burst, filled: now });
        bucket.fill(now, rate);
        let taken = bucket.tokens.checked_sub(1);
        bucket.tokens = taken.unwrap_or(0);
        taken.is_some()
    }

    /// Forgets the quiet. Not every time: it looks at all of them.
    fn sweep(&mut self, now: Time) {
        if now.saturating_sub(self.swept) < SWEEP && now >= self.swept {
            return;
        }
        self.swept = now;
        let rate = self.rate;
        self.by_peer.retain(|_, bucket| {
            bucket.fill(now, rate);
            bucket.tokens < rate.burst
        });
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.by_peer.len()
    }
}

impl Bucket {
    fn fill(&mut self, now: Time, rate: Rate) {
        let elapsed = now.saturating_sub(self.filled);
        let whole = elapsed.as_nanos().checked_div(rate.interval.as_nanos()).unwrap_or(0);
        let more = u32::try_from(whole).unwrap_or(u32::MAX);
        self.tokens = self.tokens.saturating_add(more).min(rate.burst);
        if self.tokens == rate.burst {
            // Full, or the clock went backwards while it was.
            self.filled = now;
        } else {
            self.filled = self.filled.saturating_add(rate.interval.saturating_mul(more));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, interval: Duration::from_secs(2) };

    fn peer(number: u8) -> TraderKey {
        TraderKey([number; 32])
    }

    fn at(seconds: u64) -> Time {
        Time::from_secs(1_000 + seconds)
    }

    #[test]
    fn a_burst_passes_and_then_one_per_interval() {
        let mut buckets = Buckets::new(RATE, 9);
        let taken = |buckets: &mut Buckets, seconds| (0..9).filter(|_| buckets.take(at(seconds), peer(1))).count();
        assert_eq!(taken(&mut buckets, 0), 3);
        assert_eq!(taken(&mut buckets, 1), 0);
        assert_eq!(taken(&mut buckets, 2), 1);
        assert_eq!(taken(&mut buckets, 7), 2);
        assert_eq!(taken(&mut buckets, 9_000), 3);
    }

    #[test]
    fn peers_do_not_use_each_others_tokens_and_the_quiet_are_forgotten() {
        let mut buckets = Buckets::new(RATE, 2);
        assert!(buckets.take(at(0), peer(1)) && buckets.take(at(0), peer(2)));
        assert!(!buckets.take(at(0), peer(3)), "there is no room for a third one yet");
        assert!(buckets.take(at(9), peer(3)));
        assert_eq!(buckets.len(), 1);
    }
}
