//! When a new destination gets a new external endpoint, and which one.

use std::time::Duration;

use darkswap_fabric::{AfterReset, NatDrop, NatLimits, PortAssignment};

use crate::support::{AD, APD, EI, NEXT_FREE, OVERLOAD, PORT_ASSIGNMENTS, UDP, at, config, nat};

const NOW: Duration = Duration::ZERO;

#[test]
fn a_destination_gets_a_new_external_endpoint_as_the_mapping_behaviour_says() {
    for ports in PORT_ASSIGNMENTS {
        for (mapping, same_address_shares, other_address_shares) in
            [(EI, true, true), (AD, true, false), (APD, false, false)]
        {
            let mut nat = nat(darkswap_fabric::NatConfig { ports, ..config(mapping, EI) });
            let inside = at("192.168.0.2:4001");
            let mut map = |destination| nat.outbound(NOW, UDP, inside, at(destination)).expect("a mapping");
            let first = map("198.51.100.1:1");
            assert_eq!(map("198.51.100.1:1"), first, "the same destination keeps the mapping");
            assert_eq!(map("198.51.100.1:2") == first, same_address_shares, "{mapping} {ports:?}");
            assert_eq!(map("198.51.100.2:1") == first, other_address_shares, "{mapping} {ports:?}");
        }
    }
}

#[test]
fn udp_and_tcp_have_mappings_of_their_own() {
    let mut nat = nat(darkswap_fabric::NatConfig { ports: PortAssignment::Sequential, ..config(EI, EI) });
    let (inside, server) = (at("192.168.0.2:4001"), at("198.51.100.1:1"));
    let udp = nat.outbound(NOW, UDP, inside, server).expect("a mapping");
    let tcp = nat.outbound(NOW, crate::support::DATA, inside, server).expect("a mapping");
    assert_ne!(udp, tcp);
    assert_eq!(nat.mappings(NOW), 2);
    assert_eq!(nat.inbound(NOW, UDP, server, tcp), Err(NatDrop::Unmapped));
}

#[test]
fn a_preserved_port_that_is_taken_gives_way_to_the_next_free_one() {
    let mut nat = nat(darkswap_fabric::NatConfig { ports: NEXT_FREE, ..config(EI, EI) });
    let server = at("198.51.100.1:1");
    let mut port = |inside| nat.outbound(NOW, UDP, at(inside), server).expect("a mapping").port();
    assert_eq!(port("192.168.0.2:65535"), 65_535);
    assert_eq!(port("192.168.0.3:65535"), 1_024, "ports wrap");
    assert_eq!(port("192.168.0.4:80"), 80, "low ports are preserved");
}

#[test]
fn an_overloaded_port_is_shared_and_told_apart_by_the_remote_endpoint() {
    let mut nat = nat(darkswap_fabric::NatConfig { ports: OVERLOAD, ..config(EI, APD) });
    let (left, right) = (at("192.168.0.2:4001"), at("192.168.0.3:4001"));
    let (one, other) = (at("198.51.100.1:1"), at("198.51.100.2:1"));
    let outside = nat.outbound(NOW, UDP, left, one).expect("a mapping");
    assert_eq!(nat.outbound(NOW, UDP, right, other), Ok(outside));
    assert_eq!(nat.inbound(NOW, UDP, one, outside), Ok(left));
    assert_eq!(nat.inbound(NOW, UDP, other, outside), Ok(right));
    nat.outbound(NOW, UDP, right, one).expect("a mapping");
    assert_eq!(nat.inbound(NOW, UDP, one, outside), Ok(right), "the last sender takes the clash");
}

#[test]
fn sequential_ports_follow_each_other() {
    let mut nat = nat(darkswap_fabric::NatConfig { ports: PortAssignment::Sequential, ..config(APD, EI) });
    let mut port =
        |server| u32::from(nat.outbound(NOW, UDP, at("192.168.0.2:1"), at(server)).expect("a mapping").port());
    let first = port("198.51.100.1:1");
    assert_eq!(port("198.51.100.1:2"), first + 1);
    assert_eq!(port("198.51.100.1:3"), first + 2);
}

