//! One allocation on one TURN server (RFC 8656).
//!
//! | state | what is outstanding | next |
//! |---|---|---|
//! | allocating | Allocate, again with the credential when challenged | allocated, ended |
//! | allocated | Refresh at times, CreatePermission and ChannelBind for peers | releasing, ended |
//! | releasing | Refresh with lifetime 0 | ended |
//! | ended | nothing | |

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::stun::attributes::ATTR_DATA;
use rtc::stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_INDICATION, CLASS_SUCCESS_RESPONSE, Getter, METHOD_ALLOCATE, METHOD_CHANNEL_BIND,
    METHOD_CREATE_PERMISSION, METHOD_DATA, METHOD_REFRESH, Message, Method, TransactionId,
};
use rtc::turn::proto::PROTO_UDP;
use rtc::turn::proto::channum::ChannelNumber;
use rtc::turn::proto::lifetime::Lifetime;
use rtc::turn::proto::reqfamily::REQUESTED_FAMILY_IPV6;
use rtc::turn::proto::reqtrans::RequestedTransport;

use super::message::{self, Credential, Incoming, is_plausible, peer_address};
use super::peers::{Peers, Sending, Want};
use super::settings::ServerFailure;
use super::transaction::{Step, Transaction};

/// Longest pause between refreshes. It keeps the mapping of a NAT in front of us, which may live only 30 s, and tells a dead server.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Shortest lifetime of an allocation that is taken from a server; RFC 8656 says 600 s. Less would be a flood of refreshes.
const MIN_LIFETIME: Duration = Duration::from_secs(30);
/// How often one request is sent again with a new nonce: a server that calls every nonce stale must not keep us busy.
const MAX_NONCES: u8 = 3;
/// Bytes of a datagram to a peer at most: what a usual path takes.
const MAX_PAYLOAD: usize = 1_500;
/// Messages to the server at most that wait to be taken.
const MAX_TRANSMITS: usize = 256;

const CODE_UNAUTHORIZED: u16 = 401;
const CODE_ALLOCATION_MISMATCH: u16 = 437;
const CODE_STALE_NONCE: u16 = 438;

/// A relayed address on one server, from the first request to the release.
#[derive(Debug)]
pub(super) struct Allocation {
    local: SocketAddr,
    server: SocketAddr,
    username: String,
    password: String,
    credential: Option<Credential>,
    state: State,
    closing: bool,
    pending: Vec<Pending>,
    peers: Peers,
    transmits: VecDeque<Bytes>,
    events: VecDeque<AllocationEvent>,
}

/// What became of an allocation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AllocationEvent {
    Allocated { relayed: SocketAddr, mapped: Option<SocketAddr> },
    Ended(ServerFailure),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Allocating,
    Allocated { relayed: SocketAddr, refresh: Option<Instant> },
    Releasing,
    Ended,
}

/// A request without its answer. There is one at most for the allocation itself, and one for each permission and channel.
#[derive(Debug)]
struct Pending {
    purpose: Purpose,
    transaction: Transaction,
    nonces: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Allocate,
    Refresh,
    Release,
    Permission(IpAddr),
    Channel { peer: SocketAddr, number: u16 },
}

impl Purpose {
    fn method(self) -> Method {
        match self {
            Self::Allocate => METHOD_ALLOCATE,
            Self::Refresh | Self::Release => METHOD_REFRESH,
            Self::Permission(_) => METHOD_CREATE_PERMISSION,
            Self::Channel { .. } => METHOD_CHANNEL_BIND,
        }
    }
}

