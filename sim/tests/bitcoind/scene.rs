//! A chain with a bitcoind before it, an impostor beside it, and a client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, absolute, transaction};
use darkswap_chain::{FullNode, NodeConfig, spend_witness, spendable_script};
use darkswap_node::bitcoind::Client;
use darkswap_node::config::{Bitcoind, RpcLogin, ServerAddress};
use darkswap_node::{Runtime, TcpStream};
use darkswap_sim::clock::WALL_CLOCK_EPOCH;
use darkswap_sim::indexer::{Indexer, RPC_PASSWORD, RPC_PORT, RPC_USER, SharedChain};
use darkswap_sim::{SimRuntime, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

use crate::server_and_client;

/// What Alice's coin is worth, in satoshis.
pub(crate) const COIN: u64 = 50_000;
/// Who has the coin, and who is paid.
pub(crate) const ALICE: u32 = 5;
pub(crate) const BOB: u32 = 6;

/// Where the impostor listens.
const IMPOSTOR_PORT: u16 = 18_332;

pub(crate) fn run<T: Send + 'static, F>(scene: impl FnOnce(Scene) -> F + Send + 'static) -> T
where
    F: Future<Output = T> + 'static,
{
    server_and_client::run(1, Duration::from_secs(3_600), |world| scene(Scene::new(world)))
}

/// A chain with one coin, its bitcoind on the host `server`, and the host `client`.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) indexer: Indexer,
    pub(crate) coin: OutPoint,
}

/// What an impostor does once it has said what it says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then {
    /// Hangs up.
    Close,
    /// Says nothing more.
    Hold,
    /// Says the letter `a` once a second.
    Trickle,
    /// Serves the next request in the same way.
    Repeat,
}

impl Scene {
    fn new(world: World) -> Self {
        let mut node = FullNode::new(NodeConfig::default(), 7);
        let before = WALL_CLOCK_EPOCH - Duration::from_secs(86_400);
        let coin = node.fund(before, &spendable_script(ALICE), Amount::from_sat(COIN), 1).unwrap()[0];
        let scene = Self { world, indexer: Indexer::new(SharedChain::new(node), true), coin };
        scene.serve();
        scene
    }

    pub(crate) fn runtime(&self, name: &str) -> Arc<SimRuntime> {
        server_and_client::host(&self.world, name)
    }

    /// Lets bitcoind listen.
    pub(crate) fn serve(&self) {
        server_and_client::serve_rpc(&self.world, &self.indexer);
    }

    /// A client that knows the password.
    pub(crate) fn client(&self) -> Client {
        self.client_with(&self.address(RPC_PORT), RPC_PASSWORD)
    }

    pub(crate) fn client_with(&self, address: &str, password: &str) -> Client {
        let login = RpcLogin::Password { user: RPC_USER.into(), password: password.to_owned().into() };
        let address: ServerAddress = address.parse().unwrap();
        Client::new(Bitcoind { address, login }, self.runtime("client"))
    }

    pub(crate) fn address(&self, port: u16) -> String {
        SocketAddr::new(self.runtime("server").addresses()[0], port).to_string()
    }

    /// A client of somebody who answers the first requests, each on a connection of its own, in these ways.
    pub(crate) fn client_of_impostor(&self, ways: Vec<(Vec<u8>, Then)>) -> Client {
        let runtime = self.runtime("server");
        let local = SocketAddr::new(runtime.addresses()[0], IMPOSTOR_PORT);
        let mut listener = runtime.listen_tcp(local).unwrap();
        let spawner = Arc::clone(&runtime);
        let serve = async move {
            for (words, then) in ways {
                let (stream, _) = std::future::poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
                spawner.spawn("impostor", Box::pin(answer(stream, words, then)));
            }
        };
        runtime.spawn("impostors", Box::pin(serve));
        self.client_with(&self.address(IMPOSTOR_PORT), RPC_PASSWORD)
    }

    pub(crate) fn chain<T>(&self, change: impl FnOnce(&mut FullNode, Duration) -> T) -> T {
        let now = self.runtime("client").wall_clock();
        self.indexer.chain().change(now, |node| change(node, now))
    }

    /// Alice pays Bob with her coin; the payment waits.
    pub(crate) fn pay(&self) -> Transaction {
        let input = TxIn {
            previous_output: self.coin,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: spend_witness(ALICE),
        };
        let output = TxOut { value: Amount::from_sat(COIN - 1_000), script_pubkey: spendable_script(BOB) };
        let (version, lock_time) = (transaction::Version::TWO, absolute::LockTime::ZERO);
        let payment = Transaction { version, lock_time, input: vec![input], output: vec![output] };
        self.chain(|node, now| node.broadcast(now, payment.clone())).unwrap();
        payment
    }
}

async fn answer(mut stream: Box<dyn TcpStream>, words: Vec<u8>, then: Then) {
    let mut request = vec![0; 4_096];
    loop {
        // Requests are short; theirs ends with the body's brace.
        let mut length = 0;
        while !request[..length].ends_with(b"}") {
            match stream.read(&mut request[length..]).await {
                Ok(read) if read > 0 => length += read,
                _ => return,
            }
        }
        // Who has heard enough hangs up before all of it is written.
        if stream.write_all(&words).await.is_err() {
            return;
        }
        match then {
            Then::Close => return drop(stream.shutdown().await),
            Then::Hold => std::future::pending().await,
            Then::Repeat => {}
            Then::Trickle => {
                while stream.write_all(b"a").await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
                return;
            }
        }
    }
}

/// A response with a body.
pub(crate) fn response(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
