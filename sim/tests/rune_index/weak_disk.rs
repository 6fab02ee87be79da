//! A host whose disk stops at a chosen operation: everything before it has happened, nothing after it does.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use darkswap_node::{Runtime, TcpListener, TcpStream, UdpSocket};
use darkswap_sim::SimRuntime;
use futures::future::BoxFuture;
use redb::{BackendError, StorageBackend};

/// How many operations that change the disk are left.
#[derive(Debug)]
pub(crate) struct Fuse(AtomicU64);

impl Fuse {
    pub(crate) fn after(operations: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(operations)))
    }

    pub(crate) fn is_blown(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn hold(&self) -> io::Result<()> {
        if self.is_blown() { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    /// One operation less. The last one is not carried out any more.
    fn burn(&self) -> io::Result<()> {
        self.hold()?;
        self.0.fetch_sub(1, Ordering::Relaxed);
        self.hold()
    }
}

/// A host with such a disk.
#[derive(Debug)]
pub(crate) struct WeakHost {
    pub(crate) host: Arc<SimRuntime>,
    pub(crate) fuse: Arc<Fuse>,
}

impl Runtime for WeakHost {
    fn open_storage(&self, file: &Path) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(WeakFile { file: self.host.open_storage(file)?, fuse: Arc::clone(&self.fuse) }))
    }

    fn bind_udp(&self, local: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        self.host.bind_udp(local)
    }

    fn listen_tcp(&self, local: SocketAddr) -> io::Result<Box<dyn TcpListener>> {
        self.host.listen_tcp(local)
    }

    fn connect_tcp(&self, remote: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn TcpStream>>> {
        self.host.connect_tcp(remote)
    }

    fn local_addresses(&self) -> io::Result<Vec<IpAddr>> {
        self.host.local_addresses()
    }

    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.host.resolve(name)
    }

    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        self.host.spawn(name, task);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.host.fill_random(bytes);
    }

    fn wall_clock(&self) -> Duration {
        self.host.wall_clock()
    }
}

#[derive(Debug)]
struct WeakFile {
    file: Box<dyn StorageBackend>,
    fuse: Arc<Fuse>,
}

impl StorageBackend for WeakFile {
    fn len(&self) -> Result<u64, io::Error> {
        self.fuse.hold()?;
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.fuse.hold()?;
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.fuse.burn()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.fuse.burn()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.fuse.burn()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}
