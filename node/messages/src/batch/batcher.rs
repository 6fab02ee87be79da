//! Which messages to one peer go together.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::bytes::encoded_length;
use crate::Time;

/// How large a batch gets and how long it is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a batch, lengths included. A larger item goes alone.
    pub bytes: usize,
    /// Items of a batch; at least 1.
    pub items: usize,
    /// The shortest time between two batches, and so the longest that an item waits for others. Zero: what is there goes.
    pub delay: Duration,
}

/// A message with the caller's name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<T> {
    /// The caller's name.
    pub name: T,
    /// The message.
    pub bytes: Bytes,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<T> {
    /// There is a message to send. How many may wait is for whoever pushes to bound: the outbox has few in flight at once.
    Push(Item<T>),
    /// Nobody can be sent to for now: give back what waits.
    Abandon,
    /// Time passed; nothing else happened.
    Tick,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output<T> {
    /// Send these as one batch.
    Send(Vec<Item<T>>),
    /// These were not sent.
    Return(Vec<Item<T>>),
}

/// Gathers messages to one peer.
///
/// A message that comes after a pause goes at once: only messages that come close together wait for each other, at most
/// [`Limits::delay`]. So a lone message, or an answer to one, never pays for batching.
///
/// | state | leaves it by |
/// |---|---|
/// | idle: nothing waits | `Push` (to due, when the last batch is long ago; else to gathering) |
/// | gathering: some wait | the delay after the last batch, or enough for a full batch (to due); `Abandon` (to idle) |
/// | due | `poll` (to idle or gathering) |
#[derive(Debug, Clone)]
pub struct Batcher<T> {
    limits: Limits,
    waiting: VecDeque<Item<T>>,
    /// Of what waits, encoded.
    bytes: usize,
    /// When the next batch may go that is not full.
    due: Time,
    now: Time,
    returned: Vec<Item<T>>,
}

impl<T> Batcher<T> {
    /// A batcher with nothing in it.
    ///
    /// # Panics
    /// When no item is allowed.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        assert!(limits.items > 0, "found a batch of no items, expected at least one");
        Self { limits, waiting: VecDeque::new(), bytes: 0, due: Time::ZERO, now: Time::ZERO, returned: Vec::new() }
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Time, input: Input<T>) {
        self.now = now;
        match input {
            Input::Push(item) => {
                self.bytes += encoded_length(item.bytes.len());
                self.waiting.push_back(item);
            }
            Input::Abandon => {
                self.bytes = 0;
                self.returned.extend(self.waiting.drain(..));
            }
            Input::Tick => {}
        }
    }

    /// What to do now; call until `None`.
    pub fn poll(&mut self) -> Option<Output<T>> {
        if !self.returned.is_empty() {
            return Some(Output::Return(std::mem::take(&mut self.returned)));
        }
        if self.waiting.is_empty() || (!self.is_full() && self.now < self.due) {
            return None;
        }
        let batch = self.take();
        self.due = self.now + self.limits.delay;
        Some(Output::Send(batch))
    }

    /// When the batcher has something to do if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if !self.returned.is_empty() || self.is_full() {
            return Some(self.now);
        }
        (!self.waiting.is_empty()).then_some(self.due)
    }

    /// How many messages wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn is_full(&self) -> bool {
        self.waiting.len() >= self.limits.items || self.bytes >= self.limits.bytes
    }

    /// As many of the oldest as fit, at least one.
    fn take(&mut self) -> Vec<Item<T>> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(next) = self.waiting.front() {
            let length = encoded_length(next.bytes.len());
            if batch.len() == self.limits.items || (!batch.is_empty() && bytes + length > self.limits.bytes) {
                break;
            }
            bytes += length;
            batch.extend(self.waiting.pop_front());
        }
        self.bytes -= bytes;
        batch
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DELAY: Duration = Duration::from_millis(5);
    const LIMITS: Limits = Limits { bytes: 100, items: 4, delay: DELAY };

    fn ms(ms: u64) -> Time {
        Duration::from_millis(ms)
    }

    fn push(batcher: &mut Batcher<u32>, now: Time, name: u32, length: usize) {
        batcher.handle(now, Input::Push(Item { name, bytes: vec![0; length].into() }));
    }

    fn sent(batcher: &mut Batcher<u32>) -> Vec<Vec<u32>> {
        std::iter::from_fn(|| batcher.poll())
            .map(|output| match output {
                Output::Send(items) => items.into_iter().map(|item| item.name).collect(),
                Output::Return(items) => panic!("{items:?} came back"),
            })
            .collect()
    }

    #[test]
    fn a_message_after_a_pause_goes_at_once_and_those_right_after_it_together() {
        let mut batcher = Batcher::new(LIMITS);
        push(&mut batcher, ms(10), 1, 3);
        assert_eq!(sent(&mut batcher), [[1]]);
        push(&mut batcher, ms(11), 2, 3);
        push(&mut batcher, ms(12), 3, 3);
        assert_eq!(sent(&mut batcher), Vec::<Vec<u32>>::new());
        assert_eq!(batcher.deadline(), Some(ms(15)));
        batcher.handle(ms(15), Input::Tick);
        assert_eq!(sent(&mut batcher), [[2, 3]]);
        push(&mut batcher, ms(20), 4, 3);
        assert_eq!(sent(&mut batcher), [[4]]);
        assert_eq!(batcher.deadline(), None);
    }

    #[test]
    fn a_full_batch_does_not_wait() {
        let mut batcher = Batcher::new(LIMITS);
        push(&mut batcher, ms(0), 0, 3);
        sent(&mut batcher);
        for name in 1..=5 {
            push(&mut batcher, ms(1), name, 3);
        }
        assert_eq!(sent(&mut batcher), [[1, 2, 3, 4]]);
        push(&mut batcher, ms(1), 6, 99);
        assert_eq!(sent(&mut batcher), [vec![5], vec![6]], "the sixth alone is as large as a batch may be");
    }

    #[test]
    fn what_is_larger_than_a_batch_goes_alone() {
        let mut batcher = Batcher::new(LIMITS);
        push(&mut batcher, ms(0), 1, 3);
        push(&mut batcher, ms(0), 2, 1_000);
        push(&mut batcher, ms(0), 3, 3);
        assert_eq!(sent(&mut batcher), [vec![1], vec![2]]);
        batcher.handle(ms(5), Input::Tick);
        assert_eq!(sent(&mut batcher), [[3]]);
    }

    #[test]
    fn what_cannot_be_sent_comes_back() {
        let mut batcher = Batcher::new(LIMITS);
        push(&mut batcher, ms(0), 1, 3);
        sent(&mut batcher);
        push(&mut batcher, ms(1), 2, 3);
        batcher.handle(ms(2), Input::Abandon);
        assert!(matches!(batcher.poll(), Some(Output::Return(items)) if items.len() == 1));
        assert_eq!((batcher.poll(), batcher.deadline(), batcher.len()), (None, None, 0));
    }

    proptest! {
        #![proptest_config(crate::cases())]

        /// Whatever comes when: everything goes once and in order, in batches within the limits, and nothing waits longer than
        /// the delay.
        #[test]
        fn nothing_is_lost_repeated_or_late(steps in prop::collection::vec((0..8_u64, 0..150_usize), 1..100)) {
            let mut batcher = Batcher::new(LIMITS);
            let (mut now, mut arrivals, mut next) = (ms(0), Vec::new(), 0);
            let mut check = |batcher: &mut Batcher<u32>, now: Time, arrivals: &[Time]| {
                while let Some(Output::Send(items)) = batcher.poll() {
                    let bytes: usize = items.iter().map(|item| encoded_length(item.bytes.len())).sum();
                    assert!(items.len() <= LIMITS.items && (items.len() == 1 || bytes <= LIMITS.bytes));
                    for item in items {
                        assert_eq!(item.name, next);
                        assert!(now - arrivals[item.name as usize] <= DELAY);
                        next += 1;
                    }
                }
            };
            for (pause, length) in steps {
                let then = now + ms(pause);
                while let Some(deadline) = batcher.deadline().filter(|deadline| *deadline <= then) {
                    now = now.max(deadline);
                    batcher.handle(now, Input::Tick);
                    check(&mut batcher, now, &arrivals);
                }
                now = then;
                push(&mut batcher, now, arrivals.len() as u32, length);
                arrivals.push(now);
                check(&mut batcher, now, &arrivals);
            }
            if let Some(deadline) = batcher.deadline() {
                batcher.handle(deadline, Input::Tick);
                check(&mut batcher, deadline, &arrivals);
            }
            prop_assert!(batcher.is_empty());
            prop_assert_eq!(next as usize, arrivals.len());
        }
    }
}
