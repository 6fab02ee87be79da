//! A node's events as samples and records.

use std::time::Duration;

use darkswap_core::path::PathKind;
use darkswap_node::chain::ChainEvent;
use darkswap_node::event::{CandidateKind, Event, HolePunchRole, Misbehaviour, RelayServerEvent, TransportKind};
use darkswap_records::record::Tags;
use libp2p::PeerId;

use super::cast::Cast;
use super::channel::Books;
use super::ledger::{Ledger, Outage};
use super::recorder::{Recorder, tags};
use super::relay::Witness;
use super::trade::Desk;

/// Bytes of a publication's number at the beginning of its payload.
pub(super) const PUBLICATION_NUMBER: usize = 8;

/// Watches one node.
pub(super) struct Observer {
    host: usize,
    cast: Cast,
    recorder: Recorder,
    ledger: Ledger,
    topics: Vec<String>,
}

impl Observer {
    pub(super) fn new(host: usize, cast: Cast, recorder: Recorder, ledger: Ledger, topics: Vec<String>) -> Self {
        Self { host, cast, recorder, ledger, topics }
    }

    /// The node starts.
    pub(super) fn begin(&self) {
        self.ledger.relays.start(self.host);
        self.desk().start(self.host);
    }

    fn desk(&self) -> Desk<'_> {
        Desk { cast: &self.cast, recorder: &self.recorder }
    }

    /// Where the host's data channels are written down.
    pub(super) fn books(&self) -> Books {
        Books { recorder: self.recorder.clone(), ledger: self.ledger.clone() }
    }

    /// Takes note of an event.
    pub(super) fn see(&mut self, event: &Event) {
        let witness = Witness { host: self.host, cast: &self.cast, recorder: &self.recorder };
        self.ledger.relays.see(&witness, event, &self.ledger.reachability);
        self.look(event);
        match event {
            Event::ReservationAccepted { relay, renewal: false, elapsed } => {
                let tags = self.relay_tags(*relay);
                self.recorder.category("reservation", "accepted", tags.clone());
                self.recorder.time("reservation_time", *elapsed, tags.clone());
                self.event("reservation_accepted", tags);
            }
            Event::ReservationLost { relay, reason, .. } => {
                let category = if reason.contains("efused") || reason.contains("denied") { "refused" } else { "lost" };
                self.recorder.category("reservation", category, self.relay_tags(*relay));
                self.event("reservation_lost", self.relay_tags(*relay).with("reason", reason));
            }
            Event::HomeRelay { from, to, reason } => {
                let name = |relay: &Option<PeerId>| relay.map_or_else(|| "none".to_owned(), |it| self.cast.name_of(it));
                let (from, to) = (name(from), name(to));
                self.event("home_relay", tags([("from", from.as_str()), ("to", &to), ("reason", reason.name())]));
            }
            Event::RelaysAnnounced { relays } => {
                let names: Vec<_> = relays.iter().map(|relay| self.cast.name_of(*relay)).collect();
                self.event("relays_announced", tags([("relays", names.join(" ").as_str())]));
            }
            Event::RelayFound { relay, .. } => self.event("relay_found", tags([("relay", &self.cast.name_of(*relay))])),
            Event::PeerRecordFound { peer, .. } => self.event("peer_record_found", self.peer_fields(*peer)),
            Event::ConnectionOpened { peer, path, transport, dialer, .. } => {
                let fields = self
                    .peer_fields(*peer)
                    .with("path", path_name(*path))
                    .with("transport", transport_name(*transport));
                self.event("connection_opened", fields.with("dialer", if *dialer { "true" } else { "false" }));
            }
            Event::ConnectionClosed { peer, path, sent, received, reason } => {
                let fields = self.peer_fields(*peer).with("path", path_name(*path));
                let fields = fields.with("sent", &sent.to_string()).with("received", &received.to_string());
                self.event("connection_closed", fields.with("reason", reason.as_deref().unwrap_or("in good order")));
            }
            Event::PathChanged { peer, from, to, elapsed, transport, .. } => {
                self.path_changed(*peer, *from, *to, *elapsed, *transport);
            }
            Event::Doubt { peer, path, state, silent } => {
                let fields = self.peer_fields(*peer).with("path", path_name(*path)).with("state", state.name());
                self.event("doubt", fields.with("silent_ms", &silent.as_millis().to_string()));
                let to = self.cast.name_of(*peer);
                let tags = tags([("from", self.name()), ("to", to.as_str()), ("path", path_name(*path))]);
                self.recorder.category("doubt", state.name(), tags);
            }
            Event::Roamed { addresses } => {
                let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                self.event("roamed", tags([("addresses", addresses.join(" ").as_str())]));
            }
            Event::PoolClosed { peer, reason } => {
                self.event("pool_closed", self.peer_fields(*peer).with("reason", reason.name()));
            }
            Event::PoolRefused { peer, reason } => {
                self.event("pool_refused", self.peer_fields(*peer).with("reason", &reason.to_string()));
            }
            Event::PathFailed { peer, reason } => {
                self.event("path_failed", self.peer_fields(*peer).with("reason", reason))
            }
            Event::HolePunch { peer, role, succeeded, reason } => {
                self.hole_punch(*peer, *role, *succeeded, reason.as_deref())
            }
            Event::DialFailed { peer, reason } => {
                let to = peer.map_or_else(|| "unknown".to_owned(), |peer| self.cast.name_of(peer));
                self.recorder.category("dial", "failed", tags([("from", self.name()), ("to", &to)]));
                self.event("dial_failed", tags([("peer", &to), ("reason", reason)]));
            }
            Event::Ping { peer, path, round_trip } => {
                let to = self.cast.name_of(*peer);
                let tags = tags([("from", self.name()), ("to", &to), ("path", path_name(*path))]);
                self.recorder.time("round_trip", *round_trip, tags);
            }
            Event::Quality { peer, path, quality, .. } => {
                let to = self.cast.name_of(*peer);
                let tags = tags([("from", self.name()), ("to", &to), ("path", path_name(*path))]);
                if let Some(rate) = quality.throughput {
                    self.recorder.value("throughput", rate as f64, tags.clone());
                }
                let relay = quality.relay.map_or_else(String::new, |relay| self.cast.name_of(relay));
                let tags = tags.with("relay", &relay).with("weakest", quality.weakest.name());
                self.recorder.value("quality", f64::from(quality.score), tags);
            }
            Event::QualityAction { peer, action, reason } => {
                let to = self.cast.name_of(*peer);
                self.recorder.category("quality_action", action.name(), tags([("from", self.name()), ("to", &to)]));
                let fields = self.peer_fields(*peer).with("action", action.name());
                let fields = fields.with("score", &reason.score.points.to_string());
                let fields = fields.with("weakest", reason.weakest().name());
                let fields = fields.with("low_for", &format!("{:?}", reason.low_for));
                self.event("quality_action", fields.with("attempt", &reason.attempt.to_string()));
            }
            Event::QualityRecovered { peer, low_for, attempts } => {
                let fields = self.peer_fields(*peer).with("low_for", &format!("{low_for:?}"));
                self.event("quality_recovered", fields.with("attempts", &attempts.to_string()));
            }
            Event::MessageReceived { peer, id, path, payload } => {
                let Some(from) = self.cast.index_of(*peer) else { return };
                if !self.ledger.receive(from, self.host, *id, payload.len()) {
                    let from = self.cast.name_of(*peer);
                    let tags = tags([("from", from.as_str()), ("to", self.name()), ("path", path_name(*path))]);
                    self.recorder.category("message", "duplicate", tags);
                }
            }
            Event::MessageBytes { messages, plain, wire, .. } => {
                self.ledger.send_parcel(self.host, *messages, *plain, *wire);
            }
            Event::SessionOpened { peer, initiator } => {
                let initiator = if *initiator { "true" } else { "false" };
                self.event("session_opened", self.peer_fields(*peer).with("initiator", initiator));
            }
            Event::SessionEnded { peer, reason } => {
                self.event("session_ended", self.peer_fields(*peer).with("reason", reason.name()));
            }
            Event::Gossip { topic, payload, .. } => self.gossip(topic, payload),
            Event::Misbehaviour { peer, kind, evidence } => {
                self.ledger.misbehave(self.host, misbehaviour_name(*kind));
                let fields = self.peer_fields(*peer).with("kind", misbehaviour_name(*kind));
                self.event("misbehaviour", fields.with("evidence", evidence));
            }
            Event::Reachability { address, reachable } => {
                let reachable = if *reachable { "true" } else { "false" };
                self.event("reachability", tags([("address", &address.to_string()), ("reachable", reachable)]));
            }
            Event::ExternalAddress { address } => {
                self.event("external_address", tags([("address", &address.to_string())]));
            }
            Event::Negotiation { peer, role, restart, succeeded, elapsed, reason } => {
                let purpose = if *restart { "restart" } else { "connection" };
                let elapsed = succeeded.then_some(*elapsed);
                self.negotiation(*peer, role.name(), purpose, elapsed, reason.as_deref());
            }
            Event::IceState { peer, state } => {
                self.event("ice_state", self.peer_fields(*peer).with("state", state.name()));
            }
            Event::IceSelected { peer, local, remote } => {
                self.candidate_pair(*peer, *local, *remote);
            }
            Event::RelayServer(event) => self.relay_service(event),
            Event::Chain(event) => self.chain(event),
            Event::Trade(event) => self.desk().see(self.host, event),
            Event::ChannelOpened { .. }
            | Event::Listening { .. }
            | Event::ListenerClosed { .. }
            | Event::ReservationAccepted { renewal: true, .. }
            | Event::MessageDuplicate { .. }
            | Event::MessageDelivered { .. }
            | Event::MessageFailed { .. }
            | Event::RelayProbed { .. } => {}
        }
    }

    /// Takes note of what an event says of the host's reachability.
    fn look(&self, event: &Event) {
        let (now, truth) = (self.recorder.now(), &self.ledger.reachability);
        let index = |relay: &PeerId| self.cast.index_of(*relay);
        match event {
            Event::ReservationAccepted { relay, .. } => {
                index(relay).into_iter().for_each(|relay| truth.reserve(now, self.host, relay, true));
            }
            Event::ReservationLost { relay, .. } => {
                index(relay).into_iter().for_each(|relay| truth.reserve(now, self.host, relay, false));
            }
            Event::HomeRelay { to, .. } => truth.settle(self.host, to.as_ref().and_then(index)),
            Event::RelaysAnnounced { relays } => {
                truth.announce(now, self.host, relays.iter().filter_map(index).collect());
            }
            _ => {}
        }
    }

    /// What a relay granted, refused and carried, as the relay sees it.
    fn relay_service(&self, event: &RelayServerEvent) {
        let ends = |from: &PeerId, to: &PeerId| {
            tags([("from", self.cast.name_of(*from).as_str()), ("to", &self.cast.name_of(*to))])
        };
        let count = |name: &str, category: &str, kind: &str| {
            self.recorder.category(name, category, tags([("relay", self.name()), ("kind", kind)]));
        };
        match event {
            RelayServerEvent::ReservationGranted { peer, renewal } => {
                let kind = if *renewal { "renewal" } else { "" };
                count("relay_reservation", "granted", kind);
                self.event("reservation_granted", self.peer_fields(*peer).with("kind", kind));
            }
            RelayServerEvent::ReservationDenied { peer, reason } => {
                count("relay_reservation", "denied", reason.name());
                self.event("reservation_denied", self.peer_fields(*peer).with("kind", reason.name()));
            }
            RelayServerEvent::ReservationEnded { peer, end } => {
                self.event("reservation_ended", self.peer_fields(*peer).with("kind", end.name()));
            }
            RelayServerEvent::CircuitOpened { from, to } => {
                count("relay_circuit", "opened", "");
                self.event("circuit_opened", ends(from, to));
            }
            RelayServerEvent::CircuitDenied { from, to, reason } => {
                count("relay_circuit", "denied", reason.name());
                let fields = ends(from, to).with("kind", reason.name());
                self.event("circuit_denied", fields.with("reason", &reason.to_string()));
            }
            RelayServerEvent::CircuitClosed { from, to, bytes, end } => {
                let fields = ends(from, to).with("kind", end.name());
                self.event("circuit_closed", fields.with("bytes", &bytes.to_string()));
            }
            RelayServerEvent::Drained { cut } => self.event("relay_drained", tags([("cut", &*cut.to_string())])),
        }
    }

    fn chain(&self, event: &ChainEvent) {
        let server = event.server().to_string();
        let (category, kind) = match event {
            ChainEvent::Connected { .. } => ("connected", ""),
            ChainEvent::Left { .. } => ("left", ""),
            ChainEvent::Misbehaved { misbehaviour, .. } => ("misbehaved", misbehaviour.name()),
            ChainEvent::Reorganised { .. } => ("reorganised", ""),
        };
        self.recorder.category("chain_server", category, tags([("host", self.name()), ("kind", kind)]));
        let fields = tags([("server", &*server)]);
        match event {
            ChainEvent::Connected { .. } => self.event("chain_server_connected", fields),
            ChainEvent::Left { reason, .. } => self.event("chain_server_left", fields.with("reason", reason)),
            ChainEvent::Misbehaved { misbehaviour, times, .. } => {
                let fields = fields.with("kind", misbehaviour.name()).with("evidence", &misbehaviour.to_string());
                self.event("chain_server_misbehaved", fields.with("times", &times.to_string()));
            }
            ChainEvent::Reorganised { fork, from, to, .. } => {
                let fields = fields.with("fork", &fork.to_string()).with("from", &from.hash.to_string());
                let fields = fields.with("to", &to.hash.to_string()).with("height", &to.height.to_string());
                self.event("chain_reorganised", fields);
            }
        }
    }

    fn path_changed(
        &self,
        peer: PeerId,
        from: Option<PathKind>,
        to: Option<PathKind>,
        elapsed: Duration,
        transport: Option<TransportKind>,
    ) {
        let name = |path: Option<PathKind>| path.map_or("none", path_name);
        let fields = self.peer_fields(peer).with("from", name(from)).with("to", name(to));
        self.event("path_changed", fields);
        let Some(other) = self.cast.index_of(peer) else { return };
        let transport = transport.map_or("", transport_name);
        let now = self.recorder.now();
        match (from, to) {
            (Some(PathKind::Relayed), Some(PathKind::Direct)) => {
                self.recorder.time(
                    "upgrade_time",
                    elapsed,
                    pair_tags(&self.cast, self.host, other).with("transport", transport),
                );
            }
            (Some(path), None) => {
                self.ledger.lose(self.host, other, Outage { since: now, was_direct: path == PathKind::Direct });
            }
            (Some(PathKind::Direct), Some(PathKind::Relayed)) => {
                let tags = pair_tags(&self.cast, self.host, other).with("transport", transport);
                self.recorder.time("relay_return_time", Duration::ZERO, tags);
                self.recovered(now, peer);
            }
            (None, Some(path)) => {
                let Some(outage) = self.ledger.regain(self.host, other) else { return };
                if outage.was_direct && path == PathKind::Relayed {
                    let tags = pair_tags(&self.cast, self.host, other).with("transport", transport);
                    self.recorder.time("relay_return_time", now.saturating_sub(outage.since), tags);
                }
                self.recovered(now, peer);
            }
            (None, None)
            | (Some(PathKind::Relayed), Some(PathKind::Relayed))
            | (Some(PathKind::Direct), Some(PathKind::Direct)) => {}
        }
    }

    /// The path to a peer is another one. After a fault that is the recovery from it, whether there was none for a while or not.
    fn recovered(&self, now: Duration, peer: PeerId) {
        if let Some((at, fault)) = self.ledger.last_fault() {
            let to = self.cast.name_of(peer);
            let tags = tags([("from", self.name()), ("to", &to), ("fault", fault)]);
            self.recorder.time("recovery_time", now.saturating_sub(at), tags);
        }
    }

    fn hole_punch(&self, peer: PeerId, role: HolePunchRole, succeeded: bool, reason: Option<&str>) {
        let category = if succeeded { "succeeded" } else { "failed" };
        let other = self.cast.index_of(peer);
        let (role, dialer, listener) = match role {
            HolePunchRole::Server => ("server", other, Some(self.host)),
            HolePunchRole::Client => ("client", Some(self.host), other),
        };
        if let (Some(dialer), Some(listener)) = (dialer, listener) {
            self.ledger.punch(dialer, listener, succeeded);
        }
        if let Some(other) = other {
            self.recorder.category("hole_punch", category, pair_tags(&self.cast, self.host, other).with("role", role));
        }
        let fields = self.peer_fields(peer).with("role", role).with("outcome", category);
        self.event("hole_punch", fields.with("reason", reason.unwrap_or("")));
    }

    /// A negotiation ended, well after this time or not.
    fn negotiation(&self, peer: PeerId, role: &str, purpose: &str, succeeded: Option<Duration>, reason: Option<&str>) {
        let category = if succeeded.is_some() { "succeeded" } else { "failed" };
        if let Some(other) = self.cast.index_of(peer) {
            let tags = pair_tags(&self.cast, self.host, other).with("role", role).with("purpose", purpose);
            if let Some(elapsed) = succeeded {
                self.recorder.time("negotiation_time", elapsed, tags.clone());
            }
            self.recorder.category("negotiation", category, tags);
        }
        let fields = self.peer_fields(peer).with("role", role).with("purpose", purpose).with("outcome", category);
        self.event("negotiation", fields.with("reason", reason.unwrap_or("")));
    }

    fn candidate_pair(&self, peer: PeerId, local: CandidateKind, remote: CandidateKind) {
        if let Some(other) = self.cast.index_of(peer) {
            self.ledger.select(self.host, other, local, remote);
            let tags = pair_tags(&self.cast, self.host, other).with("remote_kind", remote.name());
            self.recorder.category("candidate_pair", local.name(), tags);
        }
        let fields = self.peer_fields(peer).with("local", local.name());
        self.event("candidate_pair", fields.with("remote", remote.name()));
    }

    fn gossip(&self, topic: &str, payload: &[u8]) {
        let Some(number) = payload.first_chunk::<PUBLICATION_NUMBER>().map(|bytes| u64::from_be_bytes(*bytes)) else {
            return;
        };
        let Some((from, known, age)) = self.ledger.reach(number, self.host, self.recorder.now()) else { return };
        if self.topics.get(known).is_some_and(|known| known == topic) {
            let from = &self.cast.members()[from].name;
            self.recorder.time("gossip_time", age, tags([("from", from), ("to", self.name()), ("topic", topic)]));
        }
    }

    fn name(&self) -> &str {
        &self.cast.members()[self.host].name
    }

    fn relay_tags(&self, relay: PeerId) -> Tags {
        tags([("from", self.name()), ("relay", &self.cast.name_of(relay))])
    }

    fn peer_fields(&self, peer: PeerId) -> Tags {
        tags([("peer", &self.cast.name_of(peer))])
    }

    fn event(&self, kind: &str, fields: Tags) {
        self.recorder.event(self.name(), kind, fields);
    }
}

