//! Books: slots, views, expiry, room, and that arrival does not matter.

use std::cmp::Ordering;

use ordinals::RuneId;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::order::tests::{NOW, RUNE, draft, offer, signed, trader};
use crate::order::{Draft, MAX_LIFE, Offer, Price, Proposal};

const SECOND: Time = Time::from_secs(1);

fn sats(sats: u64) -> Price {
    Price { sats, units: 1 }
}

fn sell(maker: u8, slot: u16, seconds: u64, units: u128, price: Price) -> Statement {
    let minimum = (units / 10).max(1);
    let offer = offer(Side::Sell, units, minimum, price);
    signed(maker, draft(maker, slot, NOW + SECOND * u32::try_from(seconds).expect("small"), offer)).expect("valid")
}

fn cancel(maker: u8, slot: u16, created: Time) -> Statement {
    signed(maker, Draft { maker: trader(maker), slot, created, proposal: Proposal::Cancel }).expect("valid")
}

fn book(statements: impl IntoIterator<Item = Statement>) -> Book {
    let mut book = Book::default();
    for statement in statements {
        book.apply(statement, NOW + SECOND * 60);
    }
    book
}

fn ids<'a>(listings: impl Iterator<Item = &'a Listing>) -> Vec<OrderId> {
    listings.map(|listing| listing.order.id).collect()
}

#[test]
fn a_newer_statement_replaces_an_older_one_and_never_the_reverse() {
    let (old, new) = (sell(1, 0, 0, 1_000, sats(10)), sell(1, 0, 5, 1_000, sats(12)));
    let mut book = Book::default();
    let now = NOW + SECOND * 10;
    assert_eq!(book.apply(old.clone(), now), Applied::Added { displaced: None });
    assert_eq!(book.apply(old.clone(), now), Applied::Known);
    assert_eq!(book.apply(new.clone(), now), Applied::Replaced { earlier: old.id() });
    assert_eq!(book.apply(old.clone(), now), Applied::Stale);
    assert_eq!(ids(book.asks(RUNE)), [new.id()]);
    assert_eq!(book.order(&old.id()), None);
    assert_eq!(book.statement(&old.id()), None);
    assert_eq!(book.revision(trader(1), 0), Some(new.revision()));
    assert_eq!(book.bytes(), new.encoded().len());
}

#[test]
fn a_cancelled_offer_stays_cancelled_for_as_long_as_it_could_last() {
    let mut book = Book::default();
    let offered = sell(1, 0, 0, 1_000, sats(10));
    let cancelled = cancel(1, 0, NOW + SECOND);
    book.apply(offered.clone(), NOW);
    let applied = book.apply(cancelled.clone(), NOW);
    assert_eq!(applied, Applied::Cancelled { earlier: Some(offered.id()), displaced: None });
    assert_eq!(book.asks(RUNE).count(), 0);
    assert_eq!(book.deadline(), Some(NOW + SECOND + MAX_LIFE));
    assert_eq!(book.expire(NOW + MAX_LIFE), []);
    assert!(matches!(book.apply(offered.clone(), NOW + MAX_LIFE), Applied::Refused(BookRefusal::Expired { .. })));
    assert_eq!(book.apply(offered, NOW + MAX_LIFE - SECOND), Applied::Stale);
    assert_eq!(book.expire(NOW + SECOND + MAX_LIFE), []);
    assert_eq!(book, Book::default());
}

#[test]
fn an_ended_offer_leaves_the_view_and_still_keeps_older_ones_out() {
    let (old, new) = (sell(1, 0, 0, 1_000, sats(10)), sell(1, 0, 1, 1_000, sats(12)));
    let end = NOW + SECOND + Time::from_hours(1);
    let mut book = book([new.clone()]);
    assert_eq!(book.deadline(), Some(end));
    assert_eq!(book.expire(end - SECOND), []);
    assert_eq!(book.expire(end), [new.id()]);
    assert_eq!(book.asks(RUNE).count(), 0);
    assert_eq!(book.apply(old, end), Applied::Stale);
    let mut late = Book::default();
    assert_eq!(late.apply(new, end), Applied::Ended { earlier: None, displaced: None });
    assert_eq!(late, book);
}

