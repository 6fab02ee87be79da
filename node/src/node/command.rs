//! Carrying out what the application asks for.

use bytes::Bytes;
use darkswap_core::message::SubmitError;
use darkswap_core::path::Input;
use libp2p::{Multiaddr, PeerId, gossipsub};
use tokio::sync::oneshot;

use super::Node;
use super::peer::{Connection, PathWaiter, Submitted};
use crate::handle::{Command, CommandError, PeerStatus, Receipt, Status};

impl Node {
    pub(super) fn on_command(&mut self, command: Command) {
        match command {
            Command::Connect { peer, addresses, answer } => self.connect(peer, addresses, answer),
            Command::Disconnect { peer, answer } => {
                if self.note_application(peer, false) && self.peers.contains_key(&peer) {
                    self.input(peer, Input::Release);
                }
                let _ = answer.send(());
            }
            Command::Send { peer, payload, answer } => self.send(peer, payload, answer),
            Command::Publish { topic, payload, answer } => {
                let _ = answer.send(self.publish(&topic, payload));
            }
            Command::Peers { answer } => {
                let _ = answer.send(self.peer_statuses());
            }
            Command::Relays { answer } => {
                let _ = answer.send(self.relays.statuses(self.now(), &self.config.relay_selection.parameters));
            }
            Command::Status { answer } => {
                let _ = answer.send(self.status());
            }
            Command::AcceptChannel { answer } => match self.unaccepted.pop_front() {
                Some(inbound) => {
                    if let Err(inbound) = answer.send(inbound) {
                        self.unaccepted.push_front(inbound);
                    }
                }
                None => {
                    self.acceptors.retain(|acceptor| !acceptor.is_closed());
                    self.acceptors.push_back(answer);
                }
            },
            Command::Drain { within, answer } => self.drain(within, answer),
            Command::Stop { answer } => self.stopping = Some(answer),
            Command::Trading(act) => self.on_act(act),
        }
    }

    fn connect(&mut self, id: PeerId, addresses: Vec<Multiaddr>, answer: PathWaiter) {
        if id == self.handle.peer_id() {
            let reason = "it is this node itself".to_owned();
            let _ = answer.send(Err(CommandError::Unreachable { peer: id, reason }));
            return;
        }
        let limit = self.config.limits.addresses_per_peer;
        let peer = self.peer(id);
        for address in addresses {
            peer.book.add(id, address, limit);
        }
        match peer.path.best() {
            Some(kind) => {
                let _ = answer.send(Ok(kind));
            }
            None => peer.waiters.push(answer),
        }
        self.want(id);
    }

    /// The application wants a path.
    fn want(&mut self, id: PeerId) {
        self.note_application(id, true);
        self.want_path(id);
    }

    pub(super) fn want_path(&mut self, id: PeerId) {
        self.addresses_changed(id);
        self.look_up(id);
        self.input(id, Input::Want);
    }

    fn send(&mut self, id: PeerId, payload: Bytes, answer: oneshot::Sender<Result<Receipt, CommandError>>) {
        let (size, limit) = (payload.len(), self.config.limits.message_size);
        if size > limit {
            let _ = answer.send(Err(CommandError::LimitReached { what: "message size in bytes", found: size, limit }));
            return;
        }
        let now = self.now();
        let peer = self.peer(id);
        match peer.outbox.submit(now, payload) {
            Ok(message) => {
                peer.receipts.insert(message, Submitted { answer, size });
                self.want(id);
            }
            Err(SubmitError::Full { pending, limit }) => {
                let what = "messages that wait for an acknowledgement";
                let _ = answer.send(Err(CommandError::LimitReached { what, found: pending, limit }));
            }
        }
    }

    pub(super) fn publish(&mut self, topic: &str, payload: Bytes) -> Result<(), CommandError> {
        let refused = |reason: String| CommandError::NotPublished { topic: topic.to_owned(), reason };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let published = gossip.publish(gossipsub::IdentTopic::new(topic), payload);
        published.map(|_| ()).map_err(|error| refused(error.to_string()))
    }

    fn peer_statuses(&self) -> Vec<PeerStatus> {
        let shown = self.peers.iter().filter(|(_, peer)| !peer.is_idle());
        shown
            .map(|(id, peer)| {
                let best = peer.best();
                PeerStatus {
                    peer: *id,
                    path: peer.path.best(),
                    address: best.map(|connection| connection.address.clone()),
                    connections: peer.connections.len(),
                    transport: best.map(|connection| connection.transport),
                    round_trip: best.and_then(|connection| connection.round_trip),
                    quality: best.map(Connection::quality),
                    pending: peer.outbox.len(),
                    agent: peer.agent.clone(),
                }
            })
            .collect()
    }

    fn status(&self) -> Status {
        Status {
            peer_id: self.handle.peer_id(),
            listening: self.swarm.listeners().cloned().collect(),
            external: self.swarm.external_addresses().cloned().collect(),
            reservations: self.relays.held(),
            relay: self.swarm.behaviour().relay_server.as_ref().map(|relay| relay.service()),
        }
    }
}
