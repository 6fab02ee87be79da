//! The files of a wallet: its sealed seed, and what opens it, a key file or a file with the passphrase.
//!
//! The formats are those of the tool `age` (see [`darkswap_wallet::sealed`]). Each is readable for its owner only, is written
//! completely or not at all, and is never overwritten: a seed that is gone is money that is gone. On Windows, where files have no
//! mode, the folder's access list is what protects them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use darkswap_wallet::sealed::{MAX_KEY_FILE, MAX_PASSPHRASE, MAX_SEALED};
use darkswap_wallet::seed::MAX_WORDS_TEXT;
use darkswap_wallet::{Lock, SealError, SealKey, SealedSeed, Seed};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::private_file::{self, Refusal};
use crate::runtime::Runtime;

/// Which file of a wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The sealed seed.
    Seed,
    /// The key that opens it.
    Key,
    /// The passphrase that opens it.
    Passphrase,
    /// The words that it is restored from.
    Words,
}

/// What opens a wallet, in memory.
pub enum Opener {
    /// A passphrase.
    Passphrase(Zeroizing<String>),
    /// The key of a key file.
    Key(SealKey),
}

/// Why a file of a wallet could not be read or written.
#[derive(Debug, Error)]
pub enum WalletFileError {
    /// The host's error.
    #[error("cannot {action} the {part} file {}", path.display())]
    Io {
        /// What was tried: `read`, `create`.
        action: &'static str,
        /// Which file.
        part: Part,
        /// Its path.
        path: PathBuf,
        /// The host's error.
        source: io::Error,
    },
    /// There is one already; it is never overwritten.
    #[error("the {part} file {} exists already and is never overwritten", path.display())]
    Exists {
        /// Which file.
        part: Part,
        /// Its path.
        path: PathBuf,
    },
    /// Other users of the host may read it.
    #[error(
        "the {part} file {} can be read by others: found mode {mode:04o}, expected 0600; run `chmod 600 {}`",
        path.display(), path.display()
    )]
    ReadableByOthers {
        /// Which file.
        part: Part,
        /// Its path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is another one, or opens another wallet.
    #[error("{}: {reason}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected. It repeats nothing of a secret.
        reason: SealError,
    },
    /// A passphrase has to be one line of text.
    #[error("{}: found something else than one line of text, expected the passphrase alone", .0.display())]
    NotALine(PathBuf),
    /// Words are text.
    #[error("{}: found binary data, expected the words of a wallet", .0.display())]
    NotWords(PathBuf),
}

impl Opener {
    /// What [`SealedSeed`] takes.
    #[must_use]
    pub fn lock(&self) -> Lock<'_> {
        match self {
            Self::Passphrase(passphrase) => Lock::Passphrase(passphrase),
            Self::Key(key) => Lock::Key(key),
        }
    }
}

/// Makes a new seed of 32 bytes (24 words) from the runtime's entropy.
#[must_use]
pub fn generate(runtime: &dyn Runtime) -> Seed {
    let mut entropy = Zeroizing::new([0_u8; 32]);
    runtime.fill_random(&mut *entropy);
    Seed::from_entropy(&*entropy).expect("BIP 39 knows 32 bytes")
}

/// Makes a new key from the runtime's entropy.
#[must_use]
pub fn generate_key(runtime: &dyn Runtime) -> SealKey {
    let mut entropy = Zeroizing::new([0_u8; 32]);
    runtime.fill_random(&mut *entropy);
    SealKey::from_entropy(&entropy)
}

/// Seals a seed into a new file with mode 0600.
///
/// # Errors
/// [`WalletFileError::Exists`], [`WalletFileError::Io`], and [`WalletFileError::Refused`] for a passphrase that cannot be one.
pub fn create(path: &Path, seed: &Seed, opener: &Opener) -> Result<(), WalletFileError> {
    let sealed = SealedSeed::seal(seed, opener.lock()).map_err(|reason| refused(path, reason))?;
    write(Part::Seed, path, sealed.as_bytes())
}

