//! A place where a connection sends and receives: a socket of its own, or its share of a listener's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::endpoint::Lease;
use crate::UdpSocket;

/// The error numbers of `EMSGSIZE` on Linux, macOS and Windows.
const MESSAGE_TOO_LONG: [i32; 3] = [90, 40, 10_040];

/// A place where a connection sends and receives.
#[derive(Debug)]
pub(in crate::transport) struct Port {
    local: SocketAddr,
    link: Link,
}

#[derive(Debug)]
enum Link {
    Own(Arc<dyn UdpSocket>),
    Shared(Lease),
}

impl Port {
    /// A socket that nobody else uses. `local` is what the connection calls it: the socket's address, or a concrete one for a
    /// socket that is bound to the wildcard.
    pub(in crate::transport) fn own(socket: Arc<dyn UdpSocket>, local: SocketAddr) -> Self {
        Self { local, link: Link::Own(socket) }
    }

    /// The share of a listener's socket.
    pub(super) fn shared(lease: Lease) -> Self {
        Self { local: lease.local(), link: Link::Shared(lease) }
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Receives one datagram.
    ///
    /// # Errors
    /// When the socket is gone.
    pub(super) fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        match &self.link {
            Link::Own(socket) => socket.poll_recv(cx, buffer),
            Link::Shared(lease) => lease.inbox().poll_recv(cx, buffer).map(|received| {
                received.ok_or_else(|| io::Error::new(io::ErrorKind::BrokenPipe, "the listener's socket is gone"))
            }),
        }
    }

    /// Sends one datagram. Whatever a host says against it concerns this datagram and this moment only: it counts as lost.
    /// `false` when the socket is full and [`poll_writable`](Self::poll_writable) tells when to try again.
    pub(super) fn try_send(&self, payload: &[u8], remote: SocketAddr) -> bool {
        let sent = match &self.link {
            Link::Own(socket) => socket.try_send(payload, remote),
            Link::Shared(lease) => lease.socket().try_send(payload, remote),
        };
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) if error.raw_os_error().is_some_and(|code| MESSAGE_TOO_LONG.contains(&code)) => {}
            Err(error) => tracing::debug!(%remote, %error, "a WebRTC datagram was not sent"),
            Ok(()) => {}
        }
        true
    }

    /// Becomes ready when [`try_send`](Self::try_send) is worth another try.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.link {
            Link::Own(socket) => socket.poll_writable(cx),
            Link::Shared(lease) => lease.poll_writable(cx),
        }
    }

    /// The peer has proved who it is: the share becomes that of an established connection.
    pub(super) fn established(&self) {
        if let Link::Shared(lease) = &self.link {
            lease.established();
        }
    }
}
