//! A listening QUIC endpoint as a stream of events.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use libp2p::core::transport::{ListenerId, TransportEvent};

use super::{Upgrade, finish};
use crate::UdpSocket;
use crate::transport::address;

/// What a listener tells its transport.
pub(super) enum Event {
    Transport(super::Event),
    Incoming { listener_id: ListenerId, local: SocketAddr, remote: SocketAddr, upgrade: Upgrade },
}

/// One listener; the stream ends after `ListenerClosed`.
pub(super) struct Listener {
    id: ListenerId,
    endpoint: quinn::Endpoint,
    socket: Arc<dyn UdpSocket>,
    bound: SocketAddr,
    announced: Vec<SocketAddr>,
    open: bool,
    accepting: Option<BoxFuture<'static, Option<quinn::Incoming>>>,
    events: VecDeque<super::Event>,
    waker: Option<Waker>,
}

impl Listener {
    pub(super) fn new(
        id: ListenerId,
        endpoint: quinn::Endpoint,
        socket: Arc<dyn UdpSocket>,
        local: &[IpAddr],
    ) -> io::Result<Self> {
        let bound = socket.local_addr()?;
        let announced = address::announced(bound, local);
        let events = announced
            .iter()
            .map(|socket| TransportEvent::NewAddress { listener_id: id, listen_addr: address::from_quic(*socket) })
            .collect();
        Ok(Self { id, endpoint, socket, bound, announced, open: true, accepting: None, events, waker: None })
    }

    pub(super) fn id(&self) -> ListenerId {
        self.id
    }

    pub(super) fn bound(&self) -> SocketAddr {
        self.bound
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn endpoint(&self) -> &quinn::Endpoint {
        &self.endpoint
    }

    pub(super) fn socket(&self) -> Arc<dyn UdpSocket> {
        Arc::clone(&self.socket)
    }

    /// Stops accepting; connections live on. `false` when it had stopped already.
    pub(super) fn close(&mut self) -> bool {
        let was_open = std::mem::replace(&mut self.open, false);
        if was_open {
            self.accepting = None;
            self.endpoint.set_server_config(None);
            self.events.push_back(TransportEvent::ListenerClosed { listener_id: self.id, reason: Ok(()) });
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
        was_open
    }

    fn incoming(&self, incoming: quinn::Incoming) -> Event {
        let remote = incoming.remote_address();
        // quinn knows the exact local address only where the platform tells it; otherwise the first announced one stands for it.
        let local = match incoming.local_ip() {
            Some(ip) => SocketAddr::new(ip, self.bound.port()),
            None => self.announced.first().copied().unwrap_or(self.bound),
        };
        let upgrade = async move { finish(incoming.accept()?).await }.boxed();
        Event::Incoming { listener_id: self.id, local, remote, upgrade }
    }
}

impl futures::Stream for Listener {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(Some(Event::Transport(event)));
        }
        if !self.open {
            return Poll::Ready(None);
        }
        self.waker = Some(cx.waker().clone());
        let endpoint = self.endpoint.clone();
        let accepting = self.accepting.get_or_insert_with(|| async move { endpoint.accept().await }.boxed());
        let accepted = std::task::ready!(accepting.poll_unpin(cx));
        self.accepting = None;
        match accepted {
            Some(incoming) => Poll::Ready(Some(self.incoming(incoming))),
            None => {
                self.open = false;
                let reason = Err(io::Error::new(io::ErrorKind::BrokenPipe, "the QUIC endpoint lost its socket"));
                Poll::Ready(Some(Event::Transport(TransportEvent::ListenerClosed { listener_id: self.id, reason })))
            }
        }
    }
}
