//! The TCP connection of a simulated host.
//!
//! Two gaps of turmoil-net's TCP are closed here:
//! - It tells the sender about reopened receive space only after one read of at least half the receive buffer. So a read takes all
//!   that has arrived, and keeps here what the caller has no room for: either that is half the buffer, and the sender is told, or
//!   less, and the sender's window never was short of the 65,535 bytes that it can express.
//! - It closes quietly where Linux resets: when the application leaves unread bytes behind, or when bytes arrive after it left.
//!   Leaving is reported to the harness, which resets the connection then ([`Signal`](crate::harness::Signal)).

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use darkswap_node::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil_net::shim::tokio::net;

use super::Owner;
use super::owned::Owned;
use crate::harness::SocketPair;

/// The receive buffer of each simulated connection: twice the largest window that TCP expresses without scaling.
pub(crate) const RECEIVE_BUFFER: usize = 2 * 65_536;

thread_local! {
    /// What a read takes from the stack before the caller gets its part.
    static ARRIVED: RefCell<Vec<u8>> = RefCell::new(vec![0; RECEIVE_BUFFER]);
}

/// A TCP connection of a simulated host.
pub(crate) struct SimTcpStream {
    stream: Owned<net::TcpStream>,
    pair: SocketPair,
    unread: BytesMut,
}

impl SimTcpStream {
    pub(super) fn new(owner: Owner, stream: net::TcpStream) -> io::Result<Self> {
        let stream = Owned::new(owner, stream);
        let inner = stream.enter()?;
        let pair = SocketPair { local: inner.local_addr()?, remote: inner.peer_addr()? };
        Ok(Self { stream, pair, unread: BytesMut::new() })
    }

    /// Takes all that has arrived. The caller gets what fits, the rest waits in `unread`.
    fn poll_arrived(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ARRIVED.with_borrow_mut(|arrived| {
            let mut arrived = ReadBuf::new(arrived);
            ready!(Pin::new(self.stream.enter_mut()?).poll_read(cx, &mut arrived))?;
            let arrived = arrived.filled();
            if arrived.len() >= RECEIVE_BUFFER / 2 {
                self.stream.owner().signal().host_may_have_sent();
            }
            let (now, later) = arrived.split_at(arrived.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.unread.extend_from_slice(later);
            Poll::Ready(Ok(()))
        })
    }

    /// Whether the remote end may still send.
    fn remote_is_open(&mut self) -> bool {
        let mut byte = [0];
        let mut cx = Context::from_waker(Waker::noop());
        match self.stream.enter_mut() {
            Ok(stream) => stream.poll_peek(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending(),
            Err(_) => false,
        }
    }
}

impl TcpStream for SimTcpStream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.pair.local)
    }
}

impl AsyncRead for SimTcpStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.unread.is_empty() {
            return self.poll_arrived(cx, buffer);
        }
        let length = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread[..length]);
        self.unread.advance(length);
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SimTcpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(self.stream.enter_mut()?).poll_write(cx, bytes))?;
        self.stream.owner().signal().host_may_have_sent();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(self.stream.enter_mut()?).poll_shutdown(cx))?;
        self.stream.owner().signal().host_may_have_sent();
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimTcpStream {
    fn drop(&mut self) {
        if !self.unread.is_empty() {
            self.stream.owner().signal().left_unread(self.pair);
        } else if self.remote_is_open() {
            self.stream.owner().signal().left(self.pair);
        }
    }
}

impl fmt::Debug for SimTcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.pair.local, self.pair.remote)
    }
}
