//! The listening TCP socket of a simulated host.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use darkswap_node::{TcpListener, TcpStream};
use futures::FutureExt;
use turmoil_net::shim::tokio::net;

use super::Owner;
use super::owned::Owned;
use super::tcp_stream::SimTcpStream;

/// A listening TCP socket of a simulated host.
#[derive(Debug)]
pub(crate) struct SimTcpListener {
    listener: Owned<net::TcpListener>,
    local: SocketAddr,
}

impl SimTcpListener {
    pub(crate) fn bind(owner: Owner, local: SocketAddr) -> io::Result<Self> {
        owner.enter()?;
        let listener = net::TcpListener::bind(local).now_or_never().ok_or(io::ErrorKind::WouldBlock)??;
        let local = listener.local_addr()?;
        Ok(Self { listener: Owned::new(owner, listener), local })
    }
}

impl TcpListener for SimTcpListener {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Box<dyn TcpStream>, SocketAddr)>> {
        let (stream, remote) = ready!(self.listener.enter()?.poll_accept(cx))?;
        let stream = SimTcpStream::new(self.listener.owner().clone(), stream)?;
        Poll::Ready(Ok((Box::new(stream), remote)))
    }
}
