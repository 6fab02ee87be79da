//! A STUN and TURN server without I/O.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::crypto::{HmacAlgorithm, RTCCryptoProvider};
use rtc::stun::attributes::{ATTR_DATA, ATTR_MESSAGE_INTEGRITY, ATTR_NONCE, ATTR_REALM, ATTR_USERNAME};
use rtc::stun::error_code::{
    CODE_ADDR_FAMILY_NOT_SUPPORTED, CODE_ALLOC_MISMATCH, CODE_BAD_REQUEST, CODE_INSUFFICIENT_CAPACITY,
    CODE_PEER_ADDR_FAMILY_MISMATCH, CODE_STALE_NONCE, CODE_UNAUTHORIZED, CODE_UNSUPPORTED_TRANS_PROTO,
    CODE_WRONG_CREDENTIALS, ErrorCode,
};
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{
    CLASS_INDICATION, CLASS_REQUEST, Getter, METHOD_ALLOCATE, METHOD_BINDING, METHOD_CHANNEL_BIND,
    METHOD_CREATE_PERMISSION, METHOD_REFRESH, METHOD_SEND, Message, Setter,
};
use rtc::stun::textattrs::TextAttribute;
use rtc::stun::xoraddr::XorMappedAddress;
use rtc::turn::proto::PROTO_UDP;
use rtc::turn::proto::channum::ChannelNumber;
use rtc::turn::proto::lifetime::Lifetime;
use rtc::turn::proto::relayaddr::RelayedAddress;
use rtc::turn::proto::reqfamily::{REQUESTED_FAMILY_IPV4, RequestedAddressFamily};
use rtc::turn::proto::reqtrans::RequestedTransport;

use super::allocation::Allocation;
use super::message::{self, Incoming, Signature};
use super::settings::{Counters, Settings, TurnSettings};

/// Bytes of a server's secret, from which its nonces follow.
pub const SECRET: usize = 32;
/// Longest lifetime of an allocation that a client gets (RFC 8656, section 7.2: 3600 s is recommended).
const MAX_LIFETIME: Duration = Duration::from_secs(3_600);

/// What a server wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send to a client from the listening socket.
    Send {
        /// The client.
        remote: SocketAddr,
        /// The datagram.
        payload: Bytes,
    },
    /// Open the socket of a relayed address.
    OpenRelay {
        /// Its port.
        port: u16,
    },
    /// Close it again.
    CloseRelay {
        /// Its port.
        port: u16,
    },
    /// Send to a peer from a relayed address.
    SendRelayed {
        /// The port of the relayed address.
        port: u16,
        /// The peer.
        remote: SocketAddr,
        /// The datagram.
        payload: Bytes,
    },
}

/// A STUN and TURN server: datagrams and time in, [`Output`] and a deadline out.
pub struct Server {
    turn: Option<TurnSettings>,
    secret: [u8; SECRET],
    crypto: Arc<dyn RTCCryptoProvider>,
    start: Instant,
    allocations: BTreeMap<SocketAddr, Allocation>,
    /// The client of each open relay port.
    clients: BTreeMap<u16, SocketAddr>,
    next_port: u16,
    outputs: VecDeque<Output>,
    counters: Counters,
}

/// A client that has shown its credential.
struct Client {
    username: String,
    key: Vec<u8>,
}

