//! The seam's UDP socket and clock as quinn expects them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::FutureExt as _;
use quinn::udp::{RecvMeta, Transmit};

use crate::transport::writers::Writers;
use crate::{Runtime, UdpSocket};

/// The error numbers of `EMSGSIZE` on Linux, macOS and Windows. A datagram beyond the MTU is a lost probe of path MTU discovery.
const MESSAGE_TOO_LONG: [i32; 3] = [90, 40, 10_040];

/// A socket for quinn.
#[derive(Debug)]
pub(super) struct Socket {
    inner: Arc<dyn UdpSocket>,
    writers: Arc<Writers>,
}

impl Socket {
    pub(super) fn new(inner: Arc<dyn UdpSocket>) -> Self {
        Self { inner, writers: Arc::default() }
    }
}

impl quinn::AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn quinn::UdpPoller>> {
        Box::pin(Writable { socket: self })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        match self.inner.try_send(transmit.contents, transmit.destination) {
            Err(error) if error.raw_os_error().is_some_and(|code| MESSAGE_TOO_LONG.contains(&code)) => Ok(()),
            sent => sent,
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [io::IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (buffers.first_mut(), meta.first_mut()) else { return Poll::Ready(Ok(0)) };
        let (length, remote) = std::task::ready!(self.inner.poll_recv(cx, buffer))?;
        *meta = RecvMeta::default();
        meta.addr = remote;
        meta.len = length;
        // A stride of 0 would make quinn divide an empty datagram into endlessly many.
        meta.stride = length.max(1);
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

#[derive(Debug)]
struct Writable {
    socket: Arc<Socket>,
}

impl quinn::UdpPoller for Writable {
    fn poll_writable(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.writers.poll_writable(self.socket.inner.as_ref(), cx)
    }
}

/// tokio's clock and the seam's tasks for quinn.
#[derive(Debug)]
pub(super) struct QuinnRuntime(pub(super) Arc<dyn Runtime>);

impl quinn::Runtime for QuinnRuntime {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn quinn::AsyncTimer>> {
        Box::pin(Timer(Box::pin(tokio::time::sleep_until(at.into()))))
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.spawn("quic", task);
    }

    #[expect(
        clippy::disallowed_types,
        reason = "quinn's trait names it; no socket of the operating system is ever wrapped"
    )]
    fn wrap_udp_socket(&self, _: std::net::UdpSocket) -> io::Result<Arc<dyn quinn::AsyncUdpSocket>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "endpoints are made on sockets of the seam only"))
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

#[derive(Debug)]
struct Timer(Pin<Box<tokio::time::Sleep>>);

impl quinn::AsyncTimer for Timer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.0.as_mut().reset(at.into());
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_unpin(cx)
    }
}
