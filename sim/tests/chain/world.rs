//! A chain, servers in front of it, and a runtime whose connections end at them.
#![expect(clippy::disallowed_methods, reason = "the tests stand for the world: they run tasks and servers")]

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bitcoin::{Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, absolute, transaction};
use darkswap_chain::{FullNode, NodeConfig, Server, Session, spend_witness, spendable_script};
use darkswap_node::chain::{AssetIndex, ChainEvent, ChainHandle, ChainSettings, NoAssetIndex, Place, spawn};
use darkswap_node::config::{ElectrumServer, ServerAddress};
use darkswap_node::ice_server::Host;
use darkswap_node::{Runtime, TcpListener, TcpStream, UdpSocket};
use darkswap_trade::coin::Holdings;
use darkswap_trader::chain::{ChainInput, ChainRequest};
use darkswap_wallet::bdk_chain::BlockId;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::sync::watch;

pub(crate) const NOW: Duration = Duration::from_secs(1_700_000_000);
/// The script whose coins tests spend.
pub(crate) const ALICE: u32 = 1;
/// Who is paid.
pub(crate) const BOB: u32 = 2;

/// The port of the first server; the next ones follow.
const PORT: u16 = 50_001;

/// How long a test waits, in virtual time.
const PATIENCE: Duration = Duration::from_secs(7_200);

/// What listens on one port.
pub(crate) enum Peer {
    /// An Electrum server.
    Server(Server),
    /// Nobody.
    Nobody,
    /// Somebody who says this over and over, whatever is asked.
    Babbler(Vec<u8>),
    /// A server whose answers are changed on their way.
    Liar(Server, fn(String) -> String),
    /// A server that takes so long for each answer.
    Slow(Server, Duration),
}

struct State {
    node: FullNode,
    peers: Vec<Peer>,
    connections: usize,
    /// How often headers were asked for.
    header_questions: usize,
    files: BTreeMap<PathBuf, File>,
}

