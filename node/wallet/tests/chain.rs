//! Reorganisations, replacements, evictions, and servers that lie.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails there fails the test")]

mod common;

use std::sync::Arc;

use bitcoin::{Amount, BlockHash, OutPoint, hashes::Hash};
use common::{World, alkane, holdings, sat, stranger, transaction};
use darkswap_trade::coin::Holdings;
use darkswap_wallet::{
    CoinState, Keychain, Update, WalletEvent,
    bdk_chain::{BlockId, CheckPoint, ConfirmationBlockTime},
    coin::Standing,
    wallet::{Balance, MAX_ADDRESSES, UpdateError},
};
use proptest::prelude::*;

#[test]
fn a_reorganisation_takes_a_coin_back_to_pending_and_forgets_what_was_said_of_it() {
    let mut world = World::new();
    let stays = world.clean(5_000);
    let moves = world.carrying(9_000, holdings(alkane(1), 7));
    let paid = world.wallet.transaction(moves.txid).unwrap().transaction;
    let events = world.reorganise(1);
    assert!(events.iter().any(|event| matches!(event, WalletEvent::TxDropped { txid, .. } if *txid == moves.txid)
        || matches!(event, WalletEvent::TxUnconfirmed { txid, .. } if *txid == moves.txid)));

    // It waits again: what was in a block most likely is in the mempool.
    let balance = Balance { confirmed: sat(5_000), pending: sat(9_000), ..Balance::default() };
    assert_eq!(world.wallet.balance(), balance);
    let coin = world.wallet.coins().into_iter().find(|coin| coin.outpoint == moves).unwrap();
    assert_eq!((coin.standing, coin.state), (Standing::Foreign, CoinState::Unknown));

    // In another block it has to be said anew, even if it is the same.
    world.confirm([paid.as_ref().clone()]);
    assert_eq!(world.wallet.unknown(), [moves]);
    world.wallet.set_holdings(moves, holdings(alkane(1), 7)).unwrap();
    assert_eq!(world.wallet.assets()[&alkane(1)].confirmed, 7);
    assert_eq!(world.wallet.select_bitcoin(sat(1_000), common::rate(1)).unwrap().outpoints, [stays]);
}

#[test]
fn what_was_said_of_a_waiting_coin_is_asked_again_when_a_block_takes_it_up() {
    let mut world = World::new();
    let script = world.script();
    let payment = world.payment_of([(script, 4_000)]);
    world.see(&payment);
    let outpoint = OutPoint::new(payment.compute_txid(), 0);
    world.wallet.set_holdings(outpoint, Holdings::new()).unwrap();
    assert_eq!(world.wallet.unknown(), []);
    world.confirm([payment]);
    assert_eq!(world.wallet.unknown(), [outpoint]);
}

#[test]
fn a_conflict_replaces_a_waiting_transaction() {
    let mut world = World::new();
    let script = world.script();
    let first = world.payment_of([(script.clone(), 4_000)]);
    let mut second = first.clone();
    second.output[0].value = sat(3_000);
    world.see(&first);
    assert_eq!(world.wallet.balance().pending, sat(4_000));
    // Even within the same second.
    let now = common::at(world.seconds);
    let events = world.wallet.apply_unconfirmed(second.clone(), now).unwrap();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, WalletEvent::TxReplaced { txid, .. } | WalletEvent::TxDropped { txid, .. }
            if *txid == first.compute_txid()))
    );
    assert_eq!(world.wallet.balance().pending, sat(3_000));
    // A block decides otherwise.
    world.confirm([first]);
    assert_eq!(world.wallet.balance(), Balance { unknown: sat(4_000), ..Balance::default() });
    assert!(world.wallet.transaction(second.compute_txid()).is_none());
}

