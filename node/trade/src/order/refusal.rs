//! Why bytes are no valid statement.

use bitcoin::Amount;
use thiserror::Error;

use super::{CLOCK_SKEW, FIRST_WIDE_SLOT, MAX_FUNDING, MAX_LIFE, MAX_PSBT, MIN_PAYMENT, SLOTS, VERSION};
use crate::Time;

/// Why bytes are no valid statement, or a draft cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderRefusal {
    /// Larger than its slot takes.
    #[error("found a statement of {found} bytes, expected at most {limit}")]
    TooLarge {
        /// Bytes found.
        found: usize,
        /// The limit of the slot.
        limit: usize,
    },
    /// No protobuf message of the known form.
    #[error("found bytes that are no statement: {0}")]
    Malformed(prost::DecodeError),
    /// Readable, but not the one encoding of what it says.
    #[error("found an encoding with unknown, repeated or reordered fields, expected the canonical one")]
    NotCanonical,
    /// Another version.
    #[error("found version {found}, expected {VERSION}; one of the two nodes needs an update")]
    Version {
        /// What was found.
        found: u32,
    },
    /// A field is not there.
    #[error("found no {field}")]
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A field has another length than its type.
    #[error("found {found} bytes as {field}, expected {expected}")]
    Length {
        /// Its name.
        field: &'static str,
        /// Bytes found.
        found: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// A number that has no meaning in its field.
    #[error("found {found} as {field}, which has no such value")]
    Unknown {
        /// Its name.
        field: &'static str,
        /// What was found.
        found: u64,
    },
    /// The signature is not the maker's over these bytes.
    #[error("found a signature that is not the maker's over these bytes")]
    Signature,
    /// No such slot.
    #[error("found slot {found}, expected less than {SLOTS}")]
    Slot {
        /// What was found.
        found: u32,
    },
    /// Made longer ago than statements are kept.
    #[error("found a statement of {created:?}, which ended at {ended:?}")]
    Expired {
        /// When it was made.
        created: Time,
        /// Until when it was kept.
        ended: Time,
    },
    /// Made in what is the future for us.
    #[error("found a statement of {created:?}, expected at most {limit:?}, {CLOCK_SKEW:?} from now; check both clocks")]
    NotYetValid {
        /// When it says it was made.
        created: Time,
        /// The latest time that is accepted.
        limit: Time,
    },
    /// Ends before it begins.
    #[error("found an end at {expires:?}, expected one after the beginning at {created:?}")]
    NoLife {
        /// When it was made.
        created: Time,
        /// When it ends.
        expires: Time,
    },
    /// Lasts longer than an offer may.
    #[error("found a life of {found:?}, expected at most {MAX_LIFE:?}; renew the offer instead")]
    LifeTooLong {
        /// How long it would last.
        found: Time,
    },
    /// Offers nothing.
    #[error("found an offer of no units, expected at least 1")]
    NoUnits,
    /// The smallest fill is none, or more than there is.
    #[error("found a minimum of {minimum}, expected 1 to {units}")]
    Minimum {
        /// What was found.
        minimum: u128,
        /// What is offered.
        units: u128,
    },
    /// The price has a zero in it.
    #[error("found a price of {sats} satoshis for {units} units, expected at least 1 of each")]
    PriceZero {
        /// Satoshis.
        sats: u64,
        /// Units.
        units: u128,
    },
    /// All units cost more than there can be.
    #[error("found a payment beyond all bitcoin that can exist; offer less or lower the price")]
    PaymentTooLarge,
    /// The smallest fill costs less than an output may hold.
    #[error("found a payment of {found} for the smallest fill, expected at least {MIN_PAYMENT}; raise the minimum")]
    PaymentDust {
        /// What the smallest fill costs.
        found: Amount,
    },
    /// More outpoints than are looked up.
    #[error("found {found} outpoints as funding, expected at most {MAX_FUNDING}")]
    FundingTooLong {
        /// How many were found.
        found: usize,
    },
    /// An outpoint that is named twice would count twice.
    #[error("found the same outpoint twice in the funding")]
    FundingTwice,
    /// A presigned offer that buys: only the one who gives the asset can sign ahead.
    #[error("found a presigned offer to buy, expected one to sell")]
    PresignedBuy,
    /// A presigned offer can only be taken whole, since the signature covers the payment.
    #[error("found a presigned offer with a minimum of {minimum}, expected all {units} units")]
    PresignedPart {
        /// What was found.
        minimum: u128,
        /// What is offered.
        units: u128,
    },
    /// A presigned offer in a slot that is too small for it.
    #[error("found a presigned offer in slot {found}, expected {FIRST_WIDE_SLOT} or above")]
    PresignedSlot {
        /// What was found.
        found: u16,
    },
    /// The presigned PSBT is empty or too large.
    #[error("found a presigned PSBT of {found} bytes, expected 1 to {MAX_PSBT}")]
    PsbtSize {
        /// Bytes found.
        found: usize,
    },
}

impl OrderRefusal {
    /// Whether whoever sent this should have known better. Clocks differ and messages take time, so being late or early is not
    /// misbehaviour, and neither is a newer version.
    #[must_use]
    pub fn is_misbehaviour(&self) -> bool {
        !matches!(self, Self::Expired { .. } | Self::NotYetValid { .. } | Self::Version { .. })
    }
}
