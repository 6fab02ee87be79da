use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// The ufrags of connections that were closed lately; bounded in number and age.
#[derive(Debug)]
pub(super) struct Retired {
    bound: usize,
    age: Duration,
    /// In the order they were closed in, with the end of their time.
    queue: VecDeque<(Instant, String)>,
    ufrags: BTreeSet<String>,
}

impl Retired {
    pub(super) fn new(bound: usize, age: Duration) -> Self {
        Self { bound, age, queue: VecDeque::new(), ufrags: BTreeSet::new() }
    }

    pub(super) fn insert(&mut self, now: Instant, ufrag: String) {
        self.handle_timeout(now);
        if self.bound == 0 || !self.ufrags.insert(ufrag.clone()) {
            return;
        }
        if self.queue.len() >= self.bound {
            self.forget_oldest();
        }
        self.queue.push_back((now + self.age, ufrag));
    }

    pub(super) fn contains(&mut self, now: Instant, ufrag: &str) -> bool {
        self.handle_timeout(now);
        self.ufrags.contains(ufrag)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.queue.front().map(|(end, _)| *end)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while self.queue.front().is_some_and(|(end, _)| *end <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, ufrag)) = self.queue.pop_front() {
            self.ufrags.remove(&ufrag);
        }
    }
}
