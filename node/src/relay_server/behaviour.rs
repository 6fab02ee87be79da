//! Who has a reservation and which circuits are open; asks the server and tells the node.

mod requests;

use std::collections::{BTreeMap, VecDeque};
use std::future::Future as _;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use darkswap_connectivity::relay::load_report::LoadReport;
use darkswap_connectivity::relay::message::Status;
use darkswap_connectivity::relay::server::{Circuit, Denied, Limits, Output};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::identity::Keypair;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, ExternalAddresses, FromSwarm, NetworkBehaviour, NotifyHandler, Stream, THandler,
    ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Sleep;

use super::Event;
use super::exchange::NotTaken;
use super::handler::{FromBehaviour, FromHandler, Handler};
use super::shared::Shared;
use super::status::RelayService;
use crate::Runtime;
use crate::event::{CircuitEnd, CircuitRefusal, Misbehaviour, RelayServerEvent, ReservationEnd};
use crate::limits::fixed::relay_server::{ACCOUNTS, REQUESTS};
use crate::transport::address::{host, is_relayed};

/// Serves as a relay.
#[derive(Debug)]
pub(crate) struct Behaviour {
    identity: Keypair,
    runtime: Arc<dyn Runtime>,
    limits: Limits,
    shared: Shared,
    external: ExternalAddresses,
    /// Open direct connections, and where their peers are.
    connections: BTreeMap<ConnectionId, (PeerId, IpAddr)>,
    /// Through which connections peers have reservations, the newest last: an older one may be dead already.
    reserved: BTreeMap<PeerId, Vec<ConnectionId>>,
    /// Circuits that wait for their destination.
    offered: BTreeMap<Circuit, Offered>,
    /// Circuits that are carried.
    open: BTreeMap<Circuit, Ends>,
    denied: BTreeMap<&'static str, u64>,
    actions: VecDeque<ToSwarm<Event, FromBehaviour>>,
    /// When the server has something to do of its own.
    timer: Option<Pin<Box<Sleep>>>,
    waker: Option<Waker>,
}

#[derive(Debug, Clone, Copy)]
struct Ends {
    from: PeerId,
    opener: ConnectionId,
    to: PeerId,
}

#[derive(Debug)]
struct Offered {
    ends: Ends,
    /// The opener's request.
    stream: Stream,
    destination: ConnectionId,
}

impl Behaviour {
    pub(crate) fn new(identity: Keypair, runtime: Arc<dyn Runtime>, limits: Limits) -> Self {
        Self {
            identity,
            runtime,
            limits,
            shared: Shared::new(limits),
            external: ExternalAddresses::default(),
            connections: BTreeMap::new(),
            reserved: BTreeMap::new(),
            offered: BTreeMap::new(),
            open: BTreeMap::new(),
            denied: BTreeMap::new(),
            actions: VecDeque::new(),
            timer: None,
            waker: None,
        }
    }

    /// What the relay says of its load.
    pub(crate) fn load_report(&self) -> LoadReport {
        self.shared.ask(|now, server| server.report(now))
    }

