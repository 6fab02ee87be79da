//! Relayed candidates, which have to wait for their turn.
//!
//! The controlling agent nominates once (RFC 8445 section 8.1.1): a relayed pair that is nominated because a check of a better pair was
//! lost stays until ICE restarts, with its detour and its costs. Nominating it late does not help, because peers give up pairs that work
//! and are not nominated. So the controlling agent does not know relayed candidates, its own and the peer's, before others have had time;
//! to the peer it looks as if they came late. On an end that has no other candidates, or does not nominate, they do not wait.
//!
//! | state | until |
//! |---|---|
//! | kept | the checks begin |
//! | waiting | the time has come |
//! | admitted | the next restart |

use std::net::SocketAddr;
use std::time::Instant;

use rtc::ice::candidate::Candidate;

use super::ice::MAX_CANDIDATES;

#[derive(Default)]
pub(super) struct Relayed {
    state: State,
    /// Those of the peer.
    kept: Vec<Candidate>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Kept,
    Waiting(Instant),
    Admitted,
}

impl Relayed {
    pub(super) fn is_kept(&self) -> bool {
        self.state != State::Admitted
    }

    /// Keeps a candidate of the peer.
    pub(super) fn keep(&mut self, candidate: Candidate) {
        if self.kept.len() < MAX_CANDIDATES && !self.keeps(candidate.addr()) {
            self.kept.push(candidate);
        }
    }

    /// Whether that is an address of a candidate of the peer that is kept.
    pub(super) fn keeps(&self, address: SocketAddr) -> bool {
        self.kept.iter().any(|candidate| candidate.addr() == address)
    }

    pub(super) fn wait_until(&mut self, at: Instant) {
        self.state = State::Waiting(at);
    }

    /// Those of the peer that were kept; from now on none is.
    pub(super) fn admit(&mut self) -> Vec<Candidate> {
        self.state = State::Admitted;
        std::mem::take(&mut self.kept)
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting(at) if at <= now)
    }

    /// When something happens; `ours` is whether there is one of ours.
    pub(super) fn poll_timeout(&self, ours: bool) -> Option<Instant> {
        match self.state {
            State::Waiting(at) if ours || !self.kept.is_empty() => Some(at),
            State::Waiting(_) | State::Kept | State::Admitted => None,
        }
    }
}
