//! The dialling end of webrtc-direct.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use darkswap_webrtc::agent::Agent;
use darkswap_webrtc::certificate::{Certificate, Fingerprint};
use darkswap_webrtc::connection::{CloseReason, Connection, Settings};
use darkswap_webrtc::mux;
use libp2p::identity::Keypair;
use tokio::time::{Instant, timeout_at};

use super::{Error, Output};
use crate::Runtime;
use crate::limits::fixed::webrtc::{FIRST_TRY, HANDSHAKE};
use crate::transport::address::{self, WebrtcServer};
use crate::transport::webrtc::noise::{self, Ends};
use crate::transport::webrtc::port::Port;
use crate::transport::webrtc::{Driven, End};

/// Dials a server and proves who both ends are.
pub(super) async fn connect(
    identity: Keypair,
    runtime: Arc<dyn Runtime>,
    server: WebrtcServer,
) -> Result<Output, Error> {
    let end = Instant::now() + HANDSHAKE;
    let connecting = async {
        let (connection, client) = reach(runtime.as_ref(), server).await?;
        let ends = Ends { client, server: server.fingerprint };
        let (peer, handshake) = noise::to_server(&identity, ends, connection.handshake_channel().await?).await?;
        match server.peer {
            Some(expected) if expected != peer => Err(Error::WrongPeer { found: peer, expected }),
            _ => Ok((peer, connection.into_muxer(Some(server.socket), Some(handshake)))),
        }
    };
    timeout_at(end, connecting).await.unwrap_or(Err(Error::TimedOut))
}

/// A connection that is ready for noise, with our certificate's fingerprint. A first try that does not get there is given up for a
/// second one.
async fn reach(runtime: &dyn Runtime, server: WebrtcServer) -> Result<(Driven, Fingerprint), Error> {
    match timeout_at(Instant::now() + FIRST_TRY, reach_once(runtime, server)).await {
        Ok(reached) => reached,
        Err(_) => reach_once(runtime, server).await,
    }
}

async fn reach_once(runtime: &dyn Runtime, server: WebrtcServer) -> Result<(Driven, Fingerprint), Error> {
    let remote = server.socket;
    let socket = runtime.bind_udp(wildcard(remote))?;
    let ip = local_ip(&runtime.local_addresses()?, remote).ok_or(Error::NoLocalAddress(remote))?;
    let known_as = SocketAddr::new(ip, socket.local_addr()?.port());
    // A certificate that is used twice would let who sees the packets tell that it is the same client.
    let certificate = Certificate::generate()?;
    let fingerprint = certificate.fingerprint();
    let settings = Settings { set_up_timeout: HANDSHAKE, ..Settings::new(certificate) };
    let now = Instant::now().into_std();
    let mut entropy = [0; 32];
    runtime.fill_random(&mut entropy);
    let connection =
        Connection::direct_client(&settings, now, known_as, remote, &mux::ufrag(entropy), &server.fingerprint)?;
    let driven = Driven::start(runtime, Agent::new(connection, None), vec![Port::own(socket, known_as)]);
    match driven.connected().await {
        Ok(()) => Ok((driven, fingerprint)),
        Err(End::Connection(CloseReason::WrongFingerprint { found, expected })) => {
            Err(Error::WrongCertificate { found, expected })
        }
        Err(end) => Err(end.into()),
    }
}

/// The socket is bound to the wildcard: only the host knows over which interface the remote is reached.
fn wildcard(remote: SocketAddr) -> SocketAddr {
    let ip: IpAddr = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(ip, 0)
}

/// A concrete address for ICE to call the socket by. The server learns ours from the packets, so it need not be the one that the
/// host chooses.
fn local_ip(local: &[IpAddr], remote: SocketAddr) -> Option<IpAddr> {
    let alike = |ip: &&IpAddr| ip.is_ipv4() == remote.is_ipv4() && ip.is_loopback() == remote.ip().is_loopback();
    let any = address::announced(wildcard(remote), local);
    local.iter().find(alike).copied().or_else(|| any.first().map(SocketAddr::ip))
}
