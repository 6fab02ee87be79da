//! The policy of `docs/write-a-policy.md` does what the page says, and the page shows it as it is.

#![allow(unreachable_pub, reason = "the file is shown as it stands in a library")]

use std::time::Duration;

use darkswap_connectivity::relay::policy::{Candidate, PARAMETERS, Parameters, Policy, View};

#[path = "write_a_policy/nearest_with_room.rs"]
mod nearest_with_room;

use nearest_with_room::NearestWithRoom;

const PAGE: &str = include_str!("../../../docs/write-a-policy.md");
const FILE: &str = include_str!("write_a_policy/nearest_with_room.rs");

fn relay(milliseconds: u64, load: f64) -> Candidate {
    Candidate { rtt: Some(Duration::from_millis(milliseconds)), loss: 0.0, load, success: 1.0, hint: None }
}

fn choose(candidates: &[Candidate], current: Option<usize>) -> Option<usize> {
    let parameters = Parameters::default();
    NearestWithRoom.choose(&View { candidates, current, parameters: &parameters, bits: 0 })
}

#[test]
fn the_page_shows_the_file_that_is_tested_here() {
    assert!(PAGE.contains(&format!("```rust\n{FILE}```\n")), "docs/write-a-policy.md does not show {FILE}");
}

#[test]
fn the_nearest_relay_that_is_not_busy_is_chosen() {
    assert_eq!(choose(&[relay(40, 0.1), relay(20, 0.9), relay(30, 0.2)], None), Some(2));
    assert_eq!(choose(&[relay(40, 0.8), relay(20, 0.9)], None), Some(1), "all are busy");
    assert_eq!(choose(&[relay(40, 0.1), relay(40, 0.1)], Some(1)), Some(1), "of equals the one in use");
    assert_eq!(choose(&[], None), None);
}

#[test]
fn every_registered_parameter_is_on_the_page() {
    for name in PARAMETERS.iter().map(|parameter| parameter.name) {
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
}
