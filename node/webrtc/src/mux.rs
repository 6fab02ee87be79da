//! Which connection a datagram of the shared webrtc-direct socket belongs to.
//!
//! A datagram is routed by its remote address; one from a new address only if it is a STUN binding request whose USERNAME
//! names a connection (libp2p webrtc-direct, "Browser to public Server", step 6). What a stranger can make us keep is
//! bounded in number, in number per source and in time, because anybody can send such a request from any address.
//!
//! A connection is *half-open* until the owner says that its peer is authenticated ([`Mux::established`]). A known ufrag from a
//! new address is the same peer behind a new mapping and joins its connection; a new ufrag from a known address is refused, so nobody
//! can take over the address of a living connection. The ufrag of a closed connection is kept for a while: its peer goes on
//! sending checks, and these must not open the connection again.

mod retired;
mod stun;
mod ufrag;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use retired::Retired;
pub use stun::{BindingRequest, StunError, peek};
pub use ufrag::{UFRAG_PREFIX, UfragError, check_ufrag, ufrag};

/// Bounds of a [`Mux`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MuxSettings {
    /// Most connections, half-open ones included. One costs about 270 kB.
    pub connections: usize,
    /// Most half-open connections. A flood fills these and leaves the rest to peers that are authenticated already.
    pub half_open: usize,
    /// Most half-open connections of one IPv4 address or IPv6 /64, so that one sender cannot take all of them. Not few, because
    /// many users can share the address of a carrier's NAT.
    pub half_open_per_source: usize,
    /// Longest life of a half-open connection: several times what ICE, DTLS and noise take on a bad path.
    pub half_open_age: Duration,
    /// Most addresses of one connection. A peer has one at a time; when it moves, the least recently used goes.
    pub addresses_per_connection: usize,
    /// How long the ufrag of a closed connection is refused: longer than a browser goes on checking (about 30 s).
    pub retired_age: Duration,
    /// Most ufrags of closed connections; beyond, the oldest is forgotten.
    pub retired: usize,
}

impl Default for MuxSettings {
    fn default() -> Self {
        Self {
            connections: 1024,
            half_open: 256,
            half_open_per_source: 64,
            half_open_age: Duration::from_secs(20),
            addresses_per_connection: 8,
            retired_age: Duration::from_secs(60),
            retired: 1024,
        }
    }
}

/// Names a connection of a [`Mux`]; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

/// Where a datagram belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To a connection that is there.
    Known(Key),
    /// To a connection that has to be made for it, with this ufrag (which is the password too).
    New {
        /// Its name from now on.
        key: Key,
        /// The username fragment of both ends.
        ufrag: String,
    },
    /// Nowhere.
    Dropped(DropReason),
}

/// Why a datagram belongs to no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// It came from an unknown address and is not STUN.
    NotStun,
    /// It came from an unknown address and is malformed STUN, or another message than a binding request with a USERNAME.
    NotABindingRequest,
    /// The USERNAME is not the same valid libp2p ufrag twice.
    Ufrag,
    /// The address belongs to a connection with another ufrag.
    AddressTaken,
    /// The connection of that ufrag was closed.
    Retired,
    /// There are as many connections as allowed.
    TooManyConnections,
    /// There are as many half-open connections as allowed.
    TooManyHalfOpen,
    /// There are as many half-open connections from this source as allowed.
    TooManyFromSource,
}

/// How much a [`Mux`] holds, in entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Connections, half-open ones included.
    pub connections: usize,
    /// Half-open connections.
    pub half_open: usize,
    /// Sources of half-open connections.
    pub sources: usize,
    /// Remote addresses.
    pub addresses: usize,
    /// Ufrags of closed connections.
    pub retired: usize,
    /// Expired connections that the owner has not asked for.
    pub expired: usize,
}

/// What counts as one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Source(IpAddr);

