//! Where the index is kept: a redb file.
//!
//! | table | key | value |
//! |---|---|---|
//! | `single` | `tip`, `network` | the last block; whose chain it is |
//! | `entries` | rune id | the rune |
//! | `ids` | name | rune id |
//! | `balances` | outpoint | what an unspent output holds; none if nothing |
//! | `undo` | height | the record that undoes the block, of the last [`UNDO_DEPTH`] blocks |
//!
//! Some blocks at once are one transaction: after a crash the file is as it was after some block, with the records that undo those before it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bitcoin::{Block, BlockHash, Network, OutPoint};
use darkswap_trade::rune::Balances;
use darkswap_trade::rune::index::{Changes, Entry, Index, IndexError, PreviousOutput, State, Tip, UNDO_DEPTH, Undo};
use darkswap_trader::chain::{KnownRune, RuneQuery};
use ordinals::{Rune, RuneId};
use redb::{AccessGuard, ReadableTable as _, StorageBackend, Table, TableDefinition, WriteTransaction};

use super::row::{IdKey, NameKey, OutPointKey, Row, id_key, name_key, outpoint_key};
use super::view::View;
use crate::runtime::Runtime;
use crate::store::StoreError;
use crate::store::database::{Database, Kind};

mod snapshot;

pub(super) use snapshot::Snapshot;

/// Pages that are likely to be needed again: a block looks up each of its inputs.
const KIND: Kind = Kind {
    noun: "rune index",
    format: 1,
    cache: 64 << 20,
    remedy: "remove it: it is built anew from bitcoind's blocks",
};

const SINGLE: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("single");
const ENTRIES: TableDefinition<'static, &'static IdKey, &'static [u8]> = TableDefinition::new("entries");
const IDS: TableDefinition<'static, &'static NameKey, &'static [u8]> = TableDefinition::new("ids");
const BALANCES: TableDefinition<'static, &'static OutPointKey, &'static [u8]> = TableDefinition::new("balances");
const UNDO: TableDefinition<'static, u32, &'static [u8]> = TableDefinition::new("undo");

const TIP: &str = "tip";
const NETWORK: &str = "network";

/// A block with what has to be known before it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its height.
    pub height: u32,
    /// The block.
    pub block: Block,
    /// What [`Index::wanted`] names.
    pub previous: BTreeMap<OutPoint, PreviousOutput>,
}

/// What came of taking the last block back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// It is taken back.
    Block,
    /// There is no record of it: it is deeper than [`UNDO_DEPTH`].
    TooDeep,
}

/// The durable tables of an index.
pub struct Rows {
    database: Arc<Database>,
    index: Index,
}

