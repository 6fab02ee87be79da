//! The end of a session that answers.

use negentropy::Negentropy;
use prost::Message as _;

use super::message::Wire;
use super::{Difference, MAX_FRAME, MAX_ROUNDS, ReconcileRefusal, Snapshot, Step};

/// The side that answers frames and is told what the other one finds.
#[derive(Debug)]
pub struct Responder {
    snapshot: Snapshot,
    negentropy: Negentropy<'static, Snapshot>,
    rounds: u32,
    is_over: bool,
    difference: Difference,
}

impl Responder {
    /// A session that waits for the initiator's first message.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        let negentropy = Negentropy::owned(snapshot.clone(), MAX_FRAME as u64)
            .expect("the frame is larger than the least that negentropy asks for");
        Self { snapshot, negentropy, rounds: 0, is_over: false, difference: Difference::default() }
    }

    /// Takes a message of the initiator.
    ///
    /// # Errors
    /// [`ReconcileRefusal`], after which the session is over.
    pub fn handle(&mut self, bytes: &[u8]) -> Result<Step, ReconcileRefusal> {
        let step = self.asked(bytes);
        if !matches!(step, Ok(Step::Send(_))) {
            self.is_over = true;
        }
        step
    }

    /// What the initiator told so far; complete when the session ended well.
    #[must_use]
    pub fn difference(&self) -> &Difference {
        &self.difference
    }

    fn asked(&mut self, bytes: &[u8]) -> Result<Step, ReconcileRefusal> {
        if self.is_over {
            return Err(ReconcileRefusal::Over);
        }
        let wire = Wire::read(bytes)?;
        self.learn(&wire)?;
        if wire.last {
            return if wire.frame.is_empty() {
                Ok(Step::Done)
            } else {
                Err(ReconcileRefusal::Unexpected { found: "with a frame", expected: "without one, being the last" })
            };
        }
        if self.rounds == MAX_ROUNDS {
            return Err(ReconcileRefusal::TooManyRounds);
        }
        self.rounds += 1;
        if wire.frame.is_empty() && wire.have.is_empty() && wire.want.is_empty() {
            return Err(ReconcileRefusal::Unexpected {
                found: "without content",
                expected: "with a frame or findings",
            });
        }
        let frame = if wire.frame.is_empty() {
            Vec::new()
        } else {
            self.negentropy
                .reconcile(&wire.frame)
                .map_err(|error| ReconcileRefusal::Frame { reason: error.to_string() })?
        };
        Ok(Step::Send(Wire { frame, ..Wire::default() }.encode_to_vec()))
    }

    /// Bounded by rounds times findings per message.
    fn learn(&mut self, wire: &Wire) -> Result<(), ReconcileRefusal> {
        let (have, want) = wire.findings()?;
        for id in have {
            if self.snapshot.contains(&id) {
                return Err(ReconcileRefusal::Contradiction { id });
            }
            self.difference.lacking.insert(id);
        }
        for id in want {
            if !self.snapshot.contains(&id) {
                return Err(ReconcileRefusal::Contradiction { id });
            }
            self.difference.peer_lacks.insert(id);
        }
        Ok(())
    }
}
