//! An ask that its seller signs beforehand and a buyer completes without it.
//!
//! The seller signs its input with SINGLE|ANYONECANPAY: that covers this input and the output at the same index, index 0 in both cases,
//! and lets anybody add others. So it is paid or nothing happens.
//!
//! Since the buyer writes the rest, the buyer says where the assets on the input go: an ask sells one whole output that holds nothing
//! but what is sold. The runestone names the buyer's output both in the edict and as pointer; without one the runes would go to the
//! first output, which is the seller's payment.
//!
//! The payment is worth the price and the bitcoin on the input, so the seller is paid as in an interactive swap, and the buyer pays for
//! the postage and the fee.
//!
//! What nobody can help: an ask holds until its output is spent, so only spending it withdraws the ask; and whoever sees the completed
//! transaction before it is in a block may take the signature and buy in the buyer's stead, who then keeps its bitcoin.

use bitcoin::{Amount, FeeRate, OutPoint, ScriptBuf, TxOut};
use serde::{Deserialize, Serialize};

use super::funding::{self, Funding};
use super::plan::{self, Plan};
use super::signature::Signature;
use super::{BuildError, CheckedPsbt, Party, PsbtRefusal, ReceivedPsbt, SignatureError, Stake, Style, Terms};
use super::{check, signed};
use crate::asset::Asset;
use crate::coin::Coins;

/// What a seller offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// What is sold.
    pub asset: Asset,
    /// How many units: all that the output holds.
    pub units: u128,
    /// The price of all of them.
    pub payment: Amount,
    /// The output that holds them and nothing else.
    pub outpoint: OutPoint,
    /// Where the seller is paid.
    pub receive: ScriptBuf,
}

impl Ask {
    /// What the seller brings. Nothing is left over.
    pub(super) fn stake(&self) -> Stake {
        Stake { inputs: vec![self.outpoint], receive: self.receive.clone(), change: self.receive.clone() }
    }

    fn terms(&self, buyer: &Stake, fee_rate: FeeRate) -> Terms {
        Terms {
            asset: self.asset,
            units: self.units,
            payment: self.payment,
            seller: self.stake(),
            buyer: buyer.clone(),
            fee_rate,
            fee_payer: Party::Buyer,
        }
    }
}

/// An ask whose output is there, holds what is sold, and is signed for exactly this price. Only [`check_ask`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedAsk {
    ask: Ask,
    signature: Signature,
}

impl CheckedAsk {
    /// What is offered.
    #[must_use]
    pub fn ask(&self) -> &Ask {
        &self.ask
    }
}

/// The seller's half of a transaction, for its signer. Publish what [`super::PartlySigned::encode`] gives.
pub fn build_ask(ask: &Ask, coins: &impl Coins) -> Result<CheckedPsbt, BuildError> {
    let funding = Funding::of_ask(ask, coins)?;
    let value = funding::add(funding.seller_total, ask.payment)?;
    let expected = ask.receive.minimal_non_dust();
    if value < expected {
        return Err(BuildError::Dust { found: value, expected });
    }
    let payment = TxOut { value, script_pubkey: ask.receive.clone() };
    let psbt = plan::unsigned(&funding, Style::Presigned, 1, vec![payment]);
    Ok(CheckedPsbt { psbt, party: Party::Seller, ours: 0..1, style: Style::Presigned, fee: Amount::ZERO })
}

/// Checks a published ask: the rows of the [table](super) that concern the seller's half.
pub fn check_ask(received: &ReceivedPsbt, ask: &Ask, coins: &impl Coins) -> Result<CheckedAsk, PsbtRefusal> {
    let mut own = build_ask(ask, coins)?.psbt;
    let (tx, expected) = (&received.psbt.unsigned_tx, &own.unsigned_tx.output[0]);
    check::envelope(tx)?;
    check::inputs(&received.psbt, &own)?;
    let [found] = &tx.output[..] else {
        return Err(PsbtRefusal::OutputCount { found: tx.output.len(), expected: 1 });
    };
    if found.script_pubkey != expected.script_pubkey {
        return Err(check::different(0, &found.script_pubkey, &expected.script_pubkey));
    }
    if found.value != expected.value {
        return Err(PsbtRefusal::Payment { found: found.value, expected: expected.value });
    }
    if *tx != own.unsigned_tx {
        return Err(PsbtRefusal::Different);
    }
    signed::take_signatures(&mut own, &received.psbt)?;
    let signature = signed::signature(&own, 0).ok_or(SignatureError::Missing { input: 0 })?;
    Ok(CheckedAsk { ask: ask.clone(), signature })
}

/// The whole transaction of an ask, for the buyer's signer, whose signatures complete it.
///
/// It goes through the same rows as what another side built.
pub fn complete_ask(
    checked: &CheckedAsk,
    buyer: &Stake,
    fee_rate: FeeRate,
    coins: &impl Coins,
) -> Result<CheckedPsbt, PsbtRefusal> {
    let terms = checked.ask.terms(buyer, fee_rate);
    let mut psbt = Plan::new(&terms, Style::Presigned, coins)?.psbt();
    checked.signature.put(&mut psbt.inputs[0]);
    ReceivedPsbt::from(psbt).check_style(&terms, Style::Presigned, Party::Buyer, coins)
}
