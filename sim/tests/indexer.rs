//! Indexers on simulated hosts: the Electrum protocol and the JSON-RPC of `bitcoind` over simulated TCP, with raw clients.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod server_and_client;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, absolute, transaction};
use darkswap_chain::{FullNode, NodeConfig, Reorg, ScriptHash, spend_witness, spendable_script};
use darkswap_node::{Runtime, TcpStream};
use darkswap_scenario::topology::ChainLie;
use darkswap_sim::clock::WALL_CLOCK_EPOCH;
use darkswap_sim::indexer::{self, ELECTRUM_PORT, Fault, Indexer, RPC_PORT, SharedChain};
use darkswap_sim::{SimRuntime, World};
use data_encoding::BASE64;
use serde_json::{Value, json};
use server_and_client::{host, serve_rpc};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(5);
const COIN: u64 = 50_000;

fn run<T: Send + 'static, F>(scene: impl FnOnce(World) -> F + Send + 'static) -> T
where
    F: Future<Output = T> + 'static,
{
    server_and_client::run(1, Duration::from_secs(3_600), scene)
}

/// A chain with one coin, an indexer on the host `server`, and the host `client`.
struct Scene {
    world: World,
    indexer: Indexer,
    client: Arc<SimRuntime>,
    server: SocketAddr,
    coin: OutPoint,
}

impl Scene {
    fn new(world: World) -> Self {
        let mut node = FullNode::new(NodeConfig::default(), 7);
        let before = WALL_CLOCK_EPOCH - Duration::from_secs(86_400);
        let coin = node.fund(before, &spendable_script(5), Amount::from_sat(COIN), 1).unwrap()[0];
        let indexer = Indexer::new(SharedChain::new(node), true);
        let client = host(&world, "client");
        let server = SocketAddr::new(host(&world, "server").addresses()[0], 0);
        let scene = Self { world, indexer, client, server, coin };
        scene.serve();
        scene
    }

    fn serve(&self) {
        let runtime = host(&self.world, "server");
        let server: Arc<dyn Runtime> = Arc::<SimRuntime>::clone(&runtime);
        let electrum = indexer::serve_electrum(server, self.server.ip(), self.indexer.clone());
        runtime.spawn("electrum", Box::pin(async move { drop(electrum.await) }));
        serve_rpc(&self.world, &self.indexer);
    }

    async fn connect(&self, port: u16) -> Line {
        let remote = SocketAddr::new(self.server.ip(), port);
        let stream = timeout(PATIENCE, self.client.connect_tcp(remote)).await.unwrap().unwrap();
        Line { stream: BufReader::new(stream) }
    }

    fn mine(&self, count: u32) {
        let now = self.client.wall_clock();
        self.indexer.chain().change(now, |node| node.mine(now, count));
    }

    fn height(&self) -> u32 {
        self.indexer.chain().look(|node| node.chain().height())
    }

    /// Spends the coin, as hexadecimal and its id.
    fn payment(&self) -> (String, String) {
        let input = TxIn {
            previous_output: self.coin,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: spend_witness(5),
        };
        let output = TxOut { value: Amount::from_sat(COIN - 1_000), script_pubkey: spendable_script(6) };
        let (version, lock_time) = (transaction::Version::TWO, absolute::LockTime::ZERO);
        let transaction = Transaction { version, lock_time, input: vec![input], output: vec![output] };
        (bitcoin::consensus::encode::serialize_hex(&transaction), transaction.compute_txid().to_string())
    }
}

/// A connection with lines of JSON.
struct Line {
    stream: BufReader<Box<dyn TcpStream>>,
}

impl Line {
    async fn call(&mut self, method: &str, params: Value) -> Value {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.stream.write_all(format!("{call}\n").as_bytes()).await.unwrap();
        self.next().await.expect("an answer")
    }

