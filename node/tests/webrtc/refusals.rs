//! Connections that must not come about, and one that comes about at the second try.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use darkswap_node::transport::webrtc::direct::Error;
use darkswap_node::{Runtime, TcpListener, TcpStream, TokioRuntime, UdpSocket};
use futures::future::BoxFuture;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::multihash::Multihash;
use libp2p::{Multiaddr, PeerId};

use crate::peers::{Server, dial, echo, round_trip};

#[tokio::test]
async fn a_server_with_another_certificate_than_its_address_says_is_refused() {
    let server = Server::start().await;
    let identity = Keypair::generate_ed25519();
    let other = Multihash::wrap(0x12, &[7; 32]).unwrap();
    let address: Multiaddr = server.address.iter().take(3).chain([Protocol::Certhash(other)]).collect();
    let refused = dial(&identity, &address, Arc::new(TokioRuntime)).await;
    assert!(matches!(refused, Err(Error::WrongCertificate { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_is_somebody_else_is_refused() {
    let server = Server::start().await;
    let identity = Keypair::generate_ed25519();
    let expected = PeerId::random();
    let refused = dial(&identity, &server.address.clone().with(Protocol::P2p(expected)), Arc::new(TokioRuntime)).await;
    match refused {
        Err(Error::WrongPeer { found, expected: wanted }) => assert_eq!((found, wanted), (server.peer, expected)),
        other => panic!("{other:?}"),
    }
    let right = server.address.clone().with(Protocol::P2p(server.peer));
    assert!(dial(&identity, &right, Arc::new(TokioRuntime)).await.is_ok());
}

#[tokio::test]
async fn a_first_try_that_gets_nowhere_is_followed_by_a_second_one() {
    let mut server = Server::start().await;
    let identity = Keypair::generate_ed25519();
    let runtime = Arc::new(FirstSocketDead::default());
    let address = server.address.clone();
    let (dialled, (_, listener)) = tokio::join!(dial(&identity, &address, runtime), server.accept());
    echo(listener);
    round_trip(&mut dialled.unwrap().1, b"second").await;
}

#[tokio::test]
async fn nobody_at_the_address_is_a_time_out_within_the_bound() {
    let server = Server::start().await;
    let silent = TokioRuntime.bind_udp("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = Protocol::Udp(silent.local_addr().unwrap().port());
    let address: Multiaddr =
        server.address.iter().map(|part| if matches!(part, Protocol::Udp(_)) { port.clone() } else { part }).collect();
    let identity = Keypair::generate_ed25519();
    let dialling = dial(&identity, &address, Arc::new(TokioRuntime));
    let refused = tokio::time::timeout(Duration::from_secs(12), dialling).await.expect("10 s are the bound");
    assert!(matches!(refused, Err(Error::TimedOut)), "{refused:?}");
}

/// A host whose first UDP socket loses everything that it is to send.
#[derive(Debug, Default)]
struct FirstSocketDead {
    used: AtomicBool,
}

impl Runtime for FirstSocketDead {
    fn bind_udp(&self, local: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        let socket = TokioRuntime.bind_udp(local)?;
        let first = !self.used.swap(true, Ordering::Relaxed);
        Ok(if first { Arc::new(Dead(socket)) } else { socket })
    }

    fn listen_tcp(&self, local: SocketAddr) -> io::Result<Box<dyn TcpListener>> {
        TokioRuntime.listen_tcp(local)
    }

    fn connect_tcp(&self, remote: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn TcpStream>>> {
        TokioRuntime.connect_tcp(remote)
    }

    fn local_addresses(&self) -> io::Result<Vec<IpAddr>> {
        TokioRuntime.local_addresses()
    }

    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        TokioRuntime.resolve(name)
    }

    fn open_storage(&self, file: &std::path::Path) -> io::Result<Box<dyn redb::StorageBackend>> {
        TokioRuntime.open_storage(file)
    }

    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        TokioRuntime.spawn(name, task);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        TokioRuntime.fill_random(bytes);
    }

    fn wall_clock(&self) -> Duration {
        TokioRuntime.wall_clock()
    }
}

#[derive(Debug)]
struct Dead(Arc<dyn UdpSocket>);

impl UdpSocket for Dead {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn try_send(&self, _: &[u8], _: SocketAddr) -> io::Result<()> {
        Ok(())
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_writable(cx)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.0.poll_recv(cx, buffer)
    }
}
