//! A chain full of runes with a bitcoind before it, and a host with an index of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bitcoin::{Amount, FeeRate, Network, OutPoint, TxOut};
use darkswap_chain::{FullNode, NodeConfig, Reorg, spendable_script};
use darkswap_node::Runtime;
use darkswap_node::chain::AssetIndex as _;
use darkswap_node::config::{Bitcoind, RpcLogin, TradingConfig};
use darkswap_node::rune_index::RuneIndex;
use darkswap_node::rune_index::rows::Rows;
use darkswap_node::store::StoreError;
use darkswap_sim::clock::WALL_CLOCK_EPOCH;
use darkswap_sim::indexer::{Indexer, RPC_PASSWORD, RPC_PORT, RPC_USER, SharedChain};
use darkswap_sim::{SimRuntime, World};
use darkswap_trade::rune::index::{Changes, Index, MemoryState, PreviousOutput, State as _};
use darkswap_trade::swap::Policy;
use darkswap_wallet::Seed;
use darkswap_wallet::bdk_chain::BlockId;
use ordinals::{Edict, Rune, RuneId, Runestone};
use tokio::time::{sleep, timeout};

use crate::runes::{ALICE, Commitment, etching, mint, own, spend, spend_with};
use crate::server_and_client;

/// The rune that is on the chain from the start.
pub(crate) const NAME: &str = "GOLDDARKSWAPD";
/// Coins without runes that transactions can pay their fees with, each one once, and what each is worth.
const COINS: u64 = 400;
const COIN: u64 = 20_000;
/// How long the index may take to catch up with the few hundred blocks of a test, and to notice that bitcoind is back.
const SOON: Duration = Duration::from_secs(150);

pub(crate) fn run<T: Send + 'static, F>(seed: u64, scene: impl FnOnce(Scene) -> F + Send + 'static) -> T
where
    F: Future<Output = T> + 'static,
{
    server_and_client::run(seed, Duration::from_secs(7_200), move |world| scene(Scene::new(world, seed)))
}

/// The chain, its bitcoind on the host `server`, and the host `client`.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) indexer: Indexer,
    draw: Mutex<Draw>,
}

/// What the next transactions are made of.
struct Draw {
    state: u64,
    /// Coins without runes.
    coins: Vec<OutPoint>,
}

impl Scene {
    fn new(world: World, seed: u64) -> Self {
        let before = WALL_CLOCK_EPOCH - Duration::from_secs(86_400);
        let mut node = FullNode::new(NodeConfig::default(), seed);
        let coins = node.fund(before, &spendable_script(ALICE), Amount::from_sat(COIN), COINS).unwrap();
        etch(&mut node, before, coins[0]);
        let draw = Mutex::new(Draw { state: seed, coins: coins[1..].to_vec() });
        let scene = Self { world, indexer: Indexer::new(SharedChain::new(node), true), draw };
        scene.serve();
        scene.mine(20);
        scene
    }

    pub(crate) fn runtime(&self, name: &str) -> Arc<SimRuntime> {
        server_and_client::host(&self.world, name)
    }

    /// Lets bitcoind listen.
    pub(crate) fn serve(&self) {
        server_and_client::serve_rpc(&self.world, &self.indexer);
    }

    /// Takes a host down and lets it start again, without any task.
    pub(crate) fn reboot(&self, name: &str) {
        let host = self.world.host(name).unwrap();
        self.world.crash(host).unwrap();
        self.world.restart(host).unwrap();
    }

    pub(crate) fn config(&self) -> TradingConfig {
        let login = RpcLogin::Password { user: RPC_USER.into(), password: RPC_PASSWORD.to_owned().into() };
        let address = SocketAddr::new(self.runtime("server").addresses()[0], RPC_PORT).to_string();
        TradingConfig {
            network: Network::Regtest,
            electrum: Vec::new(),
            bitcoind: Some(Bitcoind { address: address.parse().unwrap(), login }),
            policy: Policy {
                confirmations: 2,
                window: Duration::from_secs(60),
                fee_rates: (FeeRate::BROADCAST_MIN, FeeRate::from_sat_per_vb_u32(100)),
            },
            folder: Path::new("trading").to_owned(),
            seed: Seed::from_entropy(&[5; 16]).unwrap(),
        }
    }

    /// The node's index, on the disk of `client`.
    pub(crate) fn open(&self) -> RuneIndex {
        self.open_on(self.runtime("client")).unwrap()
    }

    pub(crate) fn open_on(&self, host: Arc<dyn Runtime>) -> Result<RuneIndex, StoreError> {
        Ok(RuneIndex::open(&self.config(), &host)?.expect("a bitcoind is configured"))
    }

    /// What is on the disk of `client`, while nobody has it open.
    pub(crate) fn rows(&self) -> Rows {
        Rows::open(&*self.runtime("client"), &self.config().rune_index(), Network::Regtest).unwrap()
    }

    pub(crate) fn chain<T>(&self, change: impl FnOnce(&mut FullNode, Duration) -> T) -> T {
        let now = self.runtime("client").wall_clock();
        self.indexer.chain().change(now, |node| change(node, now))
    }

    pub(crate) fn tip(&self) -> BlockId {
        self.chain(|node, _| BlockId { height: node.chain().height(), hash: node.chain().tip() })
    }

    /// Mines blocks, each with a few transactions about runes.
    pub(crate) fn mine(&self, blocks: u32) {
        for _ in 0..blocks {
            for _ in 0..self.below(4) {
                self.stir();
            }
            self.chain(|node, now| node.mine(now, 1));
        }
    }

