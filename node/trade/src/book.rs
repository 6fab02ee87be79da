//! Every valid order, by price and time.
//!
//! A [`Book`] is a function of the statements and verdicts that it was given, whatever the order of their arrival and however
//! often each came: two nodes with the same ones have equal books and equal views. Per slot the newest statement wins, and of two
//! of the same revision the one with the lower id; the two lowest of them are kept as evidence. Statements stay for
//! [`MAX_LIFE`](crate::order::MAX_LIFE), cancellations and ended offers too, so that what they replaced stays replaced.
//!
//! **The law**: call [`Book::expire`] at [`Book::deadline`]; views show what was not over when it was called last.
//!
//! # When it is full
//! A book has room for so many slots ([`Capacity`]). Whoever came first would be an unfair rule, and would make books differ, so
//! the slots that stay are the first ones by a rank that does not depend on arrival: those with a proven order come first, then
//! by slot number, then by maker key. So everybody's first order stays before anybody's second, and one key crowds out nothing
//! but high slots.
//!
//! The weakness: keys cost nothing. Who signs offers with as many (low) keys as there is room displaces every unproven order of
//! others; only verdicts of [`Backing::Proven`], which bitcoin or assets of the maker's own stand behind, hold against that. And
//! a verdict that comes after its order was displaced comes too late: the order has to be heard again. In a full book,
//! independence of arrival holds for equal verdicts at the time of arrival.
//!
//! | part | noun |
//! |---|---|
//! | `slot` | what one slot has: the winner, and evidence against its maker |
//! | `capacity` | which slots stay when there are too many |
//! | `place` | where an order stands by price and time |
//! | `view` | asks, bids, depth, fills |

mod capacity;
mod place;
mod slot;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Time;
use crate::asset::Asset;
use crate::order::{Act, CLOCK_SKEW, Listing, OrderId, Side, Statement, TraderKey};

pub use capacity::Capacity;
pub use view::{Fill, Level, MAX_PASSED_OVER};

use capacity::Ranks;
use place::Place;
use slot::{Merged, Slot};

/// Whether what backs an order was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Backing {
    /// Nobody looked, or nothing was named.
    #[default]
    Unknown,
    /// What the order names is there, and nobody has shown that it is the maker's own: coins can be named by anybody. It counts no
    /// more than [`Unknown`](Self::Unknown).
    Seen,
    /// The maker has what it offers: a signature of its coin is in the order.
    Proven,
    /// The maker does not have it; the order is not shown.
    Disproved,
}

/// What a statement did to the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// A new offer in an empty slot.
    Added {
        /// The winner of the slot that had to go for it.
        displaced: Option<OrderId>,
    },
    /// A new offer instead of an earlier statement.
    Replaced {
        /// That statement.
        earlier: OrderId,
    },
    /// The slot is empty now, and remembers that.
    Cancelled {
        /// The statement that it replaced.
        earlier: Option<OrderId>,
        /// The winner of the slot that had to go for it.
        displaced: Option<OrderId>,
    },
    /// An offer that is over but newer than what its slot had: it acts as a cancellation.
    Ended {
        /// The statement that it replaced.
        earlier: Option<OrderId>,
        /// The winner of the slot that had to go for it.
        displaced: Option<OrderId>,
    },
    /// The book has it already.
    Known,
    /// The slot has a newer one.
    Stale,
    /// The maker has signed two statements of the same revision. The first of the pair is the slot's winner now.
    Conflict {
        /// Both; anybody can verify them.
        evidence: Box<(Statement, Statement)>,
    },
    /// The book does not take it.
    Refused(BookRefusal),
}

/// Why a book does not take a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BookRefusal {
    /// Made longer ago than statements are kept.
    #[error("found a statement that ended at {ended:?}")]
    Expired {
        /// Until when it was kept.
        ended: Time,
    },
    /// Made in what is the future for us.
    #[error("found a statement of {created:?}, expected at most {limit:?}")]
    NotYetValid {
        /// When it says it was made.
        created: Time,
        /// The latest time that is accepted.
        limit: Time,
    },
    /// There is no room, and every slot that is kept ranks before this one.
    #[error("the book is full of orders that rank before this one; use a lower slot, or name what backs it")]
    Full,
}

