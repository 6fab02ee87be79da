//! Signed, versioned offers and their wire form.
//!
//! A maker has [`SLOTS`] slots. A [`Statement`] fills one of them: an offer or a cancellation. So one key can never have more in
//! a book than its slots hold, whatever arrives in which order.
//!
//! The **revision** of a statement is the time at which it was made, in milliseconds since the Unix epoch, and a higher one
//! replaces a lower one in the same slot. That the two are one number is what lets books forget: every statement is kept for
//! [`MAX_LIFE`] from its making, also when its offer ends sooner, so the newest one of a slot outlives all that it replaced, and
//! an old one cannot come back. Hence a cancellation has no end of its own, and an offer that is over acts as its own
//! cancellation. A maker whose clock went backwards goes on from its last revision ([`following`]).
//!
//! Two statements of the same revision in one slot are misbehaviour of their maker: the lower id wins, and the pair is the
//! evidence.
//!
//! | part | noun |
//! |---|---|
//! | `price` | exact comparison and payments |
//! | `offer` | what may be taken of an offer |
//! | `statement` | what a maker says, and drafts of it |
//! | `codec` | bytes to statements and back, signatures |
//! | `wire` | the protobuf messages |
//! | `refusal` | why bytes are no valid statement |

mod codec;
mod offer;
mod price;
mod refusal;
mod statement;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

use std::fmt;
use std::str::FromStr;

use bitcoin::Amount;
use serde::{Deserialize, Serialize};

use crate::Time;
use crate::asset::Asset;
use crate::hex::{self, NotHex};

pub use codec::{decode, sign};
pub use offer::FillRefusal;
pub use refusal::OrderRefusal;
pub use statement::{Act, Draft, Listing, Proposal, Settlement, Statement, following};

/// Version of the statements that this code makes and reads.
pub const VERSION: u32 = 1;
/// Slots of a maker: enough for a ladder of prices in several assets, few enough that one key cannot fill a book.
pub const SLOTS: u16 = 64;
/// The first of the slots that take presigned offers; it and those above it are *wide*. Eight, because such an offer is several
/// times as large as another.
pub const FIRST_WIDE_SLOT: u16 = 56;
/// Bytes of a signed statement, at most. An offer that names [`MAX_FUNDING`] outpoints has some 600.
pub const MAX_STATEMENT: usize = 1024;
/// Bytes of a presigned PSBT, at most: one input and one output with a signature, and room for the fields of any wallet.
pub const MAX_PSBT: usize = 4096;
/// Bytes of a signed statement in a wide slot, at most.
pub const MAX_WIDE_STATEMENT: usize = MAX_STATEMENT + MAX_PSBT;
/// Outpoints that back an offer, at most: each costs its reader a look-up.
pub const MAX_FUNDING: usize = 8;
/// How long an offer may last and how long every statement is kept: a maker that is gone is forgotten within a day.
pub const MAX_LIFE: Time = Time::from_hours(24);
/// How far the clock of a maker may be ahead of ours.
pub const CLOCK_SKEW: Time = Time::from_mins(2);
/// The least payment of a fill: below it, the output of some script types is dust to Bitcoin Core (P2PKH).
pub const MIN_PAYMENT: Amount = Amount::from_sat(546);

/// An Ed25519 public key: who made an order. A peer id of libp2p carries the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TraderKey(#[serde(with = "crate::hex")] pub [u8; 32]);

impl fmt::Display for TraderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl FromStr for TraderKey {
    type Err = NotHex;

    fn from_str(text: &str) -> Result<Self, NotHex> {
        hex::parse(text).map(Self)
    }
}

/// The hash of an order's signed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderId(#[serde(with = "crate::hex")] pub [u8; 32]);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl FromStr for OrderId {
    type Err = NotHex;

    fn from_str(text: &str) -> Result<Self, NotHex> {
        hex::parse(text).map(Self)
    }
}

/// What the maker does with the asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Side {
    /// The maker gives the asset and gets bitcoin.
    Sell,
    /// The maker gets the asset and gives bitcoin.
    Buy,
}

/// So many satoshis for so many units, as a fraction: one unit is often worth less than a satoshi.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Satoshis, at least 1.
    pub sats: u64,
    /// Units that cost them, at least 1.
    pub units: u128,
}

/// What is offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// What is traded against bitcoin.
    pub asset: Asset,
    /// What the maker does with it.
    pub side: Side,
    /// How many units, at least 1.
    pub units: u128,
    /// The smallest fill, between 1 and `units`; a fill that would leave less than it must take all.
    pub minimum: u128,
    /// At which price.
    pub price: Price,
}

/// A verified order. Only decoding and signing make one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Order {
    /// The hash of its signed bytes.
    pub id: OrderId,
    /// Who made it.
    pub maker: TraderKey,
    /// Which of its maker's places it fills.
    pub slot: u16,
    /// A higher revision replaces a lower one in the same slot.
    pub revision: u64,
    /// When it was made, as its maker says.
    pub created: Time,
    /// When it ends.
    pub expires: Time,
    /// What it offers.
    pub offer: Offer,
}
