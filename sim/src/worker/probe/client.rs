//! The probing host's side: sockets that ask.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use darkswap_node::{Runtime as _, UdpSocket};
use tokio::time::{Instant, timeout_at};

use super::message::{Change, MAX_LENGTH, Message, Transaction};
use super::responder::Server;
use crate::runtime::SimRuntime;

/// How often each message is sent, all at once so that they meet the NAT in the same state. On a path that loses 10 % each way all of
/// them, or all answers, get lost once in a million times.
const COPIES: usize = 8;

/// A socket of the probing host. Its mapping is fresh as long as nothing else used its port.
pub(super) struct Client {
    host: Arc<SimRuntime>,
    socket: Arc<dyn UdpSocket>,
    port: u16,
}

impl Client {
    /// Binds a port of the host.
    ///
    /// # Errors
    /// The port is taken, or the host is down.
    pub(super) fn bind(host: &Arc<SimRuntime>, port: u16) -> Result<Self> {
        let local = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let socket = host.bind_udp(local).with_context(|| format!("cannot bind port {port}"))?;
        Ok(Self { host: Arc::clone(host), socket, port })
    }

    /// The local port.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Asks one of the server's endpoints how this socket looks to it.
    ///
    /// # Errors
    /// No answer in `patience`.
    pub(super) async fn ask(&self, server: SocketAddrV4, patience: Duration) -> Result<SocketAddrV4> {
        let transaction = self.send_request(server, Change::default(), None)?;
        let answer = self.hear(transaction, patience).await?;
        answer
            .and_then(|answer| answer.mapped(server))
            .with_context(|| format!("no answer from {server} to port {}", self.port))
    }

    /// Asks the server's primary endpoint to answer from another one, and says whether the answer came.
    ///
    /// # Errors
    /// The host is down.
    pub(super) async fn ask_from(&self, server: Server, change: Change, patience: Duration) -> Result<bool> {
        let transaction = self.send_request(server.primary(), change, None)?;
        let answer = self.hear(transaction, patience).await?;
        Ok(answer.is_some_and(|answer| answer.mapped(server.endpoint(change)).is_some()))
    }

    /// Has the server send something to another port of the own external address.
    ///
    /// # Errors
    /// The host is down.
    pub(super) fn ask_for(&self, port: u16, server: SocketAddrV4) -> Result<Transaction> {
        self.send_request(server, Change::default(), Some(port))
    }

    /// Sends a request that may arrive anywhere.
    ///
    /// # Errors
    /// The host is down.
    pub(super) fn send_to(&self, remote: SocketAddrV4) -> Result<Transaction> {
        self.send_request(remote, Change::default(), None)
    }

    /// Sends something that is not answered.
    ///
    /// # Errors
    /// The host is down.
    pub(super) fn keep_alive(&self, server: SocketAddrV4) -> Result<()> {
        let transaction = self.transaction();
        self.send(&Message::Indication { transaction }, server)
    }

    /// Waits for a message of a transaction.
    ///
    /// # Errors
    /// The host is down.
    pub(super) async fn hear(&self, transaction: Transaction, patience: Duration) -> Result<Option<Heard>> {
        let until = Instant::now() + patience;
        let mut buffer = [0; MAX_LENGTH + 1];
        loop {
            let received = timeout_at(until, poll_fn(|cx| self.socket.poll_recv(cx, &mut buffer))).await;
            let Ok(received) = received else { return Ok(None) };
            let (length, source) = received?;
            if let SocketAddr::V4(source) = source
                && let Some(message) = Message::decode(&buffer[..length.min(buffer.len())])
                && message.transaction() == transaction
            {
                return Ok(Some(Heard { source, message }));
            }
        }
    }

    fn send_request(&self, remote: SocketAddrV4, change: Change, response_port: Option<u16>) -> Result<Transaction> {
        let transaction = self.transaction();
        self.send(&Message::Request { transaction, change, response_port }, remote)?;
        Ok(transaction)
    }

    fn send(&self, message: &Message, remote: SocketAddrV4) -> Result<()> {
        let bytes = message.encode();
        (0..COPIES).try_for_each(|_| self.socket.try_send(&bytes, SocketAddr::V4(remote)))?;
        Ok(())
    }

    fn transaction(&self) -> Transaction {
        let mut transaction = Transaction::default();
        self.host.fill_random(&mut transaction);
        transaction
    }
}

/// A message and where it came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) source: SocketAddrV4,
    message: Message,
}

impl Heard {
    /// What a response from this endpoint says.
    fn mapped(self, endpoint: SocketAddrV4) -> Option<SocketAddrV4> {
        match self.message {
            Message::Response { mapped, .. } if self.source == endpoint => Some(mapped),
            Message::Response { .. } | Message::Request { .. } | Message::Indication { .. } => None,
        }
    }
}
