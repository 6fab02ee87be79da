//! Swaps that have ended.

use bitcoin::hex::DisplayHex as _;
use std::collections::{BTreeMap, BTreeSet};

use darkswap_trade::order::TraderKey;
use darkswap_trade::swap::{Record, Role, Stage, SwapId};

use super::{RestoreError, Trader};
use crate::Time;
use crate::store::{Stored, Table};

/// Swaps that are remembered: what a busy trader does in weeks, and some tens of MB at most.
pub(super) const MAX_HISTORY: usize = 4_096;

/// Swaps among them that somebody asked for and that led to nothing. Anybody can begin such a one at no cost, so they must
/// not push out what was traded.
const MAX_FRUITLESS: usize = 512;

/// Which swap of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SwapKey {
    pub(super) role: Role,
    pub(super) peer: TraderKey,
    pub(super) swap: SwapId,
}

/// What ended, by time. It also answers peers that missed the end.
#[derive(Debug, Default)]
pub(super) struct History {
    records: BTreeMap<Vec<u8>, Record>,
    places: BTreeMap<SwapKey, Vec<u8>>,
    /// Those that somebody else began and that led to nothing.
    fruitless: BTreeSet<Vec<u8>>,
}

impl SwapKey {
    pub(super) fn of(record: &Record) -> Self {
        Self { role: record.role, peer: record.peer, swap: record.swap }
    }

    /// Its place among the swaps that are under way.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let role = match self.role {
            Role::Maker => 0,
            Role::Taker => 1,
        };
        [&[role][..], &self.peer.0, &self.swap.0].concat()
    }
}

impl History {
    pub(super) fn find(&self, key: &SwapKey) -> Option<&Record> {
        self.records.get(self.places.get(key)?)
    }

    fn insert(&mut self, place: Vec<u8>, record: Record) {
        if record.role == Role::Maker && matches!(record.stage, Stage::Aborted { .. }) {
            self.fruitless.insert(place.clone());
        }
        self.places.insert(SwapKey::of(&record), place.clone());
        self.records.insert(place, record);
    }

    /// Forgets the oldest where there are too many, and says where it was.
    fn trim(&mut self) -> Option<Vec<u8>> {
        let place = if self.fruitless.len() > MAX_FRUITLESS {
            self.fruitless.first()?.clone()
        } else if self.records.len() > MAX_HISTORY {
            self.records.keys().next()?.clone()
        } else {
            return None;
        };
        self.fruitless.remove(&place);
        let record = self.records.remove(&place)?;
        self.places.remove(&SwapKey::of(&record));
        Some(place)
    }

    /// All of them, the newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Record> {
        self.records.values().rev()
    }
}

impl Trader {
    /// A swap ended: its record moves here.
    pub(super) fn archive(&mut self, now: Time, record: Record) {
        let key = SwapKey::of(&record);
        let at = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let place = [&at.to_be_bytes()[..], &key.bytes()].concat();
        self.journal.remove(Table::Swaps, key.bytes());
        self.journal.put(Table::History, place.clone(), written(&record));
        self.history.insert(place, record);
        while let Some(place) = self.history.trim() {
            self.journal.remove(Table::History, place);
        }
    }

    pub(super) fn restore_history(&mut self, stored: &Stored) -> Result<(), RestoreError> {
        for (place, value) in stored.of(Table::History) {
            let record = read(Table::History, place, value)?;
            self.swaps.fills.follow(&record);
            self.want_label(record.offer.asset);
            self.history.insert(place.to_vec(), record);
        }
        Ok(())
    }
}

/// A record as it is stored.
pub(super) fn written(record: &Record) -> Vec<u8> {
    serde_json::to_vec(record).expect("a record has no maps, and a vector takes every write")
}

/// A record as it was stored.
pub(super) fn read(table: Table, key: &[u8], value: &[u8]) -> Result<Record, RestoreError> {
    serde_json::from_slice(value).map_err(|error| RestoreError::Damaged {
        table: table.name(),
        key: key.to_lower_hex_string(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use bitcoin::{Amount, FeeRate, ScriptBuf};
    use darkswap_trade::asset::{AlkaneId, Asset};
    use darkswap_trade::order::{Offer, OrderId, Price, Side};
    use darkswap_trade::psbt::{Stake, Style};
    use darkswap_trade::swap::{Reason, Request};

    use super::*;

    fn record(number: u32, stage: Stage) -> Record {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let (asset, price) = (Asset::Alkane(AlkaneId { block: 2, tx: 0 }), Price { sats: 1, units: 1 });
        let stake = Stake { inputs: Vec::new(), receive: ScriptBuf::new(), change: ScriptBuf::new() };
        Record {
            version: Default::default(),
            swap: SwapId(id),
            peer: TraderKey([1; 32]),
            role: Role::Maker,
            style: Style::Interactive,
            created: Time::ZERO,
            offer: Offer { asset, side: Side::Sell, units: 1, minimum: 1, price },
            request: Request { order: OrderId([1; 32]), units: 1, fee_rate: FeeRate::BROADCAST_MIN, stake },
            payment: Amount::ONE_SAT,
            stage,
        }
    }

    #[test]
    fn what_led_to_nothing_does_not_push_out_what_was_traded() {
        let mut history = History::default();
        let txid = bitcoin::hashes::Hash::all_zeros();
        let traded = record(0, Stage::Done { txid, transaction: None });
        history.insert(vec![0], traded.clone());
        for number in 1..6_000_u32 {
            let place = number.to_be_bytes().to_vec();
            history.insert(place, record(number, Stage::Aborted { reason: Reason::NoProposal }));
            while history.trim().is_some() {}
        }
        assert_eq!(history.find(&SwapKey::of(&traded)), Some(&traded));
        assert_eq!((history.records.len(), history.places.len()), (MAX_FRUITLESS + 1, MAX_FRUITLESS + 1));
        assert_eq!(history.newest().next().unwrap().swap, record(5_999, traded.stage.clone()).swap);
        for number in 6_000..12_000_u32 {
            let stage = Stage::Done { txid, transaction: None };
            history.insert(number.to_be_bytes().to_vec(), record(number, stage));
            while history.trim().is_some() {}
        }
        assert_eq!((history.records.len(), history.places.len()), (MAX_HISTORY, MAX_HISTORY));
        assert!(history.fruitless.is_empty());
    }
}
