//! Probes of one connection: whether the other end still answers on it.
//!
//! A probe is a stream of [`PROTOCOL`] whose negotiation (multistream-select) is the answer; nothing is sent on it. libp2p's ping keeps
//! its own time and its own stream, and cannot be asked for one more. A peer that does not speak the protocol refuses it, which is an
//! answer as well.

mod handler;

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use handler::Handler;

/// The protocol of a probe.
pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/darkswap/alive/1");

/// Something arrived on a connection.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
    /// How long the answer to a probe of ours took. None: the peer probed us.
    pub(super) elapsed: Option<Duration>,
}

/// Probes connections when told to, and lets peers probe.
#[derive(Debug, Default)]
pub(super) struct Behaviour {
    waiting: VecDeque<ToSwarm<Event, ()>>,
    waker: Option<Waker>,
}

impl Behaviour {
    /// Probes a connection. One that is closing takes no notice.
    pub(super) fn probe(&mut self, peer: PeerId, connection: ConnectionId) {
        let handler = NotifyHandler::One(connection);
        self.waiting.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event: () });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, elapsed: THandlerOutEvent<Self>) {
        self.waiting.push_back(ToSwarm::GenerateEvent(Event { peer, connection, elapsed }));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some(event) = self.waiting.pop_front() {
            return Poll::Ready(event);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
