//! The Electrum protocol on a connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use darkswap_chain::Session;
use darkswap_node::{Runtime, TcpStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::server::Indexer;

/// Bytes that are read at once.
const READ: usize = 16 << 10;
/// Who says nothing for so long is sent away (ElectrumX's default). Clients ping.
const IDLE: Duration = Duration::from_secs(600);
/// Who does not read what is sent for so long is sent away.
const STALLED: Duration = Duration::from_secs(30);

/// Serves a client until it goes, is silent, does not read, or breaks the protocol's bounds.
pub(super) async fn session(
    runtime: Arc<dyn Runtime>,
    indexer: Indexer,
    mut stream: Box<dyn TcpStream>,
) -> io::Result<()> {
    let mut session = Session::default();
    let mut buffer = vec![0; READ];
    let mut idle_since = tokio::time::Instant::now();
    loop {
        let changed = indexer.chain().changed();
        for line in indexer.notifications(&mut session) {
            send(&mut stream, &indexer, line).await?;
        }
        let length = tokio::select! {
            biased;
            () = changed => continue,
            read = tokio::time::timeout_at(idle_since + IDLE, stream.read(&mut buffer)) => read??,
        };
        if length == 0 {
            return Ok(());
        }
        idle_since = tokio::time::Instant::now();
        indexer.count(|counters| counters.bytes_in += length as u64);
        session.receive(&buffer[..length]).map_err(|closed| io::Error::new(io::ErrorKind::InvalidData, closed))?;
        while let Some(line) = indexer.next_answer(&mut session, runtime.wall_clock()) {
            send(&mut stream, &indexer, line).await?;
        }
    }
}

async fn send(stream: &mut Box<dyn TcpStream>, indexer: &Indexer, mut line: String) -> io::Result<()> {
    line.push('\n');
    indexer.count(|counters| counters.bytes_out += line.len() as u64);
    timeout(STALLED, stream.write_all(line.as_bytes())).await?
}
