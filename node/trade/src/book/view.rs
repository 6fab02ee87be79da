//! Asks, bids, depth, fills.

use std::cmp::Ordering;

use super::Book;
use crate::asset::Asset;
use crate::order::{Listing, Price, Side};

/// Orders that [`Book::fills`] passes over before it gives up. A rest that is less than everybody's minimum would else be carried
/// past every order of a large book, and anybody could make that happen to others.
pub const MAX_PASSED_OVER: usize = 256;

/// All orders of one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The price, as its oldest order writes it.
    pub price: Price,
    /// Units of all orders, or the largest number where there are more.
    pub units: u128,
    /// How many orders.
    pub orders: usize,
}

/// So much of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill<'a> {
    /// The order.
    pub listing: &'a Listing,
    /// How many units to take.
    pub units: u128,
}

impl Book {
    /// Offers to sell an asset: the lowest price first, then the oldest, then the lowest id.
    pub fn asks(&self, asset: Asset) -> impl Iterator<Item = &Listing> {
        self.offers(asset, Side::Sell)
    }

    /// Offers to buy an asset: the highest price first, then the oldest, then the lowest id.
    pub fn bids(&self, asset: Asset) -> impl Iterator<Item = &Listing> {
        self.offers(asset, Side::Buy)
    }

    /// The offers of makers on one side, the best for a taker first.
    pub fn offers(&self, asset: Asset, side: Side) -> impl Iterator<Item = &Listing> {
        let places = self.sides.get(&(asset, side)).into_iter().flatten();
        places.map(|(_, address)| {
            let slot = self.slots.get(address).expect("a place without its slot is a bug of the book");
            slot.winner.listing().expect("only offers have a place")
        })
    }

    /// The assets that somebody offers or wants.
    pub fn assets(&self) -> impl Iterator<Item = Asset> {
        let mut last = None;
        self.sides.keys().map(|(asset, _)| *asset).filter(move |asset| last.replace(*asset) != Some(*asset))
    }

    /// The best `levels` prices of the makers on one side.
    #[must_use]
    pub fn depth(&self, asset: Asset, side: Side, levels: usize) -> Vec<Level> {
        let mut depth: Vec<Level> = Vec::new();
        for listing in self.offers(asset, side) {
            let offer = &listing.order.offer;
            let same = depth.last_mut().filter(|level| level.price.compare(&offer.price) == Ordering::Equal);
            if let Some(level) = same {
                level.units = level.units.saturating_add(offer.units);
                level.orders += 1;
            } else if depth.len() < levels {
                depth.push(Level { price: offer.price, units: offer.units, orders: 1 });
            } else {
                break;
            }
        }
        depth
    }

    /// What to take for `units` in all, by price and time, for a taker who does `taker` and pays or gets no worse than `limit`.
    ///
    /// Every fill keeps to the rules of its order: no less than its minimum, and no remainder below it. An order of which no such
    /// fill fits into what is still wanted is passed over, [`MAX_PASSED_OVER`] times at most, so the sum may be less than
    /// `units`, never more. This is not the best of all combinations, which would be a knapsack; it is the one that everybody
    /// computes alike.
    #[must_use]
    pub fn fills(&self, taker: Side, asset: Asset, units: u128, limit: Option<Price>) -> Vec<Fill<'_>> {
        let maker = match taker {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        };
        let (mut wanted, mut passed_over) = (units, 0);
        let mut fills = Vec::new();
        for listing in self.offers(asset, maker) {
            let offer = &listing.order.offer;
            if wanted == 0 || limit.is_some_and(|limit| is_worse(taker, &offer.price, &limit)) {
                break;
            }
            if let Some(units) = offer.largest_fill(wanted) {
                wanted -= units;
                fills.push(Fill { listing, units });
            } else if passed_over == MAX_PASSED_OVER {
                break;
            } else {
                passed_over += 1;
            }
        }
        fills
    }
}

/// Whether a price is worse for the taker than its limit.
fn is_worse(taker: Side, price: &Price, limit: &Price) -> bool {
    let beyond = match taker {
        Side::Buy => Ordering::Greater,
        Side::Sell => Ordering::Less,
    };
    price.compare(limit) == beyond
}
