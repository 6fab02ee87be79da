//! Finding relays and peers in the DHT, and being found there.
//!
//! | what | under which key | who puts it | who reads it |
//! |---|---|---|---|
//! | relays (provider records) | [`relay_key`] | every public relay | nodes that need relays |
//! | a peer's addresses ([signed records](crate::peer_record)) | `/darkswap/peer/1/` and the peer id | nodes with a reservation | whoever wants the peer |
//!
//! | module | what it does |
//! |---|---|
//! | `schedule` | when something is published, and when relays are looked for |
//! | `relays` | the search for relays |
//! | `lookup` | the search for a peer |
//! | `store` | what a server keeps for others |
//! | `withdrawal` | that a relay that drains is not named any more |

mod lookup;
mod relays;
mod schedule;
mod store;
mod withdrawal;

use darkswap_connectivity::prefix::{Prefix, PrefixLengths};
use darkswap_core::Time;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::multihash::Multihash;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, kad};

use super::{Node, random};
use crate::config::{Config, Reachability};
use crate::event::{Event, Misbehaviour};
use crate::peer_record::{self, RecordError};
use crate::transport::address::{host, is_relayed};
use crate::transport::webrtc::signalled::address::is_signalled;
pub(super) use lookup::Lookup;
use relays::RelaySearch;
use schedule::Publication;
pub(super) use store::Store;
use withdrawal::Withdrawal;

/// Under which relays announce themselves: the SHA-256 of `/darkswap/relay/1`. The number is that of the services that a relay of this
/// network offers; relays that offer others announce themselves elsewhere.
const RELAY: [u8; 32] = [
    0x85, 0x6b, 0x62, 0xba, 0xba, 0x25, 0x5d, 0x71, 0xe3, 0xa2, 0xba, 0x47, 0x04, 0x44, 0x79, 0x1a, 0x44, 0x00, 0xc3,
    0xa7, 0x29, 0xd9, 0x5d, 0x22, 0xee, 0xbd, 0x91, 0xc8, 0x9e, 0x4b, 0x43, 0x3a,
];
/// The code of SHA-256 among multihashes.
const SHA2_256: u64 = 0x12;

/// The key of the relays: a multihash, which is what other implementations of the DHT ask of a provider's key.
fn relay_key() -> kad::RecordKey {
    Multihash::<64>::wrap(SHA2_256, &RELAY).expect("a multihash of 64 bytes has room for 32").into()
}

/// What a node keeps of its searches and publications in the DHT.
#[derive(Debug)]
pub(super) struct Discovery {
    identity: Keypair,
    /// Whether the node takes part in the DHT at all.
    enabled: bool,
    /// Our announcement as a relay.
    announcement: Publication,
    announcing: Option<kad::QueryId>,
    /// A relay that drains is not announced any more.
    withdrawal: Withdrawal,
    /// Our peer record.
    record: Publication,
    putting: Option<kad::QueryId>,
    /// The number of the last one.
    sequence: u64,
    relays: RelaySearch,
}

impl Discovery {
    pub(super) fn new(config: &Config, identity: Keypair) -> Self {
        let searches =
            config.discovery && config.relay_selection.discovery && config.reachability != Reachability::Public;
        let (mut announcement, mut record) = (Publication::new(), Publication::new());
        if !config.discovery {
            announcement.rest();
            record.rest();
        }
        Self {
            identity,
            enabled: config.discovery,
            announcement,
            announcing: None,
            withdrawal: Withdrawal::default(),
            record,
            putting: None,
            sequence: 0,
            relays: RelaySearch::new(config, searches),
        }
    }

    /// When [`Node::discover`] has something to do next.
    pub(super) fn deadline(&self) -> Option<Time> {
        [self.announcement.deadline(), self.record.deadline(), self.relays.deadline()].into_iter().flatten().min()
    }

    /// Our addresses changed.
    fn changed(&mut self, now: Time) {
        if self.enabled {
            self.announcement.changed(now);
            self.record.changed(now);
        }
    }

    /// A server of the DHT became known.
    fn joined(&mut self, now: Time) {
        self.announcement.joined(now);
        self.record.joined(now);
        self.relays.hurry(now);
    }
}

impl Node {
    /// Does what is due in the DHT.
    pub(super) fn discover(&mut self) {
        let now = self.now();
        if self.discovery.deadline().is_none_or(|at| now < at) {
            return;
        }
        self.announce_relay(now);
        self.put_record(now);
        self.search_relays(now);
    }

