//! Keys of a test: the bitcoind that is built here has no wallet, so the test signs.

use anyhow::{Context as _, Result, ensure};
use bitcoin::absolute::LockTime;
use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::key::{Keypair, Secp256k1, TapTweak as _};
use bitcoin::secp256k1::{All, Message, SecretKey, XOnlyPublicKey};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{Address, Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};

/// A key with a taproot output that it spends by its signature alone (BIP 86).
#[derive(Clone, Debug)]
pub struct Key {
    secp: Secp256k1<All>,
    pair: Keypair,
    script: ScriptBuf,
}

impl Key {
    /// The key of that number: the same one in every test.
    pub fn numbered(number: u64) -> Self {
        Self::from_seed(&number.to_be_bytes())
    }

    /// The key that follows from `seed`.
    pub fn from_seed(seed: &[u8]) -> Self {
        let secp = Secp256k1::new();
        let secret = sha256::Hash::hash(seed).to_byte_array();
        let secret = SecretKey::from_slice(&secret).expect("a hash outside the group order was never found");
        let pair = Keypair::from_secret_key(&secp, &secret);
        let script = ScriptBuf::new_p2tr(&secp, pair.x_only_public_key().0, None);
        Self { secp, pair, script }
    }

    /// The script of its output.
    pub fn script(&self) -> &ScriptBuf {
        &self.script
    }

    /// The address of its output.
    pub fn address(&self) -> Address {
        Address::from_script(&self.script, Network::Regtest).expect("a taproot output has an address")
    }

    /// The public key before its tweak.
    pub fn internal_key(&self) -> XOnlyPublicKey {
        self.pair.x_only_public_key().0
    }

    /// A signed transaction that spends `coins` in their order and makes `outputs`. What the coins have more is the fee.
    ///
    /// It may be replaced (BIP 125). Inputs of other keys stay unsigned.
    ///
    /// # Errors
    ///
    /// When a coin cannot be hashed for its signature.
    pub fn spend(&self, coins: &[(OutPoint, TxOut)], outputs: Vec<TxOut>) -> Result<Transaction> {
        let input = |(previous_output, _): &(OutPoint, TxOut)| TxIn {
            previous_output: *previous_output,
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            ..TxIn::default()
        };
        let input = coins.iter().map(input).collect();
        let mut transaction = Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input, output: outputs };
        let spent: Vec<TxOut> = coins.iter().map(|(_, output)| output.clone()).collect();
        self.sign(&mut transaction, &spent)?;
        Ok(transaction)
    }

    /// An output of this key.
    pub fn output(&self, value: Amount) -> TxOut {
        TxOut { value, script_pubkey: self.script.clone() }
    }

    /// Signs every input of `transaction` that spends an output of this key. `spent` are the outputs that its inputs spend, in order.
    ///
    /// # Errors
    ///
    /// When `spent` does not have an output for each input.
    pub fn sign(&self, transaction: &mut Transaction, spent: &[TxOut]) -> Result<()> {
        let inputs = transaction.input.len();
        ensure!(spent.len() == inputs, "{} spent outputs for {inputs} inputs: one for each is needed", spent.len());
        let tweaked = self.pair.tap_tweak(&self.secp, None).to_keypair();
        let own = (0..inputs).filter(|index| spent[*index].script_pubkey == self.script);
        for index in own.collect::<Vec<_>>() {
            let mut cache = SighashCache::new(&*transaction);
            let prevouts = Prevouts::All(spent);
            let hash = cache
                .taproot_key_spend_signature_hash(index, &prevouts, TapSighashType::Default)
                .context("cannot hash the transaction")?;
            let signature = self.secp.sign_schnorr_no_aux_rand(&Message::from(hash), &tweaked);
            transaction.input[index].witness = Witness::from_slice(&[signature.serialize()]);
        }
        Ok(())
    }
}
