//! A host's disk over crashes of the host.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use darkswap_node::Runtime;
use darkswap_node::store::Store;
use darkswap_sim::SimRuntime;
use darkswap_sim::disk::Survival;
use darkswap_trader::store::{Table, Write};

use super::{host, run};

fn entry(number: u32) -> Write {
    Write { table: Table::Swaps, key: number.to_be_bytes().to_vec(), value: Some(vec![7; 3_000]) }
}

/// How many entries the host's store has; they are numbered from 0.
fn stored(host: &SimRuntime) -> u32 {
    let store = Store::open(host, Path::new("store")).unwrap();
    let entries = store.entries(Table::Swaps).unwrap();
    for (number, (key, value)) in (0_u32..).zip(&entries) {
        assert_eq!((key.as_slice(), value.len()), (&number.to_be_bytes()[..], 3_000));
    }
    u32::try_from(entries.len()).unwrap()
}

/// A task that stores one entry each millisecond from `first` on, and says how many are acknowledged.
fn serve(host: &Arc<SimRuntime>, first: u32) -> Arc<Mutex<u32>> {
    let acknowledged = Arc::new(Mutex::new(first));
    let (count, runtime) = (Arc::clone(&acknowledged), Arc::clone(host));
    host.spawn(
        "store",
        Box::pin(async move {
            let store = Store::open(&*runtime, Path::new("store")).unwrap();
            for number in first.. {
                store.commit(&[entry(number)]).unwrap();
                *count.lock().unwrap() = number + 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }),
    );
    acknowledged
}

/// Stores, crashes and restarts several times: how many entries there are in the end.
async fn cycles(world: darkswap_sim::World, survival: Survival) -> u32 {
    let (one, index) = (host(&world, "one"), world.host("one").unwrap());
    one.disk().set_survival(survival);
    let mut first = 0;
    for _ in 0..5 {
        let acknowledged = serve(&one, first);
        tokio::time::sleep(Duration::from_millis(20)).await;
        // Something that is never synchronised, for the crash to take away.
        let scratch = one.open_storage(Path::new("scratch")).unwrap();
        scratch.write(0, &[1; 50_000]).unwrap();
        world.crash(index).unwrap();
        assert!(one.open_storage(Path::new("store")).is_err(), "a host that is down has no files");
        world.restart(index).unwrap();
        first = stored(&one);
        assert_eq!(first, *acknowledged.lock().unwrap());
    }
    let counters = one.disk().counters();
    assert!(counters.syncs > 5 * 15 && counters.lost_pages > 0, "{counters:?}");
    assert_eq!(counters.surviving_pages > 0, survival == Survival::SomePages, "{counters:?}");
    first
}

#[test]
fn a_store_has_everything_that_was_acknowledged_after_each_crash() {
    let outcome = run(|world| cycles(world, Survival::Nothing));
    assert!(outcome.value >= 5 * 15, "{} entries were stored", outcome.value);
}

#[test]
fn a_store_survives_writes_that_survive_in_part() {
    let outcome = run(|world| cycles(world, Survival::SomePages));
    assert!(outcome.value >= 5 * 15, "{} entries were stored", outcome.value);
}

#[test]
fn every_host_has_a_disk_of_its_own() {
    run(|world| async move {
        let (one, two) = (host(&world, "one"), host(&world, "two"));
        one.open_storage(Path::new("store")).unwrap().write(0, b"here").unwrap();
        assert_eq!(two.open_storage(Path::new("store")).unwrap().len().unwrap(), 0);
        assert_eq!((one.disk().counters().writes, two.disk().counters().writes), (1, 0));
    });
}
