//! What a server holds for one client (RFC 8656, section 3.2).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rtc::stun::message::TransactionId;

/// How long a permission lives (RFC 8656, section 9).
const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// How long a channel lives (RFC 8656, section 12).
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);
/// Peers and channels that one allocation holds at most.
const MAX_PEERS: usize = 256;

/// An allocation. Which client's it is, its key in the server's map says.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) username: String,
    pub(super) port: u16,
    pub(super) expires: Instant,
    /// The request that it was granted for; its repetition gets the same answer.
    pub(super) granted_for: TransactionId,
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, (SocketAddr, Instant)>,
}

impl Allocation {
    pub(super) fn new(username: &str, port: u16, expires: Instant, granted_for: TransactionId) -> Self {
        let username = username.to_owned();
        Self { username, port, expires, granted_for, permissions: BTreeMap::new(), channels: BTreeMap::new() }
    }

    /// Installs or refreshes permissions. Says whether there was room for all.
    pub(super) fn permit(&mut self, now: Instant, peers: &[SocketAddr]) -> bool {
        self.permissions.retain(|_, expires| *expires > now);
        let new = peers.iter().filter(|peer| !self.permissions.contains_key(&peer.ip())).count();
        if self.permissions.len() + new > MAX_PEERS {
            return false;
        }
        self.permissions.extend(peers.iter().map(|peer| (peer.ip(), now + PERMISSION_LIFETIME)));
        true
    }

    /// Binds a channel, or refreshes it. Says whether number and peer are free for each other, and there was room.
    pub(super) fn bind(&mut self, now: Instant, number: u16, peer: SocketAddr) -> bool {
        self.channels.retain(|_, (_, expires)| *expires > now);
        let taken = self.channels.iter().any(|(other, (bound, _))| (*other == number) != (*bound == peer));
        let full = self.channels.len() >= MAX_PEERS && !self.channels.contains_key(&number);
        if taken || full || !self.permit(now, &[peer]) {
            return false;
        }
        self.channels.insert(number, (peer, now + CHANNEL_LIFETIME));
        true
    }

    pub(super) fn permits(&self, now: Instant, peer: IpAddr) -> bool {
        self.permissions.get(&peer).is_some_and(|expires| *expires > now)
    }

    /// The peer of a living channel.
    pub(super) fn peer_of(&self, now: Instant, number: u16) -> Option<SocketAddr> {
        self.channels.get(&number).filter(|(_, expires)| *expires > now).map(|(peer, _)| *peer)
    }

    /// The living channel of a peer.
    pub(super) fn channel_of(&self, now: Instant, peer: SocketAddr) -> Option<u16> {
        let living = |(number, (bound, expires)): (&u16, &(SocketAddr, Instant))| {
            (*bound == peer && *expires > now).then_some(*number)
        };
        self.channels.iter().find_map(living)
    }
}
