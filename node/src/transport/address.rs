//! Multiaddresses to socket addresses and back, for transports that accept exactly one shape; and what any address tells.

use std::net::{IpAddr, SocketAddr};

use darkswap_webrtc::certificate::Fingerprint;
use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::multihash::Multihash;
use libp2p::{Multiaddr, PeerId};

/// Whether an address goes through a relay.
pub(crate) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|protocol| protocol == Protocol::P2pCircuit)
}

/// The relay of a circuit's address: the last peer before `/p2p-circuit`.
#[must_use]
pub fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    let mut relay = None;
    for protocol in address {
        match protocol {
            Protocol::P2p(peer) => relay = Some(peer),
            Protocol::P2pCircuit => return relay,
            _ => {}
        }
    }
    None
}

/// The relay that carries a connection. Of an inbound one it is in our own address, which is where the relay was listened on.
pub(crate) fn carrier(point: &ConnectedPoint) -> Option<PeerId> {
    match point {
        ConnectedPoint::Dialer { address, .. } => relay_of(address),
        ConnectedPoint::Listener { local_addr, .. } => relay_of(local_addr),
    }
}

/// The IP address of the host that an address begins with, where it is given as such.
pub(crate) fn host(address: &Multiaddr) -> Option<IpAddr> {
    ip(&address.iter().next()?)
}

/// `/ip4/../tcp/..`, with or without `/p2p/..` behind it, and nothing else.
pub(super) fn tcp(address: &Multiaddr) -> Option<SocketAddr> {
    let mut protocols = address.iter();
    let ip = ip(&protocols.next()?)?;
    let Protocol::Tcp(port) = protocols.next()? else { return None };
    ends(protocols).then(|| SocketAddr::new(ip, port))
}

/// `/ip4/../udp/../quic-v1`, with or without `/p2p/..` behind it, and nothing else.
pub(super) fn quic(address: &Multiaddr) -> Option<SocketAddr> {
    let mut protocols = address.iter();
    let ip = ip(&protocols.next()?)?;
    let Protocol::Udp(port) = protocols.next()? else { return None };
    let Protocol::QuicV1 = protocols.next()? else { return None };
    ends(protocols).then(|| SocketAddr::new(ip, port))
}

/// `/ip4/../udp/../webrtc-direct`, with or without `/p2p/..` behind it, and nothing else: what is listened on.
pub(super) fn webrtc_listener(address: &Multiaddr) -> Option<SocketAddr> {
    let mut protocols = address.iter();
    let socket = webrtc_socket(&mut protocols)?;
    ends(protocols).then_some(socket)
}

/// What `/ip4/../udp/../webrtc-direct/certhash/..`, with or without `/p2p/..` behind it, leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WebrtcServer {
    pub(super) socket: SocketAddr,
    /// Of the certificate that the server must show.
    pub(super) fingerprint: Fingerprint,
    /// Whom to expect there.
    pub(super) peer: Option<PeerId>,
}

/// `/ip4/../udp/../webrtc-direct/certhash/..`, with or without `/p2p/..` behind it, and nothing else: what is dialled. A hash other
/// than SHA-256 is not understood (libp2p WebRTC Direct, "Addressing").
pub(super) fn webrtc_server(address: &Multiaddr) -> Option<WebrtcServer> {
    let mut protocols = address.iter();
    let socket = webrtc_socket(&mut protocols)?;
    let Protocol::Certhash(hash) = protocols.next()? else { return None };
    let fingerprint = Fingerprint::from_multihash(&hash.to_bytes()).ok()?;
    let peer = match protocols.next() {
        None => None,
        Some(Protocol::P2p(peer)) => Some(peer),
        Some(_) => return None,
    };
    protocols.next().is_none().then_some(WebrtcServer { socket, fingerprint, peer })
}

fn webrtc_socket<'a>(protocols: &mut impl Iterator<Item = Protocol<'a>>) -> Option<SocketAddr> {
    let ip = ip(&protocols.next()?)?;
    let Protocol::Udp(port) = protocols.next()? else { return None };
    let Protocol::WebRTCDirect = protocols.next()? else { return None };
    Some(SocketAddr::new(ip, port))
}

/// The multiaddress of a TCP socket.
pub(super) fn from_tcp(socket: SocketAddr) -> Multiaddr {
    Multiaddr::empty().with(Protocol::from(socket.ip())).with(Protocol::Tcp(socket.port()))
}