#[test]
fn an_evicted_payment_gives_its_coins_back() {
    let mut world = World::new();
    let coin = world.clean(50_000);
    let payment = world.wallet.pay(stranger(), sat(20_000), common::rate(2)).unwrap();
    world.see(&payment.transaction);
    assert_eq!(world.wallet.balance().confirmed, Amount::ZERO);
    let now = world.now();
    world.wallet.apply_evicted([payment.transaction.compute_txid()], now);
    assert_eq!(world.wallet.balance(), Balance { confirmed: sat(50_000), ..Balance::default() });
    // What was said of the coin still holds: it never left its block.
    assert_eq!(world.wallet.coins()[0].state, CoinState::Clean);
    assert_eq!(world.wallet.coins()[0].outpoint, coin);
}

#[test]
fn a_block_may_undo_our_payment_by_a_double_spend() {
    let mut world = World::new();
    let coin = world.clean(50_000);
    let payment = world.wallet.pay(stranger(), sat(20_000), common::rate(2)).unwrap();
    world.confirm([payment.transaction.clone()]);
    assert_eq!(world.wallet.transactions().len(), 2);
    world.reorganise(1);
    let other = transaction([coin], [(stranger(), 49_000)]);
    world.confirm([other]);
    assert!(world.wallet.transaction(payment.transaction.compute_txid()).is_none());
    assert_eq!(world.wallet.balance(), Balance::default());
}

#[test]
fn a_coin_of_a_miner_waits_for_its_maturity() {
    let mut world = World::new();
    let script = world.script();
    let mut reward = transaction([OutPoint::null()], [(script, 50_000)]);
    reward.input[0].script_sig = bitcoin::ScriptBuf::from_bytes(vec![1, 1]);
    world.confirm([reward.clone()]);
    let outpoint = OutPoint::new(reward.compute_txid(), 0);
    world.wallet.set_holdings(outpoint, Holdings::new()).unwrap();
    assert_eq!(world.wallet.balance().pending, sat(50_000));
    assert!(world.wallet.select_bitcoin(sat(1), common::rate(1)).is_err());
    for _ in 0..98 {
        world.confirm([]);
    }
    assert_eq!(world.wallet.balance().pending, sat(50_000));
    world.confirm([]);
    assert_eq!(world.wallet.balance().confirmed, sat(50_000));
}

#[test]
fn blocks_that_do_not_meet_ours_are_refused_and_change_nothing() {
    let mut world = World::new();
    world.clean(5_000);
    let before = (world.wallet.coins(), world.wallet.height());
    let strange = CheckPoint::new(BlockId { height: 70, hash: BlockHash::from_byte_array([9; 32]) });
    let error = world.apply(Update { chain: Some(strange), ..Default::default() }).unwrap_err();
    assert!(matches!(error, UpdateError::Disconnected { .. }), "{error}");
    assert_eq!((world.wallet.coins(), world.wallet.height()), before);
}

#[test]
fn lies_that_would_fill_the_memory_or_overflow_are_refused() {
    let mut world = World::new();
    let mut update = world.update([]);
    update.last_active_indices.insert(Keychain::External, MAX_ADDRESSES);
    assert_eq!(world.apply(update).unwrap_err(), UpdateError::AddressIndex { found: MAX_ADDRESSES });

    let script = world.script();
    let rich = world.payment_of([(script.clone(), u64::MAX), (script.clone(), u64::MAX)]);
    let txid = rich.compute_txid();
    let update = world.update([rich.clone()]);
    assert_eq!(world.apply(update).unwrap_err(), UpdateError::Amount { txid });
    assert_eq!(world.wallet.apply_unconfirmed(rich, common::at(1)).unwrap_err(), UpdateError::Amount { txid });

    let loose = OutPoint::new(txid, 0);
    let mut update = world.update([]);
    update.tx_update.txouts.insert(loose, bitcoin::TxOut { value: sat(1), script_pubkey: script.clone() });
    assert_eq!(world.apply(update).unwrap_err(), UpdateError::LooseOutput { outpoint: loose });

    let reward = transaction([OutPoint::null()], [(script.clone(), 1_000)]);
    let error = world.wallet.apply_unconfirmed(reward.clone(), common::at(1)).unwrap_err();
    assert_eq!(error, UpdateError::WaitingReward { txid: reward.compute_txid() });
    let mut update = Update::default();
    update.tx_update.seen_ats.insert((reward.compute_txid(), 1));
    update.tx_update.txs.push(Arc::new(reward));
    world.apply(update).unwrap();
    assert_eq!(world.wallet.balance(), Balance::default());

    // All bitcoin in one output is not impossible by itself; many of them add up to no more than can be said.
    for _ in 0..3 {
        let rich = world.payment_of([(script.clone(), Amount::MAX_MONEY.to_sat())]);
        world.confirm([rich]);
    }
    assert_eq!(world.wallet.balance().unknown, Amount::MAX_MONEY * 3);
}

