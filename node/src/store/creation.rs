//! A file whose creation was interrupted.

use std::io;
use std::ops::Bound;

use redb::{BackendError, StorageBackend};

/// redb marks a file as its own last, with these many bytes at the start. Until then they are zero.
const MARK: usize = 9;

/// The header is in the first page; behind it nothing is written before the mark.
const PAGE: u64 = 4_096;

/// How much is looked at at once.
const PIECE: u64 = 64 << 10;

/// Empties a file that a crash has left between its first byte and its mark: redb refuses it as foreign, but nothing was ever in it.
/// One with anything behind the header is left alone.
///
/// Returns false when somebody else has the file.
///
/// # Errors
/// The storage's.
pub(super) fn discard_unfinished(storage: &impl StorageBackend) -> io::Result<bool> {
    let whole = (Bound::Unbounded, Bound::Unbounded);
    let has_locks = match storage.try_lock_range(whole.0, whole.1) {
        Ok(true) => true,
        Ok(false) => return Ok(false),
        Err(BackendError::Unsupported) => false,
        Err(error) => return Err(error.into()),
    };
    let discarded = is_unfinished(storage).and_then(|unfinished| if unfinished { storage.set_len(0) } else { Ok(()) });
    if has_locks {
        // redb takes it again. Who is faster meanwhile finds the file empty or finished.
        storage.unlock_range(whole.0, whole.1)?;
    }
    discarded.map(|()| true)
}

fn is_unfinished(storage: &impl StorageBackend) -> io::Result<bool> {
    let length = storage.len()?;
    if length == 0 {
        return Ok(false);
    }
    let mut mark = [0; MARK];
    let known = MARK.min(usize::try_from(length).unwrap_or(MARK));
    storage.read(0, &mut mark[..known])?;
    if mark != [0; MARK] {
        return Ok(false);
    }
    let mut piece = Vec::new();
    let mut at = PAGE;
    while at < length {
        let next = (at + PIECE).min(length);
        piece.resize(usize::try_from(next - at).unwrap_or(0), 0);
        storage.read(at, &mut piece)?;
        if piece.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at = next;
    }
    Ok(true)
}
