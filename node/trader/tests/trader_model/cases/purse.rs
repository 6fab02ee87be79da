//! Coins of presigned orders; the wallet.

use crate::world::{ASSET, World, key};
use bitcoin::Amount;
use darkswap_trade::order::{OrderId, Side};
use darkswap_trader::command::{Command, Reply};
use darkswap_trader::store::Stored;
use std::time::Duration;

use super::{assert_same_books, place, placed, presigned, ready, take};

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
