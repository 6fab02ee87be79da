//! The Bitcoin chain of a run: who tells about it, when blocks come, what goes wrong with it.
//!
//! | part | noun |
//! |---|---|
//! | [`founding`] | the chain before the run: coins, runes, wallets |
//! | [`purse`] | what a trader holds on the chain |
//! | `client` | a raw Electrum client |
//! | `watcher`, `payment` | what hosts without a wallet do with the chain |
//! | `double_spend` | a trader that spends what it has promised |
//! | `figure`, `judgement` | what the chain says at the end, and of trades |
//!
//! The chain belongs to no host: like the network, it goes on when hosts crash.

mod client;
mod double_spend;
mod figure;
pub(super) mod founding;
mod judgement;
mod payment;
pub(super) mod purse;
mod watcher;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bitcoin::{BlockHash, Txid};
use darkswap_chain::{Counters, Interval, Miner, Reorg, Returned};
use darkswap_node::Runtime as _;
use darkswap_scenario::Topology;
use darkswap_scenario::topology::{Blocks, Chain, ChainLie, Fault, FaultKind, HostIndex, Service};

use super::recorder::Recorder;
use super::trade::Trades;
use crate::clock::WALL_CLOCK_EPOCH;
use crate::entropy::Entropy;
use crate::indexer::{self, ELECTRUM_PORT, FaultNumber, Indexer, SharedChain};
use crate::runtime::SimRuntime;
use founding::{Founded, Payment};
pub(super) use judgement::Judged;
use ordinals::RuneId;
use payment::Fate;
use purse::Purse;

/// The chain of a run with everybody who has a part in it. Clones share.
#[derive(Clone)]
pub(super) struct Bitcoin {
    inner: Arc<Inner>,
}

struct Inner {
    plan: Chain,
    chain: SharedChain,
    /// Names of hosts.
    hosts: Vec<String>,
    /// By host.
    indexers: Vec<Option<Indexer>>,
    /// By host.
    purses: Vec<Option<Purse>>,
    /// What had happened to the chain when the run began.
    before: Counters,
    trades: Trades,
    books: Mutex<Books>,
}

/// What was promised and heard. Hosts are named by their index in the topology.
#[derive(Default)]
struct Books {
    /// Payments that nobody has made yet.
    unmade: VecDeque<Payment>,
    made: BTreeMap<Txid, (usize, usize, Fate)>,
    /// By watcher and indexer.
    heard: BTreeMap<(usize, usize), Option<BlockHash>>,
}

/// A fault of the chain that was applied.
#[derive(Debug, Clone, Default)]
pub(super) struct Applied {
    /// What it touched at once.
    touched: u64,
    /// The faults of indexers, which touch something as long as they last.
    lasting: Vec<(usize, FaultNumber)>,
}

impl Bitcoin {
    /// Founds the chain of a run; nothing when the scenario has none.
    pub(super) fn found(topology: &Topology, seed: u64) -> Result<Option<Self>> {
        let Some(plan) = topology.chain else { return Ok(None) };
        let Founded { node, purses, payments } = founding::found(topology, plan, seed).context("founding the chain")?;
        let before = node.counters();
        let chain = SharedChain::new(node);
        let serves = topology.hosts.iter().map(|host| host.serves.contains(&Service::Indexer));
        let indexers = serves.map(|serves| serves.then(|| Indexer::new(chain.clone(), plan.estimates))).collect();
        let hosts = topology.hosts.iter().map(|host| host.name.clone()).collect();
        let books = Mutex::new(Books { unmade: payments.into(), ..Books::default() });
        Ok(Some(Self {
            inner: Arc::new(Inner { plan, chain, hosts, indexers, purses, before, trades: Trades::new(seed), books }),
        }))
    }

    /// Mines as long as the run lasts.
    pub(super) fn start_mining(&self, seed: u64) {
        let mut bytes = [0; 8];
        Entropy::new(seed, "blocks").fill(&mut bytes);
        let interval = match self.inner.plan.blocks {
            Blocks::Random => Interval::Exponential(self.inner.plan.interval),
            Blocks::Fixed => Interval::Fixed(self.inner.plan.interval),
        };
        let mut miner = Miner::new(interval, u64::from_le_bytes(bytes), WALL_CLOCK_EPOCH);
        let chain = self.inner.chain.clone();
        let start = tokio::time::Instant::now();
        super::load::spawn(async move {
            loop {
                tokio::time::sleep_until(start + miner.next_block().saturating_sub(WALL_CLOCK_EPOCH)).await;
                let now = WALL_CLOCK_EPOCH + start.elapsed();
                chain.change(now, |node| miner.mine_due(now, node));
            }
        });
    }

    /// Starts a host's servers, if it has any: when it starts, and again after a crash.
    pub(super) fn serve(&self, index: usize, runtime: &Arc<SimRuntime>) {
        let Some(indexer) = self.inner.indexers.get(index).cloned().flatten() else { return };
        let Some(ip) = runtime.addresses().first().copied() else { return };
        let world: Arc<dyn darkswap_node::Runtime> = Arc::<SimRuntime>::clone(runtime);
        let (electrum, rpc) =
            (indexer::serve_electrum(Arc::clone(&world), ip, indexer.clone()), indexer::serve_rpc(world, ip, indexer));
        runtime.spawn("electrum server", Box::pin(report(runtime.name().to_owned(), electrum)));
        runtime.spawn("rpc server", Box::pin(report(runtime.name().to_owned(), rpc)));
    }

