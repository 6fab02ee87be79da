//! Incoming connections, and the hole punches that wait for them.
//!
//! A punch and the connection that it is for come in either order: the peer that is told to dial may be faster than the punch
//! that makes way for it. A punch that comes second takes the handshake over from the listener.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures::FutureExt as _;
use futures::channel::oneshot;

use super::{Output, Upgrade};
use crate::limits::fixed::quic::PUNCHES;

/// What is under way with each remote address.
#[derive(Default)]
pub(super) struct Arrivals {
    /// Hole punches that wait for a connection, the oldest first.
    punches: BTreeMap<SocketAddr, VecDeque<oneshot::Sender<Upgrade>>>,
    /// Handshakes of the listeners; as many as their bound allows. The newest of an address stands for it.
    handshakes: BTreeMap<SocketAddr, Weak<Mutex<Handshake>>>,
}

/// What a hole punch finds.
pub(super) enum Expected {
    /// The connection is there.
    Arrived(Upgrade),
    /// It will be handed over when it comes.
    Awaited(oneshot::Receiver<Upgrade>),
}

impl Arrivals {
    /// A hole punch expects a connection from `remote`.
    ///
    /// # Errors
    /// When too many wait for the same address.
    pub(super) fn expect(&mut self, remote: SocketAddr) -> io::Result<Expected> {
        let handshake = self.handshakes.remove(&remote).and_then(|handshake| handshake.upgrade());
        if let Some(upgrade) = handshake.and_then(|handshake| lock(&handshake).take()) {
            return Ok(Expected::Arrived(upgrade));
        }
        let waiting = self.punches.entry(remote).or_default();
        if waiting.len() >= PUNCHES {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("{PUNCHES} hole punches to {remote} are under way"),
            ));
        }
        let (arrived, arrival) = oneshot::channel();
        waiting.push_back(arrived);
        Ok(Expected::Awaited(arrival))
    }

    /// A connection arrived. It either answers a hole punch or is returned for the listener.
    pub(super) fn arrived(&mut self, remote: SocketAddr, mut upgrade: Upgrade) -> Option<Upgrade> {
        while let Some(punch) = self.punches.get_mut(&remote).and_then(VecDeque::pop_front) {
            match punch.send(upgrade) {
                Ok(()) => return None,
                // That one was given up meanwhile.
                Err(unclaimed) => upgrade = unclaimed,
            }
        }
        let handshake = Arc::new(Mutex::new(Handshake { upgrade: Some(upgrade), waker: None }));
        self.handshakes.insert(remote, Arc::downgrade(&handshake));
        Some(Listening(handshake).boxed())
    }

    /// Forgets what has ended.
    pub(super) fn tidy(&mut self) {
        self.handshakes.retain(|_, handshake| handshake.strong_count() > 0);
        self.punches.retain(|_, waiting| {
            waiting.retain(|punch| !punch.is_canceled());
            !waiting.is_empty()
        });
    }
}

/// A handshake that belongs to the listener until a hole punch takes it.
struct Handshake {
    upgrade: Option<Upgrade>,
    waker: Option<Waker>,
}

impl Handshake {
    fn take(&mut self) -> Option<Upgrade> {
        let upgrade = self.upgrade.take();
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        upgrade
    }
}

/// The listener's view of a handshake.
struct Listening(Arc<Mutex<Handshake>>);

impl Future for Listening {
    type Output = io::Result<Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut handshake = lock(&self.0);
        let Some(upgrade) = handshake.upgrade.as_mut() else {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::Interrupted,
                "a hole punch took the connection over",
            )));
        };
        match upgrade.poll_unpin(cx) {
            Poll::Ready(output) => {
                handshake.upgrade = None;
                Poll::Ready(output)
            }
            Poll::Pending => {
                handshake.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn lock(handshake: &Mutex<Handshake>) -> MutexGuard<'_, Handshake> {
    handshake.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// A handshake that ends with this error, at once or never.
    fn handshake(end: Option<&'static str>) -> Upgrade {
        async move {
            match end {
                Some(end) => Err(io::Error::other(end)),
                None => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn end(upgrade: Upgrade) -> Option<String> {
        upgrade.now_or_never().map(|ended| ended.err().unwrap().to_string())
    }

    fn remote() -> SocketAddr {
        "10.0.0.1:7".parse().unwrap()
    }

    #[test]
    fn a_connection_goes_to_the_punch_that_waits_for_it_and_else_to_the_listener() {
        let mut arrivals = Arrivals::default();
        let Ok(Expected::Awaited(punch)) = arrivals.expect(remote()) else { panic!("nothing has arrived") };
        assert!(arrivals.arrived(remote(), handshake(Some("done"))).is_none());
        assert_eq!(end(punch.now_or_never().unwrap().unwrap()).as_deref(), Some("done"));
        assert_eq!(end(arrivals.arrived(remote(), handshake(Some("news"))).unwrap()).as_deref(), Some("news"));
    }

    #[test]
    fn punches_to_one_address_are_answered_one_by_one_and_bounded() {
        let mut arrivals = Arrivals::default();
        let mut punches = Vec::new();
        while let Ok(Expected::Awaited(punch)) = arrivals.expect(remote()) {
            punches.push(punch);
        }
        assert_eq!(punches.len(), PUNCHES);
        // One of them is given up.
        drop(punches.remove(1));
        for punch in punches {
            assert!(arrivals.arrived(remote(), handshake(Some("done"))).is_none());
            assert_eq!(end(punch.now_or_never().unwrap().unwrap()).as_deref(), Some("done"));
        }
        assert!(arrivals.arrived(remote(), handshake(Some("news"))).is_some());
    }

    #[test]
    fn a_punch_that_comes_after_the_connection_takes_the_handshake_over() {
        let mut arrivals = Arrivals::default();
        let listener = arrivals.arrived(remote(), handshake(Some("done"))).unwrap();
        let Ok(Expected::Arrived(punch)) = arrivals.expect(remote()) else { panic!("it has arrived") };
        assert_eq!(end(punch).as_deref(), Some("done"));
        assert_eq!(end(listener).as_deref(), Some("a hole punch took the connection over"));
    }

    #[test]
    fn a_listener_that_waits_for_a_handshake_is_woken_when_it_is_taken_over() {
        let mut arrivals = Arrivals::default();
        let mut listener = arrivals.arrived(remote(), handshake(None)).unwrap();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        assert!(listener.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        assert!(matches!(arrivals.expect(remote()), Ok(Expected::Arrived(_))));
        assert!(woken.0.load(Ordering::Relaxed));
        assert!(listener.poll_unpin(&mut Context::from_waker(&waker)).is_ready());
    }

    #[test]
    fn a_handshake_that_ended_is_not_taken_over_and_not_kept() {
        let mut arrivals = Arrivals::default();
        let listener = arrivals.arrived(remote(), handshake(Some("done"))).unwrap();
        assert_eq!(end(listener).as_deref(), Some("done"));
        arrivals.tidy();
        assert!(arrivals.handshakes.is_empty());
        assert!(matches!(arrivals.expect(remote()), Ok(Expected::Awaited(_))));
        arrivals.tidy();
        assert!(arrivals.punches.is_empty());
    }
}
