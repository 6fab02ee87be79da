//! A WebRTC connection as a stream muxer: every substream is a data channel without a label.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};

use super::driven::Driven;
use super::end::End;
use super::noise::Handshake;
use super::shared::Shared;
use super::substream::Substream;
use crate::transport::address;

/// A connection whose peer is known. Dropping it closes the connection.
#[derive(Debug)]
pub struct Muxer {
    driven: Driven,
    /// Where the peer is, for connections whose address is that of the peer.
    remote: Option<SocketAddr>,
    /// Keeps channel 0 open.
    _handshake: Option<Handshake>,
}

impl Muxer {
    pub(super) fn new(driven: Driven, remote: Option<SocketAddr>, handshake: Option<Handshake>) -> Self {
        Self { driven, remote, _handshake: handshake }
    }

    /// Channels that the peer opened beyond the bounds, each of which was closed at once.
    #[must_use]
    pub fn refused_channels(&self) -> u64 {
        self.shared().lock().refused()
    }

    /// Bytes that have arrived and were not read, with what keeping them costs; bounded for the whole connection.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.shared().lock().buffered()
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.driven.shared()
    }
}

impl StreamMuxer for Muxer {
    type Substream = Substream;
    type Error = End;

    fn poll_inbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Substream, End>> {
        Shared::poll_accept(self.shared(), cx)
    }

    fn poll_outbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Substream, End>> {
        Shared::poll_open(self.shared(), cx)
    }

    /// Tells the peer. Ready when the farewell is sent; substreams end with it, as with any muxer.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        self.shared().close();
        self.shared().poll_over(cx).map(Ok)
    }

    /// The driver is a task of its own; what is left to tell is that ICE selected another remote address, and the end.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, End>> {
        let remote = match self.shared().poll_remote(cx, self.remote) {
            Poll::Ready(remote) => remote?,
            Poll::Pending => return Poll::Pending,
        };
        self.remote = Some(remote);
        Poll::Ready(Ok(StreamMuxerEvent::AddressChange(address::from_webrtc(remote))))
    }
}
