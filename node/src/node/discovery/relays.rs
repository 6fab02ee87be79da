//! The search for relays in the DHT.

use std::collections::{BTreeMap, BTreeSet};

use darkswap_connectivity::relay::estimate::Origin;
use darkswap_core::Time;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, kad};

use super::super::address_book::is_global;
use super::super::{Node, random};
use super::schedule::Search;
use super::{relay_key, without_peer};
use crate::config::{Config, PeerAddress};
use crate::event::Event;
use crate::limits::fixed::dht::{RELAY_ADDRESSES, RELAYS_ENOUGH, RELAYS_FOUND, RELAYS_PER_SEARCH};
use crate::transport::address::is_relayed;
use crate::transport::webrtc::signalled::address::is_signalled;

/// The search, and what it found.
#[derive(Debug)]
pub(super) struct RelaySearch {
    schedule: Search,
    query: Option<kad::QueryId>,
    /// Whom the search under way named.
    named: BTreeSet<PeerId>,
    /// Whose addresses are asked for.
    asked: Vec<(kad::QueryId, PeerId)>,
    found: BTreeMap<PeerId, Found>,
    /// Whether addresses that are not routed everywhere are believed: in a network whose configured peers have such.
    private: bool,
}

/// A relay that was found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    addresses: Vec<Multiaddr>,
    at: Time,
    /// Until when it is left alone, since it drains.
    rests: Option<Time>,
}

impl RelaySearch {
    pub(super) fn new(config: &Config, wanted: bool) -> Self {
        let known = || config.bootstrap.iter().chain(&config.relays);
        let is_private = |PeerAddress { address, .. }: &PeerAddress| !is_global(address);
        Self {
            schedule: Search::new(wanted),
            query: None,
            named: BTreeSet::new(),
            asked: Vec::new(),
            found: BTreeMap::new(),
            private: known().next().is_none() || known().any(is_private),
        }
    }

    /// There is no room for a relay: when it is found again, that is news.
    pub(super) fn forget(&mut self, relay: PeerId) {
        self.found.remove(&relay);
    }

    /// When the next search is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.schedule.deadline()
    }

    /// A search may find more now.
    pub(super) fn hurry(&mut self, now: Time) {
        self.schedule.hurry(now);
    }

    /// What of a relay's addresses can be dialled, without its id at their end: at most [`RELAY_ADDRESSES`].
    pub(super) fn usable(&self, relay: PeerId, addresses: impl IntoIterator<Item = Multiaddr>) -> Vec<Multiaddr> {
        let mut usable = Vec::new();
        for address in addresses.into_iter().filter_map(|address| without_peer(address, relay)) {
            let starts_well = matches!(
                address.iter().next(),
                Some(Protocol::Ip4(_) | Protocol::Ip6(_) | Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_))
            );
            let leads_there = starts_well && !is_relayed(&address) && !is_signalled(&address);
            if leads_there && (self.private || is_global(&address)) && !usable.contains(&address) {
                usable.push(address);
            }
            if usable.len() == RELAY_ADDRESSES {
                break;
            }
        }
        usable
    }

    /// Keeps a relay in mind; answers whether it says something new.
    fn keep(&mut self, now: Time, relay: PeerId, addresses: Vec<Multiaddr>) -> bool {
        let known = self.found.get(&relay);
        let rests = known.and_then(|known| known.rests);
        let new = match rests {
            Some(until) => now >= until,
            None => known.is_none_or(|known| known.addresses != addresses),
        };
        self.found.insert(relay, Found { addresses, at: now, rests: rests.filter(|until| now < *until) });
        if self.found.len() > RELAYS_FOUND
            && let Some(oldest) = self.found.iter().min_by_key(|(_, found)| found.at).map(|(relay, _)| *relay)
        {
            self.found.remove(&oldest);
        }
        new
    }

    /// A relay drains: it counts for nothing until then, whoever names it.
    pub(super) fn leave(&mut self, relay: PeerId, until: Time) {
        if let Some(known) = self.found.get_mut(&relay) {
            known.rests = Some(until);
        }
    }

    /// Relays that were found and do not drain.
    fn known(&self) -> usize {
        self.found.values().filter(|known| known.rests.is_none()).count()
    }
}

