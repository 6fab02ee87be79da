//! The sockets of one connection: one for each address of the host.

use std::io;
use std::net::{IpAddr, SocketAddr};

use darkswap_webrtc::gather::MAX_LOCALS;

use crate::Runtime;
use crate::transport::webrtc::Port;

/// Binds a socket to every address at which a peer may reach the host: without link-local addresses, which say nothing outside their
/// link, and without loopback unless there is nothing else (RFC 8445, section 5.1.1.1).
///
/// # Errors
/// When not one address can be used; the host's last word.
pub(super) fn bind(runtime: &dyn Runtime) -> io::Result<Vec<(Port, SocketAddr)>> {
    let mut failure = io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address for WebRTC");
    let mut bound = Vec::new();
    for ip in usable(runtime.local_addresses()?).into_iter().take(MAX_LOCALS) {
        let socket = runtime.bind_udp(SocketAddr::new(ip, 0));
        match socket.and_then(|socket| Ok((socket.local_addr()?, socket))) {
            Ok((local, socket)) => bound.push((Port::own(socket, local), local)),
            // An address may be gone, or not usable yet (IPv6's duplicate detection).
            Err(error) => failure = error,
        }
    }
    if bound.is_empty() { Err(failure) } else { Ok(bound) }
}

fn usable(local: Vec<IpAddr>) -> Vec<IpAddr> {
    let is_link_local = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let (loopback, routable): (Vec<_>, Vec<_>) =
        local.into_iter().filter(|ip| !is_link_local(ip)).partition(IpAddr::is_loopback);
    if routable.is_empty() { loopback } else { routable }
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
