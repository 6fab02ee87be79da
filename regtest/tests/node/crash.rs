//! A side that crashes at each step of a swap, and starts again.

use std::time::Duration;

use darkswap_regtest::node::WINDOW;
use darkswap_trade::order::Side;
use darkswap_trade::swap::GRACE;

use crate::market::{MAKER, Market, TAKER};
use crate::world::PREMINE;

/// Units of each swap.
const UNITS: u128 = 10;

/// Milliseconds from an acceptance to the moment at which its maker is stopped: long enough for the acceptance to leave, and too short for
/// the proposal to come. Which ones are depends on the machine.
const DELAYS: [u64; 8] = [8, 4, 12, 16, 2, 24, 6, 32];
/// Milliseconds in which a taker proposes that was accepted.
const MOMENT: u64 = 1_500;

/// Has one side crash at `phase`. It may have gone on meanwhile: what is killed does not stop to think.
fn crash(market: &mut Market, victim: usize, phase: &str) {
    let order = &rest(market);
    let swap = match phase {
        // The maker would answer at once.
        "requested" => {
            market.nodes[MAKER].freeze().expect("it runs");
            let swap = market.take(order, UNITS);
            market.nodes[victim].kill();
            market.nodes[MAKER].thaw().expect("it runs");
            swap
        }
        "broadcast" | "confirming" => {
            let swap = market.take(order, UNITS);
            market.await_both(&swap, "broadcast");
            if phase == "confirming" {
                market.world.env.mine(1).expect("a block");
            }
            market.await_phase(victim, &swap, phase);
            market.nodes[victim].kill();
            market.world.env.mine(1).expect("a block");
            swap
        }
        _ => {
            let mut watch = market.nodes[victim].watch().expect("it has a log");
            let swap = market.take(order, UNITS);
            watch.until(&[phase]).expect("it gets there");
            market.nodes[victim].kill();
            swap
        }
    };
    market.restart(victim);
    market.finish();
    market.judge();
    if matches!(phase, "broadcast" | "confirming") {
        market.await_both(&swap, "done");
    }
}

#[test]
fn a_maker_that_crashes_at_any_step_loses_nothing_and_costs_nothing() {
    let mut market = Market::open(Side::Sell);
    market.place(Side::Sell, PREMINE);
    for phase in ["accepted", "broadcast", "confirming"] {
        crash(&mut market, MAKER, phase);
    }
}

#[test]
fn a_taker_that_crashes_at_any_step_loses_nothing_and_costs_nothing() {
    let mut market = Market::open(Side::Buy);
    market.place(Side::Buy, PREMINE);
    for phase in ["requested", "proposed", "broadcast", "confirming"] {
        crash(&mut market, TAKER, phase);
    }
}

/// A swap whose taker has given its signatures away while its maker stands still. The moment is short, so it is tried again.
fn held_at_proposed(market: &mut Market) -> String {
    for delay in DELAYS {
        let order = rest(market);
        let mut watch = market.nodes[MAKER].watch().expect("it has a log");
        let swap = market.take(&order, UNITS);
        watch.until(&["accepted"]).expect("it accepts");
        pause(delay);
        market.nodes[MAKER].freeze().expect("it runs");
        pause(MOMENT);
        if market.phase(TAKER, &swap).as_deref() == Some("proposed") {
            return swap;
        }
        market.nodes[MAKER].thaw().expect("it runs");
        market.finish();
    }
    panic!("no maker stood still between acceptance and proposal in {} swaps", DELAYS.len());
}

/// What earlier swaps left of the order.
fn rest(market: &mut Market) -> String {
    let settled = u128::try_from(market.judge().settled).expect("few");
    market.left(PREMINE - UNITS * settled)
}

fn pause(milliseconds: u64) {
    #[expect(clippy::disallowed_methods, reason = "real processes run in real time")]
    std::thread::sleep(Duration::from_millis(milliseconds));
}

#[test]
fn a_maker_that_vanishes_before_it_signs_costs_the_fee_of_a_reclaim() {
    let mut market = Market::open(Side::Sell);
    market.place(Side::Sell, PREMINE);
    let swap = held_at_proposed(&mut market);
    market.nodes[MAKER].kill();
    let reclaiming = || (market.phase(TAKER, &swap)? == "reclaiming").then_some(());
    market.nodes[TAKER].wait_long(WINDOW + GRACE * 2, "reclaim", reclaiming).expect("the grace ends");
    let reclaim = market.waiting();
    assert!(reclaim.output.iter().all(|output| market.wallet(TAKER).is_mine(&output.script_pubkey)));
    market.restart(MAKER);
    market.finish();
    market.await_both(&swap, "aborted");
    market.judge();
}

#[test]
fn a_taker_that_crashes_after_it_signed_goes_on_with_its_swap() {
    let mut market = Market::open(Side::Buy);
    market.place(Side::Buy, PREMINE);
    let swap = held_at_proposed(&mut market);
    market.nodes[TAKER].kill();
    market.nodes[MAKER].thaw().expect("it runs");
    market.restart(TAKER);
    market.finish();
    market.await_both(&swap, "done");
    market.judge();
}
