//! Files of a sealed seed that somebody changed: they are refused, or hold the seed that was sealed.
//!
//! The first byte says what the rest is: the whole file, or changes to a good one, which is sealed anew in every process. A file that
//! asks for a passphrase is only recognised here: to try one costs scrypt's memory and tenths of a second; the bound on that work is
//! tested in `darkswap-wallet`.
#![no_main]

use std::sync::LazyLock;

use darkswap_wallet::{Lock, SealError, SealKey, SealedSeed, Seed};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<SealKey> = LazyLock::new(|| SealKey::from_entropy(&[7; 32]));
static SEED: LazyLock<Seed> = LazyLock::new(|| Seed::from_entropy(&[5; 16]).expect("16 bytes make 12 words"));
static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let sealed = SealedSeed::seal(&SEED, Lock::Key(&KEY)).expect("a key seals");
    sealed.as_bytes().to_vec()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let file = if kind & 1 == 0 {
        rest.to_vec()
    } else {
        let mut file = FILE.clone();
        darkswap_fuzz::mutate(&mut file, rest);
        file
    };
    let is_untouched = file == *FILE;
    let Ok(sealed) = SealedSeed::from_bytes(file) else { return };
    let opened = sealed.open(Lock::Key(&KEY));
    match &opened {
        Ok(seed) => assert_eq!(*seed.words(), *SEED.words(), "the file is authenticated"),
        Err(error) => assert!(!is_untouched, "the good file is refused: {error}"),
    }
    if let Ok(true) = sealed.needs_passphrase() {
        assert_eq!(opened.err(), Some(SealError::NeedsPassphrase));
    }
    if let Ok(text) = std::str::from_utf8(rest) {
        let _ = SealKey::from_text(text);
        let _ = Seed::from_words(text);
    }
});
