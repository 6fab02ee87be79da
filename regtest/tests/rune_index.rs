//! The node's own account of runes against ord's: every output and every rune of random transactions, the same on both sides.

#[path = "wallet/ledger.rs"]
mod ledger;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bitcoin::OutPoint;
use darkswap_regtest::{OrdServer, TestEnv};
use darkswap_trade::rune::{MemoryState, State as _};
use ledger::Ledger;
use ordinals::SpacedRune;
use random::World;

/// Rounds of random transactions of one seed; each is a block.
const ROUNDS: usize = 4;

/// What the output holds, in ord's words.
fn balances(own: &MemoryState, outpoint: OutPoint) -> BTreeMap<SpacedRune, u128> {
    let Ok(balances) = own.balances(&outpoint);
    let named = |(id, amount)| {
        let Ok(entry) = own.entry(id);
        let entry = entry.expect("a balance of a rune that was etched");
        (SpacedRune { rune: entry.rune, spacers: entry.spacers }, amount)
    };
    balances.unwrap_or_default().into_iter().map(named).collect()
}

/// Plays one seed on the chain and compares what came out.
fn play(seed: u64, env: &TestEnv, ord: &OrdServer, own: &mut Ledger) -> usize {
    let mut world = World::new(seed, env);
    own.follow(env);
    let before: BTreeSet<_> = own.state().entries().keys().copied().collect();
    for _ in 0..ROUNDS {
        let known: Vec<_> = own.state().entries().keys().filter(|id| !before.contains(id)).copied().collect();
        world.round(env, &known);
        own.follow(env);
    }
    let outpoints: Vec<OutPoint> = world.unspent().collect();
    let expected = ord.balances_of(&outpoints).expect("ord answers");
    for outpoint in &outpoints {
        assert_eq!(
            balances(own.state(), *outpoint),
            expected[outpoint],
            "seed {seed}: {outpoint}: own index, then ord"
        );
    }
    for (id, entry) in own.state().entries().iter().filter(|(id, _)| !before.contains(id)) {
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
    let mut own = Ledger::new();
    let mut holding = 0;
    for seed in seeds.clone() {
        holding += play(seed, &env, &ord, &mut own);
    }
    let etched = own.state().entries().len();
    let mints: u128 = own.state().entries().values().map(|entry| entry.mints).sum();
    let burned = own.state().entries().values().filter(|entry| entry.burned > 0).count();
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