/// The multiaddress of a QUIC endpoint.
pub(super) fn from_quic(socket: SocketAddr) -> Multiaddr {
    Multiaddr::empty().with(Protocol::from(socket.ip())).with(Protocol::Udp(socket.port())).with(Protocol::QuicV1)
}

/// The multiaddress of an end of a webrtc-direct connection whose certificate is not told.
pub(super) fn from_webrtc(socket: SocketAddr) -> Multiaddr {
    Multiaddr::empty().with(Protocol::from(socket.ip())).with(Protocol::Udp(socket.port())).with(Protocol::WebRTCDirect)
}

/// The multiaddress at which a server with this certificate can be dialled.
pub(super) fn from_webrtc_server(socket: SocketAddr, fingerprint: &Fingerprint) -> Multiaddr {
    let hash = Multihash::from_bytes(&fingerprint.to_multihash()).expect("a fingerprint is a SHA-256 multihash");
    from_webrtc(socket).with(Protocol::Certhash(hash))
}

/// Whether a socket address can be dialled.
pub(super) fn is_dialable(socket: SocketAddr) -> bool {
    socket.port() != 0 && !socket.ip().is_unspecified() && !socket.ip().is_multicast()
}

/// The addresses to announce for a bound socket: itself, or for a wildcard every address of the host of the same family,
/// loopback only when there is no other.
pub(super) fn announced(bound: SocketAddr, local: &[IpAddr]) -> Vec<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound];
    }
    let family: Vec<_> = local.iter().filter(|ip| ip.is_ipv4() == bound.is_ipv4()).copied().collect();
    let routable: Vec<_> = family.iter().filter(|ip| !ip.is_loopback() && !is_link_local(ip)).copied().collect();
    let chosen = if routable.is_empty() { family } else { routable };
    chosen.into_iter().map(|ip| SocketAddr::new(ip, bound.port())).collect()
}

fn ip(protocol: &Protocol<'_>) -> Option<IpAddr> {
    match protocol {
        Protocol::Ip4(ip) => Some((*ip).into()),
        Protocol::Ip6(ip) => Some((*ip).into()),
        _ => None,
    }
}

