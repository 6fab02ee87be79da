//! How many blocks per second the rune index takes: on its real file, and in memory for comparison.
//!
//! `cargo bench -p darkswap-node --bench rune_index`
#![expect(clippy::print_stdout, reason = "what the blocks are made of is not a time that criterion could show")]

use std::collections::BTreeMap;
use std::hint::black_box;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash as _;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode,
    TxOut, Txid, Witness, transaction,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use darkswap_node::TokioRuntime;
use darkswap_node::rune_index::rows::{Fetched, Rows, Undone};
use darkswap_trade::rune::index::{Index, MemoryState};
use ordinals::{Edict, Etching, RuneId, Runestone, Terms};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Transactions of a block: fewer than a full one of payments has, as those about runes are larger.
const TRANSACTIONS: u32 = 2_000;
/// Of a hundred transactions, those that mint, move or etch a rune: more than half, as on busy days of mainnet.
const MINTS: usize = 40;
const TRANSFERS: usize = 15;
const ETCHINGS: usize = 1;
/// Blocks that the index has already.
const BASE: u32 = 64;
/// Blocks that are applied at once while it catches up.
const BATCH: u32 = 16;
/// Only the newest runes are minted.
const MINTED: usize = 20;

/// Makes blocks, each time the same ones.
#[derive(Default)]
struct Miner {
    draw: u64,
    blocks: Vec<Fetched>,
    last: Option<BlockHash>,
    /// Tells transactions apart.
    count: u32,
    runes: Vec<RuneId>,
    /// Outputs with a rune, and without.
    held: Vec<(OutPoint, RuneId)>,
    plain: Vec<OutPoint>,
}

impl Miner {
    /// SplitMix64.
    fn below(&mut self, end: usize) -> usize {
        self.draw = self.draw.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.draw ^ (self.draw >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from((mixed ^ (mixed >> 27)) >> 16).expect("48 bits") % end
    }

    fn mine(&mut self) {
        let height = u32::try_from(self.blocks.len()).expect("few blocks");
        let txdata = (0..TRANSACTIONS).map(|position| self.transaction(height, position)).collect();
        let header = Header {
            version: Version::TWO,
            prev_blockhash: self.last.unwrap_or(BlockHash::all_zeros()),
            merkle_root: TxMerkleNode::all_zeros(),
            time: height,
            bits: CompactTarget::from_consensus(0),
            nonce: 0,
        };
        self.last = Some(header.block_hash());
        self.blocks.push(Fetched { height, block: Block { header, txdata }, previous: BTreeMap::new() });
    }

    fn transaction(&mut self, height: u32, position: u32) -> Transaction {
        let choice = self.below(100);
        if self.runes.is_empty() || choice < ETCHINGS {
            return self.etch(RuneId { block: height.into(), tx: position });
        }
        if choice < ETCHINGS + MINTS {
            let newest = self.runes.len().saturating_sub(MINTED);
            let at = newest + self.below(self.runes.len() - newest);
            let id = self.runes[at];
            return self.rune(&[], &Runestone { mint: Some(id), ..Runestone::default() }, &[1], id);
        }
        if choice < ETCHINGS + MINTS + TRANSFERS && !self.held.is_empty() {
            let at = self.below(self.held.len());
            let (coin, id) = self.held.swap_remove(at);
            let edicts = vec![Edict { id, amount: 1, output: 2 }];
            return self.rune(&[coin], &Runestone { edicts, pointer: Some(1), ..Runestone::default() }, &[1, 2], id);
        }
        let inputs: Vec<OutPoint> = (0..2).filter_map(|_| self.coin()).collect();
        let (outputs, number) = (vec![self.output(), self.output()], self.number());
        let paid = spend(&inputs, outputs, number);
        let txid = paid.compute_txid();
        self.plain.extend((0..2).map(|vout| OutPoint { txid, vout }));
        paid
    }

    fn etch(&mut self, id: RuneId) -> Transaction {
        self.runes.push(id);
        let terms = Terms { amount: Some(1_000), cap: Some(u128::MAX / 10_000), ..Terms::default() };
        let etching = Etching { premine: Some(1_000_000), terms: Some(terms), ..Etching::default() };
        self.rune(&[], &Runestone { etching: Some(etching), ..Runestone::default() }, &[1], id)
    }

    /// A transaction about a rune, which is on these outputs afterwards.
    fn rune(&mut self, coins: &[OutPoint], stone: &Runestone, outputs: &[u32], id: RuneId) -> Transaction {
        let inputs: Vec<OutPoint> = coins.iter().copied().chain(self.coin()).collect();
        let stone_output = TxOut { value: Amount::ZERO, script_pubkey: stone.encipher() };
        let (all, number) = (vec![stone_output, self.output(), self.output()], self.number());
        let moved = spend(&inputs, all, number);
        let txid = moved.compute_txid();
        for vout in 1..3 {
            let output = OutPoint { txid, vout };
            if outputs.contains(&vout) {
                self.held.push((output, id));
            } else {
                self.plain.push(output);
            }
        }
        moved
    }

    /// A coin without runes; the first ones come from nowhere.
    fn coin(&mut self) -> Option<OutPoint> {
        if self.plain.is_empty() {
            return None;
        }
        let at = self.below(self.plain.len());
        Some(self.plain.swap_remove(at))
    }

    /// A taproot output.
    fn output(&mut self) -> TxOut {
        let mut script = vec![0x51, 0x20];
        for _ in 0..4 {
            script.extend(self.below(usize::MAX).to_be_bytes());
        }
        TxOut { value: Amount::from_sat(546), script_pubkey: ScriptBuf::from_bytes(script) }
    }

    fn number(&mut self) -> u32 {
        self.count += 1;
        self.count
    }
}

/// A transaction with inputs as large as those that spend taproot outputs by their key.
fn spend(coins: &[OutPoint], output: Vec<TxOut>, number: u32) -> Transaction {
    let nowhere = [OutPoint { txid: Txid::all_zeros(), vout: number }];
    let coins = if coins.is_empty() { &nowhere[..] } else { coins };
    let input = |coin: &OutPoint| TxIn {
        previous_output: *coin,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[[7; 64]]),
    };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::from_consensus(number),
        input: coins.iter().map(input).collect(),
        output,
    }
}

