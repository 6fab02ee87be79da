//! What a gatherer is told, and what it answers.

use std::net::SocketAddr;

use bytes::Bytes;
use thiserror::Error;

use super::transaction::PATIENCE;
use crate::connection::LocalCandidate;

/// Local sockets that one gatherer takes at most: more than the interfaces of any usual host.
pub const MAX_LOCALS: usize = 16;
/// ICE servers that one gatherer takes at most: a longer list only delays the last of them.
pub const MAX_SERVERS: usize = 16;
/// Bytes of a USERNAME at most (RFC 8489, section 14.3: fewer than 509).
const MAX_USERNAME: usize = 508;

/// A STUN or TURN server with its resolved address. Textual URLs (RFC 7064, RFC 7065) are parsed elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub enum IceServer {
    /// A STUN server (RFC 8489): it tells our address as it sees it.
    Stun {
        /// The server's address.
        address: SocketAddr,
    },
    /// A TURN server over UDP (RFC 8656): it relays for us, against a long-term credential.
    Turn {
        /// The server's address.
        address: SocketAddr,
        /// The user of the long-term credential.
        username: String,
        /// The password of the long-term credential.
        credential: String,
    },
}

impl IceServer {
    /// The server's address.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Stun { address } | Self::Turn { address, .. } => *address,
        }
    }

    fn name_is_too_long(&self) -> bool {
        matches!(self, Self::Turn { username, .. } if username.len() > MAX_USERNAME)
    }
}

impl std::fmt::Debug for IceServer {
    /// Without the credential, which must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stun { address } => f.debug_struct("Stun").field("address", address).finish(),
            Self::Turn { address, username, .. } => {
                f.debug_struct("Turn").field("address", address).field("username", username).finish_non_exhaustive()
            }
        }
    }
}

/// What a [`Gatherer`](super::Gatherer) works with.
#[derive(Clone, Debug, Default)]
pub struct GatherSettings {
    /// Our bound sockets, with concrete addresses; at most [`MAX_LOCALS`].
    pub locals: Vec<SocketAddr>,
    /// The servers to ask; at most [`MAX_SERVERS`].
    pub servers: Vec<IceServer>,
    /// Gather relayed candidates only, so that a peer never learns our own addresses (RFC 8828 calls this mode 4).
    pub relay_only: bool,
    /// Which TURN server is asked first: many gatherers with different seeds spread over all of them.
    pub seed: u64,
}

impl GatherSettings {
    /// Whether the settings can be worked with.
    pub(super) fn check(&self) -> Result<(), GatherError> {
        if self.locals.is_empty() {
            return Err(GatherError::NoLocals);
        }
        if self.locals.len() > MAX_LOCALS {
            return Err(GatherError::TooManyLocals { found: self.locals.len() });
        }
        if self.servers.len() > MAX_SERVERS {
            return Err(GatherError::TooManyServers { found: self.servers.len() });
        }
        if let Some(server) = self.servers.iter().find(|server| server.name_is_too_long()) {
            return Err(GatherError::NameTooLong { server: server.address() });
        }
        match self.locals.iter().find(|local| local.ip().is_unspecified() || local.port() == 0) {
            Some(local) => Err(GatherError::NotConcrete { local: *local }),
            None => Ok(()),
        }
    }
}

/// Why a gatherer could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GatherError {
    /// There is no socket to gather from.
    #[error("no local socket, expected at least one: bind one before gathering")]
    NoLocals,
    /// There are more sockets than a gatherer takes.
    #[error("{found} local sockets, expected at most {MAX_LOCALS}: leave out some interfaces")]
    TooManyLocals {
        /// How many were given.
        found: usize,
    },
    /// There are more servers than a gatherer takes.
    #[error("{found} ICE servers, expected at most {MAX_SERVERS}: shorten the list")]
    TooManyServers {
        /// How many were given.
        found: usize,
    },
    /// A user name does not fit into a STUN message (RFC 8489, section 14.3).
    #[error("the user name for TURN server {server} is too long, expected at most {MAX_USERNAME} bytes: correct it")]
    NameTooLong {
        /// The server's address.
        server: SocketAddr,
    },
    /// A socket's address cannot be told to a peer.
    #[error(
        "local socket {local} is not concrete, expected an interface's address with a port: bind one socket per address"
    )]
    NotConcrete {
        /// The socket's address.
        local: SocketAddr,
    },
}

/// What happened while gathering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatherEvent {
    /// A new candidate of ours.
    Candidate(LocalCandidate),
    /// A server gave nothing, or what it gave is lost.
    ServerFailed {
        /// The server's address.
        server: SocketAddr,
        /// Why.
        reason: ServerFailure,
    },
    /// Every server has answered or failed. Said once; a fail-over later may still bring a candidate.
    Complete,
}

/// Why a STUN or TURN server is of no use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ServerFailure {
    /// No answer in time.
    #[error("no answer within {} s: check the address, and whether UDP passes the firewall", PATIENCE.as_secs())]
    Timeout,
    /// No socket of ours has the server's address family.
    #[error("no local socket of the server's address family: enable it, or leave the server out")]
    Unreachable,
    /// The server does not accept the credential.
    #[error("the server refuses the user name or the credential (401): correct them")]
    WrongCredential,
    /// The server answered with an error.
    #[error("the server answered {code} ({reason})")]
    Refused {
        /// The code of ERROR-CODE (RFC 8489, section 14.8).
        code: u16,
        /// The server's words, shortened.
        reason: String,
    },
    /// The server's answer breaks the protocol.
    #[error("the server's answer cannot be used: {0}")]
    BadAnswer(&'static str),
    /// The server no longer knows our allocation, or no longer answers for it.
    #[error("the allocation is lost: {0}")]
    AllocationLost(&'static str),
}

/// Whose a datagram is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gathered {
    /// Not from a server of ours: hand it to the connection.
    NotMine,
    /// From a server, and dealt with.
    Consumed,
    /// A peer's datagram that came through the relay: hand it to the connection with these addresses.
    Relayed {
        /// Our relayed address.
        local: SocketAddr,
        /// The peer.
        remote: SocketAddr,
        /// What the peer sent.
        payload: Bytes,
    },
}