impl Rows {
    /// Opens the file of the host, or makes an empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(runtime: &dyn Runtime, file: &Path, network: Network) -> Result<Self, StoreError> {
        Self::of(Database::open(&KIND, runtime, file)?, network)
    }

    /// Opens it on a storage; `file` names it in messages.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn over(storage: impl StorageBackend, file: &Path, network: Network) -> Result<Self, StoreError> {
        Self::of(Database::over(&KIND, storage, file)?, network)
    }

    fn of(database: Database, network: Network) -> Result<Self, StoreError> {
        let rows = Self { database: Arc::new(database), index: Index::new(network) };
        let expected = network.to_string();
        let found = rows.database.transact(|transaction| {
            let mut tables = Tables::open(&rows.database, transaction)?;
            let found = tables.single(NETWORK)?;
            if found.is_none() {
                tables.set_single(NETWORK, expected.as_bytes())?;
            }
            Ok(found)
        })?;
        match found {
            Some(found) if found != expected.as_bytes() => {
                Err(rows.database.of_network(String::from_utf8_lossy(&found).into_owned(), expected))
            }
            Some(_) | None => Ok(rows),
        }
    }

    /// The rules by which blocks change it.
    #[must_use]
    pub fn index(&self) -> Index {
        self.index
    }

    /// The last block; none before the first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tip(&self) -> Result<Option<Tip>, StoreError> {
        Snapshot::of(&self.database)?.tip()
    }

    /// A rune, none if it was not etched, and the last block that this is so of.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rune(&self, query: RuneQuery) -> Result<(Option<KnownRune>, Option<Tip>), StoreError> {
        let snapshot = Snapshot::of(&self.database)?;
        Ok((snapshot.rune(query)?, snapshot.tip()?))
    }

    /// The balances as of a block that is the last one, or one of a few before it; none if the index is elsewhere.
    pub(super) fn view(&self, height: u32, hash: BlockHash) -> Result<Option<View>, StoreError> {
        View::at(Snapshot::of(&self.database)?, height, hash)
    }

    /// Applies blocks that follow each other, all of them or, on failure, none. Others get their turn between two blocks.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn apply(&self, blocks: &[Fetched]) -> Result<(), IndexError<StoreError>> {
        let transaction = self.database.begin().map_err(IndexError::State)?;
        for Fetched { height, block, previous } in blocks {
            let mut tables = Tables::open(&self.database, &transaction).map_err(IndexError::State)?;
            let undo = self.index.apply_block(block, *height, previous, &mut tables)?;
            tables.keep(*height, &undo).map_err(IndexError::State)?;
            drop(tables);
            tokio::task::yield_now().await;
        }
        self.database.commit(transaction).map_err(IndexError::State)
    }

    /// Takes the last block back.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn undo(&self) -> Result<Undone, IndexError<StoreError>> {
        let transaction = self.database.begin().map_err(IndexError::State)?;
        let mut tables = Tables::open(&self.database, &transaction).map_err(IndexError::State)?;
        let Some(tip) = tables.tip().map_err(IndexError::State)? else { return Ok(Undone::TooDeep) };
        let Some(undo) = tables.forget(tip.height).map_err(IndexError::State)? else { return Ok(Undone::TooDeep) };
        self.index.undo_block(&undo, &mut tables)?;
        drop(tables);
        self.database.commit(transaction).map_err(IndexError::State)?;
        Ok(Undone::Block)
    }

    /// Forgets everything but whose chain it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn clear(&self) -> Result<(), StoreError> {
        self.database.transact(|transaction| {
            let failed = |error| self.database.failed("write", error);
            let deleted = [
                transaction.delete_table(ENTRIES),
                transaction.delete_table(IDS),
                transaction.delete_table(BALANCES),
                transaction.delete_table(UNDO),
            ];
            for deleted in deleted {
                deleted.map_err(|error| failed(error.into()))?;
            }
            let mut tables = Tables::open(&self.database, transaction)?;
            tables.single.remove(TIP).map_err(|error| failed(error.into()))?;
            Ok(())
        })
    }

    /// How many records that undo a block there are, and how many outputs hold something.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn counts(&self) -> Result<(u64, u64), StoreError> {
        Snapshot::of(&self.database)?.counts()
    }

    /// Everything, as changes to an empty index. For tests: on a long chain there is no room for it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn everything(&self) -> Result<Changes, StoreError> {
        Snapshot::of(&self.database)?.everything()
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("file", &self.database.file()).finish_non_exhaustive()
    }
}

/// The tables of a transaction that writes.
struct Tables<'a> {
    database: &'a Database,
    single: Table<'a, &'static str, &'static [u8]>,
    entries: Table<'a, &'static IdKey, &'static [u8]>,
    ids: Table<'a, &'static NameKey, &'static [u8]>,
    balances: Table<'a, &'static OutPointKey, &'static [u8]>,
    undo: Table<'a, u32, &'static [u8]>,
}

