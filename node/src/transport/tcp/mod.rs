//! A libp2p transport over the seam's TCP: plain byte streams, upgraded above with noise and yamux.

mod listener;
mod stream;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, Ready};
use futures::stream::SelectAll;
use futures::{FutureExt as _, StreamExt as _};
use libp2p::Multiaddr;
use libp2p::core::Endpoint;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};

use super::address;
use crate::Runtime;
use crate::limits::fixed::stream::CONNECT;
use listener::Listener;
pub use stream::Stream;

type Event = TransportEvent<Ready<io::Result<Stream>>, io::Error>;

/// TCP for libp2p, for `/ip4/../tcp/..` and `/ip6/../tcp/..`.
#[derive(Debug)]
pub struct Transport {
    runtime: Arc<dyn Runtime>,
    listeners: SelectAll<Listener>,
}

impl Transport {
    /// A transport whose sockets come from `runtime`.
    #[must_use]
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self { runtime, listeners: SelectAll::new() }
    }
}

impl libp2p::Transport for Transport {
    type Output = Stream;
    type Error = io::Error;
    type ListenerUpgrade = Ready<io::Result<Stream>>;
    type Dial = BoxFuture<'static, io::Result<Stream>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        let socket = address::tcp(&address).ok_or(TransportError::MultiaddrNotSupported(address))?;
        let listener = self.runtime.listen_tcp(socket).map_err(TransportError::Other)?;
        let local = self.runtime.local_addresses().map_err(TransportError::Other)?;
        self.listeners.push(Listener::new(id, listener, &local).map_err(TransportError::Other)?);
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.listeners.iter_mut().find(|listener| listener.id() == id).is_some_and(Listener::close)
    }

    /// Dials. A TCP hole punch would need simultaneous open from the listening port, which the seam does not offer: the side
    /// that DCUtR casts as the listener is told that the address is not supported, and QUIC does the punching.
    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let socket = address::tcp(&address).filter(|socket| address::is_dialable(*socket));
        let Some(socket) = socket.filter(|_| options.role == Endpoint::Dialer) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let connect = self.runtime.connect_tcp(socket);
        Ok(async move {
            match tokio::time::timeout(CONNECT, connect).await {
                Ok(stream) => Ok(Stream::new(stream?)),
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no TCP connection within {CONNECT:?}"))),
            }
        }
        .boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        match self.listeners.poll_next_unpin(cx) {
            Poll::Ready(Some(event)) => Poll::Ready(event),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
