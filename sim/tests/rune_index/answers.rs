//! What the index says of outputs, and when it says nothing.

use std::time::Duration;

use bitcoin::OutPoint;
use darkswap_node::chain::{AssetIndex as _, Place};
use darkswap_node::rune_index::{PATIENCE, RuneIndex};
use darkswap_sim::indexer::Fault;
use darkswap_trade::asset::Asset;
use darkswap_wallet::bdk_chain::BlockId;
use ordinals::{Edict, RuneId, Runestone};
use tokio::time::{Instant, sleep};

use crate::runes::spend;
use crate::scene::{NAME, Scene, reaches, run};

/// The output with the most units of [`NAME`], and how many there are.
fn richest(scene: &Scene) -> (OutPoint, RuneId, u128) {
    let state = scene.state(scene.tip().height);
    let (id, _) = state.entries().iter().find(|(_, entry)| entry.rune.to_string() == NAME).unwrap();
    let held = state.all_balances().iter().filter_map(|(outpoint, held)| Some((*outpoint, *id, *held.get(id)?)));
    held.max_by_key(|(_, _, units)| *units).unwrap()
}

fn moving(id: RuneId, amount: u128, output: u32) -> Runestone {
    Runestone { edicts: vec![Edict { id, amount, output }], pointer: Some(1), ..Runestone::default() }
}

/// How many units of a rune are on an output, as of a block.
async fn units(index: &RuneIndex, id: RuneId, place: Place, tip: BlockId) -> Result<u128, String> {
    let held = index.holdings(vec![place], tip).await?;
    Ok(held[0].get(&Asset::Rune(id)).copied().unwrap_or(0))
}

fn confirmed(outpoint: OutPoint, height: u32) -> Place {
    Place { outpoint, height: Some(height) }
}

#[test]
fn a_chain_of_two_transfers_that_wait_is_known() {
    run(7, |scene| async move {
        let index = scene.open();
        reaches(&index, scene.tip()).await;
        let (coin, id, all) = richest(&scene);
        let first = spend(&[coin, scene.coin()], &moving(id, all - 5, 2));
        let rich = OutPoint { txid: first.compute_txid(), vout: 2 };
        let second = spend(&[rich, scene.coin()], &moving(id, 100, 3));
        for transaction in [&first, &second] {
            scene.chain(|node, now| node.broadcast(now, transaction.clone())).unwrap();
        }
        let of_second = |vout| OutPoint { txid: second.compute_txid(), vout };
        let expected =
            [(OutPoint { vout: 1, ..rich }, 5), (of_second(1), all - 105), (of_second(2), 0), (of_second(3), 100)];
        let tip = scene.tip();
        for (outpoint, expected) in expected {
            let waiting = Place { outpoint, height: None };
            assert_eq!(units(&index, id, waiting, tip).await, Ok(expected), "{outpoint} waits");
        }
        assert_eq!(units(&index, id, confirmed(coin, tip.height), tip).await, Ok(all), "no block has moved it");

        scene.chain(|node, now| node.mine(now, 1));
        let tip = scene.tip();
        for (outpoint, expected) in expected {
            let place = confirmed(outpoint, tip.height);
            assert_eq!(units(&index, id, place, tip).await, Ok(expected), "{outpoint} is in a block");
        }
    });
}

#[test]
fn an_output_that_waits_is_known_however_long_the_history_of_its_coins_is() {
    run(7, |scene| async move {
        let index = scene.open();
        let mut fee = scene.coin();
        for _ in 0..30 {
            let next = spend(&[fee, scene.coin()], &Runestone::default());
            fee = OutPoint { txid: next.compute_txid(), vout: 1 };
            scene.chain(|node, now| node.mine_exactly(now, vec![next])).unwrap();
        }
        reaches(&index, scene.tip()).await;
        let (coin, id, all) = richest(&scene);
        let transfer = spend(&[coin, fee, scene.coin()], &moving(id, all, 2));
        let outpoint = OutPoint { txid: transfer.compute_txid(), vout: 2 };
        scene.chain(|node, now| node.broadcast(now, transfer)).unwrap();
        let waiting = Place { outpoint, height: None };
        assert_eq!(units(&index, id, waiting, scene.tip()).await, Ok(all));
    });
}