/// Where a slot is: its maker and its number.
type Address = (TraderKey, u16);

/// All statements, and the offers among them by price and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    slots: BTreeMap<Address, Slot>,
    ids: BTreeMap<OrderId, Address>,
    sides: BTreeMap<(Asset, Side), BTreeMap<Place, Address>>,
    /// When something happens to a slot by itself: its offer ends, or it is forgotten.
    ends: BTreeSet<(Time, Address)>,
    ranks: Ranks,
    bytes: usize,
}

impl Default for Book {
    fn default() -> Self {
        Self::new(Capacity::default())
    }
}

impl Book {
    /// An empty book with so much room. Books are equal only where they have equal room.
    #[must_use]
    pub fn new(capacity: Capacity) -> Self {
        Self {
            slots: BTreeMap::new(),
            ids: BTreeMap::new(),
            sides: BTreeMap::new(),
            ends: BTreeSet::new(),
            ranks: Ranks::new(capacity),
            bytes: 0,
        }
    }

    /// Takes a statement in. O(log n).
    pub fn apply(&mut self, statement: Statement, now: Time) -> Applied {
        let (created, ended) = (statement.created(), statement.kept_until());
        let limit = now.saturating_add(CLOCK_SKEW);
        if ended <= now {
            return Applied::Refused(BookRefusal::Expired { ended });
        }
        if created > limit {
            return Applied::Refused(BookRefusal::NotYetValid { created, limit });
        }
        let address = (statement.maker(), statement.slot());
        let Some(present) = self.slots.get(&address) else { return self.found(address, statement, now) };
        let earlier = present.winner.id();
        match present.merge(statement) {
            Merged::Known => Applied::Known,
            Merged::Stale => Applied::Stale,
            Merged::Newer(slot) => {
                let over = slot.is_over(now);
                self.replace(address, slot, now);
                match (self.act(&address), over) {
                    (Act::Cancel, _) => Applied::Cancelled { earlier: Some(earlier), displaced: None },
                    (Act::Offer(_), true) => Applied::Ended { earlier: Some(earlier), displaced: None },
                    (Act::Offer(_), false) => Applied::Replaced { earlier },
                }
            }
            Merged::Conflict { slot, evidence } => {
                if let Some(slot) = slot {
                    self.replace(address, slot, now);
                }
                Applied::Conflict { evidence }
            }
        }
    }

    /// Forgets and hides what is over; the offers that ended now, as ids.
    pub fn expire(&mut self, now: Time) -> Vec<OrderId> {
        let mut ended = Vec::new();
        while let Some((time, address)) = self.ends.first().copied() {
            if time > now {
                break;
            }
            let slot = self.slots.get(&address).expect("an end without its slot is a bug of the book");
            if slot.shown {
                ended.push(slot.winner.id());
            }
            if slot.winner.kept_until() <= now {
                self.remove(&address);
            } else {
                let slot = slot.clone();
                self.replace(address, slot, now);
            }
        }
        ended
    }

