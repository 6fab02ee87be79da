//! What outputs hold, as of one block.

use bitcoin::{BlockHash, OutPoint};
use darkswap_trade::asset::Asset;
use darkswap_trade::coin::Holdings;
use darkswap_trade::rune::Balances;
use darkswap_trade::rune::index::Undo;

use super::rows::Snapshot;
use crate::store::StoreError;

/// How many blocks the index may be ahead of what is asked about. An Electrum server learns of a block from bitcoind, and so after it.
const AHEAD: u32 = 6;

/// The balances as of one block.
pub(super) struct View {
    snapshot: Snapshot,
    /// The records of the blocks that came after it, the first one first.
    later: Vec<Undo>,
}

impl View {
    /// None unless this block is the last one of the snapshot, or one of the [`AHEAD`] before it.
    pub(super) fn at(snapshot: Snapshot, height: u32, hash: BlockHash) -> Result<Option<Self>, StoreError> {
        let Some(tip) = snapshot.tip()? else { return Ok(None) };
        if (tip.height, tip.hash) == (height, hash) {
            return Ok(Some(Self { snapshot, later: Vec::new() }));
        }
        if tip.height <= height || tip.height - height > AHEAD {
            return Ok(None);
        }
        let mut later = Vec::new();
        for height in height + 1..=tip.height {
            let Some(undo) = snapshot.undo(height)? else { return Ok(None) };
            later.push(undo);
        }
        let before = later.first().and_then(|undo| undo.back.tip.as_ref());
        let follows = before.is_some_and(|before| (before.height, before.hash) == (height, hash));
        Ok(follows.then_some(Self { snapshot, later }))
    }

    /// What an output held that was unspent then; none if nothing.
    pub(super) fn balances(&self, outpoint: &OutPoint) -> Result<Option<Balances>, StoreError> {
        // The first block that changed the row knows what it was before.
        for undo in &self.later {
            let rows = &undo.back.balances;
            if let Ok(at) = rows.binary_search_by_key(outpoint, |(changed, _)| *changed) {
                return Ok(rows[at].1.clone());
            }
        }
        self.snapshot.balances(outpoint)
    }

    /// The same, as assets.
    pub(super) fn holdings(&self, outpoint: &OutPoint) -> Result<Option<Holdings>, StoreError> {
        let balances = self.balances(outpoint)?;
        Ok(balances.map(|balances| balances.into_iter().map(|(id, units)| (Asset::Rune(id), units)).collect()))
    }
}