#[test]
fn outputs_are_told_as_of_the_block_that_was_asked_about_and_no_other() {
    run(8, |scene| async move {
        let index = scene.open();
        reaches(&index, scene.tip()).await;
        let (before, (coin, id, all)) = (scene.tip(), richest(&scene));
        let moved = spend(&[coin, scene.coin()], &moving(id, all, 2));
        let new = OutPoint { txid: moved.compute_txid(), vout: 2 };
        scene.chain(|node, now| node.mine_exactly(now, vec![moved])).unwrap();
        let after = scene.tip();
        reaches(&index, after).await;

        let old = confirmed(coin, before.height);
        assert_eq!(units(&index, id, old, before).await, Ok(all));
        assert_eq!(units(&index, id, old, after).await, Ok(0));
        assert_eq!(units(&index, id, confirmed(new, after.height), after).await, Ok(all));
        let early = units(&index, id, confirmed(new, after.height), before).await.unwrap_err();
        assert!(early.contains(&format!("told to be in block {}", after.height)), "{early}");

        // That block loses.
        scene.reorganise(1);
        reaches(&index, scene.tip()).await;
        let lost = units(&index, id, old, after).await.unwrap_err();
        assert!(lost.contains(&format!("expected block {} ({})", after.height, after.hash)), "{lost}");
        assert_eq!(units(&index, id, old, before).await, Ok(all));
    });
}

#[test]
fn a_bitcoind_that_is_behind_is_waited_for_a_while() {
    run(9, |scene| async move {
        let index = scene.open();
        reaches(&index, scene.tip()).await;
        let fault = scene.indexer.begin(Fault::Lag(1));
        scene.mine(1);
        let (asked, tip) = (Instant::now(), scene.tip());
        let refused = index.holdings(vec![], tip).await.unwrap_err();
        assert!(refused.contains(&format!("has reached block {}", tip.height - 1)), "{refused}");
        assert!(asked.elapsed() >= PATIENCE && asked.elapsed() < 2 * PATIENCE);
        assert!(scene.indexer.end(fault) > 0);
        let asked = Instant::now();
        assert_eq!(index.holdings(vec![], tip).await, Ok(vec![]));
        assert!(asked.elapsed() < PATIENCE);
    });
}

/// Asks about the newest block every few seconds, for a minute: what is said.
async fn minute(index: &RuneIndex, tip: BlockId) -> Vec<String> {
    let mut reasons = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        let asked = Instant::now();
        reasons.push(index.holdings(vec![], tip).await.unwrap_err());
        assert!(asked.elapsed() <= PATIENCE + Duration::from_secs(1), "nobody waits longer");
        sleep(Duration::from_secs(3)).await;
    }
    reasons
}

#[test]
fn while_bitcoind_is_gone_the_reason_is_told_in_words_and_then_it_goes_on() {
    run(10, |scene| async move {
        let index = scene.open();
        reaches(&index, scene.tip()).await;
        let known = scene.tip();
        // The program ends, the host does not: whoever connects is refused.
        scene.reboot("server");
        scene.mine(2);
        let reasons = minute(&index, scene.tip()).await;
        let address = scene.config().bitcoind.unwrap().address.to_string();
        for reason in &reasons {
            assert!(reason.contains("cannot follow the chain") && reason.contains(&address), "{reason}");
        }
        assert_eq!(index.holdings(vec![], known).await, Ok(vec![]), "what it knows it still tells");
        scene.serve();
        reaches(&index, scene.tip()).await;
        scene.assert_same(index.rows());
        assert_eq!(index.progress().borrow().trouble, None);
    });
}

#[test]
fn a_bitcoind_whose_host_is_down_for_a_minute_is_found_again() {
    run(11, |scene| async move {
        let index = scene.open();
        reaches(&index, scene.tip()).await;
        let server = scene.world.host("server").unwrap();
        scene.world.crash(server).unwrap();
        scene.mine(2);
        for reason in minute(&index, scene.tip()).await {
            assert!(reason.contains("rune index"), "{reason}");
        }
        scene.world.restart(server).unwrap();
        scene.serve();
        reaches(&index, scene.tip()).await;
        scene.assert_same(index.rows());
    });
}
