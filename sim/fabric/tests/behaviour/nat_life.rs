//! How long mappings and filter state live, and what prolongs them.

use darkswap_fabric::{MappingLife, NatConfig, NatDrop, PortAssignment, Protocol, Refresh, TcpFlags};

use crate::support::{APD, DATA, EI, UDP, at, config, nat, secs};

fn with_refresh(refresh: Refresh) -> NatConfig {
    let udp = MappingLife { life: secs(30), refresh };
    NatConfig { udp, ports: PortAssignment::Sequential, ..config(EI, APD) }
}

#[test]
fn an_idle_mapping_ends_with_its_life() {
    let mut nat = nat(with_refresh(Refresh::Outbound));
    let (inside, server) = (at("192.168.0.2:4001"), at("198.51.100.1:1"));
    let outside = nat.outbound(secs(0), UDP, inside, server).expect("a mapping");
    assert_eq!(nat.inbound(secs(29), UDP, server, outside), Ok(inside));
    assert_eq!(nat.mappings(secs(29)), 1);
    assert_eq!(nat.inbound(secs(30), UDP, server, outside), Err(NatDrop::Unmapped));
    assert_eq!(nat.mappings(secs(30)), 0);
    assert_ne!(nat.outbound(secs(30), UDP, inside, server), Ok(outside), "the next one is a new mapping");
    assert_eq!(nat.counters().mappings_expired, 1);
}

#[test]
fn only_packets_of_the_refresh_direction_prolong_the_life() {
    for (refresh, by_outbound, by_inbound) in
        [(Refresh::Outbound, true, false), (Refresh::Inbound, false, true), (Refresh::Both, true, true)]
    {
        let (inside, server) = (at("192.168.0.2:4001"), at("198.51.100.1:1"));
        let mut sender = nat(with_refresh(refresh));
        let outside = sender.outbound(secs(0), UDP, inside, server).expect("a mapping");
        sender.outbound(secs(20), UDP, inside, server).expect("a mapping");
        assert_eq!(sender.inbound(secs(40), UDP, server, outside).is_ok(), by_outbound, "{refresh:?}");

        let mut receiver = nat(with_refresh(refresh));
        let outside = receiver.outbound(secs(0), UDP, inside, server).expect("a mapping");
        receiver.inbound(secs(20), UDP, server, outside).expect("admitted");
        assert_eq!(receiver.inbound(secs(40), UDP, server, outside).is_ok(), by_inbound, "{refresh:?}");
    }
}

#[test]
fn traffic_to_one_peer_keeps_the_mapping_but_not_the_hole_towards_another() {
    let mut nat = nat(with_refresh(Refresh::Outbound));
    let (inside, relay, peer) = (at("192.168.0.2:4001"), at("198.51.100.1:1"), at("198.51.100.2:1"));
    let outside = nat.outbound(secs(0), UDP, inside, peer).expect("a mapping");
    nat.outbound(secs(0), UDP, inside, relay).expect("a mapping");
    assert_eq!(nat.outbound(secs(20), UDP, inside, relay), Ok(outside));
    assert_eq!(nat.inbound(secs(35), UDP, relay, outside), Ok(inside));
    assert_eq!(nat.inbound(secs(35), UDP, peer, outside), Err(NatDrop::Filtered));
}

#[test]
fn udp_and_tcp_lives_are_separate() {
    let mut nat = nat(with_refresh(Refresh::Outbound));
    let (inside, server) = (at("192.168.0.2:4001"), at("198.51.100.1:1"));
    let outside = nat.outbound(secs(0), DATA, inside, server).expect("a mapping");
    nat.outbound(secs(0), UDP, inside, server).expect("a mapping");
    assert_eq!(nat.mappings(secs(60)), 1);
    assert_eq!(nat.inbound(secs(3_600), DATA, server, outside), Ok(inside));
}

#[test]
fn a_closed_tcp_session_lives_on_for_the_closing_time_only() {
    let reset = Protocol::Tcp(TcpFlags { rst: true, ..TcpFlags::default() });
    let finish = Protocol::Tcp(TcpFlags { fin: true, ..TcpFlags::default() });
    for closing in [reset, finish] {
        let mut nat = nat(config(EI, APD));
        let (inside, server) = (at("192.168.0.2:4001"), at("198.51.100.1:1"));
        let outside = nat.outbound(secs(0), DATA, inside, server).expect("a mapping");
        nat.inbound(secs(1), closing, server, outside).expect("admitted");
        nat.outbound(secs(2), DATA, inside, server).expect("the last acknowledgement");
        assert_eq!(nat.mappings(secs(241)), 1);
        assert_eq!(nat.mappings(secs(242)), 0);
    }
}
