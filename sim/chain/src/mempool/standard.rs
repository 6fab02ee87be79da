//! Standardness: what is valid, but not relayed.

use bitcoin::{FeeRate, Script, Transaction, Weight};

use super::Policy;
use crate::coin::Coin;
use crate::refusal::Refusal;

/// The heaviest transaction that is relayed.
const MAX_WEIGHT: Weight = Weight::from_wu(400_000);
/// The smallest transaction without witnesses that is relayed (CVE-2017-12842).
const MIN_BASE_SIZE: usize = 65;
/// The longest input script: 15 keys of a multi-signature in P2SH.
const MAX_SCRIPT_SIG: usize = 1_650;
/// Versions that are relayed; 3 is that of topologically restricted transactions, whose restrictions are not modelled.
const VERSIONS: std::ops::RangeInclusive<i32> = 1..=3;

/// Checks the transaction itself (Bitcoin Core's `IsStandardTx`).
pub(super) fn check_transaction(transaction: &Transaction, policy: &Policy) -> Result<(), Refusal> {
    if !VERSIONS.contains(&transaction.version.0) {
        return Err(Refusal::Version);
    }
    if transaction.weight() > MAX_WEIGHT {
        return Err(Refusal::Weight);
    }
    for input in &transaction.input {
        if input.script_sig.len() > MAX_SCRIPT_SIG {
            return Err(Refusal::ScriptSigSize);
        }
        if !input.script_sig.is_push_only() {
            return Err(Refusal::ScriptSigNotPushOnly);
        }
    }
    let dust_rate = FeeRate::from_sat_per_kwu(policy.dust_fee_rate / 4);
    let mut data = 0_usize;
    for (vout, output) in transaction.output.iter().enumerate() {
        let script = &output.script_pubkey;
        if script.is_op_return() {
            data = data.saturating_add(script.len());
            if !Script::from_bytes(&script.as_bytes()[1..]).is_push_only() {
                return Err(Refusal::NonstandardOutput(vout));
            }
        } else if !is_standard(script) {
            return Err(Refusal::NonstandardOutput(vout));
        } else if output.value < script.minimal_non_dust_custom(dust_rate) {
            return Err(Refusal::Dust(vout));
        }
    }
    if data > policy.max_data_carrier {
        return Err(Refusal::DataCarrier(data));
    }
    if transaction.base_size() < MIN_BASE_SIZE {
        return Err(Refusal::TooSmall);
    }
    Ok(())
}

/// Checks what the inputs spend (Bitcoin Core's `AreInputsStandard`, without its limit on signature operations).
pub(super) fn check_inputs(coins: &[Coin]) -> Result<(), Refusal> {
    match coins.iter().position(|coin| !is_standard(&coin.output.script_pubkey)) {
        Some(input) => Err(Refusal::NonstandardInput(input)),
        None => Ok(()),
    }
}

fn is_standard(script: &Script) -> bool {
    script.is_p2pk()
        || script.is_p2pkh()
        || script.is_p2sh()
        || script.is_witness_program()
        || (script.is_multisig() && script.len() <= 3 * 66 + 3)
}
