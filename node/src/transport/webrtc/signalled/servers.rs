//! The configured ICE servers with their addresses, resolved now and then.

use std::sync::{Mutex, PoisonError};

use darkswap_webrtc::gather;
use futures::future::join_all;
use tokio::time::Instant;

use crate::Runtime;
use crate::ice_server::IceServer;
use crate::limits::fixed::signalling::RESOLVED;

/// ICE servers by name, with a memory of their addresses.
#[derive(Debug)]
pub(super) struct Servers {
    configured: Vec<IceServer>,
    resolved: Mutex<Option<(Instant, Vec<gather::IceServer>)>>,
}

impl Servers {
    pub(super) fn new(configured: Vec<IceServer>) -> Self {
        Self { configured, resolved: Mutex::new(None) }
    }

    /// The servers' addresses. One that cannot be resolved is left out: the others may do.
    pub(super) async fn resolve(&self, runtime: &dyn Runtime) -> Vec<gather::IceServer> {
        if self.configured.is_empty() {
            return Vec::new();
        }
        if let Some((at, known)) = &*self.resolved.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < RESOLVED
        {
            return known.clone();
        }
        let mut servers = Vec::new();
        for result in join_all(self.configured.iter().map(|server| server.resolve(runtime))).await {
            match result {
                Ok(addresses) => servers.extend(addresses),
                Err(error) => tracing::warn!(%error, "an ICE server is left out"),
            }
        }
        servers.truncate(gather::MAX_SERVERS);
        // A failure is not remembered: the resolver may be back for the next connection.
        if !servers.is_empty() {
            let known = Some((Instant::now(), servers.clone()));
            *self.resolved.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
        servers
    }
}