impl Allocation {
    /// Asks `server` for a relayed address, from our socket `local`.
    pub(super) fn new(now: Instant, local: SocketAddr, server: SocketAddr, username: &str, password: &str) -> Self {
        let mut this = Self {
            local,
            server,
            username: username.to_owned(),
            password: password.to_owned(),
            credential: None,
            state: State::Allocating,
            closing: false,
            pending: Vec::new(),
            peers: Peers::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        this.ask(now, Purpose::Allocate, 0);
        this
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn server(&self) -> SocketAddr {
        self.server
    }

    pub(super) fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    pub(super) fn is_allocated(&self) -> bool {
        matches!(self.state, State::Allocated { .. })
    }

    /// Takes a message of the server; gives a peer's datagram, if it was one.
    pub(super) fn handle(&mut self, now: Instant, incoming: Incoming) -> Option<(SocketAddr, SocketAddr, Bytes)> {
        let State::Allocated { relayed, .. } = self.state else {
            if let Incoming::Stun(message) = incoming {
                self.handle_answer(now, *message);
            }
            return None;
        };
        let (peer, data) = match incoming {
            Incoming::ChannelData { number, data } => (self.peers.peer_of(number)?, data),
            Incoming::Stun(message) if message.typ.class == CLASS_INDICATION => {
                let peer = message::read_peer(&message).filter(|_| message.typ.method == METHOD_DATA)?;
                (peer, message.get(ATTR_DATA).ok()?.into())
            }
            Incoming::Stun(message) => {
                self.handle_answer(now, *message);
                return None;
            }
            Incoming::Neither => return None,
        };
        if !self.peers.permits(peer.ip()) {
            return None;
        }
        self.peers.heard(now, peer);
        Some((relayed, peer, data))
    }

    /// Sends a datagram to a peer. What the server does not permit or does not take is lost, as on every network.
    pub(super) fn send(&mut self, now: Instant, peer: SocketAddr, payload: &[u8]) {
        let State::Allocated { relayed, .. } = self.state else { return };
        if relayed.is_ipv4() != peer.is_ipv4() || payload.len() > MAX_PAYLOAD {
            return;
        }
        if let Sending::Now(message) = self.peers.send(now, peer, payload) {
            self.transmit(message);
        }
        self.ask_for_peers(now);
    }

    /// Gives the allocation back. What is left to send is in [`poll_transmit`](Self::poll_transmit).
    pub(super) fn close(&mut self, now: Instant) {
        self.closing = true;
        if self.is_allocated() {
            self.state = State::Releasing;
            self.pending.clear();
            self.ask(now, Purpose::Release, 0);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let State::Allocated { refresh: Some(at), relayed } = self.state
            && at <= now
        {
            self.state = State::Allocated { relayed, refresh: None };
            self.ask(now, Purpose::Refresh, 0);
        }
        if self.is_allocated() {
            self.peers.handle_timeout(now);
            self.ask_for_peers(now);
        }
        self.step(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let pending = self.pending.iter().map(|pending| pending.transaction.due()).min();
        let State::Allocated { refresh, .. } = self.state else { return pending };
        [pending, refresh, self.peers.poll_timeout()].into_iter().flatten().min()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<AllocationEvent> {
        self.events.pop_front()
    }

    /// Takes the answer to one of our requests. Anything else is nobody's.
    fn handle_answer(&mut self, now: Instant, mut answer: Message) {
        let asked = |pending: &Pending| {
            pending.transaction.id() == answer.transaction_id && pending.purpose.method() == answer.typ.method
        };
        let Some(index) = self.pending.iter().position(asked) else { return };
        if answer.typ.class == CLASS_SUCCESS_RESPONSE {
            // A success that the server did not sign may be anybody's (RFC 8489, section 9.2.5): as if it had not come.
            if self.credential.as_ref().is_none_or(|credential| credential.signed(&mut answer)) {
                let pending = self.pending.swap_remove(index);
                self.succeed(now, pending.purpose, &answer);
            }
        } else if answer.typ.class == CLASS_ERROR_RESPONSE {
            let pending = self.pending.swap_remove(index);
            self.handle_error(now, &pending, &answer);
        }
    }

    fn handle_error(&mut self, now: Instant, pending: &Pending, answer: &Message) {
        let (code, reason) = message::read_error(answer);
        match (code, &mut self.credential) {
            (CODE_UNAUTHORIZED, None) => match Credential::answer(&self.username, &self.password, answer) {
                Some(credential) => {
                    self.credential = Some(credential);
                    self.ask(now, pending.purpose, pending.nonces);
                }
                None => {
                    self.fail(now, pending.purpose, ServerFailure::BadAnswer("a challenge without REALM and NONCE"))
                }
            },
            (CODE_UNAUTHORIZED, Some(_)) => self.fail(now, pending.purpose, ServerFailure::WrongCredential),
            (CODE_STALE_NONCE, Some(credential)) if pending.nonces < MAX_NONCES => {
                if credential.renew(answer) {
                    self.ask(now, pending.purpose, pending.nonces + 1);
                } else {
                    self.fail(now, pending.purpose, ServerFailure::BadAnswer("a stale nonce (438) without a new one"));
                }
            }
            _ => self.fail(now, pending.purpose, ServerFailure::Refused { code, reason }),
        }
    }

    fn succeed(&mut self, now: Instant, purpose: Purpose, answer: &Message) {
        match purpose {
            Purpose::Allocate => self.allocated(now, answer),
            Purpose::Refresh => match (self.state, refresh_at(now, answer)) {
                (State::Allocated { relayed, .. }, Some(at)) => {
                    self.state = State::Allocated { relayed, refresh: Some(at) };
                }
                _ => self.end(ServerFailure::AllocationLost("the server shortens it")),
            },
            Purpose::Release => self.state = State::Ended,
            Purpose::Permission(ip) => {
                for message in self.peers.permitted(now, ip) {
                    self.transmit(message);
                }
                self.ask_for_peers(now);
            }
            Purpose::Channel { peer, .. } => self.peers.channel_answered(now, peer, true),
        }
    }

    fn allocated(&mut self, now: Instant, answer: &Message) {
        let relayed = message::read_relayed(answer).filter(|relayed| is_plausible(*relayed, self.server));
        let (Some(relayed), Some(refresh)) = (relayed, refresh_at(now, answer)) else {
            return self.end(ServerFailure::BadAnswer("no usable XOR-RELAYED-ADDRESS or LIFETIME"));
        };
        self.state = State::Allocated { relayed, refresh: Some(refresh) };
        if self.closing {
            return self.close(now);
        }
        let mapped = message::read_mapped(answer).filter(|mapped| is_plausible(*mapped, self.local));
        self.events.push_back(AllocationEvent::Allocated { relayed, mapped });
    }

    /// A request has failed for good.
    fn fail(&mut self, now: Instant, purpose: Purpose, failure: ServerFailure) {
        let unknown = matches!(failure, ServerFailure::Refused { code: CODE_ALLOCATION_MISMATCH, .. });
        match purpose {
            Purpose::Allocate => self.end(failure),
            Purpose::Release => self.state = State::Ended,
            _ if unknown => self.end(ServerFailure::AllocationLost("the server does not know it (437)")),
            Purpose::Refresh if failure == ServerFailure::Timeout => {
                self.end(ServerFailure::AllocationLost("the server no longer answers"));
            }
            Purpose::Refresh => self.end(ServerFailure::AllocationLost("the server refuses to refresh it")),
            Purpose::Permission(ip) => self.peers.refused(now, ip),
            Purpose::Channel { peer, .. } => self.peers.channel_answered(now, peer, false),
        }
    }

    fn end(&mut self, failure: ServerFailure) {
        self.state = State::Ended;
        self.pending.clear();
        self.transmits.clear();
        if !self.closing {
            self.events.push_back(AllocationEvent::Ended(failure));
        }
    }

    fn ask_for_peers(&mut self, now: Instant) {
        while let Some(want) = self.peers.poll_want() {
            let purpose = match want {
                Want::Permission(ip) => Purpose::Permission(ip),
                Want::Channel { peer, number } => Purpose::Channel { peer, number },
            };
            self.ask(now, purpose, 0);
        }
    }

    /// Starts a request, and sends it at once.
    fn ask(&mut self, now: Instant, purpose: Purpose, nonces: u8) {
        let transaction = Transaction::new(now, self.request(purpose));
        self.pending.push(Pending { purpose, transaction, nonces });
        self.step(now);
    }

    fn request(&self, purpose: Purpose) -> (TransactionId, Bytes) {
        let credential = self.credential.as_ref();
        let method = purpose.method();
        match purpose {
            Purpose::Allocate => {
                let transport = RequestedTransport { protocol: PROTO_UDP };
                // IPv4 is what a server relays unless asked otherwise (RFC 8656, section 7.1).
                if self.server.is_ipv6() {
                    message::request(method, &[&transport, &REQUESTED_FAMILY_IPV6], credential)
                } else {
                    message::request(method, &[&transport], credential)
                }
            }
            Purpose::Refresh => message::request(method, &[], credential),
            Purpose::Release => message::request(method, &[&Lifetime(Duration::ZERO)], credential),
            Purpose::Permission(ip) => message::request(method, &[&peer_address(SocketAddr::new(ip, 0))], credential),
            Purpose::Channel { peer, number } => {
                message::request(method, &[&ChannelNumber(number), &peer_address(peer)], credential)
            }
        }
    }

    fn step(&mut self, now: Instant) {
        let transmits = &mut self.transmits;
        let mut expired = Vec::new();
        self.pending.retain_mut(|pending| match pending.transaction.step(now) {
            Step::Wait => true,
            Step::Send(request) => {
                transmits.push_back(request);
                true
            }
            Step::Expired => {
                expired.push(pending.purpose);
                false
            }
        });
        for purpose in expired {
            self.fail(now, purpose, ServerFailure::Timeout);
        }
    }

    fn transmit(&mut self, message: Bytes) {
        if self.transmits.len() < MAX_TRANSMITS {
            self.transmits.push_back(message);
        }
    }
}

/// When to refresh what the server grants: well before its end. `None` when that is not worth it.
fn refresh_at(now: Instant, answer: &Message) -> Option<Instant> {
    let mut lifetime = Lifetime::default();
    lifetime.get_from(answer).ok()?;
    (lifetime.0 >= MIN_LIFETIME).then(|| now + KEEPALIVE.min(lifetime.0 / 2))
}
