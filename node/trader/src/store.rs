//! What is durable.

use std::collections::BTreeMap;

/// A family of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Swaps that are under way, by role, peer and swap id.
    Swaps,
    /// Swaps that have ended, by time.
    History,
    /// Own orders' statements, by slot.
    Orders,
    /// Changes of the wallet since its last snapshot, by number.
    Wallet,
    /// Etchings, by the number of the rune's name.
    Etchings,
    /// Everything that has one value, by name.
    Single,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Swaps, Self::History, Self::Orders, Self::Wallet, Self::Etchings, Self::Single];

    /// Its name in a store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Swaps => "swaps",
            Self::History => "history",
            Self::Orders => "orders",
            Self::Wallet => "wallet",
            Self::Etchings => "etchings",
            Self::Single => "single",
        }
    }
}

/// One entry that is put or, without a value, removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub table: Table,
    /// Under which key; keys are ordered by their bytes.
    pub key: Vec<u8>,
    /// What.
    pub value: Option<Vec<u8>>,
}

/// Everything that is durable, as a start finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    entries: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
}

impl Stored {
    /// Nothing: the first start.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry.
    pub fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.entries.insert((table, key), value);
    }

    /// Does what a store does with a batch.
    pub fn apply(&mut self, writes: &[Write]) {
        for write in writes {
            let place = (write.table, write.key.clone());
            match &write.value {
                Some(value) => self.entries.insert(place, value.clone()),
                None => self.entries.remove(&place),
            };
        }
    }

    /// The entries of a table, by key.
    pub fn of(&self, table: Table) -> impl Iterator<Item = (&[u8], &[u8])> {
        let from = (table, Vec::new());
        self.entries
            .range(from..)
            .take_while(move |((found, _), _)| *found == table)
            .map(|((_, key), value)| (key.as_slice(), value.as_slice()))
    }

    /// What [`Wallet::load`](darkswap_wallet::Wallet::load) reads. Empty before the first start.
    pub fn wallet(&self) -> impl Iterator<Item = &[u8]> {
        self.of(Table::Wallet).map(|(_, value)| value)
    }
}
