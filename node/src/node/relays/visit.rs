//! Connections that are made for relays only: to ask for a reservation, or for a probe. They are closed when nothing uses them.

use darkswap_core::path::PathKind;
use libp2p::PeerId;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};

use super::State;
use crate::node::peer::Connection;
use crate::node::{Node, explain};
use crate::transport::address::{carrier, relay_of};
use crate::transport::webrtc::signalled::address::is_signalled;

impl Node {
    /// Whether there is a direct connection to a relay.
    pub(super) fn is_connected_to(&self, relay: PeerId) -> bool {
        let Some(peer) = self.peers.get(&relay) else { return false };
        // A negotiated connection is direct and yet no way to a reservation: libp2p takes its address for a circuit's.
        let is_plain = |it: &Connection| it.kind == PathKind::Direct && relay_of(&it.address).is_none();
        let is_open =
            |it: &Connection| is_plain(it) && !is_signalled(&it.address) && !self.relays.closing.contains(&it.id);
        peer.connections.values().any(is_open)
    }

    /// Does what waits for a connection to the relay, or makes one: libp2p would not while somebody else dials it.
    pub(super) fn reach_relay(&mut self, relay: PeerId) {
        if self.is_connected_to(relay) {
            return self.serve_relay(relay);
        }
        let Some(entry) = self.relays.known.get_mut(&relay) else { return };
        if entry.dial.is_some() {
            return;
        }
        let addresses = entry.addresses.clone();
        let options = DialOpts::peer_id(relay).addresses(addresses).condition(PeerCondition::Always).build();
        entry.dial = Some(options.connection_id());
        if let Err(error) = self.swarm.dial(options) {
            self.on_relay_unreached(relay, explain(&error));
        }
    }

    /// Asks a connected relay what is to be asked.
    fn serve_relay(&mut self, relay: PeerId) {
        let Some(entry) = self.relays.known.get_mut(&relay) else { return };
        let is_reaching = entry.state == State::Reaching;
        let asks = std::mem::take(&mut entry.is_question_due);
        if is_reaching {
            self.listen_through(relay);
        }
        if asks {
            self.ask_relay(relay);
        }
    }

    /// A connection was opened.
    pub(in crate::node) fn on_relay_opened(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        if let Some(relay) = carrier(endpoint) {
            self.relays.circuits.insert(connection, relay);
            return self.circuit_opened(relay);
        }
        let now = self.now();
        let Some(entry) = self.relays.known.get_mut(&peer) else { return };
        if entry.dial == Some(connection) {
            entry.dial = None;
            entry.visit = Some(connection);
        }
        self.relays.located(now, peer, endpoint.get_remote_address());
        self.serve_relay(peer);
    }

    /// A connection ended.
    pub(in crate::node) fn on_relay_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        self.relays.closing.remove(&connection);
        if let Some(relay) = self.relays.circuits.remove(&connection) {
            self.circuit_closed(relay);
            self.leave_relay(relay);
        }
        if let Some(entry) = self.relays.known.get_mut(&peer)
            && entry.visit == Some(connection)
        {
            entry.visit = None;
        }
    }

    /// A dial failed. Whether it was one of these.
    pub(in crate::node) fn on_relay_dial_failed(&mut self, connection: ConnectionId, reason: String) -> bool {
        let dialled = self.relays.known.iter().find(|(_, entry)| entry.dial == Some(connection));
        let Some(relay) = dialled.map(|(relay, _)| *relay) else { return false };
        self.on_relay_unreached(relay, reason);
        true
    }

    fn on_relay_unreached(&mut self, relay: PeerId, reason: String) {
        let is_connected = self.is_connected_to(relay);
        let Some(entry) = self.relays.known.get_mut(&relay) else { return };
        entry.dial = None;
        if is_connected {
            return self.serve_relay(relay);
        }
        let asks = std::mem::take(&mut entry.is_question_due);
        if entry.state == State::Reaching {
            self.relay_lost(relay, Some(reason));
        }
        if asks {
            self.on_relay_unanswered(relay);
        }
    }

    /// Closes the connection that was made for a relay, when nothing uses it: no reservation, no question, no circuit, and nobody who
    /// wants the peer.
    pub(super) fn leave_relay(&mut self, relay: PeerId) {
        let is_asked = self.relays.questions.values().any(|question| question.relay == relay);
        let carries = self.relays.circuits.values().any(|carrier| *carrier == relay);
        // A circuit may be about to be dialled through it.
        let dials = self.dials.values().any(|(_, kind)| *kind == PathKind::Relayed);
        let is_wanted = self.peers.get(&relay).is_some_and(|peer| peer.path.is_wanted());
        // Nor before the first choice: the relay may be chosen.
        let is_undecided = self.relays.settled.is_some();
        if is_asked || carries || dials || is_wanted || is_undecided || self.relays.is_used(relay) {
            return;
        }
        let Some(entry) = self.relays.known.get_mut(&relay) else { return };
        if let Some(visit) = entry.visit.take() {
            self.close_visit(visit);
        }
    }

    /// Closes the connections that are left over from the first look at all relays.
    pub(super) fn leave_relays(&mut self) {
        let known: Vec<PeerId> = self.relays.known.keys().copied().collect();
        known.into_iter().for_each(|relay| self.leave_relay(relay));
    }

    pub(super) fn close_visit(&mut self, connection: ConnectionId) {
        if self.swarm.close_connection(connection) {
            self.relays.closing.insert(connection);
        }
    }

    /// Closes every direct connection to a relay.
    pub(super) fn disconnect_relay(&mut self, relay: PeerId) {
        let Some(peer) = self.peers.get(&relay) else { return };
        let direct = peer.connections.values().filter(|connection| connection.kind == PathKind::Direct);
        let direct: Vec<ConnectionId> = direct.map(|connection| connection.id).collect();
        direct.into_iter().for_each(|connection| self.close_visit(connection));
    }
}