/// Adds a tag to others.
pub(super) trait With {
    /// The tags with one more.
    fn with(self, name: &str, value: &str) -> Self;
}

impl With for Tags {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// The tags of a pair of hosts.
pub(super) fn pair_tags(cast: &Cast, from: usize, to: usize) -> Tags {
    let (from, to) = (&cast.members()[from], &cast.members()[to]);
    tags([("from", &from.name), ("to", &to.name), ("from_nat", &from.nat), ("to_nat", &to.nat)])
}

pub(super) fn path_name(path: PathKind) -> &'static str {
    match path {
        PathKind::Direct => "direct",
        PathKind::Relayed => "relayed",
    }
}

pub(super) fn transport_name(transport: TransportKind) -> &'static str {
    match transport {
        TransportKind::Quic => "quic",
        TransportKind::Tcp => "tcp",
        TransportKind::WebSocket => "websocket",
        TransportKind::WebRtc => "webrtc",
        TransportKind::Circuit => "circuit",
    }
}

/// Every rule that a peer can break.
pub(super) const MISBEHAVIOUR: [Misbehaviour; 8] = [
    Misbehaviour::Malformed,
    Misbehaviour::Oversized,
    Misbehaviour::Unsolicited,
    Misbehaviour::OutOfOrder,
    Misbehaviour::Forged,
    Misbehaviour::Bomb,
    Misbehaviour::Replayed,
    Misbehaviour::Spoofed,
];

pub(super) fn misbehaviour_name(kind: Misbehaviour) -> &'static str {
    match kind {
        Misbehaviour::Malformed => "malformed",
        Misbehaviour::Oversized => "oversized",
        Misbehaviour::Unsolicited => "unsolicited",
        Misbehaviour::OutOfOrder => "out_of_order",
        Misbehaviour::Forged => "forged",
        Misbehaviour::Bomb => "bomb",
        Misbehaviour::Replayed => "replayed",
        Misbehaviour::Spoofed => "spoofed",
    }
}