impl<'a> Tables<'a> {
    fn open(database: &'a Database, transaction: &'a WriteTransaction) -> Result<Self, StoreError> {
        let failed = |error: redb::TableError| database.failed("write", error.into());
        Ok(Self {
            database,
            single: transaction.open_table(SINGLE).map_err(failed)?,
            entries: transaction.open_table(ENTRIES).map_err(failed)?,
            ids: transaction.open_table(IDS).map_err(failed)?,
            balances: transaction.open_table(BALANCES).map_err(failed)?,
            undo: transaction.open_table(UNDO).map_err(failed)?,
        })
    }

    fn single(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.single.get(name).map_err(|error| self.database.failed("read", error.into()))?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn set_single(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.single.insert(name, value).map_err(|error| self.database.failed("write", error.into()))?;
        Ok(())
    }

    /// Keeps the record of a block, and drops the one that is too old.
    fn keep(&mut self, height: u32, undo: &Undo) -> Result<(), StoreError> {
        let failed = |error: redb::StorageError| self.database.failed("write", error.into());
        self.undo.insert(height, undo.to_bytes().as_slice()).map_err(failed)?;
        if let Some(old) = height.checked_sub(UNDO_DEPTH) {
            self.undo.remove(old).map_err(failed)?;
        }
        Ok(())
    }

    /// Takes the record of a block out.
    fn forget(&mut self, height: u32) -> Result<Option<Undo>, StoreError> {
        let removed = self.undo.remove(height).map_err(|error| self.database.failed("write", error.into()))?;
        removed.map(|value| read(self.database, value.value())).transpose()
    }
}

impl State for Tables<'_> {
    type Failure = StoreError;

    fn tip(&self) -> Result<Option<Tip>, StoreError> {
        self.single(TIP)?.map(|value| read(self.database, &value)).transpose()
    }

    fn entry(&self, id: RuneId) -> Result<Option<Entry>, StoreError> {
        get(self.database, self.entries.get(&id_key(id)))
    }

    fn id(&self, rune: Rune) -> Result<Option<RuneId>, StoreError> {
        get(self.database, self.ids.get(&name_key(rune)))
    }

    fn balances(&self, outpoint: &OutPoint) -> Result<Option<Balances>, StoreError> {
        get(self.database, self.balances.get(&outpoint_key(outpoint)))
    }

    fn write(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let failed = |error: redb::StorageError| self.database.failed("write", error.into());
        match &changes.tip {
            Some(tip) => self.single.insert(TIP, tip.to_bytes().as_slice()).map(drop),
            None => self.single.remove(TIP).map(drop),
        }
        .map_err(failed)?;
        for (id, entry) in &changes.entries {
            write(&mut self.entries, &id_key(*id), entry.as_ref()).map_err(failed)?;
        }
        for (rune, id) in &changes.ids {
            write(&mut self.ids, &name_key(*rune), id.as_ref()).map_err(failed)?;
        }
        for (outpoint, balances) in &changes.balances {
            write(&mut self.balances, &outpoint_key(outpoint), balances.as_ref()).map_err(failed)?;
        }
        Ok(())
    }
}

fn write<const N: usize>(
    table: &mut Table<'_, &'static [u8; N], &'static [u8]>,
    key: &[u8; N],
    value: Option<&impl Row>,
) -> Result<(), redb::StorageError> {
    match value {
        Some(value) => table.insert(key, value.to_bytes().as_slice()).map(drop),
        None => table.remove(key).map(drop),
    }
}

/// Reads the value that was found, if one was.
fn get<V: Row>(
    database: &Database,
    found: Result<Option<AccessGuard<'_, &'static [u8]>>, redb::StorageError>,
) -> Result<Option<V>, StoreError> {
    let found = found.map_err(|error| database.failed("read", error.into()))?;
    found.map(|value| read(database, value.value())).transpose()
}

fn read<V: Row>(database: &Database, bytes: &[u8]) -> Result<V, StoreError> {
    V::from_bytes(bytes).ok_or_else(|| malformed(database))
}

fn malformed(database: &Database) -> StoreError {
    database.damaged("found a row that no index writes".to_owned())
}
