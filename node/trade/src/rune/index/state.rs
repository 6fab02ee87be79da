//! Where the index is kept, and the record that undoes a block.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bitcoin::{BlockHash, OutPoint};
use ordinals::{Rune, RuneId};
use serde::{Deserialize, Serialize};

use crate::rune::Balances;
use crate::rune::index::Entry;

/// The last block that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
    /// How many runes were etched up to it.
    pub runes: u64,
}

/// Rows to write; a row without a value is removed. Each key is there at most once, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The last block, in its one row.
    pub tip: Option<Tip>,
    /// Runes by id.
    pub entries: Vec<(RuneId, Option<Entry>)>,
    /// Ids by name.
    pub ids: Vec<(Rune, Option<RuneId>)>,
    /// What unspent outputs hold; those that hold nothing have no row.
    pub balances: Vec<(OutPoint, Option<Balances>)>,
}

/// The record that undoes a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The block that it undoes.
    pub block: BlockHash,
    /// The rows as they were before.
    pub back: Changes,
}

/// Where the index is kept: four tables.
pub trait State {
    /// How reading or writing can fail.
    type Failure: std::error::Error;

    /// The last block; none before the first.
    fn tip(&self) -> Result<Option<Tip>, Self::Failure>;

    /// The rune with this id.
    fn entry(&self, id: RuneId) -> Result<Option<Entry>, Self::Failure>;

    /// The id of the rune with this name.
    fn id(&self, rune: Rune) -> Result<Option<RuneId>, Self::Failure>;

    /// What an unspent output holds; none if it holds nothing.
    fn balances(&self, outpoint: &OutPoint) -> Result<Option<Balances>, Self::Failure>;

    /// Writes all of it or, on failure, nothing.
    fn write(&mut self, changes: &Changes) -> Result<(), Self::Failure>;
}

/// A state in memory, for tests and small chains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryState {
    tip: Option<Tip>,
    entries: BTreeMap<RuneId, Entry>,
    ids: BTreeMap<Rune, RuneId>,
    balances: BTreeMap<OutPoint, Balances>,
}

impl MemoryState {
    /// Every rune, by id.
    pub fn entries(&self) -> &BTreeMap<RuneId, Entry> {
        &self.entries
    }

    /// What every unspent output holds.
    pub fn all_balances(&self) -> &BTreeMap<OutPoint, Balances> {
        &self.balances
    }
}

impl State for MemoryState {
    type Failure = Infallible;

    fn tip(&self) -> Result<Option<Tip>, Infallible> {
        Ok(self.tip.clone())
    }

    fn entry(&self, id: RuneId) -> Result<Option<Entry>, Infallible> {
        Ok(self.entries.get(&id).cloned())
    }

    fn id(&self, rune: Rune) -> Result<Option<RuneId>, Infallible> {
        Ok(self.ids.get(&rune).copied())
    }

    fn balances(&self, outpoint: &OutPoint) -> Result<Option<Balances>, Infallible> {
        Ok(self.balances.get(outpoint).cloned())
    }

    fn write(&mut self, changes: &Changes) -> Result<(), Infallible> {
        self.tip.clone_from(&changes.tip);
        write_rows(&mut self.entries, &changes.entries);
        write_rows(&mut self.ids, &changes.ids);
        write_rows(&mut self.balances, &changes.balances);
        Ok(())
    }
}

fn write_rows<K: Ord + Clone, V: Clone>(table: &mut BTreeMap<K, V>, rows: &[(K, Option<V>)]) {
    for (key, value) in rows {
        match value {
            Some(value) => table.insert(key.clone(), value.clone()),
            None => table.remove(key),
        };
    }
}