/// An index on a real file that has the first blocks.
struct OnDisk {
    rows: Rows,
    runtime: Runtime,
    _folder: TempDir,
}

impl OnDisk {
    fn new(base: &[Fetched]) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let rows = Rows::open(&TokioRuntime, &folder.path().join("runes.redb"), Network::Regtest);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
        let index = Self { rows: rows.expect("it can be made"), runtime, _folder: folder };
        index.apply(base);
        index
    }

    fn apply(&self, blocks: &[Fetched]) {
        self.runtime.block_on(self.rows.apply(blocks)).expect("the blocks follow each other");
    }

    /// Takes back what came after the first blocks.
    fn back(&self) {
        while self.rows.tip().expect("it can be read").is_some_and(|tip| tip.height >= BASE) {
            assert_eq!(self.rows.undo().expect("it can be undone"), Undone::Block);
        }
    }
}

fn apply_in_memory(blocks: &[Fetched], state: &mut MemoryState) {
    let index = Index::new(Network::Regtest);
    for Fetched { height, block, previous } in blocks {
        index.apply_block(block, *height, previous, state).expect("the blocks follow each other");
    }
}

fn speed(criterion: &mut Criterion) {
    let mut miner = Miner::default();
    (0..BASE + BATCH).for_each(|_| miner.mine());
    let (base, next) = miner.blocks.split_at(usize::try_from(BASE).expect("few blocks"));
    let bytes: usize = next.iter().map(|fetched| fetched.block.total_size()).sum();
    let disk = OnDisk::new(base);
    let mut memory = MemoryState::default();
    apply_in_memory(base, &mut memory);
    let (undo, outputs) = disk.rows.counts().expect("it can be read");
    println!("bytes of a block: {}", bytes / next.len());
    println!("the index has {undo} blocks, {} runes and {outputs} outputs that hold some", memory.entries().len());

    let mut group = criterion.benchmark_group("rune index");
    group.sample_size(10);
    for (name, blocks) in [("16 blocks at once", next), ("one block", &next[..1])] {
        group.throughput(Throughput::Elements(blocks.len().try_into().expect("few blocks")));
        group.bench_function(format!("{name}, on disk"), |bencher| {
            bencher.iter_batched(|| disk.back(), |()| disk.apply(black_box(blocks)), BatchSize::PerIteration);
        });
        group.bench_function(format!("{name}, in memory"), |bencher| {
            let apply = |mut state| {
                apply_in_memory(black_box(blocks), &mut state);
                state
            };
            bencher.iter_batched(|| memory.clone(), apply, BatchSize::PerIteration);
        });
    }
    group.throughput(Throughput::Elements(1));
    let index = Index::new(Network::Regtest);
    group.bench_function("name what has to be fetched for a block", |bencher| {
        bencher.iter(|| index.wanted(black_box(&next[0].block)));
    });
    group.finish();
}

criterion_group!(benches, speed);
criterion_main!(benches);
