//! The behaviour behind [`super`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use darkswap_webrtc::connection::{CandidateKind, IceState};
use futures::StreamExt as _;
use futures::channel::oneshot;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, DialFailure};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, Stream, THandler, THandlerInEvent,
    ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::handler::{FromHandler, Handler, NotOpened};
use super::link::{BehaviourEnd, Failed, NoStream, Opened, Purpose, Report, Request, Ticket, ToBehaviour, ToTransport};
use crate::event::{Misbehaviour, NegotiationRole};
use crate::limits::fixed::signalling::{NEGOTIATIONS, NEGOTIATIONS_PER_PEER};
use crate::transport::webrtc::signalled::address;

/// What the node hears of signalling.
#[derive(Debug)]
pub(crate) enum Event {
    /// A negotiation ended.
    Ended { peer: PeerId, role: NegotiationRole, purpose: Purpose, result: Result<(), Failed>, elapsed: Duration },
    /// ICE's state of a connection changed; `None` while libp2p does not know it yet.
    Ice { peer: PeerId, connection: Option<ConnectionId>, state: IceState },
    /// ICE chose a pair of candidates.
    Selected { peer: PeerId, local: CandidateKind, remote: CandidateKind },
    /// A peer broke a rule of signalling.
    Misbehaviour { peer: PeerId, kind: Misbehaviour, evidence: String },
}

/// Opens and accepts streams for signalling, and tells the node what comes of them.
#[derive(Debug)]
pub(crate) struct Behaviour {
    link: BehaviourEnd,
    /// What waits for the transport. Accepted streams in it are bounded by the negotiations under way, circuits by the relays.
    to_transport: VecDeque<ToTransport>,
    actions: VecDeque<ToSwarm<Event, u64>>,
    relayed: BTreeMap<PeerId, Vec<ConnectionId>>,
    direct: BTreeMap<ConnectionId, PeerId>,
    /// Requests that wait for a stream.
    opening: BTreeMap<u64, Opening>,
    next_request: u64,
    /// Circuits that are dialled for a request.
    dialling: BTreeMap<ConnectionId, Request>,
    running: Vec<Running>,
    /// Signalled connections in the order of their numbers, until libp2p tells their ids.
    unnamed: BTreeMap<PeerId, VecDeque<u64>>,
    names: BTreeMap<ConnectionId, u64>,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Opening {
    connection: ConnectionId,
    asker: Asker,
    ticket: Ticket,
}

/// Who asked for a stream.
#[derive(Debug)]
enum Asker {
    /// A dial.
    Dial(oneshot::Sender<Result<Opened, NoStream>>),
    /// The connection of this number, which is to be restored.
    Restart(u64),
}

/// A negotiation under way.
#[derive(Debug)]
struct Running {
    peer: PeerId,
    role: NegotiationRole,
    ticket: Weak<()>,
    abandon: Option<oneshot::Sender<()>>,
}

impl Behaviour {
    pub(in crate::transport::webrtc) fn new(link: BehaviourEnd) -> Self {
        Self {
            link,
            to_transport: VecDeque::new(),
            actions: VecDeque::new(),
            relayed: BTreeMap::new(),
            direct: BTreeMap::new(),
            opening: BTreeMap::new(),
            next_request: 0,
            dialling: BTreeMap::new(),
            running: Vec::new(),
            unnamed: BTreeMap::new(),
            names: BTreeMap::new(),
            waker: None,
        }
    }

    /// Ends our negotiations with a peer: a direct connection came about otherwise.
    pub(crate) fn abandon(&mut self, peer: PeerId) {
        for running in self.running.iter_mut().filter(|it| it.peer == peer) {
            if let Some(abandon) = running.abandon.take() {
                // It may have ended by itself.
                let _ = abandon.send(());
            }
        }
    }

