//! Coins promised to one holder until a time.
//!
//! A swap promises its inputs to the other side long before it spends them. Meanwhile nothing else may touch them: a second
//! promise of the same coin is a trade that must fail.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::OutPoint;
use darkswap_trade::Time;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most holders at once: far more trades than one wallet can have in flight, and a bound on what is stored.
pub const MAX_HOLDERS: usize = 4096;

/// The most coins of one holder: as many inputs as a payment may have.
pub const MAX_COINS_OF_HOLDER: usize = crate::selection::MAX_INPUTS;

/// Who has coins reserved: the number of a swap, or any other number that is used once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Holder(pub [u8; 32]);

impl From<[u8; 16]> for Holder {
    /// A shorter number, filled up with zeros.
    fn from(short: [u8; 16]) -> Self {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&short);
        Self(bytes)
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Holder({self})")
    }
}

/// What one holder has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The coins.
    pub outpoints: BTreeSet<OutPoint>,
    /// When the promise ends by itself.
    pub until: Time,
}

/// Why coins could not be reserved. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReservationError {
    /// Another holder has one of them.
    #[error("{outpoint} is reserved by {holder}; release it there, or take another coin")]
    Taken {
        /// The coin.
        outpoint: OutPoint,
        /// Who has it.
        holder: Holder,
    },
    /// It is not an unspent output of this wallet.
    #[error("{outpoint} is not an unspent output of this wallet; synchronise, or take another coin")]
    NotOurs {
        /// The coin.
        outpoint: OutPoint,
    },
    /// Too many coins for one holder.
    #[error("{found} coins for one holder; at most {MAX_COINS_OF_HOLDER} are reserved")]
    TooManyCoins {
        /// How many there would be.
        found: usize,
    },
    /// Too many holders.
    #[error("{MAX_HOLDERS} holders have reservations already; release some first")]
    TooManyHolders,
}

/// All reservations. Its changes since the last [`take_changes`](Self::take_changes) are remembered for the store.
#[derive(Debug, Default)]
pub(crate) struct Reservations {
    by_holder: BTreeMap<Holder, Reservation>,
    by_outpoint: BTreeMap<OutPoint, Holder>,
    changed: BTreeSet<Holder>,
}

impl Reservations {
    /// Adds to what `holder` has, all or nothing, and moves the end of all of it to `until`.
    pub(crate) fn reserve(
        &mut self,
        holder: Holder,
        outpoints: &BTreeSet<OutPoint>,
        until: Time,
    ) -> Result<(), ReservationError> {
        for outpoint in outpoints {
            if let Some(&other) = self.by_outpoint.get(outpoint).filter(|other| **other != holder) {
                return Err(ReservationError::Taken { outpoint: *outpoint, holder: other });
            }
        }
        let had = self.by_holder.get(&holder);
        if had.is_none() && self.by_holder.len() >= MAX_HOLDERS {
            return Err(ReservationError::TooManyHolders);
        }
        let mut all = had.map_or_else(BTreeSet::new, |reservation| reservation.outpoints.clone());
        all.extend(outpoints);
        if all.len() > MAX_COINS_OF_HOLDER {
            return Err(ReservationError::TooManyCoins { found: all.len() });
        }
        if all.is_empty() {
            return Ok(());
        }
        self.insert(holder, Reservation { outpoints: all, until });
        self.changed.insert(holder);
        Ok(())
    }

    /// Gives back everything that `holder` has; returns it.
    pub(crate) fn release(&mut self, holder: Holder) -> BTreeSet<OutPoint> {
        let Some(reservation) = self.by_holder.remove(&holder) else { return BTreeSet::new() };
        for outpoint in &reservation.outpoints {
            self.by_outpoint.remove(outpoint);
        }
        self.changed.insert(holder);
        reservation.outpoints
    }

    /// Ends every reservation whose time has come; returns their holders.
    pub(crate) fn expire(&mut self, now: Time) -> Vec<Holder> {
        let due: Vec<_> = self.by_holder.iter().filter(|(_, r)| r.until <= now).map(|(holder, _)| *holder).collect();
        for holder in &due {
            self.release(*holder);
        }
        due
    }

