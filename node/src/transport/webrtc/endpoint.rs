//! The UDP socket of a webrtc-direct listener, shared by its connections.
//!
//! A task receives for all of them and puts every datagram into the inbox of its connection, as the pure multiplexer says. It ends
//! when the listener is closed and its last connection is gone.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use darkswap_webrtc::mux::{DropReason, Key, Mux, Occupancy, Route};
use futures::FutureExt as _;

use super::inbox::Inbox;
use super::port::Port;
use super::timer::Timer;
use crate::limits::fixed::webrtc::{DATAGRAM, HALF_OPEN_INBOX, INBOX, TURN};
use crate::transport::writers::Writers;
use crate::{Runtime, UdpSocket};

/// A socket with its multiplexer.
#[derive(Debug)]
pub(super) struct Endpoint {
    socket: Arc<dyn UdpSocket>,
    writers: Arc<Writers>,
    local: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    mux: Mux,
    inboxes: BTreeMap<Key, Arc<Inbox>>,
    /// New connections that the listener has not seen; at most as many as the multiplexer lets be half-open.
    arrivals: VecDeque<Arrival>,
    open: bool,
    failure: Option<io::Error>,
    lost: u64,
    listener: Option<Waker>,
    receiver: Option<Waker>,
}

/// A client that made itself known with a first STUN request.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) port: Port,
    pub(super) remote: SocketAddr,
    pub(super) ufrag: String,
}

/// What goes on at a listener's socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// What the multiplexer holds.
    pub occupancy: Occupancy,
    /// Bytes that wait for the connections' drivers.
    pub waiting_bytes: usize,
    /// Datagrams that belonged to no connection and began none, by reason.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Datagrams that did not fit into their connection's inbox.
    pub lost: u64,
}

impl Endpoint {
    /// Starts to receive. `local` is the concrete address that connections know the socket by.
    pub(super) fn start(socket: Arc<dyn UdpSocket>, local: SocketAddr, mux: Mux, runtime: &dyn Runtime) -> Arc<Self> {
        let endpoint = Arc::new(Self {
            socket,
            writers: Arc::default(),
            local,
            state: Mutex::new(State {
                mux,
                inboxes: BTreeMap::new(),
                arrivals: VecDeque::new(),
                open: true,
                failure: None,
                lost: 0,
                listener: None,
                receiver: None,
            }),
        });
        let receiver =
            Receiver { endpoint: Arc::clone(&endpoint), timer: Timer::default(), buffer: vec![0; DATAGRAM].into() };
        runtime.spawn("webrtc listener", receiver.boxed());
        endpoint
    }

    /// The next new connection; `None` once the endpoint is closed.
    ///
    /// # Errors
    /// When the socket is gone; `None` follows.
    pub(super) fn poll_arrival(&self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Arrival>>> {
        let mut state = self.lock();
        if let Some(arrival) = state.arrivals.pop_front() {
            return Poll::Ready(Some(Ok(arrival)));
        }
        if let Some(failure) = state.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        if !state.open {
            return Poll::Ready(None);
        }
        state.listener = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Takes no new connections; those that exist live on.
    pub(super) fn close(&self) {
        let (unseen, wakers) = {
            let mut state = self.lock();
            state.open = false;
            (std::mem::take(&mut state.arrivals), [state.listener.take(), state.receiver.take()])
        };
        // Each gives its lease back, which takes the lock.
        drop(unseen);
        wake(wakers);
    }

    pub(super) fn counts(&self) -> Counts {
        let state = self.lock();
        Counts {
            occupancy: state.mux.occupancy(),
            waiting_bytes: state.inboxes.values().map(|inbox| inbox.bytes()).sum(),
            dropped: state.mux.drops().clone(),
            lost: state.lost,
        }
    }

    fn receive(self: &Arc<Self>, now: Instant, remote: SocketAddr, payload: &[u8]) {
        let mut state = self.lock();
        let (key, fresh) = match state.mux.route(now, remote, payload) {
            Route::Known(key) => (key, None),
            Route::New { key, .. } if !state.open => {
                state.mux.remove(now, key);
                return;
            }
            Route::New { key, ufrag } => (key, Some(ufrag)),
            Route::Dropped(_) => return,
        };
        if let Some(ufrag) = fresh {
            let inbox = Arc::new(Inbox::new(HALF_OPEN_INBOX));
            state.inboxes.insert(key, Arc::clone(&inbox));
            let port = Port::shared(Lease { endpoint: Arc::clone(self), key, inbox });
            state.arrivals.push_back(Arrival { port, remote, ufrag });
        }
        let taken = state.inboxes.get(&key).is_some_and(|inbox| inbox.push(remote, payload));
        state.lost += u64::from(!taken);
        let listener = if state.arrivals.is_empty() { None } else { state.listener.take() };
        drop(state);
        wake([listener]);
    }

    /// Gives up connections that stayed half-open for too long; returns when to come back.
    fn expire(&self, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        state.mux.handle_timeout(now);
        while let Some(key) = state.mux.poll_expired() {
            if let Some(inbox) = state.inboxes.remove(&key) {
                inbox.close();
            }
        }
        state.mux.poll_timeout()
    }

    fn fail(&self, error: io::Error) {
        let (unseen, listener) = {
            let mut state = self.lock();
            state.open = false;
            state.failure = Some(error);
            state.inboxes.values().for_each(|inbox| inbox.close());
            (std::mem::take(&mut state.arrivals), state.listener.take())
        };
        drop(unseen);
        wake([listener]);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(wakers: impl IntoIterator<Item = Option<Waker>>) {
    wakers.into_iter().flatten().for_each(Waker::wake);
}

/// A connection's share of an endpoint, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    endpoint: Arc<Endpoint>,
    key: Key,
    inbox: Arc<Inbox>,
}

impl Lease {
    pub(super) fn local(&self) -> SocketAddr {
        self.endpoint.local
    }

    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    pub(super) fn socket(&self) -> &dyn UdpSocket {
        self.endpoint.socket.as_ref()
    }

    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.endpoint.writers.poll_writable(self.socket(), cx)
    }

    /// The client has proved who it is.
    pub(super) fn established(&self) {
        self.endpoint.lock().mux.established(self.key);
        self.inbox.set_bound(INBOX);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let receiver = {
            let mut state = self.endpoint.lock();
            state.inboxes.remove(&self.key);
            state.mux.remove(tokio::time::Instant::now().into_std(), self.key);
            if state.open { None } else { state.receiver.take() }
        };
        wake([receiver]);
    }
}

/// The task of an endpoint.
struct Receiver {
    endpoint: Arc<Endpoint>,
    timer: Timer,
    buffer: Box<[u8]>,
}

impl Future for Receiver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { endpoint, timer, buffer } = &mut *self;
        let now = tokio::time::Instant::now().into_std();
        for _ in 0..TURN {
            match endpoint.socket.poll_recv(cx, buffer) {
                Poll::Ready(Ok((length, remote))) => endpoint.receive(now, remote, &buffer[..length]),
                Poll::Ready(Err(error)) => {
                    endpoint.fail(error);
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    if endpoint.is_over(cx) {
                        return Poll::Ready(());
                    }
                    let deadline = endpoint.expire(now);
                    if timer.poll(cx, deadline).is_ready() {
                        cx.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
            }
        }
        endpoint.expire(now);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Endpoint {
    fn is_over(&self, cx: &mut Context<'_>) -> bool {
        let mut state = self.lock();
        state.receiver = Some(cx.waker().clone());
        !state.open && state.inboxes.is_empty()
    }
}
