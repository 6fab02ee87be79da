//! Which SCTP stream a new channel gets (RFC 8832 section 6).
//!
//! The stack forgets a stream as soon as the peer's reset of it arrives, but resets that were sent again may arrive later, and one that
//! finds a new channel on its stream ends it. So a stream rests before it is used again, and the longest rested comes first.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Rest of a stream: two repetitions of a lost reset, after 1 and 2 more seconds (RFC 9260 section 6.3), and their way.
pub(super) const REST: Duration = Duration::from_secs(5);
/// Browsers refuse streams from here on, so they are the last choice.
const BROWSER_STREAMS: u16 = 1024;

/// The streams that are ours to choose: the even ones of the DTLS client, the odd ones of the server.
pub(super) struct Streams {
    next: u16,
    limit: u16,
    resting: VecDeque<(Instant, u16)>,
}

impl Streams {
    /// `limit` is how many streams the association has.
    pub(super) fn new(client: bool, limit: u16) -> Self {
        Self { next: u16::from(!client), limit, resting: VecDeque::new() }
    }

    pub(super) fn take(&mut self, now: Instant, in_use: impl Fn(u16) -> bool) -> Option<u16> {
        if self.next < BROWSER_STREAMS
            && let Some(stream) = self.take_fresh(&in_use)
        {
            return Some(stream);
        }
        while let Some((_, stream)) = self.resting.pop_front_if(|(rested, _)| *rested <= now) {
            if !in_use(stream) {
                return Some(stream);
            }
        }
        self.take_fresh(&in_use)
    }

    fn take_fresh(&mut self, in_use: &impl Fn(u16) -> bool) -> Option<u16> {
        // The last stream of all is reserved (RFC 8832 section 6).
        while self.next < self.limit.min(u16::MAX - 1) {
            let stream = self.next;
            self.next += 2;
            if !in_use(stream) {
                return Some(stream);
            }
        }
        None
    }

    /// The stream has left; of others than ours nothing needs to be known.
    pub(super) fn release(&mut self, now: Instant, stream: u16) {
        let ours = stream < self.next && (self.next - stream).is_multiple_of(2);
        if ours {
            self.resting.push_back((now + REST, stream));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "only a start from which virtual time is counted")]
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn client_and_server_choose_different_streams() {
        let now = now();
        let take = |client| {
            let mut streams = Streams::new(client, 65_535);
            [streams.take(now, |_| false), streams.take(now, |stream| stream == 2 || stream == 3)]
        };
        assert_eq!(take(true), [Some(0), Some(4)]);
        assert_eq!(take(false), [Some(1), Some(5)]);
    }

    #[test]
    fn a_stream_rests_before_it_is_used_again() {
        let now = now();
        let mut streams = Streams::new(true, 1024);
        let all: BTreeSet<u16> = std::iter::from_fn(|| streams.take(now, |_| false)).collect();
        assert_eq!(all.len(), 512);
        streams.release(now, 6);
        streams.release(now + Duration::from_secs(1), 4);
        assert_eq!(streams.take(now + REST - Duration::from_millis(1), |_| false), None);
        assert_eq!(streams.take(now + REST, |_| false), Some(6));
        assert_eq!(streams.take(now + REST, |_| false), None);
        assert_eq!(streams.take(now + REST + Duration::from_secs(1), |_| false), Some(4));
    }

    #[test]
    fn streams_that_browsers_refuse_come_last() {
        let now = now();
        let mut streams = Streams::new(false, 65_535);
        for _ in 0..512 {
            assert!(streams.take(now, |_| false).unwrap() < BROWSER_STREAMS);
        }
        streams.release(now, 9);
        assert_eq!(streams.take(now, |_| false), Some(1025));
        assert_eq!(streams.take(now + REST, |_| false), Some(9));
    }
}
