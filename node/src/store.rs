//! What is durable of trading: a redb file behind the seam, with a table for each [`Table`] of the trader.
//!
//! | promise | by |
//! |---|---|
//! | a batch of writes is there completely or not at all | one transaction per [`Store::commit`] |
//! | an acknowledged batch outlives every crash | `Durability::Immediate`, two-phase commit |
//! | two processes never write the same file | the lock on the storage, taken when it is opened |
//! | a damaged file is noticed before anything in it is believed | every checksum is verified when it is opened |
//!
//! Two phases, although one would do for honest content: values hold bytes from peers, and redb's checksums are not made against
//! somebody who chooses the bytes.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use darkswap_trader::store::{Table, Write};
use redb::{
    Builder, Database, DatabaseError, Durability, ReadableDatabase as _, ReadableTable as _, StorageBackend,
    StorageError, TableDefinition, TableError, TableHandle as _,
};
use thiserror::Error;

use crate::runtime::Runtime;

mod creation;
mod storage;

pub use storage::Storage;

/// The format that is written, and the newest one that is read.
pub const FORMAT: u64 = 1;

/// Memory for pages of the file. The whole content is read once at the start and then only written.
const CACHE: usize = 8 << 20;

/// What says which format the rest has.
const FORMATS: TableDefinition<'static, &str, u64> = TableDefinition::new("format");

/// The one entry of [`FORMATS`].
const VERSION: &str = "version";

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Durable tables of keys and values.
pub struct Store {
    file: PathBuf,
    database: Database,
}

/// Why something is not stored, or not found.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Somebody else has it open.
    #[error("the store {} is open in another process; stop that one first (`darkswap stop`)", file.display())]
    InUse {
        /// The file.
        file: PathBuf,
    },
    /// A later version of the program wrote it.
    #[error(
        "the store {} has format {found}, expected at most {FORMAT}: a newer darkswap wrote it; run that version, or a newer one",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u64,
    },
    /// Its content is not what was written.
    #[error(
        "the store {} is damaged, or is no store: {reason}; put it aside, then restore it from a backup, or start without it: the \
         wallet is found again from its seed, but swaps that were under way are forgotten",
        file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The host's error, such as a full disk.
    #[error("cannot {action} the store {}", file.display())]
    Failed {
        /// What was tried: `open`, `read`, `write`.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl Store {
    /// Opens a store of the host, or makes an empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(runtime: &dyn Runtime, file: &Path) -> Result<Self, StoreError> {
        let storage = runtime.open_storage(file);
        let storage = storage.map_err(|source| StoreError::Failed { action: "open", file: file.to_owned(), source })?;
        Self::over(Storage::from(storage), file)
    }

    /// Opens the store on a storage; `file` names it in messages.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn over(storage: impl StorageBackend, file: &Path) -> Result<Self, StoreError> {
        match creation::discard_unfinished(&storage) {
            Ok(true) => {}
            Ok(false) => return Err(StoreError::InUse { file: file.to_owned() }),
            Err(source) => return Err(StoreError::Failed { action: "open", file: file.to_owned(), source }),
        }
        let opened =
            Builder::new().set_cache_size(CACHE).set_check_integrity_on_open(true).create_with_backend(storage);
        let database = opened.map_err(|error| not_opened(file, error))?;
        let store = Self { file: file.to_owned(), database };
        store.check_format()?;
        Ok(store)
    }

    /// Writes all of a batch, or nothing. When it returns, the batch outlives a crash.
    ///
    /// # Errors
    /// [`StoreError::Failed`], and then this store refuses everything: what is on the disk is known only after it is opened again.
    pub fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        let failed = |error| self.failed("write", error);
        let mut by_table: BTreeMap<Table, Vec<&Write>> = BTreeMap::new();
        for write in writes {
            by_table.entry(write.table).or_default().push(write);
        }
        self.transact(|transaction| {
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
        let failed = |error| self.failed("read", error);
        let transaction = self.database.begin_read().map_err(|error| failed(error.into()))?;
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

    /// Refuses what another version or another program wrote; marks what is empty as ours.
    fn check_format(&self) -> Result<(), StoreError> {
        match self.format()? {
            Some(FORMAT) => Ok(()),
            Some(found) if found > FORMAT => Err(StoreError::Newer { file: self.file.clone(), found }),
            Some(found) => Err(self.damaged(format!("found format {found}, which never was"))),
            None => self.transact(|transaction| {
                let failed = |error| self.failed("write", error);
                let mut formats = transaction.open_table(FORMATS).map_err(|error| failed(error.into()))?;
                formats.insert(VERSION, FORMAT).map_err(|error| failed(error.into()))?;
                Ok(())
            }),
        }
    }

    /// The format of the content, if there is any content.
    fn format(&self) -> Result<Option<u64>, StoreError> {
        let failed = |error| self.failed("read", error);
        let transaction = self.database.begin_read().map_err(|error| failed(error.into()))?;
        let mut tables = transaction.list_tables().map_err(|error| failed(error.into()))?;
        match transaction.open_table(FORMATS) {
            Ok(formats) => {
                let version = formats.get(VERSION).map_err(|error| failed(error.into()))?;
                let version = version.ok_or_else(|| self.damaged("found no version".to_owned()))?;
                Ok(Some(version.value()))
            }
            Err(TableError::TableDoesNotExist(_)) => match tables.next() {
                None => Ok(None),
                Some(other) => Err(self.damaged(format!("found the table `{}`, but no version", other.name()))),
            },
            Err(error) => Err(failed(error.into())),
        }
    }

    /// One transaction: durable when this returns, as if it had never been begun when it fails.
    fn transact(
        &self,
        write: impl FnOnce(&redb::WriteTransaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let failed = |error| self.failed("write", error);
        let mut transaction = self.database.begin_write().map_err(|error| failed(error.into()))?;
        transaction.set_durability(Durability::Immediate).map_err(|error| failed(error.into()))?;
        transaction.set_two_phase_commit(true);
        write(&transaction)?;
        transaction.commit().map_err(|error| failed(error.into()))
    }

    fn damaged(&self, reason: String) -> StoreError {
        StoreError::Damaged { file: self.file.clone(), reason }
    }

    fn failed(&self, action: &'static str, error: redb::Error) -> StoreError {
        let file = self.file.clone();
        match error {
            redb::Error::Corrupted(reason) => StoreError::Damaged { file, reason },
            redb::Error::TableTypeMismatch { .. } | redb::Error::TableIsMultimap(_) => {
                StoreError::Damaged { file, reason: error.to_string() }
            }
            redb::Error::Io(source) => StoreError::Failed { action, file, source },
            error => StoreError::Failed { action, file, source: io::Error::other(error) },
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("file", &self.file).finish_non_exhaustive()
    }
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

fn not_opened(file: &Path, error: DatabaseError) -> StoreError {
    let file = file.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => StoreError::InUse { file },
        // What is no redb file at all, or shorter than its header says.
        DatabaseError::Storage(StorageError::Io(source))
            if matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            StoreError::Damaged { file, reason: source.to_string() }
        }
        DatabaseError::Storage(StorageError::Io(source)) => StoreError::Failed { action: "open", file, source },
        error => {
            StoreError::Damaged { file, reason: error.source().map_or_else(|| error.to_string(), ToString::to_string) }
        }
    }
}

#[cfg(test)]
mod tests;
