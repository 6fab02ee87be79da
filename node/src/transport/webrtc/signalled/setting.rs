//! What every negotiation of a node has in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libp2p::PeerId;

use super::addresses::Addresses;
use super::attendance::Attended;
use super::servers::Servers;
use crate::Runtime;
use crate::ice_server::IceServer;

/// What every negotiation of a node has in common.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(super) local: PeerId,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) servers: Servers,
    pub(super) addresses: Addresses,
    /// Whether only relayed candidates are offered.
    pub(super) relay_only: bool,
    pub(super) attended: Attended,
    next_number: AtomicU64,
}

impl Setting {
    pub(crate) fn new(local: PeerId, runtime: Arc<dyn Runtime>, servers: Vec<IceServer>, relay_only: bool) -> Self {
        let (servers, addresses, attended) = (Servers::new(servers), Addresses::default(), Attended::default());
        Self { local, runtime, servers, addresses, relay_only, attended, next_number: AtomicU64::new(0) }
    }

    /// A number for a connection.
    pub(super) fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// A number from the host's entropy.
    pub(super) fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        self.runtime.fill_random(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
