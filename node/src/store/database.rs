//! A redb file behind the seam: opened with every checksum verified, its format known, its errors worded.

use std::error::Error as _;
use std::io;
use std::path::{Path, PathBuf};

use redb::{
    Builder, DatabaseError, Durability, ReadTransaction, ReadableDatabase as _, StorageBackend, StorageError,
    TableDefinition, TableError, TableHandle as _, WriteTransaction,
};
use thiserror::Error;

use super::{Storage, creation};
use crate::runtime::Runtime;

/// What says which format the rest has.
pub(super) const FORMATS: TableDefinition<'static, &str, u64> = TableDefinition::new("format");

/// The one entry of [`FORMATS`].
pub(super) const VERSION: &str = "version";

/// What a file is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// What it is called in messages.
    pub(crate) noun: &'static str,
    /// The format that is written, and the newest one that is read.
    pub(crate) format: u64,
    /// Memory for pages of the file, in bytes.
    pub(crate) cache: usize,
    /// What to do when it is damaged.
    pub(crate) remedy: &'static str,
}

/// Why something is not stored, or not found.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Somebody else has it open.
    #[error("the {noun} {} is open in another process; stop that one first (`darkswap stop`)", file.display())]
    InUse {
        /// What it is for.
        noun: &'static str,
        /// The file.
        file: PathBuf,
    },
    /// A later version of the program wrote it.
    #[error(
        "the {noun} {} has format {found}, expected at most {expected}: a newer darkswap wrote it; run that version, or a newer one",
        file.display()
    )]
    Newer {
        /// What it is for.
        noun: &'static str,
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u64,
        /// The newest one that is known.
        expected: u64,
    },
    /// Its content is not what was written.
    #[error("the {noun} {} is damaged, or is no {noun}: {reason}; {remedy}", file.display())]
    Damaged {
        /// What it is for.
        noun: &'static str,
        /// The file.
        file: PathBuf,
        /// What was found.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// It belongs to another chain.
    #[error("the {noun} {} is of {found}, expected {expected}: {remedy}", file.display())]
    Network {
        /// What it is for.
        noun: &'static str,
        /// The file.
        file: PathBuf,
        /// The chain that it says.
        found: String,
        /// The chain that is configured.
        expected: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The host's error, such as a full disk.
    #[error("cannot {action} the {noun} {}", file.display())]
    Failed {
        /// What was tried: `open`, `read`, `write`.
        action: &'static str,
        /// What it is for.
        noun: &'static str,
        /// The file.
        file: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// An open file.
pub(crate) struct Database {
    kind: &'static Kind,
    file: PathBuf,
    inner: redb::Database,
}

impl Database {
    /// Opens a file of the host, or makes an empty one.
    pub(crate) fn open(kind: &'static Kind, runtime: &dyn Runtime, file: &Path) -> Result<Self, StoreError> {
        let storage = runtime.open_storage(file);
        let failed = |source| StoreError::Failed { action: "open", noun: kind.noun, file: file.to_owned(), source };
        Self::over(kind, Storage::from(storage.map_err(failed)?), file)
    }

    /// Opens it on a storage; `file` names it in messages.
    pub(crate) fn over(kind: &'static Kind, storage: impl StorageBackend, file: &Path) -> Result<Self, StoreError> {
        let noun = kind.noun;
        match creation::discard_unfinished(&storage) {
            Ok(true) => {}
            Ok(false) => return Err(StoreError::InUse { noun, file: file.to_owned() }),
            Err(source) => return Err(StoreError::Failed { action: "open", noun, file: file.to_owned(), source }),
        }
        let opened =
            Builder::new().set_cache_size(kind.cache).set_check_integrity_on_open(true).create_with_backend(storage);
        let inner = opened.map_err(|error| not_opened(kind, file, error))?;
        let database = Self { kind, file: file.to_owned(), inner };
        database.check_format()?;
        Ok(database)
    }

    /// Where it is.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// A look at the content as it is now.
    pub(crate) fn read(&self) -> Result<ReadTransaction, StoreError> {
        self.inner.begin_read().map_err(|error| self.failed("read", error.into()))
    }

    /// One transaction: durable when this returns, as if it had never been begun when it fails.
    pub(crate) fn transact<T>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.begin()?;
        let written = write(&transaction)?;
        self.commit(transaction)?;
        Ok(written)
    }

    /// Begins to write: nothing of it happened unless it is [committed](Self::commit).
    pub(crate) fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let failed = |error| self.failed("write", error);
        let mut transaction = self.inner.begin_write().map_err(|error| failed(error.into()))?;
        transaction.set_durability(Durability::Immediate).map_err(|error| failed(error.into()))?;
        transaction.set_two_phase_commit(true);
        Ok(transaction)
    }

    /// Makes everything that was written durable.
    pub(crate) fn commit(&self, transaction: WriteTransaction) -> Result<(), StoreError> {
        transaction.commit().map_err(|error| self.failed("write", error.into()))
    }

    pub(crate) fn damaged(&self, reason: String) -> StoreError {
        StoreError::Damaged { noun: self.kind.noun, file: self.file.clone(), reason, remedy: self.kind.remedy }
    }

    /// The content belongs to another chain.
    pub(crate) fn of_network(&self, found: String, expected: String) -> StoreError {
        let Kind { noun, remedy, .. } = *self.kind;
        StoreError::Network { noun, file: self.file.clone(), found, expected, remedy }
    }

    pub(crate) fn failed(&self, action: &'static str, error: redb::Error) -> StoreError {
        let (noun, file) = (self.kind.noun, self.file.clone());
        match error {
            redb::Error::Corrupted(reason) => self.damaged(reason),
            redb::Error::TableTypeMismatch { .. } | redb::Error::TableIsMultimap(_) => self.damaged(error.to_string()),
            redb::Error::Io(source) => StoreError::Failed { action, noun, file, source },
            error => StoreError::Failed { action, noun, file, source: io::Error::other(error) },
        }
    }

    /// Refuses what another version or another program wrote; marks what is empty as ours.
    fn check_format(&self) -> Result<(), StoreError> {
        let expected = self.kind.format;
        match self.format()? {
            Some(found) if found == expected => Ok(()),
            Some(found) if found > expected => {
                Err(StoreError::Newer { noun: self.kind.noun, file: self.file.clone(), found, expected })
            }
            Some(found) => Err(self.damaged(format!("found format {found}, which never was"))),
            None => self.transact(|transaction| {
                let failed = |error| self.failed("write", error);
                let mut formats = transaction.open_table(FORMATS).map_err(|error| failed(error.into()))?;
                formats.insert(VERSION, expected).map_err(|error| failed(error.into()))?;
                Ok(())
            }),
        }
    }

    /// The format of the content, if there is any content.
    fn format(&self) -> Result<Option<u64>, StoreError> {
        let failed = |error| self.failed("read", error);
        let transaction = self.read()?;
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
}

fn not_opened(kind: &'static Kind, file: &Path, error: DatabaseError) -> StoreError {
    let (noun, remedy, file) = (kind.noun, kind.remedy, file.to_owned());
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => StoreError::InUse { noun, file },
        // What is no redb file at all, or shorter than its header says.
        DatabaseError::Storage(StorageError::Io(source))
            if matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            StoreError::Damaged { noun, file, reason: source.to_string(), remedy }
        }
        DatabaseError::Storage(StorageError::Io(source)) => StoreError::Failed { action: "open", noun, file, source },
        error => {
            let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            StoreError::Damaged { noun, file, reason, remedy }
        }
    }
}
