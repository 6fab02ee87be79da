//! What is due when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Things in the order in which they fall due; of those due at the same time, the one added first comes first.
///
/// The heap moves small keys only (nanoseconds, position in the order of addition, slot); the things themselves stay in
/// their slots. Times beyond 584 years count as that.
#[derive(Debug)]
pub(super) struct Schedule<T> {
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<T> Schedule<T> {
    pub(super) const fn new() -> Self {
        Self { heap: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), sequence: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((due, ..))| Duration::from_nanos(*due))
    }

    /// Whether something is due at or before `now`.
    pub(super) fn has_due(&self, now: Duration) -> bool {
        self.heap.peek().is_some_and(|Reverse((due, ..))| *due <= nanoseconds(now))
    }

    pub(super) fn insert(&mut self, due: Duration, thing: T) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(thing);
                slot
            }
            None => {
                self.slots.push(Some(thing));
                (self.slots.len() - 1) as u32
            }
        };
        self.sequence += 1;
        self.heap.push(Reverse((nanoseconds(due), self.sequence, slot)));
    }

    /// Takes the first thing that is due at or before `now`.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<(Duration, T)> {
        if !self.has_due(now) {
            return None;
        }
        let Reverse((due, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        self.slots[slot as usize].take().map(|thing| (Duration::from_nanos(due), thing))
    }

    /// Removes what `keep` rejects; returns how many that were.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) -> u64 {
        let before = self.heap.len();
        let (slots, free) = (&mut self.slots, &mut self.free);
        self.heap.retain(|Reverse((_, _, slot))| {
            let kept = slots[*slot as usize].as_ref().is_some_and(&mut keep);
            if !kept {
                slots[*slot as usize] = None;
                free.push(*slot);
            }
            kept
        });
        (before - self.heap.len()) as u64
    }
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(time.subsec_nanos()))
}