impl Node {
    /// Asks the DHT who is a relay, when that is due.
    pub(super) fn search_relays(&mut self, now: Time) {
        if self.discovery.relays.deadline().is_none_or(|at| now < at) {
            return;
        }
        let Some(dht) = self.swarm.behaviour_mut().kad.as_mut() else { return };
        let query = dht.get_providers(relay_key());
        let search = &mut self.discovery.relays;
        search.query = Some(query);
        search.named.clear();
        search.schedule.began();
    }

    /// An answer to that. It names peers without addresses.
    pub(super) fn on_relays(&mut self, id: kad::QueryId, result: kad::GetProvidersResult, last: bool) {
        if self.discovery.relays.query != Some(id) {
            return;
        }
        if let Ok(kad::GetProvidersOk::FoundProviders { providers, .. }) = result {
            let search = &mut self.discovery.relays;
            // libp2p keeps them in no order.
            for relay in providers.into_iter().collect::<BTreeSet<_>>() {
                if search.named.len() < RELAYS_PER_SEARCH {
                    search.named.insert(relay);
                }
            }
        }
        if !last {
            return;
        }
        self.discovery.relays.query = None;
        for relay in std::mem::take(&mut self.discovery.relays.named) {
            if relay != self.handle.peer_id() {
                self.locate_relay(relay);
            }
        }
        let (now, random) = (self.now(), random(self.runtime.as_ref()));
        let reserved = !self.relays.held().is_empty();
        let search = &mut self.discovery.relays;
        // Configured relays announce themselves as others do, unless it is too early. Those whose addresses are still asked for will be
        // known in a moment. As long as none serves us, they are too few.
        let known = search.known() + search.asked.len();
        let known = if reserved { known } else { known.min(RELAYS_ENOUGH - 1) };
        search.schedule.ended(now, known, random);
    }

    /// Finds out where a named relay is: the query has mostly been to it, and so it is in the routing table.
    fn locate_relay(&mut self, relay: PeerId) {
        let Some(dht) = self.swarm.behaviour_mut().kad.as_mut() else { return };
        let bucket = dht.kbucket(relay);
        let routed = bucket.iter().flat_map(|bucket| bucket.iter()).find(|entry| *entry.node.key.preimage() == relay);
        let addresses: Vec<_> = routed.map(|entry| entry.node.value.iter().cloned().collect()).unwrap_or_default();
        let addresses = self.discovery.relays.usable(relay, addresses);
        if !addresses.is_empty() {
            return self.relay_found(relay, addresses);
        }
        let search = &mut self.discovery.relays;
        let is_asked = search.asked.iter().any(|(_, asked)| *asked == relay);
        if !is_asked && search.asked.len() < RELAYS_PER_SEARCH {
            search.asked.push((dht.get_closest_peers(relay), relay));
        }
    }

    /// The addresses of a named relay, if it was their query that ended. Answers whether it was.
    pub(super) fn on_relay_located(&mut self, id: kad::QueryId, peers: &[kad::PeerInfo], last: bool) -> bool {
        let search = &mut self.discovery.relays;
        let Some(place) = search.asked.iter().position(|(query, _)| *query == id) else { return false };
        let relay = search.asked[place].1;
        if last {
            search.asked.remove(place);
        }
        let addresses = peers.iter().filter(|peer| peer.peer_id == relay).flat_map(|peer| peer.addrs.iter().cloned());
        let addresses = search.usable(relay, addresses);
        if !addresses.is_empty() {
            self.relay_found(relay, addresses);
        }
        true
    }

    /// The estimates have no room for a relay. It may be found again when they have.
    pub(in crate::node) fn relay_displaced(&mut self, relay: PeerId) {
        self.discovery.relays.forget(relay);
    }