#[test]
fn with_parity_even_ports_map_to_even_ones_and_odd_to_odd() {
    for ports in PORT_ASSIGNMENTS {
        for mapping in [EI, AD, APD] {
            let mut nat = nat(darkswap_fabric::NatConfig { ports, parity: true, ..config(mapping, EI) });
            for internal in [4_000, 4_001, 4_002, 4_004, 4_007, 65_535] {
                for host in [2, 3] {
                    for server in ["198.51.100.1:1", "198.51.100.2:1", "198.51.100.2:2"] {
                        let inside = std::net::SocketAddrV4::new([192, 168, 0, host].into(), internal);
                        let outside = nat.outbound(NOW, UDP, inside, at(server)).expect("a mapping");
                        assert_eq!(outside.port() % 2, internal % 2, "{ports:?} {mapping}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_number_of_mappings_is_bounded_per_host_and_in_all() {
    let limits = NatLimits { mappings: 3, mappings_per_host: 2, ..NatLimits::DEFAULT };
    let mut nat = nat(darkswap_fabric::NatConfig { limits, ..config(EI, EI) });
    let server = at("198.51.100.1:1");
    let mut open = |now, inside| nat.outbound(now, UDP, at(inside), server).map(|_| ());
    assert_eq!(open(NOW, "192.168.0.2:1"), Ok(()));
    assert_eq!(open(NOW, "192.168.0.2:2"), Ok(()));
    assert_eq!(open(NOW, "192.168.0.2:3"), Err(NatDrop::HostMappingsExhausted));
    assert_eq!(open(NOW, "192.168.0.3:1"), Ok(()));
    assert_eq!(open(NOW, "192.168.0.4:1"), Err(NatDrop::MappingsExhausted));
    let later = NOW + Duration::from_secs(120);
    assert_eq!(open(later, "192.168.0.4:1"), Ok(()), "expired mappings make room");
    assert_eq!(nat.counters().mappings_expired, 3);
    assert_eq!((nat.counters().mappings_exhausted, nat.counters().host_mappings_exhausted), (1, 1));
}

#[test]
fn a_reset_forgets_mappings_and_reassigns_ports() {
    for ports in PORT_ASSIGNMENTS {
        let mut nat = nat(darkswap_fabric::NatConfig { ports, ..config(EI, APD) });
        let (inside, server) = (at("192.168.0.2:4001"), at("198.51.100.1:1"));
        let before = nat.outbound(NOW, UDP, inside, server).expect("a mapping");
        assert_eq!(nat.reset(NOW, AfterReset::Reassigned), 1);
        assert_eq!(nat.inbound(NOW, UDP, server, before), Err(NatDrop::Unmapped));
        let after = nat.outbound(NOW, UDP, inside, server).expect("a mapping");
        let preserves = matches!(ports, PortAssignment::Preserve { .. });
        assert_eq!(before == after, preserves, "{ports:?}");
    }
}

#[test]
fn a_rebinding_changes_the_port_even_with_port_preservation() {
    for ports in PORT_ASSIGNMENTS {
        let mut nat = nat(darkswap_fabric::NatConfig { ports, ..config(EI, APD) });
        let (inside, server) = (at("192.168.0.2:4001"), at("198.51.100.1:1"));
        let before = nat.outbound(NOW, UDP, inside, server).expect("a mapping");
        assert_eq!(nat.reset(NOW, AfterReset::Fresh), 1);
        let after = nat.outbound(NOW, UDP, inside, server).expect("a mapping");
        assert_ne!(before, after, "{ports:?}");
        assert_eq!(nat.inbound(NOW, UDP, server, after), Ok(inside));
    }
}
