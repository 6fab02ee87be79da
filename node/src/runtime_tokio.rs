//! The real world behind the seam: the operating system's sockets, resolver, files, entropy and calendar, on tokio.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "the real side of the seam")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use redb::StorageBackend;
use redb::backends::FileBackend;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::runtime::{Runtime, TcpListener, TcpStream, UdpSocket};

/// Wanted size of a UDP socket's buffers. One QUIC connection at 100 MB/s fills 2 MiB in 20 ms, about the longest that a busy
/// task keeps its socket waiting; the host may grant less (Linux: `net.core.rmem_max`).
const UDP_BUFFER: usize = 2 << 20;

/// Connections that the host completes before the node accepts them. Hosts cap it (Linux: `net.core.somaxconn`).
const TCP_BACKLOG: i32 = 1_024;

/// The operating system's sockets, resolver, files, entropy and calendar. Its methods must be called inside a tokio runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioRuntime;

impl Runtime for TokioRuntime {
    fn bind_udp(&self, local: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        let socket = new_socket(local, Type::DGRAM, Protocol::UDP)?;
        // A smaller buffer costs throughput, not correctness.
        let _ = socket.set_recv_buffer_size(UDP_BUFFER);
        let _ = socket.set_send_buffer_size(UDP_BUFFER);
        socket.bind(&local.into())?;
        Ok(Arc::new(Udp(tokio::net::UdpSocket::from_std(socket.into())?)))
    }

    fn listen_tcp(&self, local: SocketAddr) -> io::Result<Box<dyn TcpListener>> {
        let socket = new_socket(local, Type::STREAM, Protocol::TCP)?;
        // So that a restarted node gets its port back at once. On Windows the option would let another process steal the port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&local.into())?;
        socket.listen(TCP_BACKLOG)?;
        Ok(Box::new(Listener(tokio::net::TcpListener::from_std(socket.into())?)))
    }

    fn connect_tcp(&self, remote: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn TcpStream>>> {
        Box::pin(async move { Ok(Stream::boxed(tokio::net::TcpStream::connect(remote).await?)) })
    }

    fn local_addresses(&self) -> io::Result<Vec<IpAddr>> {
        let mut addresses: Vec<IpAddr> =
            if_addrs::get_if_addrs()?.iter().map(if_addrs::Interface::ip).filter(has_meaning_elsewhere).collect();
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }

    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move {
            let mut addresses: Vec<IpAddr> = Vec::new();
            for found in tokio::net::lookup_host((name, 0)).await? {
                if !addresses.contains(&found.ip()) {
                    addresses.push(found.ip());
                }
            }
            Ok(addresses)
        })
    }

    fn open_storage(&self, file: &Path) -> io::Result<Box<dyn StorageBackend>> {
        let backend = FileBackend::new(open_private(file)?).map_err(io::Error::other)?;
        Ok(Box::new(backend))
    }

    fn blocking(&self, work: &mut dyn FnMut()) {
        match Handle::current().runtime_flavor() {
            RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
            // There is no other thread that the other tasks could move to.
            _ => work(),
        }
    }

    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    /// # Panics
    /// When the operating system has no entropy to give: no key could be trusted then.
    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives entropy");
    }

    fn wall_clock(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

/// A non-blocking socket of the address's family. IPv6 sockets take no IPv4, so that both can have the same port.
fn new_socket(local: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(local), kind, Some(protocol))?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Opens a file for reading and writing, or makes it with mode 0600 in a folder with mode 0700. A new name is on the disk at once,
/// as what is synchronised later is the content alone.
fn open_private(path: &Path) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut folders = fs::DirBuilder::new();
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    folders.recursive(true).create(folder)?;
    options.read(true).write(true);
    match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
        made => {
            let file = made?;
            // Only Unix opens folders as files. The folder itself may be new, too.
            if cfg!(unix) {
                File::open(folder)?.sync_all()?;
                File::open(folder.join(".."))?.sync_all()?;
            }
            Ok(file)
        }
    }
}

/// A link-local IPv6 address means nothing without its zone, which a multiaddress does not carry.
fn has_meaning_elsewhere(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_unspecified(),
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_unicast_link_local(),
    }
}

#[derive(Debug)]
struct Udp(tokio::net::UdpSocket);

impl UdpSocket for Udp {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn try_send(&self, payload: &[u8], remote: SocketAddr) -> io::Result<()> {
        self.0.try_send_to(payload, remote).map(|_sent| ())
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_send_ready(cx)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        loop {
            let mut read = ReadBuf::new(buffer);
            match ready!(self.0.poll_recv_from(cx, &mut read)) {
                Ok(sender) => return Poll::Ready(Ok((read.filled().len(), sender))),
                Err(error) if tells_of_an_earlier_send(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Windows reports an ICMP answer to an earlier datagram, or a datagram beyond the buffer, as an error of the next receive.
/// Both concern one datagram, not the socket.
fn tells_of_an_earlier_send(error: &io::Error) -> bool {
    const WSAEMSGSIZE: i32 = 10_040;
    cfg!(windows)
        && (matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::NetworkUnreachable)
            || error.raw_os_error() == Some(WSAEMSGSIZE))
}

#[derive(Debug)]
struct Listener(tokio::net::TcpListener);

impl TcpListener for Listener {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Box<dyn TcpStream>, SocketAddr)>> {
        loop {
            match ready!(self.0.poll_accept(cx)).map(|(stream, remote)| (Stream::boxed(stream), remote)) {
                // The caller went away between its handshake and our accept: nothing is wrong with the listener.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
                accepted => return Poll::Ready(accepted),
            }
        }
    }
}

#[derive(Debug)]
struct Stream(tokio::net::TcpStream);

impl Stream {
    fn boxed(stream: tokio::net::TcpStream) -> Box<dyn TcpStream> {
        // Frames are written whole, so waiting for more bytes would only add latency. A stream that is already reset refuses
        // the option on some hosts; its reader finds out soon enough.
        let _ = stream.set_nodelay(true);
        Box::new(Self(stream))
    }
}

impl TcpStream for Stream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
