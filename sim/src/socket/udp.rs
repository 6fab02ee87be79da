//! The UDP socket of a simulated host.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};

use darkswap_node::UdpSocket;
use futures::FutureExt;
use turmoil_net::shim::tokio::net;

use super::Owner;
use super::owned::Owned;

/// A bound UDP socket of a simulated host.
#[derive(Debug)]
pub(crate) struct SimUdpSocket {
    socket: Owned<net::UdpSocket>,
    local: SocketAddr,
}

impl SimUdpSocket {
    pub(crate) fn bind(owner: Owner, local: SocketAddr) -> io::Result<Self> {
        owner.enter()?;
        let socket = net::UdpSocket::bind(local).now_or_never().ok_or(io::ErrorKind::WouldBlock)??;
        let local = socket.local_addr()?;
        Ok(Self { socket: Owned::new(owner, socket), local })
    }
}

impl UdpSocket for SimUdpSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn try_send(&self, payload: &[u8], remote: SocketAddr) -> io::Result<()> {
        self.socket.enter()?.try_send_to(payload, remote)?;
        self.socket.owner().signal().host_may_have_sent();
        Ok(())
    }

    /// The simulated stack takes every datagram at once; the network loses what does not fit.
    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        // The future holds no state between polls, so a new one for each poll loses nothing.
        pin!(self.socket.enter()?.recv_from(buffer)).poll(cx)
    }
}
