//! Files of a host.

use std::io::ErrorKind;
use std::ops::Bound;
use std::path::PathBuf;

use darkswap_node::store::{Store, StoreError};
use darkswap_trader::store::{Table, Write};

use super::Hosts;

/// A file that is not there yet, in a folder that goes with the first part. In the simulation only the name counts.
fn fresh() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not yet").join("file");
    (folder, file)
}

pub(crate) async fn what_is_written_is_read_by_the_next_opening(hosts: Hosts) {
    let (_folder, file) = fresh();
    let first = hosts.client.open_storage(&file).unwrap();
    assert_eq!(first.len().unwrap(), 0);
    let bytes: Vec<u8> = (0..10_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    first.write(5_000, &bytes).unwrap();
    first.sync_data().unwrap();
    drop(first);
    let second = hosts.client.open_storage(&file).unwrap();
    let mut found = vec![1; 15_000];
    second.read(0, &mut found).unwrap();
    assert!(found[..5_000].iter().all(|byte| *byte == 0) && found[5_000..] == bytes);
}

pub(crate) async fn what_is_beyond_the_end_is_an_error_and_what_is_new_is_zero(hosts: Hosts) {
    let (_folder, file) = fresh();
    let storage = hosts.client.open_storage(&file).unwrap();
    storage.write(0, &[7; 100]).unwrap();
    assert_eq!(storage.read(90, &mut [0; 11]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    storage.set_len(10).unwrap();
    storage.set_len(5_000).unwrap();
    assert_eq!(storage.len().unwrap(), 5_000);
    let mut found = [1; 5_000];
    storage.read(0, &mut found).unwrap();
    assert!(found[..10] == [7; 10] && found[10..].iter().all(|byte| *byte == 0));
}

pub(crate) async fn the_lock_is_had_once_until_it_is_released(hosts: Hosts) {
    let (_folder, file) = fresh();
    let whole = (Bound::Unbounded, Bound::Unbounded);
    let (one, two) = (hosts.client.open_storage(&file).unwrap(), hosts.client.open_storage(&file).unwrap());
    assert!(one.try_lock_range(whole.0, whole.1).unwrap());
    assert!(!two.try_lock_range(whole.0, whole.1).unwrap());
    one.close().unwrap();
    assert!(two.try_lock_range(whole.0, whole.1).unwrap());
    two.close().unwrap();
}

pub(crate) async fn a_store_is_the_same_after_it_was_closed(hosts: Hosts) {
    let (_folder, file) = fresh();
    let write = |value: Option<&[u8]>| Write { table: Table::Orders, key: vec![1], value: value.map(<[u8]>::to_vec) };
    let store = Store::open(&*hosts.client, &file).unwrap();
    store.commit(&[write(Some(b"kept"))]).unwrap();
    let refused = Store::open(&*hosts.client, &file).unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused:?}");
    drop(store);
    let store = Store::open(&*hosts.client, &file).unwrap();
    assert_eq!(store.entries(Table::Orders).unwrap(), [(vec![1], b"kept".to_vec())]);
    store.commit(&[write(None)]).unwrap();
    assert_eq!(store.entries(Table::Orders).unwrap(), []);
}
