//! Money for scenarios.

use std::collections::VecDeque;
use std::time::Duration;

use bitcoin::{
    Amount, OutPoint, Script, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute, opcodes, script,
    transaction,
};
use thiserror::Error;

use super::{FullNode, treasury};
use crate::block::subsidy;
use crate::chain::COINBASE_MATURITY;

/// The number of the script that collects the rewards.
pub(super) const TREASURY: u32 = 0;
/// Outputs per transaction: one with so many is light enough to be relayed when a reorg brings it back.
const MAX_OUTPUTS: u64 = 2_000;
/// Transactions per block: they leave room for the block's limit of weight.
const MAX_TRANSACTIONS: usize = 8;
/// Change below this is left to the miner.
const MIN_CHANGE: Amount = Amount::from_sat(1_000);
/// Blocks that are mined between two looks at what has matured.
const STEP: u32 = 10;
/// Blocks that one call mines for its money: without halvings they create five million bitcoin.
const MAX_BLOCKS: u32 = 100_000;
/// Inputs per transaction, for the same reason as [`MAX_OUTPUTS`].
const MAX_INPUTS: usize = 500;

/// Why a script was not funded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FundError {
    /// Coins of nothing.
    #[error("a coin must hold at least 1 satoshi, but 0 was asked for")]
    Nothing,
    /// The sum is more than can be mined.
    #[error("{count} coins of {amount} are more than can be mined: ask for less, or make the subsidy halve later")]
    TooMuch {
        /// How many coins were asked for.
        count: u64,
        /// How much each should hold.
        amount: Amount,
    },
    /// One coin is larger than what one transaction can collect.
    #[error("a coin of {0} needs too many rewards in one transaction: ask for more, smaller coins")]
    TooLarge(Amount),
}

/// A standard script that anybody can spend without a signature; each number has its own.
pub fn spendable_script(number: u32) -> ScriptBuf {
    ScriptBuf::new_p2wsh(&spendable_witness_script(number).wscript_hash())
}

/// The witness script behind [`spendable_script`]: it drops the number and leaves `true`.
pub fn spendable_witness_script(number: u32) -> ScriptBuf {
    let builder = script::Builder::new().push_int(i64::from(number));
    builder.push_opcode(opcodes::all::OP_DROP).push_opcode(opcodes::OP_TRUE).into_script()
}

/// The witness that spends [`spendable_script`].
pub fn spend_witness(number: u32) -> Witness {
    Witness::from_slice(&[spendable_witness_script(number).as_bytes()])
}

impl FullNode {
    /// Gives `count` confirmed coins of `amount` to a script, and mines whatever that takes.
    ///
    /// The first call mines more than a hundred blocks, because rewards must mature. The coins are returned in order.
    ///
    /// # Errors
    /// [`FundError`] if there is not so much to be had.
    pub fn fund(
        &mut self,
        now: Duration,
        script: &Script,
        amount: Amount,
        count: u64,
    ) -> Result<Vec<OutPoint>, FundError> {
        if amount == Amount::ZERO {
            return Err(FundError::Nothing);
        }
        let too_much = FundError::TooMuch { count, amount };
        let needed = amount.checked_mul(count).filter(|sum| *sum <= Amount::MAX_MONEY).ok_or(too_much)?;
        let mut pool = self.gather(now, needed).ok_or(too_much)?;
        let mut remaining = count;
        let mut funded = Vec::new();
        let mut transactions = Vec::new();
        while remaining > 0 {
            let (transaction, paid) =
                payment(&mut pool, script, amount, remaining).ok_or(FundError::TooLarge(amount))?;
            let txid = transaction.compute_txid();
            funded.extend((0..).zip(0..paid).map(|(vout, _)| OutPoint { txid, vout }));
            transactions.push(transaction);
            remaining -= paid;
            if transactions.len() == MAX_TRANSACTIONS || remaining == 0 {
                let transactions = std::mem::take(&mut transactions);
                self.mine_exactly(now, transactions).expect("the coins are mature and unspent");
            }
        }
        Ok(funded)
    }

    /// Mines until the treasury's mature coins hold this much, and returns them, oldest first.
    fn gather(&mut self, now: Duration, needed: Amount) -> Option<VecDeque<(OutPoint, Amount)>> {
        let mut mined = 0;
        loop {
            let pool = self.treasury_coins();
            let held = pool.iter().map(|(_, amount)| *amount).sum::<Amount>();
            if held >= needed {
                return Some(pool);
            }
            if mined >= MAX_BLOCKS || subsidy(self.chain.height(), self.chain.halving_interval()) == Amount::ZERO {
                return None;
            }
            self.mine(now, STEP);
            mined += STEP;
        }
    }

    fn treasury_coins(&self) -> VecDeque<(OutPoint, Amount)> {
        let (next, treasury) = (self.chain.height() + 1, treasury());
        let mut coins: Vec<(u32, OutPoint, Amount)> = self
            .chain
            .coins()
            .iter()
            .filter(|(_, coin)| coin.output.script_pubkey == treasury)
            .filter(|(_, coin)| !coin.coinbase || next - coin.height >= COINBASE_MATURITY)
            .filter(|(outpoint, _)| self.mempool.spender(outpoint).is_none())
            .map(|(outpoint, coin)| (coin.height, *outpoint, coin.output.value))
            .collect();
        coins.sort_unstable();
        coins.into_iter().map(|(_, outpoint, amount)| (outpoint, amount)).collect()
    }
}

/// One payment of as many coins as fit, and their number. Change goes back to the pool.
fn payment(
    pool: &mut VecDeque<(OutPoint, Amount)>,
    script: &Script,
    amount: Amount,
    wanted: u64,
) -> Option<(Transaction, u64)> {
    let mut input = Vec::new();
    let mut held = Amount::ZERO;
    let wanted = wanted.min(MAX_OUTPUTS);
    while held < amount.checked_mul(wanted)? && input.len() < MAX_INPUTS {
        let (outpoint, amount) = pool.pop_front()?;
        held = held.checked_add(amount)?;
        input.push(spend(outpoint));
    }
    let paid = wanted.min(held.to_sat() / amount.to_sat());
    if paid == 0 {
        return None;
    }
    let mut output = vec![TxOut { value: amount, script_pubkey: script.to_owned() }; usize::try_from(paid).ok()?];
    let change = held.checked_sub(amount.checked_mul(paid)?)?;
    if change >= MIN_CHANGE {
        output.push(TxOut { value: change, script_pubkey: treasury() });
    }
    let version = transaction::Version::TWO;
    let transaction = Transaction { version, lock_time: absolute::LockTime::ZERO, input, output };
    if change >= MIN_CHANGE {
        let txid: Txid = transaction.compute_txid();
        pool.push_front((OutPoint { txid, vout: u32::try_from(paid).ok()? }, change));
    }
    Some((transaction, paid))
}

fn spend(previous_output: OutPoint) -> TxIn {
    TxIn { previous_output, script_sig: ScriptBuf::new(), sequence: Sequence::MAX, witness: spend_witness(TREASURY) }
}
