//! The entropy that every key comes from, and its BIP 39 words.

use std::fmt;

use bdk_wallet::keys::bip39::{Error, Language, Mnemonic};
use bitcoin::{Network, bip32::Xpriv};
use thiserror::Error;
use zeroize::Zeroizing;

/// The longest text taken for words: 24 words of at most 8 letters fit several times, with any spacing.
pub const MAX_WORDS_TEXT: usize = 1024;

/// The entropy of a wallet.
///
/// Wiped when dropped, never printed. (The crates that derive keys from it keep copies on the stack for the time of a call, which
/// nobody wipes.)
#[derive(Clone, PartialEq, Eq)]
pub struct Seed {
    entropy: Zeroizing<Vec<u8>>,
}

/// Why something is no seed. The words themselves are never repeated: they may be nearly right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SeedError {
    /// BIP 39 knows five sizes of entropy.
    #[error("found {found} bytes of entropy; expected 16, 20, 24, 28 or 32")]
    EntropySize {
        /// How many bytes there are.
        found: usize,
    },
    /// BIP 39 knows five numbers of words.
    #[error("found {found} words; expected 12, 15, 18, 21 or 24")]
    WordCount {
        /// How many words there are.
        found: usize,
    },
    /// A word is not in the list.
    #[error("word {position} is not in the English BIP 39 list; check its spelling")]
    UnknownWord {
        /// Which word, counted from 1.
        position: usize,
    },
    /// The last word does not confirm the others.
    #[error("the words do not fit together: one of them is wrong, or two have changed places; check them in order")]
    Checksum,
    /// The text cannot be words.
    #[error("found a text of {found} bytes; words take at most {MAX_WORDS_TEXT}")]
    TextSize {
        /// Its length.
        found: usize,
    },
}

impl Seed {
    /// A seed from random bytes: 16 (12 words) to 32 (24 words) in steps of 4.
    pub fn from_entropy(entropy: &[u8]) -> Result<Self, SeedError> {
        match entropy.len() {
            16 | 20 | 24 | 28 | 32 => Ok(Self { entropy: Zeroizing::new(entropy.to_vec()) }),
            found => Err(SeedError::EntropySize { found }),
        }
    }

    /// Reads English words, separated by white space, in upper or lower case.
    pub fn from_words(text: &str) -> Result<Self, SeedError> {
        if text.len() > MAX_WORDS_TEXT {
            return Err(SeedError::TextSize { found: text.len() });
        }
        let text = Zeroizing::new(text.to_ascii_lowercase());
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &text).map_err(|error| match error {
            Error::BadWordCount(found) => SeedError::WordCount { found },
            Error::UnknownWord(index) => SeedError::UnknownWord { position: index.saturating_add(1) },
            Error::BadEntropyBitCount(_) | Error::InvalidChecksum | Error::AmbiguousLanguages(_) => SeedError::Checksum,
        })?;
        Ok(Self { entropy: Zeroizing::new(mnemonic.to_entropy()) })
    }

    /// The words to write down.
    #[must_use]
    pub fn words(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(MAX_WORDS_TEXT));
        for word in self.mnemonic().words() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }

    /// The BIP 32 master key. There is no BIP 39 passphrase.
    pub(crate) fn master(&self, network: Network) -> Xpriv {
        let bytes = Zeroizing::new(self.mnemonic().to_seed_normalized(""));
        Xpriv::new_master(network, bytes.as_ref()).expect("a hash that is no valid key has never been found")
    }

    fn mnemonic(&self) -> Mnemonic {
        Mnemonic::from_entropy(&self.entropy).expect("the size was checked")
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written in BIP 86 as the test vectors' mnemonic.
    const WORDS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

    #[test]
    fn words_and_entropy_are_two_forms_of_one_seed() {
        for size in [16, 20, 24, 28, 32] {
            let seed = Seed::from_entropy(&vec![0x5a; size]).unwrap();
            assert_eq!(Seed::from_words(&seed.words()).unwrap(), seed);
        }
        assert_eq!(Seed::from_words(WORDS).unwrap(), Seed::from_entropy(&[0; 16]).unwrap());
        assert_eq!(Seed::from_words(&WORDS.to_uppercase().replace(' ', "\n ")), Seed::from_words(WORDS));
    }

    #[test]
    fn what_is_wrong_with_words_is_said_without_repeating_them() {
        assert_eq!(Seed::from_words("abandon about"), Err(SeedError::WordCount { found: 2 }));
        let misspelt = WORDS.replacen("abandon about", "abandom about", 1);
        let error = Seed::from_words(&misspelt).unwrap_err();
        assert_eq!(error, SeedError::UnknownWord { position: 11 });
        assert!(!error.to_string().contains("abandom"));
        assert_eq!(Seed::from_words(&WORDS.replace("about", "abandon")), Err(SeedError::Checksum));
        assert_eq!(Seed::from_words(&"a ".repeat(600)), Err(SeedError::TextSize { found: 1200 }));
        assert_eq!(Seed::from_entropy(&[1; 17]), Err(SeedError::EntropySize { found: 17 }));
    }

    #[test]
    fn a_seed_is_not_printed() {
        assert_eq!(format!("{:?}", Seed::from_words(WORDS).unwrap()), "Seed(..)");
    }
}