impl Source {
    fn of(remote: SocketAddr) -> Self {
        match remote.ip().to_canonical() {
            IpAddr::V6(address) => {
                let prefix = u128::from(address) & (u128::MAX << 64);
                Self(IpAddr::V6(Ipv6Addr::from(prefix)))
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

#[derive(Debug)]
struct Entry {
    ufrag: String,
    addresses: Vec<SocketAddr>,
}

#[derive(Debug)]
struct HalfOpen {
    deadline: Instant,
    source: Source,
}

#[derive(Debug)]
struct Address {
    key: Key,
    last_seen: Instant,
}

/// The demultiplexer of one socket.
#[derive(Debug)]
pub struct Mux {
    settings: MuxSettings,
    next_key: u64,
    entries: BTreeMap<Key, Entry>,
    by_address: BTreeMap<SocketAddr, Address>,
    by_ufrag: BTreeMap<String, Key>,
    /// In order of their keys, which is the order of their deadlines.
    half_open: BTreeMap<Key, HalfOpen>,
    half_open_by_source: BTreeMap<Source, usize>,
    retired: Retired,
    expired: VecDeque<Key>,
    drops: BTreeMap<DropReason, u64>,
}

impl Mux {
    /// A demultiplexer without connections.
    pub fn new(settings: MuxSettings) -> Self {
        Self {
            retired: Retired::new(settings.retired, settings.retired_age),
            settings,
            next_key: 0,
            entries: BTreeMap::new(),
            by_address: BTreeMap::new(),
            by_ufrag: BTreeMap::new(),
            half_open: BTreeMap::new(),
            half_open_by_source: BTreeMap::new(),
            expired: VecDeque::new(),
            drops: BTreeMap::new(),
        }
    }

    /// Says where a datagram belongs, and counts it if that is nowhere.
    pub fn route(&mut self, now: Instant, remote: SocketAddr, datagram: &[u8]) -> Route {
        let routed = match self.by_address.get_mut(&remote) {
            Some(address) => {
                address.last_seen = now;
                let key = address.key;
                self.route_known(key, datagram)
            }
            None => self.route_unknown(now, remote, datagram),
        };
        routed.unwrap_or_else(|reason| {
            *self.drops.entry(reason).or_default() += 1;
            Route::Dropped(reason)
        })
    }

    /// The peer of a connection is authenticated: it is not half-open any more.
    pub fn established(&mut self, key: Key) {
        if let Some(HalfOpen { source, .. }) = self.half_open.remove(&key)
            && let Some(count) = self.half_open_by_source.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                self.half_open_by_source.remove(&source);
            }
        }
    }

    /// Forgets a connection that was closed, and refuses its ufrag for a while.
    pub fn remove(&mut self, now: Instant, key: Key) {
        self.established(key);
        let Some(entry) = self.entries.remove(&key) else { return };
        for address in &entry.addresses {
            self.by_address.remove(address);
        }
        self.by_ufrag.remove(&entry.ufrag);
        self.retired.insert(now, entry.ufrag);
    }

    /// When [`Mux::handle_timeout`] has to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let half_open = self.half_open.first_key_value().map(|(_, half_open)| half_open.deadline);
        half_open.into_iter().chain(self.retired.poll_timeout()).min()
    }

    /// Removes the half-open connections that are too old; their owner learns of them from [`Mux::poll_expired`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.retired.handle_timeout(now);
        while let Some((&key, half_open)) = self.half_open.first_key_value() {
            if half_open.deadline > now {
                break;
            }
            self.remove(now, key);
            self.expired.push_back(key);
        }
    }

    /// The next connection that was removed because it stayed half-open for too long; it has to be closed.
    pub fn poll_expired(&mut self) -> Option<Key> {
        self.expired.pop_front()
    }

    /// How many datagrams were dropped, by reason.
    pub fn drops(&self) -> &BTreeMap<DropReason, u64> {
        &self.drops
    }

