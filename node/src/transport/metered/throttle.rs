//! How fast substreams may carry bytes.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use darkswap_connectivity::Time;
use darkswap_connectivity::limiter::bandwidth::{Bandwidth, FASTEST, Schedule};
use tokio::time::{Instant, Sleep};

use crate::config;

/// Tells the time since the Unix epoch.
type Calendar = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The rates of a node.
#[derive(Clone)]
pub(crate) struct Throttle(Arc<Rates>);

struct Rates {
    started: Instant,
    calendar: Calendar,
    sending: Option<Mutex<Bandwidth<u64>>>,
    receiving: Option<Mutex<Bandwidth<u64>>>,
    next: AtomicU64,
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").finish_non_exhaustive()
    }
}

impl Throttle {
    /// The rates of this configuration; none when it limits nothing.
    pub(crate) fn new(
        started: Instant,
        configured: &config::Bandwidth,
        calendar: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Option<Self> {
        let time_of_day = calendar();
        let direction = |rates: &config::Direction| {
            let (node, each) = (rates.node.schedule(), rates.connection.schedule());
            let is_limited = node.is_some() || each.is_some();
            let [node, each] = [node, each].map(|it| it.unwrap_or_else(|| Schedule::always(FASTEST)));
            is_limited.then(|| Mutex::new(Bandwidth::new(started.elapsed(), time_of_day, node, each)))
        };
        let (sending, receiving) = (direction(&configured.sending), direction(&configured.receiving));
        let rates = || Rates { started, calendar: Arc::new(calendar), sending, receiving, next: AtomicU64::new(0) };
        (configured != &config::Bandwidth::default()).then(|| Self(Arc::new(rates())))
    }

    /// The rates of a new connection.
    pub(super) fn connection(&self) -> Connection {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        Connection(Arc::new(Numbered { number, rates: Arc::clone(&self.0) }))
    }
}

/// The rates of a connection. The node's buckets forget it with its last substream.
#[derive(Clone)]
pub(super) struct Connection(Arc<Numbered>);

struct Numbered {
    number: u64,
    rates: Arc<Rates>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.0.number).finish()
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        for bandwidth in [&self.rates.sending, &self.rates.receiving].into_iter().flatten() {
            lock(bandwidth).forget(self.number);
        }
    }
}

fn lock(bandwidth: &Mutex<Bandwidth<u64>>) -> MutexGuard<'_, Bandwidth<u64>> {
    bandwidth.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets a substream through at the rates of its connection and of the node.
#[derive(Debug)]
pub(super) struct Gate {
    connection: Connection,
    sending: Wait,
    receiving: Wait,
    /// Bytes that were taken for what is being written.
    granted: usize,
}

impl Gate {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, sending: Wait::default(), receiving: Wait::default(), granted: 0 }
    }

    /// How many of so many bytes may be written now. They are taken before: whoever waits is not overtaken by who asks later.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<usize> {
        let Numbered { number, rates } = &*self.connection.0;
        let Some(bandwidth) = &rates.sending else { return Poll::Ready(wanted) };
        if self.granted == 0 && wanted > 0 {
            let (now, time_of_day) = rates.now();
            let mut bandwidth = lock(bandwidth);
            self.granted = at_most(wanted, bandwidth.slice(time_of_day));
            let ready = bandwidth.reserve(now, time_of_day, *number, self.granted as u64);
            self.sending.until(rates.started, now, ready);
        }
        ready!(self.sending.poll(cx));
        Poll::Ready(self.granted.min(wanted))
    }

    /// So many bytes were written.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.granted = self.granted.saturating_sub(bytes);
    }

    /// How many of so many bytes may be read now: none before those that were read are paid for.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<usize> {
        let rates = &self.connection.0.rates;
        let Some(bandwidth) = &rates.receiving else { return Poll::Ready(wanted) };
        ready!(self.receiving.poll(cx));
        let (_, time_of_day) = rates.now();
        Poll::Ready(at_most(wanted, lock(bandwidth).slice(time_of_day)))
    }

    /// So many bytes were read.
    pub(super) fn read(&mut self, bytes: usize) {
        let Numbered { number, rates } = &*self.connection.0;
        let Some(bandwidth) = &rates.receiving else { return };
        let (now, time_of_day) = rates.now();
        let mut bandwidth = lock(bandwidth);
        if bytes > 0 {
            let _ = bandwidth.reserve(now, time_of_day, *number, bytes as u64);
            // What a reservation of nothing waits for is the debt with these bytes.
            let ready = bandwidth.reserve(now, time_of_day, *number, 0);
            self.receiving.until(rates.started, now, ready);
        }
    }
}

impl Rates {
    fn now(&self) -> (Time, Duration) {
        (self.started.elapsed(), (self.calendar)())
    }
}

/// A time that has to come before a substream goes on.
#[derive(Debug, Default)]
struct Wait(Option<Pin<Box<Sleep>>>);

impl Wait {
    fn until(&mut self, started: Instant, now: Time, at: Time) {
        self.0 = (at > now).then(|| Box::pin(tokio::time::sleep_until(started + at)));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = &mut self.0 {
            ready!(sleep.as_mut().poll(cx));
            self.0 = None;
        }
        Poll::Ready(())
    }
}

fn at_most(wanted: usize, slice: u64) -> usize {
    wanted.min(usize::try_from(slice).unwrap_or(usize::MAX))
}