    /// What a trader has on the chain, when the host is one.
    pub(super) fn purse(&self, index: usize) -> Option<&Purse> {
        self.inner.purses.get(index)?.as_ref()
    }

    /// What traders did.
    pub(super) fn trades(&self) -> &Trades {
        &self.inner.trades
    }

    /// A rune by the name that the scenario gives it.
    pub(super) fn rune(&self, name: &str) -> Option<RuneId> {
        let purse = self.inner.purses.iter().flatten().next()?;
        purse.runes.iter().find(|(_, known)| *known == name).map(|(id, _)| *id)
    }

    /// A rune that the host's trader began with.
    pub(super) fn rune_of(&self, index: usize) -> Option<RuneId> {
        self.purse(index)?.founded.runes.keys().next().copied()
    }

    /// The time between two blocks, or its mean.
    pub(super) fn block_interval(&self) -> Duration {
        self.inner.plan.interval
    }

    /// Has a host follow the chain, as a task that ends with it.
    pub(super) fn watch(&self, from: usize, to: (usize, IpAddr), runtime: &Arc<SimRuntime>, recorder: &Recorder) {
        self.books().heard.entry((from, to.0)).or_default();
        let remote = SocketAddr::new(to.1, ELECTRUM_PORT);
        let watcher = watcher::Watcher {
            pair: (from, to.0),
            remote,
            runtime: Arc::clone(runtime),
            bitcoin: self.clone(),
            recorder: recorder.clone(),
        };
        runtime.spawn("chain watcher", Box::pin(watcher.run()));
    }

    /// Has a host pay, as a task that ends with it.
    pub(super) fn pay(&self, from: usize, to: (usize, IpAddr), runtime: &Arc<SimRuntime>, recorder: &Recorder) {
        let mut books = self.books();
        // There is one for each action of the scenario.
        let Some(payment) = books.unmade.pop_front() else { return };
        books.made.insert(payment.txid, (from, to.0, Fate::Failed));
        drop(books);
        let remote = SocketAddr::new(to.1, ELECTRUM_PORT);
        let payer = payment::Payer {
            pair: (from, to.0),
            remote,
            payment,
            runtime: Arc::clone(runtime),
            bitcoin: self.clone(),
            recorder: recorder.clone(),
        };
        runtime.spawn("payer", Box::pin(payer.run()));
    }

    /// Applies a fault of the chain; nothing when the fault is of another kind.
    ///
    /// # Errors
    /// A reorg that is impossible, which the depth of the founded chain excludes.
    pub(super) fn apply(&self, fault: &Fault, at: Duration) -> Result<Option<Applied>> {
        let now = WALL_CLOCK_EPOCH + at;
        Ok(Some(match &fault.kind {
            FaultKind::Lag(hosts, blocks) => self.begin(hosts, &indexer::Fault::Lag(*blocks)),
            FaultKind::Lie(hosts, lies) => {
                let lies: std::collections::BTreeSet<ChainLie> = lies.iter().copied().collect();
                self.begin(hosts, &indexer::Fault::Lie(lies))
            }
            FaultKind::Reorg { depth, forget } => {
                let returned = if *forget { Returned::Forgotten } else { Returned::ToMempool };
                let reorg = Reorg { depth: *depth, length: *depth + 1, include: Vec::new(), returned };
                let reorganised = self.inner.chain.change(now, |node| node.reorg(now, reorg))?;
                Applied { touched: reorganised.disconnected.len() as u64, lasting: Vec::new() }
            }
            FaultKind::Evict => {
                let evicted = self.inner.chain.change(now, |node| {
                    let waiting: Vec<Txid> = node.mempool().iter().map(|entry| entry.txid).collect();
                    node.evict(&waiting)
                });
                Applied { touched: evicted.len() as u64, lasting: Vec::new() }
            }
            FaultKind::Partition(_)
            | FaultKind::Crash(_)
            | FaultKind::Drain(..)
            | FaultKind::LinkFlap(_)
            | FaultKind::NatReset(_)
            | FaultKind::Churn(_)
            | FaultKind::RegionOutage(_)
            | FaultKind::Readdress(_)
            | FaultKind::Impair(..) => return Ok(None),
        }))
    }

    /// Ends what lasts of a fault, and says what it touched. Called again, it says the same.
    pub(super) fn lift(&self, applied: &mut Applied) -> u64 {
        for (host, number) in applied.lasting.drain(..) {
            applied.touched += self.inner.indexers[host].as_ref().map_or(0, |indexer| indexer.end(number));
        }
        applied.touched
    }

    fn begin(&self, hosts: &[HostIndex], fault: &indexer::Fault) -> Applied {
        let begin = |host: &HostIndex| {
            let indexer = self.inner.indexers.get(host.0)?.as_ref()?;
            Some((host.0, indexer.begin(fault.clone())))
        };
        Applied { touched: 0, lasting: hosts.iter().filter_map(begin).collect() }
    }

    /// How long ago a block became the tip.
    fn age_of_tip(&self, block: &BlockHash, now: Duration) -> Option<Duration> {
        let since = self.inner.chain.tip_since(block)?;
        Some((WALL_CLOCK_EPOCH + now).saturating_sub(since))
    }

    fn name(&self, host: usize) -> &str {
        self.inner.hosts.get(host).map_or("", String::as_str)
    }

    fn names(&self, (from, to): (usize, usize)) -> (&str, &str) {
        (self.name(from), self.name(to))
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.inner.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn report(host: String, serving: impl Future<Output = std::io::Result<()>>) {
    if let Err(error) = serving.await {
        tracing::error!(host, %error, "a server of the chain ended");
    }
}
