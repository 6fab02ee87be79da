//! A QUIC connection as a stream muxer: every substream is a bidirectional stream.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite, FutureExt as _};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};

use crate::transport::address;

/// A finished QUIC connection.
pub struct Connection {
    inner: quinn::Connection,
    remote: SocketAddr,
    inbound: Option<Opening>,
    outbound: Option<Opening>,
    closing: Option<BoxFuture<'static, ()>>,
}

type Opening = BoxFuture<'static, Result<(quinn::SendStream, quinn::RecvStream), quinn::ConnectionError>>;

impl Connection {
    pub(super) fn new(inner: quinn::Connection) -> Self {
        let remote = inner.remote_address();
        Self { inner, remote, inbound: None, outbound: None, closing: None }
    }
}

impl StreamMuxer for Connection {
    type Substream = Stream;
    type Error = quinn::ConnectionError;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, Self::Error>> {
        let inner = self.inner.clone();
        poll_opening(&mut self.inbound, || async move { inner.accept_bi().await }.boxed(), cx)
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, Self::Error>> {
        let inner = self.inner.clone();
        poll_opening(&mut self.outbound, || async move { inner.open_bi().await }.boxed(), cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let inner = self.inner.clone();
        let closing = self.closing.get_or_insert_with(|| {
            inner.close(0_u32.into(), b"");
            async move {
                inner.closed().await;
            }
            .boxed()
        });
        closing.poll_unpin(cx).map(Ok)
    }

    /// quinn drives the connection in a task of its own; what is left to tell is that the peer moved to another address (RFC 9000,
    /// section 9). quinn announces that to nobody, so it is noticed when the connection is next polled for another reason.
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        let remote = self.inner.remote_address();
        if std::mem::replace(&mut self.remote, remote) == remote {
            return Poll::Pending;
        }
        Poll::Ready(Ok(StreamMuxerEvent::AddressChange(address::from_quic(remote))))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.inner.close(0_u32.into(), b"");
    }
}

fn poll_opening(
    slot: &mut Option<Opening>,
    open: impl FnOnce() -> Opening,
    cx: &mut Context<'_>,
) -> Poll<Result<Stream, quinn::ConnectionError>> {
    let opened = std::task::ready!(slot.get_or_insert_with(open).poll_unpin(cx));
    *slot = None;
    Poll::Ready(opened.map(|(send, receive)| Stream { send, receive }))
}

/// One bidirectional QUIC stream.
pub struct Stream {
    send: quinn::SendStream,
    receive: quinn::RecvStream,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        AsyncRead::poll_read(Pin::new(&mut self.receive), cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.send), cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.send), cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_close(Pin::new(&mut self.send), cx)
    }
}
