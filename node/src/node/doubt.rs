//! Connections on which nothing comes back: noticed by late answers, probed, and replaced.
//!
//! The [machine](darkswap_connectivity::doubt) of each peer says which connection to probe and which one is in doubt; the path machine
//! then dials other ways. Negotiated connections watch themselves: ICE tells when it has lost the peer.

use darkswap_connectivity::doubt::{Input, Output};
use darkswap_core::path::{ConnectionKey, Input as PathInput, PathKind};
use libp2p::PeerId;
use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::ConnectionId;

use super::{Node, alive};
use crate::event::{Doubt, Event};

/// Something that a peer answers at once, unless the way is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Request {
    /// A message, by its number.
    Message(u64),
    /// A step of reconciliation.
    Sync(OutboundRequestId),
    /// A swap's message.
    Trade(OutboundRequestId),
}

impl Node {
    pub(super) fn on_alive(&mut self, event: &alive::Event) {
        match event.elapsed {
            Some(elapsed) => self.round_trip(event.connection, elapsed),
            None => self.heard(event.connection),
        }
        self.drive(event.peer);
    }

    /// Something arrived on a connection. Its machine is drained by whoever drives the peer.
    pub(super) fn heard(&mut self, connection: ConnectionId) {
        self.doubt_of(connection, |connection| Input::Heard { connection });
    }

    /// A round trip was measured on a connection. Its machine is drained by whoever drives the peer.
    pub(super) fn round_trip(&mut self, connection: ConnectionId, elapsed: std::time::Duration) {
        self.doubt_of(connection, |connection| Input::RoundTrip { connection, elapsed });
    }

    fn doubt_of(&mut self, connection: ConnectionId, input: impl FnOnce(ConnectionKey) -> Input<Request>) {
        let now = self.now();
        if let Some((peer, key)) = self.connections.get(&connection)
            && let Some(peer) = self.peers.get_mut(peer)
        {
            peer.doubt.handle(now, input(*key));
        }
    }

    /// A request of so many bytes was sent. Its machine is drained by whoever drives the peer.
    pub(super) fn asked(&mut self, id: PeerId, request: Request, size: usize) {
        let now = self.now();
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.doubt.handle(now, Input::Asked { request, size });
        }
    }

    /// A request was answered, or is not waited for any more.
    pub(super) fn ended(&mut self, id: PeerId, request: Request) {
        let now = self.now();
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.doubt.handle(now, Input::Ended { request });
        }
        if let Request::Sync(_) | Request::Trade(_) = request {
            self.finished(id, request);
        }
    }

    /// A request was answered on this connection.
    pub(super) fn answered(&mut self, id: PeerId, connection: ConnectionId, request: Request) {
        self.used(id, connection);
        self.ended(id, request);
        self.drive(id);
    }

    /// Carries out what a peer's doubts ask for. The path machine is drained by whoever drives the peer.
    pub(super) fn drain_doubt(&mut self, id: PeerId) {
        let now = self.now();
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.doubt.handle(now, Input::Tick);
        while let Some(output) = self.peers.get_mut(&id).and_then(|peer| peer.doubt.poll()) {
            self.on_doubt(id, output);
        }
    }

    fn on_doubt(&mut self, id: PeerId, output: Output) {
        let (Output::Probe { connection: key }
        | Output::Doubted { connection: key, .. }
        | Output::Cleared { connection: key }
        | Output::Dead { connection: key, .. }) = output;
        let now = self.now();
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(open) = peer.connections.get_mut(&key) else { return };
        let (connection, path) = (open.id, open.kind);
        match output {
            Output::Probe { .. } => self.swarm.behaviour_mut().alive.probe(id, connection),
            Output::Doubted { silent, .. } => {
                open.disturbed = true;
                peer.path.handle(now, PathInput::Disturbed { connection: key });
                self.report(Event::Doubt { peer: id, path, state: Doubt::Doubted, silent });
                if path == PathKind::Direct {
                    self.observe_again();
                }
            }
            Output::Cleared { .. } => {
                open.disturbed = false;
                peer.path.handle(now, PathInput::Recovered { connection: key });
                self.report(Event::Doubt { peer: id, path, state: Doubt::Cleared, silent: std::time::Duration::ZERO });
            }
            Output::Dead { silent, .. } => {
                self.swarm.close_connection(connection);
                self.report(Event::Doubt { peer: id, path, state: Doubt::Dead, silent });
            }
        }
    }
}
