//! Swaps between two machines over a network that loses, on a chain that reorganises, with disks that forget, and with a side that
//! cheats. Each case follows from its seed; a failing one is repeated with `SWAP_MODEL_SEED=n`.
//! `SWAP_MODEL_CASES=n` plays more of them.
//!
//! In every case:
//! - a side loses no more than the agreed fee, or the fee of one reclaim; what it gets is exactly what was agreed on;
//! - nothing is promised or broadcast that the disk does not know, and nothing is let go of while the disk still needs it;
//! - every swap ends once messages and blocks get through again, on both sides as the chain says;
//! - no honest side is blamed.
//!
//! What a signer is given is checked by its type.

#![expect(clippy::unwrap_used, reason = "a test harness: what cannot be taken is a failure of the test")]

#[path = "swap_model/chain.rs"]
mod chain;
#[path = "swap_model/dice.rs"]
mod dice;
#[path = "swap_model/evil.rs"]
mod evil;
#[path = "swap_model/trader.rs"]
mod trader;
#[path = "swap_model/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use trader::{MAKER, TAKER};
use world::{Case, Tally, World};

/// Runs as many cases and adds up what happened.
fn play(cases: u64, evil: Option<usize>, faults: bool, presigned: bool) -> Tally {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number in SWAP_MODEL_*"));
    let (only, cases) = (number("SWAP_MODEL_SEED"), number("SWAP_MODEL_CASES").unwrap_or(cases));
    let seeds = only.map_or(0..cases, |seed: u64| seed..seed + 1);
    let mut sum = Tally::default();
    for seed in seeds {
        let case = Case { seed, evil, faults, presigned };
        let tally = catch_unwind(AssertUnwindSafe(|| World::new(case).run()))
            .unwrap_or_else(|_| panic!("{case:?} failed, see above; repeat it with SWAP_MODEL_SEED={seed}"));
        sum.settled += tally.settled;
        sum.aborted += tally.aborted;
        sum.reclaimed += tally.reclaimed;
        sum.double_spent += tally.double_spent;
        sum.crashes += tally.crashes;
        sum.reorganised += tally.reorganised;
        sum.misbehaved += tally.misbehaved;
        sum.steps += tally.steps;
    }
    sum
}

#[test]
fn without_faults_every_swap_settles_and_nobody_reclaims() {
    let tally = play(200, None, false, false);
    assert_eq!((tally.aborted, tally.reclaimed), (0, 0), "{tally:?}");
}

#[test]
fn crashes_losses_and_reorganisations_cost_at_most_a_reclaim_and_both_agree_on_the_end() {
    let tally = play(800, None, true, false);
    let counts = [tally.settled, tally.aborted, tally.reclaimed, tally.double_spent, tally.crashes, tally.reorganised];
    assert!(counts.iter().all(|count| *count > 5), "{tally:?}");
}

#[test]
fn a_taker_that_cheats_costs_an_honest_maker_at_most_a_reclaim() {
    let tally = play(600, Some(TAKER), true, false);
    assert!([tally.settled, tally.aborted, tally.double_spent, tally.misbehaved].iter().all(|it| *it > 5), "{tally:?}");
}

#[test]
fn a_maker_that_cheats_costs_an_honest_taker_at_most_a_reclaim() {
    let tally = play(600, Some(MAKER), true, false);
    assert!([tally.settled, tally.aborted, tally.reclaimed, tally.misbehaved].iter().all(|it| *it > 5), "{tally:?}");
}

#[test]
fn a_presigned_order_settles_without_its_maker() {
    let tally = play(100, None, false, true);
    assert_eq!((tally.aborted, tally.reclaimed), (0, 0), "{tally:?}");
}

#[test]
fn the_taker_of_a_presigned_order_loses_at_most_a_reclaim_when_the_maker_spends_its_coin_elsewhere() {
    let tally = play(300, Some(MAKER), true, true);
    assert!([tally.settled, tally.aborted, tally.double_spent].iter().all(|it| *it > 5), "{tally:?}");
}

#[test]
fn the_same_seed_is_the_same_story() {
    let case = Case { seed: 5, evil: Some(MAKER), faults: true, presigned: false };
    assert_eq!(World::new(case).run().steps, World::new(case).run().steps);
}
