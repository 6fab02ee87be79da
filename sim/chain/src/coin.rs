//! Unspent outputs.

use std::collections::BTreeMap;

use bitcoin::{Amount, OutPoint, Script, Transaction, TxOut, Txid};

/// Scripts above this size can never be spent, so Bitcoin Core does not keep their outputs (`MAX_SCRIPT_SIZE`).
const MAX_SCRIPT_SIZE: usize = 10_000;

/// An output that nobody has spent, and what validation needs to know about its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coin {
    /// Amount and script.
    pub output: TxOut,
    /// The height of the block that created it; of a transaction that waits, the height of the next block.
    pub height: u32,
    /// Whether a coinbase created it, so that it must mature.
    pub coinbase: bool,
}

/// All unspent outputs of a chain, without those that can never be spent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UtxoSet {
    coins: BTreeMap<OutPoint, Coin>,
}

impl UtxoSet {
    /// The coin at an outpoint, unless it was spent or never existed.
    pub fn coin(&self, outpoint: &OutPoint) -> Option<&Coin> {
        self.coins.get(outpoint)
    }

    /// All coins in the order of their outpoints.
    pub fn iter(&self) -> impl Iterator<Item = (&OutPoint, &Coin)> {
        self.coins.iter()
    }

    /// How many coins there are.
    pub fn len(&self) -> usize {
        self.coins.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.coins.is_empty()
    }

    /// The sum of all coins. No chain holds more than 21 million bitcoin, so the sum fits.
    pub fn total(&self) -> Amount {
        self.coins.values().map(|coin| coin.output.value).sum()
    }

    /// The unspent outputs of one transaction.
    pub fn of_transaction(&self, txid: Txid) -> impl Iterator<Item = (&OutPoint, &Coin)> {
        self.coins.range(outpoints_of(txid))
    }

    pub(crate) fn create(&mut self, txid: Txid, transaction: &Transaction, height: u32) {
        let coinbase = transaction.is_coinbase();
        for (vout, output) in (0..).zip(&transaction.output) {
            if !is_unspendable(&output.script_pubkey) {
                self.coins.insert(OutPoint { txid, vout }, Coin { output: output.clone(), height, coinbase });
            }
        }
    }

    pub(crate) fn remove_created(&mut self, txid: Txid, transaction: &Transaction) {
        for (vout, _) in (0..).zip(&transaction.output) {
            self.coins.remove(&OutPoint { txid, vout });
        }
    }

    pub(crate) fn spend(&mut self, outpoint: &OutPoint) -> Option<Coin> {
        self.coins.remove(outpoint)
    }

    pub(crate) fn restore(&mut self, outpoint: OutPoint, coin: Coin) {
        self.coins.insert(outpoint, coin);
    }
}

/// The range of all outpoints that one transaction can have.
pub(crate) fn outpoints_of(txid: Txid) -> std::ops::RangeInclusive<OutPoint> {
    OutPoint { txid, vout: 0 }..=OutPoint { txid, vout: u32::MAX }
}

fn is_unspendable(script: &Script) -> bool {
    script.is_op_return() || script.len() > MAX_SCRIPT_SIZE
}
