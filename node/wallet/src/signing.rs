//! Signatures on own inputs, and on nothing else.
//!
//! Keys are BIP 86 output keys, signatures are BIP 340 without auxiliary randomness (which only guards against faulty hardware),
//! so that the same transaction gets the same signature in every run. A signature commits to the value and the script of every
//! input that it covers (BIP 341): one that was made with a lie about them is invalid and harmless.

use std::collections::BTreeSet;

use bitcoin::{
    OutPoint, Psbt, ScriptBuf, TapSighashType, TxOut,
    psbt::PsbtSighashType,
    secp256k1::Message,
    sighash::{Prevouts, SighashCache},
    taproot::Signature,
};
use darkswap_trade::psbt::{CheckedPsbt, Party, Style};
use thiserror::Error;

use crate::wallet::Wallet;

/// Why nothing was signed. The transaction is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SigningError {
    /// The parts of the PSBT do not fit together.
    #[error("found {found} PSBT inputs for {expected} transaction inputs; ask for a new one")]
    Shape {
        /// How many PSBT inputs.
        found: usize,
        /// How many transaction inputs.
        expected: usize,
    },
    /// An input to sign is not in the transaction.
    #[error("the transaction does not spend {0}, which it should; do not sign it")]
    Missing(OutPoint),
    /// An own output is spent that nobody named.
    #[error("the transaction spends {0} of this wallet, which nobody agreed to; do not sign it")]
    Unexpected(OutPoint),
    /// An input to sign is not ours.
    #[error("{0} is no output of this wallet; it cannot be signed")]
    NotOurs(OutPoint),
    /// The PSBT tells another value or script of an own output than the chain.
    #[error("the PSBT says that {outpoint} pays {found}, the chain says {expected}; do not sign it")]
    Output {
        /// Which one.
        outpoint: OutPoint,
        /// What the PSBT says.
        found: bitcoin::Amount,
        /// What the chain says.
        expected: bitcoin::Amount,
    },
    /// The PSBT does not say what an input spends, and the signature covers it.
    #[error("the PSBT does not say what {0} pays; every input needs its output")]
    NoOutput(OutPoint),
    /// Not the agreed way to sign.
    #[error("{outpoint} asks for {found}; expected {expected}; do not sign it")]
    Sighash {
        /// Which input.
        outpoint: OutPoint,
        /// What it asks for.
        found: PsbtSighashType,
        /// What was agreed.
        expected: TapSighashType,
    },
    /// The hash to sign cannot be computed: `SIGHASH_SINGLE` without an output at its place.
    #[error("{0} asks for SIGHASH_SINGLE and has no output at its place; do not sign it")]
    NoPartner(OutPoint),
}

/// What is signed for one input.
struct Task {
    at: usize,
    output: TxOut,
    signature: Signature,
}

impl Wallet {
    /// Signs this side's inputs of a swap that was checked: `checked.sign(|checked| wallet.sign(checked))`.
    ///
    /// The seller of an ask signs with SINGLE|ANYONECANPAY, everybody else with DEFAULT.
    pub fn sign(&self, checked: &CheckedPsbt) -> Result<Psbt, SigningError> {
        let style = match (checked.style(), checked.party()) {
            (Style::Presigned, Party::Seller) => TapSighashType::SinglePlusAnyoneCanPay,
            (Style::Presigned, Party::Buyer) | (Style::Interactive, _) => TapSighashType::Default,
        };
        let mut psbt = checked.psbt().clone();
        let ours = psbt.unsigned_tx.input.get(checked.our_inputs()).unwrap_or_default();
        let ours = ours.iter().map(|input| input.previous_output).collect();
        self.sign_inputs(&mut psbt, &ours, style)?;
        Ok(psbt)
    }

