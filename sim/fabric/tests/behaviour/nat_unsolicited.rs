//! What packets leave behind that no mapping accepts.

use std::time::Duration;

use darkswap_fabric::{Nat, NatConfig, Unsolicited};

use crate::support::{APD, EI, UDP, at, config, nat, secs};

const NOW: Duration = Duration::ZERO;

fn with(unsolicited: Unsolicited) -> Nat {
    nat(NatConfig { unsolicited, ..config(EI, APD) })
}

#[test]
fn an_early_packet_of_the_peer_spoils_the_punch_if_it_is_tracked() {
    for (unsolicited, keeps_port) in [(Unsolicited::Drop, true), (Unsolicited::Track, false)] {
        let mut nat = with(unsolicited);
        let (inside, relay, peer) = (at("192.168.0.2:4001"), at("198.51.100.1:1"), at("198.51.100.2:1"));
        let observed = nat.outbound(NOW, UDP, inside, relay).expect("a mapping");
        assert!(nat.inbound(NOW, UDP, peer, observed).is_err(), "early");
        let punched = nat.outbound(NOW, UDP, inside, peer).expect("a mapping");
        assert_eq!(punched == observed, keeps_port, "{unsolicited:?}");
        assert_eq!(nat.inbound(NOW, UDP, peer, observed).is_ok(), keeps_port);
        assert_eq!(nat.inbound(NOW, UDP, peer, punched), Ok(inside), "but the other port is open");
        assert_eq!(nat.outbound(NOW, UDP, inside, peer), Ok(punched), "the flow keeps the port it was moved to");
        assert_eq!(nat.outbound(NOW, UDP, inside, relay), Ok(observed), "other flows are not moved");
        assert_eq!(nat.counters().remapped, u64::from(!keeps_port));
    }
}

#[test]
fn a_packet_before_the_first_mapping_moves_only_the_flow_to_its_source() {
    let mut nat = with(Unsolicited::Track);
    let (inside, relay, peer) = (at("192.168.0.2:4001"), at("198.51.100.1:1"), at("198.51.100.2:1"));
    assert!(nat.inbound(NOW, UDP, peer, at("203.0.113.1:4001")).is_err());
    assert_ne!(nat.outbound(NOW, UDP, inside, peer).expect("a mapping").port(), 4_001);
    assert_eq!(nat.outbound(NOW, UDP, inside, relay).expect("a mapping").port(), 4_001);
}

#[test]
fn a_hole_that_is_open_before_the_peer_sends_is_not_spoilt() {
    let mut nat = with(Unsolicited::Track);
    let (inside, peer) = (at("192.168.0.2:4001"), at("198.51.100.2:1"));
    let outside = nat.outbound(NOW, UDP, inside, peer).expect("a mapping");
    assert_eq!(nat.inbound(NOW, UDP, peer, outside), Ok(inside));
    assert_eq!(nat.outbound(NOW, UDP, inside, peer), Ok(outside));
}

#[test]
fn a_tracked_entry_expires() {
    let mut nat = with(Unsolicited::Track);
    let (inside, peer) = (at("192.168.0.2:4001"), at("198.51.100.2:1"));
    assert!(nat.inbound(NOW, UDP, peer, at("203.0.113.1:4001")).is_err());
    assert_eq!(nat.outbound(secs(120), UDP, inside, peer).expect("a mapping").port(), 4_001);
    assert_eq!(nat.counters().tracked, 1);
}
