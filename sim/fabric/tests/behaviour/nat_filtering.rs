//! Which sources may use an external endpoint.

use std::time::Duration;

use darkswap_fabric::{NatDrop, NatLimits};

use crate::support::{AD, APD, EI, UDP, at, config, nat};

const NOW: Duration = Duration::ZERO;

#[test]
fn a_source_is_admitted_as_the_filtering_behaviour_says() {
    for (filtering, same_address, other_address) in [(EI, true, true), (AD, true, false), (APD, false, false)] {
        let mut nat = nat(config(EI, filtering));
        let inside = at("192.168.0.2:4001");
        let outside = nat.outbound(NOW, UDP, inside, at("198.51.100.1:1")).expect("a mapping");
        let mut admits = |source| nat.inbound(NOW, UDP, at(source), outside) == Ok(inside);
        assert!(admits("198.51.100.1:1"), "{filtering}");
        assert_eq!(admits("198.51.100.1:2"), same_address, "{filtering}");
        assert_eq!(admits("198.51.100.2:1"), other_address, "{filtering}");
    }
}

#[test]
fn a_port_without_a_mapping_admits_nobody() {
    let mut nat = nat(config(EI, EI));
    assert_eq!(nat.inbound(NOW, UDP, at("198.51.100.1:1"), at("203.0.113.1:4001")), Err(NatDrop::Unmapped));
    assert_eq!(nat.counters().unmapped, 1);
}

#[test]
fn filter_state_belongs_to_one_mapping() {
    for filtering in [AD, APD] {
        let mut nat = nat(config(APD, filtering));
        let (inside, one, other) = (at("192.168.0.2:4001"), at("198.51.100.1:1"), at("198.51.100.2:1"));
        let towards_one = nat.outbound(NOW, UDP, inside, one).expect("a mapping");
        let towards_other = nat.outbound(NOW, UDP, inside, other).expect("a mapping");
        assert_eq!(nat.inbound(NOW, UDP, other, towards_one), Err(NatDrop::Filtered), "{filtering}");
        assert_eq!(nat.inbound(NOW, UDP, other, towards_other), Ok(inside), "{filtering}");
        assert_eq!(nat.counters().filtered, 1);
    }
}

#[test]
fn a_full_filter_forgets_the_session_that_would_expire_first() {
    let limits = NatLimits { sessions_per_mapping: 2, ..NatLimits::DEFAULT };
    let mut nat = nat(darkswap_fabric::NatConfig { limits, ..config(EI, APD) });
    let inside = at("192.168.0.2:4001");
    let peers = [at("198.51.100.1:1"), at("198.51.100.2:1"), at("198.51.100.3:1")];
    let mut outside = inside;
    for (second, peer) in peers.into_iter().enumerate() {
        outside = nat.outbound(Duration::from_secs(second as u64), UDP, inside, peer).expect("a mapping");
    }
    let now = Duration::from_secs(3);
    let admitted = peers.map(|peer| nat.inbound(now, UDP, peer, outside).is_ok());
    assert_eq!(admitted, [false, true, true]);
    assert_eq!(nat.counters().sessions_evicted, 1);
}
