//! Sends, transfers, mints, etchings, fee bumps, reclaims: built, signed, not sent.
//!
//! The caller stores and broadcasts the transaction and tells the wallet with
//! [`apply_unconfirmed`](crate::Wallet::apply_unconfirmed), before it asks for the next one: until then its inputs count as
//! unspent.

mod draft;
pub mod etching;
mod replacement;

use std::collections::BTreeSet;

use bdk_wallet::KeychainKind;
use bitcoin::{Amount, FeeRate, OutPoint, ScriptBuf, TapSighashType, Transaction, TxOut, Txid};
use darkswap_trade::asset::Asset;
pub use darkswap_trade::psbt::{MAX_FEE_RATE, POSTAGE};
use thiserror::Error;

use crate::{
    coin::{CoinState, OwnCoin},
    selection::{self, MAX_INPUTS, SelectionError},
    signing::SigningError,
    wallet::Wallet,
};
use draft::{Change, Draft};

/// The lowest fee rate: the least that nodes relay.
pub const MIN_FEE_RATE: FeeRate = FeeRate::from_sat_per_kwu(25);

/// The longest runestone script: the most that a script may have at all.
pub const MAX_RUNESTONE: usize = 10_000;

/// A signed transaction, not sent yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The transaction.
    pub transaction: Transaction,
    /// Its fee.
    pub fee: Amount,
}

/// Assets to send.
///
/// | output | what |
/// |---|---|
/// | 0 | [`POSTAGE`] back to this wallet: where the pointer must lead, and does if there is none |
/// | 1 | [`POSTAGE`] to the recipient: where the edict must lead |
/// | 2 | the runestone |
/// | 3 | change of bitcoin, if any |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Which.
    pub asset: Asset,
    /// How many units.
    pub units: u128,
    /// To whom.
    pub recipient: ScriptBuf,
    /// The runestone, with a protostone where alkanes move, as a script that starts with `OP_RETURN`. What it does is the
    /// caller's to check.
    pub runestone: ScriptBuf,
    /// The fee rate.
    pub fee_rate: FeeRate,
}

/// Why a payment was not built. Nothing was changed, but that a change address may have been given out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PaymentError {
    /// No coins for it.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// It could not be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A fee rate that nobody means.
    #[error("the fee rate {0} is out of bounds; give between 0.1 and 2000 satoshi per virtual byte")]
    FeeRate(FeeRate),
    /// An output that nodes do not relay.
    #[error("an output of {found} to this script is not relayed; send at least {least}")]
    Dust {
        /// Its value.
        found: Amount,
        /// The least that is relayed.
        least: Amount,
    },
    /// Not a runestone.
    #[error(
        "found a script of {found} bytes that is no runestone; expected OP_RETURN and at most {MAX_RUNESTONE} bytes"
    )]
    Runestone {
        /// Its length.
        found: usize,
    },
    /// More than all bitcoin.
    #[error("the amounts add up to more than all bitcoin; check them")]
    Overflow,
    /// Too many inputs.
    #[error("{found} inputs are needed; at most {MAX_INPUTS} fit one transaction")]
    TooManyInputs {
        /// How many.
        found: usize,
    },
    /// The transaction to replace is not there.
    #[error("transaction {0} is not in this wallet; synchronise first")]
    UnknownTransaction(Txid),
    /// It is too late to replace it.
    #[error("transaction {txid} is in block {height}; it cannot be replaced any more")]
    Confirmed {
        /// Which.
        txid: Txid,
        /// The height of the block.
        height: u32,
    },
    /// It does not allow replacement.
    #[error(
        "transaction {0} does not signal replaceability (BIP 125 rule 1: a sequence below 0xfffffffe); wait for it"
    )]
    NotReplaceable(Txid),
    /// Somebody else signed parts of it.
    #[error(
        "transaction {txid} spends {outpoint}, which is not of this wallet; only its owners together can replace it"
    )]
    ForeignInput {
        /// Which transaction.
        txid: Txid,
        /// The other's coin.
        outpoint: OutPoint,
    },
    /// The replacement pays too little (BIP 125 rules 3 and 4).
    #[error(
        "the replacement pays {offered} and must pay at least {required}: {replaced} that it replaces (BIP 125 rule 3) \
         and {relay} for its own {vsize} virtual bytes (rule 4); raise the fee rate"
    )]
    PaysTooLittle {
        /// Its fee.
        offered: Amount,
        /// The least fee.
        required: Amount,
        /// The fees of everything it replaces.
        replaced: Amount,
        /// One satoshi per virtual byte of its own.
        relay: Amount,
        /// Its size.
        vsize: u64,
    },
    /// Too much hangs on it (BIP 125 rule 5).
    #[error("the replacement would evict {found} transactions; nodes accept at most {limit} (BIP 125 rule 5)")]
    TooManyReplaced {
        /// How many.
        found: usize,
        /// The most.
        limit: usize,
    },
    /// The fee of a transaction that would be replaced cannot be known.
    #[error("the fee of transaction {0} is not known, so neither is what its replacement must pay; synchronise first")]
    FeeUnknown(Txid),
    /// There is no change to take the fee from.
    #[error("transaction {0} has a runestone and no change; another output would alter what its edicts mean")]
    NoChange(Txid),
    /// Nothing to reclaim.
    #[error("no coins to reclaim")]
    NothingToReclaim,
    /// A coin to reclaim is not ours.
    #[error("{0} is no output of this wallet; it cannot be reclaimed")]
    NotOurs(OutPoint),
    /// A coin to reclaim may carry something that would burn.
    #[error("nobody said yet what assets {0} carries; ask the index of assets first")]
    UnknownAssets(OutPoint),
    /// An alkane would burn.
    #[error(
        "{0} carries an alkane, which a transaction without a protostone burns; give a protostone that points to output 0"
    )]
    NeedsProtostone(OutPoint),
    /// A commitment holds less than what spends it needs.
    #[error("the commitment holds {found}, spending it at this fee rate needs {needed}; give a lower fee rate")]
    Commitment {
        /// What it holds.
        found: Amount,
        /// What is needed.
        needed: Amount,
    },
}

