//! A server on a host's sockets.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use darkswap_node::{Runtime, UdpSocket};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::server::{Output, SECRET, Server};
use super::settings::{Counters, Settings};

/// Longest UDP payload.
const DATAGRAM: usize = 65_535;

/// Plays the server on a host until a socket fails or the task is dropped; `counters` follows what it does.
///
/// # Errors
/// When the listening socket cannot be bound, or is gone.
pub async fn run(runtime: Arc<dyn Runtime>, settings: Settings, counters: watch::Sender<Counters>) -> io::Result<()> {
    let mut secret = [0; SECRET];
    runtime.fill_random(&mut secret);
    let mut host = Host {
        socket: runtime.bind_udp(settings.address)?,
        server: Server::new(&settings, secret, Instant::now().into_std()),
        relays: BTreeMap::new(),
        buffer: vec![0; DATAGRAM],
        runtime,
        settings,
    };
    loop {
        host.perform();
        counters.send_replace(host.server.counters());
        let deadline = host.server.poll_timeout().map(Instant::from_std);
        let arrival = poll_fn(|cx| host.poll_arrival(cx));
        let arrival = match deadline {
            Some(deadline) => timeout_at(deadline, arrival).await.ok(),
            None => Some(arrival.await),
        };
        let now = Instant::now().into_std();
        match arrival.transpose()? {
            Some(Arrival { port: None, length, remote }) => {
                host.server.handle_datagram(now, remote, &host.buffer[..length]);
            }
            Some(Arrival { port: Some(port), length, remote }) => {
                host.server.handle_relayed(now, port, remote, &host.buffer[..length]);
            }
            None => host.server.handle_timeout(now),
        }
    }
}

/// The server with its sockets: the listening one, and one for each allocation.
struct Host {
    runtime: Arc<dyn Runtime>,
    settings: Settings,
    server: Server,
    socket: Arc<dyn UdpSocket>,
    relays: BTreeMap<u16, Arc<dyn UdpSocket>>,
    buffer: Vec<u8>,
}

/// A datagram in the buffer, on the listening socket or on a relay port.
struct Arrival {
    port: Option<u16>,
    length: usize,
    remote: SocketAddr,
}

impl Host {
    /// Does what the server wants. A datagram that the host does not take is lost, as on every network.
    fn perform(&mut self) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Send { remote, payload } => drop(self.socket.try_send(&payload, remote)),
                Output::SendRelayed { port, remote, payload } => {
                    if let Some(relay) = self.relays.get(&port) {
                        drop(relay.try_send(&payload, remote));
                    }
                }
                Output::OpenRelay { port } => self.open(port),
                Output::CloseRelay { port } => drop(self.relays.remove(&port)),
            }
        }
    }

    fn open(&mut self, port: u16) {
        let address = self.settings.turn.as_ref().map(|turn| SocketAddr::new(turn.relay_ip, port));
        match address.map(|address| self.runtime.bind_udp(address)) {
            Some(Ok(relay)) => drop(self.relays.insert(port, relay)),
            Some(Err(error)) => {
                tracing::warn!(%error, port, "the socket of a relayed address cannot be opened");
                self.server.handle_relay_failure(port);
            }
            None => self.server.handle_relay_failure(port),
        }
    }

    /// Receives one datagram into the buffer. A relay socket that fails ends its allocation only.
    fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        if let Poll::Ready(received) = self.socket.poll_recv(cx, &mut self.buffer) {
            return Poll::Ready(received.map(|(length, remote)| Arrival { port: None, length, remote }));
        }
        let mut failed = Vec::new();
        for (port, relay) in &self.relays {
            match relay.poll_recv(cx, &mut self.buffer) {
                Poll::Ready(Ok((length, remote))) => {
                    return Poll::Ready(Ok(Arrival { port: Some(*port), length, remote }));
                }
                Poll::Ready(Err(_)) => failed.push(*port),
                Poll::Pending => {}
            }
        }
        for port in failed {
            self.relays.remove(&port);
            self.server.handle_relay_failure(port);
        }
        Poll::Pending
    }
}
