//! Raw streams of the signalling protocol, opened one at a time.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use darkswap_webrtc::signalling::SIGNALLING_PROTOCOL;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{DeniedUpgrade, ReadyUpgrade};
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, Stream, StreamProtocol, SubstreamProtocol, THandler, THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use thiserror::Error;

/// Why a stream was not opened.
#[derive(Debug, Error)]
#[error("the stream was not opened: {0}")]
pub(super) struct NotOpened(String);

/// Opens streams, and hands them out as its events.
#[derive(Debug, Default)]
pub(super) struct Behaviour {
    wanted: VecDeque<PeerId>,
    opened: VecDeque<Result<Stream, NotOpened>>,
}

impl Behaviour {
    /// Asks for a stream to a connected peer. The swarm has to be polled after that.
    pub(super) fn open(&mut self, peer: PeerId) {
        self.wanted.push_back(peer);
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Result<Stream, NotOpened>;

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

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, opened: Result<Stream, NotOpened>) {
        self.opened.push_back(opened);
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(opened) = self.opened.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(opened));
        }
        match self.wanted.pop_front() {
            Some(peer_id) => Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::Any, event: () }),
            // Whoever asks for a stream polls the swarm.
            None => Poll::Pending,
        }
    }
}

/// Opens the streams of one connection; takes none.
#[derive(Debug, Default)]
pub(super) struct Handler {
    wanted: usize,
    opened: VecDeque<Result<Stream, NotOpened>>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = ();
    type ToBehaviour = Result<Stream, NotOpened>;
    type InboundProtocol = DeniedUpgrade;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<DeniedUpgrade> {
        SubstreamProtocol::new(DeniedUpgrade, ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if let Some(opened) = self.opened.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(opened));
        }
        if self.wanted == 0 {
            // The connection polls again after every call of the methods below.
            return Poll::Pending;
        }
        self.wanted -= 1;
        let protocol = SubstreamProtocol::new(ReadyUpgrade::new(StreamProtocol::new(SIGNALLING_PROTOCOL)), ());
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_behaviour_event(&mut self, (): ()) {
        self.wanted += 1;
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, DeniedUpgrade, Self::OutboundProtocol, (), ()>) {
        match event {
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, .. }) => {
                self.opened.push_back(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.opened.push_back(Err(NotOpened(error.to_string())));
            }
            _ => {}
        }
    }
}