impl Wallet {
    /// Pays bitcoin to a script.
    pub fn pay(&mut self, recipient: ScriptBuf, amount: Amount, fee_rate: FeeRate) -> Result<Payment, PaymentError> {
        check_fee_rate(fee_rate)?;
        let output = TxOut { value: amount, script_pubkey: recipient };
        check_dust(&output)?;
        let change = self.change_script();
        let draft = Draft {
            inputs: Vec::new(),
            outputs: vec![output],
            change: Change { script: change, position: 1, required: false },
        };
        let coins = self.coins();
        let (draft, _) = draft.fund(coins.iter().filter(|coin| coin.pays()), fee_rate)?;
        self.finish(draft)
    }

    /// Sends assets to a script, with bitcoin of clean coins for postage and fee.
    pub fn transfer(&mut self, transfer: Transfer) -> Result<Payment, PaymentError> {
        check_fee_rate(transfer.fee_rate)?;
        check_runestone(&transfer.runestone)?;
        let recipient = TxOut { value: POSTAGE, script_pubkey: transfer.recipient };
        check_dust(&recipient)?;
        let coins = self.coins();
        let moving: Vec<_> = coins.iter().filter(|coin| coin.moves()).collect();
        let chosen = selection::asset(&moving, transfer.asset, transfer.units)?;
        let (back, change) = (self.change_script(), self.change_script());
        let draft = Draft {
            inputs: chosen.into_iter().cloned().collect(),
            outputs: vec![
                TxOut { value: POSTAGE, script_pubkey: back },
                recipient,
                TxOut { value: Amount::ZERO, script_pubkey: transfer.runestone },
            ],
            change: Change { script: change, position: 3, required: false },
        };
        let (draft, _) = draft.fund(coins.iter().filter(|coin| coin.pays()), transfer.fee_rate)?;
        self.finish(draft)
    }

    /// Carries a runestone in a transaction that moves nothing, as a mint does.
    ///
    /// | output | what |
    /// |---|---|
    /// | 0 | [`POSTAGE`] to this wallet: where the runestone's pointer must lead, and does if there is none |
    /// | 1 | the runestone |
    /// | 2 | change of bitcoin, if any |
    pub fn carry(&mut self, runestone: ScriptBuf, fee_rate: FeeRate) -> Result<Payment, PaymentError> {
        check_fee_rate(fee_rate)?;
        check_runestone(&runestone)?;
        let (receive, change) = (self.change_script(), self.change_script());
        let draft = Draft {
            inputs: Vec::new(),
            outputs: vec![
                TxOut { value: POSTAGE, script_pubkey: receive },
                TxOut { value: Amount::ZERO, script_pubkey: runestone },
            ],
            change: Change { script: change, position: 2, required: false },
        };
        let coins = self.coins();
        let (draft, _) = draft.fund(coins.iter().filter(|coin| coin.pays()), fee_rate)?;
        self.finish(draft)
    }

