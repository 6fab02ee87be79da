//! The peers of one allocation: permissions and channels (RFC 8656, sections 9 and 12).

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::message;

/// Peer addresses without port at most: one connection has one peer, with a few addresses.
const MAX_PERMISSIONS: usize = 32;
/// Peer addresses with port at most that may get a channel; others are sent to by indication.
const MAX_REMOTES: usize = 64;
/// Datagrams at most that wait for one permission: a round of connectivity checks.
const MAX_WAITING: usize = 8;
/// Datagrams to one address after which a channel is worth its request: checks alone need none.
const CHANNEL_AFTER: u8 = 8;
/// Permissions live 300 s; this leaves time for a repeated request.
const PERMISSION_REFRESH: Duration = Duration::from_secs(240);
/// Channels live 600 s; this leaves time for a repeated request.
const CHANNEL_REFRESH: Duration = Duration::from_secs(540);
/// How long a refused permission or channel is not asked for again.
const REFUSAL: Duration = Duration::from_secs(30);
/// The channel numbers of RFC 8656, section 12. None is used twice, so none is bound to a second peer too early.
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x4FFF;

/// What must be asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Permission(IpAddr),
    Channel { peer: SocketAddr, number: u16 },
}

/// What becomes of a datagram to a peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// Send this message to the server.
    Now(Bytes),
    /// It is sent when the permission is there.
    Waits,
    /// The peer is refused, or there are too many peers.
    Dropped,
}

/// Permissions and channels with their ages.
#[derive(Debug)]
pub(super) struct Peers {
    permissions: BTreeMap<IpAddr, Permission>,
    remotes: BTreeMap<SocketAddr, Remote>,
    numbers: BTreeMap<u16, SocketAddr>,
    free_numbers: std::ops::RangeInclusive<u16>,
    wants: VecDeque<Want>,
}

#[derive(Debug)]
struct Permission {
    state: PermissionState,
    used: Instant,
}

#[derive(Debug)]
enum PermissionState {
    Requested { waiting: Vec<(SocketAddr, Bytes)> },
    Installed { refresh: Instant },
    Refused { until: Instant },
}

#[derive(Debug)]
struct Remote {
    sent: u8,
    used: Instant,
    channel: Option<Channel>,
}

#[derive(Debug)]
struct Channel {
    number: u16,
    state: ChannelState,
}

#[derive(Debug)]
enum ChannelState {
    Requested,
    Bound { refresh: Instant },
    Refused { until: Instant },
}

impl Peers {
    pub(super) fn new() -> Self {
        Self {
            permissions: BTreeMap::new(),
            remotes: BTreeMap::new(),
            numbers: BTreeMap::new(),
            free_numbers: CHANNELS,
            wants: VecDeque::new(),
        }
    }

    /// Takes a datagram for a peer, and asks for the peer's permission or channel where it is due.
    pub(super) fn send(&mut self, now: Instant, peer: SocketAddr, payload: &[u8]) -> Sending {
        let full = self.permissions.len() >= MAX_PERMISSIONS;
        let Some(permission) = self.permissions.get_mut(&peer.ip()) else {
            if full {
                return Sending::Dropped;
            }
            self.request(now, peer, payload);
            return Sending::Waits;
        };
        permission.used = now;
        match &mut permission.state {
            PermissionState::Requested { waiting } => {
                if waiting.len() >= MAX_WAITING {
                    return Sending::Dropped;
                }
                waiting.push((peer, Bytes::copy_from_slice(payload)));
                Sending::Waits
            }
            PermissionState::Refused { until } if now < *until => Sending::Dropped,
            PermissionState::Refused { .. } => {
                self.request(now, peer, payload);
                Sending::Waits
            }
            PermissionState::Installed { .. } => Sending::Now(self.wrap(now, peer, payload)),
        }
    }

    /// The server permits a peer: what waited for it can be sent.
    pub(super) fn permitted(&mut self, now: Instant, peer: IpAddr) -> Vec<Bytes> {
        let Some(permission) = self.permissions.get_mut(&peer) else { return Vec::new() };
        let installed = PermissionState::Installed { refresh: now + PERMISSION_REFRESH };
        match std::mem::replace(&mut permission.state, installed) {
            PermissionState::Requested { waiting } => {
                waiting.into_iter().map(|(peer, payload)| self.wrap(now, peer, &payload)).collect()
            }
            PermissionState::Installed { .. } | PermissionState::Refused { .. } => Vec::new(),
        }
    }

    /// The server does not permit a peer, or did not answer.
    pub(super) fn refused(&mut self, now: Instant, peer: IpAddr) {
        if let Some(permission) = self.permissions.get_mut(&peer) {
            permission.state = PermissionState::Refused { until: now + REFUSAL };
        }
    }

