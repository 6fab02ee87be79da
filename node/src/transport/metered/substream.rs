//! A substream whose bytes are counted.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};

use super::SharedMeter;

/// A substream whose bytes are counted.
#[derive(Debug)]
pub(in crate::transport) struct Substream<S> {
    inner: S,
    meter: SharedMeter,
}

impl<S> Substream<S> {
    pub(super) fn new(inner: S, meter: SharedMeter) -> Self {
        Self { inner, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Substream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if let Poll::Ready(Ok(bytes)) = read {
            self.meter.received(bytes);
        }
        read
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.inner).poll_read_vectored(cx, buffers);
        if let Poll::Ready(Ok(bytes)) = read {
            self.meter.received(bytes);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Substream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buffer);
        if let Poll::Ready(Ok(bytes)) = written {
            self.meter.sent(bytes);
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, buffers);
        if let Poll::Ready(Ok(bytes)) = written {
            self.meter.sent(bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;
    use futures::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    use super::*;
    use crate::transport::metered::Meters;

    fn counts(meter: &SharedMeter) -> (u64, u64) {
        let measured = meter.measure();
        (measured.sent, measured.received)
    }

    #[tokio::test(start_paused = true)]
    async fn every_byte_is_counted_once_and_the_end_is_none() {
        let meter = Meters::new(Instant::now()).test_meter();
        let mut stream = Substream::new(Cursor::new(b"0123456789".to_vec()), meter.clone());
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.unwrap();
        assert_eq!((read.len(), counts(&meter)), (10, (0, 10)));
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
        stream.write_all(&[7; 1_000]).await.unwrap();
        stream.flush().await.unwrap();
        stream.close().await.unwrap();
        assert_eq!(counts(&meter), (1_000, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn vectored_bytes_are_counted_as_well() {
        let meter = Meters::new(Instant::now()).test_meter();
        let mut stream = Substream::new(Cursor::new(vec![1; 100]), meter.clone());
        let (mut left, mut right) = ([0; 30], [0; 30]);
        let mut buffers = [IoSliceMut::new(&mut left), IoSliceMut::new(&mut right)];
        let read = stream.read_vectored(&mut buffers).await.unwrap();
        let written = stream.write_vectored(&[IoSlice::new(&[2; 5]), IoSlice::new(&[3; 6])]).await.unwrap();
        assert_eq!(counts(&meter), (written as u64, read as u64));
    }
}