    /// Has a disturbed connection restored with an ICE restart, over the newest relayed connection to its peer. Answers with
    /// [`Event::Ended`]; `false` when it cannot be tried, because nothing is known of the connection.
    pub(crate) fn restart(&mut self, peer: PeerId, connection: ConnectionId) -> bool {
        let Some(number) = self.names.get(&connection).copied().filter(|number| *number != UNNAMED) else {
            return false;
        };
        match self.newest_relayed(peer) {
            Some(relayed) => self.open(relayed, peer, Asker::Restart(number)),
            None => self.answer(Asker::Restart(number), Err(NoStream::NotConnected)),
        }
        self.waker.take().into_iter().for_each(Waker::wake);
        true
    }

    /// Whether the peer has a negotiation with us under way. ICE needs one: it tries both directions.
    pub(crate) fn is_negotiated_by(&mut self, peer: PeerId) -> bool {
        self.tidy();
        self.running.iter().any(|it| it.peer == peer && it.role == NegotiationRole::Answerer)
    }

    fn tidy(&mut self) {
        self.running.retain(|running| running.ticket.strong_count() > 0);
    }

    /// Notes a negotiation, unless there are too many.
    fn begin(&mut self, peer: PeerId, role: NegotiationRole) -> Result<Ticket, NoStream> {
        self.tidy();
        let of_peer = self.running.iter().filter(|it| it.peer == peer && it.role == role).count();
        for (found, limit) in [(of_peer, NEGOTIATIONS_PER_PEER), (self.running.len(), NEGOTIATIONS)] {
            if found >= limit {
                return Err(NoStream::Busy { found, limit });
            }
        }
        let ticket = Arc::new(());
        self.running.push(Running { peer, role, ticket: Arc::downgrade(&ticket), abandon: None });
        Ok(Ticket(ticket))
    }

    fn on_request(&mut self, request: Request) {
        match (self.newest_relayed(request.peer), &request.circuit) {
            (Some(connection), _) => self.open(connection, request.peer, Asker::Dial(request.answer)),
            (None, Some(circuit)) => {
                let options = DialOpts::peer_id(request.peer)
                    .addresses(vec![circuit.clone()])
                    .condition(PeerCondition::Always)
                    .build();
                self.dialling.insert(options.connection_id(), request);
                self.actions.push_back(ToSwarm::Dial { opts: options });
            }
            (None, None) => self.answer(Asker::Dial(request.answer), Err(NoStream::NotConnected)),
        }
    }

    fn newest_relayed(&self, peer: PeerId) -> Option<ConnectionId> {
        self.relayed.get(&peer)?.last().copied()
    }

