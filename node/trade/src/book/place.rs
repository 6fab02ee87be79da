//! Where an order stands by price and time.

use std::cmp::Ordering;

use crate::Time;
use crate::order::{Order, OrderId, Price, Side};

/// The place of an order on its side: the best price for a taker first, then the oldest, then the lowest id. Prices are compared
/// exactly, so 1/2 and 2/4 are one price.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    side: Side,
    price: Price,
    created: Time,
    id: OrderId,
}

impl Place {
    pub(super) fn of(order: &Order) -> Self {
        Self { side: order.offer.side, price: order.offer.price, created: order.created, id: order.id }
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        debug_assert_eq!(self.side, other.side, "places of two sides are not compared");
        let price = match self.side {
            Side::Sell => self.price.compare(&other.price),
            Side::Buy => other.price.compare(&self.price),
        };
        price.then(self.created.cmp(&other.created)).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Place {}
