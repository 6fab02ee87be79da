//! A TCP connection to a server that the configuration names.

use std::net::SocketAddr;

use crate::config::ServerAddress;
use crate::ice_server::Host;
use crate::runtime::{Runtime, TcpStream};

/// Addresses of one name that are tried: one of each family, and some.
const MAX_ADDRESSES: usize = 4;

/// Resolves the name, if it is one, and takes the first of its addresses that answers. Whoever asks bounds the time.
///
/// # Errors
/// In words, why the last address did not answer.
pub(crate) async fn reach(runtime: &dyn Runtime, server: &ServerAddress) -> Result<Box<dyn TcpStream>, String> {
    let addresses = match &server.host {
        Host::Ip(address) => vec![*address],
        Host::Name(name) => {
            runtime.resolve(name).await.map_err(|error| format!("the name does not resolve: {error}"))?
        }
    };
    let mut last = "the name has no address".to_owned();
    for ip in addresses.into_iter().take(MAX_ADDRESSES) {
        match runtime.connect_tcp(SocketAddr::new(ip, server.port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("it does not take connections: {error}"),
        }
    }
    Err(last)
}