    fn open(&mut self, connection: ConnectionId, peer: PeerId, asker: Asker) {
        match self.begin(peer, NegotiationRole::Offerer) {
            Ok(ticket) => {
                let number = self.next_request;
                self.next_request += 1;
                self.opening.insert(number, Opening { connection, asker, ticket });
                let handler = NotifyHandler::One(connection);
                self.actions.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event: number });
            }
            Err(reason) => self.answer(asker, Err(reason)),
        }
    }

    fn answer(&mut self, asker: Asker, result: Result<Opened, NoStream>) {
        match asker {
            // Whoever asked may have given up meanwhile.
            Asker::Dial(answer) => drop(answer.send(result)),
            Asker::Restart(number) => self.to_transport.push_back(ToTransport::Restart { number, stream: result }),
        }
    }

    fn on_opened(&mut self, number: u64, result: Result<Stream, NotOpened>) {
        let Some(Opening { asker, ticket, .. }) = self.opening.remove(&number) else { return };
        let opened = match result {
            Ok(stream) => {
                let (abandon, abandoned) = oneshot::channel();
                let own = Arc::downgrade(&ticket.0);
                if let Some(running) = self.running.iter_mut().find(|it| it.ticket.ptr_eq(&own)) {
                    running.abandon = Some(abandon);
                }
                Ok(Opened { stream, ticket, abandoned })
            }
            Err(NotOpened::Unsupported) => Err(NoStream::Unsupported),
            Err(NotOpened::Failed(reason)) => Err(NoStream::Stream(reason)),
        };
        self.answer(asker, opened);
    }

    fn on_accepted(&mut self, peer: PeerId, connection: ConnectionId, stream: Stream) {
        if self.direct.contains_key(&connection) {
            let evidence = "found signalling on a direct connection, expected it on relayed ones only".to_owned();
            return self.misbehaved(peer, Misbehaviour::Unsolicited, evidence);
        }
        match self.begin(peer, NegotiationRole::Answerer) {
            Ok(ticket) => self.to_transport.push_back(ToTransport::Accepted { peer, stream, ticket }),
            Err(reason @ NoStream::Busy { limit: NEGOTIATIONS_PER_PEER, .. }) => {
                self.misbehaved(peer, Misbehaviour::Oversized, reason.to_string());
            }
            // Not this peer's fault.
            Err(reason) => tracing::debug!(%peer, %reason, "signalling was refused"),
        }
    }

    fn misbehaved(&mut self, peer: PeerId, kind: Misbehaviour, evidence: String) {
        self.actions.push_back(ToSwarm::GenerateEvent(Event::Misbehaviour { peer, kind, evidence }));
    }

    fn on_report(&mut self, report: Report) {
        let event = match report {
            Report::Established { peer, number } => {
                self.unnamed.entry(peer).or_default().push_back(number);
                self.name(peer);
                return;
            }
            Report::Gone { peer, number } => {
                if let Some(unnamed) = self.unnamed.get_mut(&peer) {
                    unnamed.retain(|other| *other != number);
                    if unnamed.is_empty() {
                        self.unnamed.remove(&peer);
                    }
                }
                return;
            }
            Report::Ended { peer, role, purpose, result, elapsed } => {
                Event::Ended { peer, role, purpose, result, elapsed }
            }
            Report::Ice { peer, number, state } => {
                let connection = self.names.iter().find(|(_, named)| **named == number).map(|(id, _)| *id);
                Event::Ice { peer, connection, state }
            }
            Report::Selected { peer, local, remote } => Event::Selected { peer, local, remote },
            Report::Misbehaviour { peer, kind, evidence } => Event::Misbehaviour { peer, kind, evidence },
        };
        self.actions.push_back(ToSwarm::GenerateEvent(event));
    }

    fn on_established(&mut self, peer: PeerId, connection: ConnectionId, address: &Multiaddr, is_relayed: bool) {
        if is_relayed {
            self.relayed.entry(peer).or_default().push(connection);
            if let Some(request) = self.dialling.remove(&connection) {
                self.open(connection, peer, Asker::Dial(request.answer));
            }
            return;
        }
        self.direct.insert(connection, peer);
        if address::is_signalled(address) {
            self.names.insert(connection, UNNAMED);
            self.name(peer);
        }
    }

    /// Matches signalled connections of a peer with libp2p's ids; both come in order, from either side first.
    fn name(&mut self, peer: PeerId) {
        let Some(numbers) = self.unnamed.get_mut(&peer) else { return };
        let open =
            self.names.iter_mut().filter(|(id, number)| **number == UNNAMED && self.direct.get(id) == Some(&peer));
        for (_, name) in open {
            let Some(number) = numbers.pop_front() else { break };
            *name = number;
        }
        if numbers.is_empty() {
            self.unnamed.remove(&peer);
        }
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        self.direct.remove(&connection);
        self.names.remove(&connection);
        if let Some(relayed) = self.relayed.get_mut(&peer) {
            relayed.retain(|other| *other != connection);
            if relayed.is_empty() {
                self.relayed.remove(&peer);
            }
        }
        let lost: Vec<_> =
            self.opening.iter().filter(|(_, it)| it.connection == connection).map(|(number, _)| *number).collect();
        for number in lost {
            self.on_opened(number, Err(NotOpened::Failed("the relayed connection ended".to_owned())));
        }
    }

    fn on_dial_failed(&mut self, connection: ConnectionId, reason: String) {
        if let Some(request) = self.dialling.remove(&connection) {
            self.answer(Asker::Dial(request.answer), Err(NoStream::Circuit(reason)));
        }
    }

    /// Hands the transport what waits for it.
    fn deliver(&mut self, cx: &mut Context<'_>) {
        while !self.to_transport.is_empty() && matches!(self.link.to_transport.poll_ready(cx), Poll::Ready(Ok(()))) {
            if let Some(message) = self.to_transport.pop_front() {
                // The transport ends with the swarm only.
                let _ = self.link.to_transport.start_send(message);
            }
        }
    }

    /// A reservation came: others can negotiate with us through it. They learn that from identify.
    fn on_circuit(&mut self, address: &Multiaddr) {
        if let Some(announced) = address::announced(address) {
            self.to_transport.push_back(ToTransport::Circuit(announced.clone()));
            self.actions.push_back(ToSwarm::ExternalAddrConfirmed(announced));
        }
    }

    /// A reservation went.
    fn on_circuit_gone(&mut self, address: &Multiaddr) {
        if let Some(announced) = address::announced(address) {
            self.to_transport.push_back(ToTransport::CircuitGone(announced.clone()));
            self.actions.push_back(ToSwarm::ExternalAddrExpired(announced));
        }
    }
}

