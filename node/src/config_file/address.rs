//! Which multiaddresses a node can use, and for what.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use super::problem::excerpt;
use crate::config::PeerAddress;

/// Shapes of an address that the node listens on or dials.
const SHAPES: &str =
    "`/ip4/../tcp/..`, `/ip4/../tcp/../ws`, `/ip4/../udp/../quic-v1` or `/ip4/../udp/../webrtc-direct`";

/// The same for addresses to dial.
const DIALLED: &str =
    "`/ip4/../tcp/..`, `/ip4/../tcp/../ws`, `/ip4/../udp/../quic-v1` or `/ip4/../udp/../webrtc-direct/certhash/..`";

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Listen,
    Dial,
}

/// Whether an address has exactly one of the shapes, with an IP address or a host name.
fn has_known_shape(address: &Multiaddr, purpose: Purpose) -> bool {
    let mut parts = address.iter();
    let is_host = parts.next().is_some_and(|host| {
        matches!(host, Protocol::Ip4(_) | Protocol::Ip6(_) | Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_))
    });
    is_host
        && matches!(
            (parts.next(), parts.next(), parts.next(), parts.next(), purpose),
            (Some(Protocol::Tcp(_)), None | Some(Protocol::Ws(_)), None, None, _)
                | (Some(Protocol::Udp(_)), Some(Protocol::QuicV1), None, None, _)
                | (Some(Protocol::Udp(_)), Some(Protocol::WebRTCDirect), None, None, Purpose::Listen)
                // A dialler has to know the fingerprint of the server's certificate.
                | (Some(Protocol::Udp(_)), Some(Protocol::WebRTCDirect), Some(Protocol::Certhash(_)), None, Purpose::Dial)
        )
}

/// An address to listen on: an IP address of this host with a port, 0 for any.
pub(super) fn listen_address(text: &str) -> Result<Multiaddr, String> {
    let address = multiaddress(text)?;
    let is_ip = matches!(address.iter().next(), Some(Protocol::Ip4(_) | Protocol::Ip6(_)));
    if is_ip && has_known_shape(&address, Purpose::Listen) {
        Ok(address)
    } else {
        Err(format!("cannot listen on `{}`, expected {SHAPES} (or with `/ip6`)", excerpt(text)))
    }
}

/// An address under which others reach this node, whatever stands in between.
pub(super) fn external_address(text: &str) -> Result<Multiaddr, String> {
    let address = multiaddress(text)?;
    let unreachable = address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) if ip.is_unspecified() => Some("0.0.0.0 is not an address that others can dial"),
        Protocol::Ip6(ip) if ip.is_unspecified() => Some(":: is not an address that others can dial"),
        Protocol::Tcp(0) | Protocol::Udp(0) => Some("port 0 is not a port that others can dial"),
        Protocol::P2p(_) | Protocol::P2pCircuit => Some("expected an address without `/p2p` and `/p2p-circuit`"),
        _ => None,
    });
    match unreachable {
        Some(reason) => Err(format!("`{}` cannot be an external address: {reason}", excerpt(text))),
        None if address.iter().count() >= 2 => Ok(address),
        None => Err(format!("`{}` has no port, expected for example `/ip4/198.51.100.7/tcp/4001`", excerpt(text))),
    }
}

/// A peer that is dialled without a relay: address and peer id.
pub(super) fn direct_peer_address(text: &str) -> Result<PeerAddress, String> {
    let found: PeerAddress = peer_address(text)?;
    if has_known_shape(&found.address, Purpose::Dial) {
        Ok(found)
    } else {
        Err(format!(
            "cannot dial `{}`, expected {DIALLED} (or with `/ip6`, `/dns4`, `/dns6`), then `/p2p/..`",
            excerpt(text)
        ))
    }
}

/// Reads a peer and one address of it, which may lead through a relay: `/ip4/../tcp/../p2p/<relay>/p2p-circuit/p2p/<peer>`.
///
/// # Errors
/// What was found and what was expected, for people.
pub fn peer_address(text: &str) -> Result<PeerAddress, String> {
    let mut address = multiaddress(text)?;
    match address.pop() {
        Some(Protocol::P2p(peer)) if !address.is_empty() => Ok(PeerAddress { peer, address }),
        _ => Err(format!(
            "`{}` does not say which peer, expected an address that ends in `/p2p/<peer id>`",
            excerpt(text)
        )),
    }
}

fn multiaddress(text: &str) -> Result<Multiaddr, String> {
    text.parse::<Multiaddr>().map_err(|error| {
        format!("found `{}`, expected a multiaddress such as `/ip4/192.0.2.1/tcp/4001`: {error}", excerpt(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    #[test]
    fn listen_addresses_have_one_of_four_shapes() {
        for text in [
            "/ip4/0.0.0.0/tcp/4001",
            "/ip6/::/tcp/0/ws",
            "/ip4/127.0.0.1/udp/4001/quic-v1",
            "/ip6/::/udp/0/webrtc-direct",
        ] {
            assert!(listen_address(text).is_ok(), "{text}");
        }
        for text in
            ["", "4001", "/ip4/0.0.0.0", "/ip4/0.0.0.0/udp/1", "/dns4/a.b/tcp/1", "/ip4/1.2.3.4/tcp/1/wss", "/tcp/1"]
        {
            assert!(listen_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn external_addresses_can_be_dialled() {
        for text in ["/ip4/198.51.100.7/udp/4001/quic-v1", "/dns4/relay.example.org/tcp/443/wss"] {
            assert!(external_address(text).is_ok(), "{text}");
        }
        for text in ["/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/1", "/ip4/1.2.3.4/tcp/0", "/ip4/1.2.3.4"] {
            assert!(external_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_peer_address_names_the_last_peer() {
        let circuit = peer_address(&format!("/ip4/1.2.3.4/tcp/1/p2p/{PEER}/p2p-circuit/p2p/{PEER}")).unwrap();
        assert_eq!(circuit.peer.to_string(), PEER);
        assert!(circuit.address.to_string().ends_with("/p2p-circuit"));
        assert!(peer_address("/ip4/1.2.3.4/tcp/1").is_err());
        assert!(peer_address(&format!("/p2p/{PEER}")).is_err());
        assert!(direct_peer_address(&format!("/ip4/1.2.3.4/tcp/1/p2p/{PEER}/p2p-circuit/p2p/{PEER}")).is_err());
        let webrtc = "/ip4/192.0.2.1/udp/9002/webrtc-direct";
        let certhash = "/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ";
        assert!(direct_peer_address(&format!("{webrtc}{certhash}/p2p/{PEER}")).is_ok());
        assert!(
            direct_peer_address(&format!("{webrtc}/p2p/{PEER}")).unwrap_err().contains("webrtc-direct/certhash/..")
        );
        assert!(listen_address(&format!("{webrtc}{certhash}")).is_err());
        assert!(direct_peer_address(&format!("/dns4/a.example/tcp/1/ws/p2p/{PEER}")).is_ok());
    }
}