#[test]
fn two_statements_of_one_revision_are_evidence_and_the_lower_id_wins() {
    let mut three: Vec<_> = (10..13).map(|price| sell(1, 0, 0, 1_000, sats(price))).collect();
    three.sort_by_key(Statement::id);
    let [low, middle, high] = three.try_into().expect("three");
    let mut book = Book::default();
    book.apply(high.clone(), NOW);
    let applied = book.apply(low.clone(), NOW);
    assert_eq!(applied, Applied::Conflict { evidence: Box::new((low.clone(), high.clone())) });
    let applied = book.apply(middle.clone(), NOW);
    assert_eq!(applied, Applied::Conflict { evidence: Box::new((low.clone(), middle.clone())) });
    assert_eq!(ids(book.asks(RUNE)), [low.id()]);
    assert_eq!(book.conflicts().collect::<Vec<_>>(), [(&low, &middle)]);
    assert_eq!(book.statement(&middle.id()), Some(&middle));
    assert_eq!(book.order(&middle.id()), None);
}

#[test]
fn the_view_is_sorted_by_exact_price_then_age_then_id() {
    let third = Price { sats: 1_000_000, units: 3 };
    let sixths = Price { sats: 2_000_000, units: 6 };
    let above = Price { sats: 1_000_001, units: 3 };
    let (young, old) = (sell(1, 0, 9, 1_000, third), sell(2, 0, 1, 1_000, sixths));
    let dear = sell(3, 0, 0, 1_000, above);
    let book = book([dear.clone(), young.clone(), old.clone()]);
    assert_eq!(ids(book.asks(RUNE)), [old.id(), young.id(), dear.id()]);
    let depth = book.depth(RUNE, Side::Sell, 10);
    assert_eq!(depth[0], Level { price: sixths, units: 2_000, orders: 2 });
    assert_eq!(depth[1], Level { price: above, units: 1_000, orders: 1 });
    assert_eq!(book.depth(RUNE, Side::Sell, 1), depth[..1]);
    assert_eq!(book.assets().collect::<Vec<_>>(), [RUNE]);
    assert_eq!(ids(book.orders_of(trader(2))), [old.id()]);
}

#[test]
fn bids_are_sorted_from_the_highest_price() {
    let bid =
        |maker, price| signed(maker, draft(maker, 0, NOW, offer(Side::Buy, 1_000, 100, sats(price)))).expect("valid");
    let (low, high) = (bid(1, 10), bid(2, 11));
    let book = book([low.clone(), high.clone()]);
    assert_eq!(ids(book.bids(RUNE)), [high.id(), low.id()]);
    let taken = book.fills(Side::Sell, RUNE, 5_000, Some(sats(11)));
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].listing.order.id, high.id());
}

#[test]
fn fills_pass_over_what_cannot_be_taken_and_stop_at_the_limit() {
    let whole = signed(1, draft(1, 0, NOW, offer(Side::Sell, 1_000, 1_000, sats(10)))).expect("valid");
    let part = sell(2, 0, 0, 1_000, sats(11));
    let dear = sell(3, 0, 0, 1_000, sats(12));
    let book = book([whole.clone(), part.clone(), dear]);
    let fills = |units| {
        let fills = book.fills(Side::Buy, RUNE, units, Some(sats(11)));
        fills.into_iter().map(|fill| (fill.listing.order.id, fill.units)).collect::<Vec<_>>()
    };
    assert_eq!(fills(999), [(part.id(), 900)], "the first only as a whole, of the second 100 have to stay");
    assert_eq!(fills(1_500), [(whole.id(), 1_000), (part.id(), 500)]);
    assert_eq!(fills(u128::MAX), [(whole.id(), 1_000), (part.id(), 1_000)]);
    assert_eq!(fills(99), []);
}

#[test]
fn a_rest_that_nobody_sells_is_not_carried_past_the_whole_book() {
    let passed_over = u16::try_from(MAX_PASSED_OVER).expect("small");
    let large = |number: u16| {
        let maker = u8::try_from(number / 50 + 10).expect("small");
        let offer = offer(Side::Sell, 1_000, 1_000, sats(10));
        signed(maker, draft(maker, number % 50, NOW, offer)).expect("valid")
    };
    let small = |units| signed(1, draft(1, 0, NOW, offer(Side::Sell, units, units, sats(11)))).expect("valid");
    let mut book = book((0..passed_over).map(large));
    book.apply(small(500), NOW);
    assert_eq!(book.fills(Side::Buy, RUNE, 500, None).len(), 1);
    book.apply(large(passed_over), NOW);
    assert_eq!(book.fills(Side::Buy, RUNE, 500, None).len(), 0);
}

