//! Indexers on simulated hosts: servers that tell about one Bitcoin chain.
//!
//! | module | what it is |
//! |---|---|
//! | [`SharedChain`] | the chain of a run, and who waits for its changes |
//! | [`Indexer`] | one host's view of it: how it lags and lies, and what it counts |
//! | `listener` | a bounded number of clients at once |
//! | `electrum` | the Electrum protocol on TCP port [`ELECTRUM_PORT`] |
//! | `rpc`, `http` | the JSON-RPC of `bitcoind` on TCP port [`RPC_PORT`] |
//!
//! What is answered is decided by `darkswap-chain`; here are the sockets. All indexers of a run have the same chain behind them and
//! differ in their faults. Faults outlive a crash of the host, clients do not.

mod chain;
mod electrum;
mod http;
mod listener;
mod rpc;
mod server;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use darkswap_node::{Runtime, TcpStream};

pub use chain::SharedChain;
pub use server::{Counters, Fault, FaultNumber, Indexer};

/// Where Electrum servers listen without TLS.
pub const ELECTRUM_PORT: u16 = 50_001;
/// Where `bitcoind` of the main chain listens.
pub const RPC_PORT: u16 = 8_332;
/// Who may use the JSON-RPC, as `-rpcuser` says.
pub const RPC_USER: &str = "darkswap";
/// Its password.
pub const RPC_PASSWORD: &str = "simulated";

/// Serves Electrum clients of a host until its listening socket is gone.
///
/// # Errors
/// The socket cannot be bound, or is gone.
pub async fn serve_electrum(runtime: Arc<dyn Runtime>, ip: IpAddr, indexer: Indexer) -> io::Result<()> {
    serve(runtime, SocketAddr::new(ip, ELECTRUM_PORT), indexer, electrum::session).await
}

/// Serves RPC clients of a host until its listening socket is gone.
///
/// # Errors
/// The socket cannot be bound, or is gone.
pub async fn serve_rpc(runtime: Arc<dyn Runtime>, ip: IpAddr, indexer: Indexer) -> io::Result<()> {
    serve(runtime, SocketAddr::new(ip, RPC_PORT), indexer, rpc::session).await
}

async fn serve<F>(
    runtime: Arc<dyn Runtime>,
    address: SocketAddr,
    indexer: Indexer,
    session: fn(Arc<dyn Runtime>, Indexer, Box<dyn TcpStream>) -> F,
) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    listener::serve(Arc::clone(&runtime), address, indexer.clone(), move |stream| {
        session(Arc::clone(&runtime), indexer.clone(), stream)
    })
    .await
}
