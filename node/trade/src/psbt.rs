//! The transaction of a swap: built, received, checked, signed.
//!
//! Both sides derive the same unsigned transaction from the same [`Terms`] with [`build()`]. What the other side sends is never signed: it
//! is read ([`ReceivedPsbt`]), held against the terms and the chain row by row, and what goes to the signer ([`CheckedPsbt`]) is the
//! transaction that this side derived itself, with the other side's signatures where they verified. Only [`ReceivedPsbt::check`] and
//! [`presigned`] make a [`CheckedPsbt`], and only signatures on own inputs leave it ([`CheckedPsbt::signed`]).
//!
//! ```text
//! Terms --build--> Psbt --> ReceivedPsbt --check--> CheckedPsbt --sign--> PartlySigned --combine, finalize--> Transaction
//! ```
//!
//! # The transaction
//!
//! Version 2, lock time 0, every input with [`SEQUENCE`], the seller's inputs first.
//!
//! | output | to | value | assets |
//! |---|---|---|---|
//! | 0 payment | seller's `receive` | the payment, and what is left of the seller's bitcoin | none |
//! | 1 asset | buyer's `receive` | [`POSTAGE`] | exactly the agreed units |
//! | 2 remainder, if there is one | seller's `change` | [`POSTAGE`] | every other unit of every asset on the inputs |
//! | then the runestone | `OP_RETURN` | 0 | |
//! | then the change, unless it would be dust | buyer's `change` | what is left of the buyer's bitcoin | none |
//!
//! The buyer pays for the postage of what it gets: it keeps that bitcoin. So the seller's bitcoin grows by exactly the payment and the
//! buyer's shrinks by exactly the payment, but for the fee, which the fee payer bears. The seller's bitcoin does not go to its `change`:
//! a wallet locks outputs that hold assets, and so would lock it. The pointer names the remainder, or else the payment, so that no
//! mistake about the seller's inputs can give the buyer more than the agreed units.
//!
//! Buyer's change that would be dust goes to the miner: less than the dust limit of its script beside what the output itself would cost.
//!
//! # What each side has checked before it signs
//!
//! | row | what | refusal |
//! |---|---|---|
//! | terms | units, payment, fee rate within [`MIN_FEE_RATE`] and [`MAX_FEE_RATE`]; few inputs, none twice | [`BuildError`] |
//! | coins | every input exists, is unspent, of a kind whose weight is known; the seller's are confirmed, since only blocks say what an output holds | [`BuildError`] |
//! | assets | the seller's inputs hold the units; the buyer's hold nothing that the transaction could move | [`BuildError`] |
//! | scripts | nobody is paid by a script whose cost or meaning is not known | [`BuildError`] |
//! | bitcoin | both can pay; nothing that is paid is dust | [`BuildError`] |
//! | fields | nothing but what a key spend needs, and few proprietary fields, which are dropped | [`DecodeError`] |
//! | version, lock time | as above | [`Version`](PsbtRefusal::Version), [`LockTime`](PsbtRefusal::LockTime) |
//! | inputs | exactly the agreed ones in order, none more | [`Input`](PsbtRefusal::Input), [`InputCount`](PsbtRefusal::InputCount) |
//! | sequence | [`SEQUENCE`] | [`Sequence`](PsbtRefusal::Sequence) |
//! | previous outputs | those that this side sees on the chain | [`WitnessUtxo`](PsbtRefusal::WitnessUtxo) |
//! | sighash | DEFAULT (taproot) or ALL (p2wpkh); what an ask needs on its input | [`Sighash`](PsbtRefusal::Sighash) |
//! | outputs | as above, none more | [`OutputCount`](PsbtRefusal::OutputCount), [`Output`](PsbtRefusal::Output) |
//! | dust | no output is dust, and the runestone is worth nothing | [`Dust`](PsbtRefusal::Dust), [`RunestoneValue`](PsbtRefusal::RunestoneValue) |
//! | fee | the agreed rate, up to rounding and folded change | [`Fee`](PsbtRefusal::Fee) |
//! | amounts | each output's value follows from terms, coins and fee | [`Change`](PsbtRefusal::Change), [`Payment`](PsbtRefusal::Payment), [`Postage`](PsbtRefusal::Postage) |
//! | runestone | there is one, no cenotaph, which neither etches nor mints | [`NoRunestone`](PsbtRefusal::NoRunestone), [`Cenotaph`](PsbtRefusal::Cenotaph), [`Purpose`](PsbtRefusal::Purpose) |
//! | protostone | there is one if an input holds an alkane; it moves alkanes and nothing else | [`NoProtostone`](PsbtRefusal::NoProtostone), [`Alkane`](PsbtRefusal::Alkane) |
//! | transfer | followed by the rules of the protocols: nothing burned, the buyer gets the units and nothing else, the seller the rest | [`Burned`](PsbtRefusal::Burned), [`BuyerGets`](PsbtRefusal::BuyerGets), [`SellerGets`](PsbtRefusal::SellerGets), [`Stray`](PsbtRefusal::Stray) |
//! | signatures | those present verify, on the right inputs, with the agreed sighash | [`Signature`](PsbtRefusal::Signature) |
//! | identity | it is byte for byte the transaction that this side builds | [`Different`](PsbtRefusal::Different) |
//!
//! The last row implies most others. They stay: the builder may have a fault that both sides share, and a reason is worth more than
//! "different".
//!
//! That own inputs are own is checked from the other end: the signer has to sign each of them, and a signature that it makes on any
//! other input (a peer may name an output of ours as its own) is thrown away.
//!
//! # What is not checked here
//!
//! That an unconfirmed input of the buyer will confirm: if it does not, the swap does not happen, and nobody loses. What assets such an
//! input holds: they would go to the seller, so the buyer's wallet must not choose it. Whether the fee is worth it: the taker pays for the
//! maker's inputs as well, so it looks at [`CheckedPsbt::fee`]. Whether an alkane is what it is called: see [`crate::alkane`].

