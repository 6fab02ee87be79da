//! The disk of a simulated host: it outlives a crash of the host, but what was not synchronised then may not.
//!
//! | at | what is on the disk afterwards |
//! |---|---|
//! | a write | nothing more; the host reads what it wrote from its cache |
//! | `sync_data` | everything that was written to this file |
//! | a crash | what was synchronised and, of the rest, what [`Survival`] says |
//!
//! Everything that was open at a crash fails from then on, so that nothing which a dying node does when it is dropped is written.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

use crate::entropy::Entropy;

mod image;

use image::{Image, PAGE};

/// The most bytes of one file. No node of a simulation needs as many, and a disk that grows without end is a bug.
pub const FILE_LIMIT: u64 = 1 << 30;

/// Which unsynchronised writes a crash leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Survival {
    /// None of them.
    #[default]
    Nothing,
    /// Each page of each with an even chance, so that they are reordered and torn. The run's seed draws.
    SomePages,
}

/// What happened to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskCounters {
    /// Writes of any length.
    pub writes: u64,
    /// Synchronisations.
    pub syncs: u64,
    /// Pages of unsynchronised writes that crashes have lost.
    pub lost_pages: u64,
    /// Pages of unsynchronised writes that survived crashes.
    pub surviving_pages: u64,
}

/// The disk of one host. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    files: BTreeMap<PathBuf, File>,
    /// Crashes so far: what was opened before the last one is dead.
    crashes: u64,
    /// Files opened so far; tells holders of a lock apart.
    opened: u64,
    survival: Survival,
    entropy: Entropy,
    counters: DiskCounters,
}

#[derive(Debug, Default)]
struct File {
    durable: Image,
    cached: Image,
    unsynced: Vec<Change>,
    /// Which opening holds the lock.
    locked: Option<u64>,
}

/// Something that is in the cache only.
#[derive(Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

impl Disk {
    /// An empty disk; `entropy` draws what survives a crash.
    pub(crate) fn new(entropy: Entropy) -> Self {
        Self(Arc::new(Mutex::new(State {
            files: BTreeMap::new(),
            crashes: 0,
            opened: 0,
            survival: Survival::default(),
            entropy,
            counters: DiskCounters::default(),
        })))
    }

    /// Says what the next crashes leave.
    pub fn set_survival(&self, survival: Survival) {
        lock(&self.0).survival = survival;
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> DiskCounters {
        lock(&self.0).counters
    }

    pub(crate) fn open(&self, path: &Path) -> Box<dyn StorageBackend> {
        let mut state = lock(&self.0);
        state.files.entry(path.to_owned()).or_default();
        state.opened += 1;
        let (crashes, opening) = (state.crashes, state.opened);
        Box::new(OpenFile { disk: Arc::clone(&self.0), path: path.to_owned(), crashes, opening })
    }

    /// Takes away what was not synchronised, and everything that was open.
    pub(crate) fn crash(&self) {
        let mut state = lock(&self.0);
        state.crashes += 1;
        let State { files, survival, entropy, counters, .. } = &mut *state;
        for file in files.values_mut() {
            for change in std::mem::take(&mut file.unsynced) {
                file.durable.apply(&change, |_| {
                    let survives = match survival {
                        Survival::Nothing => false,
                        Survival::SomePages => {
                            let mut byte = [0];
                            entropy.fill(&mut byte);
                            byte[0] & 1 == 1
                        }
                    };
                    *(if survives { &mut counters.surviving_pages } else { &mut counters.lost_pages }) += 1;
                    survives
                });
            }
            file.cached = file.durable.clone();
            file.locked = None;
        }
    }
}

impl Image {
    /// Applies the pages of a change for which `survives` is true. A change of length counts as one page.
    fn apply(&mut self, change: &Change, mut survives: impl FnMut(u64) -> bool) {
        match change {
            Change::Length(length) => {
                if survives(*length / PAGE) {
                    self.set_len(*length);
                }
            }
            Change::Write(offset, data) => {
                let mut at = *offset;
                let mut rest = data.as_slice();
                while !rest.is_empty() {
                    let room = usize::try_from(PAGE - at % PAGE).unwrap_or(usize::MAX);
                    let (piece, after) = rest.split_at(rest.len().min(room));
                    if survives(at / PAGE) {
                        self.write(at, piece);
                    }
                    at += piece.len() as u64;
                    rest = after;
                }
            }
        }
    }
}

/// A file that somebody has open.
#[derive(Debug)]
struct OpenFile {
    disk: Arc<Mutex<State>>,
    path: PathBuf,
    crashes: u64,
    opening: u64,
}

impl OpenFile {
    /// The state and the file in it, unless the host has crashed since it was opened.
    fn with<T>(&self, work: impl FnOnce(&mut File, &mut DiskCounters) -> io::Result<T>) -> io::Result<T> {
        let mut state = lock(&self.disk);
        if state.crashes != self.crashes {
            return Err(io::Error::other("the host crashed while this file was open"));
        }
        let State { files, counters, .. } = &mut *state;
        work(files.get_mut(&self.path).ok_or(io::ErrorKind::NotFound)?, counters)
    }