/// Writes a key to a new file with mode 0600.
///
/// # Errors
/// [`WalletFileError::Exists`], [`WalletFileError::Io`].
pub fn create_key(path: &Path, key: &SealKey) -> Result<(), WalletFileError> {
    write(Part::Key, path, key.to_text().as_bytes())
}

/// Reads a sealed seed. Whether it is one is found out when it is opened.
///
/// # Errors
/// [`WalletFileError::ReadableByOthers`], [`WalletFileError::Io`], [`WalletFileError::Refused`] when it is too long.
pub fn load(path: &Path) -> Result<SealedSeed, WalletFileError> {
    let bytes = read(Part::Seed, path, MAX_SEALED)?;
    SealedSeed::from_bytes(bytes.to_vec()).map_err(|reason| refused(path, reason))
}

/// Opens the sealed seed that was read from `path`.
///
/// # Errors
/// [`WalletFileError::Refused`].
pub fn unseal(path: &Path, sealed: &SealedSeed, opener: &Opener) -> Result<Seed, WalletFileError> {
    sealed.open(opener.lock()).map_err(|reason| refused(path, reason))
}

/// Reads a key file.
///
/// # Errors
/// [`WalletFileError`], but for `Exists`.
pub fn load_key(path: &Path) -> Result<SealKey, WalletFileError> {
    let bytes = read(Part::Key, path, MAX_KEY_FILE)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| refused(path, SealError::KeyFile("it is binary")))?;
    SealKey::from_text(text).map_err(|reason| refused(path, reason))
}

/// Reads a file with one line, the passphrase.
///
/// # Errors
/// [`WalletFileError`], but for `Exists`.
pub fn load_passphrase(path: &Path) -> Result<Zeroizing<String>, WalletFileError> {
    // With the end of the line, which on Windows has two bytes.
    let bytes = read(Part::Passphrase, path, MAX_PASSPHRASE + 2)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| WalletFileError::NotALine(path.to_owned()))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.chars().any(char::is_control) {
        return Err(WalletFileError::NotALine(path.to_owned()));
    }
    match line.len() {
        1..=MAX_PASSPHRASE => Ok(Zeroizing::new(line.to_owned())),
        found => Err(refused(path, SealError::Passphrase { found })),
    }
}

/// Reads a file with the words of a wallet. Whether they are is found out by [`Seed::from_words`].
///
/// # Errors
/// [`WalletFileError::ReadableByOthers`], [`WalletFileError::Io`], [`WalletFileError::NotWords`].
pub fn load_words(path: &Path) -> Result<Zeroizing<String>, WalletFileError> {
    let bytes = read(Part::Words, path, MAX_WORDS_TEXT)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| WalletFileError::NotWords(path.to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn write(part: Part, path: &Path, content: &[u8]) -> Result<(), WalletFileError> {
    private_file::create(path, content).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => WalletFileError::Exists { part, path: path.to_owned() },
        _ => WalletFileError::Io { action: "create", part, path: path.to_owned(), source },
    })
}

