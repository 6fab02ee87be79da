//! A host whose NAT forgets.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use darkswap_node::{Runtime, TcpListener, TcpStream, TokioRuntime, UdpSocket};
use futures::future::BoxFuture;

/// A host some of whose UDP sockets fall silent.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    sockets: Mutex<Vec<Arc<AtomicBool>>>,
}

impl Cut {
    /// Sockets that exist now will not be cut.
    pub(crate) fn mark(&self) {
        self.sockets.lock().unwrap().clear();
    }

    /// Cuts the sockets that were bound since the mark; later ones work.
    pub(crate) fn cut(&self) {
        let sockets = std::mem::take(&mut *self.sockets.lock().unwrap());
        assert!(!sockets.is_empty(), "a cut that cuts nothing shows nothing");
        sockets.iter().for_each(|socket| socket.store(true, Ordering::Relaxed));
    }
}

struct Socket {
    inner: Arc<dyn UdpSocket>,
    is_cut: Arc<AtomicBool>,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl UdpSocket for Socket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn try_send(&self, payload: &[u8], remote: SocketAddr) -> io::Result<()> {
        if self.is_cut.load(Ordering::Relaxed) { Ok(()) } else { self.inner.try_send(payload, remote) }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_writable(cx)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        loop {
            let received = ready!(self.inner.poll_recv(cx, buffer));
            if !self.is_cut.load(Ordering::Relaxed) {
                return Poll::Ready(received);
            }
        }
    }
}

impl Runtime for Cut {
    fn bind_udp(&self, local: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        let (inner, is_cut) = (TokioRuntime.bind_udp(local)?, Arc::new(AtomicBool::new(false)));
        self.sockets.lock().unwrap().push(Arc::clone(&is_cut));
        Ok(Arc::new(Socket { inner, is_cut }))
    }

    fn listen_tcp(&self, local: SocketAddr) -> io::Result<Box<dyn TcpListener>> {
        TokioRuntime.listen_tcp(local)
    }

    fn connect_tcp(&self, remote: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn TcpStream>>> {
        TokioRuntime.connect_tcp(remote)
    }

    fn local_addresses(&self) -> io::Result<Vec<IpAddr>> {
        TokioRuntime.local_addresses()
    }

    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        TokioRuntime.resolve(name)
    }

    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        TokioRuntime.spawn(name, task);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        TokioRuntime.fill_random(bytes);
    }

    fn wall_clock(&self) -> Duration {
        TokioRuntime.wall_clock()
    }
}
