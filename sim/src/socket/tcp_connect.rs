//! The attempt of a simulated host to open a TCP connection.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use darkswap_node::TcpStream;
use futures::future::BoxFuture;
use tokio::time::Sleep;
use turmoil_net::shim::tokio::net;

use super::Owner;
use super::owned::Owned;
use super::tcp_stream::SimTcpStream;

/// How long a host tries: Linux gives up after six retransmissions of its SYN, at 127 s.
const TIMEOUT: Duration = Duration::from_secs(127);

/// Opens a connection from the owner to `remote`.
pub(crate) fn connect(owner: Owner, remote: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn TcpStream>>> {
    Box::pin(Connect { owner, remote, attempt: None, timeout: None })
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<net::TcpStream>> + Send>>;

/// Nothing happens before the first poll, and nothing is left after a drop.
struct Connect {
    owner: Owner,
    remote: SocketAddr,
    attempt: Option<Owned<Attempt>>,
    timeout: Option<Pin<Box<Sleep>>>,
}

impl Connect {
    fn start(&self) -> io::Result<Attempt> {
        if self.remote.ip().is_unspecified() || self.remote.port() == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an address to connect to"));
        }
        Ok(Box::pin(net::TcpStream::connect(self.remote)))
    }

    fn poll_attempt(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<net::TcpStream>> {
        if self.attempt.is_none() {
            self.attempt = Some(Owned::new(self.owner.clone(), self.start()?));
            self.owner.signal().host_may_have_sent();
        }
        match &mut self.attempt {
            Some(attempt) => attempt.enter_mut()?.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl Future for Connect {
    type Output = io::Result<Box<dyn TcpStream>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(stream) = self.poll_attempt(cx) {
            let stream = SimTcpStream::new(self.owner.clone(), stream?)?;
            return Poll::Ready(Ok(Box::new(stream)));
        }
        let timeout = self.timeout.get_or_insert_with(|| Box::pin(tokio::time::sleep(TIMEOUT)));
        timeout.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}
