//! How swaps end.

use crate::world::{ASSET, Faults, World, key, seed};
use bitcoin::Network;
use darkswap_trade::order::Side;
use darkswap_trade::swap::{Body, Message, Role, Stage};
use darkswap_trader::command::{Command, Reply};
use darkswap_trader::input::Input;
use darkswap_trader::output::Output;
use darkswap_wallet::Wallet;
use std::time::Duration;

use super::{assert_same_books, place, placed, ready, seeds, take};

#[test]
fn swaps_in_both_directions_settle_and_books_are_equal() {
    for seed in seeds(4) {
        let mut world = ready(seed, 3);
        let sale = placed(&mut world, 0, place(Side::Sell, 1_000, 100));
        let purchase = placed(&mut world, 1, place(Side::Buy, 500, 100));
        world.run(Duration::from_secs(5));
        take(&mut world, 2, sale, 1_000);
        take(&mut world, 2, purchase, 300);
        let done = world.judge();
        assert_eq!(done.len(), 4, "seed {seed}: {:?}", world.log(2));
        assert_same_books(&world, 3);
        assert!(world.nodes.iter().all(|node| node.links.is_empty()), "peers are let go");
    }
}

#[test]
fn what_is_left_of_an_order_is_offered_anew() {
    let mut world = ready(1, 3);
    let order = placed(&mut world, 0, place(Side::Sell, 1_000, 100));
    world.run(Duration::from_secs(5));
    take(&mut world, 1, order, 300);
    take(&mut world, 2, order, 500);
    assert_eq!(world.judge().len(), 4);
    let Ok(Reply::Orders(orders)) = world.ask(1, Command::Book { asset: Some(ASSET) }) else { panic!() };
    assert_eq!(orders.iter().map(|it| (it.units, it.minimum)).collect::<Vec<_>>(), [(200, 100)]);
    assert_ne!(orders[0].order, order);
    take(&mut world, 1, orders[0].order, 200);
    world.judge();
    assert_eq!(world.ask(2, Command::Book { asset: None }), Ok(Reply::Orders(Vec::new())));
    assert_same_books(&world, 3);
}

#[test]
fn every_message_three_times_is_as_good_as_once() {
    let mut world = ready(3, 2);
    world.faults = Faults { repeated: 100, ..Faults::default() };
    let order = placed(&mut world, 0, place(Side::Sell, 1_000, 100));
    world.run(Duration::from_secs(5));
    take(&mut world, 1, order, 400);
    world.run(Duration::from_secs(900));
    assert_eq!(world.judge().len(), 2);
}

#[test]
fn a_taker_whose_maker_vanishes_takes_its_coins_back() {
    for side in [Side::Sell, Side::Buy] {
        let mut world = ready(9, 2);
        let order = placed(&mut world, 0, place(side, 1_000, 100));
        world.run(Duration::from_secs(5));
        take(&mut world, 1, order, 400);
        let end = world.now + Duration::from_secs(60);
        let is_proposed = |world: &World| world.records(1).any(|it| matches!(it.stage, Stage::Proposed { .. }));
        assert!(world.run_until(end, is_proposed), "{:?}", world.log(1));
        world.crash(0, Duration::from_secs(7_200));
        assert!(world.judge().is_empty());
        assert_eq!(world.chain.confirmed().count(), 1, "one reclaim");
        let ends: Vec<String> =
            (0..2).flat_map(|who| world.records(who).map(|it| format!("{:?}", it.stage)).collect::<Vec<_>>()).collect();
        assert!(
            ends.iter().all(|it| it.contains("Aborted")) && ends.iter().any(|it| it.contains("Reclaimed")),
            "{ends:?}"
        );
        let Ok(Reply::Orders(orders)) = world.ask(0, Command::Orders) else { panic!() };
        assert_eq!(orders[0].units, 1_000, "what was promised is free again");
    }
}