    /// The next line, unless the server is silent or hangs up.
    async fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.stream.read_line(&mut line)).await.ok()?;
        serde_json::from_str(&line).ok().filter(|_| read.is_ok())
    }

    async fn post(&mut self, password: &str, body: &str) -> (String, String) {
        let login = BASE64.encode(format!("{}:{password}", indexer::RPC_USER).as_bytes());
        let head = format!("Host: a\r\nAuthorization: Basic {login}\r\nContent-Length: {}", body.len());
        self.stream.write_all(format!("POST / HTTP/1.1\r\n{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).await.unwrap();
            if let Some(announced) = line.strip_prefix("Content-Length: ") {
                length = announced.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        (head.lines().next().unwrap().to_owned(), String::from_utf8(body).unwrap())
    }
}

const HEADERS: &str = "blockchain.headers.subscribe";
const SCRIPT: &str = "blockchain.scripthash.subscribe";
const BROADCAST: &str = "blockchain.transaction.broadcast";

#[test]
fn clients_hear_of_blocks_payments_and_reorgs() {
    run(|world| async {
        let scene = Scene::new(world);
        let (mut watcher, mut payer) = (scene.connect(ELECTRUM_PORT).await, scene.connect(ELECTRUM_PORT).await);
        assert_eq!(watcher.call(HEADERS, json!([])).await["result"]["height"], scene.height());
        let script = ScriptHash::of(&spendable_script(6)).to_string();
        assert_eq!(watcher.call(SCRIPT, json!([script])).await["result"], Value::Null);

        let (hex, txid) = scene.payment();
        assert_eq!(payer.call(BROADCAST, json!([hex])).await["result"], *txid);
        let heard = watcher.next().await.unwrap();
        assert_eq!((&heard["method"], &heard["params"][0]), (&json!(SCRIPT), &json!(script)));

        scene.mine(1);
        assert_eq!(watcher.next().await.unwrap()["method"], SCRIPT);
        let heard = watcher.next().await.unwrap();
        assert_eq!((&heard["method"], &heard["params"][0]["height"]), (&json!(HEADERS), &json!(scene.height())));

        let now = scene.client.wall_clock();
        let reorg = Reorg { depth: 1, length: 2, ..Reorg::default() };
        scene.indexer.chain().change(now, |node| node.reorg(now, reorg)).unwrap();
        assert_eq!(watcher.next().await.unwrap()["method"], SCRIPT);
        assert_eq!(watcher.next().await.unwrap()["params"][0]["height"], scene.height());
        let history = watcher.call("blockchain.scripthash.get_history", json!([script])).await;
        assert_eq!(history["result"][0]["height"], 0, "{history}");
        let counters = scene.indexer.counters();
        assert_eq!((counters.served, counters.answers, counters.notifications), (2, 4, 5));
        assert!(counters.bytes_in > 0 && counters.bytes_out > counters.bytes_in);
    });
}

#[test]
fn a_lagging_indexer_is_behind_until_the_fault_ends() {
    run(|world| async {
        let scene = Scene::new(world);
        let mut watcher = scene.connect(ELECTRUM_PORT).await;
        let height = scene.height();
        let fault = scene.indexer.begin(Fault::Lag(2));
        assert_eq!(watcher.call(HEADERS, json!([])).await["result"]["height"], height - 2);
        scene.mine(1);
        assert_eq!(watcher.next().await.unwrap()["params"][0]["height"], height - 1);
        assert!(scene.indexer.end(fault) > 0);
        assert_eq!(watcher.next().await.unwrap()["params"][0]["height"], height + 1);
        assert_eq!(scene.indexer.end(fault), 0, "it ended before");
    });
}

#[test]
fn an_indexer_lies_as_long_as_it_is_told_to() {
    run(|world| async {
        let scene = Scene::new(world);
        let mut payer = scene.connect(ELECTRUM_PORT).await;
        let (hex, txid) = scene.payment();
        let swallow = scene.indexer.begin(Fault::Lie([ChainLie::Swallow].into()));
        assert_eq!(payer.call(BROADCAST, json!([hex])).await["result"], *txid);
        assert!(scene.indexer.chain().look(|node| node.mempool().is_empty()));
        assert_eq!(scene.indexer.end(swallow), 1);

        assert_eq!(payer.call(BROADCAST, json!([hex])).await["result"], *txid);
        assert_eq!(scene.indexer.chain().look(|node| node.mempool().len()), 1);
        let script = ScriptHash::of(&spendable_script(6)).to_string();
        let hide = scene.indexer.begin(Fault::Lie([ChainLie::Hide].into()));
        let history = payer.call("blockchain.scripthash.get_history", json!([script])).await;
        assert_eq!(history["result"], json!([]));
        assert!(scene.indexer.end(hide) > 0);
        let history = payer.call("blockchain.scripthash.get_history", json!([script])).await;
        assert_eq!(history["result"][0]["tx_hash"], *txid);
        // A lie about which nobody asked touched nothing, and fails a run.
        let idle = scene.indexer.begin(Fault::Lie([ChainLie::Proof].into()));
        assert_eq!(scene.indexer.end(idle), 0);
    });
}

#[test]
fn clients_of_a_crashed_indexer_find_it_again_and_its_faults_with_it() {
    run(|world| async {
        let scene = Scene::new(world);
        let mut watcher = scene.connect(ELECTRUM_PORT).await;
        watcher.call(HEADERS, json!([])).await;
        scene.indexer.begin(Fault::Lag(1));
        let server = scene.world.host("server").unwrap();
        scene.world.crash(server).unwrap();
        scene.mine(1);
        assert_eq!(watcher.next().await, None);
        scene.world.restart(server).unwrap();
        scene.serve();
        let mut again = scene.connect(ELECTRUM_PORT).await;
        assert_eq!(again.call(HEADERS, json!([])).await["result"]["height"], scene.height() - 1);
    });
}

#[test]
fn a_line_without_end_closes_the_connection() {
    run(|world| async {
        let scene = Scene::new(world);
        let mut client = scene.connect(ELECTRUM_PORT).await;
        let line = vec![b'x'; darkswap_chain::MAX_LINE + (64 << 10)];
        // The server may hang up before all of it is written.
        drop(client.stream.write_all(&line).await);
        assert_eq!(client.next().await, None);
        let mut other = scene.connect(ELECTRUM_PORT).await;
        assert_eq!(other.call("server.ping", json!([])).await["result"], Value::Null);
    });
}

#[test]
fn bitcoind_answers_who_knows_the_password() {
    run(|world| async {
        let scene = Scene::new(world);
        let mut client = scene.connect(RPC_PORT).await;
        let call = |method: &str| json!({"id": 1, "method": method, "params": []}).to_string();
        for _ in 0..2 {
            let (status, body) = client.post(indexer::RPC_PASSWORD, &call("getblockcount")).await;
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((status.as_str(), &body["result"]), ("HTTP/1.1 200 OK", &json!(scene.height())));
        }
        let (status, _) = client.post(indexer::RPC_PASSWORD, &call("stop")).await;
        assert_eq!(status, "HTTP/1.1 500 Internal Server Error");
        let (status, body) = client.post("guessed", &call("getblockcount")).await;
        assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 401 Unauthorized", ""));
        assert_eq!(scene.indexer.counters().calls, 3);
    });
}
