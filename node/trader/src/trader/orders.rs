//! Own orders: placed, cancelled, replaced when a part was sold.

use std::collections::BTreeMap;

use bitcoin::OutPoint;
use bitcoin::hex::DisplayHex as _;
use darkswap_trade::book::Applied;
use darkswap_trade::order::{
    self, Draft, FIRST_WIDE_SLOT, Listing, MAX_FUNDING, MAX_LIFE, MIN_PAYMENT, Offer, OrderId, OrderRefusal, Proposal,
    SLOTS, Settlement, Side, Statement,
};
use ed25519_dalek::Signer as _;

use super::{RestoreError, Trader};
use crate::Time;
use crate::command::{CommandError, TradeEvent};
use crate::output::Output;
use crate::store::{Stored, Table};

/// What we say, by slot.
#[derive(Debug, Default)]
pub(super) struct OwnOrders {
    slots: BTreeMap<u16, OwnSlot>,
}

#[derive(Debug)]
struct OwnSlot {
    /// The last revision, which the next one must exceed also when the statement is forgotten.
    revision: u64,
    /// The statement, until everybody has forgotten it.
    statement: Option<Statement>,
}

/// An order as the operator wants it.
#[derive(Clone, Debug)]
pub(super) struct Placing {
    pub(super) offer: Offer,
    pub(super) lifetime: Time,
    pub(super) is_presigned: bool,
}

impl OwnOrders {
    /// Everything that others should know: offers, and cancellations that they may have missed.
    pub(super) fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.slots.values().filter_map(|slot| slot.statement.as_ref())
    }

    /// Offers that are not over.
    pub(super) fn live(&self, now: Time) -> impl Iterator<Item = &Listing> {
        self.statements().filter_map(Statement::listing).filter(move |listing| listing.order.expires > now)
    }

    pub(super) fn find(&self, order: OrderId) -> Option<&Listing> {
        self.statements().filter_map(Statement::listing).find(|listing| listing.order.id == order)
    }

    fn free(&self, now: Time, is_presigned: bool) -> Option<u16> {
        let mut places = if is_presigned { FIRST_WIDE_SLOT..SLOTS } else { 0..FIRST_WIDE_SLOT };
        let taken: Vec<u16> = self.live(now).map(|listing| listing.order.slot).collect();
        places.find(|slot| !taken.contains(slot))
    }
}

impl Trader {
    /// Offers something.
    pub(super) fn place(&mut self, now: Time, placing: Placing) -> Result<OrderId, CommandError> {
        let Placing { offer, lifetime, is_presigned } = placing;
        if lifetime.is_zero() || lifetime > MAX_LIFE {
            let (found, most) = (lifetime.as_secs(), MAX_LIFE.as_secs());
            let text =
                format!("found a lifetime of {found} s, expected 1 to {most} s; place the order again when it ends");
            return Err(CommandError::Invalid(text));
        }
        let slot = self.orders.free(now, is_presigned).ok_or_else(|| {
            CommandError::Limit(format!(
                "found no free slot; {FIRST_WIDE_SLOT} orders, and {} presigned ones, can be open at once: cancel one first",
                SLOTS - FIRST_WIDE_SLOT
            ))
        })?;
        self.check_affordable(&offer)?;
        let expires = whole_millis(now.saturating_add(lifetime));
        let (settlement, funding) = if is_presigned {
            let (bytes, outpoint) = self.presign(&offer)?;
            (Settlement::Presigned(bytes), vec![outpoint])
        } else {
            (Settlement::Interactive, self.shown_funding(&offer))
        };
        let proposal = Proposal::Offer { offer, expires, settlement, funding };
        let statement = self.say(now, slot, proposal).map_err(|refusal| CommandError::Invalid(refusal.to_string()));
        if statement.is_err() {
            self.look_after_asks(now);
        }
        Ok(statement?.id())
    }

    /// Takes an offer back.
    pub(super) fn cancel_order(&mut self, now: Time, order: OrderId) -> Result<(), CommandError> {
        let found = self.orders.find(order).filter(|listing| listing.order.expires > now);
        let slot = found.map(|listing| listing.order.slot).ok_or_else(|| {
            let text = format!("found no open order {} of this node; `orders` lists them", order);
            CommandError::NotFound(text)
        })?;
        self.take_back(now, slot, order, "cancelled");
        self.look_after_asks(now);
        Ok(())
    }

    pub(super) fn take_back(&mut self, now: Time, slot: u16, order: OrderId, reason: &str) {
        self.say(now, slot, Proposal::Cancel).expect("a cancellation has nothing that could be refused");
        self.swaps.fills.forget(order);
        self.report(TradeEvent::OrderRemoved { order, reason: reason.to_owned() });
    }

    /// Signs a statement, keeps it, and tells everybody.
    fn say(&mut self, now: Time, slot: u16, proposal: Proposal) -> Result<Statement, OrderRefusal> {
        let own = self.orders.slots.get(&slot).map(|own| own.revision);
        let last = own.max(self.book.revision(self.us, slot));
        let draft = Draft { maker: self.us, slot, created: order::following(now, last), proposal };
        let statement = order::sign(draft, |bytes| self.key.sign(bytes).to_bytes())?;
        let mut value = statement.revision().to_be_bytes().to_vec();
        value.extend_from_slice(statement.encoded());
        self.journal.put(Table::Orders, slot.to_be_bytes().to_vec(), value);
        self.note(now, &statement);
        self.emit(Output::Publish(statement.encoded().clone()));
        Ok(statement)
    }

