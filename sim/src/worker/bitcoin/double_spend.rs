//! A trader that spends what it has promised.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bitcoin::hashes::Hash as _;
use bitcoin::key::Secp256k1;
use bitcoin::secp256k1::Message;
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::taproot::Signature;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute, transaction};
use darkswap_chain::FullNode;

use super::Bitcoin;
use super::purse::Purse;

/// What it pays to miners: more than any swap of a scenario, which it has to displace (BIP 125).
const FEE: Amount = Amount::from_sat(50_000);

impl Bitcoin {
    /// Spends a host's own inputs of a transaction elsewhere, in place of it.
    ///
    /// # Errors
    /// The host is no trader, has nothing to do with the transaction, cannot pay the fee, or nobody relays it.
    pub(crate) fn double_spend(&self, host: usize, swap: &Transaction, now: Duration) -> Result<Txid> {
        let purse = self.purse(host).context("only traders spend")?;
        self.inner.chain.change(now, |node| {
            let transaction = elsewhere(purse, node, swap)?;
            Ok(node.broadcast(now, transaction)?)
        })
    }
}

/// A transaction with the same inputs of the purse, and one more for the fee, all of which goes back to the purse.
fn elsewhere(purse: &Purse, node: &FullNode, swap: &Transaction) -> Result<Transaction> {
    let coins = node.chain().coins();
    let own = |outpoint: &OutPoint| {
        let coin = coins.coin(outpoint)?;
        purse.owns(&coin.output.script_pubkey).then(|| (*outpoint, coin.output.clone()))
    };
    let promised: BTreeSet<OutPoint> = swap.input.iter().map(|input| input.previous_output).collect();
    let mut spent: Vec<(OutPoint, TxOut)> = promised.iter().filter_map(own).collect();
    ensure!(!spent.is_empty(), "found no confirmed input of the trader in the swap, expected one");
    let sum = |spent: &[(OutPoint, TxOut)]| spent.iter().map(|(_, output)| output.value).sum::<Amount>();
    if sum(&spent) <= FEE * 2 {
        let free = coins.iter().filter(|(outpoint, coin)| {
            let waits = node.mempool().spender(outpoint).is_some();
            purse.owns(&coin.output.script_pubkey)
                && coin.output.value > FEE * 2
                && !waits
                && !promised.contains(outpoint)
        });
        let (outpoint, coin) = free.into_iter().next().context("no coin pays the fee")?;
        spent.push((*outpoint, coin.output.clone()));
    }
    let value = sum(&spent).checked_sub(FEE).context("the coins pay the fee")?;
    let input = |(previous_output, _): &(OutPoint, TxOut)| TxIn {
        previous_output: *previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    let mut transaction = Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: spent.iter().map(input).collect(),
        // Runes follow to the first output.
        output: vec![TxOut { value, script_pubkey: purse.script()?.clone() }],
    };
    sign(purse, &mut transaction, &spent.into_iter().map(|(_, output)| output).collect::<Vec<_>>())?;
    Ok(transaction)
}

/// Signs every input with its key (BIP 341, key path).
fn sign(purse: &Purse, transaction: &mut Transaction, spent: &[TxOut]) -> Result<()> {
    let secp = Secp256k1::new();
    let mut cache = SighashCache::new(transaction);
    for (index, output) in spent.iter().enumerate() {
        let sighash_type = TapSighashType::Default;
        let sighash = cache.taproot_key_spend_signature_hash(index, &Prevouts::All(spent), sighash_type)?;
        let message = Message::from_digest(sighash.to_byte_array());
        let key = purse.key(&output.script_pubkey)?.to_keypair();
        let signature = Signature { signature: secp.sign_schnorr_no_aux_rand(&message, &key), sighash_type };
        *cache.witness_mut(index).context("an input for each output")? = Witness::p2tr_key_spend(&signature);
    }
    Ok(())
}
