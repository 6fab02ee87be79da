//! An output of the chain with the assets on it, as a check sees it.

use std::collections::BTreeMap;

use bitcoin::{OutPoint, TxOut};

use crate::asset::Asset;

/// The assets on one output, in their smallest units. No entry has the value zero.
pub type Holdings = BTreeMap<Asset, u128>;

/// An unspent output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// Where it is.
    pub outpoint: OutPoint,
    /// Its value and script.
    pub output: TxOut,
    /// The height of the block that has it; none while it waits in the mempool.
    pub height: Option<u32>,
    /// The assets on it.
    pub holdings: Holdings,
}

/// What a check may ask the chain. The caller fetches beforehand what the inputs name, so that checks stay pure.
pub trait Coins {
    /// The unspent output at a place; none if there is none, or if it is spent, also by a transaction that only waits.
    fn coin(&self, outpoint: &OutPoint) -> Option<&Coin>;
}

impl Coins for BTreeMap<OutPoint, Coin> {
    fn coin(&self, outpoint: &OutPoint) -> Option<&Coin> {
        self.get(outpoint)
    }
}