    /// Takes a statement of ours over.
    fn note(&mut self, now: Time, statement: &Statement) {
        let own = OwnSlot { revision: statement.revision(), statement: Some(statement.clone()) };
        self.orders.slots.insert(statement.slot(), own);
        let shown = statement.listing().map(|listing| (self.us, listing.order.created));
        // A full book may refuse even ours: then others show it and we do not, and it can be taken all the same.
        if let Applied::Added { .. } | Applied::Replaced { .. } = self.book.apply(statement.clone(), now) {
            self.added(now, statement.id(), shown);
        }
        self.responders.book_changed();
    }

    pub(super) fn restore_orders(&mut self, now: Time, stored: &Stored) -> Result<(), RestoreError> {
        for (key, value) in stored.of(Table::Orders) {
            let damaged = |reason: &str| RestoreError::Damaged {
                table: Table::Orders.name(),
                key: key.to_lower_hex_string(),
                reason: reason.to_owned(),
            };
            let slot = key.try_into().map(u16::from_be_bytes).map_err(|_| damaged("the key is no slot"))?;
            let (revision, bytes) = value.split_first_chunk().ok_or_else(|| damaged("it is too short"))?;
            let revision = u64::from_be_bytes(*revision);
            // What is too old for everybody is too old for us; its revision still counts.
            let statement = order::decode(bytes, now).ok();
            self.orders.slots.insert(slot, OwnSlot { revision, statement: None });
            if let Some(statement) = statement.filter(|it| it.maker() == self.us && it.slot() == slot) {
                self.note(now, &statement);
            }
        }
        Ok(())
    }

    /// Follows the end of offers, ours among them.
    pub(super) fn expire_orders(&mut self, now: Time) {
        let ended = self.book.expire(now);
        if ended.is_empty() {
            return;
        }
        self.responders.book_changed();
        let mut is_ours = false;
        for order in ended {
            is_ours |= self.orders.find(order).is_some();
            self.removed(Some(order), "expired");
        }
        if is_ours {
            self.look_after_asks(now);
        }
    }

    /// Brings all own orders up to what is sold of them, after a crash.
    pub(super) fn settle_orders(&mut self, now: Time) {
        let orders: Vec<OrderId> = self.orders.live(now).map(|listing| listing.order.id).collect();
        for order in orders {
            self.order_sold(now, order);
        }
    }

    /// A swap on an order ended: what is left of the order is offered anew, once nothing of it is promised any more.
    pub(super) fn order_sold(&mut self, now: Time, id: OrderId) {
        let Some(listing) = self.orders.find(id).filter(|listing| listing.order.expires > now).cloned() else {
            return self.swaps.fills.forget(id);
        };
        let (slot, expires) = (listing.order.slot, listing.order.expires);
        let fills = &self.swaps.fills;
        if fills.filled(id) == 0 || self.swaps.has_open_on(id) {
            return;
        }
        let left = fills.left(id, &listing.order.offer);
        let mut offer = listing.order.offer;
        offer.units = left;
        offer.minimum = offer.minimum.min(left);
        let is_enough = offer.price.payment(offer.minimum).is_some_and(|payment| payment >= MIN_PAYMENT);
        if left == 0 || !is_enough {
            return self.take_back(now, slot, id, "filled");
        }
        let funding = self.shown_funding(&offer);
        let proposal = Proposal::Offer { offer, expires, settlement: Settlement::Interactive, funding };
        match self.say(now, slot, proposal) {
            Ok(_) => {
                self.swaps.fills.forget(id);
                self.report(TradeEvent::OrderRemoved { order: id, reason: "replaced".to_owned() });
            }
            Err(refusal) => {
                tracing::debug!(%refusal, "the rest of an order cannot be offered");
                self.take_back(now, slot, id, "filled");
            }
        }
    }

    /// Refuses to offer what the wallet does not have: it could only be declined later.
    fn check_affordable(&self, offer: &Offer) -> Result<(), CommandError> {
        match offer.side {
            Side::Sell => {
                let found = self.wallet.assets().get(&offer.asset).copied().unwrap_or_default().confirmed;
                if found >= offer.units {
                    return Ok(());
                }
                Err(self.too_few(offer.asset, found, offer.units))
            }
            Side::Buy => {
                let found = self.wallet.balance().confirmed;
                let expected = offer.price.payment(offer.units).ok_or_else(|| {
                    CommandError::Invalid(
                        "found a price of more bitcoin than there is; check price and units".to_owned(),
                    )
                })?;
                if found >= expected {
                    return Ok(());
                }
                let text =
                    format!("found {found} that can be spent, expected {expected}; offer less, or wait for a block");
                Err(CommandError::Funds(text))
            }
        }
    }

    /// The coins that an interactive order names, if the operator lets them be seen.
    fn shown_funding(&self, offer: &Offer) -> Vec<OutPoint> {
        if !self.settings.reveals_funding {
            return Vec::new();
        }
        let chosen = match offer.side {
            Side::Sell => self.wallet.select_asset(offer.asset, offer.units),
            Side::Buy => {
                let Some(payment) = offer.price.payment(offer.units) else { return Vec::new() };
                self.wallet.select_bitcoin(payment, bitcoin::FeeRate::ZERO)
            }
        };
        chosen.map(|chosen| chosen.outpoints).ok().filter(|it| it.len() <= MAX_FUNDING).unwrap_or_default()
    }
}

/// The wire carries whole milliseconds.
fn whole_millis(time: Time) -> Time {
    Time::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
