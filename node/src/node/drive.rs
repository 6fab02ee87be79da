//! Carrying out what a peer's machines ask for.

use std::collections::BTreeMap;

use bytes::Bytes;
use darkswap_connectivity::{doubt, limiter, pool};
use darkswap_core::Time;
use darkswap_core::message::{self, Inbox, MessageId, Outbox};
use darkswap_core::path::{Input, Machine, Output, PathKind};
use libp2p::PeerId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};

use super::address_book::AddressBook;
use super::doubt::Request;
use super::limiter::KEPT_PER_PEER;
use super::peer::Peer;
use super::sealed::Lane;
use super::{Node, explain, quality, random};
use crate::event::Event;
use crate::handle::CommandError;
use crate::message_codec::Message;
use crate::transport::webrtc::signalled::address as signalled;

impl Node {
    /// The peer's entry, made when missing; an idle one makes room when there are too many.
    pub(super) fn peer(&mut self, id: PeerId) -> &mut Peer {
        let now = self.now();
        if !self.peers.contains_key(&id) {
            self.make_room();
            let path = Machine::new(self.handle.peer_id() < id, random(self.runtime.as_ref()));
            let peer = Peer {
                path: if self.config.webrtc.enabled { path.with_negotiation() } else { path },
                quality: quality::machine(random(self.runtime.as_ref())),
                avoided: None,
                outbox: Outbox::new(
                    self.session,
                    self.config.limits.pending_messages + KEPT_PER_PEER,
                    self.config.limits.message_deadline,
                ),
                doubt: doubt::Machine::default(),
                inbox: Inbox::new(),
                lane: Lane::new(&id, self.config.messages.batch_delay),
                book: AddressBook::default(),
                connections: BTreeMap::new(),
                receipts: BTreeMap::new(),
                agent: None,
                last_error: None,
                last_used: now,
                timer: None,
            };
            self.peers.insert(id, peer);
        }
        let peer = self.peers.get_mut(&id).expect("it was there or has just been inserted");
        peer.last_used = now;
        peer
    }

    fn make_room(&mut self) {
        if self.peers.len() < self.config.limits.peers {
            return;
        }
        let idle = self.peers.iter().filter(|(_, peer)| peer.is_idle()).min_by_key(|(_, peer)| peer.last_used);
        if let Some(id) = idle.map(|(id, _)| *id)
            && let Some(peer) = self.peers.remove(&id)
            && let Some(at) = peer.timer
        {
            self.timers.remove(&(at, id));
        }
    }

    /// Gives a peer's path machine an input and does what comes out.
    pub(super) fn input(&mut self, id: PeerId, input: Input) {
        let now = self.now();
        self.peer(id).path.handle(now, input);
        self.drive(id);
    }

