//! The cases, and what they have in common.

#[path = "cases/books.rs"]
mod books;
#[path = "cases/faults.rs"]
mod faults;
#[path = "cases/purse.rs"]
mod purse;
#[path = "cases/runes.rs"]
mod runes;
#[path = "cases/settling.rs"]
mod settling;

use crate::world::{ASSET, World};
use bitcoin::OutPoint;
use darkswap_trade::Time;
use darkswap_trade::order::{Draft, Offer, OrderId, Price, Proposal, Settlement, Side, Statement, TraderKey, sign};
use darkswap_trader::command::{Command, Reply};
use ed25519_dalek::{Signer as _, SigningKey};
use std::time::Duration;

pub(crate) const READY: Duration = Duration::from_secs(30);

pub(crate) fn place(side: Side, units: u128, minimum: u128) -> Command {
    let (price, lifetime_seconds) = (Price { sats: 150, units: 1 }, 20_000);
    Command::Place { side, asset: ASSET, units, minimum: Some(minimum), price, lifetime_seconds, presigned: false }
}

pub(crate) fn placed(world: &mut World, who: usize, command: Command) -> OrderId {
    match world.ask(who, command) {
        Ok(Reply::Placed(order)) => order,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn take(world: &mut World, who: usize, order: OrderId, units: u128) {
    let reply = world.ask(who, Command::Take { order, units: Some(units), fee_rate: None });
    assert!(matches!(reply, Ok(Reply::Taken(_))), "{reply:?} {:?}", world.log(who));
}

/// Traders that know what they have.
pub(crate) fn ready(seed: u64, count: u8) -> World {
    let mut world = World::new(seed, count);
    world.run(READY);
    world
}

pub(crate) fn seeds(count: u64) -> std::ops::Range<u64> {
    let number =
        |name: &str| std::env::var(name).ok().map(|it| it.parse().unwrap_or_else(|_| panic!("{name} is a number")));
    match number("TRADER_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRADER_MODEL_CASES").unwrap_or(count),
    }
}

pub(crate) fn assert_same_books(world: &World, count: usize) {
    for who in 1..count {
        assert_eq!(world.view(0), world.view(who), "the books of 0 and {who} differ");
    }
}

pub(crate) fn presigned(units: u128) -> Command {
    let (price, lifetime_seconds) = (Price { sats: 150, units: 1 }, 2_000);
    Command::Place { side: Side::Sell, asset: ASSET, units, minimum: None, price, lifetime_seconds, presigned: true }
}

/// A statement of a maker who is not there.
pub(crate) fn statement(number: u8, slot: u16, created: Time, funding: Vec<OutPoint>) -> Statement {
    let key = SigningKey::from_bytes(&[number ^ 0x80; 32]);
    let offer =
        Offer { asset: ASSET, side: Side::Sell, units: 1_000, minimum: 100, price: Price { sats: 150, units: 1 } };
    let (expires, settlement) = (created + Duration::from_secs(3_600), Settlement::Interactive);
    let expires = Duration::from_millis(u64::try_from(expires.as_millis()).unwrap());
    let proposal = Proposal::Offer { offer, expires, settlement, funding };
    let maker = TraderKey(key.verifying_key().to_bytes());
    sign(Draft { maker, slot, created, proposal }, |bytes| key.sign(bytes).to_bytes()).unwrap()
}