    /// When the next reservation ends.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.by_holder.values().map(|reservation| reservation.until).min()
    }

    pub(crate) fn holder_of(&self, outpoint: &OutPoint) -> Option<Holder> {
        self.by_outpoint.get(outpoint).copied()
    }

    pub(crate) fn all(&self) -> &BTreeMap<Holder, Reservation> {
        &self.by_holder
    }

    /// What changed since the last call; `None` for a holder that has nothing any more.
    pub(crate) fn take_changes(&mut self) -> BTreeMap<Holder, Option<Reservation>> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|holder| (holder, self.by_holder.get(&holder).cloned())).collect()
    }

    /// Applies a stored change. Stored bytes may be damaged: a coin of two holders goes to the later one.
    pub(crate) fn restore(&mut self, changes: BTreeMap<Holder, Option<Reservation>>) {
        for (holder, reservation) in changes {
            self.release(holder);
            if let Some(reservation) = reservation {
                for outpoint in &reservation.outpoints {
                    if let Some(other) = self.by_outpoint.get(outpoint)
                        && let Some(other) = self.by_holder.get_mut(other)
                    {
                        other.outpoints.remove(outpoint);
                    }
                }
                self.insert(holder, reservation);
            }
        }
        self.changed.clear();
    }

    fn insert(&mut self, holder: Holder, reservation: Reservation) {
        for outpoint in &reservation.outpoints {
            self.by_outpoint.insert(*outpoint, holder);
        }
        self.by_holder.insert(holder, reservation);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bitcoin::{Txid, hashes::Hash};
    use proptest::prelude::*;

    use super::*;

    fn outpoint(number: u8) -> OutPoint {
        OutPoint::new(Txid::from_byte_array([number; 32]), 0)
    }

    proptest! {
        #[test]
        fn whatever_happens_no_coin_has_two_holders_and_the_store_agrees(
            steps in prop::collection::vec((0_u8..4, prop::collection::btree_set(0_u8..12, 0..5), 0_u64..20), 1..40)
        ) {
            let mut reservations = Reservations::default();
            let mut restored = Reservations::default();
            for (holder, coins, time) in steps {
                let holder = Holder([holder; 32]);
                let coins: BTreeSet<_> = coins.into_iter().map(outpoint).collect();
                match time % 4 {
                    0 => drop(reservations.release(holder)),
                    1 => drop(reservations.expire(Duration::from_secs(time))),
                    _ => drop(reservations.reserve(holder, &coins, Duration::from_secs(time))),
                }
                restored.restore(reservations.take_changes());
                prop_assert_eq!(&restored.by_holder, &reservations.by_holder);
                prop_assert_eq!(&restored.by_outpoint, &reservations.by_outpoint);
                let mut seen = BTreeSet::new();
                for (holder, reservation) in reservations.all() {
                    for outpoint in &reservation.outpoints {
                        prop_assert!(seen.insert(*outpoint), "{outpoint} has two holders");
                        prop_assert_eq!(reservations.holder_of(outpoint), Some(*holder));
                    }
                }
                prop_assert_eq!(seen.len(), reservations.by_outpoint.len());
            }
        }
    }

    #[test]
    fn a_reservation_is_all_or_nothing() {
        let mut reservations = Reservations::default();
        let until = Duration::from_secs(10);
        reservations.reserve(Holder([1; 32]), &[outpoint(1)].into(), until).unwrap();
        let error = reservations.reserve(Holder([2; 32]), &[outpoint(0), outpoint(1)].into(), until).unwrap_err();
        assert_eq!(error, ReservationError::Taken { outpoint: outpoint(1), holder: Holder([1; 32]) });
        assert_eq!(reservations.holder_of(&outpoint(0)), None);
    }

    #[test]
    fn a_reservation_ends_at_its_time() {
        let mut reservations = Reservations::default();
        reservations.reserve(Holder([1; 32]), &[outpoint(1)].into(), Duration::from_secs(10)).unwrap();
        reservations.reserve(Holder([2; 32]), &[outpoint(2)].into(), Duration::from_secs(11)).unwrap();
        assert_eq!(reservations.deadline(), Some(Duration::from_secs(10)));
        assert_eq!(reservations.expire(Duration::from_secs(9)), []);
        assert_eq!(reservations.expire(Duration::from_secs(10)), [Holder([1; 32])]);
        assert_eq!(reservations.holder_of(&outpoint(1)), None);
        assert_eq!(reservations.holder_of(&outpoint(2)), Some(Holder([2; 32])));
    }
}
