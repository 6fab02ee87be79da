//! A request and its retransmissions (RFC 8489, section 6.2.1).

use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::stun::message::TransactionId;

/// How long each transmission waits for an answer: RFC 8489's 500 ms, doubled each time, cut where [`PATIENCE`] ends.
const SCHEDULE: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_millis(1_000),
    Duration::from_millis(2_000),
    Duration::from_millis(1_500),
];

/// For how long a server is asked before it counts as dead. RFC 8489's 39.5 s is more than a user waits for a connection.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A request that waits for its answer.
///
/// It counts transmissions instead of comparing with its start, so a late first look at the clock costs no attempt.
#[derive(Debug)]
pub(super) struct Transaction {
    id: TransactionId,
    request: Bytes,
    due: Instant,
    sent: usize,
}

/// What to do about a transaction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Wait,
    Send(Bytes),
    Expired,
}

impl Transaction {
    /// A request whose first transmission is due at `due`.
    pub(super) fn new(due: Instant, (id, request): (TransactionId, Bytes)) -> Self {
        Self { id, request, due, sent: 0 }
    }

    pub(super) fn id(&self) -> TransactionId {
        self.id
    }

    /// When [`step`](Self::step) has something to do.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn step(&mut self, now: Instant) -> Step {
        if now < self.due {
            return Step::Wait;
        }
        let Some(wait) = SCHEDULE.get(self.sent) else { return Step::Expired };
        self.sent += 1;
        self.due = now + *wait;
        Step::Send(self.request.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn a_request_is_repeated_with_growing_pauses_and_expires_when_patience_ends() {
        let start = Instant::now();
        let mut transaction = Transaction::new(start, (TransactionId::default(), Bytes::from_static(b"request")));
        let mut sent = Vec::new();
        loop {
            let now = transaction.due();
            match transaction.step(now) {
                Step::Send(_) => sent.push((now - start).as_millis()),
                Step::Expired => break assert_eq!(now - start, PATIENCE),
                Step::Wait => panic!("nothing to do although due"),
            }
        }
        assert_eq!(sent, [0, 500, 1_500, 3_500]);
    }
}