    /// An address under which others reach this node came or went.
    pub(super) fn announced_changed(&mut self) {
        let now = self.now();
        self.discovery.changed(now);
        if !self.swarm.external_addresses().any(is_relayed) {
            // The last circuit went: whoever takes its place is wanted soon.
            self.discovery.relays.hurry(now);
        }
    }

    /// Announces this node as a relay, if it is one that others reach.
    fn announce_relay(&mut self, now: Time) {
        if !self.discovery.announcement.is_due(now) {
            return;
        }
        let reached = self.swarm.external_addresses().any(|address| !is_relayed(address));
        let serves = self.config.relay_server && matches!(self.discovery.withdrawal, Withdrawal::None) && reached;
        let Some(dht) = self.swarm.behaviour_mut().kad.as_mut() else { return self.discovery.announcement.rest() };
        if !serves || dht.mode() != kad::Mode::Server {
            dht.stop_providing(&relay_key());
            return self.discovery.announcement.rest();
        }
        let query = dht.start_providing(relay_key()).expect("the store takes our own announcement");
        self.discovery.announcing = Some(query);
        self.discovery.announcement.began(now);
    }

    /// Puts our record into the DHT, if there are circuits to tell: whoever is reached directly is found without.
    fn put_record(&mut self, now: Time) {
        if !self.discovery.record.is_due(now) {
            return;
        }
        let local = self.handle.peer_id();
        let addresses = announced(local, self.swarm.external_addresses());
        let Some(dht) = self.swarm.behaviour_mut().kad.as_mut() else { return self.discovery.record.rest() };
        if !addresses.iter().any(is_relayed) {
            return self.discovery.record.rest();
        }
        let sequence = peer_record::next_sequence(self.discovery.sequence, self.runtime.wall_clock());
        self.discovery.sequence = sequence;
        let value = match peer_record::sign(&self.discovery.identity, sequence, &addresses) {
            Ok(value) => value,
            Err(error) => {
                tracing::warn!(%error, "the identity cannot sign a peer record, so that others do not find this node");
                return self.discovery.record.rest();
            }
        };
        let record = kad::Record::new(peer_record::key(&local), value);
        // All: with fewer, libp2p stops at so many and leaves older records with the others.
        let query = dht.put_record(record, kad::Quorum::All).expect("the store takes our own record");
        self.discovery.putting = Some(query);
        self.discovery.record.began(now);
    }

    pub(super) fn on_kad(&mut self, event: kad::Event) {
        match event {
            kad::Event::OutboundQueryProgressed { id, result, stats, step } => {
                self.on_query(id, result, stats.num_successes() > 0, step.last);
            }
            kad::Event::InboundRequest { request } => match request {
                kad::InboundRequest::PutRecord { source, connection, record: Some(record) } => {
                    self.on_record_offered(source, connection, record);
                }
                kad::InboundRequest::AddProvider { record: Some(record) } => self.on_relay_announced(record),
                _ => {}
            },
            kad::Event::RoutingUpdated { is_new_peer: true, .. } => {
                let now = self.now();
                self.discovery.joined(now);
            }
            _ => {}
        }
    }

    fn on_query(&mut self, id: kad::QueryId, result: kad::QueryResult, reached: bool, last: bool) {
        match result {
            kad::QueryResult::GetClosestPeers(result) => self.on_closest(id, result, last),
            kad::QueryResult::GetRecord(result) => self.on_record(id, result, last),
            kad::QueryResult::GetProviders(result) => self.on_relays(id, result, last),
            kad::QueryResult::StartProviding(result) if self.discovery.announcing == Some(id) => {
                let (now, random) = (self.now(), random(self.runtime.as_ref()));
                self.discovery.announcing = None;
                self.discovery.announcement.ended(now, result.is_ok() && reached, random);
                self.tell_withdrawal();
            }
            kad::QueryResult::PutRecord(result) if self.discovery.putting == Some(id) => {
                let (now, random) = (self.now(), random(self.runtime.as_ref()));
                self.discovery.putting = None;
                let servers = match result {
                    Ok(_) => true,
                    Err(
                        kad::PutRecordError::QuorumFailed { success, .. }
                        | kad::PutRecordError::Timeout { success, .. },
                    ) => !success.is_empty(),
                };
                self.discovery.record.ended(now, servers, random);
            }
            _ => {}
        }
    }