    /// How much is held.
    pub fn occupancy(&self) -> Occupancy {
        Occupancy {
            connections: self.entries.len(),
            half_open: self.half_open.len(),
            sources: self.half_open_by_source.len(),
            addresses: self.by_address.len(),
            retired: self.retired.len(),
            expired: self.expired.len(),
        }
    }

    /// Everything from a known address goes to its connection, except a valid request for another one.
    fn route_known(&self, key: Key, datagram: &[u8]) -> Result<Route, DropReason> {
        let named = peek(datagram).ok().and_then(|request| direct_ufrag(&request).ok());
        match (named, self.entries.get(&key)) {
            (Some(named), Some(entry)) if named != entry.ufrag => Err(DropReason::AddressTaken),
            _ => Ok(Route::Known(key)),
        }
    }

    fn route_unknown(&mut self, now: Instant, remote: SocketAddr, datagram: &[u8]) -> Result<Route, DropReason> {
        let request = peek(datagram).map_err(|error| match error {
            StunError::NotStun => DropReason::NotStun,
            StunError::Malformed | StunError::NotABindingRequest | StunError::NoUsername => {
                DropReason::NotABindingRequest
            }
        })?;
        let ufrag = direct_ufrag(&request).map_err(|_| DropReason::Ufrag)?;
        if let Some(&key) = self.by_ufrag.get(ufrag) {
            self.join(now, key, remote);
            return Ok(Route::Known(key));
        }
        self.open(now, remote, ufrag)
    }

    /// Adds the address that the peer of a connection has moved to.
    fn join(&mut self, now: Instant, key: Key, remote: SocketAddr) {
        let entry = self.entries.get_mut(&key).expect("every ufrag has its connection");
        if entry.addresses.len() >= self.settings.addresses_per_connection {
            let last_seen = |address: &SocketAddr| self.by_address.get(address).map(|address| address.last_seen);
            let oldest = (0..entry.addresses.len()).min_by_key(|&index| last_seen(&entry.addresses[index]));
            if let Some(index) = oldest {
                let address = entry.addresses.remove(index);
                self.by_address.remove(&address);
            }
        }
        entry.addresses.push(remote);
        self.by_address.insert(remote, Address { key, last_seen: now });
    }

    fn open(&mut self, now: Instant, remote: SocketAddr, ufrag: &str) -> Result<Route, DropReason> {
        let source = Source::of(remote);
        let from_source = self.half_open_by_source.get(&source).copied().unwrap_or(0);
        if self.retired.contains(now, ufrag) {
            return Err(DropReason::Retired);
        }
        if from_source >= self.settings.half_open_per_source {
            return Err(DropReason::TooManyFromSource);
        }
        if self.half_open.len() >= self.settings.half_open {
            return Err(DropReason::TooManyHalfOpen);
        }
        // Expired ones count until their owner has taken notice: until then they cost memory.
        if self.entries.len() + self.expired.len() >= self.settings.connections {
            return Err(DropReason::TooManyConnections);
        }
        let key = Key(self.next_key);
        self.next_key += 1;
        self.entries.insert(key, Entry { ufrag: ufrag.to_owned(), addresses: vec![remote] });
        self.by_address.insert(remote, Address { key, last_seen: now });
        self.by_ufrag.insert(ufrag.to_owned(), key);
        self.half_open.insert(key, HalfOpen { deadline: now + self.settings.half_open_age, source });
        *self.half_open_by_source.entry(source).or_default() += 1;
        Ok(Route::New { key, ufrag: ufrag.to_owned() })
    }
}

/// The ufrag that both ends of webrtc-direct share, so it stands on both sides of the colon.
fn direct_ufrag<'a>(request: &BindingRequest<'a>) -> Result<&'a str, UfragError> {
    let ufrag = check_ufrag(request.local_ufrag)?;
    if request.remote_ufrag != ufrag {
        return Err(UfragError::Different);
    }
    Ok(ufrag)
}

#[cfg(test)]
mod tests;
