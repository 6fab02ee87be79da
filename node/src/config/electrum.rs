//! An Electrum server: where it is, and how the way to it is protected.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER_PERMISSIVE;
use thiserror::Error;

use super::{ServerAddress, ServerAddressError};

/// The scheme of a server behind TLS.
const TLS: &str = "ssl://";

/// The scheme of a server without; it may be left out.
const PLAIN: &str = "tcp://";

/// What stands before a fingerprint.
const PIN: &str = "sha256=";

/// An Electrum server: `host:port`, `tcp://host:port`, `ssl://host:port` or `ssl://host:port#sha256=<fingerprint>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ElectrumServer {
    /// Where it is.
    pub address: ServerAddress,
    /// How the way to it is protected.
    pub security: Security,
}

/// How the way to a server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Security {
    /// Not at all: for a server of one's own, or one behind a tunnel.
    #[default]
    Plain,
    /// By TLS, and a certificate for its name that leads to a root of Mozilla's list.
    Roots,
    /// By TLS, and the certificate with this SHA-256, whatever else it says: for servers that made their certificate themselves.
    Pinned([u8; 32]),
}

/// Why a text is no Electrum server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ElectrumServerError {
    /// Another scheme.
    #[error("found the scheme `{0}`, expected `tcp://`, `ssl://` or none")]
    Scheme(String),
    /// Not `host:port`.
    #[error(transparent)]
    Address(#[from] ServerAddressError),
    /// Something else than a fingerprint.
    #[error("found `#{0}`, expected `#sha256=` and 64 hexadecimal digits, with or without colons")]
    Pin(String),
    /// A fingerprint where there is no certificate.
    #[error("found a fingerprint for a server without TLS, expected `ssl://` before it")]
    PinWithoutTls,
}

impl From<ServerAddress> for ElectrumServer {
    fn from(address: ServerAddress) -> Self {
        Self { address, security: Security::Plain }
    }
}

impl FromStr for ElectrumServer {
    type Err = ElectrumServerError;

    fn from_str(text: &str) -> Result<Self, ElectrumServerError> {
        let (server, pin) = match text.split_once('#') {
            Some((server, pin)) => (server, Some(pin)),
            None => (text, None),
        };
        let (is_tls, place) = match (server.strip_prefix(TLS), server.strip_prefix(PLAIN)) {
            (Some(place), _) => (true, place),
            (None, Some(place)) => (false, place),
            (None, None) => match server.split_once("://") {
                Some((scheme, _)) => return Err(ElectrumServerError::Scheme(format!("{scheme}://"))),
                None => (false, server),
            },
        };
        let address = place.parse()?;
        let security = match (is_tls, pin) {
            (true, None) => Security::Roots,
            (true, Some(pin)) => Security::Pinned(fingerprint(pin)?),
            (false, None) => Security::Plain,
            (false, Some(_)) => return Err(ElectrumServerError::PinWithoutTls),
        };
        Ok(Self { address, security })
    }
}

fn fingerprint(text: &str) -> Result<[u8; 32], ElectrumServerError> {
    let unknown = || ElectrumServerError::Pin(text.to_owned());
    // Tools write colons between the bytes.
    let digits = text.strip_prefix(PIN).ok_or_else(unknown)?.replace(':', "");
    let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| unknown())?;
    bytes.try_into().map_err(|_| unknown())
}

impl fmt::Display for ElectrumServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, security } = self;
        match security {
            Security::Plain => address.fmt(f),
            Security::Roots => write!(f, "{TLS}{address}"),
            Security::Pinned(pin) => write!(f, "{TLS}{address}#{PIN}{}", HEXLOWER_PERMISSIVE.encode(pin)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_scheme_says_whether_there_is_tls_and_a_fingerprint_pins_the_certificate() {
        let pin = "ab".repeat(32);
        let colons = format!("ssl://a:1#sha256={}", ["AB"; 32].join(":"));
        for (text, shown, security) in [
            ("a:1", "a:1", Security::Plain),
            ("tcp://a:1", "a:1", Security::Plain),
            ("ssl://[::1]:2", "ssl://[::1]:2", Security::Roots),
            (&*colons, &*format!("ssl://a:1#sha256={pin}"), Security::Pinned([0xab; 32])),
        ] {
            let server: ElectrumServer = text.parse().unwrap();
            assert_eq!((server.to_string().as_str(), server.security), (shown, security));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in [
            ("http://a:1", "found the scheme `http://`"),
            ("ssl://a", "found no port"),
            ("a:1#sha256=00", "without TLS"),
            ("ssl://a:1#sha256=00", "64 hexadecimal digits"),
            ("ssl://a:1#sha1=00", "found `#sha1=00`"),
            ("ssl://a:1#", "found `#`"),
            ("ssl://ssl://a:1", ""),
        ] {
            let message = text.parse::<ElectrumServer>().unwrap_err().to_string();
            assert!(message.contains(word), "{text}: {message}");
        }
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn arbitrary_text_never_panics(text in "((ssl|tcp)://)?[a-z]{1,3}:[0-9]{1,5}(#sha256=[0-9a-fA-F:]{0,70})?|\\PC*") {
            if let Ok(server) = text.parse::<ElectrumServer>() {
                prop_assert_eq!(server.to_string().parse(), Ok(server));
            }
        }
    }
}
