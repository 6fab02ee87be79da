//! Turning libp2p's events into inputs of the machines and events of the node.

use darkswap_connectivity::doubt::Input as Doubts;
use darkswap_connectivity::pool;
use darkswap_core::message::MessageId;
use darkswap_core::path::{ConnectionKey, Input, Origin, PathKind};
use darkswap_core::wire::{Acknowledgement, Malformed, Verdict};
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::request_response::{Message as Exchange, OutboundFailure, OutboundRequestId, ResponseChannel};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{PeerId, autonat, dcutr, gossipsub, identify, kad, ping, request_response};

use super::behaviour::BehaviourEvent;
use super::doubt::Request;
use super::peer::Connection;
use super::quality::Scores;
use super::{Node, explain};
use crate::config::Reachability;
use crate::event::{Event, HolePunchRole, Misbehaviour, TransportKind};
use crate::handle::Receipt;
use crate::limits::fixed::identify::{AGENT, OWN_ADDRESSES};
use crate::message_codec::{Message, Refused};
use crate::trading::codec;
use crate::transport;
use crate::transport::address::is_relayed;
use crate::transport::webrtc::signalled::address as signalled;

impl Node {
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_opened(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                self.on_closed(peer_id, connection_id, cause.map(|cause| explain(&cause)));
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                match self.dials.remove(&connection_id) {
                    Some((peer, kind)) => {
                        let now = self.now();
                        self.on_dial_failed(now, peer, kind, explain(&error));
                        self.drive(peer);
                    }
                    None if self.negotiations.contains_key(&connection_id) => {
                        if let Some(peer) = self.negotiations.remove(&connection_id) {
                            self.input(peer, Input::NegotiationFailed);
                        }
                    }
                    // A hole punch or an AutoNAT dial-back; they report for themselves.
                    None if self.on_relay_dial_failed(connection_id, explain(&error)) => {}
                    None => tracing::debug!(peer = ?peer_id, %error, "a behaviour's dial failed"),
                }
            }
            SwarmEvent::NewListenAddr { address, .. } => self.on_listening(address),
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                let reason = reason.err().map(|error| explain(&error));
                if !self.on_relay_listener_closed(listener_id, reason.as_ref()) {
                    self.report(Event::ListenerClosed { addresses, reason });
                }
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "a listener could not accept"),
            SwarmEvent::ExternalAddrConfirmed { address } => {
                self.choose_dht_mode();
                self.announced_changed();
                self.report(Event::ExternalAddress { address });
            }
            SwarmEvent::ExternalAddrExpired { .. } => {
                self.choose_dht_mode();
                self.announced_changed();
            }
            SwarmEvent::IncomingConnectionError { error, send_back_addr, .. } => {
                tracing::debug!(%error, %send_back_addr, "an incoming connection failed");
            }
            other => tracing::trace!(event = ?other),
        }
    }

    /// A node that finds out itself whether it is reachable serves the DHT while it has a direct address that others reach.
    pub(super) fn choose_dht_mode(&mut self) {
        if self.config.reachability != Reachability::Auto {
            return;
        }
        let reachable = self.swarm.external_addresses().any(|address| !is_relayed(address));
        let mode = if reachable { kad::Mode::Server } else { kad::Mode::Client };
        if let Some(dht) = self.swarm.behaviour_mut().kad.as_mut()
            && dht.mode() != mode
        {
            dht.set_mode(Some(mode));
        }
    }

    fn on_listening(&mut self, address: libp2p::Multiaddr) {
        // A node that is declared public is reachable where it listens, unless it was told where else.
        if self.config.reachability == Reachability::Public && self.config.external.is_empty() && !is_relayed(&address)
        {
            self.swarm.add_external_address(address.clone());
        }
        self.report(Event::Listening { address });
    }

    fn on_opened(&mut self, id: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        self.dials.remove(&connection);
        self.negotiations.remove(&connection);
        let address = endpoint.get_remote_address().clone();
        let is_signalled = signalled::is_signalled(&address);
        let (kind, transport) = if endpoint.is_relayed() && !is_signalled {
            (PathKind::Relayed, TransportKind::Circuit)
        } else {
            (PathKind::Direct, transport::kind(&address))
        };
        let key = ConnectionKey(self.next_connection);
        self.next_connection += 1;
        self.connections.insert(connection, (id, key));
        let role = match endpoint {
            ConnectedPoint::Dialer { role_override: Endpoint::Dialer, .. } => HolePunchRole::Client,
            ConnectedPoint::Dialer { role_override: Endpoint::Listener, .. } | ConnectedPoint::Listener { .. } => {
                HolePunchRole::Server
            }
        };
        let address_of_entry = address.clone();
        let entry = Connection {
            id: connection,
            kind,
            transport,
            role,
            address: address_of_entry,
            round_trip: None,
            disturbed: false,
            meter: self.meters.claim(id, endpoint),
            scores: Scores::default(),
        };
        self.peer(id).connections.insert(key, entry);
        if !is_signalled {
            let now = self.now();
            self.peer(id).doubt.handle(now, Doubts::Opened { connection: key, kind });
        }
        self.report(Event::ConnectionOpened { peer: id, path: kind, transport, address, dialer: endpoint.is_dialer() });
        let origin = match endpoint {
            _ if is_signalled => Origin::Negotiated,
            ConnectedPoint::Dialer { .. } => Origin::Dialled,
            ConnectedPoint::Listener { .. } => Origin::Accepted,
        };
        self.input(id, Input::Opened { connection: key, kind, origin });
        self.pool_opened(id, key, kind);
        self.on_relay_opened(id, connection, endpoint);
    }

    fn on_closed(&mut self, id: PeerId, connection: ConnectionId, reason: Option<String>) {
        let Some((_, key)) = self.connections.remove(&connection) else { return };
        let now = self.now();
        self.peer(id).doubt.handle(now, Doubts::Closed { connection: key });
        let Some(closed) = self.peer(id).connections.remove(&key) else { return };
        let broke = closed.kind == PathKind::Direct && reason.is_some();
        let carried = closed.meter.measure();
        let (sent, received) = (carried.sent, carried.received);
        self.report(Event::ConnectionClosed { peer: id, path: closed.kind, sent, received, reason });
        self.input(id, Input::Closed { connection: key });
        self.pool_input(pool::Input::Closed { peer: id, connection: key });
        self.stop_seeking(id);
        self.on_relay_closed(id, connection);
        if broke {
            self.observe_again();
        }
    }

    /// Connects to our relays once more, to learn from identify under which address they see us now. A NAT that forgot its mappings
    /// breaks direct connections, while those to relays move on to the new mapping without telling anybody.
    pub(super) fn observe_again(&mut self) {
        let now = self.now();
        for (relay, address) in self.relays.observers(now) {
            let options = DialOpts::peer_id(relay).addresses(vec![address]).condition(PeerCondition::Always).build();
            if let Err(error) = self.swarm.dial(options) {
                tracing::debug!(%relay, %error, "a relay cannot be asked how it sees us");
            }
        }
    }

    /// Takes note of an address under which a peer sees us.
    fn observed(&mut self, address: libp2p::Multiaddr) {
        if self.own_addresses.contains(&address) {
            return;
        }
        if self.own_addresses.len() >= OWN_ADDRESSES {
            self.own_addresses.pop_front();
        }
        self.own_addresses.push_back(address.clone());
        self.swarm.behaviour_mut().candidates.announce(address);
        let relayed: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.path.best() == Some(PathKind::Relayed))
            .map(|(id, _)| *id)
            .collect();
        relayed.into_iter().for_each(|id| self.input(id, Input::OwnAddress));
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::RelayClient(event) => self.on_relay_client(&event),
            BehaviourEvent::RelayLoad(event) => self.on_relay_load(event),
            BehaviourEvent::Dcutr(event) => self.on_hole_punch(event),
            BehaviourEvent::Signalling(event) => self.on_signalling(event),
            BehaviourEvent::Identify(event) => self.on_identify(event),
            BehaviourEvent::Ping(event) => self.on_ping(event),
            BehaviourEvent::Alive(event) => self.on_alive(&event),
            BehaviourEvent::AutonatClient(autonat::v2::client::Event { tested_addr, result, .. }) => {
                self.report(Event::Reachability { address: tested_addr, reachable: result.is_ok() });
            }
            BehaviourEvent::Kad(event) => self.on_kad(event),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Messages(event) => self.on_exchange(event),
            BehaviourEvent::Sealed(event) => self.on_sealed(event),
            BehaviourEvent::Sync(event) => self.on_sync(event),
            BehaviourEvent::Trade(event) => self.on_trade(event),
            BehaviourEvent::RelayServer(event) => self.on_relay_service(event),
            BehaviourEvent::AutonatServer(event) => tracing::debug!(?event, "autonat server"),
            BehaviourEvent::Limits(never) | BehaviourEvent::Candidates(never) => match never {},
        }
    }

    fn on_hole_punch(&mut self, dcutr::Event { remote_peer_id: id, result }: dcutr::Event) {
        // The listener of the relayed connection is the QUIC server of the direct one (DCUtR specification, "Roles").
        let role = match &result {
            Ok(connection) => self.connection(*connection).map(|connection| connection.role),
            Err(_) => {
                self.peer(id).connections.values().rev().find(|it| it.kind == PathKind::Relayed).map(|it| it.role)
            }
        };
        let role = role.unwrap_or(HolePunchRole::Server);
        // The peer's connection may have come before the punch that was to make way for it.
        let is_direct = self.peer(id).path.best() == Some(PathKind::Direct);
        let reason = result.err().filter(|_| !is_direct).map(|error| error.to_string());
        let succeeded = reason.is_none();
        self.report(Event::HolePunch { peer: id, role, succeeded, reason });
        if !succeeded && role == HolePunchRole::Server {
            self.input(id, Input::HolePunchFailed);
        }
    }

    fn on_identify(&mut self, event: identify::Event) {
        let identify::Event::Received { connection_id, peer_id, info } = event else { return };
        let limit = self.config.limits.addresses_per_peer;
        let trades = [codec::SYNC, codec::TRADE].iter().all(|protocol| info.protocols.contains(protocol));
        let peer = self.peer(peer_id);
        peer.agent = Some(info.agent_version.chars().filter(|c| !c.is_control()).take(AGENT).collect());
        for address in info.listen_addrs.iter().take(limit) {
            peer.book.add(peer_id, address.clone(), limit);
        }
        let relayed = self.is_relayed(connection_id);
        if !relayed && transport::kind(&info.observed_addr) == TransportKind::Quic {
            self.observed(info.observed_addr);
        }
        if let Some(dht) = self.swarm.behaviour_mut().kad.as_mut()
            && dht.protocol_names().iter().any(|name| info.protocols.contains(name))
        {
            let direct = |address: &libp2p::Multiaddr| !is_relayed(address) && !signalled::is_signalled(address);
            for address in info.listen_addrs.into_iter().filter(direct).take(limit) {
                dht.add_address(&peer_id, address);
            }
        }
        self.addresses_changed(peer_id);
        self.note_protocols(peer_id, trades);
    }

    fn is_relayed(&self, connection: ConnectionId) -> bool {
        self.path_of(connection) == Some(PathKind::Relayed)
    }

    pub(super) fn path_of(&self, connection: ConnectionId) -> Option<PathKind> {
        Some(self.connection(connection)?.kind)
    }

    pub(super) fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        let (peer, key) = self.connections.get(&id)?;
        self.peers.get(peer)?.connections.get(key)
    }

    fn on_ping(&mut self, ping::Event { peer, connection, result }: ping::Event) {
        let Some((_, key)) = self.connections.get(&connection).copied() else { return };
        match result {
            Ok(round_trip) => {
                let Some(open) = self.peers.get_mut(&peer).and_then(|peer| peer.connections.get_mut(&key)) else {
                    return;
                };
                open.round_trip = Some(round_trip);
                let path = open.kind;
                self.round_trip(connection, round_trip);
                self.report(Event::Ping { peer, path, round_trip });
                self.pinged(peer, key, Some(round_trip));
                self.drive(peer);
            }
            // A TCP connection through a dead NAT mapping or router would otherwise look alive for minutes.
            Err(ping::Failure::Timeout) => {
                self.pinged(peer, key, None);
                self.swarm.close_connection(connection);
            }
            // libp2p keeps the first time-out to itself; what times out then is the stream of the next ping.
            Err(ping::Failure::Other { error }) if is_time_out(error.as_ref()) => {
                self.swarm.close_connection(connection);
            }
            Err(ping::Failure::Unsupported | ping::Failure::Other { .. }) => {}
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        let gossipsub::Event::Message { propagation_source, message_id, message } = event else { return };
        if self.judges(&message, &message_id, propagation_source) {
            return;
        }
        let Some(source) = message.source else { return };
        let topic = message.topic.into_string();
        self.report(Event::Gossip { topic, source, payload: message.data.into() });
    }

    fn on_exchange(&mut self, event: request_response::Event<Result<Message, Refused>, Acknowledgement>) {
        match event {
            request_response::Event::Message { peer, connection_id, message } => match message {
                Exchange::Request { request: Ok(message), channel, .. } => {
                    self.on_message(peer, connection_id, message, channel);
                }
                // Without the channel the stream ends unanswered.
                Exchange::Request { request: Err(refused), .. } => {
                    let kind = match refused {
                        Refused::Malformed(Malformed::Oversized { .. }) => Misbehaviour::Oversized,
                        Refused::Malformed(_) | Refused::Truncated => Misbehaviour::Malformed,
                    };
                    self.report(Event::Misbehaviour { peer, kind, evidence: refused.to_string() });
                }
                Exchange::Response { request_id, response } => {
                    self.on_acknowledgement(peer, connection_id, request_id, response);
                }
            },
            request_response::Event::OutboundFailure { peer, request_id, error, .. } => {
                self.on_attempt_failed(peer, request_id, &error);
            }
            request_response::Event::InboundFailure { .. } | request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn on_message(
        &mut self,
        id: PeerId,
        connection: ConnectionId,
        message: Message,
        channel: ResponseChannel<Acknowledgement>,
    ) {
        self.used(id, connection);
        let verdict = self.peer(id).inbox.admit(message.id);
        let answer = Acknowledgement { id: message.id, verdict };
        // The answer is lost when the connection is gone; the sender asks again and is told of the duplicate.
        let _ = self.swarm.behaviour_mut().messages.send_response(channel, answer);
        let path = self.path_of(connection).unwrap_or(PathKind::Direct);
        self.report(match verdict {
            Verdict::Delivered => Event::MessageReceived { peer: id, id: message.id, path, payload: message.payload },
            Verdict::Duplicate | Verdict::Stale => Event::MessageDuplicate { peer: id, id: message.id },
        });
        self.drive(id);
    }

    fn on_acknowledgement(
        &mut self,
        id: PeerId,
        connection: ConnectionId,
        request: OutboundRequestId,
        answer: Acknowledgement,
    ) {
        let Some((_, message)) = self.attempts.remove(&request) else { return };
        self.used(id, connection);
        let path = self.path_of(connection).unwrap_or(PathKind::Direct);
        if answer.id != message {
            let evidence = format!("found an acknowledgement of {}, expected one of {message}", answer.id);
            self.report(Event::Misbehaviour { peer: id, kind: Misbehaviour::Unsolicited, evidence });
            self.attempts_failed(id, [message]);
        } else {
            self.ended(id, Request::Message(message.sequence));
            self.settle(id, message, answer.verdict, path);
        }
        self.drive(id);
    }

    /// A peer said what became of a message.
    pub(super) fn settle(&mut self, id: PeerId, message: MessageId, verdict: Verdict, path: PathKind) {
        let now = self.now();
        let Some(elapsed) = self.peer(id).outbox.acknowledged(now, message) else { return };
        self.ended(id, Request::Message(message.sequence));
        self.finished(id, Request::Message(message.sequence));
        if verdict == Verdict::Stale {
            self.give_up(id, message, "the peer has moved past it and cannot tell whether it arrived".to_owned());
        } else {
            let mut size = 0;
            if let Some(submitted) = self.peer(id).receipts.remove(&message) {
                size = submitted.size;
                let _ = submitted.answer.send(Ok(Receipt { id: message, elapsed, path }));
            }
            self.report(Event::MessageDelivered { peer: id, id: message, elapsed, path, size });
        }
    }

    fn on_attempt_failed(&mut self, id: PeerId, request: OutboundRequestId, error: &OutboundFailure) {
        if let OutboundFailure::Io(error) = error
            && error.kind() == std::io::ErrorKind::InvalidData
        {
            let (kind, evidence) = (Misbehaviour::Malformed, error.to_string());
            self.report(Event::Misbehaviour { peer: id, kind, evidence });
        }
        let Some((_, message)) = self.attempts.remove(&request) else { return };
        if matches!(error, OutboundFailure::UnsupportedProtocols) {
            self.give_up(id, message, "the peer does not speak the message protocol".to_owned());
        } else {
            self.attempts_failed(id, [message]);
        }
        self.drive(id);
    }
}

fn is_time_out(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
}
