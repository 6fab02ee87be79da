//! A libp2p transport for QUIC v1 (RFC 9000) on quinn, over the seam's UDP.

mod arrivals;
mod connection;
mod listener;
mod punch;
mod socket;
mod tls;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::stream::SelectAll;
use futures::{FutureExt as _, StreamExt as _};
use libp2p::core::Endpoint as Role;
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};

use super::address;
use crate::limits::fixed::quic as limits;
use crate::{Runtime, UdpSocket};
use arrivals::{Arrivals, Expected};
pub use connection::{Connection, Stream};
use listener::Listener;
use socket::{QuinnRuntime, Socket};
pub use tls::TlsError;

type Output = (PeerId, Connection);
type Upgrade = BoxFuture<'static, io::Result<Output>>;
type Event = TransportEvent<Upgrade, io::Error>;

/// QUIC v1 for libp2p, for `/ip4/../udp/../quic-v1` and `/ip6/../udp/../quic-v1`.
pub struct Transport {
    runtime: Arc<dyn Runtime>,
    endpoint: quinn::EndpointConfig,
    client: quinn::ClientConfig,
    server: quinn::ServerConfig,
    listeners: SelectAll<Listener>,
    /// Endpoints for dialling while nothing listens, by address family.
    dialers: BTreeMap<bool, quinn::Endpoint>,
    arrivals: Arrivals,
}

impl Transport {
    /// A transport whose sockets come from `runtime` and whose certificate is signed by `identity`.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn new(identity: &Keypair, runtime: Arc<dyn Runtime>) -> Result<Self, TlsError> {
        let tls = tls::configure(identity)?;
        let mut bounds = quinn::TransportConfig::default();
        bounds
            .max_concurrent_uni_streams(0_u32.into())
            .max_concurrent_bidi_streams(limits::STREAMS.into())
            .datagram_receive_buffer_size(None)
            .keep_alive_interval(Some(limits::KEEP_ALIVE))
            .max_idle_timeout(limits::IDLE.try_into().ok())
            .stream_receive_window(limits::STREAM_WINDOW.into())
            .receive_window(limits::WINDOW.into())
            .allow_spin(false);
        let bounds = Arc::new(bounds);
        let mut client = quinn::ClientConfig::new(tls.client);
        client.transport_config(Arc::clone(&bounds));
        let mut server = quinn::ServerConfig::with_crypto(tls.server);
        // Tokens are off by default, unless some other crate of the build turns a feature of quinn on.
        let mut tokens = quinn::ValidationTokenConfig::default();
        tokens.sent(0).log(Arc::new(quinn::NoneTokenLog));
        server.transport_config(bounds).max_incoming(limits::PENDING).validation_token_config(tokens);
        let mut endpoint = quinn::EndpointConfig::default();
        endpoint.supported_versions(vec![1]);
        Ok(Self {
            runtime,
            endpoint,
            client,
            server,
            listeners: SelectAll::new(),
            dialers: BTreeMap::new(),
            arrivals: Arrivals::default(),
        })
    }

    fn bind(&self, local: SocketAddr, server: bool) -> io::Result<(quinn::Endpoint, Arc<dyn UdpSocket>)> {
        let socket = self.runtime.bind_udp(local)?;
        let endpoint = quinn::Endpoint::new_with_abstract_socket(
            self.endpoint.clone(),
            server.then(|| self.server.clone()),
            Arc::new(Socket::new(Arc::clone(&socket))),
            Arc::new(QuinnRuntime(Arc::clone(&self.runtime))),
        )?;
        Ok((endpoint, socket))
    }

    /// The listener from whose port to dial, so that NATs see one internal endpoint.
    fn listener_for(&self, remote: SocketAddr) -> Option<&Listener> {
        let loopback = |listener: &&Listener| listener.bound().ip().is_loopback() == remote.ip().is_loopback();
        let family = || {
            self.listeners
                .iter()
                .filter(|listener| listener.is_open() && listener.bound().is_ipv4() == remote.is_ipv4())
        };
        family().find(|listener| listener.bound().ip().is_unspecified()).or_else(|| family().find(loopback))
    }

    fn dialer(&mut self, remote: SocketAddr) -> io::Result<quinn::Endpoint> {
        if let Some(endpoint) = self.dialers.get(&remote.is_ipv4()) {
            return Ok(endpoint.clone());
        }
        let (endpoint, _) = self.bind(wildcard(remote), false)?;
        self.dialers.insert(remote.is_ipv4(), endpoint.clone());
        Ok(endpoint)
    }

    fn dial_as_client(&mut self, remote: SocketAddr, port: PortUse) -> io::Result<Upgrade> {
        let reused = match port {
            PortUse::Reuse => self.listener_for(remote).map(|listener| listener.endpoint().clone()),
            PortUse::New => None,
        };
        let endpoint = match (reused, port) {
            (Some(endpoint), _) => endpoint,
            (None, PortUse::Reuse) => self.dialer(remote)?,
            (None, PortUse::New) => self.bind(wildcard(remote), false)?.0,
        };
        // The name is not checked; libp2p's identity is in the certificate.
        let connecting = endpoint.connect_with(self.client.clone(), remote, "l").map_err(io::Error::other)?;
        Ok(async move {
            let output = finish(connecting).await;
            drop(endpoint);
            output
        }
        .boxed())
    }

    fn dial_as_server(&mut self, remote: SocketAddr) -> io::Result<Upgrade> {
        let listener = self.listener_for(remote).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                format!("no QUIC listener to punch a hole to {remote} from"),
            )
        })?;
        let punching = punch::punch(listener.socket(), remote, Arc::clone(&self.runtime));
        let arrival = match self.arrivals.expect(remote)? {
            Expected::Arrived(upgrade) => return Ok(upgrade),
            Expected::Awaited(arrival) => arrival,
        };
        Ok(async move {
            let punching = std::pin::pin!(punching);
            match futures::future::select(arrival, punching).await {
                futures::future::Either::Left((Ok(upgrade), _)) => upgrade.await,
                futures::future::Either::Left((Err(_), _)) => {
                    Err(io::Error::new(io::ErrorKind::BrokenPipe, "the transport ended during a hole punch"))
                }
                futures::future::Either::Right((error, _)) => Err(error),
            }
        }
        .boxed())
    }
}