    /// A relay was found, or found again.
    pub(in crate::node) fn relay_found(&mut self, relay: PeerId, addresses: Vec<Multiaddr>) {
        let now = self.now();
        if self.discovery.relays.keep(now, relay, addresses.clone()) {
            self.relays.learn(now, relay, Origin::Found, &addresses);
            self.report(Event::RelayFound { relay, addresses });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::transport::arbitrary;

    fn search(address: &str) -> RelaySearch {
        let relay = PeerAddress { peer: PeerId::random(), address: address.parse().unwrap() };
        RelaySearch::new(&Config { relays: vec![relay], ..Config::default() }, true)
    }

    #[test]
    fn in_a_public_network_only_addresses_that_are_routed_everywhere_are_believed() {
        let relay = PeerId::random();
        let addresses = [
            "/ip4/127.0.0.1/tcp/1".to_owned(),
            "/ip4/192.168.0.1/tcp/1".to_owned(),
            format!("/ip4/198.51.100.7/tcp/1/p2p/{relay}"),
            format!("/ip4/198.51.100.7/tcp/1/p2p/{relay}/p2p-circuit"),
            format!("/ip4/198.51.100.7/tcp/2/p2p/{}", PeerId::random()),
            "/dns4/relay.example.org/tcp/1".to_owned(),
            "/memory/1".to_owned(),
        ]
        .map(|text| text.parse::<Multiaddr>().unwrap());
        let usable = |search: &RelaySearch| -> Vec<_> {
            search.usable(relay, addresses.clone()).iter().map(ToString::to_string).collect()
        };
        let global = ["/ip4/198.51.100.7/tcp/1", "/dns4/relay.example.org/tcp/1"];
        assert_eq!(usable(&search("/ip4/198.51.100.1/tcp/1")), global);
        let private = ["/ip4/127.0.0.1/tcp/1", "/ip4/192.168.0.1/tcp/1"];
        assert_eq!(usable(&search("/ip4/10.0.0.1/tcp/1")), [private, global].concat());
    }

    #[test]
    fn found_relays_are_bounded_and_the_one_confirmed_longest_ago_makes_room() {
        let mut search = search("/ip4/10.0.0.1/tcp/1");
        let at = |second: usize| Duration::from_secs(u64::try_from(second).unwrap());
        let relays: Vec<_> = (0..=RELAYS_FOUND).map(|_| PeerId::random()).collect();
        let address: Multiaddr = "/ip4/10.0.0.2/tcp/1".parse().unwrap();
        for (second, relay) in relays.iter().enumerate() {
            assert!(search.keep(at(second), *relay, vec![address.clone()]));
            assert!(!search.keep(at(second), *relay, vec![address.clone()]));
        }
        assert_eq!(search.found.len(), RELAYS_FOUND);
        assert!(!search.found.contains_key(&relays[0]));
    }

    #[test]
    fn a_relay_that_drains_counts_for_nothing_until_it_may_be_back() {
        let mut search = search("/ip4/10.0.0.1/tcp/1");
        let (relay, second) = (PeerId::random(), Duration::from_secs);
        let addresses: Vec<Multiaddr> = vec!["/ip4/10.0.0.2/tcp/1".parse().unwrap()];
        assert!(search.keep(second(1), relay, addresses.clone()));
        search.leave(relay, second(60));
        assert_eq!(search.known(), 0);
        assert!(!search.keep(second(59), relay, addresses.clone()));
        assert!(
            !search.keep(second(59), relay, vec!["/ip4/10.0.0.3/tcp/1".parse().unwrap()]),
            "whatever is said of it"
        );
        assert!(search.keep(second(60), relay, addresses.clone()));
        assert!(!search.keep(second(61), relay, addresses));
        assert_eq!(search.known(), 1);
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn whatever_is_said_of_a_relay_what_is_taken_of_it_is_bounded(
            addresses in prop::collection::vec(arbitrary::multiaddr(), 0..40),
        ) {
            let usable = search("/ip4/198.51.100.1/tcp/1").usable(PeerId::random(), addresses);
            prop_assert!(usable.len() <= RELAY_ADDRESSES);
            prop_assert!(usable.iter().all(|address| is_global(address) && !is_relayed(address)));
        }
    }
}