mod build;
mod check;
mod framing;
mod funding;
mod plan;
pub mod presigned;
mod received;
mod refusal;
mod signature;
mod signed;
mod spend;
mod transfer;

#[cfg(test)]
mod tests;

use bitcoin::{Amount, FeeRate, OutPoint, ScriptBuf, Sequence};
use serde::{Deserialize, Serialize};

pub use build::{BuildError, build, fee_at_most};
pub use received::{DecodeError, ReceivedPsbt};
pub use refusal::PsbtRefusal;
pub use signature::SignatureError;
pub use signed::{CheckedPsbt, PartlySigned, SignError, Unfinished};

use crate::asset::Asset;

/// The bitcoin on an output that carries assets: above the dust limit of every kind of script, and what other programs use as well.
pub const POSTAGE: Amount = Amount::from_sat(546);

/// The sequence of every input: replaceable (BIP 125), no lock time.
pub const SEQUENCE: Sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;

/// The most inputs of one side. The taker pays for the maker's as well, so they have to be few; and 64 keep every message small.
pub const MAX_STAKE_INPUTS: usize = 32;

/// The lowest fee rate, 1 sat/vB: many nodes do not relay below it.
pub const MIN_FEE_RATE: FeeRate = FeeRate::BROADCAST_MIN;

/// The highest fee rate, 2000 sat/vB. It was never needed; more is a mistake.
pub const MAX_FEE_RATE: FeeRate = FeeRate::from_sat_per_kwu(500_000);

/// The largest PSBT that is read. 64 inputs with signatures take 14 kB.
pub const MAX_PSBT_BYTES: usize = 32 * 1024;

/// The most proprietary fields in a received PSBT. None is needed; a few leave room for other programs' notes.
pub const MAX_PROPRIETARY_FIELDS: usize = 16;

/// Which side of a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Party {
    /// Gives the asset, gets bitcoin.
    Seller,
    /// Gives bitcoin, gets the asset.
    Buyer,
}

impl Party {
    /// The side that it trades with.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Seller => Self::Buyer,
            Self::Buyer => Self::Seller,
        }
    }
}

impl std::fmt::Display for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Seller => "seller",
            Self::Buyer => "buyer",
        })
    }
}

/// What one side brings, and where it wants what it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stake {
    /// The outputs that it spends.
    pub inputs: Vec<OutPoint>,
    /// Where it receives what it trades for.
    pub receive: ScriptBuf,
    /// Where it receives what is left of what it brought.
    pub change: ScriptBuf,
}

/// Everything that both sides agreed on before one builds and both check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What is traded against bitcoin.
    pub asset: Asset,
    /// Its units that change hands.
    pub units: u128,
    /// The bitcoin that change hands.
    pub payment: Amount,
    /// Who gives the asset.
    pub seller: Stake,
    /// Who gives bitcoin.
    pub buyer: Stake,
    /// The fee rate, exact up to rounding.
    pub fee_rate: FeeRate,
    /// Who pays the fee: the taker.
    pub fee_payer: Party,
}

/// How the seller signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Style {
    /// Both sides sign everything.
    Interactive,
    /// The seller signed its input and its payment beforehand: see [`presigned`].
    Presigned,
}
