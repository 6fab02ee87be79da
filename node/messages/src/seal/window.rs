//! Which numbers were seen: a sliding window over 64-bit numbers (RFC 6479).

/// How far a message may fall behind the newest one and still be opened.
pub const WINDOW: u64 = 1_024;

const WORD: u64 = u64::BITS as u64;
/// One word more than the window has: the newest word fills up while all of the window is still remembered.
const WORDS: u64 = WINDOW / WORD + 1;

/// What a window says of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Never seen.
    New,
    /// Seen before.
    Replayed,
    /// So old that it is not remembered.
    Stale,
}

/// The numbers of one direction of a session.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// One past the highest number seen.
    next: u64,
    seen: [u64; WORDS as usize],
}

impl Window {
    /// Says whether a number is new. Nothing changes: whether a message is genuine shows only when it is opened.
    #[must_use]
    pub fn check(&self, number: u64) -> Verdict {
        if number >= self.next {
            Verdict::New
        } else if self.next - number > WINDOW {
            Verdict::Stale
        } else if self.word(number) & bit(number) != 0 {
            Verdict::Replayed
        } else {
            Verdict::New
        }
    }

    /// Remembers a number whose message was genuine. Of two with one number only the first was new.
    ///
    /// # Panics
    /// For the last 64-bit number, which has no successor; numbers of sessions end far below.
    pub fn accept(&mut self, number: u64) {
        if number >= self.next {
            let (from, to) = (self.next.div_ceil(WORD), number / WORD);
            for word in from..=to.min(from.saturating_add(WORDS)) {
                self.seen[(word % WORDS) as usize] = 0;
            }
            self.next = number.checked_add(1).expect("numbers of sessions end far below");
        }
        self.seen[(number / WORD % WORDS) as usize] |= bit(number);
    }

    fn word(&self, number: u64) -> u64 {
        self.seen[(number / WORD % WORDS) as usize]
    }
}

fn bit(number: u64) -> u64 {
    1 << (number % WORD)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_may_overtake_each_other_and_pass_once() {
        let mut window = Window::default();
        for number in [5, 3, 4, 0] {
            assert_eq!(window.check(number), Verdict::New);
            window.accept(number);
            assert_eq!(window.check(number), Verdict::Replayed);
        }
        assert_eq!(window.check(1), Verdict::New);
        window.accept(2_000);
        assert_eq!(window.check(2_000 - WINDOW), Verdict::Stale);
        assert_eq!(window.check(2_001 - WINDOW), Verdict::New);
    }

    proptest! {
        #![proptest_config(crate::cases())]

        /// Against a plain set of numbers: what was seen is never new, and what is in the window and was not seen is.
        #[test]
        fn a_window_agrees_with_a_set(steps in prop::collection::vec((any::<bool>(), 0..3_000_u64), 1..300)) {
            let (mut window, mut seen, mut highest) = (Window::default(), BTreeSet::new(), 0_u64);
            for (forward, step) in steps {
                let number = if forward { highest + step / 8 } else { highest.saturating_sub(step) };
                let expected = if seen.contains(&number) && number + WINDOW > highest {
                    Verdict::Replayed
                } else if !seen.is_empty() && number + WINDOW <= highest {
                    Verdict::Stale
                } else {
                    Verdict::New
                };
                prop_assert_eq!(window.check(number), expected, "{} of {}", number, highest);
                if expected == Verdict::New {
                    window.accept(number);
                    seen.insert(number);
                    highest = highest.max(number);
                }
            }
        }
    }
}
