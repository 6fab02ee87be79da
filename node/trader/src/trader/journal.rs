//! What is about to be written.

use std::collections::BTreeMap;
use std::ops::Range;

use darkswap_wallet::Write as WalletWrite;

use crate::store::{Stored, Table, Write};

/// Changes since the last batch. They are taken before anything leaves that depends on them, so what belongs together is written
/// together.
#[derive(Debug, Default)]
pub(super) struct Journal {
    changes: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
    /// The numbers of the wallet's changes that are stored.
    wallet: Range<u64>,
}

impl Journal {
    /// The journal of a start; none if a number of the wallet's changes is none.
    pub(super) fn restore(stored: &Stored) -> Option<Self> {
        let mut numbers = stored.of(Table::Wallet).map(|(key, _)| key.try_into().ok().map(u64::from_be_bytes));
        let Some(first) = numbers.next() else { return Some(Self::default()) };
        let first = first?;
        let last = numbers.last().unwrap_or(Some(first))?;
        Some(Self { changes: BTreeMap::new(), wallet: first..last.checked_add(1)? })
    }

    pub(super) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.changes.insert((table, key), Some(value));
    }

    pub(super) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.changes.insert((table, key), None);
    }

    /// Adds what the wallet wants to be kept.
    pub(super) fn keep(&mut self, change: WalletWrite) {
        let bytes = match change {
            WalletWrite::Append(bytes) => bytes,
            WalletWrite::Replace(bytes) => {
                let end = self.wallet.end;
                for number in std::mem::replace(&mut self.wallet, end..end) {
                    self.remove(Table::Wallet, number.to_be_bytes().to_vec());
                }
                bytes
            }
        };
        self.put(Table::Wallet, self.wallet.end.to_be_bytes().to_vec(), bytes);
        self.wallet.end = self.wallet.end.saturating_add(1);
    }

    /// The next batch, if there is anything to write.
    pub(super) fn take(&mut self) -> Option<Vec<Write>> {
        let changes = std::mem::take(&mut self.changes);
        let writes = changes.into_iter().map(|((table, key), value)| Write { table, key, value });
        Some(writes.collect::<Vec<_>>()).filter(|writes| !writes.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wallets_changes_keep_their_order_over_snapshots_and_starts() {
        let (mut stored, mut journal) = (Stored::new(), Journal::default());
        let keep = |stored: &mut Stored, journal: &mut Journal, change| {
            journal.keep(change);
            stored.apply(&journal.take().unwrap());
        };
        for number in 0..300_u32 {
            let bytes = number.to_be_bytes().to_vec();
            let change = if number % 100 == 99 { WalletWrite::Replace(bytes) } else { WalletWrite::Append(bytes) };
            keep(&mut stored, &mut journal, change);
            if number % 7 == 0 {
                journal = Journal::restore(&stored).unwrap();
            }
            let expected = (number + 1) / 100 * 100;
            let expected: Vec<_> = (expected.saturating_sub(1)..=number).map(|it| it.to_be_bytes().to_vec()).collect();
            assert_eq!(stored.wallet().map(<[u8]>::to_vec).collect::<Vec<_>>(), expected);
        }
        stored.put(Table::Wallet, vec![1], Vec::new());
        assert!(Journal::restore(&stored).is_none());
    }
}
