//! The index on a chain of random blocks: crashes at every write, reorganisations, restarts, outputs that wait.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::absolute::LockTime;
use bitcoin::{Network, OutPoint};
use darkswap_trade::asset::Asset;
use darkswap_trade::rune::State as _;
use darkswap_trade::rune::index::{MemoryState, UNDO_DEPTH};
use ordinals::{Edict, RuneId, Runestone};
use proptest::prelude::*;

use super::rows::Undone;
use super::*;
use crate::TokioRuntime;
use crate::store::tests::disk::{Crash, Image, Recorder};

mod chain;

use chain::{Chain, everything, spend};

fn open(storage: impl redb::StorageBackend) -> Rows {
    Rows::over(storage, Path::new("runes.redb"), Network::Regtest).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn same(rows: &Rows, expected: &MemoryState) {
    assert_eq!(rows.everything().unwrap(), everything(expected));
}

fn runtime() -> Arc<dyn Runtime> {
    Arc::new(TokioRuntime)
}

fn follow(chain: &Chain, rows: Rows) -> RuneIndex {
    RuneIndex::follow(rows, Arc::new(chain.clone()), Arc::new(chain.clone()), &runtime())
}

/// Waits until the index is there. To ask for the block has the task look at once.
async fn reaches(index: &RuneIndex, tip: BlockId) {
    let there = async {
        while index.holdings(vec![], tip).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(120), there).await.expect("it catches up");
    assert_eq!(index.progress().borrow().tip, Some(tip));
}

fn place(outpoint: OutPoint, height: Option<u32>) -> Place {
    Place { outpoint, height }
}

#[test]
fn a_crash_between_any_two_operations_leaves_the_index_as_of_some_block() {
    let (chain, recorder) = (Chain::new(1), Recorder::default());
    chain.mine(9);
    let blocks = chain.fetched(0);
    let rows = open(recorder.storage());
    for batch in blocks.chunks(3) {
        block_on(rows.apply(batch)).unwrap();
        recorder.acknowledge();
    }
    drop(rows);
    let states: Vec<MemoryState> = (0..10).map(|height| chain.expected(height)).collect();
    for after in 0..=recorder.operations() {
        for survivors in [None, Some(u64::MAX), Some(1)] {
            let crash = Crash { after, survivors };
            let rows = open(recorder.image(crash));
            let reached = rows.tip().unwrap().map_or(0, |tip| tip.height + 1);
            let acknowledged = u32::try_from(3 * recorder.acknowledged_before(after)).unwrap().min(10);
            assert!(reached >= acknowledged && (reached % 3 == 0 || reached == 10), "{crash:?}: {reached} blocks");
            match reached.checked_sub(1) {
                Some(height) => same(&rows, &states[usize::try_from(height).unwrap()]),
                None => same(&rows, &MemoryState::default()),
            }
            block_on(rows.apply(&chain.fetched(reached))).unwrap();
            same(&rows, &states[9]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..crate::cases() })]

    #[test]
    fn an_index_that_went_through_reorganisations_equals_one_built_from_nothing(
        seed: u64,
        steps in prop::collection::vec((1..9_u32, 0..8_usize, 1..5_usize), 1..8),
    ) {
        let (chain, rows) = (Chain::new(seed), open(Image::default()));
        for (blocks, depth, batch) in steps {
            chain.mine(blocks);
            if depth > 0 {
                chain.reorganise(depth);
            }
            while rows.tip().unwrap().is_some_and(|own| own.height > chain.tip().height || chain.at(own.height).hash != own.hash) {
                prop_assert_eq!(rows.undo().unwrap(), Undone::Block);
            }
            let next = rows.tip().unwrap().map_or(0, |own| own.height + 1);
            for batch in chain.fetched(next).chunks(batch) {
                block_on(rows.apply(batch)).unwrap();
            }
            same(&rows, &chain.expected(chain.tip().height));
        }
        // And all the way back.
        while rows.undo().unwrap() == Undone::Block {}
        same(&rows, &MemoryState::default());
    }
}

#[test]
fn balances_are_answered_as_of_any_of_the_last_few_blocks() {
    let (chain, rows) = (Chain::new(3), open(Image::default()));
    chain.mine(40);
    block_on(rows.apply(&chain.fetched(0))).unwrap();
    for behind in 0..=6 {
        let BlockId { height, hash } = chain.at(40 - behind);
        let view = rows.view(height, hash).unwrap().expect("it is one of the last few");
        let expected = chain.expected(height);
        // Also those that were made and spent since.
        let states = (height..=40).map(|height| chain.expected(height));
        let all: BTreeSet<OutPoint> = states.flat_map(|state| state.all_balances().clone().into_keys()).collect();
        for outpoint in all {
            assert_eq!(view.balances(&outpoint).unwrap(), expected.balances(&outpoint).unwrap(), "{height}");
        }
    }
    let old = chain.at(33);
    assert!(rows.view(old.height, old.hash).unwrap().is_none());
    let stranger = chain.at(39).hash;
    assert!(rows.view(40, stranger).unwrap().is_none() && rows.view(38, stranger).unwrap().is_none());
}

#[test]
fn only_the_records_of_the_last_day_are_kept() {
    let (chain, rows) = (Chain::new(4), open(Image::default()));
    chain.mine(UNDO_DEPTH + 9);
    block_on(rows.apply(&chain.fetched(0))).unwrap();
    assert_eq!(rows.counts().unwrap().0, u64::from(UNDO_DEPTH));
    for _ in 0..UNDO_DEPTH {
        assert_eq!(rows.undo().unwrap(), Undone::Block);
    }
    same(&rows, &chain.expected(9));
    assert_eq!(rows.undo().unwrap(), Undone::TooDeep);
    rows.clear().unwrap();
    same(&rows, &MemoryState::default());
    block_on(rows.apply(&chain.fetched(0))).unwrap();
    same(&rows, &chain.expected(UNDO_DEPTH + 9));
}

#[test]
fn the_index_of_another_network_is_refused() {
    let recorder = Recorder::default();
    drop(open(recorder.storage()));
    let image = recorder.image(Crash { after: recorder.operations(), survivors: Some(u64::MAX) });
    let refused = Rows::over(image, Path::new("runes.redb"), Network::Signet).unwrap_err().to_string();
    assert!(refused.contains("is of regtest, expected signet") && refused.contains("remove it"), "{refused}");
}

#[tokio::test]
async fn it_follows_the_chain_and_its_reorganisations() {
    let chain = Chain::new(5);
    chain.mine(70);
    let index = follow(&chain, open(Image::default()));
    reaches(&index, chain.tip()).await;
    for depth in [1, 6, 40] {
        chain.reorganise(depth);
        reaches(&index, chain.tip()).await;
        same(index.rows(), &chain.expected(chain.tip().height));
    }
    assert_eq!(index.progress().borrow().rebuilds, 0);
}

#[tokio::test]
async fn a_reorganisation_that_is_too_deep_has_it_built_anew() {
    let chain = Chain::new(6);
    chain.mine(UNDO_DEPTH + 20);
    let index = follow(&chain, open(Image::default()));
    reaches(&index, chain.tip()).await;
    chain.reorganise(usize::try_from(UNDO_DEPTH).unwrap() + 1);
    reaches(&index, chain.tip()).await;
    same(index.rows(), &chain.expected(chain.tip().height));
    assert_eq!(index.progress().borrow().rebuilds, 1);
}

#[tokio::test]
async fn without_bitcoind_it_says_why_at_once_until_bitcoind_is_back() {
    let chain = Chain::new(7);
    chain.mine(20);
    let index = follow(&chain, open(Image::default()));
    reaches(&index, chain.tip()).await;
    chain.set_trouble(Some("bitcoind is gone"));
    chain.mine(1);
    // Nobody notices before it is needed.
    let asked = Instant::now();
    let refused = index.holdings(vec![], chain.tip()).await.unwrap_err();
    assert!(refused.contains("cannot follow the chain: bitcoind is gone"), "{refused}");
    assert!(asked.elapsed() < PATIENCE);
    chain.set_trouble(None);
    reaches(&index, chain.tip()).await;
    assert_eq!(index.holdings(vec![], chain.tip()).await, Ok(vec![]));
}

#[tokio::test]
async fn who_asks_about_a_block_that_is_not_there_yet_waits_for_it_a_while() {
    let chain = Chain::new(8);
    let index = follow(&chain, open(Image::default()));
    reaches(&index, chain.tip()).await;
    chain.mine(3);
    assert_eq!(index.holdings(vec![], chain.tip()).await, Ok(vec![]), "it is asked for at once");
    // Electrum's block, which bitcoind does not have.
    let future = BlockId { height: 4, hash: chain.tip().hash };
    let asked = Instant::now();
    let refused = index.holdings(vec![], future).await.unwrap_err();
    assert!(refused.contains("has reached block 3") && refused.contains("expected block 4"), "{refused}");
    assert!(asked.elapsed() >= PATIENCE);
    // Far behind, nobody waits.
    let asked = Instant::now();
    index.holdings(vec![], BlockId { height: 4_000, ..future }).await.unwrap_err();
    assert!(asked.elapsed() < PATIENCE);
}

#[tokio::test]
async fn it_ends_with_its_last_handle_and_frees_its_file() {
    let chain = Chain::new(12);
    let blocks: Arc<dyn Blocks> = Arc::new(chain.clone());
    let task = Arc::downgrade(&blocks);
    let index = RuneIndex::follow(open(Image::default()), blocks, Arc::new(chain.clone()), &runtime());
    reaches(&index, chain.tip()).await;
    drop(index.clone());
    reaches(&index, chain.tip()).await;
    drop(index);
    let ended = async {
        while task.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), ended).await.expect("nobody can ask it any more");
}

