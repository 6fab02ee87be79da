//! The sockets of one connection: one for each address of the host.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};

use darkswap_webrtc::gather::MAX_LOCALS;

use super::addresses::Addresses;
use crate::Runtime;
use crate::transport::webrtc::Port;

/// The sockets of a connection.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) ports: Vec<Port>,
    /// Their addresses.
    pub(super) locals: Vec<SocketAddr>,
    /// What the host's addresses were, also those that could not be bound to.
    pub(super) host: BTreeSet<IpAddr>,
}

/// Binds a socket to every address at which a peer may reach the host: without link-local addresses, which say nothing outside their
/// link, and without loopback unless there is nothing else (RFC 8445, section 5.1.1.1).
///
/// # Errors
/// When not one address can be used; the host's last word.
pub(super) fn bind(runtime: &dyn Runtime, addresses: &Addresses) -> io::Result<Bound> {
    let mut failure = io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address for WebRTC");
    let mut bound = Bound { ports: Vec::new(), locals: Vec::new(), host: BTreeSet::new() };
    for ip in addresses.read(runtime)? {
        bound.host.insert(ip);
        let socket = runtime.bind_udp(SocketAddr::new(ip, 0));
        match socket.and_then(|socket| Ok((socket.local_addr()?, socket))) {
            Ok((local, socket)) => {
                bound.ports.push(Port::own(socket, local));
                bound.locals.push(local);
            }
            // An address may be gone, or not usable yet (IPv6's duplicate detection).
            Err(error) => failure = error,
        }
    }
    if bound.ports.is_empty() { Err(failure) } else { Ok(bound) }
}

/// The addresses of a host at which it may be reached, of which there are as many as a gatherer takes.
pub(super) fn usable(local: Vec<IpAddr>) -> Vec<IpAddr> {
    let is_link_local = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let (loopback, routable): (Vec<_>, Vec<_>) =
        local.into_iter().filter(|ip| !is_link_local(ip)).partition(IpAddr::is_loopback);
    let mut usable = if routable.is_empty() { loopback } else { routable };
    usable.truncate(MAX_LOCALS);
    usable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn loopback_is_used_only_without_anything_else_and_link_local_never() {
        assert_eq!(
            usable(ips(&["127.0.0.1", "10.0.0.1", "fe80::1", "2001:db8::1"])),
            ips(&["10.0.0.1", "2001:db8::1"])
        );
        assert_eq!(usable(ips(&["127.0.0.1", "169.254.0.1", "::1"])), ips(&["127.0.0.1", "::1"]));
    }
}
