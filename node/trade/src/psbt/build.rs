//! The unsigned transaction of terms, the same on both sides.

use bitcoin::transaction::{InputWeightPrediction, predict_weight};
use bitcoin::{Amount, FeeRate, OutPoint, Psbt, ScriptBuf};

use super::plan::Plan;
use super::{MAX_FEE_RATE, MAX_STAKE_INPUTS, MIN_FEE_RATE, Party, Style, Terms};
use crate::asset::Asset;
use crate::coin::{Coins, Holdings};

/// The length of the longest output script that is paid: taproot and p2wsh.
const LONGEST_PAID_SCRIPT: usize = 34;

/// More than the longest runestone of a swap: one edict and a pointer, and a protostone with one edict, pointer and refund.
pub(super) const LONGEST_RUNESTONE: usize = 200;

/// Why terms cannot become a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Nothing is sold.
    #[error("found 0 units, expected at least one")]
    NoUnits,
    /// The payment is zero or more than there can be.
    #[error("found a payment of {found}, expected between 1 sat and 21 million bitcoin")]
    Payment {
        /// The payment.
        found: Amount,
    },
    /// The fee rate is out of bounds.
    #[error("found a fee rate of {found} sat/kwu, expected between {MIN_FEE_RATE} and {MAX_FEE_RATE}")]
    FeeRate {
        /// The fee rate.
        found: FeeRate,
    },
    /// A side brings nothing, or too many inputs.
    #[error("found {found} inputs of the {party}, expected between 1 and {MAX_STAKE_INPUTS}: consolidate coins first")]
    InputCount {
        /// Whose.
        party: Party,
        /// How many.
        found: usize,
    },
    /// An input is named twice.
    #[error("found the input {outpoint} twice")]
    Twice {
        /// The input.
        outpoint: OutPoint,
    },
    /// An input does not exist or is spent.
    #[error("the {party}'s input {outpoint} does not exist or is spent")]
    Missing {
        /// Whose.
        party: Party,
        /// The input.
        outpoint: OutPoint,
    },
    /// An input of the seller is not in a block, so nobody can say what it holds.
    #[error("the seller's input {outpoint} is unconfirmed: wait for a block")]
    Unconfirmed {
        /// The input.
        outpoint: OutPoint,
    },
    /// An input has a script whose spending weight is not known.
    #[error("the input {outpoint} is neither taproot nor p2wpkh: move it first")]
    Unspendable {
        /// The input.
        outpoint: OutPoint,
    },
    /// A side wants to be paid by an unusual script.
    #[error("found the script {script} of the {party}, expected taproot, p2wpkh or p2wsh")]
    Script {
        /// Whose.
        party: Party,
        /// The script.
        script: ScriptBuf,
    },
    /// An input of the buyer holds an asset, which the transaction would move.
    #[error("the buyer's input {outpoint} holds {asset}: choose another")]
    BuyerHolds {
        /// The input.
        outpoint: OutPoint,
        /// An asset on it.
        asset: Asset,
    },
    /// The seller's inputs hold too little.
    #[error("found {found} units on the seller's inputs, expected at least {expected}")]
    NotEnoughUnits {
        /// What they hold.
        found: u128,
        /// What is sold.
        expected: u128,
    },
    /// An ask sells one whole output, and this is not one.
    #[error(
        "found {inputs} inputs with {} assets left over, expected one with nothing but what is sold: split it first",
        remainder.len()
    )]
    NotWhole {
        /// Inputs of the seller.
        inputs: usize,
        /// What would be left.
        remainder: Holdings,
    },
    /// A side cannot pay.
    #[error("found {found} of the {party}, expected at least {expected}: add a coin")]
    NotEnoughBitcoin {
        /// Whose.
        party: Party,
        /// What it has.
        found: Amount,
        /// What it needs.
        expected: Amount,
    },
    /// What the seller gets would be dust.
    #[error("found {found} for the seller, expected at least {expected}: below that it is dust")]
    Dust {
        /// What it would get.
        found: Amount,
        /// The dust limit.
        expected: Amount,
    },
    /// Amounts do not add up to what there can be.
    #[error("amounts add up to more than there can be: what was told about the inputs is wrong")]
    Overflow,
    /// No runestone can say this.
    #[error("no runestone moves this asset: {reason}")]
    Runestone {
        /// Why.
        reason: String,
    },
}

/// The unsigned transaction of these terms. The same terms and coins give the same bytes on both sides.
pub fn build(terms: &Terms, coins: &impl Coins) -> Result<Psbt, BuildError> {
    Ok(Plan::new(terms, Style::Interactive, coins)?.psbt())
}

/// More than the fee of any swap with so many inputs of both sides, for choosing coins before the other side's are known.
///
/// None where that is more than there can be.
#[must_use]
pub fn fee_at_most(inputs: usize, fee_rate: FeeRate) -> Option<Amount> {
    let scripts = [LONGEST_PAID_SCRIPT; 4].into_iter().chain([LONGEST_RUNESTONE]);
    let inputs = inputs.min(2 * MAX_STAKE_INPUTS);
    let weight = predict_weight(std::iter::repeat_n(InputWeightPrediction::P2WPKH_MAX, inputs), scripts);
    let dust = ScriptBuf::from_bytes([&[0x51, 32][..], &[0; 32]].concat()).minimal_non_dust();
    fee_rate.fee_wu(weight)?.checked_add(dust)
}
