//! The content at one moment.

use std::sync::Arc;

use bitcoin::hashes::Hash as _;
use bitcoin::{OutPoint, Txid};
use darkswap_trade::rune::Balances;
use darkswap_trade::rune::index::{Changes, Entry, Tip, Undo};
use darkswap_trader::chain::{KnownRune, RuneQuery};
use ordinals::{Rune, RuneId};
use redb::{ReadOnlyTable, ReadableTable as _, ReadableTableMetadata as _};

use super::{BALANCES, ENTRIES, IDS, SINGLE, TIP, UNDO, get, malformed, read};
use crate::rune_index::row::{IdKey, NameKey, OutPointKey, Row, id_key, name_key, outpoint_key};
use crate::store::StoreError;
use crate::store::database::Database;

/// The content at one moment. What is written meanwhile does not show.
pub(in crate::rune_index) struct Snapshot {
    database: Arc<Database>,
    single: ReadOnlyTable<&'static str, &'static [u8]>,
    entries: ReadOnlyTable<&'static IdKey, &'static [u8]>,
    ids: ReadOnlyTable<&'static NameKey, &'static [u8]>,
    balances: ReadOnlyTable<&'static OutPointKey, &'static [u8]>,
    undo: ReadOnlyTable<u32, &'static [u8]>,
}

impl Snapshot {
    pub(super) fn of(database: &Arc<Database>) -> Result<Self, StoreError> {
        let failed = |error: redb::TableError| database.failed("read", error.into());
        let transaction = database.read()?;
        Ok(Self {
            database: Arc::clone(database),
            single: transaction.open_table(SINGLE).map_err(failed)?,
            entries: transaction.open_table(ENTRIES).map_err(failed)?,
            ids: transaction.open_table(IDS).map_err(failed)?,
            balances: transaction.open_table(BALANCES).map_err(failed)?,
            undo: transaction.open_table(UNDO).map_err(failed)?,
        })
    }

    pub(in crate::rune_index) fn tip(&self) -> Result<Option<Tip>, StoreError> {
        get(&self.database, self.single.get(TIP))
    }

    pub(in crate::rune_index) fn balances(&self, outpoint: &OutPoint) -> Result<Option<Balances>, StoreError> {
        get(&self.database, self.balances.get(&outpoint_key(outpoint)))
    }

    pub(in crate::rune_index) fn undo(&self, height: u32) -> Result<Option<Undo>, StoreError> {
        get(&self.database, self.undo.get(height))
    }

    pub(super) fn rune(&self, query: RuneQuery) -> Result<Option<KnownRune>, StoreError> {
        let id = match query {
            RuneQuery::Id(id) => Some(id),
            RuneQuery::Name(rune) => get(&self.database, self.ids.get(&name_key(rune)))?,
        };
        let Some(id) = id else { return Ok(None) };
        let entry: Option<Entry> = get(&self.database, self.entries.get(&id_key(id)))?;
        Ok(entry.map(|entry| (id, entry)))
    }

    pub(super) fn counts(&self) -> Result<(u64, u64), StoreError> {
        let failed = |error: redb::StorageError| self.database.failed("read", error.into());
        Ok((self.undo.len().map_err(failed)?, self.balances.len().map_err(failed)?))
    }

    pub(super) fn everything(&self) -> Result<Changes, StoreError> {
        let id = |key: &IdKey| {
            let (block, tx) = key.split_at(8);
            Some(RuneId {
                block: u64::from_be_bytes(block.try_into().ok()?),
                tx: u32::from_be_bytes(tx.try_into().ok()?),
            })
        };
        let outpoint = |key: &OutPointKey| {
            let (txid, vout) = key.split_first_chunk::<32>()?;
            let vout = u32::from_be_bytes(vout.try_into().ok()?);
            Some(OutPoint { txid: Txid::from_byte_array(*txid), vout })
        };
        Ok(Changes {
            tip: self.tip()?,
            entries: self.rows(&self.entries, id)?,
            ids: self.rows(&self.ids, |key| Some(Rune(u128::from_be_bytes(*key))))?,
            balances: self.rows(&self.balances, outpoint)?,
        })
    }

    fn rows<const N: usize, K, V: Row>(
        &self,
        table: &ReadOnlyTable<&'static [u8; N], &'static [u8]>,
        name: impl Fn(&[u8; N]) -> Option<K>,
    ) -> Result<Vec<(K, Option<V>)>, StoreError> {
        let failed = |error: redb::StorageError| self.database.failed("read", error.into());
        let mut rows = Vec::new();
        for row in table.iter().map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            let key = name(key.value()).ok_or_else(|| malformed(&self.database))?;
            rows.push((key, Some(read(&self.database, value.value())?)));
        }
        Ok(rows)
    }
}