fn ends<'a>(mut rest: impl Iterator<Item = Protocol<'a>>) -> bool {
    matches!(rest.next(), None | Some(Protocol::P2p(_))) && rest.next().is_none()
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transport::arbitrary;

    fn parsed(text: &str) -> (Option<SocketAddr>, Option<SocketAddr>) {
        let address: Multiaddr = text.parse().unwrap();
        (tcp(&address), quic(&address))
    }

    const CERTHASH: &str = "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g";

    #[test]
    fn each_transport_takes_its_own_shape_only() {
        let socket = Some("10.0.0.1:7".parse().unwrap());
        assert_eq!(parsed("/ip4/10.0.0.1/tcp/7"), (socket, None));
        assert_eq!(parsed("/ip4/10.0.0.1/udp/7/quic-v1"), (None, socket));
        for other in ["/ip4/10.0.0.1/tcp/7/ws", "/ip4/10.0.0.1/udp/7", "/ip4/10.0.0.1/udp/7/quic", "/dns4/a/tcp/7"] {
            assert_eq!(parsed(other), (None, None), "{other}");
        }
    }

    #[test]
    fn webrtc_direct_is_listened_on_without_and_dialled_with_the_hash_of_its_certificate() {
        let listener: Multiaddr = "/ip4/10.0.0.1/udp/7/webrtc-direct".parse().unwrap();
        let dialled: Multiaddr = format!("{listener}/certhash/{CERTHASH}").parse().unwrap();
        assert_eq!(webrtc_listener(&listener), Some("10.0.0.1:7".parse().unwrap()));
        assert_eq!((webrtc_server(&listener), webrtc_listener(&dialled)), (None, None));
        let server = webrtc_server(&dialled).unwrap();
        assert_eq!((server.socket.to_string().as_str(), server.peer), ("10.0.0.1:7", None));
        assert_eq!(from_webrtc_server(server.socket, &server.fingerprint), dialled);
        let peer = PeerId::random();
        assert_eq!(webrtc_server(&dialled.clone().with(Protocol::P2p(peer))).unwrap().peer, Some(peer));
        let circuit = dialled.with(Protocol::P2p(peer)).with(Protocol::P2pCircuit);
        assert_eq!(webrtc_server(&circuit), None);
    }

    #[test]
    fn the_relay_of_a_circuit_is_the_last_peer_before_it() {
        let [relay, peer, other] = [(); 3].map(|()| PeerId::random());
        let address = |text: String| text.parse::<Multiaddr>().unwrap();
        let direct = address(format!("/ip4/10.0.0.1/udp/7/quic-v1/p2p/{peer}"));
        let circuit = address(format!("/ip4/10.0.0.1/tcp/7/p2p/{other}/p2p/{relay}/p2p-circuit/p2p/{peer}"));
        assert_eq!((relay_of(&direct), relay_of(&circuit)), (None, Some(relay)));
        assert_eq!(relay_of(&address(format!("/p2p-circuit/p2p/{peer}"))), None, "its relay is not told");
        let inbound = ConnectedPoint::Listener { local_addr: circuit.clone(), send_back_addr: direct.clone() };
        let outward = ConnectedPoint::Listener { local_addr: direct, send_back_addr: circuit };
        assert_eq!((carrier(&inbound), carrier(&outward)), (Some(relay), None));
    }

    #[test]
    fn a_certificate_hash_other_than_sha_256_is_not_dialled() {
        let hash = Multihash::wrap(0x13, &[7; 64]).unwrap();
        let address = from_webrtc("10.0.0.1:7".parse().unwrap()).with(Protocol::Certhash(hash));
        assert_eq!(webrtc_server(&address), None);
    }

    #[test]
    fn a_wildcard_is_announced_as_the_addresses_of_its_family() {
        let local = ["127.0.0.1", "10.0.0.1", "::1"].map(|ip| ip.parse().unwrap());
        let announced = |bound: &str| announced(bound.parse().unwrap(), &local);
        let sockets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        assert_eq!(announced("0.0.0.0:7"), sockets(&["10.0.0.1:7"]));
        assert_eq!(announced("[::]:7"), sockets(&["[::1]:7"]));
    }

    /// An address without the peer at its end.
    fn bare(address: &Multiaddr) -> Multiaddr {
        let mut bare = address.clone();
        if matches!(bare.iter().last(), Some(Protocol::P2p(_))) {
            bare.pop();
        }
        bare
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn any_address_is_taken_whole_by_one_transport_or_by_none(address in arbitrary::multiaddr()) {
            prop_assert!(is_relayed(&address) || relay_of(&address).is_none());
            let (tcp, quic) = (tcp(&address), quic(&address));
            let (listener, server) = (webrtc_listener(&address), webrtc_server(&address));
            let taken = [tcp.is_some(), quic.is_some(), listener.is_some(), server.is_some()];
            prop_assert!(taken.iter().filter(|taken| **taken).count() <= 1);
            if let Some(socket) = listener {
                prop_assert_eq!(from_webrtc(socket), bare(&address));
            }
            if let Some(server) = server {
                prop_assert_eq!(from_webrtc_server(server.socket, &server.fingerprint), bare(&address));
            }
            if let Some(socket) = tcp {
                prop_assert_eq!((from_tcp(socket), Some(socket.ip())), (bare(&address), host(&address)));
            }
            if let Some(socket) = quic {
                prop_assert_eq!(from_quic(socket), bare(&address));
            }
        }

        #[test]
        fn a_socket_address_survives_the_way_there_and_back(ip: IpAddr, port: u16, peer in any::<bool>()) {
            let socket = SocketAddr::new(ip, port);
            let end = |address: Multiaddr| if peer { address.with(Protocol::P2p(libp2p::PeerId::random())) } else { address };
            prop_assert_eq!(tcp(&end(from_tcp(socket))), Some(socket));
            prop_assert_eq!(quic(&end(from_quic(socket))), Some(socket));
            prop_assert_eq!(webrtc_listener(&end(from_webrtc(socket))), Some(socket));
        }

        #[test]
        fn what_is_announced_has_the_bound_port_and_family(bound: SocketAddr, local: Vec<IpAddr>) {
            for announced in announced(bound, &local) {
                prop_assert_eq!((announced.port(), announced.is_ipv4()), (bound.port(), bound.is_ipv4()));
            }
        }
    }
}