    /// Signs the inputs that are named, all or none of them. Refuses a transaction that spends any other output of this wallet,
    /// or whose inputs ask for another way to sign.
    pub(crate) fn sign_inputs(
        &self,
        psbt: &mut Psbt,
        inputs: &BTreeSet<OutPoint>,
        style: TapSighashType,
    ) -> Result<(), SigningError> {
        let (found, expected) = (psbt.inputs.len(), psbt.unsigned_tx.input.len());
        if found != expected {
            return Err(SigningError::Shape { found, expected });
        }
        let index = self.inner.spk_index();
        let mut missing = inputs.clone();
        for (input, part) in psbt.unsigned_tx.input.iter().zip(&psbt.inputs) {
            let outpoint = input.previous_output;
            let named = missing.remove(&outpoint);
            let ours = index.txout(outpoint).is_some()
                || part.witness_utxo.as_ref().is_some_and(|output| self.is_mine(&output.script_pubkey));
            if ours && !named {
                return Err(SigningError::Unexpected(outpoint));
            }
        }
        if let Some(outpoint) = missing.first() {
            return Err(SigningError::Missing(*outpoint));
        }
        let tasks = self.tasks(psbt, inputs, style)?;
        for task in tasks {
            let part = psbt.inputs.get_mut(task.at).expect("counted above");
            part.witness_utxo = Some(task.output);
            part.tap_key_sig = Some(task.signature);
        }
        Ok(())
    }

    fn tasks(
        &self,
        psbt: &Psbt,
        inputs: &BTreeSet<OutPoint>,
        style: TapSighashType,
    ) -> Result<Vec<Task>, SigningError> {
        let index = self.inner.spk_index();
        let secp = self.inner.secp_ctx();
        let mut cache = SighashCache::new(&psbt.unsigned_tx);
        let anyone = style == TapSighashType::SinglePlusAnyoneCanPay;
        let outputs = if anyone { None } else { Some(self.spent_outputs(psbt)?) };
        let mut tasks = Vec::new();
        for (at, (input, part)) in psbt.unsigned_tx.input.iter().zip(&psbt.inputs).enumerate() {
            let outpoint = input.previous_output;
            if !inputs.contains(&outpoint) {
                continue;
            }
            let Some(((keychain, number), output)) = index.txout(outpoint) else {
                return Err(SigningError::NotOurs(outpoint));
            };
            if let Some(said) = part.witness_utxo.as_ref().filter(|said| *said != output) {
                return Err(SigningError::Output { outpoint, found: said.value, expected: output.value });
            }
            // An input that asks for nothing asks for DEFAULT (BIP 371).
            let asked = part.sighash_type.unwrap_or(TapSighashType::Default.into());
            if asked != style.into() {
                return Err(SigningError::Sighash { outpoint, found: asked, expected: style });
            }
            let spent = match &outputs {
                Some(outputs) => Prevouts::All(outputs),
                None => Prevouts::One(at, output.clone()),
            };
            let hash = cache
                .taproot_key_spend_signature_hash(at, &spent, style)
                .map_err(|_| SigningError::NoPartner(outpoint))?;
            let message = Message::from(hash);
            let key = self.keys.output_key(keychain, number, secp).to_keypair();
            let signature = secp.sign_schnorr_no_aux_rand(&message, &key);
            let public = bitcoin::key::TweakedPublicKey::dangerous_assume_tweaked(key.x_only_public_key().0);
            assert_eq!(ScriptBuf::new_p2tr_tweaked(public), output.script_pubkey, "the key is not that of the output");
            secp.verify_schnorr(&signature, &message, &public.to_x_only_public_key())
                .expect("a signature that was just made verifies, unless the computer miscalculates");
            tasks.push(Task { at, output: output.clone(), signature: Signature { signature, sighash_type: style } });
        }
        Ok(tasks)
    }

    /// What every input spends: own outputs as the chain says, others as the PSBT says.
    fn spent_outputs(&self, psbt: &Psbt) -> Result<Vec<TxOut>, SigningError> {
        let index = self.inner.spk_index();
        let inputs = psbt.unsigned_tx.input.iter().zip(&psbt.inputs);
        inputs
            .map(|(input, part)| {
                let own = index.txout(input.previous_output).map(|(_, output)| output.clone());
                own.or_else(|| part.witness_utxo.clone()).ok_or(SigningError::NoOutput(input.previous_output))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
