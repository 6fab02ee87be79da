//! The servers to ask, and which of them is worth asking now.

use std::sync::Arc;
use std::time::Duration;

use darkswap_core::backoff::Backoff;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use super::misbehaviour::Trouble;
use super::tls;
use crate::config::{ElectrumServer, Security};
use crate::reach::reach;
use crate::runtime::Runtime;

/// Servers at most: more are not worth their configuration.
pub const MAX_SERVERS: usize = 16;

/// How long a server is left alone that did what no correct one does.
pub const MISBEHAVIOUR_REST: Duration = Duration::from_secs(600);

/// How long a server is left alone that is behind the others.
pub const LAG_REST: Duration = Duration::from_secs(30);

/// The back-off after failures: a server that restarts is found again within a minute.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How long a connection may take to open, its name to resolve and TLS to shake hands included.
const CONNECT: Duration = Duration::from_secs(15);

/// What a connection is made of: bytes in both directions, with TLS or without.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytes for S {}

/// One server and how it did so far.
#[derive(Debug)]
struct Server {
    address: ElectrumServer,
    backoff: Backoff,
    rests_until: Instant,
    misbehaved: u32,
}

/// The servers in the operator's order of preference.
#[derive(Debug)]
pub(super) struct Servers {
    servers: Vec<Server>,
}

impl Servers {
    /// All of them are worth asking at first. Seeds make the back-off of each its own.
    pub(super) fn new(addresses: &[ElectrumServer], now: Instant, mut seed: impl FnMut() -> u64) -> Self {
        let server = |address: &ElectrumServer| Server {
            address: address.clone(),
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1, seed()),
            rests_until: now,
            misbehaved: 0,
        };
        Self { servers: addresses.iter().take(MAX_SERVERS).map(server).collect() }
    }

    /// The best server that does not rest, or when the first one stops resting; none if there are no servers.
    pub(super) fn choose(&self, now: Instant) -> Option<Result<usize, Instant>> {
        let ready = self.servers.iter().position(|server| server.rests_until <= now);
        let earliest = self.servers.iter().map(|server| server.rests_until).min()?;
        Some(ready.ok_or(earliest))
    }

    /// The best server but this one that does not rest.
    pub(super) fn second(&self, but: usize, now: Instant) -> Option<usize> {
        (0..self.servers.len()).find(|index| *index != but && self.servers[*index].rests_until <= now)
    }

    /// Its address.
    pub(super) fn address(&self, index: usize) -> &ElectrumServer {
        &self.servers[index].address
    }

    /// It answered.
    pub(super) fn succeeded(&mut self, index: usize) {
        self.servers[index].backoff.reset();
    }

    /// It is left alone for a while. Returns how often it misbehaved so far.
    pub(super) fn rest(&mut self, index: usize, trouble: &Trouble, now: Instant) -> u32 {
        let server = &mut self.servers[index];
        let rest = match trouble {
            Trouble::Misbehaved(misbehaviour) => {
                server.misbehaved = server.misbehaved.saturating_add(1);
                if misbehaviour.passes() { LAG_REST } else { MISBEHAVIOUR_REST }
            }
            Trouble::Lost(_) | Trouble::Refused(_) | Trouble::Moved | Trouble::Stopped => server.backoff.next_delay(),
        };
        server.rests_until = now + rest;
        server.misbehaved
    }
}

/// Opens a connection to a server, at the first of its addresses that takes it.
pub(super) async fn connect(runtime: &Arc<dyn Runtime>, server: &ElectrumServer) -> Result<Box<dyn Bytes>, Trouble> {
    let attempt = async {
        let stream = reach(&**runtime, &server.address).await.map_err(Trouble::Lost)?;
        match server.security {
            Security::Plain => Ok(Box::new(stream) as Box<dyn Bytes>),
            security => Ok(Box::new(tls::secure(stream, &server.address, security, runtime).await?) as Box<dyn Bytes>),
        }
    };
    match timeout(CONNECT, attempt).await {
        Ok(connected) => connected,
        Err(_) => Err(Trouble::Lost(format!("no connection within {} s", CONNECT.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_server_that_does_not_rest_is_asked() {
        let now = tokio::time::Instant::now();
        let addresses: Vec<ElectrumServer> = ["a:1", "b:1"].iter().map(|text| text.parse().unwrap()).collect();
        let mut servers = Servers::new(&addresses, now, || 1);
        assert_eq!(servers.choose(now), Some(Ok(0)));
        servers.rest(0, &Trouble::Misbehaved(Misbehaviour::Flood), now);
        assert_eq!((servers.choose(now), servers.second(1, now)), (Some(Ok(1)), None));
        servers.rest(1, &Trouble::Misbehaved(Misbehaviour::Lagging { found: 1, known: 2 }), now);
        assert_eq!(servers.choose(now), Some(Err(now + LAG_REST)));
        assert_eq!(Servers::new(&[], now, || 1).choose(now), None);
    }

    use super::super::misbehaviour::Misbehaviour;
}