    pub(super) fn on_deadline(&mut self) {
        let now = self.now();
        self.look_around();
        self.pool_input(pool::Input::Tick);
        self.limiter_input(limiter::Input::Tick);
        while let Some((at, id)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.pop_first();
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.timer = None;
            }
            self.input(id, Input::Tick);
        }
        self.on_sealed_deadline(now);
    }

    /// Drains a peer's machines and notes its next deadline.
    pub(super) fn drive(&mut self, id: PeerId) {
        let now = self.now();
        self.drain_doubt(id);
        self.improve(now, id);
        while let Some(output) = self.peers.get_mut(&id).and_then(|peer| peer.path.poll()) {
            self.on_path_output(now, id, output);
        }
        loop {
            let Some(peer) = self.peers.get_mut(&id) else { return };
            peer.outbox.set_path(peer.path.best().is_some());
            let Some(output) = peer.outbox.poll(now) else { break };
            self.on_outbox_output(id, output);
        }
        self.post(id);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let deadline = peer.deadline();
        if let Some(at) = std::mem::replace(&mut peer.timer, deadline) {
            self.timers.remove(&(at, id));
        }
        if let Some(at) = deadline {
            self.timers.insert((at, id));
        }
    }

    fn on_path_output(&mut self, now: Time, id: PeerId, output: Output) {
        match output {
            Output::Dial { kind } => self.dial(now, id, kind),
            Output::Negotiate => self.negotiate(now, id),
            Output::AbandonNegotiation => {
                if let Some(signalling) = self.swarm.behaviour_mut().signalling.as_mut() {
                    signalling.abandon(id);
                }
            }
            Output::Close { connection } => {
                let open = self.peers.get(&id).and_then(|peer| peer.connections.get(&connection)).map(|open| open.id);
                if let Some(open) = open {
                    self.swarm.close_connection(open);
                }
            }
            Output::Changed { from, to, elapsed } => {
                let peer = self.peer(id);
                let transport = peer.best().map(|connection| connection.transport);
                let relayed = peer.relayed_bytes();
                self.report(Event::PathChanged { peer: id, from, to, elapsed, transport, relayed });
                self.note_path(id, to);
            }
            Output::Failed { .. } => match self.lookups.get_mut(&id) {
                Some(lookup) => lookup.failed = true,
                None => {
                    self.path_failed(id);
                    self.look_up_again(id);
                }
            },
        }
    }

    /// Tells whoever waits for a path that there is none for now.
    pub(super) fn path_failed(&mut self, id: PeerId) {
        let peer = self.peer(id);
        let reason = peer.last_error.take().unwrap_or_else(|| "no address is known".to_owned());
        self.report(Event::PathFailed { peer: id, reason: reason.clone() });
        self.pool_dial_failed(id, reason);
    }

    fn dial(&mut self, now: Time, id: PeerId, kind: PathKind) {
        let mut addresses = self.peers.get(&id).map(|peer| peer.book.of(kind)).unwrap_or_default();
        if kind == PathKind::Relayed && addresses.is_empty() {
            addresses = self.relays.circuits_to(id);
        }
        if kind == PathKind::Relayed
            && let Some(others) = self.circuits_past_the_avoided(id)
        {
            addresses = others;
        }
        let options = DialOpts::peer_id(id).addresses(addresses).condition(PeerCondition::Always).build();
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(connection, (id, kind));
            }
            Err(error) => self.on_dial_failed(now, id, kind, explain(&error)),
        }
    }

    /// Restores the disturbed connection to a peer, or negotiates a new one.
    fn negotiate(&mut self, now: Time, id: PeerId) {
        let disturbed = self.peers.get(&id).and_then(|peer| peer.connections.values().find(|it| it.disturbed));
        let disturbed = disturbed.map(|connection| connection.id);
        let Some(signalling) = self.swarm.behaviour_mut().signalling.as_mut() else { return };
        if disturbed.is_some_and(|connection| signalling.restart(id, connection)) {
            return;
        }
        if signalling.is_negotiated_by(id) {
            return self.peer(id).path.handle(now, Input::NegotiationFailed);
        }
        self.dial_negotiation(now, id);
    }

    /// Negotiates a new connection. Drained by whoever drives the peer.
    pub(super) fn dial_negotiation(&mut self, now: Time, id: PeerId) {
        let options = DialOpts::peer_id(id).addresses(vec![signalled::of(id)]).condition(PeerCondition::Always).build();
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.negotiations.insert(connection, id);
            }
            Err(error) => {
                tracing::debug!(peer = %id, %error, "a negotiation was not begun");
                self.peer(id).path.handle(now, Input::NegotiationFailed);
            }
        }
    }

    /// Notes a failed dial; the machine's answer is drained by whoever drives the peer.
    pub(super) fn on_dial_failed(&mut self, now: Time, id: PeerId, kind: PathKind, reason: String) {
        let peer = self.peer(id);
        peer.last_error = Some(format!("{kind}: {reason}"));
        peer.path.handle(now, Input::DialFailed { kind });
        self.report(Event::DialFailed { peer: Some(id), reason });
    }

    fn on_outbox_output(&mut self, id: PeerId, output: message::Output) {
        match output {
            message::Output::Transmit { id: message, payload } => {
                self.asked(id, Request::Message(message.sequence), payload.len());
                self.transmit(id, message, payload);
            }
            message::Output::Expired { id: message } => {
                let deadline = self.config.limits.message_deadline;
                self.give_up(id, message, format!("no acknowledgement within {deadline:?}"));
            }
        }
    }

    /// Sends a message by the protocol without sealing.
    pub(super) fn transmit_plain(&mut self, id: PeerId, message: MessageId, payload: Bytes) {
        let request = self.swarm.behaviour_mut().messages.send_request(&id, Ok(Message { id: message, payload }));
        self.attempts.insert(request, (id, message));
    }

    /// Takes a message from the outbox, if it is still there, and tells the sender that it is not tried any more.
    pub(super) fn give_up(&mut self, id: PeerId, message: MessageId, reason: String) {
        let now = self.now();
        self.peer(id).outbox.acknowledged(now, message);
        if let Some(submitted) = self.peer(id).receipts.remove(&message) {
            let _ = submitted.answer.send(Err(CommandError::NotAcknowledged { peer: id, reason: reason.clone() }));
        }
        self.ended(id, Request::Message(message.sequence));
        self.finished(id, Request::Message(message.sequence));
        self.report(Event::MessageFailed { peer: id, id: message, reason });
    }

    /// Tells a peer's machine what is known of its addresses.
    pub(super) fn addresses_changed(&mut self, id: PeerId) {
        let mut known = self.peer(id).book.known();
        known.relayed |= self.relays.leads_to(id);
        self.input(id, Input::Addresses(known));
    }
}
