//! The seam between the node and the world it runs in.
//!
//! Everything a node needs from outside passes through [`Runtime`]: sockets, names, storage, tasks, entropy and the calendar. The
//! shipped binary hands in [`TokioRuntime`](crate::TokioRuntime), the simulator its own; nothing else in the node differs.
//!
//! There is no `sleep` and no `now`: both worlds run on tokio's clock, which the simulator starts paused.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use redb::StorageBackend;
use tokio::io::{AsyncRead, AsyncWrite};

/// What a node needs from the world: sockets, names, storage, tasks, entropy and the calendar.
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// Binds a UDP socket; port 0 lets the host choose.
    ///
    /// # Errors
    /// The host's error when the address is taken or not its own.
    fn bind_udp(&self, local: SocketAddr) -> io::Result<Arc<dyn UdpSocket>>;

    /// Listens for TCP connections; port 0 lets the host choose.
    ///
    /// # Errors
    /// The host's error when the address is taken or not its own.
    fn listen_tcp(&self, local: SocketAddr) -> io::Result<Box<dyn TcpListener>>;

    /// Opens a TCP connection. Dropping the future abandons the attempt.
    fn connect_tcp(&self, remote: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn TcpStream>>>;

    /// The host's unicast addresses, loopback included.
    ///
    /// # Errors
    /// The host's error when its interfaces cannot be listed.
    fn local_addresses(&self) -> io::Result<Vec<IpAddr>>;

    /// Resolves a host name to its addresses, in the resolver's order of preference.
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;

    /// Opens a file of the host's disk, which only the host's user may read, or makes an empty one and the folders above it.
    ///
    /// What was written is sure to outlive a crash of the host when [`StorageBackend::sync_data`] has returned after it; until then
    /// any part of it may be lost. The file can be opened twice, but the lock on all of it can be had only once.
    ///
    /// # Errors
    /// The host's error when the file cannot be opened or made.
    fn open_storage(&self, file: &Path) -> io::Result<Box<dyn StorageBackend>>;

    /// Does something that keeps its thread waiting, such as for a disk, and returns when it is done. Other tasks of the thread go on
    /// meanwhile where the host has several threads; the simulator's disks answer at once.
    fn blocking(&self, work: &mut dyn FnMut()) {
        work();
    }

    /// Runs a task to its end or to the end of the host. `name` is for diagnosis.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>);

    /// Fills `bytes` from the host's cryptographic entropy.
    fn fill_random(&self, bytes: &mut [u8]);

    /// Time since the Unix epoch, for what is written down or signed; never for measuring.
    fn wall_clock(&self) -> Duration;
}

/// A bound UDP socket.
pub trait UdpSocket: fmt::Debug + Send + Sync + 'static {
    /// The bound address with the port that the host chose.
    ///
    /// # Errors
    /// The host's error when the socket is gone.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Sends one datagram, or fails with [`io::ErrorKind::WouldBlock`] when the host's buffer is full.
    ///
    /// # Errors
    /// The host's error; a datagram beyond the path's MTU is refused with `EMSGSIZE`.
    fn try_send(&self, payload: &[u8], remote: SocketAddr) -> io::Result<()>;

    /// Becomes ready when [`try_send`](Self::try_send) is worth another try.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Receives one datagram into `buffer`: its length and sender. One task at a time may wait.
    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>>;
}

/// A listening TCP socket.
pub trait TcpListener: fmt::Debug + Send + 'static {
    /// The bound address with the port that the host chose.
    ///
    /// # Errors
    /// The host's error when the socket is gone.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Accepts one connection and names its remote end.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Box<dyn TcpStream>, SocketAddr)>>;
}

/// A TCP connection.
pub trait TcpStream: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin + 'static {
    /// The local end.
    ///
    /// # Errors
    /// The host's error when the socket is gone.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}