/// A confirmed output of a chain with at least so many units of some rune.
fn rich(chain: &Chain) -> (OutPoint, RuneId, u128) {
    let state = chain.expected(chain.tip().height);
    let rows = state.all_balances().iter();
    let found = rows.flat_map(|(outpoint, held)| held.iter().map(|(id, units)| (*outpoint, *id, *units)));
    found.max_by_key(|(_, _, units)| *units).expect("somebody has etched")
}

#[tokio::test]
async fn outputs_of_transactions_that_wait_are_computed_through_their_parents() {
    let chain = Chain::new(9);
    chain.mine(60);
    let index = follow(&chain, open(Image::default()));
    reaches(&index, chain.tip()).await;
    let (coin, id, units) = rich(&chain);
    let edict = |amount, output| Runestone { edicts: vec![Edict { id, amount, output }], ..Runestone::default() };
    let first = spend(&[coin], Some(edict(units - 3, 2)), LockTime::ZERO);
    let second = spend(&[OutPoint { txid: first.compute_txid(), vout: 2 }], Some(edict(2, 3)), LockTime::ZERO);
    chain.wait(&[first.clone(), second.clone()]);
    let of = |transaction: &bitcoin::Transaction, vout| OutPoint { txid: transaction.compute_txid(), vout };
    let places = vec![place(of(&second, 3), None), place(of(&second, 1), None), place(coin, Some(chain.tip().height))];
    let held = index.holdings(places, chain.tip()).await.unwrap();
    let asset = Asset::Rune(id);
    assert_eq!(
        held.iter().map(|held| held.get(&asset).copied()).collect::<Vec<_>>(),
        [Some(2), Some(units - 5), Some(units)]
    );

    // What is not in the mempool does not wait.
    chain.wait(std::slice::from_ref(&first));
    let refused = index.holdings(vec![place(of(&second, 3), None)], chain.tip()).await.unwrap_err();
    assert!(refused.contains("does not wait"), "{refused}");

    let mint = spend(&[coin], Some(Runestone { mint: Some(id), ..Runestone::default() }), LockTime::ZERO);
    chain.wait(std::slice::from_ref(&mint));
    let refused = index.holdings(vec![place(of(&mint, 1), None)], chain.tip()).await.unwrap_err();
    assert!(refused.contains("which only a block decides"), "{refused}");
}

