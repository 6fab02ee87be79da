//! Runestones and protostones in a transaction: whatever they say, no unit comes from nowhere and none is lost without being burned.
//!
//! The first byte says how many plain outputs there are; the rest is the payload of the runestone.
#![no_main]

use bitcoin::absolute::LockTime;
use bitcoin::opcodes::all::{OP_PUSHNUM_13, OP_RETURN};
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, Transaction, TxIn, TxOut};
use darkswap_trade::alkane;
use darkswap_trade::asset::{AlkaneId, Asset};
use darkswap_trade::coin::Holdings;
use darkswap_trade::rune::{self, Allocation};
use libfuzzer_sys::fuzz_target;
use ordinals::RuneId;

/// Bytes of one push of data, as many as a script may push at once.
const PUSH: usize = 520;

fuzz_target!(|bytes: &[u8]| {
    let Some((outputs, payload)) = bytes.split_first() else { return };
    let mut script = Builder::new().push_opcode(OP_RETURN).push_opcode(OP_PUSHNUM_13);
    for push in payload.chunks(PUSH) {
        script = script.push_slice(PushBytesBuf::try_from(push.to_vec()).expect("a push is short"));
    }
    let plain = TxOut { value: Amount::from_sat(546), script_pubkey: ScriptBuf::from(vec![0x51]) };
    let mut output = vec![plain; usize::from(outputs & 7)];
    output.insert(
        usize::from(outputs >> 3).min(output.len()),
        TxOut { value: Amount::ZERO, script_pubkey: script.into_script() },
    );
    let tx = Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![TxIn::default(); 2], output };
    let held = [
        Holdings::from([(rune(840_000), 1_000), (alkane(2), u128::MAX / 2)]),
        Holdings::from([(rune(840_000), 7), (rune(900_000), u128::MAX), (alkane(3), 5)]),
    ];
    if let Ok(moved) = rune::allocate(&tx, &held, rune::Context::default()) {
        conserved(&held, &moved, |asset| matches!(asset, Asset::Rune(_)));
    }
    if let Ok(moved) = alkane::allocate(&tx, &held) {
        conserved(&held, &moved, |asset| matches!(asset, Asset::Alkane(_)));
    }
});

fn conserved(held: &[Holdings], moved: &Allocation, of: impl Fn(&Asset) -> bool) {
    let mut left = Holdings::new();
    for (asset, units) in held.iter().flatten().filter(|(asset, _)| of(asset)) {
        *left.entry(*asset).or_default() += units;
    }
    for (asset, units) in moved.outputs.iter().chain([&moved.burned]).flatten() {
        let there = left.get_mut(asset).expect("an asset came from nowhere");
        *there = there.checked_sub(*units).expect("units came from nowhere");
    }
    assert!(left.values().all(|units| *units == 0), "units were lost");
}

fn rune(block: u64) -> Asset {
    Asset::Rune(RuneId { block, tx: 1 })
}

fn alkane(block: u128) -> Asset {
    Asset::Alkane(AlkaneId { block, tx: 0 })
}
