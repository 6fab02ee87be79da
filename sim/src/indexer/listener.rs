//! A bounded number of clients at once.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use darkswap_node::{Runtime, TcpStream};

use super::server::Indexer;

/// Clients of one port at once: every host of a large scenario, and some.
const MAX_CLIENTS: usize = 1_024;

/// Accepts clients until the listening socket is gone. Who finds no room is sent away.
pub(super) async fn serve<F>(
    runtime: Arc<dyn Runtime>,
    address: SocketAddr,
    indexer: Indexer,
    session: impl Fn(Box<dyn TcpStream>) -> F,
) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut listener = runtime.listen_tcp(address)?;
    let room = Arc::new(());
    loop {
        let (stream, remote) = poll_fn(|cx| listener.poll_accept(cx)).await?;
        // Each session holds a clone.
        if Arc::strong_count(&room) > MAX_CLIENTS {
            indexer.count(|counters| counters.refused += 1);
            tracing::debug!(%remote, "a client found no room");
            continue;
        }
        indexer.count(|counters| counters.served += 1);
        let (serving, place) = (session(stream), Arc::clone(&room));
        let task = async move {
            let _place = place;
            if let Err(error) = serving.await {
                tracing::debug!(%remote, %error, "a client is gone");
            }
        };
        runtime.spawn("client of an indexer", Box::pin(task));
    }
}
