//! Scripts, by Bitcoin Core's consensus library.

use bitcoin::Transaction;
use bitcoin::consensus::serialize;
use bitcoinconsensus::{Utxo, VERIFY_ALL_PRE_TAPROOT, VERIFY_TAPROOT, verify_with_flags};

use crate::coin::Coin;
use crate::refusal::Refusal;

/// All soft forks: those that are deployed on the main chain are active here from the first block.
const FLAGS: u32 = VERIFY_ALL_PRE_TAPROOT | VERIFY_TAPROOT;

/// Runs the script of every input against the coin that it spends.
///
/// Amounts must have been checked: the library takes them as signed numbers.
pub(crate) fn check_scripts(transaction: &Transaction, coins: &[Coin]) -> Result<(), Refusal> {
    let bytes = serialize(transaction);
    // A taproot signature commits to all spent outputs (BIP 341), so each call needs all of them.
    let spent: Vec<Utxo> = coins
        .iter()
        .map(|coin| Utxo {
            script_pubkey: coin.output.script_pubkey.as_bytes().as_ptr(),
            script_pubkey_len: coin.output.script_pubkey.len() as u32,
            value: coin.output.value.to_sat() as i64,
        })
        .collect();
    for (input, coin) in coins.iter().enumerate() {
        let script = coin.output.script_pubkey.as_bytes();
        verify_with_flags(script, coin.output.value.to_sat(), &bytes, Some(&spent), input, FLAGS)
            .map_err(|_| Refusal::Script(input))?;
    }
    Ok(())
}
