//! Messages to a peer that wait for an acknowledgement.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use super::{MessageId, WINDOW};
use crate::Time;
use crate::backoff::Backoff;

/// Messages on the way at once. More would only queue in the transport, where they cannot move to a better path.
const IN_FLIGHT: usize = 32;

/// The pause after a failed attempt, doubled with each further one up to the second value, so that a path that fails at once is
/// not asked again at once.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The queue of messages to one peer.
///
/// | state of a message | leaves it by |
/// |---|---|
/// | waiting | a path and a free place (`Transmit`), its deadline (`Expired`) |
/// | in flight | [`acknowledged`](Outbox::acknowledged) (gone), [`attempt_failed`](Outbox::attempt_failed) (waiting), its deadline |
#[derive(Debug)]
pub struct Outbox {
    session: u64,
    next: u64,
    limit: usize,
    patience: Duration,
    path: bool,
    backoff: Backoff,
    resume: Time,
    pending: BTreeMap<u64, Pending>,
    waiting: BTreeSet<u64>,
}

#[derive(Debug)]
struct Pending {
    payload: Bytes,
    submitted: Time,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send the message over the best path, then report [`Outbox::acknowledged`] or [`Outbox::attempt_failed`].
    Transmit {
        /// Its id.
        id: MessageId,
        /// What to send.
        payload: Bytes,
    },
    /// Tell the application that the message was not acknowledged in time.
    Expired {
        /// Its id.
        id: MessageId,
    },
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// Too many messages wait already.
    #[error("{pending} messages wait for an acknowledgement, at most {limit} may")]
    Full {
        /// How many wait.
        pending: usize,
        /// How many may wait.
        limit: usize,
    },
}

impl Outbox {
    /// An empty outbox of the given session that holds at most `limit` messages, each for at most `patience`.
    #[must_use]
    pub fn new(session: u64, limit: usize, patience: Duration) -> Self {
        Self {
            session,
            next: 0,
            limit,
            patience,
            path: false,
            backoff: Backoff::new(PAUSE.0, PAUSE.1, session),
            resume: Time::ZERO,
            pending: BTreeMap::new(),
            waiting: BTreeSet::new(),
        }
    }

    /// Takes a message.
    ///
    /// # Errors
    /// [`SubmitError::Full`] when too many wait, or when the oldest has waited for [`WINDOW`] newer ones.
    pub fn submit(&mut self, now: Time, payload: Bytes) -> Result<MessageId, SubmitError> {
        let oldest = self.pending.first_key_value().map_or(self.next, |(sequence, _)| *sequence);
        if self.pending.len() >= self.limit || self.next - oldest >= WINDOW {
            return Err(SubmitError::Full { pending: self.pending.len(), limit: self.limit });
        }
        let sequence = self.next;
        self.next += 1;
        self.pending.insert(sequence, Pending { payload, submitted: now });
        self.waiting.insert(sequence);
        Ok(self.id(sequence))
    }

    /// Says whether there is a path to send over. A new path is tried at once.
    pub fn set_path(&mut self, path: bool) {
        if path && !self.path {
            self.resume = Time::ZERO;
        }
        self.path = path;
    }

    /// The peer acknowledged a message. Answers with the time since its submission, or `None` when it was not waited for.
    pub fn acknowledged(&mut self, now: Time, id: MessageId) -> Option<Duration> {
        if id.session != self.session {
            return None;
        }
        self.waiting.remove(&id.sequence);
        let pending = self.pending.remove(&id.sequence)?;
        self.backoff.reset();
        self.resume = Time::ZERO;
        Some(now.saturating_sub(pending.submitted))
    }

    /// An attempt to send ended without acknowledgement; the message waits for the next one.
    pub fn attempt_failed(&mut self, now: Time, id: MessageId) {
        if id.session == self.session && self.pending.contains_key(&id.sequence) {
            self.waiting.insert(id.sequence);
            if now >= self.resume {
                self.resume = now + self.backoff.next_delay();
            }
        }
    }

    /// What to do now; call until `None`.
    pub fn poll(&mut self, now: Time) -> Option<Output> {
        if let Some((&sequence, pending)) = self.pending.first_key_value()
            && now >= pending.submitted + self.patience
        {
            self.pending.remove(&sequence);
            self.waiting.remove(&sequence);
            return Some(Output::Expired { id: self.id(sequence) });
        }
        if now < self.resume || !self.may_transmit() {
            return None;
        }
        let sequence = self.waiting.pop_first()?;
        let payload = self.pending.get(&sequence).expect("a waiting message is pending").payload.clone();
        Some(Output::Transmit { id: self.id(sequence), payload })
    }