#[tokio::test]
async fn a_chain_of_too_many_waiting_transactions_is_refused() {
    let chain = Chain::new(10);
    chain.mine(60);
    let index = follow(&chain, open(Image::default()));
    reaches(&index, chain.tip()).await;
    let mut outpoint = rich(&chain).0;
    let mut all = Vec::new();
    for _ in 0..26 {
        let next = spend(&[outpoint], None, LockTime::ZERO);
        outpoint = OutPoint { txid: next.compute_txid(), vout: 0 };
        all.push(next);
    }
    chain.wait(&all);
    let last = place(outpoint, None);
    let before = place(OutPoint { txid: all[24].compute_txid(), vout: 0 }, None);
    assert!(index.holdings(vec![before], chain.tip()).await.is_ok());
    let refused = index.holdings(vec![last], chain.tip()).await.unwrap_err();
    assert!(refused.contains("more than 25 waiting transactions"), "{refused}");
}

#[tokio::test]
async fn runes_are_found_by_id_and_name_once_the_index_has_caught_up() {
    let chain = Chain::new(11);
    chain.mine(60);
    let index = follow(&chain, open(Image::default()));
    let nobody = RuneQuery::Id(RuneId { block: 9_999, tx: 9 });
    // The task has had no turn yet.
    assert!(index.entry(nobody).await.unwrap_err().contains("not caught up"));
    reaches(&index, chain.tip()).await;
    let (_, id, _) = rich(&chain);
    let (found, entry) = index.entry(RuneQuery::Id(id)).await.unwrap().expect("it was etched");
    assert_eq!(found, id);
    assert_eq!(index.entry(RuneQuery::Name(entry.rune)).await, Ok(Some((id, entry))));
    assert_eq!(index.entry(nobody).await, Ok(None));
}
