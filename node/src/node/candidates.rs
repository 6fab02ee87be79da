//! Observed addresses as candidates for hole punching.
//!
//! identify takes every observed address for a candidate. Two kinds are none:
//!
//! - the end of a negotiated connection: nobody can dial it, and the other behaviours would tell it to peers as if one could;
//! - a circuit: whether that leads to us its relay knows. AutoNAT would have it tested by a dial-back through that relay, which DCUtR then
//!   takes for a connection to upgrade, and leaves half-open paths between us and the server.
//!
//! identify reports an observed address with the port of the matching *listener*, which is right behind a port-preserving NAT
//! only. A hole punch needs the port that the NAT really uses: the observed one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll, Waker};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::wrapped;
use crate::limits::fixed::identify::CANDIDATES;
use crate::transport::address::is_relayed;
use crate::transport::webrtc::signalled::address::is_signalled;

/// A behaviour whose candidates can be dialled.
#[derive(Debug)]
pub(super) struct Filtered<B> {
    pub(super) inner: B,
}

impl<B> Filtered<B> {
    pub(super) fn new(inner: B) -> Self {
        Self { inner }
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Filtered<B> {
    wrapped::connections!();

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.inner.on_swarm_event(event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            match self.inner.poll(cx) {
                Poll::Ready(ToSwarm::NewExternalAddrCandidate(address))
                    if is_signalled(&address) || is_relayed(&address) => {}
                other => return other,
            }
        }
    }
}

/// Announces candidates for our external addresses to the other behaviours.
#[derive(Debug, Default)]
pub(super) struct Behaviour {
    waiting: VecDeque<Multiaddr>,
    waker: Option<Waker>,
}

impl Behaviour {
    /// Announces an address under which a peer sees us.
    pub(super) fn announce(&mut self, address: Multiaddr) {
        if self.waiting.len() < CANDIDATES {
            self.waiting.push_back(address);
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        if let Some(address) = self.waiting.pop_front() {
            return Poll::Ready(ToSwarm::NewExternalAddrCandidate(address));
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
