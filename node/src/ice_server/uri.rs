//! URIs of STUN and TURN servers: RFC 7064 and RFC 7065.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// Bytes of a URI. A host name has at most 253.
pub const URI_LIMIT: usize = 300;

/// The port of both protocols over UDP (RFC 8489 section 18.6, RFC 8656 section 5).
const DEFAULT_PORT: u16 = 3478;

/// Bytes of a host name and of one of its labels (RFC 1035 section 2.3.4).
const NAME_LIMIT: (usize, usize) = (253, 63);

/// Where a STUN or TURN server is: `stun:host[:port]` or `turn:host[:port][?transport=udp]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceUri {
    /// What the server does.
    pub scheme: Scheme,
    /// Where it is.
    pub host: Host,
    /// Its UDP port.
    pub port: u16,
}

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Tells addresses.
    Stun,
    /// Relays.
    Turn,
}

impl Scheme {
    /// `stun` or `turn`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stun => "stun",
            Self::Turn => "turn",
        }
    }
}

/// A host name in lower case, or an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name to resolve.
    Name(String),
}

/// Why a text is not a URI of a STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UriError {
    /// Longer than any real one.
    #[error("found {0} bytes, expected at most {URI_LIMIT}")]
    TooLong(usize),
    /// Neither `stun:` nor `turn:`.
    #[error("found no `stun:` or `turn:`, expected for example `stun:stun.example.org:3478`")]
    Scheme,
    /// `stuns:` or `turns:`.
    #[error(
        "found `{0}:`, expected `stun:` or `turn:`: servers are asked over UDP without TLS; what they relay is encrypted \
         from end to end all the same"
    )]
    Secure(String),
    /// As in the URL of a web page.
    #[error("found `//` after the scheme, expected `stun:host` or `turn:host` without slashes")]
    Slashes,
    /// A user before the host.
    #[error("found `@`, expected the host alone: the user name and the credential have keys of their own")]
    User,
    /// Not a host.
    #[error("found the host `{0}`, expected a host name, an IPv4 address or an IPv6 address in brackets")]
    Host(String),
    /// An address that is nobody's.
    #[error("found the address {0}, expected that of one host")]
    Address(IpAddr),
    /// Not a port.
    #[error("found the port `{0}`, expected a number from 1 to 65535")]
    Port(String),
    /// `?transport=tcp` and the like.
    #[error("found `transport={0}`, expected `transport=udp`, the only one that is spoken")]
    Transport(String),
    /// Something else after a question mark.
    #[error("found `?{0}`, expected nothing, or `?transport=udp` behind a `turn:` server")]
    Query(String),
}

impl FromStr for IceUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        if text.len() > URI_LIMIT {
            return Err(UriError::TooLong(text.len()));
        }
        let (scheme, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "stun" => Scheme::Stun,
            "turn" => Scheme::Turn,
            secure @ ("stuns" | "turns") => return Err(UriError::Secure(secure.to_owned())),
            _ => return Err(UriError::Scheme),
        };
        if rest.starts_with("//") {
            return Err(UriError::Slashes);
        }
        if rest.contains('@') {
            return Err(UriError::User);
        }
        let place = match rest.split_once('?') {
            None => rest,
            Some((place, query)) => {
                check_query(scheme, query)?;
                place
            }
        };
        if place.parse::<Ipv6Addr>().is_ok() {
            return Err(UriError::Host(place.to_owned()));
        }
        let (host, port) = split_port(place);
        Ok(Self { scheme, host: host.parse()?, port: port.map_or(Ok(DEFAULT_PORT), parse_port)? })
    }
}

impl fmt::Display for IceUri {
    /// With the port, also when it is the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.scheme.name(), self.host, self.port)
    }
}

