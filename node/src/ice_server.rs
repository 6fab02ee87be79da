//! STUN and TURN servers as they are configured: by name, resolved when they are asked.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use darkswap_webrtc::gather;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::runtime::Runtime;

mod uri;

pub use uri::{Host, IceUri, Scheme, URI_LIMIT, UriError};

/// Bytes of a user name: USERNAME is shorter than 509 bytes (RFC 8489 section 14.3).
pub const USERNAME_LIMIT: usize = 508;

/// Bytes of a credential. Nothing in the protocol bounds it; real ones have some 30.
pub const CREDENTIAL_LIMIT: usize = 1_024;

/// How long a name may take to resolve. A resolver's own patience is longer than that of somebody who waits for a connection.
pub const RESOLUTION: Duration = Duration::from_secs(5);

/// A server that helps to find a path between two peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IceServer {
    /// Tells this host's address as it is seen from outside (RFC 8489).
    Stun {
        /// Where it is.
        host: Host,
        /// Its UDP port.
        port: u16,
    },
    /// Relays for who has a credential (RFC 8656), over UDP.
    Turn {
        /// Where it is.
        host: Host,
        /// Its UDP port.
        port: u16,
        /// The user of the long-term credential, 1 to [`USERNAME_LIMIT`] bytes.
        username: String,
        /// The password of the long-term credential.
        credential: Credential,
    },
}

impl IceServer {
    /// Its URI, without user and credential.
    #[must_use]
    pub fn uri(&self) -> IceUri {
        let (scheme, host, port) = match self {
            Self::Stun { host, port } => (Scheme::Stun, host, port),
            Self::Turn { host, port, .. } => (Scheme::Turn, host, port),
        };
        IceUri { scheme, host: host.clone(), port: *port }
    }

    /// The server with its addresses: at most one of each address family, IPv4 first.
    ///
    /// # Errors
    /// The resolver's, also when it takes longer than [`RESOLUTION`].
    pub async fn resolve(&self, runtime: &dyn Runtime) -> Result<Vec<gather::IceServer>, ResolveError> {
        let (host, port) = match self {
            Self::Stun { host, port } | Self::Turn { host, port, .. } => (host, *port),
        };
        let addresses = match host {
            Host::Ip(address) => vec![*address],
            Host::Name(name) => resolve(name, runtime).await?,
        };
        let with = |address: IpAddr| match self {
            Self::Stun { .. } => gather::IceServer::Stun { address: SocketAddr::new(address, port) },
            Self::Turn { username, credential, .. } => gather::IceServer::Turn {
                address: SocketAddr::new(address, port),
                username: username.clone(),
                credential: credential.expose().to_owned(),
            },
        };
        Ok(addresses.into_iter().map(with).collect())
    }
}

/// Why a server's name led to no address.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// The resolver's error.
    #[error("cannot resolve `{name}`: {source}")]
    Failed {
        /// The name.
        name: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// The resolver does not answer.
    #[error("cannot resolve `{0}`: no answer within {RESOLUTION:?}")]
    TimedOut(String),
    /// There is no such name, or it has no address.
    #[error("`{0}` has no address")]
    NoAddress(String),
}

async fn resolve(name: &str, runtime: &dyn Runtime) -> Result<Vec<IpAddr>, ResolveError> {
    let found = match tokio::time::timeout(RESOLUTION, runtime.resolve(name)).await {
        Ok(Ok(found)) => found,
        Ok(Err(source)) => return Err(ResolveError::Failed { name: name.to_owned(), source }),
        Err(_) => return Err(ResolveError::TimedOut(name.to_owned())),
    };
    let first = |is_wanted: fn(&IpAddr) -> bool| found.iter().copied().find(is_wanted);
    let addresses: Vec<IpAddr> = [first(IpAddr::is_ipv4), first(IpAddr::is_ipv6)].into_iter().flatten().collect();
    if addresses.is_empty() { Err(ResolveError::NoAddress(name.to_owned())) } else { Ok(addresses) }
}

/// The password of a TURN server: overwritten when it is dropped, and in no debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(Zeroizing<String>);

impl Credential {
    /// Takes a password of 1 to [`CREDENTIAL_LIMIT`] bytes.
    ///
    /// # Errors
    /// What is wrong with it, without repeating any of it.
    pub fn new(secret: String) -> Result<Self, CredentialError> {
        let secret = Zeroizing::new(secret);
        match secret.len() {
            0 => Err(CredentialError::Empty),
            length if length > CREDENTIAL_LIMIT => Err(CredentialError::TooLong { length }),
            _ if secret.chars().any(char::is_control) => Err(CredentialError::Control),
            _ => Ok(Self(secret)),
        }
    }

    /// The password itself. It belongs into nothing that is shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

/// What is wrong with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// There is none.
    #[error("found an empty credential, expected 1 to {CREDENTIAL_LIMIT} bytes")]
    Empty,
    /// More than any server uses.
    #[error("found a credential of {length} bytes, expected 1 to {CREDENTIAL_LIMIT}")]
    TooLong {
        /// Its bytes.
        length: usize,
    },
    /// Such as the end of a line: not a password that somebody typed.
    #[error("found a control character in the credential, expected one line of text")]
    Control,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokioRuntime;

    #[test]
    fn a_credential_shows_in_no_debug_output() {
        let (host, credential) =
            (Host::Name("turn.example.org".to_owned()), Credential::new("hunter2".to_owned()).unwrap());
        let server = IceServer::Turn { host, port: 3478, username: "alice".to_owned(), credential };
        assert!(!format!("{server:?}").contains("hunter2"), "{server:?}");
        assert_eq!(server.uri().to_string(), "turn:turn.example.org:3478");
    }

    #[test]
    fn a_credential_is_one_line_of_bounded_length() {
        assert_eq!(Credential::new(String::new()), Err(CredentialError::Empty));
        assert_eq!(Credential::new("a\nb".to_owned()), Err(CredentialError::Control));
        assert_eq!(Credential::new("x".repeat(1_025)), Err(CredentialError::TooLong { length: 1_025 }));
        assert_eq!(Credential::new("x".repeat(1_024)).unwrap().expose().len(), 1_024);
    }

    #[tokio::test]
    async fn an_address_needs_no_resolver() {
        let server = IceServer::Stun { host: Host::Ip([192, 0, 2, 1].into()), port: 3478 };
        let address = "192.0.2.1:3478".parse().unwrap();
        assert_eq!(server.resolve(&TokioRuntime).await.unwrap(), [gather::IceServer::Stun { address }]);
    }
}
