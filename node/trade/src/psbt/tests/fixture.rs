//! Keys, coins and terms for tests.

use std::collections::BTreeMap;

use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::psbt::PsbtSighashType;
use bitcoin::secp256k1::{All, Keypair, Message, Secp256k1};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::{
    Amount, FeeRate, OutPoint, Psbt, PublicKey, ScriptBuf, TapSighashType, Transaction, TxIn, TxOut, Txid, ecdsa,
    taproot,
};
use bitcoinconsensus::Utxo;
use ordinals::RuneId;

use crate::asset::{AlkaneId, Asset};
use crate::coin::{Coin, Holdings};
use crate::psbt::{CheckedPsbt, Party, ReceivedPsbt, Stake, Terms, build};

pub(super) const RUNE: Asset = Asset::Rune(RuneId { block: 840_000, tx: 1 });
pub(super) const OTHER_RUNE: Asset = Asset::Rune(RuneId { block: 840_001, tx: 7 });
pub(super) const ALKANE: Asset = Asset::Alkane(AlkaneId { block: 2, tx: 77 });

/// A kind of script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Taproot,
    Wpkh,
}

/// The keys of one side, by script.
pub(super) struct Keys {
    secp: Secp256k1<All>,
    party: Party,
    keys: BTreeMap<ScriptBuf, Keypair>,
}

impl Keys {
    pub(super) fn new(party: Party) -> Self {
        Self { secp: Secp256k1::new(), party, keys: BTreeMap::new() }
    }

    /// A new script of this side.
    pub(super) fn script(&mut self, kind: Kind) -> ScriptBuf {
        let mut secret = [0x11; 32];
        secret[0] = self.party as u8 + 1;
        secret[1] = u8::try_from(self.keys.len()).unwrap();
        let pair = Keypair::from_seckey_slice(&self.secp, &secret).unwrap();
        let script = match kind {
            Kind::Taproot => ScriptBuf::new_p2tr(&self.secp, pair.x_only_public_key().0, None),
            Kind::Wpkh => ScriptBuf::new_p2wpkh(&PublicKey::new(pair.public_key()).wpubkey_hash().unwrap()),
        };
        self.keys.insert(script.clone(), pair);
        script
    }

    /// Signs every input whose key is here, as wallets do.
    pub(super) fn sign(&self, psbt: &Psbt) -> Psbt {
        let mut signed = psbt.clone();
        let previous: Vec<TxOut> = psbt.inputs.iter().map(|input| input.witness_utxo.clone().unwrap()).collect();
        let mut cache = SighashCache::new(&psbt.unsigned_tx);
        for (index, output) in previous.iter().enumerate() {
            let Some(pair) = self.keys.get(&output.script_pubkey) else { continue };
            let agreed: PsbtSighashType = psbt.inputs[index].sighash_type.unwrap();
            if output.script_pubkey.is_p2tr() {
                let sighash_type: TapSighashType = agreed.taproot_hash_ty().unwrap();
                let all = Prevouts::All(&previous);
                let hash = cache.taproot_key_spend_signature_hash(index, &all, sighash_type).unwrap();
                let message = Message::from_digest(hash.to_byte_array());
                let tweaked = pair.tap_tweak(&self.secp, None).to_keypair();
                let signature = self.secp.sign_schnorr_no_aux_rand(&message, &tweaked);
                signed.inputs[index].tap_key_sig = Some(taproot::Signature { signature, sighash_type });
            } else {
                let sighash_type = agreed.ecdsa_hash_ty().unwrap();
                let script = &output.script_pubkey;
                let hash = cache.p2wpkh_signature_hash(index, script, output.value, sighash_type).unwrap();
                let message = Message::from_digest(hash.to_byte_array());
                let signature = self.secp.sign_ecdsa(&message, &pair.secret_key());
                let key = PublicKey::new(pair.public_key());
                signed.inputs[index].partial_sigs.insert(key, ecdsa::Signature { signature, sighash_type });
            }
        }
        signed
    }
}

/// Two sides, what the chain has, and what they agreed on.
pub(super) struct World {
    pub(super) seller: Keys,
    pub(super) buyer: Keys,
    pub(super) coins: BTreeMap<OutPoint, Coin>,
    pub(super) terms: Terms,
}

