//! The tests of RFC 5780, section 4, tell every kind of NAT from every other.

use std::net::SocketAddrV4;
use std::time::Duration;

use darkswap_fabric::{Behaviour, Nat, NatConfig, NatKind};

use crate::support::{PORT_ASSIGNMENTS, UDP, at, nat};

const NOW: Duration = Duration::ZERO;

/// RFC 5780, section 4.3: three requests from one local endpoint.
fn mapping_behaviour(nat: &mut Nat, local: SocketAddrV4) -> Behaviour {
    let mut mapped = |server| nat.outbound(NOW, UDP, local, at(server)).expect("a mapping");
    let first = mapped("198.51.100.1:3478");
    let alternate_address = mapped("198.51.100.2:3478");
    let alternate_address_and_port = mapped("198.51.100.2:3479");
    if alternate_address == first {
        Behaviour::EndpointIndependent
    } else if alternate_address_and_port == alternate_address {
        Behaviour::AddressDependent
    } else {
        Behaviour::AddressAndPortDependent
    }
}

/// RFC 5780, section 4.4: responses from the alternate address and port (CHANGE-REQUEST).
fn filtering_behaviour(nat: &mut Nat, local: SocketAddrV4) -> Behaviour {
    let mapped = nat.outbound(NOW, UDP, local, at("198.51.100.1:3478")).expect("a mapping");
    if nat.inbound(NOW, UDP, at("198.51.100.2:3479"), mapped) == Ok(local) {
        Behaviour::EndpointIndependent
    } else if nat.inbound(NOW, UDP, at("198.51.100.1:3479"), mapped) == Ok(local) {
        Behaviour::AddressDependent
    } else {
        Behaviour::AddressAndPortDependent
    }
}

#[test]
fn every_kind_is_classified_as_configured_with_every_port_assignment() {
    for kind in NatKind::all() {
        for ports in PORT_ASSIGNMENTS {
            let mut nat = nat(NatConfig { ports, ..NatConfig::new(kind) });
            let mapping = mapping_behaviour(&mut nat, at("192.168.0.2:4001"));
            let filtering = filtering_behaviour(&mut nat, at("192.168.0.2:5001"));
            assert_eq!(NatKind::new(mapping, filtering), kind, "{ports:?}");
        }
    }
}
