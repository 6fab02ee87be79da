//! Addresses as a hostile peer may send them: well-formed, of any shape.

use std::net::{Ipv4Addr, Ipv6Addr};

use libp2p::multiaddr::Protocol;
use libp2p::multihash::Multihash;
use libp2p::{Multiaddr, PeerId};
use proptest::prelude::*;

fn protocol() -> impl Strategy<Value = Protocol<'static>> {
    let ip4 = prop_oneof![Just(Ipv4Addr::UNSPECIFIED), Just(Ipv4Addr::LOCALHOST), any::<Ipv4Addr>()];
    let ip6 = prop_oneof![Just(Ipv6Addr::UNSPECIFIED), Just(Ipv6Addr::LOCALHOST), any::<Ipv6Addr>()];
    let port = || prop_oneof![Just(0), any::<u16>()];
    prop_oneof![
        ip4.prop_map(Protocol::Ip4),
        ip6.prop_map(Protocol::Ip6),
        port().prop_map(Protocol::Tcp),
        port().prop_map(Protocol::Udp),
        Just(Protocol::QuicV1),
        Just(Protocol::Quic),
        Just(Protocol::P2pCircuit),
        Just(Protocol::Tls),
        Just(Protocol::WebRTCDirect),
        Just(Protocol::WebRTC),
        any::<[u8; 32]>().prop_map(certhash),
        any::<String>().prop_map(|path| Protocol::Ws(path.into())),
        any::<String>().prop_map(|name| Protocol::Dns(name.into())),
        any::<String>().prop_map(|name| Protocol::Dns4(name.into())),
        any::<String>().prop_map(|name| Protocol::Dns6(name.into())),
        any::<String>().prop_map(|path| Protocol::Unix(path.into())),
        any::<u64>().prop_map(Protocol::Memory),
        any::<[u8; 32]>().prop_map(|digest| Protocol::P2p(peer(digest))),
    ]
}

fn peer(digest: [u8; 32]) -> PeerId {
    // Multihash of SHA-256: code and length, then the digest.
    PeerId::from_bytes(&[&[0x12, 0x20], &digest[..]].concat()).expect("a SHA-256 multihash is a peer id")
}

fn certhash(digest: [u8; 32]) -> Protocol<'static> {
    Protocol::Certhash(Multihash::wrap(0x12, &digest).expect("the digest of SHA-256 fits"))
}

/// The beginning of an address that a transport may take.
fn socket() -> impl Strategy<Value = Vec<Protocol<'static>>> {
    let ip = prop_oneof![any::<Ipv4Addr>().prop_map(Protocol::Ip4), any::<Ipv6Addr>().prop_map(Protocol::Ip6)];
    let kind = any::<u16>().prop_flat_map(|port| {
        prop_oneof![
            Just(vec![Protocol::Tcp(port)]),
            Just(vec![Protocol::Tcp(port), Protocol::Ws("/".into())]),
            Just(vec![Protocol::Udp(port), Protocol::QuicV1]),
            Just(vec![Protocol::Udp(port), Protocol::WebRTCDirect]),
            any::<[u8; 32]>().prop_map(move |digest| vec![
                Protocol::Udp(port),
                Protocol::WebRTCDirect,
                certhash(digest)
            ]),
        ]
    });
    (ip, kind).prop_map(|(ip, kind)| std::iter::once(ip).chain(kind).collect())
}

/// An address of protocols in any order, of a socket with anything behind it, or whatever arbitrary bytes happen to be.
pub(crate) fn multiaddr() -> impl Strategy<Value = Multiaddr> {
    let sequence = prop::collection::vec(protocol(), 0..8).prop_map(Multiaddr::from_iter);
    let behind = (socket(), prop::collection::vec(protocol(), 0..3));
    let behind = behind.prop_map(|(socket, rest)| socket.into_iter().chain(rest).collect());
    let bytes = any::<Vec<u8>>().prop_map(|bytes| Multiaddr::try_from(bytes).unwrap_or_else(|_| Multiaddr::empty()));
    prop_oneof![4 => sequence, 4 => behind, 1 => bytes]
}
