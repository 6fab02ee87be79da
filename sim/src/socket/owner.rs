//! The host that owns a socket.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use turmoil_net::HostId;

use crate::harness::Signal;

thread_local! {
    static ENTERED: Cell<u64> = const { Cell::new(0) };
}

/// Marks the calling thread as the one whose turmoil-net stack is entered, until dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    generation: u64,
}

impl Entered {
    pub(crate) fn new() -> Self {
        static GENERATIONS: AtomicU64 = AtomicU64::new(0);
        let generation = GENERATIONS.fetch_add(1, Ordering::Relaxed) + 1;
        ENTERED.set(generation);
        Self { generation }
    }

    /// An owner within this stack.
    pub(crate) fn owner(&self, host: HostId, signal: Arc<Signal>) -> Owner {
        Owner { host, generation: self.generation, signal }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        ENTERED.set(0);
    }
}

/// The host that owns a socket, and the way to tell the pump that the host may have sent.
#[derive(Clone)]
pub(crate) struct Owner {
    host: HostId,
    generation: u64,
    signal: Arc<Signal>,
}

impl Owner {
    /// Makes the host the current one of turmoil-net.
    ///
    /// # Errors
    /// The simulation is over, or belongs to another thread.
    pub(crate) fn enter(&self) -> io::Result<()> {
        if ENTERED.get() != self.generation {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the simulation of this socket is over"));
        }
        turmoil_net::set_current(self.host);
        Ok(())
    }

    pub(crate) fn signal(&self) -> &Signal {
        &self.signal
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.host)
    }
}
