//! What an honest bitcoind tells.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bitcoin::hashes::Hash as _;
use bitcoin::{Network, OutPoint, Txid};
use darkswap_chain::{Reorg, spendable_script};
use darkswap_node::bitcoind::{REQUEST, RpcError, Tip};
use darkswap_sim::indexer::{Fault, RPC_PORT};
use darkswap_trade::rune::PreviousOutput;
use tokio::time::{Instant, sleep};

use crate::scene::{ALICE, run};

#[test]
fn blocks_and_what_they_spend_are_told_over_one_connection() {
    run(|scene| async move {
        let client = scene.client();
        let payment = scene.pay();
        let txid = payment.compute_txid();
        assert_eq!(client.waiting(txid).await, Ok(Some(payment)));
        assert_eq!(client.waiting(Txid::all_zeros()).await, Ok(None));

        let (coin, created) = (scene.coin, scene.chain(|node, _| node.chain().height()));
        scene.chain(|node, now| node.mine(now, 1));
        assert_eq!(client.waiting(txid).await, Ok(None), "it is in a block");
        let (height, expected) =
            scene.chain(|node, _| (node.chain().height(), node.chain().block(node.chain().height()).cloned().unwrap()));
        let hash = expected.block_hash();
        let tip = Tip { height, hash, chain: Network::Regtest, pruned_below: None, syncing: false };
        assert_eq!(client.tip().await, Ok(tip));
        assert_eq!(client.block_hash(height).await, Ok(Some(hash)));
        assert_eq!(client.block_hash(height + 1).await, Ok(None));
        assert_eq!(client.block_hash(u32::MAX).await, Ok(None));
        assert_eq!(client.block(hash).await.as_ref(), Ok(&*expected));
        let genesis = client.block_hash(0).await.unwrap().unwrap();
        assert_eq!(client.block(genesis).await.unwrap().block_hash(), genesis);

        let spent = client.previous_outputs(hash, &BTreeSet::from([coin])).await.unwrap();
        let previous = PreviousOutput { script_pubkey: spendable_script(ALICE), height: spent[&coin].height };
        assert_eq!(spent, BTreeMap::from([(coin, previous)]));
        assert!(spent[&coin].height <= created && spent[&coin].height > 0);
        assert_eq!(client.previous_outputs(hash, &BTreeSet::new()).await, Ok(BTreeMap::new()));
        let other = OutPoint::new(txid, 0);
        let missing = client.previous_outputs(hash, &BTreeSet::from([coin, other])).await;
        assert!(matches!(&missing, Err(RpcError::Malformed { found, .. }) if found.contains(&other.to_string())));
        assert_eq!(scene.indexer.counters().served, 1, "all of it over one connection");
    });
}

#[test]
fn blocks_that_lost_can_still_be_read() {
    run(|scene| async move {
        let client = scene.client();
        scene.pay();
        scene.chain(|node, now| node.mine(now, 1));
        let lost = client.tip().await.unwrap();
        scene.chain(|node, now| node.reorg(now, Reorg { depth: 1, length: 2, ..Reorg::default() })).unwrap();
        let tip = client.tip().await.unwrap();
        assert_eq!(tip.height, lost.height + 1);
        assert_ne!(client.block_hash(lost.height).await.unwrap(), Some(lost.hash));
        assert_eq!(client.block(lost.hash).await.unwrap().block_hash(), lost.hash);
        let wanted = BTreeSet::from([scene.coin]);
        assert_eq!(client.previous_outputs(lost.hash, &wanted).await.unwrap().len(), 1);
        let fault = scene.indexer.begin(Fault::Lag(1));
        assert_eq!(client.block_hash(tip.height).await, Ok(None), "a lagging one does not know it yet");
        assert!(scene.indexer.end(fault) > 0);
    });
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    run(|scene| async move {
        let client = scene.client_with(&scene.address(RPC_PORT), "guessed");
        for _ in 0..2 {
            let error = client.tip().await.unwrap_err();
            assert!(matches!(error, RpcError::Login { .. }), "{error:?}");
            let shown = format!("{error} {error:?} {client:?}");
            assert!(shown.contains("darkswap") && shown.contains(&scene.address(RPC_PORT)), "{shown}");
            assert!(!shown.contains("guessed"), "{shown}");
        }
    });
}

#[test]
fn a_connection_that_was_silent_for_too_long_is_opened_again() {
    run(|scene| async move {
        let client = scene.client();
        for connections in 1..4 {
            client.tip().await.unwrap();
            assert_eq!(scene.indexer.counters().served, connections);
            sleep(Duration::from_secs(40)).await;
        }
    });
}

#[test]
fn a_bitcoind_that_dies_is_found_again_once_it_is_back() {
    run(|scene| async move {
        let client = scene.client();
        let tip = client.tip().await.unwrap();
        let server = scene.world.host("server").unwrap();
        scene.world.crash(server).unwrap();
        for _ in 0..2 {
            let start = Instant::now();
            let error = client.tip().await.unwrap_err();
            assert!(matches!(error, RpcError::Unreachable { .. } | RpcError::Timeout { .. }), "{error:?}");
            assert!(start.elapsed() <= REQUEST);
        }
        scene.world.restart(server).unwrap();
        let error = client.tip().await.unwrap_err();
        assert!(matches!(error, RpcError::Unreachable { .. }), "the host is up, and nobody listens: {error:?}");
        scene.serve();
        assert_eq!(client.tip().await, Ok(tip));
    });
}

#[test]
fn clones_wait_for_each_other() {
    run(|scene| async move {
        let client = scene.client();
        let heights = (0..20).map(|height| {
            let client = client.clone();
            async move { client.block_hash(height).await.unwrap().unwrap() }
        });
        let found = futures::future::join_all(heights).await;
        let expected =
            scene.chain(|node, _| (0..20).filter_map(|height| node.chain().block_hash(height)).collect::<Vec<_>>());
        assert_eq!(found, expected);
        assert_eq!(scene.indexer.counters().served, 1);
    });
}

#[test]
fn a_name_that_does_not_resolve_is_said() {
    run(|scene| async move {
        let error = scene.client_with("nowhere.example:8332", "x").tip().await.unwrap_err().to_string();
        assert!(error.contains("nowhere.example:8332") && error.contains("does not resolve"), "{error}");
    });
}
