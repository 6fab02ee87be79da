//! Which waiting transactions are in the next block.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bitcoin::Txid;

use crate::mempool::{Entry, Mempool};

/// The fee rate of a transaction together with its ancestors that are not in the block yet; the id breaks ties.
type Score = (Reverse<u128>, Txid);

/// Selects transactions up to a weight by the fee rate of each with its ancestors, parents before children.
pub(crate) fn select(mempool: &Mempool, max_weight: u64) -> Vec<&Entry> {
    let mut chosen: Vec<&Entry> = Vec::new();
    let mut taken: BTreeSet<Txid> = BTreeSet::new();
    let mut weight = 0_u64;
    let mut scores: BTreeMap<Txid, Score> = BTreeMap::new();
    let mut queue: BTreeSet<Score> = BTreeSet::new();
    for entry in mempool.iter() {
        let score = score(mempool, entry, &taken);
        scores.insert(entry.txid, score);
        queue.insert(score);
    }
    while let Some((_, txid)) = queue.pop_first() {
        let Some(entry) = mempool.entry(&txid) else { continue };
        let mut package = mempool.ancestors(&entry.transaction);
        package.insert(txid);
        package.retain(|txid| !taken.contains(txid));
        let needed: u64 = package.iter().filter_map(|txid| mempool.entry(txid)).map(|entry| entry.weight).sum();
        if weight + needed > max_weight {
            continue;
        }
        weight += needed;
        taken.extend(&package);
        let mut better = BTreeSet::new();
        for member in mempool.parents_first(package) {
            if let Some(score) = scores.remove(&member) {
                queue.remove(&score);
            }
            better.extend(mempool.descendants(member));
            chosen.extend(mempool.entry(&member));
        }
        // Descendants no longer carry these ancestors.
        for entry in better.iter().filter(|txid| !taken.contains(*txid)).filter_map(|txid| mempool.entry(txid)) {
            let fresh = score(mempool, entry, &taken);
            if scores.insert(entry.txid, fresh).is_some_and(|stale| queue.remove(&stale)) {
                queue.insert(fresh);
            }
        }
    }
    chosen
}

fn score(mempool: &Mempool, entry: &Entry, taken: &BTreeSet<Txid>) -> Score {
    let mut fee = u128::from(entry.fee.to_sat());
    let mut weight = u128::from(entry.weight);
    let ancestors = mempool.ancestors(&entry.transaction);
    for ancestor in ancestors.iter().filter(|txid| !taken.contains(*txid)).filter_map(|txid| mempool.entry(txid)) {
        fee += u128::from(ancestor.fee.to_sat());
        weight += u128::from(ancestor.weight);
    }
    // Parts per million of satoshis per weight unit: finer than any two fees differ.
    (Reverse(fee * 1_000_000 / weight.max(1)), entry.txid)
}
