//! Which slots stay when there are too many.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Address, Backing};
use crate::order::{FIRST_WIDE_SLOT, TraderKey};

/// How many slots a book has room for. A slot has at most two statements of limited size, so this also limits bytes: the default
/// is at most 336 MiB when every slot is as large as it can be and every maker misbehaves, and some 40 MB of ordinary orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Slots below [`FIRST_WIDE_SLOT`].
    pub plain: usize,
    /// Slots from there on, which take presigned offers.
    pub wide: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        // A busy market of 100,000 orders, and a third more; presigned offers are as large as five others.
        Self { plain: 131_072, wide: 8_192 }
    }
}

/// The slots of a book from the one that stays longest to the one that goes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranks {
    capacity: Capacity,
    plain: BTreeSet<Rank>,
    wide: BTreeSet<Rank>,
}

/// Proven first, then low slots, then low keys.
type Rank = (Reverse<bool>, u16, TraderKey);

/// There is no room for a slot.
pub(super) struct NoRoom;

impl Ranks {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self { capacity, plain: BTreeSet::new(), wide: BTreeSet::new() }
    }

    /// Which slot has to go for a new one, if any. It is the caller's to remove it.
    pub(super) fn make_room(&self, address: Address) -> Result<Option<Address>, NoRoom> {
        let (ranks, room) =
            if is_wide(address) { (&self.wide, self.capacity.wide) } else { (&self.plain, self.capacity.plain) };
        if ranks.len() < room {
            return Ok(None);
        }
        match ranks.last() {
            Some(last) if rank(address, Backing::Unknown) < *last => Ok(Some((last.2, last.1))),
            Some(_) | None => Err(NoRoom),
        }
    }

    pub(super) fn insert(&mut self, address: Address, backing: Backing) {
        self.of(address).insert(rank(address, backing));
    }

    pub(super) fn remove(&mut self, address: Address, backing: Backing) {
        self.of(address).remove(&rank(address, backing));
    }

    fn of(&mut self, address: Address) -> &mut BTreeSet<Rank> {
        if is_wide(address) { &mut self.wide } else { &mut self.plain }
    }
}

fn is_wide((_, slot): Address) -> bool {
    slot >= FIRST_WIDE_SLOT
}

fn rank((maker, slot): Address, backing: Backing) -> Rank {
    (Reverse(backing == Backing::Proven), slot, maker)
}