#[test]
fn a_disproved_order_is_not_shown_until_something_else_is_found() {
    let order = sell(1, 0, 0, 1_000, sats(10));
    let mut book = book([order.clone()]);
    let now = NOW + SECOND;
    assert!(book.set_backing(&order.id(), Backing::Disproved, now));
    assert_eq!(book.asks(RUNE).count(), 0);
    assert_eq!(book.order(&order.id()), None);
    assert_eq!(book.backing(&order.id()), Some(Backing::Disproved));
    assert_eq!(book.apply(order.clone(), now), Applied::Known, "hearing it again does not help it");
    assert!(book.set_backing(&order.id(), Backing::Proven, now));
    assert_eq!(ids(book.asks(RUNE)), [order.id()]);
    assert!(!book.set_backing(&OrderId([0; 32]), Backing::Proven, now));
}

#[test]
fn a_full_book_keeps_first_slots_before_second_ones_and_proven_orders_before_all() {
    let mut book = Book::new(Capacity { plain: 2, wide: 0 });
    let (second, first) = (sell(1, 1, 0, 1_000, sats(10)), sell(2, 0, 0, 1_000, sats(10)));
    let (other, later) = (sell(3, 0, 0, 1_000, sats(10)), sell(1, 0, 0, 1_000, sats(10)));
    book.apply(second.clone(), NOW);
    book.apply(first.clone(), NOW);
    assert_eq!(book.apply(other.clone(), NOW), Applied::Added { displaced: Some(second.id()) });
    assert_eq!(book.apply(second, NOW), Applied::Refused(BookRefusal::Full));
    let mut by_key = [first, other];
    by_key.sort_by_key(|statement| statement.maker());
    // The one that would have to go for anybody with a lower key.
    let last = by_key[1].clone();
    assert!(book.set_backing(&last.id(), Backing::Proven, NOW));
    // Naming coins that are there, which may be anybody's, keeps nobody's place.
    assert!(book.set_backing(&by_key[0].id(), Backing::Seen, NOW));
    book.apply(later, NOW);
    assert!(book.order(&last.id()).is_some());
    assert_eq!(book.len(), 2);
    assert_eq!(book.apply(cancel(1, 60, NOW), NOW), Applied::Refused(BookRefusal::Full), "no wide slots at all");
}

#[test]
fn a_book_does_not_take_what_is_from_the_future() {
    let applied = Book::default().apply(sell(1, 0, 121, 1_000, sats(10)), NOW);
    assert!(matches!(applied, Applied::Refused(BookRefusal::NotYetValid { .. })), "{applied:?}");
}

/// Statements of few makers in few slots with few revisions and lives, so that everything collides. Half are made now and last
/// for seconds or a day; the others were made nearly a day ago and are about to be forgotten.
fn any_statement() -> impl Strategy<Value = Statement> {
    let price = (1..4_u64, 1..3_u128).prop_map(|(sats, units)| Price { sats: sats * 2_000, units });
    let offer = (0..2_u64, any::<bool>(), 1..50_u128, 1..50_u128, price, 1..5_u32).prop_map(
        |(asset, sell, units, minimum, price, life)| {
            let asset = Asset::Rune(RuneId { block: 1, tx: u32::try_from(asset).expect("small") });
            let side = if sell { Side::Sell } else { Side::Buy };
            let life = if life == 4 { MAX_LIFE } else { SECOND * life * 10 };
            (Offer { asset, side, units, minimum: minimum.min(units), price }, life)
        },
    );
    let created = prop_oneof![
        (0..4_u32).prop_map(|late| NOW + SECOND * late),
        (0..4_u32).prop_map(|late| NOW + SECOND * late * 25 + SECOND - MAX_LIFE),
    ];
    (1..5_u8, 0..3_u16, created, proptest::option::weighted(0.8, offer)).prop_map(|(maker, slot, created, offer)| {
        let proposal = offer.map_or(Proposal::Cancel, |(offer, life)| Proposal::Offer {
            offer,
            expires: created + life,
            settlement: crate::order::Settlement::Interactive,
            funding: Vec::new(),
        });
        signed(maker, Draft { maker: trader(maker), slot, created, proposal }).expect("valid")
    })
}

/// The same statements twice: in the order drawn, and shuffled with repetitions.
fn two_arrivals() -> impl Strategy<Value = (Vec<Statement>, Vec<Statement>)> {
    proptest::collection::vec(any_statement(), 1..40).prop_flat_map(|statements| {
        let repeated: Vec<_> = statements.iter().chain(statements.iter().step_by(3)).cloned().collect();
        (Just(statements), Just(repeated).prop_shuffle())
    })
}

