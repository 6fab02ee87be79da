//! What a server of the DHT keeps for others: signed peer records, and who is a relay. Nothing else.
//!
//! Both are taken from the peer that they are about only, over a connection that proves who it is. So nobody can put back an older
//! record of somebody else, or fill the store in the name of others.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use darkswap_connectivity::prefix::Prefix;
use darkswap_core::Time;
use libp2p::kad::store::{Error, RecordStore};
use libp2p::kad::{ProviderRecord, Record, RecordKey};
use libp2p::{PeerId, kad};

use super::relay_key;
use crate::limits::fixed::dht::{PREFIX_SHARE, PROVIDER_LIFETIME, PROVIDERS, RECORDS};
use crate::peer_record::{self, PeerRecord, RecordError, SIZE};

/// The records of a server.
#[derive(Debug)]
pub(in crate::node) struct Store {
    local: PeerId,
    /// Our own record and whether we provide a relay. They do not count.
    own: Option<Record>,
    provided: Option<ProviderRecord>,
    records: BTreeMap<PeerId, Stored<Record>>,
    providers: BTreeMap<PeerId, Stored<ProviderRecord>>,
    /// Where the next answer about relays begins.
    turn: Cell<usize>,
}

/// What is kept of a peer.
#[derive(Debug)]
struct Stored<T> {
    item: T,
    sequence: u64,
    prefix: Option<Prefix>,
    until: Time,
}

impl Store {
    pub(in crate::node) fn new(local: PeerId) -> Self {
        let (records, providers) = (BTreeMap::new(), BTreeMap::new());
        Self { local, own: None, provided: None, records, providers, turn: Cell::new(0) }
    }

    /// Takes a verified record that its peer sent from an address with this prefix. One that is older than the known one is refused, the
    /// same one renews it. Answers whether it was kept: there may be no room.
    pub(super) fn offer(
        &mut self,
        now: Time,
        item: Record,
        record: &PeerRecord,
        prefix: Option<Prefix>,
    ) -> Result<bool, RecordError> {
        let found = record.sequence;
        let known = self.records.get(&record.peer).filter(|known| known.until > now).map(|known| known.sequence);
        if let Some(known) = known.filter(|known| found < *known) {
            let age = known - found;
            return Err(RecordError::Stale(format!("found a peer record that is {age} ms older than the known one")));
        }
        let until = now + peer_record::LIFETIME;
        let stored = Stored { item, sequence: found, prefix, until };
        Ok(insert(&mut self.records, now, record.peer, stored, RECORDS))
    }

    /// Takes a relay's announcement of itself. Answers whether it was kept.
    pub(super) fn offer_provider(&mut self, now: Time, item: ProviderRecord, prefix: Option<Prefix>) -> bool {
        let (provider, until) = (item.provider, now + PROVIDER_LIFETIME);
        insert(&mut self.providers, now, provider, Stored { item, sequence: 0, prefix, until }, PROVIDERS)
    }
}

/// Keeps what is about a peer, if there is room: in all, and for its address prefix.
fn insert<T>(kept: &mut BTreeMap<PeerId, Stored<T>>, now: Time, peer: PeerId, new: Stored<T>, limit: usize) -> bool {
    if !kept.contains_key(&peer) {
        let is_full = |kept: &BTreeMap<PeerId, Stored<T>>| {
            let near = kept.values().filter(|known| known.prefix == new.prefix).count();
            kept.len() >= limit || near >= limit / PREFIX_SHARE
        };
        if is_full(kept) {
            kept.retain(|_, known| known.until > now);
        }
        if is_full(kept) {
            return false;
        }
    }
    kept.insert(peer, new);
    true
}

