//! The addresses of `/webrtc`.

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// Whom to negotiate with, and how to reach it for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::transport::webrtc) struct Target {
    pub(in crate::transport::webrtc) peer: PeerId,
    /// The circuit to dial when there is no relayed connection yet.
    pub(in crate::transport::webrtc) circuit: Option<Multiaddr>,
}

/// `/webrtc`, what is listened on: the addresses to announce are those of the reservations.
pub(crate) fn listener() -> Multiaddr {
    Multiaddr::empty().with(Protocol::WebRTC)
}

/// `/webrtc/p2p/..`: an end of a signalled connection. No relay is in it, for none carries the connection.
pub(crate) fn of(peer: PeerId) -> Multiaddr {
    listener().with(Protocol::P2p(peer))
}

/// Whether an address is that of a signalled connection.
pub(crate) fn is_signalled(address: &Multiaddr) -> bool {
    address.iter().any(|protocol| protocol == Protocol::WebRTC)
}

/// What `/webrtc/p2p/<peer>` or `<relay>/p2p-circuit/webrtc/p2p/<peer>` leads to.
pub(in crate::transport::webrtc) fn target(address: &Multiaddr) -> Option<Target> {
    let mut protocols: Vec<_> = address.iter().collect();
    let (Some(Protocol::P2p(peer)), Some(Protocol::WebRTC)) = (protocols.pop(), protocols.pop()) else { return None };
    let relay = match protocols.last() {
        None => return Some(Target { peer, circuit: None }),
        Some(Protocol::P2pCircuit) => protocols,
        Some(_) => return None,
    };
    let circuit = relay.into_iter().chain([Protocol::P2p(peer)]).collect();
    Some(Target { peer, circuit: Some(circuit) })
}

/// Under which address others can negotiate with a node that has a reservation: `<relay>/p2p-circuit/webrtc/p2p/<node>` for
/// `<relay>/p2p-circuit/p2p/<node>`. `None` for what is no circuit.
pub(in crate::transport::webrtc) fn announced(circuit: &Multiaddr) -> Option<Multiaddr> {
    if is_signalled(circuit) || !circuit.iter().any(|protocol| protocol == Protocol::P2pCircuit) {
        return None;
    }
    let mut announced = Multiaddr::empty();
    for protocol in circuit {
        let is_circuit = protocol == Protocol::P2pCircuit;
        announced.push(protocol);
        if is_circuit {
            announced.push(Protocol::WebRTC);
        }
    }
    Some(announced)
}

/// The circuit of an announced address; any other address is returned as it is.
pub(crate) fn circuit(address: Multiaddr) -> Multiaddr {
    match target(&address) {
        Some(Target { circuit: Some(circuit), .. }) => circuit,
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transport::arbitrary;

    #[test]
    fn a_reservation_is_announced_with_webrtc_and_dialled_through_its_circuit() {
        let (relay, peer) = (PeerId::random(), PeerId::random());
        let reservation: Multiaddr =
            format!("/ip4/10.0.0.1/udp/7/quic-v1/p2p/{relay}/p2p-circuit/p2p/{peer}").parse().unwrap();
        let address = announced(&reservation).unwrap();
        assert_eq!(
            address.to_string(),
            format!("/ip4/10.0.0.1/udp/7/quic-v1/p2p/{relay}/p2p-circuit/webrtc/p2p/{peer}")
        );
        assert_eq!(target(&address), Some(Target { peer, circuit: Some(reservation.clone()) }));
        assert_eq!(circuit(address.clone()), reservation);
        assert_eq!(announced(&address), None);
        assert_eq!(target(&of(peer)), Some(Target { peer, circuit: None }));
        assert!(is_signalled(&address) && is_signalled(&of(peer)) && !is_signalled(&reservation));
    }

    #[test]
    fn an_address_that_names_no_peer_or_goes_on_after_it_is_not_dialled() {
        let peer = PeerId::random();
        for text in [
            "/webrtc".to_owned(),
            format!("/ip4/10.0.0.1/udp/7/webrtc/p2p/{peer}"),
            format!("/webrtc/p2p/{peer}/tcp/1"),
        ] {
            assert_eq!(target(&text.parse().unwrap()), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn whatever_is_announced_leads_back_to_its_circuit(address in arbitrary::multiaddr()) {
            let _ = target(&address);
            let peer = PeerId::random();
            if let Some(announced) = announced(&address.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(peer)))
                && address.iter().all(|protocol| protocol != Protocol::P2pCircuit)
            {
                let circuit = address.with(Protocol::P2pCircuit).with(Protocol::P2p(peer));
                prop_assert_eq!(target(&announced), Some(Target { peer, circuit: Some(circuit) }));
            }
        }
    }
}