/// Why a request is refused.
struct Refusal(ErrorCode, &'static str);

fn bad_request(reason: &'static str) -> Refusal {
    Refusal(CODE_BAD_REQUEST, reason)
}

impl Server {
    /// A server without clients.
    ///
    /// # Panics
    /// When `rtc` is built without cryptography.
    pub fn new(settings: &Settings, secret: [u8; SECRET], now: Instant) -> Self {
        let next_port = settings.turn.as_ref().map_or(0, |turn| *turn.relay_ports.start());
        Self {
            turn: settings.turn.clone(),
            secret,
            crypto: rtc::crypto::default_provider().expect("rtc is built with ring"),
            start: now,
            allocations: BTreeMap::new(),
            clients: BTreeMap::new(),
            next_port,
            outputs: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Takes a datagram that the listening socket received.
    pub fn handle_datagram(&mut self, now: Instant, remote: SocketAddr, payload: &[u8]) {
        match Incoming::decode(payload) {
            Incoming::Stun(message) if message.typ.class == CLASS_REQUEST => self.handle_request(now, remote, message),
            Incoming::Stun(message) if message.typ.class == CLASS_INDICATION => {
                self.handle_indication(now, remote, &message);
            }
            Incoming::ChannelData { number, data } => {
                let peer = self.allocations.get(&remote).and_then(|allocation| allocation.peer_of(now, number));
                self.relay_to_peer(now, remote, peer, data);
            }
            Incoming::Stun(_) | Incoming::Malformed => self.counters.malformed += 1,
        }
    }

    /// Takes a datagram that the socket of a relayed address received.
    pub fn handle_relayed(&mut self, now: Instant, port: u16, remote: SocketAddr, payload: &[u8]) {
        let client = self.clients.get(&port).copied();
        let allocation = client.and_then(|client| Some((client, self.allocations.get(&client)?)));
        let message = allocation.filter(|(_, held)| held.permits(now, remote.ip())).and_then(|(client, held)| {
            let message = match held.channel_of(now, remote) {
                Some(number) => message::channel_data(number, payload)?,
                None => message::data_indication(remote, payload),
            };
            Some((client, message))
        });
        let Some((client, message)) = message else {
            self.counters.dropped += 1;
            return;
        };
        self.counters.relayed_to_clients += payload.len() as u64;
        self.outputs.push_back(Output::Send { remote: client, payload: message });
    }

    /// Learns that the socket of a relayed address could not be opened, or is gone.
    pub fn handle_relay_failure(&mut self, port: u16) {
        if let Some(client) = self.clients.remove(&port) {
            self.allocations.remove(&client);
        }
    }

    /// Ends what has expired.
    pub fn handle_timeout(&mut self, now: Instant) {
        let expired = self.allocations.iter().filter(|(_, held)| held.expires <= now);
        for client in expired.map(|(client, _)| *client).collect::<Vec<_>>() {
            self.counters.expiries += 1;
            self.end(client);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.allocations.values().map(|held| held.expires).min()
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What was done so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many allocations there are.
    pub fn allocation_count(&self) -> usize {
        self.allocations.len()
    }

    fn handle_request(&mut self, now: Instant, remote: SocketAddr, mut request: Message) {
        if request.typ.method == METHOD_BINDING {
            self.counters.bindings += 1;
            let payload = message::success(&request, &[&mapped(remote)], None);
            return self.outputs.push_back(Output::Send { remote, payload });
        }
        let Some(turn) = self.turn.clone() else {
            return self.refuse(remote, &request, &bad_request("this server does not relay"), None);
        };
        let client = match self.authenticate(now, &turn, &mut request) {
            Ok(client) => client,
            Err(refusal) => return self.challenge(now, &turn, remote, &request, &refusal),
        };
        let answer = match request.typ.method {
            METHOD_ALLOCATE => self.allocate(now, &turn, remote, &client, &request),
            METHOD_REFRESH => self.refresh(now, &turn, remote, &client, &request),
            METHOD_CREATE_PERMISSION => self.permit(now, &turn, remote, &client, &request),
            METHOD_CHANNEL_BIND => self.bind(now, &turn, remote, &client, &request),
            _ => Err(bad_request("unknown method")),
        };
        let crypto = Arc::clone(&self.crypto);
        let signature = Signature { key: &client.key, crypto: crypto.crypto() };
        match answer {
            Ok(attributes) => {
                let attributes: Vec<&dyn Setter> = attributes.iter().map(AsRef::as_ref).collect();
                let payload = message::success(&request, &attributes, Some(signature));
                self.outputs.push_back(Output::Send { remote, payload });
            }
            Err(refusal) => self.refuse(remote, &request, &refusal, Some(signature)),
        }
    }

    /// Checks a long-term credential (RFC 8489, section 9.2.4).
    fn authenticate(&self, now: Instant, turn: &TurnSettings, request: &mut Message) -> Result<Client, Refusal> {
        if !request.contains(ATTR_MESSAGE_INTEGRITY) {
            return Err(Refusal(CODE_UNAUTHORIZED, "Unauthorized"));
        }
        let text = |attribute| TextAttribute::get_from_as(request, attribute).map(|text| text.text);
        let (Ok(username), Ok(realm), Ok(nonce)) = (text(ATTR_USERNAME), text(ATTR_REALM), text(ATTR_NONCE)) else {
            return Err(bad_request("USERNAME, REALM or NONCE is missing"));
        };
        let wrong = || Refusal(CODE_UNAUTHORIZED, "Wrong user or password");
        let password = turn.users.get(&username).filter(|_| realm == turn.realm).ok_or_else(wrong)?;
        let crypto = self.crypto.crypto();
        let key = MessageIntegrity::long_term_integrity_key(username.clone(), realm, password.clone(), crypto)
            .expect("MD5 takes every text");
        MessageIntegrity::check(request, &key, crypto).map_err(|_| wrong())?;
        if nonce == self.nonce(now, turn) {
            Ok(Client { username, key })
        } else {
            Err(Refusal(CODE_STALE_NONCE, "Stale Nonce"))
        }
    }

    /// Grants a relayed address (RFC 8656, section 7.2).
    fn allocate(
        &mut self,
        now: Instant,
        turn: &TurnSettings,
        remote: SocketAddr,
        client: &Client,
        request: &Message,
    ) -> Result<Vec<Box<dyn Setter>>, Refusal> {
        if let Some(held) = self.allocations.get(&remote) {
            return if held.granted_for == request.transaction_id {
                Ok(granted(turn, remote, held.port))
            } else {
                Err(Refusal(CODE_ALLOC_MISMATCH, "Allocation Mismatch"))
            };
        }
        let mut transport = RequestedTransport::default();
        transport.get_from(request).map_err(|_| bad_request("REQUESTED-TRANSPORT is missing"))?;
        if transport.protocol != PROTO_UDP {
            return Err(Refusal(CODE_UNSUPPORTED_TRANS_PROTO, "Unsupported Transport Protocol"));
        }
        let mut family = RequestedAddressFamily::default();
        let ipv4 = family.get_from(request).is_err() || family == REQUESTED_FAMILY_IPV4;
        if ipv4 != turn.relay_ip.is_ipv4() {
            return Err(Refusal(CODE_ADDR_FAMILY_NOT_SUPPORTED, "Address Family not Supported"));
        }
        let free = if self.allocations.len() < turn.max_allocations { self.free_port(turn) } else { None };
        let port = free.ok_or(Refusal(CODE_INSUFFICIENT_CAPACITY, "Insufficient Capacity"))?;
        let held = Allocation::new(&client.username, port, now + turn.lifetime, request.transaction_id);
        self.allocations.insert(remote, held);
        self.clients.insert(port, remote);
        self.counters.allocations += 1;
        self.outputs.push_back(Output::OpenRelay { port });
        Ok(granted(turn, remote, port))
    }

    /// Prolongs or ends an allocation (RFC 8656, section 8.2).
    fn refresh(
        &mut self,
        now: Instant,
        turn: &TurnSettings,
        remote: SocketAddr,
        client: &Client,
        request: &Message,
    ) -> Result<Vec<Box<dyn Setter>>, Refusal> {
        let held = self.held(remote, client)?;
        let mut asked = Lifetime::default();
        let lifetime = match asked.get_from(request) {
            Ok(()) if asked.0.is_zero() => Duration::ZERO,
            Ok(()) => asked.0.clamp(turn.lifetime, MAX_LIFETIME.max(turn.lifetime)),
            Err(_) => turn.lifetime,
        };
        held.expires = now + lifetime;
        if lifetime.is_zero() {
            self.counters.releases += 1;
            self.end(remote);
        }
        Ok(vec![Box::new(Lifetime(lifetime))])
    }

    /// Installs permissions (RFC 8656, section 10.2).
    fn permit(
        &mut self,
        now: Instant,
        turn: &TurnSettings,
        remote: SocketAddr,
        client: &Client,
        request: &Message,
    ) -> Result<Vec<Box<dyn Setter>>, Refusal> {
        let held = self.held(remote, client)?;
        let peers = message::read_peers(request).filter(|peers| !peers.is_empty());
        let peers = peers.ok_or(bad_request("XOR-PEER-ADDRESS is missing or malformed"))?;
        require_family(turn, &peers)?;
        if held.permit(now, &peers) {
            Ok(Vec::new())
        } else {
            Err(Refusal(CODE_INSUFFICIENT_CAPACITY, "Insufficient Capacity"))
        }
    }

    /// Binds a channel (RFC 8656, section 12.2).
    fn bind(
        &mut self,
        now: Instant,
        turn: &TurnSettings,
        remote: SocketAddr,
        client: &Client,
        request: &Message,
    ) -> Result<Vec<Box<dyn Setter>>, Refusal> {
        let held = self.held(remote, client)?;
        let mut number = ChannelNumber::default();
        let peers = message::read_peers(request).unwrap_or_default();
        let [peer] = peers[..] else { return Err(bad_request("not one well-formed XOR-PEER-ADDRESS")) };
        if number.get_from(request).is_err() || !number.valid() {
            return Err(bad_request("no well-formed CHANNEL-NUMBER"));
        }
        require_family(turn, &peers)?;
        if held.bind(now, number.0, peer) {
            Ok(Vec::new())
        } else {
            Err(bad_request("the channel or the peer is taken"))
        }
    }

    /// The allocation of a client, if it is its own.
    fn held(&mut self, remote: SocketAddr, client: &Client) -> Result<&mut Allocation, Refusal> {
        let held = self.allocations.get_mut(&remote).ok_or(Refusal(CODE_ALLOC_MISMATCH, "Allocation Mismatch"))?;
        if held.username == client.username {
            Ok(held)
        } else {
            Err(Refusal(CODE_WRONG_CREDENTIALS, "Wrong Credentials"))
        }
    }

    fn handle_indication(&mut self, now: Instant, remote: SocketAddr, message: &Message) {
        // RFC 8489, section 6.3.2: a Binding indication only keeps a mapping alive.
        if message.typ.method != METHOD_SEND {
            return;
        }
        let peers = message::read_peers(message).unwrap_or_default();
        let allocation = self.allocations.get(&remote);
        let permitted = |peer: &&SocketAddr| allocation.is_some_and(|held| held.permits(now, peer.ip()));
        let peer = peers.first().filter(permitted).copied();
        match message.get(ATTR_DATA) {
            Ok(data) => self.relay_to_peer(now, remote, peer, &data),
            Err(_) => self.counters.malformed += 1,
        }
    }

    /// Sends a client's data to a permitted peer; to a relayed address of our own without the network.
    fn relay_to_peer(&mut self, now: Instant, client: SocketAddr, peer: Option<SocketAddr>, data: &[u8]) {
        let (Some(held), Some(peer), Some(turn)) = (self.allocations.get(&client), peer, &self.turn) else {
            self.counters.dropped += 1;
            return;
        };
        let (port, relay_ip) = (held.port, turn.relay_ip);
        self.counters.relayed_to_peers += data.len() as u64;
        if peer.ip() == relay_ip && self.clients.contains_key(&peer.port()) {
            return self.handle_relayed(now, peer.port(), SocketAddr::new(relay_ip, port), data);
        }
        let payload = Bytes::copy_from_slice(data);
        self.outputs.push_back(Output::SendRelayed { port, remote: peer, payload });
    }

    fn end(&mut self, client: SocketAddr) {
        if let Some(held) = self.allocations.remove(&client) {
            self.clients.remove(&held.port);
            self.outputs.push_back(Output::CloseRelay { port: held.port });
        }
    }

    /// The next free port in turn, so that a port is not soon another client's.
    fn free_port(&mut self, turn: &TurnSettings) -> Option<u16> {
        let (first, last) = (*turn.relay_ports.start(), *turn.relay_ports.end());
        for _ in turn.relay_ports.clone() {
            let port = self.next_port;
            self.next_port = if port >= last { first } else { port + 1 };
            if !self.clients.contains_key(&port) {
                return Some(port);
            }
        }
        None
    }

    /// Refuses a request for its credential, and says how to do better.
    fn challenge(
        &mut self,
        now: Instant,
        turn: &TurnSettings,
        remote: SocketAddr,
        request: &Message,
        refusal: &Refusal,
    ) {
        self.counters.refusals += 1;
        let realm = TextAttribute::new(ATTR_REALM, turn.realm.clone());
        let nonce = TextAttribute::new(ATTR_NONCE, self.nonce(now, turn));
        let payload = message::error(request, refusal.0, refusal.1, &[&realm, &nonce], None);
        self.outputs.push_back(Output::Send { remote, payload });
    }

    fn refuse(&mut self, remote: SocketAddr, request: &Message, refusal: &Refusal, signature: Option<Signature<'_>>) {
        self.counters.refusals += 1;
        let payload = message::error(request, refusal.0, refusal.1, &[], signature);
        self.outputs.push_back(Output::Send { remote, payload });
    }

    /// The nonce of this time: nothing to remember, and not to be guessed without the secret.
    fn nonce(&self, now: Instant, turn: &TurnSettings) -> String {
        let age = now.saturating_duration_since(self.start).as_nanos();
        let period = age / turn.nonce_lifetime.as_nanos().max(1);
        let mut tag = [0; 32];
        let mac = self.crypto.crypto().new_hmac(HmacAlgorithm::Sha256, &self.secret);
        mac.and_then(|mut mac| mac.sign(&[&period.to_be_bytes()], &mut tag)).expect("HMAC-SHA256 takes every key");
        tag.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("allocations", &self.allocations)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

fn granted(turn: &TurnSettings, remote: SocketAddr, port: u16) -> Vec<Box<dyn Setter>> {
    let relayed = RelayedAddress { ip: turn.relay_ip, port };
    vec![Box::new(relayed), Box::new(mapped(remote)), Box::new(Lifetime(turn.lifetime))]
}

fn mapped(remote: SocketAddr) -> XorMappedAddress {
    XorMappedAddress { ip: remote.ip(), port: remote.port() }
}

fn require_family(turn: &TurnSettings, peers: &[SocketAddr]) -> Result<(), Refusal> {
    let same = |peer: &SocketAddr| {
        matches!((peer.ip(), turn.relay_ip), (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)))
    };
    if peers.iter().all(same) {
        Ok(())
    } else {
        Err(Refusal(CODE_PEER_ADDR_FAMILY_MISMATCH, "Peer Address Family Mismatch"))
    }
}