    fn change(&self, end: Option<u64>, change: Change) -> io::Result<()> {
        if end.is_none_or(|end| end > FILE_LIMIT) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.with(|file, counters| {
            counters.writes += 1;
            file.cached.apply(&change, |_| true);
            file.unsynced.push(change);
            Ok(())
        })
    }
}

impl StorageBackend for OpenFile {
    fn len(&self) -> Result<u64, io::Error> {
        self.with(|file, _| Ok(file.cached.len()))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.with(|file, _| file.cached.read(offset, out))
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.change(Some(len), Change::Length(len))
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.with(|file, counters| {
            counters.syncs += 1;
            for change in std::mem::take(&mut file.unsynced) {
                file.durable.apply(&change, |_| true);
            }
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.change(offset.checked_add(data.len() as u64), Change::Write(offset, data.to_vec()))
    }

    /// Lets go of the lock. That of a dead host is gone already.
    fn close(&self) -> Result<(), io::Error> {
        let _ = self.with(|file, _| {
            file.locked = file.locked.filter(|holder| *holder != self.opening);
            Ok(())
        });
        Ok(())
    }

    /// Only the whole file can be locked, which is what a single writer asks for.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if !is_whole(start, end) {
            return Err(BackendError::Unsupported);
        }
        let locked = self.with(|file, _| {
            let is_free = file.locked.is_none_or(|holder| holder == self.opening);
            if is_free {
                file.locked = Some(self.opening);
            }
            Ok(is_free)
        });
        Ok(locked?)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if is_whole(start, end) { Ok(self.close()?) } else { Err(BackendError::Unsupported) }
    }
}

fn is_whole(start: Bound<u64>, end: Bound<u64>) -> bool {
    matches!(start, Bound::Unbounded | Bound::Included(0)) && end == Bound::Unbounded
}

/// A poisoned lock is a panic elsewhere, which ends the run.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "store";

    fn disk() -> Disk {
        Disk::new(Entropy::new(1, "disk"))
    }

    fn open(disk: &Disk) -> Box<dyn StorageBackend> {
        disk.open(Path::new(FILE))
    }

    fn content(disk: &Disk) -> Vec<u8> {
        let file = open(disk);
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_crash_loses_what_was_not_synchronised() {
        let disk = disk();
        let file = open(&disk);
        file.write(0, b"kept").unwrap();
        file.sync_data().unwrap();
        file.write(2, b"lost").unwrap();
        file.set_len(100).unwrap();
        assert_eq!(content(&disk).len(), 100, "the host sees what it wrote");
        disk.crash();
        assert_eq!(content(&disk), b"kept");
        assert_eq!(disk.counters(), DiskCounters { writes: 3, syncs: 1, lost_pages: 2, surviving_pages: 0 });
    }

    #[test]
    fn what_was_open_at_a_crash_writes_nothing_any_more() {
        let disk = disk();
        let file = open(&disk);
        assert!(file.try_lock_range(Bound::Unbounded, Bound::Unbounded).unwrap());
        disk.crash();
        assert!(file.write(0, b"late").is_err() && file.sync_data().is_err() && file.len().is_err());
        let again = open(&disk);
        assert!(again.try_lock_range(Bound::Unbounded, Bound::Unbounded).unwrap(), "the lock died with its holder");
        file.close().unwrap();
        let second = open(&disk);
        assert!(!second.try_lock_range(Bound::Unbounded, Bound::Unbounded).unwrap(), "the dead release nobody's lock");
        again.close().unwrap();
        assert!(second.try_lock_range(Bound::Unbounded, Bound::Unbounded).unwrap());
        assert_eq!(content(&disk), b"");
    }

    #[test]
    fn some_pages_survive_as_the_seed_draws() {
        let crashed = |seed| {
            let disk = Disk::new(Entropy::new(seed, "disk"));
            disk.set_survival(Survival::SomePages);
            let file = open(&disk);
            file.set_len(PAGE * 32).unwrap();
            file.sync_data().unwrap();
            // Begins and ends within a page.
            file.write(100, &vec![1; usize::try_from(PAGE).unwrap() * 31]).unwrap();
            disk.crash();
            let DiskCounters { lost_pages, surviving_pages, .. } = disk.counters();
            assert_eq!(lost_pages + surviving_pages, 32);
            assert!(lost_pages > 0 && surviving_pages > 0, "{lost_pages} and {surviving_pages}");
            content(&disk)
        };
        assert_eq!(crashed(1), crashed(1));
        assert_ne!(crashed(1), crashed(2));
        let bytes = crashed(1);
        for page in bytes.chunks(usize::try_from(PAGE).unwrap()).skip(1).take(30) {
            assert!(page.iter().all(|byte| *byte == page[0]), "a page survives as a whole or not at all");
        }
    }

    #[test]
    fn a_disk_is_not_endless() {
        let file = open(&disk());
        assert_eq!(file.write(FILE_LIMIT, b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.write(u64::MAX, b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.set_len(FILE_LIMIT + 1).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.read(0, &mut [0]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
