//! What is durable of trading: a redb file behind the seam, with a table for each [`Table`] of the trader.
//!
//! | promise | by |
//! |---|---|
//! | a batch of writes is there completely or not at all | one transaction per [`Store::commit`] |
//! | an acknowledged batch outlives every crash | `Durability::Immediate`, two-phase commit |
//! | two processes never write the same file | the lock on the storage, taken when it is opened |
//! | a damaged file is noticed before anything in it is believed | every checksum is verified when it is opened |
//!
//! What every durable file has in common is in `database`; the index of runes is one as well.
//!
//! Two phases, although one would do for honest content: values hold bytes from peers, and redb's checksums are not made against
//! somebody who chooses the bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use darkswap_trader::store::{Table, Write};
use redb::{ReadableTable as _, StorageBackend, TableDefinition, TableError};

use crate::runtime::Runtime;

mod creation;
pub(crate) mod database;
mod storage;

pub use database::StoreError;
pub use storage::Storage;

use database::{Database, Kind};

/// The format that is written, and the newest one that is read.
pub const FORMAT: u64 = 1;

/// The whole content is read once at the start and then only written.
const KIND: Kind = Kind {
    noun: "store",
    format: FORMAT,
    cache: 8 << 20,
    remedy: "put it aside, then restore it from a backup, or start without it: the wallet is found again from its seed, but swaps \
             that were under way are forgotten",
};

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Durable tables of keys and values.
pub struct Store {
    database: Database,
}

impl Store {
    /// Opens a store of the host, or makes an empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(runtime: &dyn Runtime, file: &Path) -> Result<Self, StoreError> {
        Ok(Self { database: Database::open(&KIND, runtime, file)? })
    }

    /// Opens the store on a storage; `file` names it in messages.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn over(storage: impl StorageBackend, file: &Path) -> Result<Self, StoreError> {
        Ok(Self { database: Database::over(&KIND, storage, file)? })
    }

    /// Writes all of a batch, or nothing. When it returns, the batch outlives a crash.
    ///
    /// The thread waits for the disk twice: 10 ms, and 35 ms in one of a hundred cases, measured on a busy host with a virtual disk,
    /// whether a batch has 200 bytes or 40,000. So call it by [`Runtime::blocking`].
    ///
    /// # Errors
    /// [`StoreError::Failed`], and then this store refuses everything: what is on the disk is known only after it is opened again.
    pub fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        let failed = |error| self.database.failed("write", error);
        let mut by_table: BTreeMap<Table, Vec<&Write>> = BTreeMap::new();
        for write in writes {
            by_table.entry(write.table).or_default().push(write);
        }
        self.database.transact(|transaction| {
            for (table, writes) in by_table {
                let mut table = transaction.open_table(definition(table)).map_err(|error| failed(error.into()))?;
                for Write { key, value, .. } in writes {
                    let written = match value {
                        Some(value) => table.insert(key.as_slice(), value.as_slice()).map(drop),
                        None => table.remove(key.as_slice()).map(drop),
                    };
                    written.map_err(|error| failed(error.into()))?;
                }
            }
            Ok(())
        })
    }

    /// Everything in a table, in the order of the keys' bytes.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Damaged`].
    pub fn entries(&self, table: Table) -> Result<Vec<Entry>, StoreError> {
        let failed = |error| self.database.failed("read", error);
        let transaction = self.database.read()?;
        let table = match transaction.open_table(definition(table)) {
            // Made by its first write.
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            opened => opened.map_err(|error| failed(error.into()))?,
        };
        let mut entries = Vec::new();
        for entry in table.iter().map_err(|error| failed(error.into()))? {
            let (key, value) = entry.map_err(|error| failed(error.into()))?;
            entries.push((key.value().to_vec(), value.value().to_vec()));
        }
        Ok(entries)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("file", &self.database.file()).finish_non_exhaustive()
    }
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

#[cfg(test)]
pub(crate) mod tests;
