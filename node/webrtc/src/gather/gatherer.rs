//! All sockets and servers together.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::message::Incoming;
use super::reflexive::{Outcome, Reflexive};
use super::relay::{Relay, RelayEvent, TurnServer};
use super::settings::{GatherError, GatherEvent, GatherSettings, Gathered, IceServer};
use crate::connection::{CandidateKind, LocalCandidate, Transmit};

/// Gathers the candidates of one connection, and carries what goes through its relay.
///
/// Host candidates are there at once, the others come as servers answer, and [`GatherEvent::Complete`] when all have answered or
/// failed. Afterwards it keeps the relay alive until [`close`](Self::close). Server-reflexive mappings are kept alive by ICE itself.
#[derive(Debug)]
pub struct Gatherer {
    relay_only: bool,
    reflexive: Reflexive,
    relay: Relay,
    /// Addresses that were told as server-reflexive candidates, each with its base.
    told: BTreeSet<(SocketAddr, SocketAddr)>,
    events: VecDeque<GatherEvent>,
    complete: bool,
    closed: bool,
}

impl Gatherer {
    /// Starts gathering.
    ///
    /// # Errors
    /// When the settings cannot be worked with.
    pub fn new(settings: GatherSettings, now: Instant) -> Result<Self, GatherError> {
        settings.check()?;
        let GatherSettings { locals, servers, relay_only, seed } = settings;
        let locals = usable(locals);
        let mut stun = Vec::new();
        let mut turn = Vec::new();
        for server in servers {
            match server {
                IceServer::Stun { address } if !relay_only && !stun.contains(&address) => stun.push(address),
                IceServer::Stun { .. } => {}
                IceServer::Turn { address, username, credential } => {
                    let server = TurnServer { address, username, credential };
                    if !turn.contains(&server) {
                        turn.push(server);
                    }
                }
            }
        }
        let host = |local: &SocketAddr| {
            let candidate = LocalCandidate { kind: CandidateKind::Host, address: *local, base: *local, server: None };
            GatherEvent::Candidate(candidate)
        };
        let mut this = Self {
            relay_only,
            reflexive: Reflexive::new(now, &locals, stun),
            relay: Relay::new(now, seed, turn, &locals),
            told: BTreeSet::new(),
            events: if relay_only { VecDeque::new() } else { locals.iter().map(host).collect() },
            complete: false,
            closed: false,
        };
        this.handle_timeout(now);
        Ok(this)
    }

    /// Takes a datagram that `local` received.
    pub fn handle_datagram(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr, payload: &[u8]) -> Gathered {
        let relay = self.relay.expects(local, remote);
        if !relay && !self.reflexive.expects(local, remote) {
            return Gathered::NotMine;
        }
        let incoming = Incoming::decode(payload);
        if let Incoming::Stun(message) = &incoming
            && self.reflexive.handle(local, remote, message)
        {
            self.follow();
            return Gathered::Consumed;
        }
        if !relay {
            return Gathered::NotMine;
        }
        let received = self.relay.handle(now, incoming);
        self.follow();
        match received {
            Some((local, remote, payload)) => Gathered::Relayed { local, remote, payload },
            None => Gathered::Consumed,
        }
    }

    /// Sends a datagram to `remote` through the relay, from our address `relayed` there.
    ///
    /// Until the server permits the peer, a few datagrams wait; what is too much, too long or refused is lost, as on every network.
    pub fn send_relayed(&mut self, now: Instant, relayed: SocketAddr, remote: SocketAddr, payload: &[u8]) {
        self.relay.send(now, relayed, remote, payload);
    }

    /// Whether an address is a relayed one of ours, or was: what goes out from it is [`send_relayed`](Self::send_relayed)'s.
    pub fn is_relayed(&self, local: SocketAddr) -> bool {
        self.relay.is_relayed(local)
    }

    /// The next datagram to send from one of our sockets.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.reflexive.poll_transmit().or_else(|| self.relay.poll_transmit())
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        [self.reflexive.poll_timeout(), self.relay.poll_timeout()].into_iter().flatten().min()
    }

    /// Tells the time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.reflexive.handle_timeout(now);
        self.relay.handle_timeout(now);
        self.follow();
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<GatherEvent> {
        self.events.pop_front()
    }

    /// Stops gathering and releases the allocation.
    ///
    /// Send what [`poll_transmit`](Self::poll_transmit) gives. Whoever also keeps receiving and telling the time until
    /// [`poll_timeout`](Self::poll_timeout) is `None` makes the release survive a lost packet.
    pub fn close(&mut self, now: Instant) {
        self.closed = true;
        self.events.clear();
        self.reflexive.close();
        self.relay.close(now);
    }

    /// Turns outcomes into events.
    fn follow(&mut self) {
        while let Some(outcome) = self.reflexive.poll_outcome() {
            match outcome {
                Outcome::Mapped { local, mapped } => self.tell_reflexive(local, mapped),
                Outcome::Failed { server, reason } => self.tell(GatherEvent::ServerFailed { server, reason }),
            }
        }
        while let Some(event) = self.relay.poll_event() {
            match event {
                RelayEvent::Allocated { relayed, local, server, mapped } => {
                    if let Some(mapped) = mapped {
                        self.tell_reflexive(local, mapped);
                    }
                    self.tell(GatherEvent::Candidate(LocalCandidate {
                        kind: CandidateKind::Relayed,
                        address: relayed,
                        base: local,
                        server: Some(server),
                    }));
                }
                RelayEvent::Failed { server, reason } => self.tell(GatherEvent::ServerFailed { server, reason }),
            }
        }
        if !self.complete && self.reflexive.is_done() && self.relay.is_settled() {
            self.complete = true;
            self.tell(GatherEvent::Complete);
        }
    }

    /// Tells a server-reflexive candidate, unless it is redundant (RFC 8445, section 5.1.3): the socket's own address, or known.
    fn tell_reflexive(&mut self, base: SocketAddr, address: SocketAddr) {
        if !self.relay_only && address != base && self.told.insert((address, base)) {
            let kind = CandidateKind::ServerReflexive;
            self.tell(GatherEvent::Candidate(LocalCandidate { kind, address, base, server: None }));
        }
    }

    fn tell(&mut self, event: GatherEvent) {
        if !self.closed {
            self.events.push_back(event);
        }
    }
}

/// The sockets that a peer elsewhere may reach: without loopback, unless there is nothing else, and without link-local addresses
/// (RFC 8445, section 5.1.1.1).
fn usable(mut locals: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let link_local = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let all_loopback = locals.iter().all(|local| local.ip().is_loopback());
    locals.retain(|local| !link_local(local.ip()) && (all_loopback || !local.ip().is_loopback()));
    let mut seen = BTreeSet::new();
    locals.retain(|local| seen.insert(*local));
    locals
}