/// The number of no connection.
const UNNAMED: u64 = u64::MAX;

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

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, endpoint, .. }) => {
                let address = endpoint.get_remote_address();
                self.on_established(peer_id, connection_id, address, endpoint.is_relayed());
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                self.on_closed(peer_id, connection_id);
            }
            FromSwarm::DialFailure(DialFailure { connection_id, error, .. }) => {
                self.on_dial_failed(connection_id, error.to_string());
            }
            FromSwarm::NewListenAddr(new) => self.on_circuit(new.addr),
            FromSwarm::ExpiredListenAddr(expired) => self.on_circuit_gone(expired.addr),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: FromHandler) {
        match event {
            FromHandler::Accepted(stream) => self.on_accepted(peer, connection, stream),
            FromHandler::Opened { request, result } => self.on_opened(request, result),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        loop {
            self.deliver(cx);
            if let Some(action) = self.actions.pop_front() {
                return Poll::Ready(action);
            }
            match self.link.from_transport.poll_next_unpin(cx) {
                Poll::Ready(Some(ToBehaviour::Open(request))) => self.on_request(request),
                Poll::Ready(Some(ToBehaviour::Report(report))) => self.on_report(report),
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::super::link::link;
    use super::*;

    fn behaviour() -> Behaviour {
        Behaviour::new(link().1)
    }

    #[test]
    fn negotiations_are_bounded_by_peer_and_role_and_in_all() {
        let mut behaviour = behaviour();
        let peer = PeerId::random();
        let answerer = NegotiationRole::Answerer;
        let held: Vec<_> =
            (0..NEGOTIATIONS_PER_PEER).map(|_| behaviour.begin(peer, answerer).expect("within the bound")).collect();
        assert!(matches!(behaviour.begin(peer, answerer), Err(NoStream::Busy { limit: NEGOTIATIONS_PER_PEER, .. })));
        let ours = behaviour.begin(peer, NegotiationRole::Offerer);
        assert!(ours.is_ok() && behaviour.is_negotiated_by(peer));
        let others: Vec<_> =
            std::iter::repeat_with(|| behaviour.begin(PeerId::random(), answerer)).take_while(Result::is_ok).collect();
        assert_eq!(held.len() + others.len() + 1, NEGOTIATIONS);
        drop((held, others, ours));
        assert!(!behaviour.is_negotiated_by(peer) && behaviour.begin(peer, answerer).is_ok());
    }

    #[test]
    fn connections_and_their_numbers_find_each_other_whichever_comes_first() {
        let mut behaviour = behaviour();
        let peer = PeerId::random();
        let address = address::of(peer);
        let connections = [7, 8].map(ConnectionId::new_unchecked);
        behaviour.on_established(peer, connections[0], &address, false);
        behaviour.on_report(Report::Established { peer, number: 3 });
        behaviour.on_report(Report::Established { peer, number: 4 });
        behaviour.on_report(Report::Established { peer, number: 5 });
        behaviour.on_report(Report::Gone { peer, number: 4 });
        behaviour.on_established(peer, connections[1], &address, false);
        assert_eq!(behaviour.names, BTreeMap::from([(connections[0], 3), (connections[1], 5)]));
        behaviour.on_closed(peer, connections[0]);
        behaviour.on_closed(peer, connections[1]);
        assert!(behaviour.names.is_empty() && behaviour.unnamed.is_empty() && behaviour.direct.is_empty());
    }
}
