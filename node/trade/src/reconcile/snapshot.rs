//! A sorted set of statements that stays as it is while sessions use it.

use std::sync::Arc;

use negentropy::{Bound, Error, Id, Item, NegentropyStorageBase};

use crate::book::Book;
use crate::order::OrderId;

/// The set of statements of a book at one moment. Clones share it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// By revision and id: the order of ranges.
    items: Arc<[Item]>,
    /// By id: to check what a peer says.
    ids: Arc<[OrderId]>,
}

impl Snapshot {
    /// All statements of a book: winners and evidence.
    #[must_use]
    pub fn of(book: &Book) -> Self {
        Self::new(book.statements().map(|statement| (statement.revision(), statement.id())))
    }

    /// A set of (revision, id). An id belongs to one revision, since it is a hash over it.
    pub fn new(statements: impl IntoIterator<Item = (u64, OrderId)>) -> Self {
        let mut items: Vec<_> = statements
            .into_iter()
            // The last number means infinity in the protocol: an item there would be outside of every range.
            .map(|(revision, id)| Item::with_timestamp_and_id(revision.min(u64::MAX - 1), Id::from_byte_array(id.0)))
            .collect();
        items.sort_unstable();
        items.dedup();
        let mut ids: Vec<_> = items.iter().map(|item| OrderId(item.id.to_bytes())).collect();
        ids.sort_unstable();
        Self { items: items.into(), ids: ids.into() }
    }

    /// How many statements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn contains(&self, id: &OrderId) -> bool {
        self.ids.binary_search(id).is_ok()
    }
}

impl NegentropyStorageBase for Snapshot {
    fn size(&self) -> Result<usize, Error> {
        Ok(self.items.len())
    }

    fn get_item(&self, index: usize) -> Result<Option<Item>, Error> {
        Ok(self.items.get(index).copied())
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        visit: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let items = self.items.get(begin..end).ok_or(Error::BadRange)?;
        for (offset, item) in items.iter().enumerate() {
            if !visit(*item, begin + offset)? {
                break;
            }
        }
        Ok(())
    }

    fn find_lower_bound(&self, first: usize, last: usize, bound: &Bound) -> usize {
        let Some(items) = self.items.get(first..last) else { return first };
        first + items.partition_point(|item| *item < bound.item)
    }
}
