//! PSBTs of a hostile counterparty, checked against terms that they have nothing to do with: refused, and nothing else happens.
//!
//! Signatures and txids hold random inputs back here; the property tests of the crate change real PSBTs.
#![no_main]

use std::collections::BTreeMap;

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, FeeRate, OutPoint, ScriptBuf, TxOut, Txid};
use darkswap_trade::asset::Asset;
use darkswap_trade::coin::{Coin, Holdings};
use darkswap_trade::psbt::{Party, ReceivedPsbt, Stake, Terms};
use libfuzzer_sys::fuzz_target;
use ordinals::RuneId;

fuzz_target!(|bytes: &[u8]| {
    let Ok(received) = ReceivedPsbt::decode(bytes) else { return };
    let asset = Asset::Rune(RuneId { block: 840_000, tx: 3 });
    let coins: BTreeMap<OutPoint, Coin> =
        [coin(1, 10_000, Holdings::from([(asset, 500)])), coin(2, 1_000_000, Holdings::new())]
            .map(|coin| (coin.outpoint, coin))
            .into();
    let stake =
        |number| Stake { inputs: vec![outpoint(number)], receive: script(number + 2), change: script(number + 4) };
    let terms = Terms {
        asset,
        units: 200,
        payment: Amount::from_sat(50_000),
        seller: stake(1),
        buyer: stake(2),
        fee_rate: FeeRate::from_sat_per_vb_u32(5),
        fee_payer: Party::Buyer,
    };
    for party in [Party::Seller, Party::Buyer] {
        assert!(received.clone().check(&terms, party, &coins).is_err(), "a random PSBT was taken");
    }
});

fn outpoint(number: u8) -> OutPoint {
    OutPoint { txid: Txid::from_byte_array([number; 32]), vout: 0 }
}

/// A taproot output for some key.
fn script(number: u8) -> ScriptBuf {
    let mut bytes = vec![0x51, 32];
    bytes.extend([number; 32]);
    bytes.into()
}

fn coin(number: u8, sats: u64, holdings: Holdings) -> Coin {
    let output = TxOut { value: Amount::from_sat(sats), script_pubkey: script(number) };
    Coin { outpoint: outpoint(number), output, height: Some(840_100), holdings }
}
