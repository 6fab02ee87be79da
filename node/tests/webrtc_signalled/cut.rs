//! A host whose NAT forgets, or that moves.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use darkswap_node::{Runtime, TcpListener, TcpStream, TokioRuntime, UdpSocket};
use futures::future::BoxFuture;

/// A host some of whose UDP sockets fall silent.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    sockets: Mutex<Vec<Weak<AtomicBool>>>,
    /// The host's addresses instead of those of this machine.
    addresses: Mutex<Option<Vec<IpAddr>>>,
    /// All sockets that were bound to an address, while they are open.
    bound: Mutex<Vec<(IpAddr, Weak<AtomicBool>)>>,
}

impl Cut {
    /// A host with these addresses, all of the loopback network.
    pub(crate) fn at(addresses: &[[u8; 4]]) -> Arc<Self> {
        let host = Self::default();
        host.move_to(addresses);
        Arc::new(host)
    }

    /// Changes the host's addresses. Sockets that are bound to others fall silent.
    pub(crate) fn move_to(&self, addresses: &[[u8; 4]]) {
        let addresses: Vec<IpAddr> = addresses.iter().copied().map(IpAddr::from).collect();
        for (ip, is_cut) in &*self.bound.lock().unwrap() {
            if let Some(is_cut) = is_cut.upgrade().filter(|_| !addresses.contains(ip)) {
                is_cut.store(true, Ordering::Relaxed);
            }
        }
        *self.addresses.lock().unwrap() = Some(addresses);
    }

    /// How many sockets are open on an address.
    pub(crate) fn open(&self, address: [u8; 4]) -> usize {
        let bound = self.bound.lock().unwrap();
        bound.iter().filter(|(ip, socket)| *ip == IpAddr::from(address) && socket.strong_count() > 0).count()
    }

    /// Sockets that exist now will not be cut.
    pub(crate) fn mark(&self) {
        self.sockets.lock().unwrap().clear();
    }

    /// Cuts the sockets that were bound since the mark; later ones work.
    pub(crate) fn cut(&self) {
        let sockets = std::mem::take(&mut *self.sockets.lock().unwrap());
        assert!(!sockets.is_empty(), "a cut that cuts nothing shows nothing");
        sockets.iter().filter_map(Weak::upgrade).for_each(|socket| socket.store(true, Ordering::Relaxed));
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
        let is_ours = self.addresses.lock().unwrap().as_ref().is_none_or(|ours| ours.contains(&local.ip()));
        if !is_ours && !local.ip().is_unspecified() {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let (inner, is_cut) = (TokioRuntime.bind_udp(local)?, Arc::new(AtomicBool::new(false)));
        if !local.ip().is_unspecified() {
            self.bound.lock().unwrap().push((local.ip(), Arc::downgrade(&is_cut)));
        }
        self.sockets.lock().unwrap().push(Arc::downgrade(&is_cut));
        Ok(Arc::new(Socket { inner, is_cut }))
    }

    fn listen_tcp(&self, local: SocketAddr) -> io::Result<Box<dyn TcpListener>> {
        TokioRuntime.listen_tcp(local)
    }

    fn connect_tcp(&self, remote: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn TcpStream>>> {
        TokioRuntime.connect_tcp(remote)
    }

    fn local_addresses(&self) -> io::Result<Vec<IpAddr>> {
        self.addresses.lock().unwrap().clone().map_or_else(|| TokioRuntime.local_addresses(), Ok)
    }

    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        TokioRuntime.resolve(name)
    }

    fn open_storage(&self, file: &std::path::Path) -> io::Result<Box<dyn redb::StorageBackend>> {
        TokioRuntime.open_storage(file)
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
