//! Why a received PSBT is not signed.

use bitcoin::{Amount, OutPoint, ScriptBuf};
use ordinals::Flaw;

use super::{BuildError, DecodeError, SignatureError};
use crate::alkane::AlkaneRefusal;
use crate::asset::Asset;
use crate::coin::Holdings;

/// Why a received PSBT is not signed: the first row of the [table](super) that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PsbtRefusal {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The terms themselves cannot become a transaction, or no longer can.
    #[error(transparent)]
    Terms(#[from] BuildError),
    /// The transaction has the wrong version.
    #[error("found transaction version {found}, expected 2")]
    Version {
        /// The version.
        found: i32,
    },
    /// The transaction has a lock time.
    #[error("found lock time {found}, expected 0")]
    LockTime {
        /// The lock time.
        found: u32,
    },
    /// There are too many or too few inputs.
    #[error("found {found} inputs, expected the {expected} agreed ones")]
    InputCount {
        /// How many.
        found: usize,
        /// How many were agreed.
        expected: usize,
    },
    /// An input is not the agreed one.
    #[error("found {found} as input {input}, expected {expected}")]
    Input {
        /// Its index.
        input: usize,
        /// What it spends.
        found: OutPoint,
        /// What was agreed.
        expected: OutPoint,
    },
    /// An input has another sequence.
    #[error("found sequence {found:#010x} of input {input}, expected {:#010x}", super::SEQUENCE.0)]
    Sequence {
        /// Its index.
        input: usize,
        /// The sequence.
        found: u32,
    },
    /// What an input is said to spend is not what the chain has there.
    #[error("the previous output of input {input} is missing or not the one on the chain")]
    WitnessUtxo {
        /// Its index.
        input: usize,
    },
    /// An input is to be signed with another sighash type.
    #[error("the sighash type of input {input} is missing or not the agreed one")]
    Sighash {
        /// Its index.
        input: usize,
    },
    /// There are too many or too few outputs.
    #[error("found {found} outputs, expected {expected}, or one more with change")]
    OutputCount {
        /// How many.
        found: usize,
        /// How many there are without change of the buyer.
        expected: usize,
    },
    /// An output pays to another script.
    #[error("output {output} pays to {found}, expected {expected}")]
    Output {
        /// Its index.
        output: usize,
        /// The script.
        found: ScriptBuf,
        /// What was agreed; for a runestone any OP_RETURN.
        expected: ScriptBuf,
    },
    /// An output is too small to be relayed.
    #[error("found {found} at output {output}, expected at least {expected}: below that it is dust")]
    Dust {
        /// Its index.
        output: usize,
        /// Its value.
        found: Amount,
        /// The dust limit of its script.
        expected: Amount,
    },
    /// The fee is not what the agreed rate asks for.
    #[error("found a fee of {} sat, expected between {expected} and {limit}", found.map_or(-1, |fee| i128::from(fee.to_sat())))]
    Fee {
        /// The fee; none if the outputs are worth more than the inputs.
        found: Option<Amount>,
        /// The fee at the agreed rate.
        expected: Amount,
        /// The same with the most change that is folded into it.
        limit: Amount,
    },
    /// The buyer's change is wrong.
    #[error("found change of {found} for the buyer, expected {expected}")]
    Change {
        /// Its value, or what is folded into the fee instead.
        found: Amount,
        /// What follows from the terms.
        expected: Amount,
    },
    /// What the seller gets is wrong.
    #[error("found {found} for the seller, expected {expected}")]
    Payment {
        /// Its value.
        found: Amount,
        /// What follows from the terms.
        expected: Amount,
    },
    /// An output that carries assets has another value than agreed.
    #[error("found {found} at output {output}, expected the postage of {}", super::POSTAGE)]
    Postage {
        /// Its index.
        output: usize,
        /// Its value.
        found: Amount,
    },
    /// The runestone's output has a value, which nobody can ever spend.
    #[error("found {found} on the runestone, expected nothing")]
    RunestoneValue {
        /// Its value.
        found: Amount,
    },
    /// There is no runestone.
    #[error("found no runestone")]
    NoRunestone,
    /// The runestone is malformed, which burns every rune on the inputs.
    #[error("found a cenotaph, which burns all runes: {}", flaw.map_or_else(String::new, |flaw| flaw.to_string()))]
    Cenotaph {
        /// What is wrong with it.
        flaw: Option<Flaw>,
    },
    /// The runestone etches or mints.
    #[error("found a runestone that etches or mints, expected one that only moves")]
    Purpose,
    /// An input holds an alkane, and there is no protostone to move it.
    #[error("found no protostone, and the inputs hold alkanes: they would be lost or land elsewhere")]
    NoProtostone,
    /// Nobody can say where the alkanes go, or a contract is told something.
    #[error(transparent)]
    Alkane(#[from] AlkaneRefusal),
    /// Units would be burned.
    #[error("{units} units of {asset} would be burned")]
    Burned {
        /// Of which asset.
        asset: Asset,
        /// How many.
        units: u128,
    },
    /// The buyer would get something else than agreed.
    #[error("the buyer would get {found:?}, expected {expected:?}")]
    BuyerGets {
        /// What it would get.
        found: Holdings,
        /// What was agreed.
        expected: Holdings,
    },
    /// The seller would not get back the rest.
    #[error("the seller would get back {found:?}, expected {expected:?}")]
    SellerGets {
        /// What it would get.
        found: Holdings,
        /// What is left of what it brought.
        expected: Holdings,
    },
    /// Assets would land on an output that is not for assets.
    #[error("output {output} would hold {found:?}, expected nothing")]
    Stray {
        /// Its index.
        output: usize,
        /// What it would hold.
        found: Holdings,
    },
    /// A signature is wrong.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It is not the transaction that this side derives, though every other row holds.
    #[error("found another transaction than the one that follows from the terms")]
    Different,
}
