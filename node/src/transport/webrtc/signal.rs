//! What concerns signalling: events of the agent that whoever negotiates for the connection acts upon.

use std::collections::VecDeque;

use darkswap_webrtc::connection::{CandidatePair, IceState};

/// Something that concerns signalling.
#[derive(Debug, Clone)]
pub(in crate::transport) enum Signal {
    /// A candidate to tell the peer: the text of its attribute.
    Candidate(String),
    /// No more candidates will come.
    GatheringComplete,
    /// The state of ICE changed.
    Ice(IceState),
    /// ICE uses another pair.
    SelectedPair(CandidatePair),
}

/// Signals that nobody has asked for yet. A connection without signalling has no reader, so only the newest are kept.
#[derive(Debug, Default)]
pub(super) struct Signals(VecDeque<Signal>);

/// More than a host with many interfaces and all its servers has candidates.
const BOUND: usize = 64;

impl Signals {
    pub(super) fn push(&mut self, signal: Signal) {
        if self.0.len() >= BOUND {
            self.0.pop_front();
        }
        self.0.push_back(signal);
    }

    pub(super) fn pop(&mut self) -> Option<Signal> {
        self.0.pop_front()
    }
}
