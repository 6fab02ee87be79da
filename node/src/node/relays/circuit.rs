//! What libp2p's behaviours are told of circuits.
//!
//! | behaviour | is not told | why |
//! |---|---|---|
//! | relay client | that a listener closed | it would forget the reservation while a request of it is under way, and panic at the answer (libp2p-relay 0.22). Of a closed connection it forgets all by itself |
//! | identify, signalling | circuits through relays that are not announced | a relay that is being left shall not be told to peers, although it still leads to us |
//!
//! The relay client would also announce each circuit that is granted; which are announced is the choice of `choice`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::task::{Context, Poll};

use libp2p::core::transport::ListenerId;
use libp2p::swarm::{ExpiredListenAddr, FromSwarm, NetworkBehaviour, NewListenAddr, THandlerInEvent, ToSwarm};
use libp2p::{Multiaddr, PeerId};

use crate::node::wrapped;
use crate::transport::address::relay_of;

/// Circuits that are kept in mind of all listeners: a relay may name any number of addresses of its own.
const LISTENED: usize = 128;

/// The relay client, whose listeners seem to last as long as their connections.
#[derive(Debug)]
pub(in crate::node) struct Lasting<B> {
    inner: B,
}

impl<B> Lasting<B> {
    pub(in crate::node) fn new(inner: B) -> Self {
        Self { inner }
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Lasting<B> {
    wrapped::connections!();

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if !matches!(event, FromSwarm::ListenerClosed(_)) {
            self.inner.on_swarm_event(event);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            match self.inner.poll(cx) {
                Poll::Ready(ToSwarm::ExternalAddrConfirmed(_) | ToSwarm::ExternalAddrExpired(_)) => {}
                other => return other,
            }
        }
    }
}

/// A behaviour that tells peers of circuits, identify or signalling, and of none but those through announced relays.
#[derive(Debug)]
pub(in crate::node) struct Announced<B> {
    inner: B,
    relays: BTreeSet<PeerId>,
    /// Circuits that are listened on, told or not.
    listened: BTreeMap<Multiaddr, ListenerId>,
}

impl<B: NetworkBehaviour> Announced<B> {
    pub(in crate::node) fn new(inner: B) -> Self {
        Self { inner, relays: BTreeSet::new(), listened: BTreeMap::new() }
    }

    /// Announces circuits through these relays and no others. Peers are told at once of what changes.
    pub(in crate::node) fn announce(&mut self, relays: &[PeerId]) {
        let before = std::mem::replace(&mut self.relays, relays.iter().copied().collect());
        for (addr, listener_id) in &self.listened {
            let listener_id = *listener_id;
            let Some(relay) = relay_of(addr) else { continue };
            match (before.contains(&relay), self.relays.contains(&relay)) {
                (false, true) => {
                    self.inner.on_swarm_event(FromSwarm::NewListenAddr(NewListenAddr { listener_id, addr }))
                }
                (true, false) => {
                    self.inner.on_swarm_event(FromSwarm::ExpiredListenAddr(ExpiredListenAddr { listener_id, addr }));
                }
                (true, true) | (false, false) => {}
            }
        }
    }
}

impl<B> Deref for Announced<B> {
    type Target = B;

    fn deref(&self) -> &B {
        &self.inner
    }
}

impl<B> DerefMut for Announced<B> {
    fn deref_mut(&mut self) -> &mut B {
        &mut self.inner
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Announced<B> {
    wrapped::connections!();

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::NewListenAddr(NewListenAddr { listener_id, addr }) => {
                if let Some(relay) = relay_of(addr) {
                    if self.listened.len() >= LISTENED {
                        return;
                    }
                    self.listened.insert(addr.clone(), listener_id);
                    if !self.relays.contains(&relay) {
                        return;
                    }
                }
            }
            FromSwarm::ExpiredListenAddr(ExpiredListenAddr { listener_id, addr }) if relay_of(addr).is_some() => {
                // When a reservation moves to another listener, the new one's address comes before the old one's goes.
                if self.listened.get(addr) != Some(&listener_id) {
                    return;
                }
                self.listened.remove(addr);
            }
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(cx)
    }
}
