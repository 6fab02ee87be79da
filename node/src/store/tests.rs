//! Crashes at every point, damaged files, second openers.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::database::{FORMATS, VERSION};
use super::*;
use crate::TokioRuntime;

pub(crate) mod disk;

use disk::{Crash, Recorder};

type Content = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

fn put(table: Table, key: &[u8], value: &[u8]) -> Write {
    Write { table, key: key.to_vec(), value: Some(value.to_vec()) }
}

fn remove(table: Table, key: &[u8]) -> Write {
    Write { table, key: key.to_vec(), value: None }
}

fn content(store: &Store) -> Content {
    let entries =
        |table: Table| store.entries(table).unwrap().into_iter().map(move |(key, value)| ((table, key), value));
    Table::ALL.into_iter().flat_map(entries).collect()
}

fn apply(content: &mut Content, writes: &[Write]) {
    for Write { table, key, value } in writes {
        match value {
            Some(value) => drop(content.insert((*table, key.clone()), value.clone())),
            None => drop(content.remove(&(*table, key.clone()))),
        }
    }
}

fn open(storage: impl StorageBackend) -> Result<Store, StoreError> {
    Store::over(storage, Path::new("store.redb"))
}

/// Commits all batches. Afterwards the recorder knows when each was acknowledged; the states are those after 0, 1, .. of them.
fn record(batches: &[Vec<Write>]) -> (Recorder, Vec<Content>) {
    let recorder = Recorder::default();
    let mut states = vec![Content::new()];
    let store = open(recorder.storage()).unwrap();
    for batch in batches {
        store.commit(batch).unwrap();
        recorder.acknowledge();
        let mut next = states.last().unwrap().clone();
        apply(&mut next, batch);
        states.push(next);
    }
    assert_eq!(&content(&store), states.last().unwrap());
    // Closing writes as well, and may be interrupted.
    drop(store);
    (recorder, states)
}

/// After a crash the content is that after some batches, and no acknowledged one is missing.
fn survives(recorder: &Recorder, states: &[Content], crash: Crash) {
    let image = recorder.image(crash);
    let acknowledged = recorder.acknowledged_before(crash.after);
    let store = open(image).unwrap_or_else(|error| panic!("{crash:?}: {error}"));
    let found = content(&store);
    // The batch that was being written may be there or not.
    let possible = &states[acknowledged..states.len().min(acknowledged + 2)];
    assert!(possible.contains(&found), "{crash:?}: {acknowledged} batches were acknowledged, found {found:?}");
    store.commit(&[put(Table::Single, b"after", b"the crash")]).unwrap();
}

fn batches() -> Vec<Vec<Write>> {
    let large = vec![7; 20_000];
    vec![
        vec![put(Table::Swaps, b"a", b"1"), put(Table::Single, b"next", b"1")],
        vec![put(Table::Swaps, b"b", &large), put(Table::Wallet, b"0", b"x")],
        vec![remove(Table::Swaps, b"a"), put(Table::History, b"a", b"done")],
        vec![],
        vec![put(Table::Swaps, b"b", b"small"), put(Table::Orders, b"", b"")],
        vec![remove(Table::Wallet, b"0"), put(Table::Wallet, b"1", &large), remove(Table::Wallet, b"none")],
    ]
}

#[test]
fn a_crash_between_any_two_operations_loses_nothing_that_was_acknowledged() {
    let (recorder, states) = record(&batches());
    for after in 0..=recorder.operations() {
        for survivors in [None, Some(u64::MAX), Some(1), Some(2)] {
            survives(&recorder, &states, Crash { after, survivors });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..crate::cases() })]

    #[test]
    fn any_batches_survive_any_crash(
        batches in prop::collection::vec(prop::collection::vec((0..5_usize, 0..6_u8, prop::option::of(0..9_000_usize)), 0..6), 1..8),
        crashes in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(1..u64::MAX)), 12),
    ) {
        let write = |(table, key, length): (usize, u8, Option<usize>)| Write {
            table: Table::ALL[table],
            key: vec![key],
            value: length.map(|length| vec![key; length]),
        };
        let batches: Vec<Vec<Write>> =
            batches.into_iter().map(|batch| batch.into_iter().map(write).collect()).collect();
        let (recorder, states) = record(&batches);
        for (after, survivors) in crashes {
            survives(&recorder, &states, Crash { after: after.index(recorder.operations() + 1), survivors });
        }
    }
}

