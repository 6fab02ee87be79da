//! One host's view of the chain: how it lags and lies, and what it counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bitcoin::{Transaction, Txid};
use darkswap_chain::{FullNode, Rpc, ScriptHash, Server, ServerConfig, Session, Touched};
use darkswap_scenario::topology::ChainLie as Lie;

use super::chain::SharedChain;

/// What a lie adds to a balance, in satoshis.
const BALANCE_LIE: i64 = 100_000_000;

/// An indexer. Clones are the same one.
#[derive(Clone)]
pub struct Indexer {
    chain: SharedChain,
    state: Arc<Mutex<State>>,
}

/// What an indexer has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Clients that were let in.
    pub served: u64,
    /// Clients that found no room.
    pub refused: u64,
    /// Lines of answers to Electrum clients.
    pub answers: u64,
    /// Lines that nobody asked for.
    pub notifications: u64,
    /// Bodies of RPC clients that were answered.
    pub calls: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

/// How an indexer misleads its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It shows the chain as it was so many blocks ago.
    Lag(u32),
    /// It lies in these ways. Only Electrum clients are lied to.
    Lie(BTreeSet<Lie>),
}

/// Names a fault of an indexer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultNumber(u64);

struct State {
    electrum: Server,
    rpc: Rpc,
    active: BTreeMap<FaultNumber, Active>,
    faults: u64,
    counters: Counters,
}

/// A fault that lasts.
struct Active {
    fault: Fault,
    /// What had been touched by its kind when it began.
    before: u64,
    /// The height of the chain when it began.
    height: u32,
    /// The node's revision up to which it was carried out.
    revision: Option<u64>,
    /// Transactions about which is lied.
    known: BTreeSet<Txid>,
}

impl Indexer {
    /// An indexer without faults. `estimates` says whether it estimates fees.
    pub fn new(chain: SharedChain, estimates: bool) -> Self {
        let config = ServerConfig { estimates_fees: estimates, ..ServerConfig::default() };
        let state = State {
            electrum: Server::new(config),
            rpc: Rpc::default(),
            active: BTreeMap::new(),
            faults: 0,
            counters: Counters::default(),
        };
        Self { chain, state: Arc::new(Mutex::new(state)) }
    }

    /// The chain that it tells about.
    pub fn chain(&self) -> &SharedChain {
        &self.chain
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        self.lock().counters
    }

    /// Begins to mislead clients.
    pub fn begin(&self, fault: Fault) -> FaultNumber {
        let height = self.chain.look(|node| node.chain().height());
        let mut state = self.lock();
        let number = FaultNumber(state.faults);
        state.faults += 1;
        let before = touched(&state, &fault);
        state.active.insert(number, Active { fault, before, height, revision: None, known: BTreeSet::new() });
        state.apply();
        drop(state);
        self.chain.tell();
        number
    }

    /// Ends a fault and says how many answers and notifications it changed.
    pub fn end(&self, number: FaultNumber) -> u64 {
        let mut state = self.lock();
        let Some(active) = state.active.remove(&number) else { return 0 };
        let touched = touched(&state, &active.fault).saturating_sub(active.before);
        state.apply();
        drop(state);
        self.chain.tell();
        touched
    }

    /// Answers the next line that an Electrum client sent.
    pub(super) fn next_answer(&self, session: &mut Session, now: Duration) -> Option<String> {
        self.chain.change(now, |node| {
            let mut state = self.lock();
            state.carry_out(node);
            let answer = state.electrum.next_answer(session, node, now)?;
            state.counters.answers += 1;
            Some(answer)
        })
    }

    /// What an Electrum client must be told now.
    pub(super) fn notifications(&self, session: &mut Session) -> Vec<String> {
        self.chain.look(|node| {
            let mut state = self.lock();
            state.carry_out(node);
            let lines = state.electrum.notifications(session, node);
            state.counters.notifications += lines.len() as u64;
            lines
        })
    }

    /// Answers the body of an RPC client.
    pub(super) fn call(&self, now: Duration, body: &[u8]) -> Option<String> {
        self.chain.change(now, |node| {
            let mut state = self.lock();
            let answer = state.rpc.answer(node, now, body)?;
            state.counters.calls += 1;
            Some(answer)
        })
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Counters)) {
        count(&mut self.lock().counters);
    }

    /// Lock order: the chain first.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sets the servers' faults to exactly those that last.
    fn apply(&mut self) {
        self.electrum.faults_mut().heal();
        self.rpc.faults_mut().heal();
        for active in self.active.values_mut() {
            active.revision = None;
            active.known.clear();
            match &active.fault {
                Fault::Lag(blocks) => {
                    self.electrum.faults_mut().lag(*blocks);
                    self.rpc.faults_mut().lag(*blocks);
                }
                Fault::Lie(lies) if lies.contains(&Lie::Swallow) => self.electrum.faults_mut().swallow_broadcasts(),
                Fault::Lie(_) => {}
            }
        }
    }

    /// Lies about whatever came since the last look.
    fn carry_out(&mut self, node: &FullNode) {
        for active in self.active.values_mut() {
            let Fault::Lie(lies) = &active.fault else { continue };
            if active.revision.replace(node.revision()) == Some(node.revision()) {
                continue;
            }
            let faults = self.electrum.faults_mut();
            let chain = node.chain();
            for block in (active.height + 1..=chain.height()).filter_map(|height| chain.block(height)) {
                for transaction in block.txdata.iter().skip(1) {
                    let txid = transaction.compute_txid();
                    if lies.contains(&Lie::Proof) {
                        faults.forge_proof(txid);
                    }
                    if active.known.insert(txid) {
                        distort(faults, lies, txid, transaction);
                    }
                }
            }
            for entry in node.mempool().iter().filter(|entry| active.known.insert(entry.txid)) {
                if lies.contains(&Lie::Invent) {
                    faults.invent_confirmation(entry.txid, chain.height());
                }
                distort(faults, lies, entry.txid, &entry.transaction);
            }
        }
    }
}

fn distort(faults: &mut darkswap_chain::Faults, lies: &BTreeSet<Lie>, txid: Txid, transaction: &Transaction) {
    if lies.contains(&Lie::Hide) {
        faults.hide(txid);
    }
    if lies.contains(&Lie::Balance) {
        for output in &transaction.output {
            faults.distort_balance(ScriptHash::of(&output.script_pubkey), BALANCE_LIE);
        }
    }
}

/// What faults of this kind have touched since the start.
fn touched(state: &State, fault: &Fault) -> u64 {
    let electrum = state.electrum.faults().touched();
    match fault {
        Fault::Lag(_) => electrum.lagging + state.rpc.faults().touched().lagging,
        Fault::Lie(lies) => lies.iter().map(|lie| lied(electrum, *lie)).sum(),
    }
}

fn lied(touched: Touched, lie: Lie) -> u64 {
    match lie {
        Lie::Hide => touched.hidden,
        Lie::Invent => touched.invented,
        Lie::Balance => touched.balances,
        Lie::Proof => touched.proofs,
        Lie::Swallow => touched.swallowed,
    }
}

impl std::fmt::Debug for Indexer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Indexer").field("counters", &self.counters()).finish_non_exhaustive()
    }
}
