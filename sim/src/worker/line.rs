//! Raw streams to and from peers: opened, written and left hanging by hand. For programs that stand in the place of a node.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll};

use darkswap_connectivity::relay::message;
use darkswap_node::transport;
use futures::channel::{mpsc, oneshot};
use futures::{AsyncReadExt as _, StreamExt as _};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, DialFailure};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, Stream, StreamProtocol, SubstreamProtocol, THandler, THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

/// Wishes, and streams of others, that wait.
const WAITING: usize = 1_024;

/// What an attacker asks of its connections. Clones share.
#[derive(Debug, Clone)]
pub(super) struct Line(mpsc::Sender<Wish>);

/// What is asked; whoever asked is told by the end of the channel that it cannot be.
#[derive(Debug)]
enum Wish {
    Connect(PeerId, Vec<Multiaddr>, oneshot::Sender<()>),
    Open(PeerId, Opening),
}

/// A stream that is wanted.
#[derive(Debug)]
pub(super) struct Opening {
    protocol: StreamProtocol,
    answer: oneshot::Sender<Stream>,
}

impl Line {
    /// Connects to a peer, unless there is a connection. Answers whether there is one then.
    pub(super) async fn connect(&self, peer: PeerId, mut addresses: Vec<Multiaddr>) -> bool {
        addresses.retain(|address| transport::kind(address) != darkswap_node::event::TransportKind::WebRtc);
        let (answer, answered) = oneshot::channel();
        self.0.clone().try_send(Wish::Connect(peer, addresses, answer)).is_ok() && answered.await.is_ok()
    }

    /// Opens a stream to a connected peer, if it lets us.
    pub(super) async fn open(&self, peer: PeerId, protocol: StreamProtocol) -> Option<Stream> {
        let (answer, answered) = oneshot::channel();
        self.0.clone().try_send(Wish::Open(peer, Opening { protocol, answer })).ok()?;
        answered.await.ok()
    }
}

/// Reads one message of circuit relay v2.
pub(super) async fn relay_message(stream: &mut Stream) -> Option<Vec<u8>> {
    let mut prefix = Vec::new();
    let length = loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.ok()?;
        prefix.extend(byte);
        if let Some(length) = message::length(&prefix).ok()? {
            break length;
        }
    };
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

/// Does what is wished for.
#[derive(Debug)]
pub(super) struct Behaviour {
    wishes: mpsc::Receiver<Wish>,
    taken: mpsc::Sender<(PeerId, Stream)>,
    connections: BTreeMap<PeerId, usize>,
    dialling: BTreeMap<PeerId, Vec<oneshot::Sender<()>>>,
    protocol: StreamProtocol,
}

impl Behaviour {
    /// A behaviour with what it is asked through, and the streams of this protocol that others open.
    pub(super) fn new(protocol: StreamProtocol) -> (Self, Line, mpsc::Receiver<(PeerId, Stream)>) {
        let ((line, wishes), (taken, opened)) = (mpsc::channel(WAITING), mpsc::channel(WAITING));
        (Self { wishes, taken, connections: BTreeMap::new(), dialling: BTreeMap::new(), protocol }, Line(line), opened)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = std::convert::Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.protocol.clone()))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.protocol.clone()))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, .. }) => {
                *self.connections.entry(peer_id).or_default() += 1;
                for answer in self.dialling.remove(&peer_id).unwrap_or_default() {
                    let _ = answer.send(());
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, remaining_established: 0, .. }) => {
                self.connections.remove(&peer_id);
            }
            FromSwarm::DialFailure(DialFailure { peer_id: Some(peer), .. }) => drop(self.dialling.remove(&peer)),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, _: ConnectionId, stream: Stream) {
        // Whoever opens more than there is room for has its stream ended.
        let _ = self.taken.try_send((peer, stream));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        while let Poll::Ready(Some(wish)) = self.wishes.poll_next_unpin(cx) {
            match wish {
                Wish::Connect(peer, _, answer) if self.connections.contains_key(&peer) => drop(answer.send(())),
                Wish::Connect(peer, addresses, answer) => {
                    self.dialling.entry(peer).or_default().push(answer);
                    return Poll::Ready(ToSwarm::Dial { opts: DialOpts::peer_id(peer).addresses(addresses).build() });
                }
                Wish::Open(peer_id, event) => {
                    return Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::Any, event });
                }
            }
        }
        Poll::Pending
    }
}

/// Opens and takes the streams of one connection.
#[derive(Debug)]
pub(super) struct Handler {
    protocol: StreamProtocol,
    wanted: VecDeque<Opening>,
    taken: VecDeque<Stream>,
}

impl Handler {
    fn new(protocol: StreamProtocol) -> Self {
        Self { protocol, wanted: VecDeque::new(), taken: VecDeque::new() }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Opening;
    type ToBehaviour = Stream;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = oneshot::Sender<Stream>;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Stream>> {
        if let Some(stream) = self.taken.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(stream));
        }
        // The connection polls again after every call of the methods below.
        let Some(Opening { protocol, answer }) = self.wanted.pop_front() else { return Poll::Pending };
        let protocol = SubstreamProtocol::new(ReadyUpgrade::new(protocol), answer);
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_behaviour_event(&mut self, opening: Opening) {
        self.wanted.push_back(opening);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Self::OutboundOpenInfo>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, info: answer }) => {
                let _ = answer.send(stream);
            }
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) => {
                self.taken.push_back(stream);
            }
            _ => {}
        }
    }
}
