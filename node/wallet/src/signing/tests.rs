use std::sync::Arc;

use bdk_wallet::{KeychainKind, Update};
use bitcoin::{
    Amount, Network, Transaction, TxIn, Txid, absolute::LockTime, hashes::Hash, secp256k1::XOnlyPublicKey,
    transaction::Version,
};

use super::*;
use crate::seed::Seed;

fn payment(inputs: &[OutPoint], outputs: &[(ScriptBuf, u64)]) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: inputs.iter().map(|outpoint| TxIn { previous_output: *outpoint, ..TxIn::default() }).collect(),
        output: outputs
            .iter()
            .map(|(script, value)| TxOut { value: Amount::from_sat(*value), script_pubkey: script.clone() })
            .collect(),
    }
}

fn foreign() -> OutPoint {
    OutPoint::new(Txid::from_byte_array([8; 32]), 0)
}

fn stranger() -> TxOut {
    TxOut { value: Amount::from_sat(7_000), script_pubkey: ScriptBuf::from_bytes([vec![0, 20], vec![9; 20]].concat()) }
}

/// A wallet with two coins, and a PSBT of the first and somebody else's.
fn swap() -> (Wallet, [OutPoint; 2], Psbt) {
    let mut wallet = Wallet::create(&Seed::from_entropy(&[1; 16]).unwrap(), Network::Regtest).unwrap();
    let scripts = [wallet.address(KeychainKind::External), wallet.address(KeychainKind::Internal)];
    let funding = payment(&[foreign()], &scripts.map(|address| (address.script_pubkey(), 5_000)));
    let txid = funding.compute_txid();
    let mut update = Update::default();
    update.tx_update.seen_ats.insert((txid, 1));
    update.tx_update.txs.push(Arc::new(funding.clone()));
    wallet.apply(update).unwrap();
    let coins = [OutPoint::new(txid, 0), OutPoint::new(txid, 1)];
    let transaction = payment(&[foreign(), coins[0]], &[(stranger().script_pubkey, 4_000), (ScriptBuf::new(), 7_000)]);
    let mut psbt = Psbt::from_unsigned_tx(transaction).unwrap();
    psbt.inputs[0].witness_utxo = Some(stranger());
    psbt.inputs[1].witness_utxo = Some(funding.output[0].clone());
    (wallet, coins, psbt)
}

fn refused(wallet: &Wallet, psbt: &Psbt, inputs: &[OutPoint], style: TapSighashType) -> SigningError {
    let mut signed = psbt.clone();
    let error = wallet.sign_inputs(&mut signed, &inputs.iter().copied().collect(), style).unwrap_err();
    assert_eq!(&signed, psbt, "refused and changed");
    error
}

#[test]
fn only_the_named_input_is_signed_and_the_signature_holds() {
    for style in [TapSighashType::Default, TapSighashType::SinglePlusAnyoneCanPay] {
        let (wallet, coins, mut psbt) = swap();
        psbt.inputs[1].sighash_type = Some(style.into());
        wallet.sign_inputs(&mut psbt, &[coins[0]].into(), style).unwrap();
        assert_eq!(psbt.inputs[0].tap_key_sig, None);
        assert_eq!(psbt.inputs[0].partial_sigs.len(), 0);
        let signature = psbt.inputs[1].tap_key_sig.unwrap();
        assert_eq!(signature.sighash_type, style);

        let outputs: Vec<_> = psbt.inputs.iter().map(|input| input.witness_utxo.clone().unwrap()).collect();
        let mut cache = SighashCache::new(&psbt.unsigned_tx);
        let hash = cache.taproot_key_spend_signature_hash(1, &Prevouts::All(&outputs), style).unwrap();
        let key = XOnlyPublicKey::from_slice(&outputs[1].script_pubkey.as_bytes()[2..]).unwrap();
        let secp = bitcoin::key::Secp256k1::verification_only();
        secp.verify_schnorr(&signature.signature, &Message::from(hash), &key).unwrap();
    }
}

#[test]
fn an_own_coin_that_nobody_named_is_refused() {
    let (wallet, coins, psbt) = swap();
    let default = TapSighashType::Default;
    assert_eq!(refused(&wallet, &psbt, &[], default), SigningError::Unexpected(coins[0]));
    assert_eq!(refused(&wallet, &psbt, &[coins[0], coins[1]], default), SigningError::Missing(coins[1]));
    // The same behind an outpoint that this wallet does not know.
    let mut hidden = psbt;
    hidden.inputs[0].witness_utxo = hidden.inputs[1].witness_utxo.clone();
    assert_eq!(refused(&wallet, &hidden, &[coins[0]], default), SigningError::Unexpected(foreign()));
    assert_eq!(refused(&wallet, &hidden, &[coins[0], foreign()], default), SigningError::NotOurs(foreign()));
}

#[test]
fn lies_about_outputs_are_refused() {
    let (wallet, coins, mut psbt) = swap();
    psbt.inputs[0].witness_utxo = None;
    let error = refused(&wallet, &psbt, &[coins[0]], TapSighashType::Default);
    assert_eq!(error, SigningError::NoOutput(foreign()));
    psbt.inputs[0].witness_utxo = Some(stranger());
    psbt.inputs[1].witness_utxo.as_mut().unwrap().value = Amount::from_sat(4_999);
    let error = refused(&wallet, &psbt, &[coins[0]], TapSighashType::Default);
    let (found, expected) = (Amount::from_sat(4_999), Amount::from_sat(5_000));
    assert_eq!(error, SigningError::Output { outpoint: coins[0], found, expected });
    psbt.inputs.pop();
    let error = refused(&wallet, &psbt, &[coins[0]], TapSighashType::Default);
    assert_eq!(error, SigningError::Shape { found: 1, expected: 2 });
}

#[test]
fn another_sighash_than_agreed_is_refused() {
    use TapSighashType::{
        All, AllPlusAnyoneCanPay, Default, None, NonePlusAnyoneCanPay, Single, SinglePlusAnyoneCanPay,
    };
    let styles = [Default, All, None, Single, AllPlusAnyoneCanPay, NonePlusAnyoneCanPay, SinglePlusAnyoneCanPay];
    for agreed in [Default, SinglePlusAnyoneCanPay] {
        for asked in styles.into_iter().filter(|asked| *asked != agreed) {
            let (wallet, coins, mut psbt) = swap();
            psbt.inputs[1].sighash_type = Some(asked.into());
            let error = refused(&wallet, &psbt, &[coins[0]], agreed);
            assert!(matches!(error, SigningError::Sighash { expected, .. } if expected == agreed), "{asked}");
        }
    }
    // An ask without an output at its place would sign for anything.
    let (wallet, coins, mut psbt) = swap();
    psbt.inputs[1].sighash_type = Some(SinglePlusAnyoneCanPay.into());
    psbt.unsigned_tx.output.pop();
    psbt.outputs.pop();
    assert_eq!(refused(&wallet, &psbt, &[coins[0]], SinglePlusAnyoneCanPay), SigningError::NoPartner(coins[0]));
}
