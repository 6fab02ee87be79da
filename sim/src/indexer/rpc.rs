//! The JSON-RPC of `bitcoind` on a connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use darkswap_node::{Runtime, TcpStream};
use data_encoding::BASE64;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::http::{Parser, Problem, Request, response};
use super::server::Indexer;
use super::{RPC_PASSWORD, RPC_USER};

/// Bytes that are read at once.
const READ: usize = 16 << 10;
/// Who asks nothing for so long is sent away (`-rpcservertimeout`).
const IDLE: Duration = Duration::from_secs(30);

/// Serves a client until it goes, is silent, or breaks the rules of HTTP.
pub(super) async fn session(
    runtime: Arc<dyn Runtime>,
    indexer: Indexer,
    mut stream: Box<dyn TcpStream>,
) -> io::Result<()> {
    let mut parser = Parser::default();
    let mut buffer = vec![0; READ];
    loop {
        let answer = match parser.next_request() {
            Ok(Some(request)) => {
                let Some(answer) = answer(&indexer, runtime.wall_clock(), &request) else { return Ok(()) };
                (answer, request.keep_alive)
            }
            Err(problem) => (response(problem.status(), ""), false),
            Ok(None) => {
                let length = timeout(IDLE, stream.read(&mut buffer)).await??;
                if length == 0 {
                    return Ok(());
                }
                indexer.count(|counters| counters.bytes_in += length as u64);
                parser.receive(&buffer[..length]);
                continue;
            }
        };
        let (answer, keep_alive) = answer;
        indexer.count(|counters| counters.bytes_out += answer.len() as u64);
        timeout(IDLE, stream.write_all(answer.as_bytes())).await??;
        if !keep_alive {
            return stream.shutdown().await;
        }
    }
}

/// The answer to a request; none when the node behind is down.
fn answer(indexer: &Indexer, now: Duration, request: &Request) -> Option<String> {
    let credentials = format!("Basic {}", BASE64.encode(format!("{RPC_USER}:{RPC_PASSWORD}").as_bytes()));
    if request.authorization.as_deref() != Some(&credentials) {
        return Some(response(Problem::Unauthorized.status(), ""));
    }
    let body = indexer.call(now, &request.body)?;
    // Before version 2.0 of JSON-RPC, `bitcoind` says in the status that a call failed.
    let failed = body.starts_with("{\"error\":{") && !body.contains("\"jsonrpc\":\"2.0\"");
    Some(response(if failed { "500 Internal Server Error" } else { "200 OK" }, &body))
}
