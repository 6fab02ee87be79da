//! The simulated world, as the main future of a run holds it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use darkswap_fabric::{FaultId, HostIndex};
use tokio::time::Instant;

use super::network::Network;
use super::{Signal, SimFabric};
use crate::clock;
use crate::runtime::SimRuntime;
use crate::trace::TraceHash;

/// A handle to the running simulation: its hosts, its fabric, its faults. Clones are the same world.
#[derive(Clone)]
pub struct World {
    network: Arc<Mutex<Network>>,
    signal: Arc<Signal>,
    start: Instant,
}

impl World {
    pub(super) const fn new(network: Arc<Mutex<Network>>, signal: Arc<Signal>, start: Instant) -> Self {
        Self { network, signal, start }
    }

    /// Simulated time since the start of the run.
    pub fn now(&self) -> Duration {
        clock::since(self.start)
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> Option<HostIndex> {
        lock(&self.network).fabric.hosts().find_map(|(host, known, _)| (known == name).then_some(host))
    }

    /// The world of one host, for its node.
    ///
    /// # Errors
    /// The host does not exist.
    pub fn runtime(&self, host: HostIndex) -> Result<Arc<SimRuntime>> {
        lock(&self.network).runtime(host)
    }

    /// Looks at the fabric, or changes it: faults, counters, NATs. The closure must not use this world again.
    pub fn fabric<T>(&self, look: impl FnOnce(&mut SimFabric) -> T) -> T {
        let mut network = lock(&self.network);
        let seen = look(&mut network.fabric);
        // A lifted fault may have released what is due before the pump would look again.
        self.signal.host_may_have_sent();
        seen
    }

    /// Crashes a host: its tasks end and drop what they hold, its sockets are gone without a word, and so is everything under way from
    /// and to it. The remote ends of its connections learn of it at the [restart](Self::restart).
    ///
    /// The returned fault says what the crash touched; lift it by restarting the host.
    ///
    /// # Errors
    /// The host does not exist, is down already, or has sockets that something else than its tasks holds: drop all handles to its node
    /// before.
    pub fn crash(&self, host: HostIndex) -> Result<FaultId> {
        let cut = lock(&self.network).connections_of(host)?;
        let runtime = self.runtime(host)?;
        runtime.crash();
        lock(&self.network).crash(self.now(), host, cut)
    }

    /// Restarts a host that has crashed, without tasks or sockets. The remote ends of its lost connections receive resets.
    ///
    /// # Errors
    /// The host does not exist or is not down.
    pub fn restart(&self, host: HostIndex) -> Result<()> {
        lock(&self.network).restart(self.now(), host)?;
        self.runtime(host)?.restart();
        self.signal.host_may_have_sent();
        Ok(())
    }

    /// The hash of everything that was delivered so far.
    pub fn trace_hash(&self) -> TraceHash {
        lock(&self.network).trace_hash()
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// A poisoned lock is a panic elsewhere, which ends the run.
pub(super) fn lock(network: &Mutex<Network>) -> MutexGuard<'_, Network> {
    network.lock().unwrap_or_else(PoisonError::into_inner)
}
