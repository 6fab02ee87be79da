//! One side: its wallet, its disk, and the machine between them.

use std::time::Duration;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::key::{Keypair, Secp256k1, TapTweak};
use bitcoin::secp256k1::{All, Message};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::taproot::Signature;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, Psbt, ScriptBuf, Sequence, TapSighashType, Transaction, TxIn, TxOut, Txid, Witness};
use darkswap_trade::Time;
use darkswap_trade::order::TraderKey;
use darkswap_trade::psbt::Stake;
use darkswap_trade::swap::{Body, Fills, Output, Phase, Record, Spend, Stage, Swap};

use crate::chain::Chain;

pub(crate) const MAKER: usize = 0;
pub(crate) const TAKER: usize = 1;

pub(crate) struct Trader {
    pub(crate) key: TraderKey,
    pub(crate) keypair: Keypair,
    pub(crate) script: ScriptBuf,
    /// Holds the asset, more than is traded.
    pub(crate) asset_coin: OutPoint,
    pub(crate) bitcoin_coin: OutPoint,
    /// Never brought into the swap by its owner.
    pub(crate) other_coin: OutPoint,
    pub(crate) swap: Option<Swap>,
    pub(crate) disk: Option<String>,
    pub(crate) fills: Fills,
    pub(crate) watching: Option<(Txid, Vec<Spend>)>,
    /// Counts lives: answers to questions of an earlier life are lost.
    pub(crate) life: u64,
    pub(crate) is_up: bool,
    pub(crate) skew: Duration,
    pub(crate) is_evil: bool,
    pub(crate) reclaims: Vec<Txid>,
    pub(crate) moves: Vec<(Phase, Phase, Option<String>)>,
    pub(crate) wealth_before: (u64, u128),
    /// Evil: what it did not do, for later.
    pub(crate) hidden: Vec<Transaction>,
    pub(crate) captured: Vec<Body>,
    pub(crate) drafts: Vec<Psbt>,
}

impl Trader {
    pub(crate) fn new(secp: &Secp256k1<All>, number: u8, skew: Duration) -> Self {
        let keypair = Keypair::from_seckey_slice(secp, &[number; 32]).unwrap();
        let script = ScriptBuf::new_p2tr_tweaked(keypair.x_only_public_key().0.dangerous_assume_tweaked());
        let nowhere = OutPoint { txid: Txid::all_zeros(), vout: 0 };
        Self {
            key: TraderKey([number; 32]),
            keypair,
            script,
            asset_coin: nowhere,
            bitcoin_coin: nowhere,
            other_coin: nowhere,
            swap: None,
            disk: None,
            fills: Fills::new(),
            watching: None,
            life: 0,
            is_up: true,
            skew,
            is_evil: false,
            reclaims: Vec::new(),
            moves: Vec::new(),
            wealth_before: (0, 0),
            hidden: Vec::new(),
            captured: Vec::new(),
            drafts: Vec::new(),
        }
    }

    pub(crate) fn now(&self, world: Time) -> Time {
        world + self.skew
    }

    pub(crate) fn stake(&self, inputs: Vec<OutPoint>) -> Stake {
        Stake { inputs, receive: self.script.clone(), change: self.script.clone() }
    }

    /// What is on disk.
    pub(crate) fn durable(&self) -> Option<Record> {
        self.disk.as_ref().map(|text| serde_json::from_str(text).unwrap())
    }

    /// Signs every input that it has the key of, like a wallet that does not look.
    pub(crate) fn sign(&self, secp: &Secp256k1<All>, mut psbt: Psbt) -> Psbt {
        let previous: Vec<TxOut> = psbt.inputs.iter().map(|input| input.witness_utxo.clone().unwrap()).collect();
        let tx = psbt.unsigned_tx.clone();
        for index in 0..previous.len() {
            if previous[index].script_pubkey == self.script {
                let sighash_type = psbt.inputs[index].taproot_hash_ty().unwrap();
                psbt.inputs[index].tap_key_sig = Some(self.signature(secp, &tx, index, &previous, sighash_type));
            }
        }
        psbt
    }

    fn signature(
        &self,
        secp: &Secp256k1<All>,
        tx: &Transaction,
        index: usize,
        previous: &[TxOut],
        sighash_type: TapSighashType,
    ) -> Signature {
        let prevouts = match sighash_type {
            TapSighashType::SinglePlusAnyoneCanPay => Prevouts::One(index, previous[index].clone()),
            _ => Prevouts::All(previous),
        };
        let hash = SighashCache::new(tx).taproot_key_spend_signature_hash(index, &prevouts, sighash_type).unwrap();
        let signature = secp.sign_schnorr_no_aux_rand(&Message::from_digest(hash.to_byte_array()), &self.keypair);
        Signature { signature, sighash_type }
    }

    /// Spends own outputs to itself.
    pub(crate) fn spend(
        &self,
        chain: &Chain,
        outpoints: &[OutPoint],
        value: impl Fn(u64) -> u64,
    ) -> Option<Transaction> {
        let previous: Option<Vec<TxOut>> = outpoints.iter().map(|it| chain.output(*it)).collect();
        let previous = previous?;
        let sum: u64 = previous.iter().map(|output| output.value.to_sat()).sum();
        let input = |outpoint: &OutPoint| TxIn {
            previous_output: *outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        };
        let output = TxOut { value: Amount::from_sat(value(sum)), script_pubkey: self.script.clone() };
        let mut tx = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: outpoints.iter().map(input).collect(),
            output: vec![output],
        };
        for index in 0..previous.len() {
            let signature = self.signature(&chain.secp, &tx, index, &previous, TapSighashType::Default);
            tx.input[index].witness = Witness::p2tr_key_spend(&signature);
        }
        Some(tx)
    }

    /// Nothing may be promised, and nothing let go of, that the disk does not know.
    pub(crate) fn check_promise(&self, output: &Output) {
        let stage = self.durable().map(|record| record.stage);
        let kept = match output {
            Output::Send(Body::Request(_)) => stage.is_some(),
            Output::Send(Body::Accept(accept)) => match &stage {
                Some(Stage::Accepted { agreement }) => {
                    agreement.deadline == accept.deadline
                        && [&agreement.terms.seller, &agreement.terms.buyer].contains(&&accept.stake)
                }
                _ => false,
            },
            Output::Send(Body::Proposal(bytes)) => {
                matches!(&stage, Some(Stage::Proposed { psbt, .. }) if psbt[..] == bytes[..])
            }
            Output::Send(Body::Settled(tx)) => matches!(
                &stage,
                Some(Stage::Broadcast { transaction: Some(it), .. }
                    | Stage::Reclaiming { transaction: Some(it), .. }
                    | Stage::Done { transaction: Some(it), .. }) if it == tx
            ),
            Output::Broadcast(tx) => match &stage {
                Some(Stage::Proposed { agreement, .. }) => agreement.txid == tx.compute_txid(),
                Some(Stage::Broadcast { agreement, .. }) => agreement.txid == tx.compute_txid(),
                Some(Stage::Reclaiming { reclaim, .. }) => reclaim.as_ref() == Some(tx),
                _ => false,
            },
            Output::Reclaim { .. } => matches!(stage, Some(Stage::Reclaiming { .. })),
            Output::Release => {
                !matches!(stage, Some(Stage::Proposed { .. } | Stage::Broadcast { .. } | Stage::Reclaiming { .. }))
            }
            _ => true,
        };
        assert!(kept, "{output:?} while the disk has {stage:?}");
    }
}
