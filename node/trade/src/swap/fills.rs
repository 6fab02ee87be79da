//! How much of an own order is promised and how much is sold, over all swaps on it.
//!
//! The ledger follows records ([`Fills::follow`]) and can be made from nothing else, so after a restart it is what the records say.
//! Following the same record again changes nothing.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::order::{FillRefusal, Offer, OrderId, TraderKey};

use super::{Record, Rejection, Role, Stage, SwapId};

/// Swaps on one order at once. More takers than that wait for the next block anyway.
pub const MAX_OPEN_PER_ORDER: usize = 64;
/// Swaps of one taker at once, over all orders: coins wait for a taker until the deadline, and waiting costs the taker nothing.
pub const MAX_OPEN_PER_TAKER: usize = 4;

/// The maker's ledger of all its orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fills {
    orders: BTreeMap<OrderId, Order>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Order {
    open: BTreeMap<Key, u128>,
    filled: BTreeMap<Key, u128>,
}

/// Two takers may choose the same swap id.
type Key = (TraderKey, SwapId);

/// Why units are not promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PromiseRefusal {
    /// The order does not have them, or not in this size.
    #[error(transparent)]
    Fill(#[from] FillRefusal),
    /// Too many swaps on the order.
    #[error("{MAX_OPEN_PER_ORDER} swaps on the order are open, which is the limit; try again later")]
    OrderBusy,
    /// Too many swaps with the taker.
    #[error("{MAX_OPEN_PER_TAKER} swaps with this taker are open, which is the limit; finish one first")]
    TakerBusy,
}

impl PromiseRefusal {
    /// What the taker is told.
    #[must_use]
    pub fn rejection(&self) -> Rejection {
        match self {
            Self::Fill(_) => Rejection::Units,
            Self::OrderBusy | Self::TakerBusy => Rejection::Busy,
        }
    }
}

impl Fills {
    /// A ledger of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is neither sold nor promised of an order.
    #[must_use]
    pub fn left(&self, order: OrderId, offer: &Offer) -> u128 {
        self.orders.get(&order).map_or(offer.units, |it| offer.units.saturating_sub(it.sum()))
    }

    /// What is sold of an order.
    #[must_use]
    pub fn filled(&self, order: OrderId) -> u128 {
        self.orders.get(&order).map_or(0, |it| it.filled.values().fold(0, |sum, units| sum.saturating_add(*units)))
    }

    /// Promises units to a swap, until [`follow`](Self::follow) hears of its end or [`release`](Self::release) of its refusal.
    ///
    /// # Errors
    /// [`PromiseRefusal`] when the order's limits or the ledger's say no. Nothing changes then.
    pub fn reserve(
        &mut self,
        order: OrderId,
        offer: &Offer,
        taker: TraderKey,
        swap: SwapId,
        units: u128,
    ) -> Result<(), PromiseRefusal> {
        offer.check_fill(units, self.left(order, offer))?;
        let of_taker = self.orders.values().flat_map(|it| it.open.keys()).filter(|(key, _)| *key == taker).count();
        if of_taker >= MAX_OPEN_PER_TAKER {
            return Err(PromiseRefusal::TakerBusy);
        }
        let ledger = self.orders.entry(order).or_default();
        if ledger.open.len() >= MAX_OPEN_PER_ORDER {
            return Err(PromiseRefusal::OrderBusy);
        }
        ledger.open.insert((taker, swap), units);
        Ok(())
    }

    /// Takes a promise back.
    pub fn release(&mut self, order: OrderId, taker: TraderKey, swap: SwapId) {
        if let Some(ledger) = self.orders.get_mut(&order) {
            ledger.open.remove(&(taker, swap));
        }
    }

    /// Takes over what a record says. Records of swaps in which we are the taker do not count.
    pub fn follow(&mut self, record: &Record) {
        if record.role != Role::Maker {
            return;
        }
        let (key, units) = ((record.peer, record.swap), record.request.units);
        let ledger = self.orders.entry(record.request.order).or_default();
        match record.stage {
            Stage::Aborted { .. } => {
                ledger.open.remove(&key);
            }
            Stage::Done { .. } => {
                ledger.open.remove(&key);
                ledger.filled.insert(key, units);
            }
            Stage::Requested
            | Stage::Accepted { .. }
            | Stage::Proposed { .. }
            | Stage::Broadcast { .. }
            | Stage::Reclaiming { .. } => {
                ledger.open.insert(key, units);
            }
        }
    }