fn all_views(book: &Book) -> Vec<(Asset, Vec<OrderId>, Vec<OrderId>)> {
    book.assets().map(|asset| (asset, ids(book.asks(asset)), ids(book.bids(asset)))).collect()
}

fn check_invariants(book: &Book) {
    for asset in book.assets() {
        for side in [Side::Sell, Side::Buy] {
            let view: Vec<_> = book.offers(asset, side).map(|listing| &listing.order).collect();
            for pair in view.windows(2) {
                let price = pair[0].offer.price.compare(&pair[1].offer.price);
                let price = if side == Side::Sell { price } else { price.reverse() };
                let order = price.then(pair[0].created.cmp(&pair[1].created)).then(pair[0].id.cmp(&pair[1].id));
                assert_eq!(order, Ordering::Less);
            }
        }
    }
    assert_eq!(book.bytes(), book.statements().map(|statement| statement.encoded().len()).sum::<usize>());
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        cases: 96,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_same_statements_give_the_same_book_whatever_their_arrival(
        (first, second) in two_arrivals(),
        seconds in proptest::collection::vec(0..100_u32, 80),
    ) {
        // One book hears everything at once. The other hears it bit by bit while time passes and offers end.
        let end = NOW + SECOND * 100;
        let mut one = Book::default();
        for statement in first {
            one.apply(statement, NOW);
        }
        let mut other = Book::default();
        let mut times = seconds;
        times.sort_unstable();
        for (statement, seconds) in second.into_iter().zip(times) {
            let now = NOW + SECOND * seconds;
            other.expire(now);
            other.apply(statement, now);
            check_invariants(&other);
        }
        for now in [end, end + SECOND, NOW + MAX_LIFE + SECOND * 2, NOW + MAX_LIFE + SECOND * 4] {
            one.expire(now);
            other.expire(now);
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(all_views(&one), all_views(&other));
        }
    }

    #[test]
    fn arrival_does_not_matter_to_a_full_book_either((first, second) in two_arrivals(), room in 1..8_usize) {
        let run = |statements: Vec<Statement>| {
            let mut book = Book::new(Capacity { plain: room, wide: 0 });
            for statement in statements {
                book.apply(statement, NOW);
                assert!(book.len() <= room);
            }
            check_invariants(&book);
            book
        };
        let (one, other) = (run(first), run(second));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn fills_never_exceed_what_is_wanted_nor_leave_a_forbidden_remainder(
        statements in proptest::collection::vec(any_statement(), 1..40),
        wanted in 0..300_u128,
        buy in any::<bool>(),
        limit in proptest::option::of(1..4_u64),
    ) {
        let book = book(statements);
        let taker = if buy { Side::Buy } else { Side::Sell };
        let limit = limit.map(|sats| Price { sats: sats * 2_000, units: 2 });
        for asset in book.assets() {
            let fills = book.fills(taker, asset, wanted, limit);
            prop_assert!(fills.iter().map(|fill| fill.units).sum::<u128>() <= wanted);
            for fill in fills {
                let offer = &fill.listing.order.offer;
                prop_assert_eq!(offer.check_fill(fill.units, offer.units), Ok(()));
                prop_assert_ne!(offer.side, taker);
                let beyond = if buy { Ordering::Greater } else { Ordering::Less };
                prop_assert!(limit.is_none_or(|limit| offer.price.compare(&limit) != beyond));
            }
        }
    }

    #[test]
    fn units_of_any_size_neither_overflow_nor_panic(
        offers in proptest::collection::vec((any::<u128>(), any::<u128>(), 1..=u64::MAX, 1..=u128::MAX), 1..12),
        wanted in any::<u128>(),
    ) {
        let mut book = Book::default();
        for (slot, (units, minimum, sats, per)) in (0..).zip(offers) {
            // A price of the size of the units, so that many of these offers are valid.
            let price = Price { sats: sats >> 16, units: (per >> 16).max(units >> 8) };
            let offer = offer(Side::Sell, units, minimum.min(units), price);
            if let Ok(statement) = signed(1, draft(1, slot, NOW, offer)) {
                book.apply(statement, NOW);
            }
        }
        let fills = book.fills(Side::Buy, RUNE, wanted, None);
        let total = fills.iter().try_fold(0_u128, |sum, fill| sum.checked_add(fill.units));
        prop_assert!(total.is_some_and(|total| total <= wanted));
        for fill in fills {
            prop_assert!(fill.listing.order.offer.price.payment(fill.units).is_some());
        }
        prop_assert!(book.depth(RUNE, Side::Sell, 100).len() <= book.len());
    }
}
