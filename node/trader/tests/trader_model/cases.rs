//! The cases.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::time::Duration;

use bitcoin::{Amount, Network, OutPoint};
use bytes::Bytes;
use darkswap_trade::Time;
use darkswap_trade::book::Backing;
use darkswap_trade::order::{Draft, Offer, OrderId, Price, Proposal, Settlement, Side, Statement, TraderKey, sign};
use darkswap_trade::psbt::Stake;
use darkswap_trade::swap::{Body, Message, Request, Role, Stage, SwapId};
use darkswap_trader::Trader;
use darkswap_trader::chain::{ChainInput, ChainRequest};
use darkswap_trader::command::{Command, Reply, TradeEvent};
use darkswap_trader::input::Input;
use darkswap_trader::output::{Output, Verdict};
use darkswap_trader::store::{Stored, Table};
use darkswap_wallet::Wallet;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::world::{ASSET, Faults, World, key, seed, signing_key};

const READY: Duration = Duration::from_secs(30);

fn place(side: Side, units: u128, minimum: u128) -> Command {
    let (price, lifetime_seconds) = (Price { sats: 150, units: 1 }, 20_000);
    Command::Place { side, asset: ASSET, units, minimum: Some(minimum), price, lifetime_seconds, presigned: false }
}

fn placed(world: &mut World, who: usize, command: Command) -> OrderId {
    match world.ask(who, command) {
        Ok(Reply::Placed(order)) => order,
        other => panic!("{other:?}"),
    }
}

fn take(world: &mut World, who: usize, order: OrderId, units: u128) {
    let reply = world.ask(who, Command::Take { order, units: Some(units), fee_rate: None });
    assert!(matches!(reply, Ok(Reply::Taken(_))), "{reply:?} {:?}", world.log(who));
}

/// Traders that know what they have.
fn ready(seed: u64, count: u8) -> World {
    let mut world = World::new(seed, count);
    world.run(READY);
    world
}

fn seeds(count: u64) -> std::ops::Range<u64> {
    let number =
        |name: &str| std::env::var(name).ok().map(|it| it.parse().unwrap_or_else(|_| panic!("{name} is a number")));
    match number("TRADER_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRADER_MODEL_CASES").unwrap_or(count),
    }
}

fn assert_same_books(world: &World, count: usize) {
    for who in 1..count {
        assert_eq!(world.view(0), world.view(who), "the books of 0 and {who} differ");
    }
}

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
fn a_crash_after_any_batch_loses_nothing() {
    let mut settled = 0;
    for victim in 0..2 {
        for side in [Side::Sell, Side::Buy] {
            for batch in 1..24 {
                let mut world = ready(7, 2);
                let order = placed(&mut world, 0, place(side, 1_000, 100));
                world.run(Duration::from_secs(5));
                world.nodes[victim].crash_after = Some(batch);
                world.command(1, Command::Take { order, units: Some(400), fee_rate: None });
                world.run(Duration::from_secs(600));
                let done = world.judge();
                assert!(world.crashes == 1 || batch > 10, "victim {victim} did not crash at batch {batch}");
                let roles: BTreeSet<Role> = done.iter().map(|it| it.role).collect();
                assert!(roles.len() != 1, "one side settled and the other did not, batch {batch}");
                let Ok(Reply::Orders(orders)) = world.ask(1, Command::Book { asset: None }) else { panic!() };
                let left = if roles.is_empty() { 1_000 } else { 600 };
                assert_eq!(orders.iter().map(|it| it.units).collect::<Vec<_>>(), [left], "batch {batch}");
                settled += usize::from(!roles.is_empty());
                assert_same_books(&world, 2);
            }
        }
    }
    assert!(settled > 60, "{settled} of 92 settled");
}