impl World {
    /// Terms without inputs.
    pub(super) fn new(kind: Kind) -> Self {
        let (mut seller, mut buyer) = (Keys::new(Party::Seller), Keys::new(Party::Buyer));
        let stake = |keys: &mut Keys| Stake { inputs: vec![], receive: keys.script(kind), change: keys.script(kind) };
        let terms = Terms {
            asset: RUNE,
            units: 400,
            payment: Amount::from_sat(50_000),
            seller: stake(&mut seller),
            buyer: stake(&mut buyer),
            fee_rate: FeeRate::from_sat_per_kwu(2_500),
            fee_payer: Party::Buyer,
        };
        Self { seller, buyer, coins: BTreeMap::new(), terms }
    }

    /// The seller sells 400 of 1000 units, and has another rune on the same output; the buyer takes, and gets change.
    pub(super) fn usual() -> Self {
        let mut world = Self::new(Kind::Taproot);
        world.add(Party::Seller, Kind::Taproot, 10_000, [(RUNE, 1_000), (OTHER_RUNE, 7)]);
        world.add(Party::Seller, Kind::Wpkh, 546, []);
        world.add(Party::Buyer, Kind::Taproot, 60_000, []);
        world.add(Party::Buyer, Kind::Wpkh, 40_000, []);
        world
    }

    /// The same, and an alkane on the seller's output beside the runes.
    pub(super) fn with_alkane() -> Self {
        let mut world = Self::usual();
        let first = world.terms.seller.inputs[0];
        world.coins.get_mut(&first).unwrap().holdings.insert(ALKANE, 33);
        world
    }

    /// One coin more for a side.
    pub(super) fn add(
        &mut self,
        party: Party,
        kind: Kind,
        sats: u64,
        holdings: impl IntoIterator<Item = (Asset, u128)>,
    ) -> OutPoint {
        let number = u8::try_from(self.coins.len()).unwrap();
        let outpoint = OutPoint::new(Txid::from_byte_array([number + 1; 32]), u32::from(number));
        let (keys, stake) = match party {
            Party::Seller => (&mut self.seller, &mut self.terms.seller),
            Party::Buyer => (&mut self.buyer, &mut self.terms.buyer),
        };
        let output = TxOut { value: Amount::from_sat(sats), script_pubkey: keys.script(kind) };
        let holdings: Holdings = holdings.into_iter().collect();
        self.coins.insert(outpoint, Coin { outpoint, output, height: Some(900_000), holdings });
        stake.inputs.push(outpoint);
        outpoint
    }

    pub(super) fn keys(&self, party: Party) -> &Keys {
        match party {
            Party::Seller => &self.seller,
            Party::Buyer => &self.buyer,
        }
    }

    pub(super) fn psbt(&self) -> Psbt {
        build(&self.terms, &self.coins).unwrap()
    }

    pub(super) fn check(&self, psbt: Psbt, party: Party) -> Result<CheckedPsbt, crate::psbt::PsbtRefusal> {
        ReceivedPsbt::from(psbt).check(&self.terms, party, &self.coins)
    }

    /// Has every input of a finished transaction verified by Bitcoin Core's own code.
    pub(super) fn assert_valid(&self, tx: &Transaction) {
        let previous = |input: &TxIn| &self.coins[&input.previous_output].output;
        let utxo = |output: &TxOut| Utxo {
            script_pubkey: output.script_pubkey.as_bytes().as_ptr(),
            script_pubkey_len: u32::try_from(output.script_pubkey.len()).unwrap(),
            value: i64::try_from(output.value.to_sat()).unwrap(),
        };
        let utxos: Vec<Utxo> = tx.input.iter().map(|input| utxo(previous(input))).collect();
        let bytes = bitcoin::consensus::serialize(tx);
        for (index, input) in tx.input.iter().enumerate() {
            let output = previous(input);
            let (script, sats) = (output.script_pubkey.as_bytes(), output.value.to_sat());
            bitcoinconsensus::verify(script, sats, &bytes, Some(&utxos), index).unwrap();
        }
    }
}
