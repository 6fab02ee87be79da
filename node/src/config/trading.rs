//! What a node that trades is told: chain, policy, where its state is, and the wallet's seed.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use bitcoin::Network;
use darkswap_trade::swap::Policy;
use darkswap_wallet::Seed;
use thiserror::Error;
use zeroize::Zeroizing;

use super::ElectrumServer;
use crate::ice_server::{Host, UriError};

/// Everything that trading needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradingConfig {
    /// Which chain.
    pub network: Network,
    /// Electrum servers, in the order in which they are tried: at least one.
    pub electrum: Vec<ElectrumServer>,
    /// The bitcoind whose blocks tell which runes are on which output. Without one no runes are traded.
    pub bitcoind: Option<Bitcoind>,
    /// What swaps are taken part in.
    pub policy: Policy,
    /// The folder of everything durable.
    pub folder: PathBuf,
    /// What all of the wallet's keys come from.
    pub seed: Seed,
}

impl TradingConfig {
    /// The file of orders, swaps and the wallet's state.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.folder.join("store.redb")
    }

    /// The file of block headers.
    #[must_use]
    pub fn headers(&self) -> PathBuf {
        self.folder.join("headers")
    }

    /// The file of the rune index.
    #[must_use]
    pub fn rune_index(&self) -> PathBuf {
        self.folder.join("runes.redb")
    }
}

/// A bitcoind and how to log in to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitcoind {
    /// Where its RPC server listens, HTTP without TLS.
    pub address: ServerAddress,
    /// Who asks.
    pub login: RpcLogin,
}

/// How to log in to bitcoind. Files are read anew for each connection: a cookie lives as long as the process that wrote it.
#[derive(Clone, PartialEq, Eq)]
pub enum RpcLogin {
    /// The file `.cookie` in bitcoind's folder.
    CookieFile(PathBuf),
    /// A file with one line, `user:password`, which only the node's user may read.
    PasswordFile(PathBuf),
    /// The login itself, for a program that starts nodes. A configuration file names files only.
    Password {
        /// The user, without a colon.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
}

/// Never shows the password.
impl fmt::Debug for RpcLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CookieFile(file) => f.debug_tuple("CookieFile").field(file).finish(),
            Self::PasswordFile(file) => f.debug_tuple("PasswordFile").field(file).finish(),
            Self::Password { user, .. } => f.debug_struct("Password").field("user", user).finish_non_exhaustive(),
        }
    }
}

/// A server of a TCP protocol: `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerAddress {
    /// Its name, or its address.
    pub host: Host,
    /// Its port.
    pub port: u16,
}

/// Why a text is not `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ServerAddressError {
    /// No port behind the host.
    #[error("found no port, expected `host:port`")]
    NoPort,
    /// Not a port.
    #[error("found the port `{0}`, expected a number from 1 to 65535")]
    Port(String),
    /// Not a host.
    #[error(transparent)]
    Host(#[from] UriError),
}

impl FromStr for ServerAddress {
    type Err = ServerAddressError;

    fn from_str(text: &str) -> Result<Self, ServerAddressError> {
        // The colons in the brackets of an IPv6 address begin no port.
        let behind_host = text.rfind(']').map_or(0, |bracket| bracket + 1);
        let colon = text[behind_host..].rfind(':').ok_or(ServerAddressError::NoPort)? + behind_host;
        let (host, port) = (&text[..colon], &text[colon + 1..]);
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let number = port.parse().ok().filter(|number| is_number && *number != 0);
        let port = number.ok_or_else(|| ServerAddressError::Port(port.to_owned()))?;
        Ok(Self { host: host.parse()?, port })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn servers_are_a_host_and_a_port() {
        for (text, shown) in [
            ("Electrum.example.org:50001", "electrum.example.org:50001"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("[::1]:65535", "[::1]:65535"),
        ] {
            assert_eq!(text.parse::<ServerAddress>().map(|server| server.to_string()).as_deref(), Ok(shown));
        }
        for text in ["", "a", ":1", "a:", "a:0", "a:65536", "a:+1", "::1:5", "[::1]", "ssl://a:1", "a:1:2", "a b:1"] {
            assert!(text.parse::<ServerAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_login_does_not_show_its_password() {
        let login = RpcLogin::Password { user: "ann".into(), password: "secret".to_owned().into() };
        let shown = format!("{login:?}");
        assert!(shown.contains("ann") && !shown.contains("secret"), "{shown}");
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC*") {
            if let Ok(server) = text.parse::<ServerAddress>() {
                prop_assert_eq!(server.to_string().parse(), Ok(server));
            }
        }
    }
}
