//! The search for a peer in the DHT: for the peer itself, if it is a server, and for its record.

use darkswap_core::path::{Input, Known};
use libp2p::{PeerId, kad};

use super::super::Node;
use super::kind;
use crate::event::{Event, Misbehaviour};
use crate::peer_record::{self, PeerRecord, RecordError};

/// The queries for a peer's addresses that are under way.
#[derive(Debug)]
pub(in crate::node) struct Lookup {
    closest: Option<kad::QueryId>,
    record: Option<kad::QueryId>,
    /// Whether every way that was known failed meanwhile: whoever waits hears of it at the end of the queries.
    pub(in crate::node) failed: bool,
}

impl Node {
    /// Asks the DHT where a peer is of which no direct address is known, or none that is routed everywhere.
    pub(in crate::node) fn look_up(&mut self, id: PeerId) {
        let known = self.peer(id).book.known();
        self.ask(id, !known.direct(), !known.global);
    }

    /// Asks the DHT again after every known way failed: the peer may have moved to other relays.
    pub(in crate::node) fn look_up_again(&mut self, id: PeerId) {
        let known = self.peer(id).book.known();
        self.ask(id, !known.direct(), true);
    }

    fn ask(&mut self, id: PeerId, closest: bool, record: bool) {
        if self.lookups.contains_key(&id) || !(closest || record) {
            return;
        }
        if let Some(dht) = self.swarm.behaviour_mut().kad.as_mut() {
            let closest = closest.then(|| dht.get_closest_peers(id));
            let record = record.then(|| dht.get_record(peer_record::key(&id).into()));
            self.lookups.insert(id, Lookup { closest, record, failed: false });
        }
    }

    /// An answer of servers near the peer's id: the peer may be one of them.
    pub(super) fn on_closest(&mut self, id: kad::QueryId, result: kad::GetClosestPeersResult, last: bool) {
        let (Ok(kad::GetClosestPeersOk { peers, .. }) | Err(kad::GetClosestPeersError::Timeout { peers, .. })) = result;
        if self.on_relay_located(id, &peers, last) || self.on_withdrawal(id, &peers) {
            return;
        }
        let Some(wanted) = self.looked_up(|lookup| lookup.closest == Some(id)) else { return };
        let limit = self.config.limits.addresses_per_peer;
        let found = peers.into_iter().filter(|peer| peer.peer_id == wanted).flat_map(|peer| peer.addrs);
        let addresses: Vec<_> = found.take(limit).collect();
        if !addresses.is_empty() {
            let peer = self.peer(wanted);
            addresses.into_iter().for_each(|address| peer.book.add(wanted, address, limit));
            self.found(wanted);
        }
        if last {
            self.lookup_answered(wanted, |lookup| lookup.closest = None);
        }
    }

    /// An answer of a server that has the peer's record, or the end.
    pub(super) fn on_record(&mut self, id: kad::QueryId, result: kad::GetRecordResult, last: bool) {
        let Some(wanted) = self.looked_up(|lookup| lookup.record == Some(id)) else { return };
        if let Ok(kad::GetRecordOk::FoundRecord(kad::PeerRecord { peer: server, record })) = result {
            self.on_record_found(wanted, server, &record);
        }
        if last {
            self.lookup_answered(wanted, |lookup| lookup.record = None);
        }
    }

    fn on_record_found(&mut self, wanted: PeerId, server: Option<PeerId>, record: &kad::Record) {
        let (kind, evidence) = match peer_record::verify(record.key.as_ref(), &record.value) {
            Ok(found) if found.peer == wanted => {
                return match found.check_age(self.runtime.wall_clock()) {
                    Ok(()) => self.learn_record(found),
                    // The server may have it from before the peer's last renewal failed.
                    Err(error) => tracing::debug!(peer = %wanted, %error, "a peer record is not believed"),
                };
            }
            Ok(PeerRecord { peer, .. }) => {
                (Misbehaviour::Unsolicited, format!("found a peer record of {peer}, expected one of {wanted}"))
            }
            Err(error @ RecordError::Stale(_)) => return tracing::debug!(%error, "a peer record is not believed"),
            Err(error) => (kind(&error), error.to_string()),
        };
        if let Some(server) = server {
            self.report(Event::Misbehaviour { peer: server, kind, evidence });
        }
    }

    /// Takes over what a peer says of itself, if it is newer than what it said before.
    fn learn_record(&mut self, PeerRecord { peer: id, sequence, addresses }: PeerRecord) {
        let limit = self.config.limits.addresses_per_peer;
        let peer = self.peer(id);
        if !peer.book.announce(id, sequence, &addresses, limit) {
            return;
        }
        let has_path = peer.path.best().is_some();
        self.report(Event::PeerRecordFound { peer: id, addresses });
        if !has_path {
            // What was known led nowhere. That it is gone lets the new be tried at once, not after the pause.
            self.input(id, Input::Addresses(Known::default()));
        }
        self.found(id);
    }

    /// Addresses of a peer were found, which are tried now.
    fn found(&mut self, id: PeerId) {
        if let Some(lookup) = self.lookups.get_mut(&id) {
            lookup.failed = false;
        }
        self.addresses_changed(id);
    }

    /// A query for a peer ended; after the last one, whoever waits is told if there is no way.
    fn lookup_answered(&mut self, wanted: PeerId, end: impl FnOnce(&mut Lookup)) {
        let Some(lookup) = self.lookups.get_mut(&wanted) else { return };
        end(lookup);
        if lookup.closest.is_some() || lookup.record.is_some() {
            return;
        }
        let failed = lookup.failed;
        self.lookups.remove(&wanted);
        if failed && self.peer(wanted).path.best().is_none() {
            self.path_failed(wanted);
        }
    }

    fn looked_up(&self, asks: impl Fn(&Lookup) -> bool) -> Option<PeerId> {
        self.lookups.iter().find(|(_, lookup)| asks(lookup)).map(|(peer, _)| *peer)
    }
}
