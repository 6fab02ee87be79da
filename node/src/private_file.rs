//! Files that only their owner may read: written completely or not at all, and never overwritten.
//!
//! On Windows, where files have no mode, the folder's access list is what protects them.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

/// Writes a new file with mode 0600.
///
/// # Errors
/// The host's: [`io::ErrorKind::AlreadyExists`] when there is one already.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The temporary file has mode 0600 from the start and takes the final name only when it is complete.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    // The name has to survive a crash too. Only Unix opens folders as files.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// What was found instead of a private file.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The host's error.
    Io(io::Error),
    /// Others may read it: its permission bits.
    ReadableByOthers(u32),
}

/// Reads the first `limit` bytes of a file that only its owner may read.
///
/// # Errors
/// Why it was not read.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let file = File::open(path).map_err(Refusal::Io)?;
    if let Some(mode) = mode(&file).map_err(Refusal::Io)?.filter(|mode| mode & 0o077 != 0) {
        return Err(Refusal::ReadableByOthers(mode));
    }
    // Reserved at once, so that growing leaves no copy of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(limit).unwrap_or_default()));
    file.take(limit).read_to_end(&mut bytes).map_err(Refusal::Io)?;
    Ok(bytes)
}

#[cfg(unix)]
fn mode(file: &File) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(Some(file.metadata()?.permissions().mode() & 0o7777))
}

#[cfg(not(unix))]
fn mode(_file: &File) -> io::Result<Option<u32>> {
    Ok(None)
}