proptest! {
    #![proptest_config(crate::cases())]
    #[test]
    fn a_damaged_file_is_refused_or_read_as_it_was(
        places in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..20),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (recorder, states) = record(&batches());
        let mut bytes = recorder.image(Crash { after: recorder.operations(), survivors: None }).into_bytes();
        for (place, change) in places {
            let place = place.index(bytes.len());
            bytes[place] ^= change;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        match open(disk::Image::from(bytes)) {
            // Nothing that is used was hit.
            Ok(store) => {
                let found = content(&store);
                prop_assert!(states.contains(&found), "{found:?}");
            }
            Err(error) => prop_assert!(error.to_string().contains("store.redb"), "{error}"),
        }
    }
}

#[test]
fn a_file_of_something_else_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trading.redb");
    std::fs::write(&file, "precious".repeat(1_000)).unwrap();
    let refused = Store::open(&TokioRuntime, &file).unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused:?}");
    let message = refused.to_string();
    assert!(message.contains("trading.redb") && message.contains("restore it from a backup"), "{message}");
    assert_eq!(std::fs::read(&file).unwrap(), "precious".repeat(1_000).as_bytes());
}

#[test]
fn a_file_without_its_beginning_is_refused_as_long_as_there_is_anything_in_it() {
    let (recorder, _) = record(&batches());
    let mut bytes = recorder.image(Crash { after: recorder.operations(), survivors: None }).into_bytes();
    bytes[..4_096].fill(0);
    let refused = open(disk::Image::from(bytes)).unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused:?}");
}

#[test]
fn a_second_opener_is_told_that_the_store_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new").join("trading.redb");
    let store = Store::open(&TokioRuntime, &file).unwrap();
    let refused = Store::open(&TokioRuntime, &file).unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused:?}");
    assert!(refused.to_string().contains("trading.redb is open in another process"), "{refused}");
    store.commit(&[put(Table::Swaps, b"a", b"1")]).unwrap();
    drop(store);
    let again = Store::open(&TokioRuntime, &file).unwrap();
    assert_eq!(again.entries(Table::Swaps).unwrap(), [(b"a".to_vec(), b"1".to_vec())]);
}

#[cfg(unix)]
#[test]
fn the_file_and_its_folder_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new").join("trading.redb");
    let _store = Store::open(&TokioRuntime, &file).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
}

#[test]
fn a_newer_format_is_refused() {
    let recorder = Recorder::default();
    let store = open(recorder.storage()).unwrap();
    store
        .database
        .transact(|transaction| {
            transaction.open_table(FORMATS).unwrap().insert(VERSION, FORMAT + 1).unwrap();
            Ok(())
        })
        .unwrap();
    drop(store);
    let image = recorder.image(Crash { after: recorder.operations(), survivors: None });
    let refused = open(image).unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 2, .. }), "{refused:?}");
    assert!(refused.to_string().contains("has format 2, expected at most 1"), "{refused}");
}

#[test]
fn entries_come_in_the_order_of_their_keys_bytes() {
    let store = open(Recorder::default().storage()).unwrap();
    store
        .commit(&[put(Table::History, &[2], b""), put(Table::History, &[1, 255], b""), put(Table::History, &[], b"")])
        .unwrap();
    let keys: Vec<Vec<u8>> = store.entries(Table::History).unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [vec![], vec![1, 255], vec![2]]);
    assert_eq!(store.entries(Table::Orders).unwrap(), []);
}

#[test]
fn a_full_disk_is_a_failure_and_the_store_opens_again_as_it_was() {
    let recorder = Recorder::default();
    let store = open(recorder.storage()).unwrap();
    store.commit(&[put(Table::Single, b"a", b"1")]).unwrap();
    recorder.fill();
    let refused = store.commit(&[put(Table::Single, b"a", &[0; 4_000_000])]).unwrap_err();
    assert!(matches!(refused, StoreError::Failed { action: "write", .. }), "{refused:?}");
    assert!(store.commit(&[put(Table::Single, b"b", b"2")]).is_err());
    drop(store);
    let again = open(recorder.image(Crash { after: recorder.operations(), survivors: Some(u64::MAX) })).unwrap();
    assert_eq!(again.entries(Table::Single).unwrap(), [(b"a".to_vec(), b"1".to_vec())]);
}