    /// A peer wants this server to keep a record.
    fn on_record_offered(&mut self, source: PeerId, connection: ConnectionId, record: kad::Record) {
        let (now, time_of_day) = (self.now(), self.runtime.wall_clock());
        let prefix = self.connection(connection).and_then(|open| prefix(&open.address));
        let verified = peer_record::verify(record.key.as_ref(), &record.value);
        let judged = verified.and_then(|found| found.check_age(time_of_day).map(|()| found));
        let kept = match judged {
            Ok(found) if found.peer != source => {
                let evidence = format!("found a peer record of {}, expected the sender's own", found.peer);
                return self.report(Event::Misbehaviour { peer: source, kind: Misbehaviour::Unsolicited, evidence });
            }
            Ok(found) => match self.swarm.behaviour_mut().kad.as_mut() {
                Some(dht) => dht.store_mut().offer(now, record, &found, prefix),
                None => return,
            },
            Err(error) => Err(error),
        };
        match kept {
            Ok(true) => {}
            Ok(false) => tracing::debug!(%source, "there is no room for a peer record"),
            Err(error) => {
                self.report(Event::Misbehaviour { peer: source, kind: kind(&error), evidence: error.to_string() })
            }
        }
    }

    /// A peer says that it is a relay; libp2p has seen to it that it says so of itself.
    fn on_relay_announced(&mut self, mut record: kad::ProviderRecord) {
        if record.key != relay_key() {
            return;
        }
        let now = self.now();
        record.addresses = self.discovery.relays.usable(record.provider, record.addresses);
        if record.addresses.is_empty() {
            return;
        }
        let best = self.peers.get(&record.provider).and_then(|peer| peer.best());
        let prefix = best.and_then(|open| prefix(&open.address));
        if let Some(dht) = self.swarm.behaviour_mut().kad.as_mut() {
            dht.store_mut().offer_provider(now, record, prefix);
        }
    }
}

/// The rule that a bad record breaks.
fn kind(error: &RecordError) -> Misbehaviour {
    match error {
        RecordError::Oversized { .. } => Misbehaviour::Oversized,
        RecordError::Malformed(_) => Misbehaviour::Malformed,
        RecordError::Forged(_) => Misbehaviour::Forged,
        RecordError::Stale(_) => Misbehaviour::OutOfOrder,
    }
}

/// The prefix of the IP address at the beginning of an address.
fn prefix(address: &Multiaddr) -> Option<Prefix> {
    Some(PrefixLengths::default().of(host(address)?))
}

/// The addresses to tell others, without our own peer id at their end: circuits first, since they are what the record is for.
fn announced<'a>(local: PeerId, addresses: impl Iterator<Item = &'a Multiaddr>) -> Vec<Multiaddr> {
    let mut announced: Vec<_> =
        addresses.filter(|address| !is_signalled(address)).filter_map(|it| without_peer(it.clone(), local)).collect();
    // libp2p keeps them in no order.
    announced.sort_by_key(|address| (!is_relayed(address), address.to_vec()));
    announced
}

/// An address without the id of this peer at its end. None: another peer's is there.
fn without_peer(mut address: Multiaddr, peer: PeerId) -> Option<Multiaddr> {
    match address.iter().last()? {
        Protocol::P2p(other) if other == peer => {
            address.pop();
            Some(address)
        }
        Protocol::P2p(_) => None,
        _ => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::{Hash as _, sha256};

    use super::*;

    #[test]
    fn the_key_of_relays_is_the_hash_of_its_name() {
        assert_eq!(RELAY, sha256::Hash::hash(b"/darkswap/relay/1").to_byte_array());
        assert_eq!(relay_key().to_vec()[..2], [0x12, 32]);
    }

    #[test]
    fn circuits_are_announced_before_direct_addresses_in_a_fixed_order() {
        let (local, relay) = (PeerId::random(), PeerId::random());
        let addresses = [
            format!("/ip4/198.51.100.9/udp/1/quic-v1/p2p/{local}"),
            format!("/ip4/198.51.100.2/udp/1/quic-v1/p2p/{relay}/p2p-circuit/p2p/{local}"),
            format!("/ip4/198.51.100.1/udp/1/quic-v1/p2p/{relay}/p2p-circuit"),
            format!("/ip4/198.51.100.3/udp/1/quic-v1/p2p/{relay}"),
        ]
        .map(|text| text.parse::<Multiaddr>().unwrap());
        let expected = [
            format!("/ip4/198.51.100.1/udp/1/quic-v1/p2p/{relay}/p2p-circuit"),
            format!("/ip4/198.51.100.2/udp/1/quic-v1/p2p/{relay}/p2p-circuit"),
            "/ip4/198.51.100.9/udp/1/quic-v1".to_owned(),
        ];
        let told = announced(local, addresses.iter());
        assert_eq!(told.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        assert_eq!(announced(local, addresses.iter().rev()), told);
    }
}
