//! The seed at rest: an age file (age-encryption.org/v1) with the words in it.
//!
//! The format is that of the tool `age`, so that words can be had back without this program: `age -d seed.age`. The text within
//! is
//! `darkswap seed 1`, a line break, the words, a line break.
//!
//! | lock | for |
//! |---|---|
//! | passphrase | people: scrypt with a fixed work factor |
//! | key file | services: an x25519 identity as `age-keygen` writes it |
//!
//! **Not for simulated clocks:** before it locks or unlocks with a passphrase, the crate `age` measures this computer with the
//! system's clock, and does not end where that clock stands still. A key file does not measure.

use std::{
    fmt,
    io::{Read, Write},
};

use age::{DecryptError, Decryptor, Encryptor, Identity, Recipient, secrecy::SecretString};
use bitcoin::bech32::{self, Bech32, Hrp};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::seed::{MAX_WORDS_TEXT, Seed, SeedError};

/// The work to check one passphrase, as a power of two of scrypt's N: 128 MiB, and in a release build
/// some tenths of a second.
pub const WORK_FACTOR: u8 = 17;

/// The most work that is done for a file: 512 MiB, and in a release build some seconds. A file can ask for days.
pub const MAX_WORK_FACTOR: u8 = 19;

/// The longest file that is read: an honest one has some 400 bytes, and a person may have added recipients.
pub const MAX_SEALED: usize = 8 * 1024;

/// The longest passphrase.
pub const MAX_PASSPHRASE: usize = 1024;

/// The longest text of a key file: one key and comments.
pub const MAX_KEY_FILE: usize = 4 * 1024;

/// The first line within.
const HEADING: &str = "darkswap seed 1";

/// A seed that only the holder of the passphrase or of the key file can read.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSeed {
    bytes: Vec<u8>,
}

/// What opens a sealed seed.
#[derive(Clone, Copy)]
pub enum Lock<'l> {
    /// Something that a person remembers.
    Passphrase(&'l str),
    /// A file that a person keeps elsewhere.
    Key(&'l SealKey),
}

/// The key of a key file.
pub struct SealKey {
    identity: age::x25519::Identity,
}

/// Why a seed was not sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// A passphrase that protects nothing, or no passphrase at all.
    #[error("found a passphrase of {found} bytes; expected 1 to {MAX_PASSPHRASE}")]
    Passphrase {
        /// Its length.
        found: usize,
    },
    /// Too long for a sealed seed.
    #[error("found {found} bytes; a sealed seed has at most {MAX_SEALED}")]
    Size {
        /// Its length.
        found: usize,
    },
    /// The passphrase does not open it.
    #[error(
        "the passphrase is wrong, or the file is damaged in its first lines; try again, or restore the wallet from its words"
    )]
    WrongPassphrase,
    /// The key does not open it.
    #[error("the key file is that of another seed, or the seed's file is damaged in its first lines")]
    WrongKey,
    /// It was sealed with a passphrase.
    #[error("this seed is locked with a passphrase, not with a key file; give the passphrase")]
    NeedsPassphrase,
    /// It was sealed with a key.
    #[error("this seed is locked with a key file, not with a passphrase; give the key file")]
    NeedsKey,
    /// More work than a seed of ours asks for.
    #[error(
        "the file asks for scrypt work factor {found}; this program does at most {MAX_WORK_FACTOR}; it was not made by this program"
    )]
    Work {
        /// What it asks for.
        found: u8,
    },
    /// A format that is not known.
    #[error("the file is of another version, or no sealed seed; use the program that wrote it")]
    Version,
    /// It was changed since it was written.
    #[error("the file is damaged; take a copy, or restore the wallet from its words")]
    Damaged,
    /// What is within is no seed.
    #[error("the file was opened, but holds no seed: {0}")]
    Content(#[from] SeedError),
    /// Not a key file.
    #[error("found no key file: {0}; expected one line that starts with AGE-SECRET-KEY-1, as age-keygen writes it")]
    KeyFile(&'static str),
}

impl SealedSeed {
    /// Locks a seed. Salt and nonce come from the operating system.
    pub fn seal(seed: &Seed, lock: Lock<'_>) -> Result<Self, SealError> {
        Self::seal_with_work(seed, lock, WORK_FACTOR)
    }

    /// Takes bytes that [`as_bytes`](Self::as_bytes) gave. What they are is found out when they are opened.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SealError> {
        if bytes.len() > MAX_SEALED {
            return Err(SealError::Size { found: bytes.len() });
        }
        Ok(Self { bytes })
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a passphrase opens it; an error if it is no sealed seed.
    pub fn needs_passphrase(&self) -> Result<bool, SealError> {
        Ok(self.decryptor()?.is_scrypt())
    }

    /// Unlocks the seed.
    pub fn open(&self, lock: Lock<'_>) -> Result<Seed, SealError> {
        self.open_with_work(lock, MAX_WORK_FACTOR)
    }

    fn open_with_work(&self, lock: Lock<'_>, most: u8) -> Result<Seed, SealError> {
        let decryptor = self.decryptor()?;
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_SEALED));
        match lock {
            Lock::Passphrase(_) if !decryptor.is_scrypt() => return Err(SealError::NeedsKey),
            Lock::Key(_) if decryptor.is_scrypt() => return Err(SealError::NeedsPassphrase),
            Lock::Passphrase(passphrase) => {
                let mut identity = age::scrypt::Identity::new(secret(passphrase)?);
                identity.set_max_work_factor(most);
                read(decryptor, &identity, SealError::WrongPassphrase, &mut text)?;
            }
            Lock::Key(key) => read(decryptor, &key.identity, SealError::WrongKey, &mut text)?,
        }
        let text = std::str::from_utf8(&text).map_err(|_| SealError::Version)?;
        let (heading, words) = text.split_once('\n').ok_or(SealError::Version)?;
        if heading != HEADING {
            return Err(SealError::Version);
        }
        Ok(Seed::from_words(words)?)
    }

    fn decryptor(&self) -> Result<Decryptor<&[u8]>, SealError> {
        Decryptor::new_buffered(self.bytes.as_slice()).map_err(|error| match error {
            DecryptError::UnknownFormat => SealError::Version,
            _ if self.bytes.starts_with(b"age-encryption.org/v1\n") => SealError::Damaged,
            _ => SealError::Version,
        })
    }

    fn seal_with_work(seed: &Seed, lock: Lock<'_>, work_factor: u8) -> Result<Self, SealError> {
        match lock {
            Lock::Passphrase(passphrase) => {
                let mut recipient = age::scrypt::Recipient::new(secret(passphrase)?);
                recipient.set_work_factor(work_factor);
                Ok(Self::seal_for(seed, &recipient))
            }
            Lock::Key(key) => Ok(Self::seal_for(seed, &key.identity.to_public())),
        }
    }

    fn seal_for(seed: &Seed, recipient: &dyn Recipient) -> Self {
        let mut bytes = Vec::new();
        let encryptor = Encryptor::with_recipients(std::iter::once(recipient)).expect("one recipient is enough");
        let mut writer = encryptor.wrap_output(&mut bytes).expect("a vector takes every write");
        let mut text = Zeroizing::new(String::with_capacity(MAX_WORDS_TEXT));
        text.push_str(HEADING);
        text.push('\n');
        text.push_str(&seed.words());
        text.push('\n');
        writer.write_all(text.as_bytes()).expect("a vector takes every write");
        writer.finish().expect("a vector takes every write");
        Self { bytes }
    }
}

