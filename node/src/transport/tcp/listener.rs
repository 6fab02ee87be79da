//! A listening TCP socket as a stream of transport events.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::ready;
use libp2p::core::transport::{ListenerId, TransportEvent};

use super::{Event, Stream};
use crate::TcpListener;
use crate::transport::address;

/// One listener; the stream ends after `ListenerClosed`.
#[derive(Debug)]
pub(super) struct Listener {
    id: ListenerId,
    socket: Option<Box<dyn TcpListener>>,
    bound: SocketAddr,
    events: VecDeque<Event>,
    waker: Option<Waker>,
    /// Set after a failed accept (no file descriptors left, say): trying again at once would spin.
    pause: Option<Pin<Box<tokio::time::Sleep>>>,
}

const PAUSE: Duration = Duration::from_millis(100);

impl Listener {
    pub(super) fn new(id: ListenerId, socket: Box<dyn TcpListener>, local: &[IpAddr]) -> io::Result<Self> {
        let bound = socket.local_addr()?;
        let events = address::announced(bound, local)
            .into_iter()
            .map(|socket| TransportEvent::NewAddress { listener_id: id, listen_addr: address::from_tcp(socket) })
            .collect();
        Ok(Self { id, socket: Some(socket), bound, events, waker: None, pause: None })
    }

    pub(super) fn id(&self) -> ListenerId {
        self.id
    }

    /// Stops listening; `false` when it had stopped already.
    pub(super) fn close(&mut self) -> bool {
        let was_open = self.socket.take().is_some();
        if was_open {
            self.events.push_back(TransportEvent::ListenerClosed { listener_id: self.id, reason: Ok(()) });
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
        was_open
    }
}

impl futures::Stream for Listener {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if let Some(pause) = self.pause.as_mut() {
            std::task::ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let (id, bound) = (self.id, self.bound);
        let Some(socket) = self.socket.as_mut() else { return Poll::Ready(None) };
        match socket.poll_accept(cx) {
            Poll::Ready(Ok((stream, remote))) => {
                // The stream's own end: with a wildcard listener it tells which address the peer dialled.
                let local = stream.local_addr().unwrap_or(bound);
                Poll::Ready(Some(TransportEvent::Incoming {
                    listener_id: id,
                    upgrade: ready(Ok(Stream::new(stream))),
                    local_addr: address::from_tcp(local),
                    send_back_addr: address::from_tcp(remote),
                }))
            }
            Poll::Ready(Err(error)) => {
                self.pause = Some(Box::pin(tokio::time::sleep(PAUSE)));
                Poll::Ready(Some(TransportEvent::ListenerError { listener_id: id, error }))
            }
            Poll::Pending => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
