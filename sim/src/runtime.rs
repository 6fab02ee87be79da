//! The world of a simulated host, as its node sees it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use darkswap_node::{Runtime, TcpListener, TcpStream, UdpSocket};
use futures::FutureExt;
use futures::future::{self, BoxFuture};
use redb::StorageBackend;

use crate::clock::{self, WALL_CLOCK_EPOCH};
use crate::disk::Disk;
use crate::entropy::Entropy;
use crate::socket::{self, Owner, SimTcpListener, SimUdpSocket};
use crate::tasks::Tasks;

/// What every host of a simulation can resolve: names with their addresses, in order of preference.
pub type Names = BTreeMap<String, Vec<IpAddr>>;

/// The [`Runtime`] of one simulated host.
///
/// While the host is down it refuses everything: sockets and files fail with [`io::ErrorKind::NetworkDown`], and a spawned task is
/// dropped.
pub struct SimRuntime {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) owner: Owner,
    pub(crate) names: Arc<Names>,
    pub(crate) entropy: Mutex<Entropy>,
    pub(crate) disk: Disk,
    pub(crate) tasks: Tasks,
    pub(crate) start: tokio::time::Instant,
    pub(crate) up: AtomicBool,
}

impl SimRuntime {
    /// The host's name in the topology.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host's own addresses, without loopback.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Whether the host is running, that is, has not crashed or was restarted since.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// How many tasks the host runs.
    pub fn task_count(&self) -> usize {
        self.tasks.count()
    }

    /// The host's disk. It is the same one after a crash and a restart.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Takes the host down: all its tasks end, and new ones are refused. The disk first, so that the tasks' end leaves no trace on it.
    pub(crate) fn crash(&self) {
        self.up.store(false, Ordering::Relaxed);
        self.disk.crash();
        self.tasks.end_all();
    }

    pub(crate) fn restart(&self) {
        self.up.store(true, Ordering::Relaxed);
    }

    fn require_up(&self) -> io::Result<Owner> {
        if self.is_up() { Ok(self.owner.clone()) } else { Err(io::ErrorKind::NetworkDown.into()) }
    }

    fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        if name == "localhost" {
            return Ok(vec![Ipv4Addr::LOCALHOST.into()]);
        }
        let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("no such host in the scenario: {name}"));
        self.names.get(name).cloned().ok_or_else(unknown)
    }
}

impl Runtime for SimRuntime {
    fn bind_udp(&self, local: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        Ok(Arc::new(SimUdpSocket::bind(self.require_up()?, local)?))
    }

    fn listen_tcp(&self, local: SocketAddr) -> io::Result<Box<dyn TcpListener>> {
        Ok(Box::new(SimTcpListener::bind(self.require_up()?, local)?))
    }

    fn connect_tcp(&self, remote: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn TcpStream>>> {
        match self.require_up() {
            Ok(owner) => socket::connect(owner, remote),
            Err(error) => future::err(error).boxed(),
        }
    }

    fn local_addresses(&self) -> io::Result<Vec<IpAddr>> {
        let mut addresses = self.addresses.clone();
        addresses.push(Ipv4Addr::LOCALHOST.into());
        Ok(addresses)
    }

    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        future::ready(self.lookup(name)).boxed()
    }

    fn open_storage(&self, file: &Path) -> io::Result<Box<dyn StorageBackend>> {
        if self.is_up() { Ok(self.disk.open(file)) } else { Err(io::ErrorKind::NetworkDown.into()) }
    }

    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        if self.is_up() {
            self.tasks.spawn(name, task);
        }
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.entropy.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }

    fn wall_clock(&self) -> Duration {
        WALL_CLOCK_EPOCH + clock::since(self.start)
    }
}

impl fmt::Debug for SimRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimRuntime")
            .field("name", &self.name)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}