    /// Forgets an order that ended, unless swaps on it are open.
    pub fn forget(&mut self, order: OrderId) {
        if self.orders.get(&order).is_some_and(|it| it.open.is_empty()) {
            self.orders.remove(&order);
        }
    }
}

impl Order {
    fn sum(&self) -> u128 {
        self.open.values().chain(self.filled.values()).fold(0, |sum, units| sum.saturating_add(*units))
    }
}

#[cfg(test)]
mod tests {
    use ordinals::RuneId;
    use proptest::prelude::*;

    use super::*;
    use crate::asset::Asset;
    use crate::order::{Price, Side};

    const ORDER: OrderId = OrderId([1; 32]);

    fn offer(units: u128, minimum: u128) -> Offer {
        let asset = Asset::Rune(RuneId { block: 840_000, tx: 1 });
        Offer { asset, side: Side::Sell, units, minimum, price: Price { sats: 1, units: 1 } }
    }

    fn taker(number: u8) -> TraderKey {
        TraderKey([number; 32])
    }

    fn reserve(fills: &mut Fills, offer: &Offer, number: u8, units: u128) -> Result<(), PromiseRefusal> {
        fills.reserve(ORDER, offer, taker(number), SwapId([number; 16]), units)
    }

    #[test]
    fn concurrent_swaps_are_promised_no_more_than_is_offered() {
        let (mut fills, offer) = (Fills::new(), offer(100, 10));
        assert_eq!(reserve(&mut fills, &offer, 1, 60), Ok(()));
        assert_eq!(
            reserve(&mut fills, &offer, 2, 50),
            Err(FillRefusal::BeyondOffer { found: 50, available: 40 }.into())
        );
        assert_eq!(reserve(&mut fills, &offer, 2, 40), Ok(()));
        fills.release(ORDER, taker(1), SwapId([1; 16]));
        assert_eq!(fills.left(ORDER, &offer), 60);
    }

    #[test]
    fn a_fill_that_leaves_less_than_the_minimum_must_take_all() {
        let (mut fills, offer) = (Fills::new(), offer(100, 30));
        let refusal = FillRefusal::Remainder { remainder: 20, minimum: 30 };
        assert_eq!(reserve(&mut fills, &offer, 1, 80), Err(refusal.into()));
        assert_eq!(
            reserve(&mut fills, &offer, 1, 29),
            Err(FillRefusal::BelowMinimum { found: 29, minimum: 30 }.into())
        );
        assert_eq!(reserve(&mut fills, &offer, 1, 0), Err(FillRefusal::BelowMinimum { found: 0, minimum: 30 }.into()));
        assert_eq!(reserve(&mut fills, &offer, 1, 70), Ok(()));
        assert_eq!(reserve(&mut fills, &offer, 2, 30), Ok(()));
    }

    #[test]
    fn one_taker_holds_few_promises_at_once() {
        let (mut fills, offer) = (Fills::new(), offer(1_000, 1));
        for number in 0..MAX_OPEN_PER_TAKER {
            let swap = SwapId([u8::try_from(number).unwrap(); 16]);
            assert_eq!(fills.reserve(ORDER, &offer, taker(1), swap, 10), Ok(()));
        }
        assert_eq!(fills.reserve(ORDER, &offer, taker(1), SwapId([99; 16]), 10), Err(PromiseRefusal::TakerBusy));
        assert_eq!(reserve(&mut fills, &offer, 2, 10), Ok(()));
    }

    proptest! {
        /// Whatever is asked for and taken back, what is promised fits, and what is left can be taken in whole.
        #[test]
        fn promises_never_exceed_the_offer(
            units in 1..=u128::MAX,
            minimum in 1..=u128::MAX,
            steps in prop::collection::vec((0..40_u8, any::<u128>(), any::<bool>()), 0..60),
        ) {
            let offer = offer(units, minimum.min(units));
            let mut fills = Fills::new();
            let mut promised = BTreeMap::new();
            for (number, wanted, take_back) in steps {
                if take_back {
                    fills.release(ORDER, taker(number), SwapId([number; 16]));
                    promised.remove(&number);
                } else if !promised.contains_key(&number) && reserve(&mut fills, &offer, number, wanted % units + 1).is_ok() {
                    promised.insert(number, wanted % units + 1);
                }
                let sum = promised.values().try_fold(0_u128, |sum, units| sum.checked_add(*units));
                prop_assert!(sum.is_some_and(|sum| sum <= units && fills.left(ORDER, &offer) == units - sum));
            }
        }
    }
}