    /// The server bound a peer's channel, or refused to.
    pub(super) fn channel_answered(&mut self, now: Instant, peer: SocketAddr, bound: bool) {
        let channel = self.remotes.get_mut(&peer).and_then(|remote| remote.channel.as_mut());
        if let Some(channel) = channel {
            channel.state = if bound {
                ChannelState::Bound { refresh: now + CHANNEL_REFRESH }
            } else {
                ChannelState::Refused { until: now + REFUSAL }
            };
        }
    }

    /// Whether we asked for data from a peer (RFC 8656, section 11.4: other Data indications are discarded).
    pub(super) fn permits(&self, peer: IpAddr) -> bool {
        let state = self.permissions.get(&peer).map(|permission| &permission.state);
        matches!(state, Some(PermissionState::Installed { .. }))
    }

    /// Notes that a peer is heard of, which keeps its permission.
    pub(super) fn heard(&mut self, now: Instant, peer: SocketAddr) {
        if let Some(permission) = self.permissions.get_mut(&peer.ip()) {
            permission.used = now;
        }
        if let Some(remote) = self.remotes.get_mut(&peer) {
            remote.used = now;
        }
    }

    /// The peer of a channel.
    pub(super) fn peer_of(&self, channel: u16) -> Option<SocketAddr> {
        self.numbers.get(&channel).copied()
    }

    pub(super) fn poll_want(&mut self) -> Option<Want> {
        self.wants.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let permissions = self.permissions.values().filter_map(|permission| match permission.state {
            PermissionState::Installed { refresh } => Some(refresh),
            PermissionState::Refused { until } => Some(until),
            PermissionState::Requested { .. } => None,
        });
        let channels = self.remotes.values().filter_map(|remote| match remote.channel.as_ref()?.state {
            ChannelState::Bound { refresh } => Some(refresh),
            ChannelState::Requested | ChannelState::Refused { .. } => None,
        });
        permissions.chain(channels).min()
    }

    /// Refreshes what is used, and forgets what is not.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let wants = &mut self.wants;
        self.permissions.retain(|ip, permission| match &mut permission.state {
            PermissionState::Installed { refresh } if *refresh <= now => {
                let used = now.saturating_duration_since(permission.used) < PERMISSION_REFRESH;
                if used {
                    *refresh = now + PERMISSION_REFRESH;
                    wants.push_back(Want::Permission(*ip));
                }
                used
            }
            PermissionState::Refused { until } => now < *until,
            PermissionState::Installed { .. } | PermissionState::Requested { .. } => true,
        });
        let numbers = &mut self.numbers;
        self.remotes.retain(|peer, remote| {
            let used = now.saturating_duration_since(remote.used) < CHANNEL_REFRESH;
            if let Some(channel) = &mut remote.channel {
                match &mut channel.state {
                    ChannelState::Bound { refresh } if *refresh > now => return true,
                    ChannelState::Bound { refresh } if used => {
                        *refresh = now + CHANNEL_REFRESH;
                        wants.push_back(Want::Channel { peer: *peer, number: channel.number });
                    }
                    _ if used => {}
                    _ => drop(numbers.remove(&channel.number)),
                }
            }
            used
        });
    }

    fn request(&mut self, now: Instant, peer: SocketAddr, payload: &[u8]) {
        let state = PermissionState::Requested { waiting: vec![(peer, Bytes::copy_from_slice(payload))] };
        self.permissions.insert(peer.ip(), Permission { state, used: now });
        self.wants.push_back(Want::Permission(peer.ip()));
    }

    /// The message that carries a datagram to a permitted peer.
    fn wrap(&mut self, now: Instant, peer: SocketAddr, payload: &[u8]) -> Bytes {
        let room = self.remotes.len() < MAX_REMOTES;
        if !room && !self.remotes.contains_key(&peer) {
            return message::send_indication(peer, payload);
        }
        let remote = self.remotes.entry(peer).or_insert(Remote { sent: 0, used: now, channel: None });
        remote.used = now;
        remote.sent = remote.sent.saturating_add(1);
        match &mut remote.channel {
            Some(Channel { number, state: ChannelState::Bound { .. } }) => {
                return message::channel_data(*number, payload);
            }
            Some(Channel { number, state }) => {
                if matches!(state, ChannelState::Refused { until } if *until <= now) {
                    *state = ChannelState::Requested;
                    self.wants.push_back(Want::Channel { peer, number: *number });
                }
            }
            None if remote.sent >= CHANNEL_AFTER => {
                if let Some(number) = self.free_numbers.next() {
                    remote.channel = Some(Channel { number, state: ChannelState::Requested });
                    self.numbers.insert(number, peer);
                    self.wants.push_back(Want::Channel { peer, number });
                }
            }
            None => {}
        }
        message::send_indication(peer, payload)
    }
}
