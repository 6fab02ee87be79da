//! What a maker says about one of its slots.

use bitcoin::OutPoint;
use bytes::Bytes;

use super::{FIRST_WIDE_SLOT, MAX_LIFE, MAX_STATEMENT, MAX_WIDE_STATEMENT, Offer, Order, OrderId, TraderKey};
use crate::Time;

/// How an offer is settled.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Settlement {
    /// Maker and taker build and sign one transaction together.
    #[default]
    Interactive,
    /// The maker has signed one input and one output (`SINGLE|ANYONECANPAY`); the taker adds the rest alone. The bytes are a PSBT
    /// of BIP 174 that nobody has looked into yet.
    Presigned(Bytes),
}

/// An order as it is listed: with how it is settled and what backs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The order.
    pub order: Order,
    /// How it is settled.
    pub settlement: Settlement,
    /// Outpoints that the maker says back the order; a claim until somebody looks.
    pub funding: Vec<OutPoint>,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Offers something.
    Offer(Box<Listing>),
    /// Takes back whatever the slot had.
    Cancel,
}

/// A verified statement of a maker about one of its slots, with its signed bytes. Only decoding and signing make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub(super) id: OrderId,
    pub(super) maker: TraderKey,
    pub(super) slot: u16,
    pub(super) revision: u64,
    pub(super) act: Act,
    pub(super) bytes: Bytes,
}

impl Statement {
    /// The hash of its signed bytes.
    #[must_use]
    pub fn id(&self) -> OrderId {
        self.id
    }

    /// Who made it.
    #[must_use]
    pub fn maker(&self) -> TraderKey {
        self.maker
    }

    /// Which slot of its maker it fills.
    #[must_use]
    pub fn slot(&self) -> u16 {
        self.slot
    }

    /// When it was made, in milliseconds since the Unix epoch; a higher one replaces a lower one in the same slot.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// When it was made, as its maker says.
    #[must_use]
    pub fn created(&self) -> Time {
        Time::from_millis(self.revision)
    }

    /// Until when it has to be kept, so that nothing that it replaced comes back.
    #[must_use]
    pub fn kept_until(&self) -> Time {
        self.created() + MAX_LIFE
    }

    /// What it does.
    #[must_use]
    pub fn act(&self) -> &Act {
        &self.act
    }

    /// The offer, unless it is a cancellation.
    #[must_use]
    pub fn listing(&self) -> Option<&Listing> {
        match &self.act {
            Act::Offer(listing) => Some(listing),
            Act::Cancel => None,
        }
    }

    /// Its wire form.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.bytes
    }
}

/// What a maker is about to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Who says it.
    pub maker: TraderKey,
    /// Into which slot.
    pub slot: u16,
    /// When: its whole milliseconds become the revision. See [`following`].
    pub created: Time,
    /// What.
    pub proposal: Proposal,
}

/// What a draft does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// Offers something.
    Offer {
        /// What.
        offer: Offer,
        /// Until when, in whole milliseconds.
        expires: Time,
        /// How it is settled.
        settlement: Settlement,
        /// What backs it.
        funding: Vec<OutPoint>,
    },
    /// Takes back whatever the slot has.
    Cancel,
}

/// The time to write into the next statement for a slot whose last revision is `last`: now, unless the clock went backwards.
#[must_use]
pub fn following(now: Time, last: Option<u64>) -> Time {
    let earliest = last.map_or(Time::ZERO, |revision| Time::from_millis(revision.saturating_add(1)));
    now.max(earliest)
}

/// Bytes that a statement in this slot may have.
pub(super) fn size_limit(slot: u16) -> usize {
    if slot < FIRST_WIDE_SLOT { MAX_STATEMENT } else { MAX_WIDE_STATEMENT }
}