/// Traders that place and take at random while much goes wrong.
fn trouble(seed: u64) -> (usize, u32) {
    let mut world = ready(seed, 3);
    let severity = world.below(4);
    world.faults = Faults {
        lost: 3 * severity,
        repeated: 10,
        late: 2 * severity,
        crashes: 4 * severity,
        unknown_coins: 5 * severity,
    };
    for round in 0..10 {
        let (maker, taker) = (world.anybody(), world.anybody());
        let side = if world.below(2) == 0 { Side::Sell } else { Side::Buy };
        match round % 3 {
            0 => drop(world.command(maker, place(side, 400, 100))),
            1 if world.below(4) == 0 => drop(world.command(maker, presigned(1_000))),
            _ => {}
        }
        let after = Duration::from_secs(world.below(60));
        world.run(after);
        let units = Some(100 + 50 * u128::from(world.below(3)));
        let book = world.nodes[taker].trader.as_ref().map(|trader| trader.book());
        let order = book.and_then(|book| {
            let all = [Side::Sell, Side::Buy].into_iter().flat_map(|side| book.offers(ASSET, side));
            all.map(|listing| &listing.order)
                .find(|order| order.maker != key(taker))
                .map(|order| (order.id, order.offer.minimum))
        });
        if let Some((order, minimum)) = order {
            let units = if minimum == 1_000 { None } else { units };
            world.command(taker, Command::Take { order, units, fee_rate: None });
        }
        disturb(&mut world);
    }
    let done = world.judge();
    assert_same_books(&world, 3);
    (done.len(), world.crashes)
}

fn disturb(world: &mut World) {
    match world.below(8) {
        0 => {
            world.chain.reorganise(1);
            world.look();
        }
        1 => {
            let (one, other) = (world.anybody(), world.anybody());
            if one != other {
                world.part(one, other);
            }
        }
        2 => world.heal(),
        3 => {
            let who = world.anybody();
            let record = world.records(who).last();
            if let Some(record) = record {
                world.command(who, Command::CancelSwap { swap: record.swap, peer: record.peer });
            }
        }
        4 => {
            let who = world.anybody();
            world.handle(who, Input::Chain(ChainInput::Down { reason: "no route".to_owned() }));
        }
        _ => {}
    }
}

