//! Signatures of inputs: taken from a PSBT, verified, and put into witnesses.

use std::sync::LazyLock;

use bitcoin::hashes::Hash;
use bitcoin::psbt::{self, PsbtSighashType};
use bitcoin::secp256k1::{Message, Secp256k1, VerifyOnly};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::{Psbt, PublicKey, ScriptBuf, Transaction, TxOut, Witness, XOnlyPublicKey, ecdsa, taproot};

use super::spend::Spend;

/// Verification has no state and no secrets.
static SECP: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// What is wrong with a signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It is of another kind than its input needs, or there is more than one.
    #[error("found a signature of another kind, or several, on input {input}, expected one that fits its script")]
    Kind {
        /// The input.
        input: usize,
    },
    /// It signs with another sighash type.
    #[error("found another sighash type than agreed in the signature of input {input}")]
    Sighash {
        /// The input.
        input: usize,
    },
    /// It is by a key that the script does not name.
    #[error("the signature of input {input} is by another key than its script names")]
    Key {
        /// The input.
        input: usize,
    },
    /// It does not verify.
    #[error("the signature of input {input} does not verify")]
    Invalid {
        /// The input.
        input: usize,
    },
    /// It is missing.
    #[error("found no signature of input {input}: is its key in this wallet?")]
    Missing {
        /// The input.
        input: usize,
    },
    /// The signer gave back another transaction than it was given.
    #[error("found signatures of another transaction than the checked one")]
    Transaction,
}

/// A signature of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    KeyPath(taproot::Signature),
    Wpkh(PublicKey, ecdsa::Signature),
}

impl Signature {
    /// The signature in the fields of an input; none if there is none.
    pub(super) fn of(input: usize, fields: &psbt::Input, spend: Spend) -> Result<Option<Self>, SignatureError> {
        let wrong = SignatureError::Kind { input };
        match spend {
            Spend::KeyPath if fields.partial_sigs.is_empty() => Ok(fields.tap_key_sig.map(Self::KeyPath)),
            Spend::Wpkh if fields.tap_key_sig.is_none() && fields.partial_sigs.len() <= 1 => {
                Ok(fields.partial_sigs.iter().next().map(|(key, signature)| Self::Wpkh(*key, *signature)))
            }
            Spend::KeyPath | Spend::Wpkh => Err(wrong),
        }
    }

    /// The same where a signer has already made the witness.
    pub(super) fn of_witness(fields: &psbt::Input, spend: Spend) -> Option<Self> {
        let witness = fields.final_script_witness.as_ref()?;
        match (spend, witness.len()) {
            (Spend::KeyPath, 1) => taproot::Signature::from_slice(witness.nth(0)?).ok().map(Self::KeyPath),
            (Spend::Wpkh, 2) => {
                let signature = ecdsa::Signature::from_slice(witness.nth(0)?).ok()?;
                Some(Self::Wpkh(PublicKey::from_slice(witness.nth(1)?).ok()?, signature))
            }
            (Spend::KeyPath | Spend::Wpkh, _) => None,
        }
    }

    /// Puts it into the fields of an input.
    pub(super) fn put(self, fields: &mut psbt::Input) {
        match self {
            Self::KeyPath(signature) => fields.tap_key_sig = Some(signature),
            Self::Wpkh(key, signature) => {
                fields.partial_sigs.insert(key, signature);
            }
        }
    }

    /// The witness of the signed input.
    pub(super) fn witness(&self) -> Witness {
        match self {
            Self::KeyPath(signature) => Witness::p2tr_key_spend(signature),
            Self::Wpkh(key, signature) => Witness::p2wpkh(signature, &key.inner),
        }
    }
}

/// Verifies signatures of one transaction, whose inputs' previous outputs and sighash types are known to be right.
pub(super) struct Verifier<'a> {
    cache: SighashCache<&'a Transaction>,
    previous: Vec<TxOut>,
    sighashes: Vec<PsbtSighashType>,
}

impl<'a> Verifier<'a> {
    /// For a PSBT that this side built.
    pub(super) fn new(own: &'a Psbt) -> Self {
        let previous = own.inputs.iter().map(|input| input.witness_utxo.clone().expect("an own PSBT has it"));
        let sighashes = own.inputs.iter().map(|input| input.sighash_type.expect("an own PSBT has it"));
        Self {
            cache: SighashCache::new(&own.unsigned_tx),
            previous: previous.collect(),
            sighashes: sighashes.collect(),
        }
    }

    /// Verifies the signature of one input.
    pub(super) fn verify(&mut self, input: usize, signature: &Signature) -> Result<(), SignatureError> {
        match signature {
            Signature::KeyPath(signature) => self.key_path(input, signature),
            Signature::Wpkh(key, signature) => self.wpkh(input, key, signature),
        }
    }

    /// BIP 341.
    fn key_path(&mut self, input: usize, signature: &taproot::Signature) -> Result<(), SignatureError> {
        if self.sighashes[input] != signature.sighash_type.into() {
            return Err(SignatureError::Sighash { input });
        }
        let script = self.previous[input].script_pubkey.as_bytes();
        // OP_1, a push of 32 bytes, the key.
        let key = script.get(2..).and_then(|key| XOnlyPublicKey::from_slice(key).ok());
        let key = key.ok_or(SignatureError::Key { input })?;
        let sighash = self
            .cache
            .taproot_key_spend_signature_hash(input, &Prevouts::All(&self.previous), signature.sighash_type)
            .map_err(|_| SignatureError::Invalid { input })?;
        let message = Message::from_digest(sighash.to_byte_array());
        SECP.verify_schnorr(&signature.signature, &message, &key).map_err(|_| SignatureError::Invalid { input })
    }

    /// BIP 143.
    fn wpkh(&mut self, input: usize, key: &PublicKey, signature: &ecdsa::Signature) -> Result<(), SignatureError> {
        if self.sighashes[input] != signature.sighash_type.into() {
            return Err(SignatureError::Sighash { input });
        }
        let previous = &self.previous[input];
        let hash = key.wpubkey_hash().map_err(|_| SignatureError::Key { input })?;
        if previous.script_pubkey != ScriptBuf::new_p2wpkh(&hash) {
            return Err(SignatureError::Key { input });
        }
        let sighash = self
            .cache
            .p2wpkh_signature_hash(input, &previous.script_pubkey, previous.value, signature.sighash_type)
            .map_err(|_| SignatureError::Invalid { input })?;
        let message = Message::from_digest(sighash.to_byte_array());
        SECP.verify_ecdsa(&message, &signature.signature, &key.inner).map_err(|_| SignatureError::Invalid { input })
    }
}
