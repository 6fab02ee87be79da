//! Internal hosts that talk through their external endpoints.

use std::time::Duration;

use darkswap_fabric::{Hairpinning, NatConfig, NatDrop};

use crate::support::{APD, EI, UDP, at, config, nat};

const NOW: Duration = Duration::ZERO;

#[test]
fn a_hairpinned_packet_is_presented_with_the_external_endpoint_of_its_sender() {
    let mut nat = nat(config(EI, EI));
    let (left, right, relay) = (at("192.168.0.2:4001"), at("192.168.0.3:4002"), at("198.51.100.1:1"));
    let left_outside = nat.outbound(NOW, UDP, left, relay).expect("a mapping");
    let right_outside = nat.outbound(NOW, UDP, right, relay).expect("a mapping");
    assert_eq!(nat.hairpin(NOW, UDP, left, right_outside), Ok((left_outside, right)));
    assert_eq!(nat.counters().hairpinned, 1);
}

#[test]
fn hairpinned_packets_are_filtered_like_those_from_the_outside() {
    let mut nat = nat(config(EI, APD));
    let (left, right, relay) = (at("192.168.0.2:4001"), at("192.168.0.3:4002"), at("198.51.100.1:1"));
    let left_outside = nat.outbound(NOW, UDP, left, relay).expect("a mapping");
    let right_outside = nat.outbound(NOW, UDP, right, relay).expect("a mapping");
    assert_eq!(nat.hairpin(NOW, UDP, left, right_outside), Err(NatDrop::Filtered));
    assert_eq!(nat.hairpin(NOW, UDP, right, left_outside), Ok((right_outside, left)), "the left one has punched");
    assert_eq!(nat.hairpin(NOW, UDP, left, right_outside), Ok((left_outside, right)));
}

#[test]
fn without_hairpinning_the_packet_is_dropped() {
    let mut nat = nat(NatConfig { hairpinning: Hairpinning::Off, ..config(EI, EI) });
    let right_outside = nat.outbound(NOW, UDP, at("192.168.0.3:4002"), at("198.51.100.1:1")).expect("a mapping");
    assert_eq!(nat.hairpin(NOW, UDP, at("192.168.0.2:4001"), right_outside), Err(NatDrop::HairpinningOff));
    assert_eq!(nat.counters().hairpinning_off, 1);
    assert_eq!(nat.mappings(NOW), 1, "nothing is left behind");
}
