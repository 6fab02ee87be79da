//! Which messages of a peer were delivered already.

use std::collections::VecDeque;

use super::{MessageId, WINDOW};
use crate::wire::Verdict;

/// Sessions remembered of one peer: the running one and those of recent restarts. The oldest makes room.
pub const SESSIONS: usize = 4;

const WORDS: usize = (WINDOW / 64) as usize;

/// A sliding window over the sequence numbers of a peer's sessions (the anti-replay window of RFC 4303, section 3.4.3).
#[derive(Debug, Clone, Default)]
pub struct Inbox {
    sessions: VecDeque<Session>,
}

#[derive(Debug, Clone)]
struct Session {
    number: u64,
    /// One past the highest sequence number seen.
    next: u64,
    /// Whether `sequence` was delivered, at bit `sequence % WINDOW`, for the last `WINDOW` numbers below `next`.
    delivered: [u64; WORDS],
}

impl Inbox {
    /// An inbox that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decides whether a message is new; a new one counts as delivered from now on.
    pub fn admit(&mut self, id: MessageId) -> Verdict {
        let index = match self.sessions.iter().position(|session| session.number == id.session) {
            Some(index) => index,
            None => {
                if self.sessions.len() == SESSIONS {
                    self.sessions.pop_front();
                }
                self.sessions.push_back(Session { number: id.session, next: 0, delivered: [0; WORDS] });
                self.sessions.len() - 1
            }
        };
        self.sessions[index].admit(id.sequence)
    }
}

impl Session {
    fn admit(&mut self, sequence: u64) -> Verdict {
        // The last number has no successor, so that the window could not move past it. No honest sender gets there.
        if sequence == u64::MAX {
            return Verdict::Stale;
        }
        if sequence >= self.next {
            self.advance(sequence);
        } else if self.next - sequence > WINDOW {
            return Verdict::Stale;
        }
        let (word, bit) = ((sequence % WINDOW / 64) as usize, 1 << (sequence % 64));
        if self.delivered[word] & bit != 0 {
            return Verdict::Duplicate;
        }
        self.delivered[word] |= bit;
        Verdict::Delivered
    }

    /// Moves the window so that `sequence` is its newest number and forgets what falls out.
    fn advance(&mut self, sequence: u64) {
        if sequence - self.next >= WINDOW {
            self.delivered = [0; WORDS];
        } else {
            for forgotten in self.next..=sequence {
                self.delivered[(forgotten % WINDOW / 64) as usize] &= !(1 << (forgotten % 64));
            }
        }
        self.next = sequence + 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn id(sequence: u64) -> MessageId {
        MessageId { session: 7, sequence }
    }

    #[test]
    fn a_message_is_let_through_once() {
        let mut inbox = Inbox::new();
        assert_eq!(inbox.admit(id(0)), Verdict::Delivered);
        assert_eq!(inbox.admit(id(0)), Verdict::Duplicate);
    }

    #[test]
    fn what_left_the_window_is_stale() {
        let mut inbox = Inbox::new();
        inbox.admit(id(WINDOW + 5));
        assert_eq!(inbox.admit(id(5)), Verdict::Stale);
        assert_eq!(inbox.admit(id(6)), Verdict::Delivered);
    }

    #[test]
    fn the_last_number_of_all_is_never_delivered() {
        let mut inbox = Inbox::new();
        assert_eq!(inbox.admit(id(u64::MAX)), Verdict::Stale);
        assert_eq!(inbox.admit(id(u64::MAX - 1)), Verdict::Delivered);
        assert_eq!(inbox.admit(id(u64::MAX - 1)), Verdict::Duplicate);
    }

    #[test]
    fn a_restarted_sender_starts_again() {
        let mut inbox = Inbox::new();
        inbox.admit(id(0));
        assert_eq!(inbox.admit(MessageId { session: 8, sequence: 0 }), Verdict::Delivered);
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn nothing_is_delivered_twice(sequences in prop::collection::vec(prop_oneof![0..3_000_u64, any::<u64>()], 0..400)) {
            let mut inbox = Inbox::new();
            let mut delivered = BTreeSet::new();
            for sequence in sequences {
                if inbox.admit(id(sequence)) == Verdict::Delivered {
                    prop_assert!(delivered.insert(sequence), "{} was delivered twice", sequence);
                }
            }
        }

        #[test]
        fn a_sender_within_the_window_is_never_told_stale(order in prop::collection::vec(0..WINDOW, 0..600)) {
            let mut inbox = Inbox::new();
            for sequence in order {
                prop_assert_ne!(inbox.admit(id(sequence)), Verdict::Stale);
            }
        }
    }
}
