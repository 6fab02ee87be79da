//! One connection's part in signalling: opens and accepts streams of the protocol.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll, Waker};

use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound, StreamUpgradeError,
};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, SubstreamProtocol};

use crate::limits::fixed::signalling::STREAM;

/// The protocol of signalling (libp2p WebRTC specification).
pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/webrtc-signaling/0.0.1");

/// Names a request for a stream, so that its answer finds back.
pub(crate) type Request = u64;

/// What a handler tells the behaviour.
#[derive(Debug)]
pub(crate) enum FromHandler {
    /// The peer opened a stream.
    Accepted(Stream),
    /// A stream of ours, or why there is none.
    Opened { request: Request, result: Result<Stream, NotOpened> },
}

/// Why a stream was not opened.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// The peer does not speak the protocol.
    Unsupported,
    /// The connection's word.
    Failed(String),
}

/// The handler of one connection.
#[derive(Debug, Default)]
pub(crate) struct Handler {
    requests: VecDeque<Request>,
    events: VecDeque<FromHandler>,
    waker: Option<Waker>,
}

type Upgrade = ReadyUpgrade<StreamProtocol>;

impl ConnectionHandler for Handler {
    type FromBehaviour = Request;
    type ToBehaviour = FromHandler;
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Request;

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Upgrade, Request, FromHandler>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
        }
        if let Some(request) = self.requests.pop_front() {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), request).with_timeout(STREAM);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, request: Request) {
        self.requests.push_back(request);
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Upgrade, Upgrade, (), Request>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) => {
                self.events.push_back(FromHandler::Accepted(stream));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, info: request }) => {
                self.events.push_back(FromHandler::Opened { request, result: Ok(stream) });
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: request, error }) => {
                let reason = explain(error);
                self.events.push_back(FromHandler::Opened { request, result: Err(reason) });
            }
            _ => {}
        }
    }
}

fn explain(error: StreamUpgradeError<Infallible>) -> NotOpened {
    match error {
        StreamUpgradeError::NegotiationFailed => NotOpened::Unsupported,
        StreamUpgradeError::Timeout => NotOpened::Failed(format!("the peer opened no stream within {STREAM:?}")),
        StreamUpgradeError::Apply(never) => match never {},
        StreamUpgradeError::Io(error) => NotOpened::Failed(error.to_string()),
    }
}