impl SealKey {
    /// A new key from random bytes.
    #[must_use]
    pub fn from_entropy(entropy: &[u8; 32]) -> Self {
        let text = Zeroizing::new(
            bech32::encode::<Bech32>(Hrp::parse_unchecked("age-secret-key-"), entropy)
                .expect("32 bytes are short enough")
                .to_uppercase(),
        );
        Self::from_line(&text).expect("it was just written")
    }

    /// Reads a key file: empty lines, comments after `#`, one key.
    pub fn from_text(text: &str) -> Result<Self, SealError> {
        if text.len() > MAX_KEY_FILE {
            return Err(SealError::KeyFile("it is too long"));
        }
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line = lines.next().ok_or(SealError::KeyFile("it is empty"))?;
        if lines.next().is_some() {
            return Err(SealError::KeyFile("it has several lines"));
        }
        Self::from_line(line)
    }

    /// The text of the key file.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        use age::secrecy::ExposeSecret as _;
        let secret = self.identity.to_string();
        let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE));
        text.push_str("# The key of a DarkSwap seed. Who has both files has the wallet.\n");
        text.push_str(secret.expose_secret());
        text.push('\n');
        text
    }

    fn from_line(line: &str) -> Result<Self, SealError> {
        line.parse().map(|identity| Self { identity }).map_err(SealError::KeyFile)
    }
}

fn secret(passphrase: &str) -> Result<SecretString, SealError> {
    match passphrase.len() {
        1..=MAX_PASSPHRASE => Ok(SecretString::from(passphrase.to_owned())),
        found => Err(SealError::Passphrase { found }),
    }
}

/// Decrypts everything into `text`, which has room for it and so leaves no copies behind.
fn read(
    decryptor: Decryptor<&[u8]>,
    identity: &dyn Identity,
    wrong: SealError,
    text: &mut Vec<u8>,
) -> Result<(), SealError> {
    let reader = decryptor.decrypt(std::iter::once(identity)).map_err(|error| match error {
        DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed | DecryptError::DecryptionFailed => wrong,
        DecryptError::ExcessiveWork { required, .. } => SealError::Work { found: required },
        DecryptError::UnknownFormat => SealError::Version,
        _ => SealError::Damaged,
    })?;
    let most = u64::try_from(MAX_SEALED).expect("a small constant");
    reader.take(most).read_to_end(text).map_err(|_| SealError::Damaged)?;
    Ok(())
}

impl fmt::Debug for SealedSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSeed({} bytes)", self.bytes.len())
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}

impl fmt::Debug for Lock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lock::Passphrase(_) => f.write_str("Passphrase(..)"),
            Lock::Key(_) => f.write_str("Key(..)"),
        }
    }
}

#[cfg(test)]
mod tests;
