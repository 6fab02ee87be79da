//! A webrtc-direct listener as a stream of events.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use darkswap_webrtc::certificate::Fingerprint;
use libp2p::core::transport::{ListenerId, TransportEvent};

use super::Error;
use crate::transport::address;
use crate::transport::webrtc::endpoint::{Arrival, Counts, Endpoint};

/// What a listener tells its transport.
pub(super) enum Event {
    Transport(super::Event),
    Incoming { listener_id: ListenerId, arrival: Arrival },
}

/// One listener; the stream ends after `ListenerClosed`.
pub(super) struct Listener {
    id: ListenerId,
    endpoint: Arc<Endpoint>,
    open: bool,
    events: VecDeque<super::Event>,
    waker: Option<Waker>,
}

impl Listener {
    /// Announces the addresses of `announced` with the certificate.
    pub(super) fn new(
        id: ListenerId,
        endpoint: Arc<Endpoint>,
        announced: &[SocketAddr],
        certificate: &Fingerprint,
    ) -> Self {
        let events = announced
            .iter()
            .map(|socket| TransportEvent::NewAddress {
                listener_id: id,
                listen_addr: address::from_webrtc_server(*socket, certificate),
            })
            .collect();
        Self { id, endpoint, open: true, events, waker: None }
    }

    pub(super) fn id(&self) -> ListenerId {
        self.id
    }

    pub(super) fn counts(&self) -> Counts {
        self.endpoint.counts()
    }

    /// Stops accepting; connections live on. `false` when it had stopped already.
    pub(super) fn close(&mut self) -> bool {
        if self.open {
            self.endpoint.close();
            self.ended(Ok(()));
            return true;
        }
        false
    }

    fn ended(&mut self, reason: Result<(), io::Error>) {
        self.open = false;
        let reason = reason.map_err(Error::Socket);
        self.events.push_back(TransportEvent::ListenerClosed { listener_id: self.id, reason });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl futures::Stream for Listener {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(Some(Event::Transport(event)));
            }
            if !self.open {
                return Poll::Ready(None);
            }
            self.waker = Some(cx.waker().clone());
            match std::task::ready!(self.endpoint.poll_arrival(cx)) {
                Some(Ok(arrival)) => {
                    return Poll::Ready(Some(Event::Incoming { listener_id: self.id, arrival }));
                }
                Some(Err(error)) => self.ended(Err(error)),
                None => self.ended(Ok(())),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.endpoint.close();
    }
}
