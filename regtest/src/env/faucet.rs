//! Money for a test: the rewards of the blocks that it mines.

use std::collections::VecDeque;

use anyhow::{Context as _, Result, ensure};
use bitcoin::{Address, Amount, OutPoint, ScriptBuf, TxOut};

use super::{FIRST_BLOCKS, TestEnv};
use crate::key::Key;

/// Blocks after which a reward may be spent (consensus).
const MATURITY: u32 = 100;

/// What a transaction of the faucet pays per input and output together: more than 5 sat/vB for the largest scripts.
const FEE_PER_PART: Amount = Amount::from_sat(500);

/// The owner of all rewards.
#[derive(Debug)]
pub(super) struct Faucet {
    key: Key,
    coins: VecDeque<(OutPoint, TxOut)>,
    /// The next block whose reward was not taken yet.
    next: u32,
}

impl Faucet {
    pub(super) fn new(seed: &[u8]) -> Self {
        Self { key: Key::from_seed(seed), coins: VecDeque::new(), next: 1 }
    }

    pub(super) fn address(&self) -> Address {
        self.key.address()
    }
}

impl TestEnv {
    /// Pays `amount` to `script`. The transaction is in the mempool; [`TestEnv::mine`] confirms it.
    ///
    /// # Errors
    ///
    /// When all rewards together are not enough, or bitcoind refuses.
    pub fn fund(&self, script: &ScriptBuf, amount: Amount) -> Result<OutPoint> {
        let mut outputs = self.fund_all(&[TxOut { value: amount, script_pubkey: script.clone() }])?;
        outputs.pop().context("one output was paid")
    }

    /// Pays all `outputs` in one transaction, in their order, and returns where they are.
    ///
    /// # Errors
    ///
    /// When all rewards together are not enough, or bitcoind refuses.
    pub fn fund_all(&self, outputs: &[TxOut]) -> Result<Vec<OutPoint>> {
        let mut faucet = self.lock_faucet();
        let sum = outputs.iter().try_fold(Amount::ZERO, |sum, output| sum.checked_add(output.value));
        let sum = sum.context("the amounts do not fit into one number")?;
        let mut coins = Vec::new();
        let mut had = Amount::ZERO;
        let needed = loop {
            let parts = u64::try_from(coins.len() + outputs.len() + 1)?;
            let fee = FEE_PER_PART.checked_mul(parts).context("too many outputs")?;
            let needed = sum.checked_add(fee).context("the amounts do not fit into one number")?;
            if had >= needed {
                break needed;
            }
            let coin = self.next_coin(&mut faucet)?;
            had = had.checked_add(coin.1.value).context("more than all money")?;
            coins.push(coin);
        };
        let mut output = outputs.to_vec();
        let change = faucet.key.output(had - needed);
        let with_change = change.value >= change.script_pubkey.minimal_non_dust();
        output.extend(with_change.then(|| change.clone()));
        let transaction = faucet.key.spend(&coins, output)?;
        let txid = self.send(&transaction)?;
        let vouts = u32::try_from(outputs.len())?;
        if with_change {
            faucet.coins.push_back((OutPoint::new(txid, vouts), change));
        }
        Ok((0..vouts).map(|vout| OutPoint::new(txid, vout)).collect())
    }

    /// What is left of an earlier payment, or else the next reward that is ripe.
    fn next_coin(&self, faucet: &mut Faucet) -> Result<(OutPoint, TxOut)> {
        if let Some(coin) = faucet.coins.pop_front() {
            return Ok(coin);
        }
        let height = self.height()?;
        loop {
            // It is spent in the block after this one.
            let ripe = faucet.next + MATURITY <= height + 1;
            ensure!(
                ripe,
                "no reward is ripe at height {height} any more: mine more than {FIRST_BLOCKS} blocks, or pay less"
            );
            let block = self.block(faucet.next)?;
            faucet.next += 1;
            let coinbase = block.txdata.first().context("a block has a coinbase transaction")?;
            // A reorganisation pays to somebody else.
            let own = coinbase.output.iter().position(|output| output.script_pubkey == *faucet.key.script());
            if let Some(vout) = own {
                let outpoint = OutPoint::new(coinbase.compute_txid(), u32::try_from(vout)?);
                return Ok((outpoint, coinbase.output[vout].clone()));
            }
        }
    }
}