    /// Replaces the last blocks by others, with their transactions and more in other blocks.
    pub(crate) fn reorganise(&self, depth: u32) {
        self.stir();
        self.chain(|node, now| node.reorg(now, Reorg { depth, length: depth + 1, ..Reorg::default() })).unwrap();
        self.mine(2);
    }

    /// A number below this one.
    fn below(&self, end: usize) -> usize {
        self.draw.lock().unwrap().below(end)
    }

    /// A coin without runes that nobody has spent.
    pub(crate) fn coin(&self) -> OutPoint {
        self.draw.lock().unwrap().coins.pop().expect("there are enough coins")
    }

    /// Has a transaction wait that etches, mints or moves something.
    fn stir(&self) {
        let state = self.state(self.tip().height);
        let free = |outpoint: &&OutPoint| self.chain(|node, _| node.mempool().spender(outpoint).is_none());
        let held: Vec<OutPoint> = state.all_balances().keys().filter(free).copied().collect();
        let ids: Vec<RuneId> = state.entries().keys().copied().collect();
        let (id, choice) = (ids[self.below(ids.len())], self.below(5));
        let stone = match choice {
            0 => etching(None),
            1 => mint(id),
            _ => {
                let amount = u128::try_from(self.below(1_000)).unwrap();
                let output = u32::try_from(self.below(4)).unwrap();
                let pointer = Some(1 + u32::try_from(self.below(3)).unwrap());
                Runestone { edicts: vec![Edict { id, amount, output }], pointer, ..Runestone::default() }
            }
        };
        let mut coins = vec![self.coin()];
        if !held.is_empty() {
            coins.push(held[self.below(held.len())]);
        }
        self.chain(|node, now| node.broadcast(now, spend(&coins, &stone))).unwrap();
    }

    /// The index of the chain up to a height, built from nothing without bitcoind.
    pub(crate) fn state(&self, height: u32) -> MemoryState {
        self.indexer.chain().look(|node| {
            let (chain, index, mut state) = (node.chain(), Index::new(Network::Regtest), MemoryState::default());
            for height in 0..=height {
                let block = chain.block(height).unwrap();
                let told = |outpoint: OutPoint| {
                    let created = chain.transaction(&outpoint.txid).unwrap();
                    let script_pubkey = created.transaction.output[outpoint.vout as usize].script_pubkey.clone();
                    (outpoint, PreviousOutput { script_pubkey, height: created.height })
                };
                let previous: BTreeMap<_, _> = index.wanted(block).into_iter().map(told).collect();
                index.apply_block(block, height, &previous, &mut state).unwrap();
            }
            state
        })
    }

    /// The index is what it should be at the chain's tip.
    pub(crate) fn assert_same(&self, rows: &Rows) {
        self.assert_same_at(rows, self.tip().height);
    }

    pub(crate) fn assert_same_at(&self, rows: &Rows, height: u32) {
        assert_eq!(rows.everything().unwrap(), everything(&self.state(height)), "as of block {height}");
    }
}

impl Draw {
    /// SplitMix64.
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from((mixed ^ (mixed >> 27)) >> 16).unwrap() % end
    }
}

/// Waits until the index is at the tip of the chain. To ask for that block has it look at once.
pub(crate) async fn reaches(index: &RuneIndex, tip: BlockId) {
    let there = async {
        while index.holdings(vec![], tip).await.is_err() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(SOON, there).await.expect("it catches up");
    assert_eq!(index.progress().borrow().tip, Some(tip));
}

/// Commits to [`NAME`], and etches it six blocks later.
fn etch(node: &mut FullNode, now: Duration, coin: OutPoint) {
    let rune: Rune = NAME.parse().unwrap();
    let commitment = Commitment::to(rune);
    let mut commit = spend(&[coin], &Runestone::default());
    commit.output = vec![TxOut { script_pubkey: commitment.script, ..own(COIN - 1_000) }];
    let committed = OutPoint { txid: commit.compute_txid(), vout: 0 };
    node.mine_exactly(now, vec![commit]).unwrap();
    node.mine(now, u32::from(Runestone::COMMIT_CONFIRMATIONS) - 2);
    let reveal = spend_with(&[(committed, commitment.witness)], &etching(Some(rune)));
    node.mine_exactly(now, vec![reveal]).unwrap();
}

/// Everything in an index in memory, as changes to an empty one.
fn everything(state: &MemoryState) -> Changes {
    let names: BTreeMap<_, _> = state.entries().iter().map(|(id, entry)| (entry.rune, *id)).collect();
    Changes {
        tip: state.tip().unwrap(),
        entries: state.entries().iter().map(|(id, entry)| (*id, Some(entry.clone()))).collect(),
        ids: names.into_iter().map(|(rune, id)| (rune, Some(id))).collect(),
        balances: state.all_balances().iter().map(|(outpoint, held)| (*outpoint, Some(held.clone()))).collect(),
    }
}

#[test]
fn the_chain_of_a_scene_has_runes_of_every_origin() {
    run(1, |scene| async move {
        let state = scene.state(scene.tip().height);
        let named: BTreeSet<String> = state.entries().values().map(|entry| entry.rune.to_string()).collect();
        assert!(named.contains(NAME) && named.len() > 2, "{named:?}");
        assert!(state.entries().values().any(|entry| entry.mints > 0), "somebody has minted");
        assert!(state.all_balances().len() > 3);
    });
}
