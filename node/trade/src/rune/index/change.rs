//! What one block changes, before any of it is written.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use bitcoin::OutPoint;
use ordinals::{Rune, RuneId};

use crate::rune::Balances;
use crate::rune::index::{Changes, Entry, IndexError, State, Tip};

/// A row that was looked at.
struct Row<V> {
    before: Option<V>,
    now: Option<V>,
}

type Table<K, V> = BTreeMap<K, Row<V>>;

/// A state and the rows in front of it that differ.
pub(super) struct Change<'a, S> {
    state: &'a S,
    entries: Table<RuneId, Entry>,
    ids: Table<Rune, RuneId>,
    balances: Table<OutPoint, Balances>,
}

impl<'a, S: State> Change<'a, S> {
    pub(super) fn new(state: &'a S) -> Self {
        Self { state, entries: Table::new(), ids: Table::new(), balances: Table::new() }
    }

    /// The rune with this id, to read or to change.
    pub(super) fn entry(&mut self, id: RuneId) -> Result<Option<&mut Entry>, IndexError<S::Failure>> {
        Ok(load(&mut self.entries, id, || self.state.entry(id))?.as_mut())
    }

    pub(super) fn set_entry(&mut self, id: RuneId, entry: Entry) -> Result<(), IndexError<S::Failure>> {
        *load(&mut self.entries, id, || self.state.entry(id))? = Some(entry);
        Ok(())
    }

    pub(super) fn id(&mut self, rune: Rune) -> Result<Option<RuneId>, IndexError<S::Failure>> {
        Ok(*load(&mut self.ids, rune, || self.state.id(rune))?)
    }

    pub(super) fn set_id(&mut self, rune: Rune, id: RuneId) -> Result<(), IndexError<S::Failure>> {
        *load(&mut self.ids, rune, || self.state.id(rune))? = Some(id);
        Ok(())
    }

    /// What an output holds, which is spent now. An output without runes leaves no trace here: a block spends thousands.
    pub(super) fn take_balances(&mut self, outpoint: &OutPoint) -> Result<Balances, IndexError<S::Failure>> {
        if let Some(row) = self.balances.get_mut(outpoint) {
            return Ok(row.now.take().unwrap_or_default());
        }
        let Some(balances) = self.state.balances(outpoint).map_err(IndexError::State)? else {
            return Ok(Balances::new());
        };
        self.balances.insert(*outpoint, Row { before: Some(balances.clone()), now: None });
        Ok(balances)
    }

    pub(super) fn set_balances(
        &mut self,
        outpoint: OutPoint,
        balances: Balances,
    ) -> Result<(), IndexError<S::Failure>> {
        *load(&mut self.balances, outpoint, || self.state.balances(&outpoint))? = Some(balances);
        Ok(())
    }

    /// The rows to write, and those that undo it.
    pub(super) fn finish(self, tip: Option<Tip>, before: Option<Tip>) -> (Changes, Changes) {
        let mut forth = Changes { tip, ..Changes::default() };
        let mut back = Changes { tip: before, ..Changes::default() };
        split(self.entries, &mut forth.entries, &mut back.entries);
        split(self.ids, &mut forth.ids, &mut back.ids);
        split(self.balances, &mut forth.balances, &mut back.balances);
        (forth, back)
    }
}

/// The value of a row as it is now, read from the state the first time.
fn load<K: Ord, V: Clone, F: std::error::Error>(
    table: &mut Table<K, V>,
    key: K,
    read: impl FnOnce() -> Result<Option<V>, F>,
) -> Result<&mut Option<V>, IndexError<F>> {
    let row = match table.entry(key) {
        Slot::Occupied(slot) => slot.into_mut(),
        Slot::Vacant(slot) => {
            let before = read().map_err(IndexError::State)?;
            slot.insert(Row { now: before.clone(), before })
        }
    };
    Ok(&mut row.now)
}

fn split<K: Clone, V: PartialEq>(table: Table<K, V>, forth: &mut Vec<(K, Option<V>)>, back: &mut Vec<(K, Option<V>)>) {
    for (key, Row { before, now }) in table {
        if before != now {
            forth.push((key.clone(), now));
            back.push((key, before));
        }
    }
}
