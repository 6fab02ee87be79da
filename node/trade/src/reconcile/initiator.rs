//! The end of a session that begins it.

use std::collections::VecDeque;

use negentropy::Negentropy;
use prost::Message as _;

use super::message::{Wire, concatenated};
use super::{Difference, MAX_FOUND, MAX_FRAME, MAX_ROUNDS, ReconcileRefusal, Snapshot, Step};
use crate::order::OrderId;

/// The side that begins, compares, and tells the other what it finds.
///
/// | state | message | next |
/// |---|---|---|
/// | comparing | a frame | comparing; telling when nothing is left to compare; over when nothing is left to tell either |
/// | telling | an empty one | telling; over |
/// | over | any | refused |
#[derive(Debug)]
pub struct Initiator {
    snapshot: Snapshot,
    negentropy: Negentropy<'static, Snapshot>,
    state: State,
    rounds: u32,
    difference: Difference,
    /// What the responder does not know yet.
    have: VecDeque<OrderId>,
    want: VecDeque<OrderId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Comparing,
    Telling,
    Over,
}

impl Initiator {
    /// A session and its first message.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> (Self, Vec<u8>) {
        let mut negentropy = Negentropy::owned(snapshot.clone(), MAX_FRAME as u64)
            .expect("the frame is larger than the least that negentropy asks for");
        let frame = negentropy.initiate().expect("the ranges of a new session are those of its snapshot");
        let session = Self {
            snapshot,
            negentropy,
            state: State::Comparing,
            rounds: 1,
            difference: Difference::default(),
            have: VecDeque::new(),
            want: VecDeque::new(),
        };
        (session, Wire { frame, ..Wire::default() }.encode_to_vec())
    }

    /// Takes the responder's answer.
    ///
    /// # Errors
    /// [`ReconcileRefusal`], after which the session is over.
    pub fn handle(&mut self, bytes: &[u8]) -> Result<Step, ReconcileRefusal> {
        let step = self.answered(bytes);
        if !matches!(step, Ok(Step::Send(_))) {
            self.state = State::Over;
        }
        step
    }

    /// What was found so far; complete when the session ended well.
    #[must_use]
    pub fn difference(&self) -> &Difference {
        &self.difference
    }

    /// Round trips so far.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    fn answered(&mut self, bytes: &[u8]) -> Result<Step, ReconcileRefusal> {
        if self.state == State::Over {
            return Err(ReconcileRefusal::Over);
        }
        let wire = Wire::read(bytes)?;
        if wire.last || !wire.have.is_empty() || !wire.want.is_empty() {
            return Err(ReconcileRefusal::Unexpected { found: "with findings", expected: "with a frame only" });
        }
        let frame = match (self.state, wire.frame.is_empty()) {
            (State::Comparing, false) => self.compare(&wire.frame)?,
            (State::Comparing, true) => {
                return Err(ReconcileRefusal::Unexpected { found: "without a frame", expected: "with one" });
            }
            (_, true) => None,
            (_, false) => {
                return Err(ReconcileRefusal::Unexpected { found: "with a frame", expected: "without one" });
            }
        };
        if frame.is_none() {
            self.state = State::Telling;
        }
        let have = concatenated(self.have.drain(..self.have.len().min(MAX_FOUND)));
        let room = MAX_FOUND - have.len() / 32;
        let want = concatenated(self.want.drain(..self.want.len().min(room)));
        let last = frame.is_none() && self.have.is_empty() && self.want.is_empty();
        let message = Wire { frame: frame.unwrap_or_default(), have, want, last }.encode_to_vec();
        if last {
            return Ok(Step::SendLast(message));
        }
        if self.rounds == MAX_ROUNDS {
            return Err(ReconcileRefusal::TooManyRounds);
        }
        self.rounds += 1;
        Ok(Step::Send(message))
    }

    /// Compares, and queues what is new. Where a frame was cut, the same id may be found again.
    fn compare(&mut self, frame: &[u8]) -> Result<Option<Vec<u8>>, ReconcileRefusal> {
        let (mut have, mut want) = (Vec::new(), Vec::new());
        let next = self
            .negentropy
            .reconcile_with_ids(frame, &mut have, &mut want)
            .map_err(|error| ReconcileRefusal::Frame { reason: error.to_string() })?;
        // The crate collects ids in a hash set, whose order is another one in every run.
        want.sort_unstable();
        for id in want.into_iter().map(|id| OrderId(id.to_bytes())) {
            if self.snapshot.contains(&id) {
                return Err(ReconcileRefusal::Contradiction { id });
            }
            if self.difference.lacking.insert(id) {
                self.want.push_back(id);
            }
        }
        for id in have.into_iter().map(|id| OrderId(id.to_bytes())) {
            if self.difference.peer_lacks.insert(id) {
                self.have.push_back(id);
            }
        }
        Ok(next)
    }
}