    /// When [`Book::expire`] has something to do next.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.ends.first().map(|(time, _)| *time)
    }

    /// Records whether what backs an order was found; false where the book does not have that order as the winner of its slot.
    /// A new statement in the slot starts as unknown.
    pub fn set_backing(&mut self, id: &OrderId, backing: Backing, now: Time) -> bool {
        let Some(address) = self.ids.get(id).copied() else { return false };
        let slot = self.slots.get(&address).expect("an id without its slot is a bug of the book");
        if slot.winner.id() != *id || slot.winner.listing().is_none() {
            return false;
        }
        let slot = Slot { backing, ..slot.clone() };
        self.replace(address, slot, now);
        true
    }

    /// Whether what backs an order was found; none where the book does not have it as the winner of its slot.
    #[must_use]
    pub fn backing(&self, id: &OrderId) -> Option<Backing> {
        let slot = self.slots.get(self.ids.get(id)?)?;
        (slot.winner.id() == *id).then_some(slot.backing)
    }

    /// A statement by its id: a winner, or evidence against its maker.
    #[must_use]
    pub fn statement(&self, id: &OrderId) -> Option<&Statement> {
        self.slots.get(self.ids.get(id)?)?.statements().find(|statement| statement.id() == *id)
    }

    /// A shown order by its id: one that is neither replaced nor over nor disproved.
    #[must_use]
    pub fn order(&self, id: &OrderId) -> Option<&Listing> {
        let slot = self.slots.get(self.ids.get(id)?)?;
        slot.winner.listing().filter(|listing| slot.shown && listing.order.id == *id)
    }

    /// The shown orders of a maker, by slot.
    pub fn orders_of(&self, maker: TraderKey) -> impl Iterator<Item = &Listing> {
        let slots = self.slots.range((maker, 0)..=(maker, u16::MAX));
        slots.filter(|(_, slot)| slot.shown).filter_map(|(_, slot)| slot.winner.listing())
    }

    /// The revision that a maker's next statement in a slot has to exceed.
    #[must_use]
    pub fn revision(&self, maker: TraderKey, slot: u16) -> Option<u64> {
        self.slots.get(&(maker, slot)).map(|slot| slot.winner.revision())
    }

    /// Every statement that is kept, in no particular order: what another book needs to become equal.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.slots.values().flat_map(Slot::statements)
    }

    /// The pairs of statements that prove misbehaviour of their makers.
    pub fn conflicts(&self) -> impl Iterator<Item = (&Statement, &Statement)> {
        self.slots.values().filter_map(|slot| Some((&slot.winner, slot.rival.as_ref()?)))
    }

    /// Slots in use, those of cancelled and ended offers included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no slot is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes of all statements that are kept, in their wire form.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The first statement of a slot.
    fn found(&mut self, address: Address, statement: Statement, now: Time) -> Applied {
        let slot = Slot::new(statement);
        let Ok(displaced) = self.ranks.make_room(address) else { return Applied::Refused(BookRefusal::Full) };
        let displaced = displaced.map(|place| self.remove(&place).winner.id());
        let over = slot.is_over(now);
        self.insert(address, slot, now);
        match (self.act(&address), over) {
            (Act::Cancel, _) => Applied::Cancelled { earlier: None, displaced },
            (Act::Offer(_), true) => Applied::Ended { earlier: None, displaced },
            (Act::Offer(_), false) => Applied::Added { displaced },
        }
    }

    fn act(&self, address: &Address) -> &Act {
        self.slots.get(address).expect("it was just inserted").winner.act()
    }

    fn replace(&mut self, address: Address, slot: Slot, now: Time) {
        self.remove(&address);
        self.insert(address, slot, now);
    }

    /// The one place where a slot enters all indexes.
    fn insert(&mut self, address: Address, mut slot: Slot, now: Time) {
        slot.shown = slot.is_shown(now);
        slot.end = slot.next_end(now);
        for statement in slot.statements() {
            self.ids.insert(statement.id(), address);
            self.bytes += statement.encoded().len();
        }
        if let Some(listing) = slot.winner.listing().filter(|_| slot.shown) {
            let Offered { side, place } = Offered::of(listing);
            self.sides.entry(side).or_default().insert(place, address);
        }
        self.ends.insert((slot.end, address));
        self.ranks.insert(address, slot.backing);
        self.slots.insert(address, slot);
    }

    /// The one place where a slot leaves all indexes.
    fn remove(&mut self, address: &Address) -> Slot {
        let slot = self.slots.remove(address).expect("only what is there is removed");
        for statement in slot.statements() {
            self.ids.remove(&statement.id());
            self.bytes -= statement.encoded().len();
        }
        if let Some(listing) = slot.winner.listing().filter(|_| slot.shown) {
            let Offered { side, place } = Offered::of(listing);
            let places = self.sides.get_mut(&side).expect("a shown order has its side");
            places.remove(&place);
            if places.is_empty() {
                self.sides.remove(&side);
            }
        }
        self.ends.remove(&(slot.end, *address));
        self.ranks.remove(*address, slot.backing);
        slot
    }
}

/// Where in the view an offer is.
struct Offered {
    side: (Asset, Side),
    place: Place,
}

impl Offered {
    fn of(listing: &Listing) -> Self {
        let order = &listing.order;
        Self { side: (order.offer.asset, order.offer.side), place: Place::of(order) }
    }
}
