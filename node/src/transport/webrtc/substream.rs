//! libp2p's side of a substream.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use darkswap_webrtc::connection::ChannelId;
use futures::{AsyncRead, AsyncWrite};

use super::shared::Shared;
use super::stream::Stream;

/// A substream: a data channel with the half-closes and resets of libp2p. Dropping it resets what is not finished.
#[derive(Debug)]
pub struct Substream {
    shared: Arc<Shared>,
    id: ChannelId,
}

impl Substream {
    pub(super) fn new(shared: Arc<Shared>, id: ChannelId) -> Self {
        Self { shared, id }
    }

    fn write<T>(&self, write: impl FnOnce(&mut Stream) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let done = self.shared.lock().write_stream(self.id, write);
        self.shared.wake_driver();
        done
    }
}

impl AsyncRead for Substream {
    /// Does not wake the driver: a read makes room in the substream's own buffer only.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.shared.lock().read_stream(self.id, |stream| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Substream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(|stream| stream.poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(|stream| stream.poll_close(cx))
    }
}

impl Drop for Substream {
    fn drop(&mut self) {
        self.shared.lock().drop_stream(self.id);
        self.shared.wake_driver();
    }
}