#[test]
fn a_fee_beyond_all_numbers_is_no_fee() {
    let mut world = World::new();
    let script = world.script();
    let rich: Vec<_> = (0..9_000).map(|_| world.payment_of([(script.clone(), Amount::MAX_MONEY.to_sat())])).collect();
    let inputs: Vec<_> = rich.iter().map(|tx| OutPoint::new(tx.compute_txid(), 0)).collect();
    let absurd = transaction(inputs, [(script, 1_000)]);
    world.confirm(rich);
    world.confirm([absurd.clone()]);
    let found = world.wallet.transaction(absurd.compute_txid()).unwrap();
    assert_eq!((found.fee, found.sent), (None, Amount::MAX));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_answer_of_a_server_panics(
        steps in prop::collection::vec((0_u8..8, 0_u32..6, 0_usize..5, any::<u64>(), any::<bool>()), 1..30)
    ) {
        let mut world = World::new();
        let scripts: Vec<_> = (0..3).map(|_| world.script()).collect();
        let mut seen = vec![world.payment_of([(scripts[0].clone(), 1_000)])];
        for (kind, height, which, value, flag) in steps {
            let parent = &seen[which % seen.len()];
            let outpoint = OutPoint::new(parent.compute_txid(), u32::from(flag));
            let script = scripts[which % scripts.len()].clone();
            let mut made = transaction([outpoint], [(script.clone(), value >> (which * 8)), (stranger(), 5)]);
            if kind == 7 {
                made = transaction([OutPoint::null()], [(script, 70_000)]);
            }
            let mut update = Update::default();
            let block_id = BlockId { height, hash: BlockHash::from_byte_array([kind % 2; 32]) };
            if kind < 3 {
                let genesis = world.blocks[0];
                update.chain = CheckPoint::from_block_ids([genesis, block_id]).ok();
            }
            if flag {
                let anchor = ConfirmationBlockTime { block_id, confirmation_time: value };
                update.tx_update.anchors.insert((anchor, made.compute_txid()));
            }
            update.tx_update.seen_ats.insert((made.compute_txid(), value));
            update.tx_update.evicted_ats.insert((parent.compute_txid(), value / 2));
            update.tx_update.txs.push(Arc::new(made.clone()));
            let _ = world.apply(update);
            for outpoint in world.wallet.unknown() {
                let held = if flag { Holdings::new() } else { holdings(alkane(1), u128::MAX) };
                world.wallet.set_holdings(outpoint, held).unwrap();
            }
            let _ = (world.wallet.balance(), world.wallet.assets(), world.wallet.transactions());
            if let Ok(payment) = world.wallet.pay(stranger(), sat(1_000), common::rate(1)) {
                prop_assert_eq!(payment.transaction.output[0].value, sat(1_000));
            }
            let _ = world.wallet.bump(made.compute_txid(), common::rate(9));
            let _ = world.wallet.reclaim(&[outpoint].into(), None, common::rate(9));
            seen.push(made);
        }
    }
}
