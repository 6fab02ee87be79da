//! The host dies while the index is being written.

use std::sync::Arc;
use std::time::Duration;

use darkswap_sim::disk::Survival;
use tokio::time::{sleep, timeout};

use crate::scene::{Scene, reaches, run};
use crate::weak_disk::{Fuse, WeakHost};

/// Lets the disk of `client` stop after so many changes, while the index is opened and follows. Whether it came as far as to follow.
async fn power_cut(scene: &Scene, operations: u64) -> bool {
    let fuse = Fuse::after(operations);
    let host = Arc::new(WeakHost { host: scene.runtime("client"), fuse: Arc::clone(&fuse) });
    let index = scene.open_on(host);
    if let Ok(index) = &index {
        let gone = async {
            while !fuse.is_blown() {
                scene.mine(3);
                sleep(Duration::from_secs(11)).await;
            }
        };
        timeout(Duration::from_secs(600), gone).await.expect("it writes each block");
        let mut progress = index.progress();
        let told = progress.wait_for(|progress| progress.trouble.is_some());
        let reason = timeout(Duration::from_secs(60), told).await.unwrap().unwrap().trouble.clone();
        assert!(reason.as_ref().is_some_and(|reason| reason.contains("rune index")), "{reason:?}");
    }
    index.is_ok()
}

fn cuts(seed: u64, survival: Survival) {
    run(seed, move |scene| async move {
        let disk = scene.runtime("client").disk().clone();
        disk.set_survival(survival);
        let (mut height, mut followed) = (None, 0);
        for operations in (1..12).chain((12..100).step_by(8)) {
            followed += u32::from(power_cut(&scene, operations).await);
            scene.reboot("client");
            let rows = scene.rows();
            let tip = rows.tip().unwrap();
            let reached = tip.as_ref().map(|tip| tip.height);
            assert!(reached >= height, "after {operations}: {reached:?}, before it was {height:?}");
            if let Some(tip) = tip {
                assert_eq!(scene.chain(|node, _| node.chain().block_hash(tip.height)), Some(tip.hash));
                scene.assert_same_at(&rows, tip.height);
            }
            height = reached;
        }
        assert!(height.is_some(), "something of it was kept");
        let counters = disk.counters();
        assert!(followed > 5 && counters.lost_pages > 0, "{followed} cuts, {counters:?}");
        assert_eq!(counters.surviving_pages > 0, survival == Survival::SomePages, "{counters:?}");
        let index = scene.open();
        reaches(&index, scene.tip()).await;
        scene.assert_same(index.rows());
    });
}

#[test]
fn a_host_that_dies_in_the_middle_of_a_write_finds_the_index_as_of_some_block() {
    cuts(5, Survival::Nothing);
}

#[test]
fn so_does_one_whose_disk_kept_some_pages_of_that_write() {
    cuts(6, Survival::SomePages);
}