#[test]
fn a_swap_is_cancelled_before_and_after_the_signature_is_given_away() {
    for after in [1, 100_000] {
        let mut world = ready(10, 2);
        let order = placed(&mut world, 0, place(Side::Sell, 1_000, 100));
        world.run(Duration::from_secs(5));
        let Ok(Reply::Taken(swap)) = world.ask(1, Command::Take { order, units: None, fee_rate: None }) else {
            panic!()
        };
        let end = world.now + Duration::from_secs(60);
        let is_out = |world: &World| world.records(1).any(|it| matches!(it.stage, Stage::Broadcast { .. }));
        if after > 1 {
            assert!(world.run_until(end, is_out), "{:?}", world.log(1));
        }
        let peer = key(0);
        assert_eq!(world.ask(1, Command::CancelSwap { swap, peer }), Ok(Reply::Done));
        let done = world.judge();
        let said: Vec<_> =
            world.log(1).into_iter().filter(|it| it.contains("Failed") || it.contains("Moved")).collect();
        assert!(done.is_empty(), "{said:#?}");
        let Ok(Reply::Swaps(swaps)) = world.ask(1, Command::Swaps) else { panic!() };
        let reason = swaps[0].reason.clone().unwrap();
        assert!(reason.contains(if after > 1 { "reclaimed" } else { "cancelled" }), "{reason}");
        let again = world.ask(1, Command::CancelSwap { swap, peer }).unwrap_err().to_string();
        assert!(again.contains("which has ended"), "{again}");
    }
}

#[test]
fn a_taker_that_missed_the_end_is_told_and_begins_nothing_anew() {
    let mut world = ready(16, 2);
    let order = placed(&mut world, 0, place(Side::Sell, 1_000, 100));
    world.run(Duration::from_secs(5));
    take(&mut world, 1, order, 400);
    let done = world.judge();
    let record = done.iter().find(|it| it.role == Role::Maker).unwrap();
    let Stage::Done { transaction: Some(transaction), .. } = &record.stage else { panic!() };
    world.crash(0, Duration::from_secs(1));
    world.run(Duration::from_secs(5));
    let now = world.now;
    let trader = world.nodes[0].trader.as_mut().unwrap();
    let bytes = Message { swap: record.swap, body: Body::Request(record.request.clone()) }.encode().into();
    trader.handle(now, Input::Message { from: key(1), bytes });
    let outputs: Vec<Output> = std::iter::from_fn(|| trader.poll()).collect();
    let [Output::Send { bytes, .. }] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(Message::decode(bytes).unwrap().body, Body::Settled(transaction.clone()));
}

#[test]
fn a_peer_that_spends_its_coin_elsewhere_costs_nothing() {
    for side in [Side::Sell, Side::Buy] {
        let mut world = ready(19, 2);
        let order = placed(&mut world, 0, place(side, 1_000, 100));
        world.run(Duration::from_secs(5));
        take(&mut world, 1, order, 400);
        let end = world.now + Duration::from_secs(60);
        assert!(world.run_until(end, |world| !world.chain.mempool.is_empty()), "{:?}", world.log(1));
        // The maker's seed is in use elsewhere as well.
        let record = world.records(0).next().unwrap();
        let input = record.agreement().unwrap().stake(record.party()).inputs[0];
        let mut thief = Wallet::load(&seed(0), Network::Regtest, world.nodes[0].stored.wallet()).unwrap();
        let fee_rate = bitcoin::FeeRate::from_sat_per_vb(50).unwrap();
        let theft = thief.reclaim(&[input].into(), None, fee_rate).unwrap();
        world.chain.submit(&theft.transaction).unwrap();
        world.block();
        assert!(world.judge().is_empty());
        let Ok(Reply::Swaps(swaps)) = world.ask(1, Command::Swaps) else { panic!() };
        let reason = swaps[0].reason.clone().unwrap();
        assert!(reason.starts_with("the peer spent"), "{reason}");
        assert_eq!(world.chain.confirmed().count(), 1, "nobody paid for a reclaim");
    }
}
