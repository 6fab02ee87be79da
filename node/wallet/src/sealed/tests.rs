use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

/// Little work, so that tests are quick.
const LITTLE: u8 = 4;

fn seed() -> Seed {
    Seed::from_entropy(&[7; 32]).unwrap()
}

fn key(number: u8) -> SealKey {
    SealKey::from_entropy(&[number; 32])
}

fn with_passphrase(passphrase: &str) -> SealedSeed {
    SealedSeed::seal_with_work(&seed(), Lock::Passphrase(passphrase), LITTLE).unwrap()
}

fn changed(sealed: &SealedSeed, change: impl FnOnce(&mut Vec<u8>)) -> SealedSeed {
    let mut bytes = sealed.as_bytes().to_vec();
    change(&mut bytes);
    SealedSeed::from_bytes(bytes).unwrap()
}

fn sealed_text(text: &str) -> SealedSeed {
    let recipient = key(1).identity.to_public();
    let mut bytes = Vec::new();
    let mut writer =
        Encryptor::with_recipients(std::iter::once(&recipient as _)).unwrap().wrap_output(&mut bytes).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap();
    SealedSeed::from_bytes(bytes).unwrap()
}

#[test]
fn the_passphrase_opens_what_it_locked_and_no_other_does() {
    let sealed = with_passphrase("correct horse");
    assert_eq!(sealed.needs_passphrase(), Ok(true));
    assert_eq!(sealed.open(Lock::Passphrase("correct horse")).unwrap(), seed());
    assert_eq!(sealed.open(Lock::Passphrase("correct house")), Err(SealError::WrongPassphrase));
    assert_eq!(sealed.open(Lock::Key(&key(1))), Err(SealError::NeedsPassphrase));
    assert_eq!(sealed.open(Lock::Passphrase("")), Err(SealError::Passphrase { found: 0 }));
}

#[test]
fn the_key_file_opens_what_it_locked_and_no_other_does() {
    let sealed = SealedSeed::seal(&seed(), Lock::Key(&key(1))).unwrap();
    assert_eq!(sealed.needs_passphrase(), Ok(false));
    let read = SealKey::from_text(&key(1).to_text()).unwrap();
    assert_eq!(sealed.open(Lock::Key(&read)).unwrap(), seed());
    assert_eq!(sealed.open(Lock::Key(&key(2))), Err(SealError::WrongKey));
    assert_eq!(sealed.open(Lock::Passphrase("x")), Err(SealError::NeedsKey));
}

#[test]
fn a_key_file_has_one_key() {
    let text = key(1).to_text();
    for wrong in ["", "# nothing", "AGE-SECRET-KEY-1QQQQ", "age1qqq", &format!("{}{}", *text, *text), &"#".repeat(5000)]
    {
        assert!(matches!(SealKey::from_text(wrong), Err(SealError::KeyFile(_))), "{wrong:.40}");
    }
}

#[test]
fn a_damaged_file_is_told_from_a_wrong_key() {
    let sealed = SealedSeed::seal(&seed(), Lock::Key(&key(1))).unwrap();
    let open = |sealed: &SealedSeed| sealed.open(Lock::Key(&key(1)));
    // The last byte is part of the encrypted text, the one after `--- ` of the header's authentication.
    assert_eq!(open(&changed(&sealed, |bytes| *bytes.last_mut().unwrap() ^= 1)), Err(SealError::Damaged));
    assert_eq!(open(&changed(&sealed, |bytes| bytes.truncate(bytes.len() - 1))), Err(SealError::Damaged));
    assert_eq!(open(&changed(&sealed, |bytes| bytes.truncate(60))), Err(SealError::Damaged));
    let mac = sealed.as_bytes().windows(4).position(|window| window == b"--- ").unwrap() + 4;
    let other = if sealed.as_bytes()[mac] == b'A' { b'B' } else { b'A' };
    assert_eq!(open(&changed(&sealed, |bytes| bytes[mac] = other)), Err(SealError::Damaged));
}

#[test]
fn another_version_says_so() {
    let sealed = SealedSeed::seal(&seed(), Lock::Key(&key(1))).unwrap();
    let version = sealed.as_bytes().iter().position(|byte| *byte == b'1').unwrap();
    assert_eq!(changed(&sealed, |bytes| bytes[version] = b'2').open(Lock::Key(&key(1))), Err(SealError::Version));
    assert_eq!(SealedSeed::from_bytes(b"hello".to_vec()).unwrap().needs_passphrase(), Err(SealError::Version));
    assert_eq!(sealed_text("darkswap seed 2\nwords\n").open(Lock::Key(&key(1))), Err(SealError::Version));
    assert_eq!(sealed_text("no line break").open(Lock::Key(&key(1))), Err(SealError::Version));
    assert_eq!(
        sealed_text("darkswap seed 1\nabandon about\n").open(Lock::Key(&key(1))),
        Err(SealError::Content(SeedError::WordCount { found: 2 }))
    );
}

#[test]
fn a_file_that_asks_for_too_much_work_is_refused_at_once() {
    let sealed = with_passphrase("x");
    let open = |most| sealed.open_with_work(Lock::Passphrase("x"), most);
    assert_eq!(open(LITTLE - 1), Err(SealError::Work { found: LITTLE }));
    assert!(open(LITTLE).is_ok());
    for asked in ["20", "30", "63", "99"] {
        let hostile = changed(&sealed, |bytes| {
            // `-> scrypt <22 characters of salt> 4`
            let at = bytes.windows(3).position(|window| window == b" 4\n").unwrap();
            bytes.splice(at + 1..at + 2, asked.bytes());
        });
        let found = asked.parse().unwrap();
        assert_eq!(hostile.open(Lock::Passphrase("x")), Err(SealError::Work { found }), "{asked}");
    }
}

#[test]
fn the_work_to_seal_is_work_that_is_done_to_open() {
    const { assert!(WORK_FACTOR <= MAX_WORK_FACTOR) }
}

#[test]
fn nothing_secret_is_printed() {
    let text = format!("{:?} {:?} {:?}", key(1), Lock::Passphrase("correct horse"), with_passphrase("correct horse"));
    assert!(!text.contains("correct") && !text.contains("SECRET"), "{text}");
}

static SEALED: LazyLock<SealedSeed> = LazyLock::new(|| SealedSeed::seal(&seed(), Lock::Key(&key(1))).unwrap());

proptest! {
    #[test]
    fn any_seed_comes_back(entropy in prop::collection::vec(any::<u8>(), 32)) {
        let seed = Seed::from_entropy(&entropy).unwrap();
        let sealed = SealedSeed::seal(&seed, Lock::Key(&key(3))).unwrap();
        prop_assert_eq!(sealed.open(Lock::Key(&key(3))).unwrap(), seed);
    }

    #[test]
    fn hostile_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400), headed in any::<bool>()) {
        if headed {
            bytes.splice(0..0, *b"age-encryption.org/v1\n-> X25519 ");
        }
        let sealed = SealedSeed::from_bytes(bytes).unwrap();
        prop_assert!(sealed.open(Lock::Key(&key(1))).is_err());
        prop_assert!(sealed.needs_passphrase().is_err() || headed);
    }

    #[test]
    fn a_changed_file_never_opens_to_another_seed(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let hostile = changed(&SEALED, |bytes| {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        });
        if let Ok(found) = hostile.open(Lock::Key(&key(1))) {
            prop_assert_eq!(found, seed());
        }
    }

    #[test]
    fn hostile_key_files_never_panic(text in "\\PC*") {
        let _ = SealKey::from_text(&text);
    }
}