    /// When [`poll`](Self::poll) has something to do if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let (_, oldest) = self.pending.first_key_value()?;
        let expiry = oldest.submitted + self.patience;
        let resume = self.may_transmit() && !self.waiting.is_empty();
        Some(if resume { expiry.min(self.resume) } else { expiry })
    }

    /// How many messages wait for an acknowledgement.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    fn may_transmit(&self) -> bool {
        self.path && self.pending.len() - self.waiting.len() < IN_FLIGHT
    }

    fn id(&self, sequence: u64) -> MessageId {
        MessageId { session: self.session, sequence }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::Inbox;
    use crate::wire::Verdict;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn outbox() -> Outbox {
        Outbox::new(7, 4, PATIENCE)
    }

    fn submit(outbox: &mut Outbox) -> MessageId {
        outbox.submit(Time::ZERO, Bytes::from_static(b"hello")).unwrap()
    }

    #[test]
    fn a_message_waits_for_a_path() {
        let mut outbox = outbox();
        let id = submit(&mut outbox);
        assert_eq!(outbox.poll(Time::ZERO), None);
        outbox.set_path(true);
        assert_eq!(outbox.poll(Time::ZERO), Some(Output::Transmit { id, payload: Bytes::from_static(b"hello") }));
        assert_eq!(outbox.poll(Time::ZERO), None);
    }

    #[test]
    fn a_failed_attempt_is_repeated_and_an_acknowledged_one_is_not() {
        let mut outbox = outbox();
        let id = submit(&mut outbox);
        outbox.set_path(true);
        outbox.poll(Time::ZERO);
        outbox.attempt_failed(Time::ZERO, id);
        assert_eq!(outbox.poll(Time::ZERO), None);
        let resume = outbox.deadline().unwrap();
        assert!(resume <= PAUSE.0);
        assert!(matches!(outbox.poll(resume), Some(Output::Transmit { .. })));
        assert_eq!(outbox.acknowledged(Duration::from_secs(3), id), Some(Duration::from_secs(3)));
        outbox.attempt_failed(Time::ZERO, id);
        assert_eq!(outbox.poll(PATIENCE), None);
    }

    #[test]
    fn the_sender_is_told_when_the_deadline_passes() {
        let mut outbox = outbox();
        let id = submit(&mut outbox);
        assert_eq!(outbox.deadline(), Some(PATIENCE));
        assert_eq!(outbox.poll(PATIENCE), Some(Output::Expired { id }));
        assert!(outbox.is_empty());
    }

    #[test]
    fn with_enough_in_flight_there_is_nothing_to_do_before_the_expiry() {
        let mut outbox = Outbox::new(7, 1_000, PATIENCE);
        for _ in 0..=IN_FLIGHT {
            submit(&mut outbox);
        }
        outbox.set_path(true);
        let sent: Vec<_> = std::iter::from_fn(|| outbox.poll(Time::ZERO)).collect();
        assert_eq!(sent.len(), IN_FLIGHT);
        let Output::Transmit { id, .. } = sent[0].clone() else { panic!("{sent:?}") };
        outbox.attempt_failed(Time::ZERO, id);
        let resume = outbox.deadline().unwrap();
        assert!(outbox.poll(resume).is_some());
        assert_eq!((outbox.poll(resume), outbox.deadline()), (None, Some(PATIENCE)));
    }

    #[test]
    fn a_full_outbox_refuses() {
        let mut outbox = outbox();
        for _ in 0..4 {
            submit(&mut outbox);
        }
        assert_eq!(outbox.submit(Time::ZERO, Bytes::new()), Err(SubmitError::Full { pending: 4, limit: 4 }));
    }

    proptest! {
        #![proptest_config(crate::cases())]
        /// Attempts fail or their acknowledgements get lost at random: every message is delivered at most once, and every one
        /// ends as acknowledged or expired.
        #[test]
        fn every_message_is_delivered_once_or_its_sender_is_told(fates in prop::collection::vec(0..4_u8, 1..200)) {
            let mut outbox = Outbox::new(7, 1_000, PATIENCE);
            let mut inbox = Inbox::new();
            outbox.set_path(true);
            let (mut delivered, mut settled, mut now) = (0, 0, Time::ZERO);
            let submitted = fates.len() / 2 + 1;
            for _ in 0..submitted {
                outbox.submit(now, Bytes::new()).unwrap();
            }
            let mut fates = fates.into_iter().cycle();
            for _ in 0..10_000 {
                match outbox.poll(now) {
                    None if outbox.is_empty() => break,
                    None => now += Duration::from_millis(100),
                    Some(Output::Expired { .. }) => settled += 1,
                    Some(Output::Transmit { id, .. }) => {
                        now += Duration::from_millis(100);
                        let fate = fates.next().unwrap();
                        if fate != 0 && inbox.admit(id) == Verdict::Delivered {
                            delivered += 1;
                        }
                        if fate <= 1 {
                            outbox.attempt_failed(now, id);
                        } else if outbox.acknowledged(now, id).is_some() {
                            settled += 1;
                        }
                    }
                }
            }
            prop_assert_eq!(settled, submitted);
            prop_assert!(delivered <= submitted);
        }
    }
}
