//! The index catches up, follows, goes back and starts again.

use std::time::Duration;

use darkswap_node::chain::AssetIndex as _;
use darkswap_node::chain::assets::RuneQuery;
use tokio::time::timeout;

use crate::runes::PREMINE;
use crate::scene::{NAME, reaches, run};

#[test]
fn it_catches_up_with_the_chain_and_then_follows_it_unasked() {
    run(1, |scene| async move {
        let index = scene.open();
        let name = RuneQuery::Name(NAME.parse().unwrap());
        let early = index.entry(name).await.unwrap_err();
        assert!(early.contains("not caught up"), "{early}");
        reaches(&index, scene.tip()).await;
        scene.assert_same(index.rows());
        let (id, entry) = index.entry(name).await.unwrap().expect("bitcoind tells of the commitment to it");
        assert_eq!((entry.premine, index.entry(RuneQuery::Id(id)).await.unwrap()), (PREMINE, Some((id, entry))));

        for blocks in [1, 3, 40] {
            scene.mine(blocks);
            let tip = Some(scene.tip());
            let mut progress = index.progress();
            let there = progress.wait_for(|progress| progress.tip == tip);
            timeout(Duration::from_secs(20), there).await.expect("it looks by itself").unwrap();
            scene.assert_same(index.rows());
        }
    });
}

#[test]
fn after_reorganisations_it_equals_an_index_built_from_nothing() {
    run(2, |scene| async move {
        let index = scene.open();
        reaches(&index, scene.tip()).await;
        for depth in [1, 2, 6, 18] {
            let before = scene.tip();
            scene.reorganise(depth);
            assert_ne!(scene.chain(|node, _| node.chain().block_hash(before.height)), Some(before.hash));
            reaches(&index, scene.tip()).await;
            scene.assert_same(index.rows());
        }
        assert_eq!(index.progress().borrow().rebuilds, 0);
    });
}

#[test]
fn a_reorganisation_while_it_catches_up_does_it_no_harm() {
    run(3, |scene| async move {
        scene.mine(60);
        let index = scene.open();
        let mut progress = index.progress();
        let height = scene.tip().height;
        while progress.borrow_and_update().tip.is_none_or(|tip| tip.height < height * 3 / 4) {
            progress.changed().await.unwrap();
        }
        let reached = progress.borrow().tip.expect("it has most of the blocks").height;
        assert!(reached < height, "it is not there yet");
        // Deeper than what it has, so that it must go back.
        scene.reorganise(height - reached + 5);
        reaches(&index, scene.tip()).await;
        scene.assert_same(index.rows());
    });
}

#[test]
fn after_a_restart_it_goes_on_where_it_was() {
    run(4, |scene| async move {
        let index = scene.open();
        reaches(&index, scene.tip()).await;
        let (first, height) = (scene.indexer.counters().calls, scene.tip().height);
        assert!(first > u64::from(2 * height), "{first} calls for {height} blocks");
        drop(index);
        scene.reboot("client");

        scene.mine(3);
        let index = scene.open();
        assert_eq!(index.rows().tip().unwrap().map(|tip| tip.height), Some(height), "it is all there before it asks");
        reaches(&index, scene.tip()).await;
        scene.assert_same(index.rows());
        let calls = scene.indexer.counters().calls - first;
        assert!(calls < 30, "{calls} calls for three blocks");
    });
}
