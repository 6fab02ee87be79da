//! The server of a probe: two addresses with two ports each, which answers as RFC 5780 says.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use darkswap_fabric::HostIndex;
use darkswap_node::{Runtime as _, UdpSocket};

use super::message::{Change, MAX_LENGTH, Message};
use crate::harness::World;

/// The port of STUN, and another.
const PORTS: [u16; 2] = [3_478, 3_479];

/// The endpoints of the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server {
    addresses: [Ipv4Addr; 2],
}

impl Server {
    /// Starts to answer on both hosts.
    ///
    /// # Errors
    /// A host does not exist, or the ports are taken: a bug.
    pub(super) fn start(world: &World, hosts: [(HostIndex, Ipv4Addr); 2]) -> Result<Self> {
        let runtimes = [world.runtime(hosts[0].0)?, world.runtime(hosts[1].0)?];
        let server = Self { addresses: hosts.map(|(_, address)| address) };
        let bind = |which: Change| {
            let endpoint = server.endpoint(which);
            let socket = runtimes[usize::from(which.address)].bind_udp(SocketAddr::V4(endpoint));
            socket.with_context(|| format!("cannot answer on {endpoint}"))
        };
        let sockets = Arc::new(Sockets([
            [bind(Change { address: false, port: false })?, bind(Change { address: false, port: true })?],
            [bind(Change { address: true, port: false })?, bind(Change { address: true, port: true })?],
        ]));
        for (address, runtime) in [false, true].into_iter().zip(&runtimes) {
            for port in [false, true] {
                let sockets = Arc::clone(&sockets);
                runtime.spawn("stun_server", Box::pin(async move { sockets.serve(Change { address, port }).await }));
            }
        }
        Ok(server)
    }

    /// The primary endpoint.
    pub(super) fn primary(&self) -> SocketAddrV4 {
        self.endpoint(Change::default())
    }

    /// The primary endpoint with another address, another port, or both.
    pub(super) fn endpoint(&self, change: Change) -> SocketAddrV4 {
        SocketAddrV4::new(self.addresses[usize::from(change.address)], PORTS[usize::from(change.port)])
    }
}

/// The sockets by address and port. A task of one host sends from the other host's sockets, too: it is one program with two addresses.
struct Sockets([[Arc<dyn UdpSocket>; 2]; 2]);

impl Sockets {
    fn at(&self, which: Change) -> &dyn UdpSocket {
        self.0[usize::from(which.address)][usize::from(which.port)].as_ref()
    }

    /// Answers what comes to one of the sockets until it is gone.
    async fn serve(&self, here: Change) {
        let mut buffer = [0; MAX_LENGTH + 1];
        while let Ok((length, source)) = poll_fn(|cx| self.at(here).poll_recv(cx, &mut buffer)).await {
            if let SocketAddr::V4(source) = source
                && let Some(Message::Request { transaction, change, response_port }) =
                    Message::decode(&buffer[..length.min(buffer.len())])
            {
                let from = Change { address: here.address ^ change.address, port: here.port ^ change.port };
                let to = SocketAddrV4::new(*source.ip(), response_port.unwrap_or(source.port()));
                let response = Message::Response { transaction, mapped: source }.encode();
                // Whoever asks repeats the request, so a response may get lost here as well as on its way.
                let _ = self.at(from).try_send(&response, SocketAddr::V4(to));
            }
        }
    }
}
