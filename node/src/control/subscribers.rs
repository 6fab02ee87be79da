//! Bounded queues of events, one per listening client.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde_json::Value;
use tokio::sync::Notify;

use super::event_record::event_record;
use crate::event::Event;

/// Events that wait for one client. At a few kilobytes each a client may fall behind by seconds of a busy node.
const QUEUE_EVENTS: usize = 1_024;

/// Bytes that wait for one client: a handful of the largest messages.
const QUEUE_BYTES: usize = 8 << 20;

/// The clients that listen to events. Publishing never waits: who reads too slowly loses events and is told how many.
#[derive(Debug, Clone, Default)]
pub struct Subscribers(Arc<Mutex<Vec<Weak<Queue>>>>);

/// One client's queue.
#[derive(Debug)]
pub(super) struct Subscription(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Arc<str>>,
    bytes: usize,
    lost: u64,
    ended: bool,
}

impl Subscribers {
    /// Gives an event to every client that listens.
    pub fn publish(&self, event: &Event) {
        let mut queues = lock(&self.0);
        queues.retain(|queue| queue.strong_count() > 0);
        if queues.is_empty() {
            return;
        }
        let record: Arc<str> = Value::Object(event_record(event)).to_string().into();
        for queue in queues.iter().filter_map(Weak::upgrade) {
            queue.push(&record);
        }
    }

    /// Lets every client read what waits and then ends its stream.
    pub fn end(&self) {
        for queue in lock(&self.0).iter().filter_map(Weak::upgrade) {
            lock(&queue.waiting).ended = true;
            queue.changed.notify_one();
        }
    }

    pub(super) fn subscribe(&self) -> Subscription {
        let queue = Arc::new(Queue::default());
        lock(&self.0).push(Arc::downgrade(&queue));
        Subscription(queue)
    }
}

impl Queue {
    fn push(&self, record: &Arc<str>) {
        let mut waiting = lock(&self.waiting);
        let fits = waiting.events.is_empty() || waiting.bytes + record.len() <= QUEUE_BYTES;
        if fits && waiting.events.len() < QUEUE_EVENTS {
            // A loss is told where it happened.
            if let Some(loss) = waiting.take_loss() {
                waiting.append(loss);
            }
            waiting.append(Arc::clone(record));
        } else {
            waiting.lost += 1;
        }
        self.changed.notify_one();
    }
}

impl Waiting {
    fn append(&mut self, record: Arc<str>) {
        self.bytes += record.len();
        self.events.push_back(record);
    }

    fn take_loss(&mut self) -> Option<Arc<str>> {
        let count = std::mem::take(&mut self.lost);
        (count > 0).then(|| format!(r#"{{"event":"events_lost","count":{count}}}"#).into())
    }
}

impl Subscription {
    /// The next event as JSON; after a gap first `{"event":"events_lost","count":..}`. `None` when the node ends.
    pub(super) async fn next(&mut self) -> Option<Arc<str>> {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.0.changed.notified().await;
        }
    }

    /// What is next, or `None` when nothing is there yet.
    fn take(&mut self) -> Option<Option<Arc<str>>> {
        let mut waiting = lock(&self.0.waiting);
        if let Some(event) = waiting.events.pop_front() {
            waiting.bytes -= event.len();
            return Some(Some(event));
        }
        if let Some(loss) = waiting.take_loss() {
            return Some(Some(loss));
        }
        waiting.ended.then_some(None)
    }
}

/// No code panics while it holds one of these locks, so the content is whole even when the lock says otherwise.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use libp2p::PeerId;

    use super::*;

    fn gossip(size: usize) -> Event {
        Event::Gossip { topic: "t".to_owned(), source: PeerId::random(), payload: Bytes::from(vec![b'x'; size]) }
    }

    #[tokio::test]
    async fn a_slow_client_loses_events_and_is_told_how_many() {
        let subscribers = Subscribers::default();
        let mut subscription = subscribers.subscribe();
        for _ in 0..QUEUE_EVENTS + 7 {
            subscribers.publish(&gossip(1));
        }
        for _ in 0..QUEUE_EVENTS {
            assert!(subscription.next().await.unwrap().contains(r#""event":"gossip""#));
        }
        subscribers.publish(&gossip(1));
        assert_eq!(&*subscription.next().await.unwrap(), r#"{"event":"events_lost","count":7}"#);
        assert!(subscription.next().await.unwrap().contains(r#""event":"gossip""#));
    }

    #[tokio::test]
    async fn large_events_are_bounded_by_their_bytes() {
        let subscribers = Subscribers::default();
        let subscription = subscribers.subscribe();
        for _ in 0..100 {
            subscribers.publish(&gossip(1 << 20));
        }
        assert!(lock(&subscription.0.waiting).bytes <= QUEUE_BYTES);
    }

    #[tokio::test]
    async fn the_end_comes_after_what_waits() {
        let subscribers = Subscribers::default();
        let mut subscription = subscribers.subscribe();
        subscribers.publish(&gossip(1));
        subscribers.end();
        assert!(subscription.next().await.is_some());
        assert!(subscription.next().await.is_none());
    }

    #[test]
    fn clients_that_left_are_forgotten() {
        let subscribers = Subscribers::default();
        drop(subscribers.subscribe());
        subscribers.publish(&gossip(1));
        assert!(lock(&subscribers.0).is_empty());
    }
}
