//! Requests for resets of streams that the peer has not answered (RFC 6525 section 5.1).
//!
//! The stack repeats those that begin the closing of a stream, but not those that answer the peer's: if such a one is lost, the peer
//! waits for it until another channel closes. So all of them are repeated here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::packet::requests;

/// When an unanswered request is sent again: first, and at last after doublings. Whoever has got an answer knows after three times
/// the last that no more will come ([`super::streams::REST`]).
const FIRST: Duration = Duration::from_millis(400);
const LAST: Duration = Duration::from_millis(1600);
/// How often a request is sent again; ICE has long failed by then.
const MOST: usize = 30;

#[derive(Default)]
pub(super) struct Resets {
    unanswered: BTreeMap<u32, Request>,
}

struct Request {
    packet: Bytes,
    due: Instant,
    gap: Duration,
    sent: usize,
}

impl Resets {
    /// A packet leaves.
    pub(super) fn on_sent(&mut self, now: Instant, packet: &[u8]) {
        for request in requests(packet) {
            let new = || Request { packet: Bytes::copy_from_slice(packet), due: now + FIRST, gap: FIRST, sent: 0 };
            self.unanswered.entry(request).or_insert_with(new);
        }
    }

    pub(super) fn on_answered(&mut self, request: u32) {
        self.unanswered.remove(&request);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.unanswered.values().map(|request| request.due).min()
    }

    /// Hands what is due to `out`; whether there was something.
    pub(super) fn transmit(&mut self, now: Instant, mut out: impl FnMut(&[u8])) -> bool {
        let mut any = false;
        for request in self.unanswered.values_mut().filter(|request| request.due <= now) {
            out(&request.packet);
            request.gap = (request.gap * 2).min(LAST);
            request.due = now + request.gap;
            request.sent += 1;
            any = true;
        }
        self.unanswered.retain(|_, request| request.sent < MOST);
        any
    }
}
