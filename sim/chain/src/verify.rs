//! The consensus rules for one transaction.

mod lock;
mod script;

use std::collections::BTreeSet;

use bitcoin::{Amount, OutPoint, Transaction};

pub(crate) use lock::{is_final, sequence_locks_passed};
pub(crate) use script::check_scripts;

use crate::block::MAX_BLOCK_WEIGHT;
use crate::chain::COINBASE_MATURITY;
use crate::coin::Coin;
use crate::refusal::Refusal;

/// Checks what needs no context (Bitcoin Core's `CheckTransaction`).
pub(crate) fn check_transaction(transaction: &Transaction) -> Result<(), Refusal> {
    if transaction.input.is_empty() {
        return Err(Refusal::NoInputs);
    }
    if transaction.output.is_empty() {
        return Err(Refusal::NoOutputs);
    }
    if (transaction.base_size() as u64).saturating_mul(4) > MAX_BLOCK_WEIGHT {
        return Err(Refusal::Oversize);
    }
    if transaction.output.iter().any(|output| output.value > Amount::MAX_MONEY) {
        return Err(Refusal::OutputTooLarge);
    }
    sum(transaction.output.iter().map(|output| output.value)).ok_or(Refusal::OutputsTooLarge)?;
    let mut seen = BTreeSet::new();
    if !transaction.input.iter().all(|input| seen.insert(input.previous_output)) {
        return Err(Refusal::DuplicateInputs);
    }
    if !transaction.is_coinbase() && seen.contains(&OutPoint::null()) {
        return Err(Refusal::NullPrevout);
    }
    Ok(())
}

/// Collects the coins that a transaction spends, in the order of its inputs.
pub(crate) fn spent_coins(
    transaction: &Transaction,
    coin: impl Fn(&OutPoint) -> Option<Coin>,
) -> Result<Vec<Coin>, Refusal> {
    let inputs = transaction.input.iter().map(|input| input.previous_output);
    inputs.map(|outpoint| coin(&outpoint).ok_or(Refusal::MissingInput(outpoint))).collect()
}

/// Checks maturity and amounts in a block of this height, and returns the fee (Bitcoin Core's `CheckTxInputs`).
pub(crate) fn check_inputs(transaction: &Transaction, coins: &[Coin], height: u32) -> Result<Amount, Refusal> {
    for coin in coins.iter().filter(|coin| coin.coinbase) {
        let depth = height.saturating_sub(coin.height);
        if depth < COINBASE_MATURITY {
            return Err(Refusal::ImmatureCoinbase(depth));
        }
    }
    let found = sum(coins.iter().map(|coin| coin.output.value)).ok_or(Refusal::InputsTooLarge)?;
    let needed = sum(transaction.output.iter().map(|output| output.value)).ok_or(Refusal::OutputsTooLarge)?;
    found.checked_sub(needed).ok_or(Refusal::InputsBelowOutputs(found.to_sat(), needed.to_sat()))
}

/// The sum of amounts, unless it passes 21 million bitcoin.
pub(crate) fn sum(amounts: impl Iterator<Item = Amount>) -> Option<Amount> {
    let mut total = Amount::ZERO;
    for amount in amounts {
        total = total.checked_add(amount).filter(|total| *total <= Amount::MAX_MONEY)?;
    }
    Some(total)
}
