//! What is known of one peer's addresses.

use std::collections::VecDeque;

use darkswap_core::path::{Known, PathKind};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::transport::address::is_relayed;
use crate::transport::webrtc::signalled::address as signalled;

/// Addresses of one peer, newest last, bounded.
#[derive(Debug, Default)]
pub(super) struct AddressBook {
    direct: VecDeque<Multiaddr>,
    relayed: VecDeque<Multiaddr>,
    /// The number of the newest record from which addresses were taken.
    announced: Option<u64>,
}

impl AddressBook {
    /// Adds an address of `peer`; the oldest of its kind makes room. Addresses that end in another peer are refused.
    ///
    /// What can be negotiated with is known by its circuit: a circuit comes first in any case.
    pub(super) fn add(&mut self, peer: PeerId, address: Multiaddr, limit: usize) {
        let mut address = signalled::circuit(address);
        if signalled::is_signalled(&address) {
            return;
        }
        match address.iter().last() {
            Some(Protocol::P2p(other)) if other != peer => return,
            Some(Protocol::P2p(_)) => {}
            Some(_) => address.push(Protocol::P2p(peer)),
            None => return,
        }
        let book = if is_relayed(&address) { &mut self.relayed } else { &mut self.direct };
        if let Some(known) = book.iter().position(|known| *known == address) {
            book.remove(known);
        } else if book.len() >= limit {
            book.pop_front();
        }
        book.push_back(address);
    }

    /// Takes over the addresses of a record of `peer` with this number, unless a newer one is known: circuits that it does not name are
    /// gone. Answers whether it did.
    pub(super) fn announce(&mut self, peer: PeerId, number: u64, addresses: &[Multiaddr], limit: usize) -> bool {
        if self.announced.is_some_and(|known| known >= number) {
            return false;
        }
        self.announced = Some(number);
        self.relayed.clear();
        // The newest are tried first, and the first in a record are its peer's choice.
        addresses.iter().rev().for_each(|address| self.add(peer, address.clone(), limit));
        true
    }

    /// The addresses of one kind, newest first.
    pub(super) fn of(&self, kind: PathKind) -> Vec<Multiaddr> {
        match kind {
            PathKind::Direct => self.direct.iter().rev().cloned().collect(),
            PathKind::Relayed => self.relayed.iter().rev().cloned().collect(),
        }
    }

    /// Which kinds there are.
    pub(super) fn known(&self) -> Known {
        let global = self.direct.iter().any(is_global);
        Known { global, private: !global && !self.direct.is_empty(), relayed: !self.relayed.is_empty() }
    }
}

/// Whether an address is routed everywhere: a name, or an IP address outside the private, shared and local ranges.
pub(super) fn is_global(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b); // RFC 6598, behind carrier NATs
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || shared)
        }
        Some(Protocol::Ip6(ip)) => {
            !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified())
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transport::arbitrary;

    #[test]
    fn addresses_are_sorted_by_kind_and_bounded() {
        let (peer, other) = (PeerId::random(), PeerId::random());
        let mut book = AddressBook::default();
        for port in 1..=5 {
            book.add(peer, format!("/ip4/10.0.0.1/tcp/{port}").parse().unwrap(), 3);
        }
        book.add(peer, format!("/ip4/10.0.0.2/tcp/1/p2p/{other}/p2p-circuit").parse().unwrap(), 3);
        book.add(peer, format!("/ip4/10.0.0.3/tcp/1/p2p/{other}").parse().unwrap(), 3);
        let direct: Vec<_> = book.of(PathKind::Direct).iter().map(ToString::to_string).collect();
        assert_eq!(direct, [5, 4, 3].map(|port| format!("/ip4/10.0.0.1/tcp/{port}/p2p/{peer}")));
        assert_eq!(book.of(PathKind::Relayed).len(), 1);
        assert_eq!(book.known(), Known { global: false, private: true, relayed: true });
        book.add(peer, "/ip4/198.51.100.7/tcp/1".parse().unwrap(), 3);
        assert!(book.known().global);
    }

    #[test]
    fn a_newer_record_replaces_the_circuits_and_an_older_one_changes_nothing() {
        let (peer, relay) = (PeerId::random(), PeerId::random());
        let circuit =
            |port: u16| format!("/ip4/198.51.100.7/tcp/{port}/p2p/{relay}/p2p-circuit").parse::<Multiaddr>().unwrap();
        let known = |book: &AddressBook| -> Vec<_> {
            book.of(PathKind::Relayed).iter().map(|it| it.iter().nth(1).unwrap().to_string()).collect()
        };
        let mut book = AddressBook::default();
        book.add(peer, circuit(1), 3);
        assert!(book.announce(peer, 7, &[circuit(2), circuit(3)], 3));
        assert_eq!(known(&book), ["/tcp/2", "/tcp/3"]);
        assert!(!book.announce(peer, 7, &[circuit(4)], 3));
        assert!(!book.announce(peer, 6, &[circuit(4)], 3));
        assert_eq!(known(&book), ["/tcp/2", "/tcp/3"]);
        assert!(book.announce(peer, 8, &[circuit(3)], 3));
        assert_eq!(known(&book), ["/tcp/3"]);
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn whatever_a_peer_says_of_its_addresses_the_book_is_bounded_and_leads_to_that_peer(
            addresses in prop::collection::vec(arbitrary::multiaddr(), 0..40),
        ) {
            let peer = PeerId::random();
            let mut book = AddressBook::default();
            addresses.into_iter().for_each(|address| book.add(peer, address, 5));
            for kind in [PathKind::Direct, PathKind::Relayed] {
                let known = book.of(kind);
                prop_assert!(known.len() <= 5);
                for address in known {
                    prop_assert_eq!(address.iter().last(), Some(Protocol::P2p(peer)));
                    prop_assert_eq!(is_relayed(&address), kind == PathKind::Relayed);
                }
            }
        }
    }
}