/// The chain and all servers.
#[derive(Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    changed: Arc<watch::Sender<u64>>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl World {
    /// As many honest servers.
    pub(crate) fn new(servers: usize) -> Self {
        Self::with((0..servers).map(|_| Peer::Server(Server::default())).collect())
    }

    pub(crate) fn with(peers: Vec<Peer>) -> Self {
        let node = FullNode::new(NodeConfig::default(), 7);
        let state =
            Arc::new(Mutex::new(State { node, peers, connections: 0, header_questions: 0, files: BTreeMap::new() }));
        Self { state, changed: Arc::new(watch::Sender::new(0)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the chain, and lets servers notify of it.
    pub(crate) fn chain<T>(&self, change: impl FnOnce(&mut FullNode) -> T) -> T {
        let result = change(&mut self.lock().node);
        self.changed.send_modify(|version| *version += 1);
        result
    }

    /// Changes a server. Those who listen no more close their connections.
    pub(crate) fn peer<T>(&self, index: usize, change: impl FnOnce(&mut Peer) -> T) -> T {
        let result = change(&mut self.lock().peers[index]);
        self.changed.send_modify(|version| *version += 1);
        result
    }

    pub(crate) fn server<T>(&self, index: usize, change: impl FnOnce(&mut Server) -> T) -> T {
        self.peer(index, |peer| match peer {
            Peer::Server(server) | Peer::Liar(server, _) | Peer::Slow(server, _) => change(server),
            Peer::Nobody | Peer::Babbler(_) => panic!("no server listens there"),
        })
    }

    /// How many connections were opened so far.
    pub(crate) fn connections(&self) -> usize {
        self.lock().connections
    }

    /// How often headers were asked for so far.
    pub(crate) fn header_questions(&self) -> usize {
        self.lock().header_questions
    }

    /// Coins of 100,000 satoshis for Alice.
    pub(crate) fn fund(&self, count: u64) -> Vec<OutPoint> {
        self.chain(|node| node.fund(NOW, &spendable_script(ALICE), Amount::from_sat(100_000), count))
            .expect("so much can be mined")
    }

    pub(crate) fn settings(&self) -> ChainSettings {
        let servers = (PORT..).take(self.lock().peers.len());
        ChainSettings::new(Network::Regtest, servers.map(at).collect())
    }

    pub(crate) fn client(&self) -> Client {
        self.client_with(self.settings(), Arc::new(NoAssetIndex))
    }

    pub(crate) fn client_with(&self, settings: ChainSettings, assets: Arc<dyn AssetIndex>) -> Client {
        Client { handle: spawn(settings, assets, Arc::new(self.clone())), seen: Vec::new() }
    }
}

/// The address that settings name for a server.
pub(crate) fn address(index: u16) -> ElectrumServer {
    at(PORT + index)
}

fn at(port: u16) -> ElectrumServer {
    ServerAddress { host: Host::Ip([10, 0, 0, 1].into()), port }.into()
}

/// Whoever asks the chain.
pub(crate) struct Client {
    pub(crate) handle: ChainHandle,
    /// All events that were read.
    pub(crate) seen: Vec<ChainEvent>,
}

impl Client {
    pub(crate) fn ask(&mut self, request: ChainRequest) {
        self.handle.requests.send(request).expect("there is room");
    }

    /// The next input for which `wanted` finds something.
    pub(crate) async fn until<T>(&mut self, mut wanted: impl FnMut(ChainInput) -> Option<T>) -> T {
        let search = async {
            loop {
                let input = self.handle.inputs.recv().await.expect("the task runs");
                if let Some(found) = wanted(input) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("it comes in time")
    }

    pub(crate) async fn tip(&mut self, height: u32) {
        self.until(|input| matches!(input, ChainInput::Tip { height: found, .. } if found == height).then_some(()))
            .await;
    }

    /// The next event that fits.
    pub(crate) async fn event(&mut self, mut wanted: impl FnMut(&ChainEvent) -> bool) -> ChainEvent {
        let search = async {
            loop {
                let event = self.handle.events.recv().await.expect("the task runs");
                self.seen.push(event.clone());
                if wanted(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("it comes in time")
    }

    /// Nothing that fits comes within a minute.
    pub(crate) async fn never(&mut self, mut unwanted: impl FnMut(&ChainInput) -> bool) {
        let search = async {
            while let Some(input) = self.handle.inputs.recv().await {
                assert!(!unwanted(&input), "{input:?}");
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(59), search).await;
    }
}

/// An index that knows the same of everything.
#[derive(Debug)]
pub(crate) struct SameAssets(pub(crate) Holdings);

impl AssetIndex for SameAssets {
    fn holdings(&self, places: Vec<Place>, _tip: BlockId) -> BoxFuture<'static, Result<Vec<Holdings>, String>> {
        let all = vec![self.0.clone(); places.len()];
        Box::pin(std::future::ready(Ok(all)))
    }
}

/// Spends one of Alice's coins to a script.
pub(crate) fn pay(coin: OutPoint, script: ScriptBuf, sats: u64) -> Transaction {
    let input = TxIn {
        previous_output: coin,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: spend_witness(ALICE),
    };
    let output = TxOut { value: Amount::from_sat(sats), script_pubkey: script };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![input],
        output: vec![output],
    }
}

impl Runtime for World {
    fn bind_udp(&self, _local: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn listen_tcp(&self, _local: SocketAddr) -> io::Result<Box<dyn TcpListener>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn connect_tcp(&self, remote: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn TcpStream>>> {
        let world = self.clone();
        Box::pin(async move {
            let index = usize::from(remote.port() - PORT);
            let babble = {
                let mut state = world.lock();
                state.connections += 1;
                match &state.peers[index] {
                    Peer::Nobody => return Err(io::ErrorKind::ConnectionRefused.into()),
                    Peer::Babbler(words) => Some(words.clone()),
                    Peer::Server(_) | Peer::Liar(..) | Peer::Slow(..) => None,
                }
            };
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            match babble {
                Some(words) => drop(tokio::spawn(async move { say_forever(theirs, &words).await })),
                None => drop(tokio::spawn(async move { world.serve(theirs, index).await })),
            }
            Ok(Box::new(Stream(ours)) as Box<dyn TcpStream>)
        })
    }

    fn local_addresses(&self) -> io::Result<Vec<IpAddr>> {
        Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
    }

    fn resolve(&self, _name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(std::future::ready(Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])))
    }

    fn open_storage(&self, file: &Path) -> io::Result<Box<dyn redb::StorageBackend>> {
        Ok(Box::new(self.lock().files.entry(file.to_owned()).or_default().clone()))
    }

    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn wall_clock(&self) -> Duration {
        NOW
    }
}

impl World {
    async fn serve(self, mut stream: DuplexStream, index: usize) {
        let mut session = Session::default();
        let mut changed = self.changed.subscribe();
        let mut bytes = vec![0; 1 << 16];
        loop {
            tokio::select! {
                read = stream.read(&mut bytes) => match read {
                    Ok(count) if count > 0 => {
                        self.count(&bytes[..count]);
                        if session.receive(&bytes[..count]).is_err() {
                            return;
                        }
                    }
                    _ => return,
                },
                version = changed.changed() => if version.is_err() { return },
            }
            let Some(lines) = self.lines(&mut session, index) else { return };
            for line in lines {
                if let Some(pause) = self.pause(index) {
                    tokio::time::sleep(pause).await;
                }
                if stream.write_all(line.as_bytes()).await.is_err() || stream.write_all(b"\n").await.is_err() {
                    return;
                }
            }
        }
    }

    fn pause(&self, index: usize) -> Option<Duration> {
        match &self.lock().peers[index] {
            Peer::Slow(_, pause) => Some(*pause),
            // So that time goes on also while a liar has something to say all the time.
            Peer::Liar(..) => Some(Duration::from_millis(1)),
            Peer::Server(_) | Peer::Nobody | Peer::Babbler(_) => None,
        }
    }

    fn count(&self, bytes: &[u8]) {
        let questions = String::from_utf8_lossy(bytes).matches("\"blockchain.block.headers\"").count();
        self.lock().header_questions += questions;
    }

    /// What a session is to be told; none if nobody listens any more.
    fn lines(&self, session: &mut Session, index: usize) -> Option<Vec<String>> {
        let mut state = self.lock();
        let State { node, peers, .. } = &mut *state;
        let (server, lie) = match &mut peers[index] {
            Peer::Server(server) | Peer::Slow(server, _) => (server, None),
            Peer::Liar(server, lie) => (server, Some(*lie)),
            Peer::Nobody | Peer::Babbler(_) => return None,
        };
        let mut lines = Vec::new();
        while let Some(answer) = server.next_answer(session, node, NOW) {
            lines.push(lie.map_or_else(|| answer.clone(), |lie| lie(answer.clone())));
        }
        lines.extend(server.notifications(session, node));
        Some(lines)
    }
}

async fn say_forever(mut stream: DuplexStream, words: &[u8]) {
    while stream.write_all(words).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[derive(Debug)]
struct Stream(DuplexStream);

impl TcpStream for Stream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1))
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A file that outlives those who have it open.
#[derive(Debug, Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl File {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl redb::StorageBackend for File {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        out.copy_from_slice(self.lock().get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.lock().resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        self.lock()[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}
