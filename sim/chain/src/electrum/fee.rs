//! Fee rates.

use std::collections::BTreeMap;

use bitcoin::Amount;
use serde_json::{Value, json};

use crate::block::MAX_BLOCK_WEIGHT;
use crate::mempool::Mempool;

/// A rate in satoshis per 1,000 virtual bytes as servers tell it: in bitcoin per 1,000 virtual bytes.
pub(super) fn btc_per_kvb(rate: u64) -> f64 {
    Amount::from_sat(rate).to_btc()
}

/// The rate that is enough for one of the next blocks, if those that pay better keep waiting and nobody else comes.
pub(super) fn estimate(mempool: &Mempool, blocks: u16) -> Option<u64> {
    if blocks == 0 || mempool.is_empty() {
        return None;
    }
    let mut rates: Vec<(u64, u64)> = mempool.iter().map(|entry| (rate(entry.fee, entry.vsize), entry.weight)).collect();
    rates.sort_unstable_by(|a, b| b.cmp(a));
    let room = u64::from(blocks) * MAX_BLOCK_WEIGHT;
    let mut weight = 0;
    for (rate, own) in rates {
        weight += own;
        if weight > room {
            return Some(rate.saturating_add(1).max(mempool.min_fee_rate()));
        }
    }
    Some(mempool.min_fee_rate())
}

/// Pairs of a rate in satoshis per virtual byte and the size of what pays that or up to twice as much, best first.
pub(super) fn histogram(mempool: &Mempool) -> Value {
    let mut bins: BTreeMap<u64, u64> = BTreeMap::new();
    for entry in mempool.iter() {
        let rate = rate(entry.fee, entry.vsize) / 1_000;
        *bins.entry(rate.checked_ilog2().map_or(0, |power| 1 << power)).or_default() += entry.vsize;
    }
    json!(bins.iter().rev().map(|(rate, vsize)| json!([rate, vsize])).collect::<Vec<_>>())
}

fn rate(fee: Amount, vsize: u64) -> u64 {
    fee.to_sat().saturating_mul(1_000) / vsize.max(1)
}