    /// Begins to drain: nothing new is admitted, and what is there ends within this time. [`RelayServerEvent::Drained`] tells the end.
    pub(crate) fn drain(&mut self, within: Duration) {
        self.shared.ask(|now, server| server.drain(now, within));
        self.settle();
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    /// What the relay says of itself.
    pub(crate) fn service(&self) -> RelayService {
        let load = self.load_report();
        self.shared.ask(|now, server| {
            let (reservations, circuits) = server.counts();
            let mut accounts: Vec<_> = server.accounts().collect();
            accounts.sort_by_key(|(peer, account)| (std::cmp::Reverse(account.bytes), *peer));
            accounts.truncate(ACCOUNTS);
            RelayService {
                reservations: (reservations, self.limits.reservations),
                circuits: (circuits, self.limits.circuits),
                bytes: server.bytes(),
                rate: (server.rate(now), self.limits.rate),
                load,
                denied: self.denied.clone(),
                accounts,
            }
        })
    }

    /// A peer cannot use a relay of which it knows no address.
    fn is_serving(&self) -> bool {
        !self.external.as_slice().is_empty()
    }

    fn report(&mut self, event: RelayServerEvent) {
        self.actions.push_back(ToSwarm::GenerateEvent(Event::Report(event)));
    }

    fn misbehaved(&mut self, peer: PeerId, kind: Misbehaviour, evidence: String) {
        self.actions.push_back(ToSwarm::GenerateEvent(Event::Misbehaviour { peer, kind, evidence }));
    }

    fn tell(&mut self, peer_id: PeerId, connection: ConnectionId, event: FromBehaviour) {
        let handler = NotifyHandler::One(connection);
        self.actions.push_back(ToSwarm::NotifyHandler { peer_id, handler, event });
    }

    fn count(&mut self, reason: &'static str) {
        let counter = self.denied.entry(reason).or_default();
        *counter = counter.saturating_add(1);
    }

    /// A circuit that was carried has ended.
    fn on_ended(&mut self, circuit: Circuit, end: CircuitEnd) {
        let Some(Ends { from, to, .. }) = self.open.remove(&circuit) else { return };
        let bytes = self.shared.end(circuit);
        if let CircuitEnd::Denied(denied) = end {
            self.count(denied.name());
        }
        self.report(RelayServerEvent::CircuitClosed { from, to, bytes, end });
        self.settle();
    }

    /// The server closes a circuit.
    fn on_close(&mut self, circuit: Circuit, reason: Denied) {
        if let Some(Offered { ends: Ends { from, opener, to }, stream, .. }) = self.offered.remove(&circuit) {
            self.count(reason.name());
            self.refuse(from, opener, stream, Status::ResourceLimitExceeded);
            self.report(RelayServerEvent::CircuitDenied { from, to, reason: CircuitRefusal::Denied(reason) });
        } else if let Some(Ends { from, opener, .. }) = self.open.get(&circuit).copied() {
            self.tell(from, opener, FromBehaviour::Close(circuit));
            self.on_ended(circuit, CircuitEnd::Denied(reason));
        }
    }

    /// A peer's reservation is over.
    fn on_reservation_over(&mut self, peer: PeerId, end: ReservationEnd) {
        let Some(through) = self.reserved.remove(&peer) else { return };
        for connection in through {
            self.tell(peer, connection, FromBehaviour::Reserved(false));
        }
        self.report(RelayServerEvent::ReservationEnded { peer, end });
    }

    /// Does what the server wants of its own, and notes when it wants something next.
    fn settle(&mut self) {
        while let Some(output) = self.shared.ask(|_, server| server.poll()) {
            match output {
                Output::Notify { peer, within } => {
                    self.actions.push_back(ToSwarm::GenerateEvent(Event::Notify { peer, within }));
                }
                Output::Expired { peer } => self.on_reservation_over(peer, ReservationEnd::Expired),
                Output::Close { circuit, reason } => self.on_close(circuit, reason),
                Output::Drained { cut } => {
                    let left: Vec<PeerId> = self.reserved.keys().copied().collect();
                    left.into_iter().for_each(|peer| self.on_reservation_over(peer, ReservationEnd::Drained));
                    self.report(RelayServerEvent::Drained { cut });
                }
            }
        }
        let deadline = self.shared.ask(|_, server| server.deadline()).map(|at| self.shared.instant(at));
        match (deadline, &mut self.timer) {
            (Some(at), Some(timer)) => timer.as_mut().reset(at),
            (Some(at), None) => self.timer = Some(Box::pin(tokio::time::sleep_until(at))),
            (None, _) => self.timer = None,
        }
    }

    fn on_established(&mut self, peer: PeerId, connection: ConnectionId, address: &Multiaddr) {
        // A transport without addresses counts as one network.
        let address = host(address).unwrap_or(Ipv6Addr::UNSPECIFIED.into());
        self.connections.insert(connection, (peer, address));
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        if self.connections.remove(&connection).is_none() {
            return;
        }
        let by_opener = |ends: &Ends| ends.opener == connection;
        let abandoned: Vec<Circuit> =
            self.offered.iter().filter(|(_, it)| by_opener(&it.ends)).map(|(circuit, _)| *circuit).collect();
        for circuit in abandoned {
            self.offered.remove(&circuit);
            self.shared.end(circuit);
        }
        let lost = self.offered.iter().filter(|(_, it)| it.destination == connection).map(|(circuit, _)| *circuit);
        for circuit in lost.collect::<Vec<_>>() {
            self.on_taken(circuit, Err(NotTaken::Disconnected));
        }
        let ended: Vec<Circuit> =
            self.open.iter().filter(|(_, ends)| by_opener(ends)).map(|(circuit, _)| *circuit).collect();
        for circuit in ended {
            self.on_ended(circuit, CircuitEnd::Disconnected);
        }
        if let Some(through) = self.reserved.get_mut(&peer) {
            through.retain(|other| *other != connection);
            if through.is_empty() {
                self.on_reservation_over(peer, ReservationEnd::Disconnected);
                self.shared.ask(|now, server| server.release(now, peer));
            }
        }
        self.settle();
    }

    /// Requests are taken while the relay has an address.
    fn on_addresses_changed(&mut self, was_serving: bool) {
        let is_serving = self.is_serving();
        if was_serving == is_serving {
            return;
        }
        let connections: Vec<_> = self.connections.iter().map(|(connection, (peer, _))| (*connection, *peer)).collect();
        for (connection, peer) in connections {
            self.tell(peer, connection, FromBehaviour::Serve(is_serving));
        }
    }

    /// Relayed connections are not served: a circuit over a circuit would be carried twice.
    fn handler(&self, is_relayed: bool) -> THandler<Self> {
        if is_relayed {
            return Either::Right(dummy::ConnectionHandler);
        }
        Either::Left(Handler::new(self.shared.clone(), self.is_serving()))
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Either<Handler, dummy::ConnectionHandler>;
    type ToSwarm = Event;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        // Behind a circuit is a relay's address, not the peer's.
        let Some(address) = host(remote).filter(|_| !is_relayed(local)) else { return Ok(()) };
        let accepted = self.shared.ask(|now, server| server.accept(now, address));
        accepted.map_err(|denied| {
            self.count("accepts");
            ConnectionDenied::new(denied)
        })
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(is_relayed(local)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(is_relayed(address)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let was_serving = self.is_serving();
        if self.external.on_swarm_event(&event) {
            self.on_addresses_changed(was_serving);
        }
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, endpoint, .. })
                if !endpoint.is_relayed() =>
            {
                self.on_established(peer_id, connection_id, endpoint.get_remote_address());
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                self.on_closed(peer_id, connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: Either<FromHandler, std::convert::Infallible>,
    ) {
        match event {
            Either::Left(FromHandler::Asked(asked)) => self.on_asked(peer, connection, asked),
            Either::Left(FromHandler::Flooded) => {
                let evidence = format!("found more than {REQUESTS} requests at once, expected at most as many");
                self.misbehaved(peer, Misbehaviour::Oversized, evidence);
            }
            Either::Left(FromHandler::Taken { circuit, result }) => self.on_taken(circuit, result),
            Either::Left(FromHandler::Ended { circuit, end }) => self.on_ended(circuit, end),
            Either::Right(never) => match never {},
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, Either<FromBehaviour, std::convert::Infallible>>> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Poll::Ready(action.map_in(Either::Left));
            }
            match self.timer.as_mut().map(|timer| timer.as_mut().poll(cx)) {
                Some(Poll::Ready(())) => {
                    self.shared.ask(|now, server| server.tick(now));
                    self.settle();
                }
                Some(Poll::Pending) | None => break,
            }
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
