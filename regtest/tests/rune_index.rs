//! The node's own account of runes against ord's: every output and every rune of random transactions, the same on both sides.

mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bitcoin::{Block, Network, OutPoint, Transaction};
use darkswap_regtest::{OrdServer, TestEnv};
use darkswap_trade::rune::{Index, MemoryState, PreviousOutput, State as _};
use ordinals::SpacedRune;
use random::World;
use serde::Deserialize;
use serde_json::json;

/// Rounds of random transactions of one seed; each is a block.
const ROUNDS: usize = 4;

/// The index of a chain, kept up to its best block.
struct OwnIndex {
    index: Index,
    state: MemoryState,
    next: u32,
}

impl OwnIndex {
    fn new() -> Self {
        Self { index: Index::new(Network::Regtest), state: MemoryState::default(), next: 0 }
    }

    /// Applies the blocks that are new.
    fn follow(&mut self, env: &TestEnv) {
        let height = env.height().expect("a height");
        while self.next <= height {
            let block = env.block(self.next).expect("a block");
            let previous = previous(env, self.index, &block);
            self.index.apply_block(&block, self.next, &previous, &mut self.state).expect("it follows the last one");
            self.next += 1;
        }
    }

    /// What the output holds, in ord's words.
    fn balances(&self, outpoint: OutPoint) -> BTreeMap<SpacedRune, u128> {
        let Ok(balances) = self.state.balances(&outpoint);
        let named = |(id, amount)| {
            let Ok(entry) = self.state.entry(id);
            let entry = entry.expect("a balance of a rune that was etched");
            (SpacedRune { rune: entry.rune, spacers: entry.spacers }, amount)
        };
        balances.unwrap_or_default().into_iter().map(named).collect()
    }
}

/// The previous outputs that the index asks for.
fn previous(env: &TestEnv, index: Index, block: &Block) -> BTreeMap<OutPoint, PreviousOutput> {
    #[derive(Deserialize)]
    struct Found {
        hex: String,
        blockhash: String,
    }
    #[derive(Deserialize)]
    struct Header {
        height: u32,
    }
    let fetch = |outpoint: OutPoint| {
        let found: Found = env.rpc("getrawtransaction", &[json!(outpoint.txid), json!(true)]).expect("it is confirmed");
        let header: Header = env.rpc("getblockheader", &[json!(found.blockhash)]).expect("its block");
        let transaction: Transaction = bitcoin::consensus::encode::deserialize_hex(&found.hex).expect("a transaction");
        let script_pubkey = transaction.output[outpoint.vout as usize].script_pubkey.clone();
        (outpoint, PreviousOutput { script_pubkey, height: header.height })
    };
    index.wanted(block).into_iter().map(fetch).collect()
}

/// Plays one seed on the chain and compares what came out.
fn play(seed: u64, env: &TestEnv, ord: &OrdServer, own: &mut OwnIndex) -> usize {
    let mut world = World::new(seed, env);
    own.follow(env);
    let before: BTreeSet<_> = own.state.entries().keys().copied().collect();
    for _ in 0..ROUNDS {
        let known: Vec<_> = own.state.entries().keys().filter(|id| !before.contains(id)).copied().collect();
        world.round(env, &known);
        own.follow(env);
    }
    let outpoints: Vec<OutPoint> = world.unspent().collect();
    let expected = ord.balances_of(&outpoints).expect("ord answers");
    for outpoint in &outpoints {
        assert_eq!(own.balances(*outpoint), expected[outpoint], "seed {seed}: {outpoint}: own index, then ord");
    }
    for (id, entry) in own.state.entries().iter().filter(|(id, _)| !before.contains(id)) {
        let account =
            ord.rune(entry.rune).expect("ord answers").unwrap_or_else(|| panic!("seed {seed}: ord has no {id}"));
        let own = (*id, entry.rune, entry.premine, entry.mints, entry.burned);
        let ords = (account.id, account.name.rune, account.premine, account.mints, account.burned);
        assert_eq!(own, ords, "seed {seed}: {id}: own index, then ord");
    }
    expected.values().filter(|balances| !balances.is_empty()).count()
}

/// Plays `seeds` one after the other on a chain of their own. A seed says by itself what is done; only the heights differ.
fn compare(seeds: Range<u64>) {
    let env = TestEnv::start().expect("a chain starts");
    // Nobody asks electrs here.
    let _stopped = env.stop_electrs().expect("it ends");
    let ord = env.ord().expect("ord starts");
    let mut own = OwnIndex::new();
    let mut holding = 0;
    for seed in seeds.clone() {
        holding += play(seed, &env, &ord, &mut own);
    }
    let etched = own.state.entries().len();
    let mints: u128 = own.state.entries().values().map(|entry| entry.mints).sum();
    let burned = own.state.entries().values().filter(|entry| entry.burned > 0).count();
    // Random transactions that do nothing would agree as well.
    let count = usize::try_from(seeds.end - seeds.start).expect("a few");
    assert!(etched >= count && holding >= count && burned > 0 && mints > 0, "{etched} {holding} {burned} {mints}");
}

#[test]
fn the_own_index_equals_ord_on_seeds_0_to_29() {
    compare(0..30);
}

#[test]
fn the_own_index_equals_ord_on_seeds_30_to_59() {
    compare(30..60);
}
