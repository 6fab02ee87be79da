//! Orders: published, backed, reconciled, bounded.

use crate::world::{ASSET, World, key};
use bitcoin::OutPoint;
use bytes::Bytes;
use darkswap_trade::Time;
use darkswap_trade::book::Backing;
use darkswap_trade::order::{Side, Statement};
use darkswap_trade::psbt::Stake;
use darkswap_trade::swap::{Body, Message, Request, SwapId};
use darkswap_trader::chain::ChainRequest;
use darkswap_trader::command::{Command, Reply, TradeEvent};
use darkswap_trader::input::Input;
use darkswap_trader::output::{Output, Verdict};
use std::time::Duration;

use super::{assert_same_books, place, placed, presigned, ready, statement};

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

    // Coins of somebody else are there, and prove nothing for whoever names them.
    let coins = world.nodes[0].trader.as_ref().unwrap().wallet().coins();
    let coin = coins.iter().find(|coin| coin.units(&ASSET) == Some(1_000)).unwrap().outpoint;
    let bold = statement(4, 0, world.now, vec![coin]);
    world.inject(0, 1, bold.encoded().clone());
    world.run(Duration::from_secs(10));
    assert_eq!(backing(&world, bold.id()), Some(Backing::Seen));
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