/// One byte more than the limit, so that what is too long is noticed.
fn read(part: Part, path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, WalletFileError> {
    private_file::read(path, limit as u64 + 1).map_err(|refusal| match refusal {
        Refusal::Io(source) => WalletFileError::Io { action: "read", part, path: path.to_owned(), source },
        Refusal::ReadableByOthers(mode) => WalletFileError::ReadableByOthers { part, path: path.to_owned(), mode },
    })
}

fn refused(path: &Path, reason: SealError) -> WalletFileError {
    WalletFileError::Refused { path: path.to_owned(), reason }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seed => "wallet",
            Self::Key => "key",
            Self::Passphrase => "passphrase",
            Self::Words => "words",
        })
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokioRuntime;

    /// A wallet that a key file opens, in a folder of its own.
    fn made() -> (tempfile::TempDir, PathBuf, PathBuf, Seed) {
        let folder = tempfile::tempdir().unwrap();
        let (path, key_path) = (folder.path().join("wallet.age"), folder.path().join("wallet.key"));
        let (seed, key) = (generate(&TokioRuntime), generate_key(&TokioRuntime));
        create_key(&key_path, &key).unwrap();
        create(&path, &seed, &Opener::Key(key)).unwrap();
        (folder, path, key_path, seed)
    }

    fn open(path: &Path, key: &Path) -> Result<Seed, WalletFileError> {
        unseal(path, &load(path)?, &Opener::Key(load_key(key)?))
    }

    #[test]
    fn a_written_wallet_is_opened_by_its_key_file_and_by_no_other() {
        let (folder, path, key_path, seed) = made();
        assert_eq!(open(&path, &key_path).unwrap(), seed);
        let other = folder.path().join("other.key");
        create_key(&other, &generate_key(&TokioRuntime)).unwrap();
        let refused = open(&path, &other).unwrap_err().to_string();
        assert!(refused.contains("wallet.age") && refused.contains("that of another seed"), "{refused}");
    }

    #[test]
    fn nothing_is_ever_overwritten() {
        let (_folder, path, key_path, seed) = made();
        let before = (std::fs::read(&path).unwrap(), std::fs::read(&key_path).unwrap());
        let key = generate_key(&TokioRuntime);
        let refused = create_key(&key_path, &key).unwrap_err();
        assert!(matches!(refused, WalletFileError::Exists { part: Part::Key, .. }), "{refused:?}");
        let refused = create(&path, &seed, &Opener::Key(key)).unwrap_err().to_string();
        assert!(refused.contains("the wallet file") && refused.contains("never overwritten"), "{refused}");
        assert_eq!((std::fs::read(&path).unwrap(), std::fs::read(&key_path).unwrap()), before);
    }

    #[cfg(unix)]
    #[test]
    fn the_files_are_private_and_public_ones_are_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, path, key_path, _) = made();
        for file in [&path, &key_path] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o7777, 0o600);
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o640)).unwrap();
            let refused = open(&path, &key_path).unwrap_err().to_string();
            assert!(refused.contains("0640") && refused.contains("chmod 600"), "{refused}");
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    #[test]
    fn a_damaged_wallet_is_refused_and_kept() {
        let (_folder, path, key_path, _) = made();
        let whole = std::fs::read(&path).unwrap();
        for damaged in [&b""[..], b"precious", &whole[..whole.len() / 2], &whole[..whole.len() - 1], &[7; 10_000]] {
            std::fs::write(&path, damaged).unwrap();
            let refused = open(&path, &key_path).unwrap_err();
            assert!(matches!(refused, WalletFileError::Refused { .. }), "{refused:?}");
            assert_eq!(std::fs::read(&path).unwrap(), damaged);
        }
    }

    #[test]
    fn a_passphrase_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        let read = |content: &[u8]| {
            let _ = std::fs::remove_file(&path);
            private_file::create(&path, content).unwrap();
            load_passphrase(&path).map(|passphrase| passphrase.to_string()).map_err(|error| error.to_string())
        };
        for (content, passphrase) in
            [(&b"correct horse\n"[..], "correct horse"), (b" b \r\n", " b "), ("gr\u{fc}n".as_bytes(), "gr\u{fc}n")]
        {
            assert_eq!(read(content).as_deref(), Ok(passphrase));
        }
        for (content, reason) in [
            (&b""[..], "found a passphrase of 0 bytes"),
            (b"\n", "found a passphrase of 0 bytes"),
            (b"one\ntwo\n", "found something else than one line"),
            (b"\xff", "found something else than one line"),
            (&[b'a'; 1_025], "found a passphrase of 1025 bytes; expected 1 to 1024"),
        ] {
            let refused = read(content).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
    }
}
