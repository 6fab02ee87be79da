//! Bytes that are no handshake of any transport.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use darkswap_node::{Runtime as _, TokioRuntime, UdpSocket};
use libp2p::Multiaddr;
use libp2p::futures::future::join_all;
use libp2p::multiaddr::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::Siege;
use crate::carrier::Carrier;
use crate::common::{PATIENCE, listening};

/// The host and port of an address on this machine.
pub(super) fn socket(address: &Multiaddr) -> SocketAddr {
    let port = address.iter().find_map(|protocol| match protocol {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
        _ => None,
    });
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.expect("an address with a port"))
}

/// Noise that is the same in every run (xorshift64).
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// What a hostile program writes into a TCP connection: nothing of it completes a handshake.
fn beginnings() -> Vec<Vec<u8>> {
    let multistream = b"\x13/multistream/1.0.0\n".to_vec();
    let upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut all = vec![
        Vec::new(),
        b"\x13/multistr".to_vec(),
        multistream.clone(),
        [&multistream[..], b"\x07/noise\n"].concat(),
        [&multistream[..], b"\x07/noise\n", &[0xFF; 70_000]].concat(),
        [&multistream[..], b"\x07/noise\n", &noise(1, 70_000)].concat(),
        // Lengths of a multistream message: without end, far beyond its bound, and many protocols that nobody speaks.
        vec![0xFF; 64],
        [&multistream[..], b"\xFF\xFF\xFF\x7F"].concat(),
        [multistream, b"\x06/none\n".repeat(10_000)].concat(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: a".to_vec(),
        [&b"GET / HTTP/1.1\r\nX: "[..], &[b'a'; 1 << 20]].concat(),
        [&b"GET / HTTP/1.1\r\n"[..], &b"A: b\r\n".repeat(10_000)].concat(),
        upgrade.to_vec(),
        // A frame of 2^63 - 1 bytes, a text frame, and noise where frames should be.
        [&upgrade[..], b"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00\x00\x00\x00"].concat(),
        [&upgrade[..], b"\x81\x85\x00\x00\x00\x00hello"].concat(),
        [&upgrade[..], &noise(2, 10_000)].concat(),
        // The beginning of a TLS handshake.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03".to_vec(),
    ];
    all.extend((3..20).map(|seed| noise(seed, 4_000)));
    all
}

#[tokio::test]
async fn garbage_on_a_tcp_or_websocket_port_is_hung_up_on_and_the_node_goes_on() {
    for carrier in [Carrier::Tcp, Carrier::WebSocket] {
        let siege = Siege::begin(listening(carrier.loopback())).await;
        let to = socket(&siege.address);
        let attempts = beginnings().into_iter().flat_map(|bytes| [(bytes.clone(), true), (bytes, false)]);
        let attempts = join_all(attempts.map(|(bytes, half_closed)| async move {
            let mut stream = TokioRuntime.connect_tcp(to).await.unwrap();
            // The node may hang up before it has taken everything.
            let _ = stream.write_all(&bytes).await;
            if half_closed {
                let _ = stream.shutdown().await;
            }
            let hung_up = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
            let start = bytes.escape_ascii().take(60).map(char::from).collect::<String>();
            assert!(hung_up.is_ok(), "{carrier:?}: the node holds on to a connection that began with {start}");
        }));
        let honest = async {
            siege.serves().await;
            siege.serves_newcomers().await;
        };
        tokio::join!(attempts, honest);
        siege.serves_newcomers().await;
    }
}

/// Datagrams that are no QUIC, or the beginning of it: headers of every kind before noise.
fn datagrams() -> impl Iterator<Item = Vec<u8>> {
    const HEADERS: [&[u8]; 9] = [
        b"",
        // Initial, 0-RTT, Handshake and Retry of version 1 with connection ids of 8 bytes.
        b"\xC3\x00\x00\x00\x01\x08ABCDEFGH\x08abcdefgh\x00\x44\x80",
        b"\xD3\x00\x00\x00\x01\x08ABCDEFGH\x08abcdefgh\x44\x80",
        b"\xE3\x00\x00\x00\x01\x08ABCDEFGH\x08abcdefgh\x44\x80",
        b"\xF3\x00\x00\x00\x01\x08ABCDEFGH\x08abcdefgh",
        // A version that nobody speaks, version negotiation, an id beyond 20 bytes, a short header.
        b"\xC3\xBA\xBA\xBA\xBA\x08ABCDEFGH\x08abcdefgh",
        b"\xC3\x00\x00\x00\x00\x08ABCDEFGH\x08abcdefgh",
        b"\xC3\x00\x00\x00\x01\xFF",
        b"\x43ABCDEFGH",
    ];
    const LENGTHS: [usize; 6] = [0, 1, 20, 64, 1_200, 1_452];
    (0..40).flat_map(|seed| {
        HEADERS.iter().flat_map(move |header| {
            LENGTHS.map(move |length| [*header, &noise(seed, length.saturating_sub(header.len()))].concat())
        })
    })
}

async fn send(from: &dyn UdpSocket, to: SocketAddr, datagram: &[u8]) {
    loop {
        match from.try_send(datagram, to) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                poll_fn(|cx| from.poll_writable(cx)).await.unwrap();
            }
            sent => break sent.unwrap(),
        }
    }
}

#[tokio::test]
async fn garbage_datagrams_on_the_quic_port_are_dropped_and_the_node_goes_on() {
    let siege = Siege::begin(listening(Carrier::Quic.loopback())).await;
    let to = socket(&siege.address);
    let from = TokioRuntime.bind_udp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let flood = async {
        for (index, datagram) in datagrams().enumerate() {
            send(&*from, to, &datagram).await;
            if index % 16 == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    let honest = async {
        siege.serves().await;
        siege.serves_newcomers().await;
    };
    tokio::join!(flood, honest);
    siege.serves().await;
    siege.serves_newcomers().await;

    // The node saw what was sent: it answered the unknown version with the one it speaks (RFC 9000, section 6).
    let mut buffer = [0; 2_048];
    let negotiation = async {
        loop {
            let (length, sender) = poll_fn(|cx| from.poll_recv(cx, &mut buffer)).await.unwrap();
            if sender == to && buffer[..length].get(1..5) == Some(&[0; 4]) {
                break buffer[..length].to_vec();
            }
        }
    };
    let negotiation = timeout(PATIENCE, negotiation).await.expect("version negotiation in time");
    assert!(negotiation.windows(4).any(|version| version == [0, 0, 0, 1]), "{negotiation:02x?}");
}