#[test]
fn whatever_goes_wrong_costs_no_more_than_fees() {
    let (mut settled, mut crashes) = (0, 0);
    for seed in seeds(24) {
        let (more, crashed) = catch_unwind(|| trouble(seed))
            .unwrap_or_else(|_| panic!("seed {seed} failed, see above; repeat it with TRADER_MODEL_SEED={seed}"));
        settled += more;
        crashes += crashed;
    }
    assert!(settled > 20 && crashes > 10, "{settled} settled, {crashes} crashes");
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
fn the_same_seed_is_the_same_story() {
    let story = || {
        let mut world = ready(5, 3);
        world.faults = Faults { lost: 10, repeated: 10, late: 10, crashes: 3, unknown_coins: 10 };
        world.command(0, place(Side::Sell, 1_000, 100));
        world.run(Duration::from_secs(900));
        (world.trace, world.steps)
    };
    assert_eq!(story(), story());
}

#[test]
fn books_that_were_apart_become_equal_by_reconciliation() {
    let mut world = ready(2, 3);
    for other in 0..2 {
        world.part(other, 2);
    }
    world.run(Duration::from_secs(5));
    for who in 0..3 {
        for _ in 0..5 {
            placed(&mut world, who, place(Side::Sell, 1_000, 100));
        }
    }
    world.run(Duration::from_secs(60));
    assert_ne!(world.view(0), world.view(2));
    world.heal();
    world.run(Duration::from_secs(30));
    assert_same_books(&world, 3);
    let reconciled = world
        .nodes
        .iter()
        .flat_map(|node| &node.events)
        .any(|event| matches!(event, TradeEvent::Reconciled { surplus: 10, .. }));
    let said: Vec<_> = (0..3).flat_map(|who| world.log(who)).filter(|it| !it.contains("OrderAdded")).collect();
    assert!(reconciled, "{said:#?}");
}

#[test]
fn orders_and_their_revisions_survive_a_restart() {
    let mut world = ready(4, 2);
    let first = placed(&mut world, 0, place(Side::Sell, 1_000, 100));
    let second = placed(&mut world, 0, place(Side::Buy, 500, 100));
    assert_eq!(world.ask(0, Command::CancelOrder { order: second }), Ok(Reply::Done));
    world.crash(0, Duration::from_secs(1));
    world.run(Duration::from_secs(10));
    let Ok(Reply::Orders(orders)) = world.ask(0, Command::Orders) else { panic!() };
    assert_eq!(orders.iter().map(|it| it.order).collect::<Vec<_>>(), [first]);
    assert_eq!(world.ask(0, Command::CancelOrder { order: first }), Ok(Reply::Done));
    assert!(world.ask(0, Command::CancelOrder { order: first }).is_err());
    world.run(Duration::from_secs(10));
    assert_eq!(world.ask(1, Command::Book { asset: None }), Ok(Reply::Orders(Vec::new())));
    assert_same_books(&world, 2);
}

fn presigned(units: u128) -> Command {
    let (price, lifetime_seconds) = (Price { sats: 150, units: 1 }, 2_000);
    Command::Place { side: Side::Sell, asset: ASSET, units, minimum: None, price, lifetime_seconds, presigned: true }
}

#[test]
fn a_presigned_order_is_bought_while_its_maker_is_away() {
    let mut world = ready(6, 2);
    let refused = world.ask(0, presigned(400)).unwrap_err().to_string();
    assert!(refused.contains("expected one with exactly 400 units"), "{refused}");
    let order = placed(&mut world, 0, presigned(1_000));
    world.run(Duration::from_secs(5));
    world.crash(0, Duration::from_secs(1_500));
    take(&mut world, 1, order, 1_000);
    world.run(Duration::from_secs(1_000));
    let Ok(Reply::Swaps(swaps)) = world.ask(1, Command::Swaps) else { panic!() };
    assert_eq!(swaps[0].phase, darkswap_trade::swap::Phase::Done, "{:?}", world.log(1));
    // The maker comes back, sees that its coin is gone, and takes the order back.
    world.run(Duration::from_secs(900));
    assert_eq!(world.ask(0, Command::Orders), Ok(Reply::Orders(Vec::new())));
    let wallet = world.nodes[0].trader.as_ref().unwrap().wallet();
    assert_eq!(wallet.assets()[&ASSET].confirmed, 1_000);
    assert!(wallet.reservations().is_empty());
    assert_same_books(&world, 2);
}

#[test]
fn a_presigned_order_that_is_cancelled_or_over_has_its_coin_taken_back() {
    for is_cancelled in [true, false] {
        let mut world = ready(8, 2);
        let order = placed(&mut world, 0, presigned(1_000));
        world.run(Duration::from_secs(5));
        if is_cancelled {
            assert_eq!(world.ask(0, Command::CancelOrder { order }), Ok(Reply::Done));
        }
        world.run(Duration::from_secs(3_000));
        assert_eq!(world.chain.confirmed().count(), 1, "the coin was spent once");
        world.judge();
    }
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
fn orders_that_name_coins_which_are_not_there_are_hidden() {
    let mut world = ready(11, 2);
    let order = placed(&mut world, 0, place(Side::Sell, 1_000, 100));
    world.run(Duration::from_secs(10));
    let backing = |world: &World, order| world.nodes[1].trader.as_ref().unwrap().book().backing(&order);
    assert_eq!(backing(&world, order), Some(Backing::Unknown), "nothing was named");

    let order = placed(&mut world, 0, presigned(1_000));
    world.run(Duration::from_secs(10));
    assert_eq!(backing(&world, order), Some(Backing::Proven));
    // The maker moves what it offers; somebody looks again after the next block.
    assert_eq!(world.ask(0, Command::CancelOrder { order }), Ok(Reply::Done));
    let lying = statement(3, 0, world.now, vec![OutPoint::null()]);
    let id = lying.id();
    world.handle(1, Input::Message { from: key(0), bytes: Bytes::from_static(b"rubbish") });
    world.inject(0, 1, lying.encoded().clone());
    world.run(Duration::from_secs(10));
    assert_eq!(backing(&world, id), Some(Backing::Disproved));
    assert!(world.nodes[1].trader.as_ref().unwrap().book().order(&id).is_none());
}

/// A statement of a maker who is not there.
fn statement(number: u8, slot: u16, created: Time, funding: Vec<OutPoint>) -> Statement {
    let key = SigningKey::from_bytes(&[number ^ 0x80; 32]);
    let offer =
        Offer { asset: ASSET, side: Side::Sell, units: 1_000, minimum: 100, price: Price { sats: 150, units: 1 } };
    let (expires, settlement) = (created + Duration::from_secs(3_600), Settlement::Interactive);
    let expires = Duration::from_millis(u64::try_from(expires.as_millis()).unwrap());
    let proposal = Proposal::Offer { offer, expires, settlement, funding };
    let maker = TraderKey(key.verifying_key().to_bytes());
    sign(Draft { maker, slot, created, proposal }, |bytes| key.sign(bytes).to_bytes()).unwrap()
}

#[test]
fn a_flood_of_orders_is_bounded_per_peer_per_maker_and_towards_the_chain() {
    let mut world = ready(12, 1);
    let (now, from) = (world.now, key(7));
    let trader = world.nodes[0].trader.as_mut().unwrap();
    let mut count_at = |now: Time, statement: &Statement| {
        trader.handle(now, Input::Statement { token: 1, from, bytes: statement.encoded().clone() });
        let (mut verdicts, mut questions) = (Vec::new(), 0);
        while let Some(output) = trader.poll() {
            match output {
                Output::Verdict { verdict, .. } => verdicts.push(verdict),
                Output::Chain(ChainRequest::Coins { .. }) => questions += 1,
                _ => {}
            }
        }
        assert_eq!(verdicts.len(), 1);
        (verdicts[0], questions)
    };
    // One maker that changes its mind all the time.
    let changes = (0..300_u64).map(|it| statement(1, 0, now - Duration::from_millis(300 - it), Vec::new()));
    let changes = changes.map(|it| count_at(now, &it).0);
    assert_eq!(changes.filter(|it| *it == Verdict::Accept).count(), 128);
    // What it said before does not use up what it may say, however often somebody repeats it.
    let old = statement(1, 0, now - Duration::from_millis(299), Vec::new());
    let later = now + Duration::from_secs(1);
    assert!((0..200).all(|_| count_at(later, &old).0 == Verdict::Ignore));
    assert_eq!(count_at(later, &statement(1, 0, later, Vec::new())).0, Verdict::Accept);
    let mut count = |statement: &Statement| count_at(later, statement);
    // Many makers who name coins, through one peer.
    let outpoint = OutPoint { vout: 1, ..OutPoint::null() };
    let (mut accepted, mut questions) = (0, 0);
    for maker in 2..90 {
        for slot in 0..56 {
            let (verdict, asked) = count(&statement(maker, slot, now, vec![outpoint]));
            accepted += u32::from(verdict == Verdict::Accept);
            questions += asked;
        }
    }
    assert_eq!(questions, 4, "questions wait for each other");
    // The 300 of the first second have come back by now; 201 of the next one are gone.
    assert_eq!(accepted, 4_096 - 201);
    let trader = world.nodes[0].trader.as_ref().unwrap();
    assert!(trader.book().bytes() < 4_096 * 400);
}

#[test]
fn requests_beyond_what_one_peer_may_have_are_refused() {
    let mut world = ready(13, 2);
    let order = placed(&mut world, 0, place(Side::Sell, 1_000, 10));
    world.run(Duration::from_secs(5));
    let (now, from) = (world.now, key(1));
    let script = world.nodes[0].trader.as_ref().unwrap().wallet().coins()[0].output.script_pubkey.clone();
    let trader = world.nodes[0].trader.as_mut().unwrap();
    let (mut rejected, mut questions, mut batches) = (0, 0, 0);
    for number in 0..200_u8 {
        let inputs = vec![OutPoint { vout: number.into(), ..OutPoint::null() }];
        let stake = Stake { inputs, receive: script.clone(), change: script.clone() };
        let fee_rate = bitcoin::FeeRate::from_sat_per_vb(3).unwrap();
        let body = Body::Request(Request { order, units: 10, fee_rate, stake });
        let bytes = Message { swap: SwapId([number; 16]), body }.encode().into();
        trader.handle(now, Input::Message { from, bytes });
        while let Some(output) = trader.poll() {
            rejected += u32::from(matches!(output, Output::Send { .. }));
            questions += u32::from(matches!(output, Output::Chain(ChainRequest::Coins { .. })));
            batches += u32::from(matches!(output, Output::Persist(_)));
        }
    }
    // Two coins carry the asset, so two requests can be met; 64 messages are heard.
    assert_eq!((rejected, questions), (62, 2));
    assert!(batches < 9, "{batches} batches for what was refused");
    assert_eq!(trader.wallet().reservations().len(), 2);
}

#[test]
fn a_wallet_pays_transfers_and_raises_fees() {
    let mut world = ready(14, 2);
    let Ok(Reply::Address(address)) = world.ask(1, Command::Address) else { panic!() };
    let sent = |world: &mut World, who, command| {
        let token = world.command(who, command);
        world.run(Duration::from_secs(3));
        match world.nodes[who].answers.remove(&token) {
            Some(Ok(Reply::Sent(txid))) => txid,
            other => panic!("{other:?}"),
        }
    };
    let amount = Amount::from_sat(50_000);
    let paid = sent(&mut world, 0, Command::Pay { address: address.clone(), amount, fee_rate: None });
    let fee_rate = bitcoin::FeeRate::from_sat_per_vb(9).unwrap();
    let bumped = sent(&mut world, 0, Command::Bump { txid: paid, fee_rate });
    assert!(world.chain.find(paid).is_none() && world.chain.find(bumped).is_some());
    world.block();
    world.run(Duration::from_secs(10));
    sent(&mut world, 0, Command::Transfer { address: address.clone(), asset: ASSET, units: 1_500, fee_rate: None });
    world.block();
    world.run(Duration::from_secs(10));
    let Ok(Reply::Balance(balance)) = world.ask(1, Command::Balance) else { panic!() };
    assert_eq!((balance.spendable.to_sat(), balance.assets[0].units), (950_000, 3_500));
    let Ok(Reply::Transactions(all)) = world.ask(0, Command::Transactions) else { panic!() };
    assert_eq!(all.len(), 7);

    let refused = |world: &mut World, command| world.ask(0, command).unwrap_err().to_string();
    let text = refused(&mut world, Command::Pay { address: "nowhere".to_owned(), amount, fee_rate: None });
    assert!(text.contains("found `nowhere`, expected an address of regtest"), "{text}");
    let text = refused(
        &mut world,
        Command::Pay { address: address.clone(), amount: Amount::from_sat(2_000_000), fee_rate: None },
    );
    assert!(text.contains("can be spent"), "{text}");
    let text = refused(&mut world, Command::Transfer { address, asset: ASSET, units: 9_999, fee_rate: None });
    assert!(text.contains("9999 units"), "{text}");
    let text = refused(&mut world, place(Side::Sell, 9_999, 1));
    assert!(text.contains("found 500 units"), "{text}");
    let text = refused(&mut world, Command::Take { order: OrderId([1; 32]), units: None, fee_rate: None });
    assert!(text.contains("found no order 0101"), "{text}");
    let Ok(Reply::Status(status)) = world.ask(0, Command::Status) else { panic!() };
    assert_eq!((status.chain, status.trader), (Ok(()), key(0)));
}

#[test]
fn a_wallet_that_was_lost_is_found_again_by_its_seed() {
    let mut world = ready(15, 2);
    // Its store is gone; the seed is not.
    world.nodes[0].stored = Stored::new();
    world.nodes[0].settings.recovers = true;
    world.replace(0);
    world.run(Duration::from_secs(10));
    let Ok(Reply::Balance(balance)) = world.ask(0, Command::Balance) else { panic!() };
    assert_eq!((balance.spendable.to_sat(), balance.assets[0].units), (900_000, 2_000));
    assert_eq!(world.scans, 1);
    world.crash(0, Duration::from_secs(1));
    world.run(Duration::from_secs(10));
    assert_eq!(world.scans, 1, "once is enough");
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
fn a_late_joiner_gets_a_large_book_in_parts() {
    let mut world = ready(17, 2);
    world.part(0, 1);
    world.run(Duration::from_secs(5));
    let (now, from) = (world.now, key(9));
    let trader = world.nodes[0].trader.as_mut().unwrap();
    for maker in 1..51 {
        for slot in 0..50 {
            let bytes = statement(maker, slot, now, Vec::new()).encoded().clone();
            trader.handle(now, Input::Statement { token: 1, from, bytes });
            while trader.poll().is_some() {}
        }
    }
    assert_eq!(world.view(0).len(), 2_500);
    world.heal();
    world.run(Duration::from_secs(60));
    assert_same_books(&world, 2);
    let found = (0..2).flat_map(|who| &world.nodes[who].events).find_map(|event| match event {
        TradeEvent::Reconciled { lacked, surplus, rounds, bytes, .. } if lacked + surplus > 0 => {
            Some((lacked + surplus, *rounds, *bytes))
        }
        _ => None,
    });
    let (sum, rounds, bytes) = found.unwrap();
    assert!(sum == 2_500 && rounds < 4 && bytes < 200_000, "{sum} in {rounds} rounds and {bytes} bytes");
}

#[test]
fn a_damaged_store_is_refused_with_its_place() {
    let mut world = ready(18, 2);
    let order = placed(&mut world, 0, place(Side::Sell, 1_000, 100));
    world.run(Duration::from_secs(5));
    take(&mut world, 1, order, 400);
    let node = &mut world.nodes[1];
    let (key, _) = node.stored.of(Table::Swaps).next().unwrap();
    let key = key.to_vec();
    node.stored.put(Table::Swaps, key, b"{}".to_vec());
    let wallet = Wallet::load(&seed(1), Network::Regtest, node.stored.wallet()).unwrap();
    let refused = Trader::restore(world.now, node.settings.clone(), &node.stored, wallet, signing_key(1), [1; 32]);
    let text = refused.unwrap_err().to_string();
    assert!(text.starts_with("found a damaged entry in table swaps, key 01"), "{text}");
}