    /// Spends own coins to this wallet, so that nobody else can use a signature that was given away.
    ///
    /// Works on coins that are reserved, and on coins that a waiting transaction spends: then it replaces that one and pays what
    /// BIP 125 asks for. Assets stay together on output 0, to which a `runestone` (with a protostone, needed for alkanes) must
    /// point.
    pub fn reclaim(
        &mut self,
        outpoints: &BTreeSet<OutPoint>,
        runestone: Option<ScriptBuf>,
        fee_rate: FeeRate,
    ) -> Result<Payment, PaymentError> {
        check_fee_rate(fee_rate)?;
        runestone.as_deref().map_or(Ok(()), check_runestone)?;
        let (inputs, spenders) = self.reclaimed(outpoints, runestone.is_some())?;
        let carries = inputs.iter().any(|coin| coin.state != CoinState::Clean);
        let mut outputs = Vec::new();
        if carries {
            outputs.push(TxOut { value: POSTAGE, script_pubkey: self.change_script() });
        }
        outputs.extend(runestone.map(|script_pubkey| TxOut { value: Amount::ZERO, script_pubkey }));
        let change = Change { script: self.change_script(), position: outputs.len(), required: !carries };
        let replaced = self.replaced(&spenders)?;
        let coins = self.coins();
        let extra =
            coins.iter().filter(|coin| coin.pays() && !outpoints.contains(&coin.outpoint) && replaced.allows(coin));
        let (draft, fee) = Draft { inputs, outputs, change }.fund(extra, fee_rate)?;
        replaced.check(fee, draft.weight())?;
        self.finish(draft)
    }

    /// Replaces a waiting transaction of this wallet by one with the same recipients and a higher fee, taken from its change and,
    /// if that does not suffice, from clean coins.
    pub fn bump(&mut self, txid: Txid, fee_rate: FeeRate) -> Result<Payment, PaymentError> {
        check_fee_rate(fee_rate)?;
        let original = self.replaceable(txid)?;
        let replaced = self.replaced(&[txid].into())?;
        let draft = self.reopened(txid, &original)?;
        let coins = self.coins();
        let extra = coins.iter().filter(|coin| coin.pays() && replaced.allows(coin));
        let (draft, fee) = draft.fund(extra, fee_rate)?;
        replaced.check(fee, draft.weight())?;
        self.finish(draft)
    }

    fn change_script(&mut self) -> ScriptBuf {
        self.address(KeychainKind::Internal).script_pubkey()
    }

    /// Signs what was drafted.
    fn finish(&self, draft: Draft) -> Result<Payment, PaymentError> {
        let named: BTreeSet<_> = draft.inputs.iter().map(|coin| coin.outpoint).collect();
        let fee = draft.fee()?;
        let weight = draft.weight();
        let mut psbt = draft.psbt();
        self.sign_inputs(&mut psbt, &named, TapSighashType::Default)?;
        let mut transaction = psbt.unsigned_tx;
        for (input, part) in transaction.input.iter_mut().zip(psbt.inputs) {
            let signature = part.tap_key_sig.expect("every input was named");
            input.witness = bitcoin::Witness::p2tr_key_spend(&signature);
        }
        assert_eq!(transaction.weight(), weight, "the fee was computed for another size");
        Ok(Payment { transaction, fee })
    }
}

fn check_fee_rate(fee_rate: FeeRate) -> Result<(), PaymentError> {
    if (MIN_FEE_RATE..=MAX_FEE_RATE).contains(&fee_rate) { Ok(()) } else { Err(PaymentError::FeeRate(fee_rate)) }
}

fn check_dust(output: &TxOut) -> Result<(), PaymentError> {
    let least = output.script_pubkey.minimal_non_dust();
    if output.value < least {
        return Err(PaymentError::Dust { found: output.value, least });
    }
    if output.value > Amount::MAX_MONEY { Err(PaymentError::Overflow) } else { Ok(()) }
}

fn check_runestone(script: &bitcoin::Script) -> Result<(), PaymentError> {
    if script.is_op_return() && script.len() <= MAX_RUNESTONE {
        Ok(())
    } else {
        Err(PaymentError::Runestone { found: script.len() })
    }
}

/// Sorts out what a reclaimed coin may be.
fn check_reclaimed(coin: &OwnCoin, has_runestone: bool) -> Result<(), PaymentError> {
    if coin.state == CoinState::Unknown {
        return Err(PaymentError::UnknownAssets(coin.outpoint));
    }
    if coin.carries_alkanes() && !has_runestone {
        return Err(PaymentError::NeedsProtostone(coin.outpoint));
    }
    Ok(())
}
