//! A behaviour that speaks over direct connections only: what a relay answers through another relay says nothing about the way to it.

use std::collections::BTreeMap;
use std::task::{Context, Poll};

use either::Either;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use crate::transport::address::{carrier, relay_of};

/// The wrapped behaviour, and the connections of which it is not told.
#[derive(Debug)]
pub(in crate::node) struct Direct<B> {
    inner: B,
    relayed: BTreeMap<ConnectionId, PeerId>,
}

impl<B> Direct<B> {
    pub(in crate::node) fn new(inner: B) -> Self {
        Self { inner, relayed: BTreeMap::new() }
    }

    /// Circuits to a peer, which the wrapped behaviour does not count.
    fn circuits(&self, peer: PeerId) -> usize {
        self.relayed.values().filter(|its| **its == peer).count()
    }

    pub(in crate::node) fn inner(&mut self) -> &mut B {
        &mut self.inner
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Direct<B> {
    type ConnectionHandler = Either<B::ConnectionHandler, dummy::ConnectionHandler>;
    type ToSwarm = B::ToSwarm;

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner.handle_pending_outbound_connection(id, peer, addresses, role)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if relay_of(local).is_some() {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_inbound_connection(id, peer, local, remote).map(Either::Left)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if relay_of(address).is_some() {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_outbound_connection(id, peer, address, role, port).map(Either::Left)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let event = match event {
            FromSwarm::ConnectionEstablished(opened) => {
                if carrier(opened.endpoint).is_some() {
                    self.relayed.insert(opened.connection_id, opened.peer_id);
                    return;
                }
                let other_established = opened.other_established - self.circuits(opened.peer_id);
                FromSwarm::ConnectionEstablished(ConnectionEstablished { other_established, ..opened })
            }
            FromSwarm::ConnectionClosed(closed) => {
                if self.relayed.remove(&closed.connection_id).is_some() {
                    return;
                }
                let remaining_established = closed.remaining_established - self.circuits(closed.peer_id);
                FromSwarm::ConnectionClosed(ConnectionClosed { remaining_established, ..closed })
            }
            FromSwarm::AddressChange(change) if self.relayed.contains_key(&change.connection_id) => return,
            other => other,
        };
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {
            Either::Left(event) => self.inner.on_connection_handler_event(peer, id, event),
            Either::Right(never) => match never {},
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(cx).map(|action| action.map_in(Either::Left))
    }
}
