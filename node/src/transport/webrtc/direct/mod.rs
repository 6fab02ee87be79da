//! webrtc-direct: a public server with a certificate hash in its address, and anybody that dials it (libp2p WebRTC Direct).
//!
//! The server multiplexes all of its connections over one socket and is told nothing beforehand; the client infers the server's
//! description from the address. Who the peers are is proved by noise, over data channel 0.

mod client;
mod error;
mod listener;
mod server;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use darkswap_webrtc::certificate::{Certificate, CertificateError};
use darkswap_webrtc::mux::{Mux, MuxSettings};
use futures::future::BoxFuture;
use futures::stream::SelectAll;
use futures::{FutureExt as _, StreamExt as _};
use libp2p::core::Endpoint as Role;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};

use super::Muxer;
pub use super::endpoint::Counts;
use super::endpoint::Endpoint;
use crate::Runtime;
use crate::transport::address;
pub use error::Error;
use listener::Listener;

type Output = (PeerId, Muxer);
type Upgrade = BoxFuture<'static, Result<Output, Error>>;
type Event = TransportEvent<Upgrade, Error>;

/// webrtc-direct for libp2p, for `/ip4/../udp/../webrtc-direct` and `/ip6/../udp/../webrtc-direct`.
pub struct Transport {
    identity: Keypair,
    runtime: Arc<dyn Runtime>,
    certificate: Certificate,
    listeners: SelectAll<Listener>,
}

impl Transport {
    /// A transport whose sockets come from `runtime`. Its listeners show `certificate`, or a new one.
    ///
    /// # Errors
    /// When a certificate cannot be made.
    pub fn new(
        identity: &Keypair,
        runtime: Arc<dyn Runtime>,
        certificate: Option<Certificate>,
    ) -> Result<Self, CertificateError> {
        let certificate = certificate.map_or_else(Certificate::generate, Ok)?;
        Ok(Self { identity: identity.clone(), runtime, certificate, listeners: SelectAll::new() })
    }

    /// What goes on at a listener's socket.
    #[must_use]
    pub fn counts(&self, id: ListenerId) -> Option<Counts> {
        self.listeners.iter().find(|listener| listener.id() == id).map(Listener::counts)
    }

    fn listen(&self, id: ListenerId, local: SocketAddr) -> io::Result<Listener> {
        let socket = self.runtime.bind_udp(local)?;
        let bound = socket.local_addr()?;
        let announced = address::announced(bound, &self.runtime.local_addresses()?);
        // A wildcard socket does not tell at which address a datagram arrived. ICE needs a concrete one; since the server is lite
        // and answers from where the host routes, any will do.
        let known_as = announced.first().copied().unwrap_or(bound);
        let endpoint = Endpoint::start(socket, known_as, Mux::new(MuxSettings::default()), self.runtime.as_ref());
        Ok(Listener::new(id, endpoint, &announced, &self.certificate.fingerprint()))
    }
}

impl libp2p::Transport for Transport {
    type Output = Output;
    type Error = Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Upgrade;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Error>> {
        let socket = address::webrtc_listener(&address).ok_or(TransportError::MultiaddrNotSupported(address))?;
        let listener = self.listen(id, socket).map_err(|error| TransportError::Other(error.into()))?;
        self.listeners.push(listener);
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.listeners.iter_mut().find(|listener| listener.id() == id).is_some_and(Listener::close)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Upgrade, TransportError<Error>> {
        // There is no such thing as a hole punch towards a client of webrtc-direct.
        let server = match options.role {
            Role::Dialer => address::webrtc_server(&address),
            Role::Listener => None,
        };
        let server = server.filter(|server| address::is_dialable(server.socket));
        let server = server.ok_or(TransportError::MultiaddrNotSupported(address))?;
        Ok(client::connect(self.identity.clone(), Arc::clone(&self.runtime), server).boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        match self.listeners.poll_next_unpin(cx) {
            Poll::Ready(Some(listener::Event::Transport(event))) => Poll::Ready(event),
            Poll::Ready(Some(listener::Event::Incoming { listener_id, arrival })) => {
                let local_addr = address::from_webrtc_server(arrival.port.local(), &self.certificate.fingerprint());
                let send_back_addr = address::from_webrtc(arrival.remote);
                let server = (self.identity.clone(), self.certificate.clone());
                let upgrade = server::accept(server, Arc::clone(&self.runtime), arrival).boxed();
                Poll::Ready(TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr })
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
