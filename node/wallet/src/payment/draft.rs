//! A transaction in the making: inputs, outputs, and where the rest goes.

use bitcoin::{
    Amount, FeeRate, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Weight, absolute::LockTime,
    transaction::Version,
};

use super::PaymentError;
use crate::{
    coin::OwnCoin,
    selection::{self, INPUT_WEIGHT, MAX_INPUTS},
    wallet::total,
};

/// The marker and the flag of a transaction with witnesses (BIP 144).
const SEGWIT_WEIGHT: Weight = Weight::from_wu(2);

/// An input without its witness: outpoint, empty script, sequence.
const INPUT_BASE_WEIGHT: Weight = Weight::from_wu(4 * 41);

/// Where the rest goes.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) script: ScriptBuf,
    /// The place among the outputs. Runestones name outputs by place, so it stays.
    pub(super) position: usize,
    /// Whether there must be such an output.
    pub(super) required: bool,
}

/// A transaction in the making; after [`fund`](Self::fund), the outputs include the change.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) inputs: Vec<OwnCoin>,
    /// Without the change.
    pub(super) outputs: Vec<TxOut>,
    pub(super) change: Change,
}

impl Draft {
    /// Adds the fewest, oldest coins that are needed to pay outputs and fee, and the change if it is worth an output. The order
    /// of `coins` is their age. Returns the fee as well.
    pub(super) fn fund<'c>(
        mut self,
        coins: impl Iterator<Item = &'c OwnCoin>,
        fee_rate: FeeRate,
    ) -> Result<(Self, Amount), PaymentError> {
        let fee_of = |weight: Weight| fee_rate.fee_wu(weight).ok_or(PaymentError::Overflow);
        let dust = self.change.script.minimal_non_dust();
        let fixed = sum(&self.outputs)?;

        // The least that inputs must bring.
        let floor = if self.change.required { dust } else { Amount::ZERO };
        let least = weight(self.inputs.len(), &self.outputs_with(self.change.required.then_some(dust)));
        let goal = add(add(fixed, floor)?, fee_of(least)?)?;
        if let Some(short) = goal.checked_sub(self.value()).filter(|short| *short > Amount::ZERO) {
            let room = MAX_INPUTS.saturating_sub(self.inputs.len());
            let coins: Vec<_> = coins.collect();
            let extra = selection::bitcoin(&coins, short, fee_rate, room)?;
            self.inputs.extend(extra.into_iter().cloned());
        }
        if self.inputs.len() > MAX_INPUTS {
            return Err(PaymentError::TooManyInputs { found: self.inputs.len() });
        }

        // What is left with one more output goes there, unless it is dust: then it is part of the fee.
        let with_change = weight(self.inputs.len(), &self.outputs_with(Some(dust)));
        let rest = self.value().checked_sub(add(fixed, fee_of(with_change)?)?).filter(|rest| *rest >= dust);
        assert!(rest.is_some() || !self.change.required, "the goal included the least change");
        self.outputs = self.outputs_with(rest);
        let fee = self.fee()?;
        Ok((self, fee))
    }

    /// What inputs bring and outputs do not take.
    pub(super) fn fee(&self) -> Result<Amount, PaymentError> {
        self.value().checked_sub(sum(&self.outputs)?).ok_or(PaymentError::Overflow)
    }

    /// The weight of the signed transaction, exactly: all witnesses have one size.
    pub(super) fn weight(&self) -> Weight {
        weight(self.inputs.len(), &self.outputs)
    }

    /// The transaction to sign.
    pub(super) fn psbt(self) -> Psbt {
        let input = self
            .inputs
            .iter()
            .map(|coin| TxIn {
                previous_output: coin.outpoint,
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                ..TxIn::default()
            })
            .collect();
        let transaction = Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input, output: self.outputs };
        let mut psbt = Psbt::from_unsigned_tx(transaction).expect("there are no signatures in it yet");
        for (part, coin) in psbt.inputs.iter_mut().zip(self.inputs) {
            part.witness_utxo = Some(coin.output);
        }
        psbt
    }

    fn value(&self) -> Amount {
        total(self.inputs.iter().map(|coin| coin.output.value))
    }

    fn outputs_with(&self, change: Option<Amount>) -> Vec<TxOut> {
        let mut outputs = self.outputs.clone();
        if let Some(value) = change {
            let output = TxOut { value, script_pubkey: self.change.script.clone() };
            outputs.insert(self.change.position.min(outputs.len()), output);
        }
        outputs
    }
}

/// The weight of a signed transaction with so many taproot inputs.
fn weight(inputs: usize, outputs: &[TxOut]) -> Weight {
    let empty =
        Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: Vec::new(), output: outputs.to_vec() };
    // At most 100 inputs: their number takes one byte, as zero does. A transaction without inputs counts as one with witnesses.
    let shell = empty.base_size().saturating_mul(4);
    let all = u64::try_from(inputs).expect("at most 100");
    assert_eq!(INPUT_WEIGHT.to_wu() - INPUT_BASE_WEIGHT.to_wu(), 66, "one count, one length, one signature");
    Weight::from_wu_usize(shell) + SEGWIT_WEIGHT + INPUT_WEIGHT * all
}

fn sum(outputs: &[TxOut]) -> Result<Amount, PaymentError> {
    outputs.iter().try_fold(Amount::ZERO, |sum, output| add(sum, output.value))
}

fn add(a: Amount, b: Amount) -> Result<Amount, PaymentError> {
    a.checked_add(b).filter(|sum| *sum <= Amount::MAX_MONEY).ok_or(PaymentError::Overflow)
}
