//! PSBT validations per second: what a node pays for each proposal that somebody sends it.

use std::collections::BTreeMap;
use std::hint::black_box;

use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{All, Keypair, Message, Secp256k1};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::{Amount, FeeRate, OutPoint, Psbt, ScriptBuf, TapSighashType, TxOut, Txid, taproot};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use darkswap_trade::asset::Asset;
use darkswap_trade::coin::{Coin, Holdings};
use darkswap_trade::psbt::{Party, ReceivedPsbt, Stake, Terms, build};
use ordinals::RuneId;

const RUNE: Asset = Asset::Rune(RuneId { block: 840_000, tx: 1 });

/// A swap of `inputs` taproot inputs on each side.
struct Swap {
    secp: Secp256k1<All>,
    keys: BTreeMap<ScriptBuf, Keypair>,
    coins: BTreeMap<OutPoint, Coin>,
    terms: Terms,
}

impl Swap {
    fn new(inputs: u8) -> Self {
        let secp = Secp256k1::new();
        let mut keys = BTreeMap::new();
        let mut script = |side: u8, number: u8| {
            let mut secret = [7; 32];
            (secret[0], secret[1]) = (side + 1, number);
            let pair = Keypair::from_seckey_slice(&secp, &secret).expect("a small number is a key");
            let script = ScriptBuf::new_p2tr(&secp, pair.x_only_public_key().0, None);
            keys.insert(script.clone(), pair);
            script
        };
        let mut coins = BTreeMap::new();
        let mut stake = |side: u8| {
            let outpoints = (0..inputs).map(|number| OutPoint::new(Txid::from_byte_array([side; 32]), number.into()));
            for (outpoint, number) in outpoints.clone().zip(0..) {
                let output = TxOut { value: Amount::from_sat(100_000), script_pubkey: script(side, number) };
                let holdings = if side == 0 { Holdings::from([(RUNE, 1_000)]) } else { Holdings::new() };
                coins.insert(outpoint, Coin { outpoint, output, height: Some(1), holdings });
            }
            Stake { inputs: outpoints.collect(), receive: script(side, 100), change: script(side, 101) }
        };
        let terms = Terms {
            asset: RUNE,
            units: 700,
            payment: Amount::from_sat(50_000),
            seller: stake(0),
            buyer: stake(1),
            fee_rate: FeeRate::from_sat_per_kwu(2_500),
            fee_payer: Party::Buyer,
        };
        Self { secp, keys, coins, terms }
    }

    fn psbt(&self) -> Psbt {
        build(&self.terms, &self.coins).expect("terms that can be met")
    }

    /// The bytes with the seller's signatures.
    fn signed_by_seller(&self) -> Vec<u8> {
        let mut psbt = self.psbt();
        let tx = psbt.unsigned_tx.clone();
        let previous: Vec<TxOut> = psbt.inputs.iter().filter_map(|input| input.witness_utxo.clone()).collect();
        let mut cache = SighashCache::new(&tx);
        for input in 0..self.terms.seller.inputs.len() {
            let hash = cache
                .taproot_key_spend_signature_hash(input, &Prevouts::All(&previous), TapSighashType::Default)
                .expect("all previous outputs are given");
            let pair = self.keys[&previous[input].script_pubkey].tap_tweak(&self.secp, None).to_keypair();
            let signature = self.secp.sign_schnorr_no_aux_rand(&Message::from_digest(hash.to_byte_array()), &pair);
            psbt.inputs[input].tap_key_sig =
                Some(taproot::Signature { signature, sighash_type: TapSighashType::Default });
        }
        psbt.serialize()
    }
}

fn validate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("psbt");
    group.throughput(Throughput::Elements(1));
    for inputs in [1, 2, 8] {
        let swap = Swap::new(inputs);
        let (unsigned, signed) = (swap.psbt().serialize(), swap.signed_by_seller());
        let check = |bytes: &[u8]| {
            let received = ReceivedPsbt::decode(black_box(bytes)).expect("a PSBT");
            received.check(&swap.terms, Party::Buyer, &swap.coins).expect("it holds")
        };
        group.bench_function(format!("build/{inputs}+{inputs} inputs"), |b| b.iter(|| swap.psbt()));
        group.bench_function(format!("decode/{inputs}+{inputs} inputs"), |b| {
            b.iter(|| ReceivedPsbt::decode(black_box(&signed)));
        });
        group.bench_function(format!("check unsigned/{inputs}+{inputs} inputs"), |b| b.iter(|| check(&unsigned)));
        group.bench_function(format!("check half signed/{inputs}+{inputs} inputs"), |b| b.iter(|| check(&signed)));
    }
    group.finish();
}

criterion_group!(benches, validate);
criterion_main!(benches);