impl libp2p::Transport for Transport {
    type Output = Output;
    type Error = io::Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Upgrade;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        let socket = address::quic(&address).ok_or(TransportError::MultiaddrNotSupported(address))?;
        let (endpoint, socket) = self.bind(socket, true).map_err(TransportError::Other)?;
        let local = self.runtime.local_addresses().map_err(TransportError::Other)?;
        self.listeners.push(Listener::new(id, endpoint, socket, &local).map_err(TransportError::Other)?);
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.listeners.iter_mut().find(|listener| listener.id() == id).is_some_and(Listener::close)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Upgrade, TransportError<io::Error>> {
        let socket = address::quic(&address).filter(|socket| address::is_dialable(*socket));
        let remote = socket.ok_or(TransportError::MultiaddrNotSupported(address))?;
        match options.role {
            Role::Dialer => self.dial_as_client(remote, options.port_use),
            Role::Listener => self.dial_as_server(remote),
        }
        .map_err(TransportError::Other)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        self.arrivals.tidy();
        while let Poll::Ready(Some(event)) = self.listeners.poll_next_unpin(cx) {
            match event {
                listener::Event::Transport(event) => return Poll::Ready(event),
                listener::Event::Incoming { listener_id, local, remote, upgrade } => {
                    if let Some(upgrade) = self.arrivals.arrived(remote, upgrade) {
                        return Poll::Ready(TransportEvent::Incoming {
                            listener_id,
                            upgrade,
                            local_addr: address::from_quic(local),
                            send_back_addr: address::from_quic(remote),
                        });
                    }
                }
            }
        }
        Poll::Pending
    }
}

fn wildcard(remote: SocketAddr) -> SocketAddr {
    let ip: IpAddr = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(ip, 0)
}

/// Waits for a handshake and reads the peer's identity.
async fn finish(connecting: quinn::Connecting) -> io::Result<Output> {
    let connection = match tokio::time::timeout(limits::HANDSHAKE, connecting).await {
        Ok(connection) => connection?,
        Err(_) => {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no QUIC handshake within {:?}", limits::HANDSHAKE),
            ));
        }
    };
    let peer = tls::peer_id(&connection).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "found no libp2p certificate, expected exactly one")
    })?;
    Ok((peer, Connection::new(connection)))
}