/// What libp2p asks of a store. It expires items by itself where it looks at them, and asks for a place for our own ones.
impl RecordStore for Store {
    type RecordsIter<'a> = std::vec::IntoIter<Cow<'a, Record>>;
    type ProvidedIter<'a> = std::option::IntoIter<Cow<'a, ProviderRecord>>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        let peer = peer_record::peer_of(key.as_ref())?;
        let found = if peer == self.local { self.own.as_ref() } else { self.records.get(&peer).map(|it| &it.item) };
        found.map(Cow::Borrowed)
    }

    fn put(&mut self, record: Record) -> kad::store::Result<()> {
        if peer_record::peer_of(record.key.as_ref()) != Some(self.local) {
            return Err(Error::MaxRecords);
        }
        if record.value.len() > SIZE {
            return Err(Error::ValueTooLarge);
        }
        self.own = Some(record);
        Ok(())
    }

    fn remove(&mut self, key: &RecordKey) {
        match peer_record::peer_of(key.as_ref()) {
            Some(peer) if peer == self.local => self.own = None,
            Some(peer) => drop(self.records.remove(&peer)),
            None => {}
        }
    }

    fn records(&self) -> Self::RecordsIter<'_> {
        let all: Vec<_> = self.records.values().map(|stored| Cow::Borrowed(&stored.item)).collect();
        all.into_iter()
    }

    fn add_provider(&mut self, record: ProviderRecord) -> kad::store::Result<()> {
        if record.provider != self.local || record.key != relay_key() {
            return Err(Error::MaxProvidedKeys);
        }
        self.provided = Some(record);
        Ok(())
    }

    /// libp2p answers with the first twenty: each answer begins where the one before ended, so that all relays get their share.
    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        if *key != relay_key() {
            return Vec::new();
        }
        let others = self.providers.values().map(|stored| &stored.item);
        let mut all: Vec<_> = self.provided.iter().chain(others).cloned().collect();
        if !all.is_empty() {
            let turn = self.turn.get() % all.len();
            self.turn.set(turn + kad::K_VALUE.get());
            all.rotate_left(turn);
        }
        all
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        self.provided.as_ref().map(Cow::Borrowed).into_iter()
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        if *key != relay_key() {
            return;
        }
        if *provider == self.local {
            self.provided = None;
        } else {
            self.providers.remove(provider);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use darkswap_connectivity::prefix::PrefixLengths;

    use super::*;

    fn at(seconds: u64) -> Time {
        Duration::from_secs(seconds)
    }

    fn peer(number: u32) -> PeerId {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        libp2p::identity::Keypair::ed25519_from_bytes(seed).unwrap().public().to_peer_id()
    }

    fn prefix(number: u8) -> Option<Prefix> {
        Some(PrefixLengths::default().of(IpAddr::V4(Ipv4Addr::new(198, number, 0, 1))))
    }

    fn offer(
        store: &mut Store,
        now: Time,
        peer: PeerId,
        sequence: u64,
        prefix: Option<Prefix>,
    ) -> Result<bool, RecordError> {
        let item = Record::new(peer_record::key(&peer), sequence.to_be_bytes().to_vec());
        store.offer(now, item, &PeerRecord { peer, sequence, addresses: Vec::new() }, prefix)
    }

    fn value(store: &Store, peer: PeerId) -> Option<Vec<u8>> {
        store.get(&peer_record::key(&peer).into()).map(|found| found.value.clone())
    }

    fn provider(peer: PeerId) -> ProviderRecord {
        ProviderRecord::new(relay_key(), peer, Vec::new())
    }

    #[test]
    fn a_newer_record_replaces_an_older_one_and_never_the_other_way() {
        let mut store = Store::new(peer(0));
        assert_eq!(offer(&mut store, at(0), peer(1), 5, prefix(1)), Ok(true));
        assert_eq!(offer(&mut store, at(1), peer(1), 5, prefix(1)), Ok(true));
        assert!(matches!(offer(&mut store, at(1), peer(1), 4, prefix(1)), Err(RecordError::Stale(_))));
        assert_eq!(value(&store, peer(1)), Some(5_u64.to_be_bytes().to_vec()));
        assert_eq!(offer(&mut store, at(2), peer(1), 6, prefix(1)), Ok(true));
        assert_eq!(value(&store, peer(1)), Some(6_u64.to_be_bytes().to_vec()));
        assert_eq!(offer(&mut store, at(2) + peer_record::LIFETIME, peer(1), 5, prefix(1)), Ok(true), "it has expired");
    }

    #[test]
    fn one_address_prefix_cannot_fill_the_store_and_what_expired_makes_room() {
        let mut store = Store::new(peer(0));
        let share = u32::try_from(RECORDS / PREFIX_SHARE).unwrap();
        for number in 1..=share {
            assert_eq!(offer(&mut store, at(0), peer(number), 1, prefix(1)), Ok(true));
        }
        assert_eq!(offer(&mut store, at(1), peer(share + 1), 1, prefix(1)), Ok(false));
        assert_eq!(offer(&mut store, at(1), peer(share + 1), 1, prefix(2)), Ok(true));
        assert_eq!(offer(&mut store, at(1), peer(1), 2, prefix(1)), Ok(true), "what is kept can be renewed");
        let later = peer_record::LIFETIME + at(0);
        assert_eq!(offer(&mut store, later, peer(share + 2), 1, prefix(1)), Ok(true));
    }

    #[test]
    fn libp2p_itself_can_put_nothing_but_our_own() {
        let mut store = Store::new(peer(0));
        assert!(store.put(Record::new(peer_record::key(&peer(1)), vec![1])).is_err());
        assert!(store.put(Record::new(b"anything".to_vec(), vec![1])).is_err());
        assert!(store.put(Record::new(peer_record::key(&peer(0)), vec![0; SIZE + 1])).is_err());
        assert!(store.put(Record::new(peer_record::key(&peer(0)), vec![1])).is_ok());
        assert_eq!(value(&store, peer(0)), Some(vec![1]));
        assert!(store.add_provider(provider(peer(1))).is_err());
        assert!(store.add_provider(provider(peer(0))).is_ok());
        assert_eq!(store.provided().count(), 1);
        store.remove_provider(&relay_key(), &peer(0));
        assert_eq!(store.provided().count(), 0);
    }

    #[test]
    fn every_relay_is_named_in_turn() {
        let mut store = Store::new(peer(0));
        let many = u32::try_from(kad::K_VALUE.get()).unwrap() * 2;
        for number in 1..=many {
            assert!(store.offer_provider(at(0), provider(peer(number)), prefix(u8::try_from(number % 8).unwrap())));
        }
        let answer = || -> Vec<_> {
            store.providers(&relay_key()).into_iter().take(kad::K_VALUE.get()).map(|found| found.provider).collect()
        };
        let mut named = [answer(), answer()].concat();
        named.sort_unstable();
        named.dedup();
        assert_eq!(named.len(), usize::try_from(many).unwrap());
        assert!(store.providers(&b"another".to_vec().into()).is_empty());
    }
}
