//! A checked PSBT, the signatures on it, and the transaction that comes of them.

use std::ops::Range;

use bitcoin::{Amount, Psbt, Transaction, Txid};

use super::signature::{Signature, SignatureError, Verifier};
use super::spend::Spend;
use super::{Party, PsbtRefusal, ReceivedPsbt, Style};

/// A PSBT that may be signed. Only checks make one.
///
/// It is what this side derived itself, with the signatures of the received one that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedPsbt {
    pub(super) psbt: Psbt,
    pub(super) party: Party,
    pub(super) ours: Range<usize>,
    pub(super) style: Style,
    pub(super) fee: Amount,
}

/// Why there is no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError<E> {
    /// The signer failed.
    #[error("the signer failed: {0}")]
    Signer(E),
    /// What it made is not what was asked for.
    #[error(transparent)]
    Signature(SignatureError),
}

impl CheckedPsbt {
    /// What to sign. Every input has its previous output and its sighash type.
    #[must_use]
    pub fn psbt(&self) -> &Psbt {
        &self.psbt
    }

    /// Which side this one is.
    #[must_use]
    pub fn party(&self) -> Party {
        self.party
    }

    /// The inputs that this side signs. Signatures on others are thrown away.
    #[must_use]
    pub fn our_inputs(&self) -> Range<usize> {
        self.ours.clone()
    }

    /// How the seller signs. With [`Style::Presigned`] a signer has to allow SINGLE|ANYONECANPAY on the seller's input.
    #[must_use]
    pub fn style(&self) -> Style {
        self.style
    }

    /// What the miner gets; zero for an ask, which its buyer completes.
    #[must_use]
    pub fn fee(&self) -> Amount {
        self.fee
    }

    /// The id of the transaction. Signatures do not change it, since all inputs are segwit. An ask's is not final.
    #[must_use]
    pub fn txid(&self) -> Txid {
        self.psbt.unsigned_tx.compute_txid()
    }

    /// Whether every input of the other side is signed, so that the own signatures complete the transaction.
    #[must_use]
    pub fn is_signed_by_other(&self) -> bool {
        (0..self.psbt.inputs.len()).all(|input| self.ours.contains(&input) || is_signed(&self.psbt, input))
    }

    /// Has it signed: `signer` returns the PSBT with signatures on [`Self::our_inputs`].
    pub fn sign<E>(self, signer: impl FnOnce(&Self) -> Result<Psbt, E>) -> Result<PartlySigned, SignError<E>> {
        let signed = signer(&self).map_err(SignError::Signer)?;
        self.signed(&signed).map_err(SignError::Signature)
    }

    /// Takes the signatures of the own inputs from what a signer returned, and nothing else, and verifies them.
    ///
    /// Final witnesses are taken as well, since wallets like to make them.
    pub fn signed(mut self, signed: &Psbt) -> Result<PartlySigned, SignatureError> {
        if signed.unsigned_tx != self.psbt.unsigned_tx || signed.inputs.len() != self.psbt.inputs.len() {
            return Err(SignatureError::Transaction);
        }
        let mut verifier = Verifier::new(&self.psbt);
        let mut signatures = Vec::with_capacity(self.ours.len());
        for input in self.ours.clone() {
            let (fields, spend) = (&signed.inputs[input], spend(&self.psbt, input));
            let found = Signature::of(input, fields, spend)?.or_else(|| Signature::of_witness(fields, spend));
            let signature = found.ok_or(SignatureError::Missing { input })?;
            verifier.verify(input, &signature)?;
            signatures.push(signature);
        }
        for (input, signature) in self.ours.clone().zip(signatures) {
            let fields = &mut self.psbt.inputs[input];
            // A received signature of an own input, by an own key, may already be there.
            fields.partial_sigs.clear();
            signature.put(fields);
        }
        Ok(self.into_partly_signed())
    }

    /// The same with the signatures that it has, for going on after a restart with what was signed before.
    #[must_use]
    pub fn into_partly_signed(self) -> PartlySigned {
        PartlySigned { psbt: self.psbt, fee: self.fee }
    }
}

/// A checked PSBT with signatures that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartlySigned {
    psbt: Psbt,
    fee: Amount,
}

/// An input has no signature yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found no signature of input {input}: combine with the other side's first")]
pub struct Unfinished {
    /// The input.
    pub input: usize,
}

impl PartlySigned {
    /// The bytes for the other side (BIP 174).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.psbt.serialize()
    }

    /// The PSBT.
    #[must_use]
    pub fn psbt(&self) -> &Psbt {
        &self.psbt
    }

    /// The id of the transaction.
    #[must_use]
    pub fn txid(&self) -> Txid {
        self.psbt.unsigned_tx.compute_txid()
    }

    /// What the miner gets.
    #[must_use]
    pub fn fee(&self) -> Amount {
        self.fee
    }

    /// Whether every input is signed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        (0..self.psbt.inputs.len()).all(|input| is_signed(&self.psbt, input))
    }

    /// Adds the other side's signatures, each of which has to verify. The transaction has to be the same.
    pub fn combine(mut self, other: &ReceivedPsbt) -> Result<Self, PsbtRefusal> {
        if other.psbt.unsigned_tx != self.psbt.unsigned_tx || other.psbt.inputs.len() != self.psbt.inputs.len() {
            return Err(PsbtRefusal::Different);
        }
        take_signatures(&mut self.psbt, &other.psbt)?;
        Ok(self)
    }

    /// The transaction to broadcast.
    pub fn finalize(self) -> Result<Transaction, Unfinished> {
        let mut witnesses = Vec::with_capacity(self.psbt.inputs.len());
        for input in 0..self.psbt.inputs.len() {
            witnesses.push(signature(&self.psbt, input).ok_or(Unfinished { input })?.witness());
        }
        let mut tx = self.psbt.unsigned_tx;
        for (input, witness) in tx.input.iter_mut().zip(witnesses) {
            input.witness = witness;
        }
        Ok(tx)
    }
}

/// Verifies the signatures in `received` and takes those that `own` lacks. Both have the same inputs.
pub(super) fn take_signatures(own: &mut Psbt, received: &Psbt) -> Result<(), SignatureError> {
    let mut verifier = Verifier::new(own);
    let mut signatures = Vec::new();
    for (input, fields) in received.inputs.iter().enumerate() {
        if let Some(signature) = Signature::of(input, fields, spend(own, input))? {
            verifier.verify(input, &signature)?;
            signatures.push((input, signature));
        }
    }
    for (input, signature) in signatures {
        if !is_signed(own, input) {
            signature.put(&mut own.inputs[input]);
        }
    }
    Ok(())
}

/// The verified signature of an input, if there is one.
pub(super) fn signature(own: &Psbt, input: usize) -> Option<Signature> {
    Signature::of(input, &own.inputs[input], spend(own, input)).ok().flatten()
}

fn is_signed(own: &Psbt, input: usize) -> bool {
    own.inputs[input].tap_key_sig.is_some() || !own.inputs[input].partial_sigs.is_empty()
}

/// How an input of a PSBT that this side built is spent.
fn spend(own: &Psbt, input: usize) -> Spend {
    let previous = own.inputs[input].witness_utxo.as_ref();
    previous.and_then(|output| Spend::of(&output.script_pubkey)).expect("only known kinds are built")
}