impl FromStr for Host {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let not_a_host = || UriError::Host(text.to_owned());
        let address = if let Some(inside) = text.strip_prefix('[') {
            let inside = inside.strip_suffix(']').ok_or_else(not_a_host)?;
            Some(IpAddr::V6(inside.parse::<Ipv6Addr>().map_err(|_| not_a_host())?))
        } else {
            text.parse().ok().filter(IpAddr::is_ipv4)
        };
        match address {
            Some(address) if is_of_one_host(&address) => Ok(Self::Ip(address)),
            Some(address) => Err(UriError::Address(address)),
            None if is_name(text) => Ok(Self::Name(text.to_ascii_lowercase())),
            None => Err(not_a_host()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Host and port; the colons in the brackets of an IPv6 address begin no port.
fn split_port(place: &str) -> (&str, Option<&str>) {
    let after_host = place.rfind(']').map_or(0, |bracket| bracket + 1);
    match place[after_host..].find(':') {
        Some(colon) => (&place[..after_host + colon], Some(&place[after_host + colon + 1..])),
        None => (place, None),
    }
}

fn parse_port(text: &str) -> Result<u16, UriError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = if is_number { text.parse().ok() } else { None };
    port.filter(|port| *port != 0).ok_or_else(|| UriError::Port(text.to_owned()))
}

/// RFC 7065 section 3.1: only TURN knows a query, and only `transport`.
fn check_query(scheme: Scheme, query: &str) -> Result<(), UriError> {
    match (scheme, query.split_once('=')) {
        (Scheme::Turn, Some(("transport", transport))) if transport.eq_ignore_ascii_case("udp") => Ok(()),
        (Scheme::Turn, Some(("transport", transport))) => Err(UriError::Transport(transport.to_owned())),
        (Scheme::Stun | Scheme::Turn, _) => Err(UriError::Query(query.to_owned())),
    }
}

/// A server can have a loopback address in tests and in containers, but not one that stands for many or for none.
fn is_of_one_host(address: &IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !is_broadcast
}

/// RFC 1123 section 2.1, with the underscore that many internal names have. A name that ends in a number would be a mistyped address.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=NAME_LIMIT.1).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= NAME_LIMIT.0
        && text.split('.').all(is_label)
        && text.rsplit('.').next().is_some_and(|last| !is_number(last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn servers_are_read_as_the_rfcs_write_them() {
        for (text, shown) in [
            ("stun:stun.example.org", "stun:stun.example.org:3478"),
            ("STUN:Stun.Example.Org:19302", "stun:stun.example.org:19302"),
            ("stun:192.0.2.1:53", "stun:192.0.2.1:53"),
            ("stun:[2001:DB8::1]", "stun:[2001:db8::1]:3478"),
            ("turn:[2001:db8::1]:443?transport=udp", "turn:[2001:db8::1]:443"),
            ("turn:localhost?transport=UDP", "turn:localhost:3478"),
            ("turn:turn_1.internal", "turn:turn_1.internal:3478"),
        ] {
            assert_eq!(text.parse::<IceUri>().map(|uri| uri.to_string()).as_deref(), Ok(shown), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_uri_is_told() {
        let host = |text: &str| UriError::Host(text.to_owned());
        for (text, expected) in [
            ("", UriError::Scheme),
            ("stun.example.org", UriError::Scheme),
            ("stun.example.org:3478", UriError::Scheme),
            ("https://example.org", UriError::Scheme),
            ("turns:example.org", UriError::Secure("turns".to_owned())),
            ("stun://example.org", UriError::Slashes),
            ("turn:alice@example.org", UriError::User),
            ("stun:", host("")),
            ("stun::3478", host("")),
            ("stun: example.org", host(" example.org")),
            ("stun:exa mple.org", host("exa mple.org")),
            ("stun:-example.org", host("-example.org")),
            ("stun:example..org", host("example..org")),
            ("stun:192.0.2.300", host("192.0.2.300")),
            ("stun:[192.0.2.1]", host("[192.0.2.1]")),
            ("stun:[::1", host("[")),
            ("stun:[::1]x", host("[::1]x")),
            ("stun:0.0.0.0", UriError::Address([0, 0, 0, 0].into())),
            ("stun:224.0.0.1", UriError::Address([224, 0, 0, 1].into())),
            ("stun:example.org:", UriError::Port(String::new())),
            ("stun:example.org:0", UriError::Port("0".to_owned())),
            ("stun:example.org:+1", UriError::Port("+1".to_owned())),
            ("stun:example.org:65536", UriError::Port("65536".to_owned())),
            ("stun:example.org:3478/", UriError::Port("3478/".to_owned())),
            ("stun:2001:db8::1", host("2001:db8::1")),
            ("turn:example.org?transport=tcp", UriError::Transport("tcp".to_owned())),
            ("stun:example.org?transport=udp", UriError::Query("transport=udp".to_owned())),
            ("turn:example.org?", UriError::Query(String::new())),
            ("turn:example.org?transport=udp&x=1", UriError::Transport("udp&x=1".to_owned())),
        ] {
            assert_eq!(text.parse::<IceUri>(), Err(expected), "{text}");
        }
        assert_eq!(format!("stun:{}", "a".repeat(400)).parse::<IceUri>(), Err(UriError::TooLong(405)));
    }

    fn any_uri() -> impl Strategy<Value = IceUri> {
        let name = "[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\\.[a-z]([a-z0-9_]{0,10}[a-z])?){0,3}";
        let host = prop_oneof![
            name.prop_map(Host::Name),
            any::<IpAddr>().prop_filter("of one host", is_of_one_host).prop_map(Host::Ip),
        ];
        let scheme = prop_oneof![Just(Scheme::Stun), Just(Scheme::Turn)];
        (scheme, host, 1..=u16::MAX).prop_map(|(scheme, host, port)| IceUri { scheme, host, port })
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn what_is_shown_reads_back(uri in any_uri()) {
            prop_assert_eq!(uri.to_string().parse::<IceUri>(), Ok(uri));
        }

        #[test]
        fn what_is_accepted_reads_back(text in "(stun|turn|turns|STUN)?:?[a-zA-Z0-9\\[\\]:.?=@_/ -]{0,40}") {
            if let Ok(uri) = text.parse::<IceUri>() {
                prop_assert_eq!(uri.to_string().parse::<IceUri>(), Ok(uri));
            }
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC*", prefix in "(stun:|turn:)?") {
            let _ = format!("{prefix}{text}").parse::<IceUri>();
        }
    }
}
