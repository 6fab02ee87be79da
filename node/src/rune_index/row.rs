//! Keys and values of the index's tables, in bytes.
//!
//! Numbers in values are LEB128 as in runestones: most are small, and there are millions. Keys are big-endian, so that their order is the
//! order of the numbers.

use bitcoin::hashes::Hash as _;
use bitcoin::{BlockHash, OutPoint, Txid};
use darkswap_trade::rune::Balances;
use darkswap_trade::rune::index::{Changes, Entry, Tip, Undo};
use ordinals::{Rune, RuneId, Terms, varint};

/// The key of an output.
pub(super) type OutPointKey = [u8; 36];
/// The key of a rune.
pub(super) type IdKey = [u8; 12];
/// The key of a name.
pub(super) type NameKey = [u8; 16];

pub(super) fn outpoint_key(outpoint: &OutPoint) -> OutPointKey {
    let mut key = [0; 36];
    key[..32].copy_from_slice(outpoint.txid.as_byte_array());
    key[32..].copy_from_slice(&outpoint.vout.to_be_bytes());
    key
}

pub(super) fn id_key(id: RuneId) -> IdKey {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&id.block.to_be_bytes());
    key[8..].copy_from_slice(&id.tx.to_be_bytes());
    key
}

pub(super) fn name_key(rune: Rune) -> NameKey {
    rune.0.to_be_bytes()
}

/// A value that is kept in bytes.
pub(super) trait Row: Sized {
    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);

    /// Takes it off the front; none if it is not there.
    fn take(from: &mut Bytes<'_>) -> Option<Self>;

    /// The bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    /// Reads exactly these bytes; none if they are something else.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        Self::take(&mut bytes).filter(|_| bytes.0.is_empty())
    }
}

/// What is not read yet.
#[derive(Debug)]
pub(super) struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn number(&mut self) -> Option<u128> {
        let (number, length) = varint::decode(self.0).ok()?;
        self.0 = self.0.get(length..)?;
        Some(number)
    }

    fn small<T: TryFrom<u128>>(&mut self) -> Option<T> {
        T::try_from(self.number()?).ok()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }
}

fn put(number: impl Into<u128>, out: &mut Vec<u8>) {
    varint::encode_to_vec(number.into(), out);
}

impl Row for u128 {
    fn put(&self, out: &mut Vec<u8>) {
        put(*self, out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        from.number()
    }
}

impl Row for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        put(*self, out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        from.small()
    }
}

impl Row for char {
    fn put(&self, out: &mut Vec<u8>) {
        put(u32::from(*self), out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        char::from_u32(from.small()?)
    }
}

impl Row for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        match from.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl<T: Row> Row for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        Some(if bool::take(from)? { Some(T::take(from)?) } else { None })
    }
}

impl<A: Row, B: Row> Row for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?))
    }
}

/// Rows behind each other, with how many there are in front.
impl<T: Row> Row for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put(self.len() as u64, out);
        self.iter().for_each(|row| row.put(out));
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        let count: u64 = from.small()?;
        // Not collected by the count, which a damaged file may have wrong: the vector grows with what is there.
        let mut rows = Self::new();
        for _ in 0..count {
            rows.push(T::take(from)?);
        }
        Some(rows)
    }
}

impl Row for RuneId {
    fn put(&self, out: &mut Vec<u8>) {
        put(self.block, out);
        put(self.tx, out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        Some(Self { block: from.small()?, tx: from.small()? })
    }
}

impl Row for Rune {
    fn put(&self, out: &mut Vec<u8>) {
        put(self.0, out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        from.number().map(Self)
    }
}

impl Row for OutPoint {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.txid.as_byte_array());
        put(self.vout, out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        Some(Self { txid: Txid::from_byte_array(from.array()?), vout: from.small()? })
    }
}

impl Row for Balances {
    fn put(&self, out: &mut Vec<u8>) {
        put(self.len() as u64, out);
        for (id, units) in self {
            id.put(out);
            put(*units, out);
        }
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        let rows = Vec::<(RuneId, u128)>::take(from)?;
        let ascending = rows.windows(2).all(|pair| pair[0].0 < pair[1].0);
        ascending.then(|| rows.into_iter().collect())
    }
}

impl Row for Terms {
    fn put(&self, out: &mut Vec<u8>) {
        (self.amount, self.cap).put(out);
        self.height.put(out);
        self.offset.put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        let (amount, cap) = Row::take(from)?;
        Some(Self { amount, cap, height: Row::take(from)?, offset: Row::take(from)? })
    }
}

impl Row for Entry {
    fn put(&self, out: &mut Vec<u8>) {
        put(self.number, out);
        out.extend(self.etching.as_byte_array());
        put(self.block, out);
        put(self.timestamp, out);
        self.rune.put(out);
        put(self.spacers, out);
        put(self.divisibility, out);
        self.symbol.put(out);
        put(self.premine, out);
        self.terms.put(out);
        put(self.mints, out);
        put(self.burned, out);
        self.turbo.put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        Some(Self {
            number: from.small()?,
            etching: Txid::from_byte_array(from.array()?),
            block: from.small()?,
            timestamp: from.small()?,
            rune: Row::take(from)?,
            spacers: from.small()?,
            divisibility: from.small()?,
            symbol: Row::take(from)?,
            premine: from.number()?,
            terms: Row::take(from)?,
            mints: from.number()?,
            burned: from.number()?,
            turbo: Row::take(from)?,
        })
    }
}

impl Row for Tip {
    fn put(&self, out: &mut Vec<u8>) {
        put(self.height, out);
        out.extend(self.hash.as_byte_array());
        put(self.runes, out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        let height = from.small()?;
        Some(Self { height, hash: BlockHash::from_byte_array(from.array()?), runes: from.small()? })
    }
}

impl Row for Undo {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.block.as_byte_array());
        self.back.tip.put(out);
        self.back.entries.put(out);
        self.back.ids.put(out);
        self.back.balances.put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        let block = BlockHash::from_byte_array(from.array()?);
        let (tip, entries) = (Row::take(from)?, Row::take(from)?);
        Some(Self { block, back: Changes { tip, entries, ids: Row::take(from)?, balances: Row::take(from)? } })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;

    use super::*;

    fn id() -> impl Strategy<Value = RuneId> {
        (any::<u64>(), any::<u32>()).prop_map(|(block, tx)| RuneId { block, tx })
    }

    fn txid() -> impl Strategy<Value = Txid> {
        any::<[u8; 32]>().prop_map(Txid::from_byte_array)
    }

    fn hash() -> impl Strategy<Value = BlockHash> {
        any::<[u8; 32]>().prop_map(BlockHash::from_byte_array)
    }

    fn balances() -> impl Strategy<Value = Balances> {
        prop::collection::btree_map(id(), any::<u128>(), 0..5)
    }

    fn terms() -> impl Strategy<Value = Terms> {
        let heights = || (any::<Option<u64>>(), any::<Option<u64>>());
        (any::<Option<u128>>(), any::<Option<u128>>(), heights(), heights())
            .prop_map(|(amount, cap, height, offset)| Terms { amount, cap, height, offset })
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u32>(), any::<u8>());
        let units = (any::<u128>(), any::<u128>(), any::<u128>(), any::<u128>());
        (numbers, units, txid(), any::<Option<char>>(), prop::option::of(terms()), any::<bool>()).prop_map(
            |(numbers, units, etching, symbol, terms, turbo)| Entry {
                number: numbers.0,
                etching,
                block: numbers.1,
                timestamp: numbers.2,
                rune: Rune(units.0),
                spacers: numbers.3,
                divisibility: numbers.4,
                symbol,
                premine: units.1,
                terms,
                mints: units.2,
                burned: units.3,
                turbo,
            },
        )
    }

    fn tip() -> impl Strategy<Value = Tip> {
        (any::<u32>(), hash(), any::<u64>()).prop_map(|(height, hash, runes)| Tip { height, hash, runes })
    }

    fn undo() -> impl Strategy<Value = Undo> {
        let outpoint = (txid(), any::<u32>()).prop_map(|(txid, vout)| OutPoint { txid, vout });
        let entries = prop::collection::vec((id(), prop::option::of(entry())), 0..4);
        let ids = prop::collection::vec((any::<u128>().prop_map(Rune), prop::option::of(id())), 0..4);
        let rows = prop::collection::vec((outpoint, prop::option::of(balances())), 0..4);
        (hash(), prop::option::of(tip()), entries, ids, rows).prop_map(|(block, tip, entries, ids, balances)| Undo {
            block,
            back: Changes { tip, entries, ids, balances },
        })
    }

    fn round_trips<T: Row + PartialEq + Debug>(value: &T) {
        let bytes = value.to_bytes();
        assert_eq!(T::from_bytes(&bytes).as_ref(), Some(value));
        // Neither less nor more is the same row.
        assert_eq!(T::from_bytes(&bytes[..bytes.len() - 1]), None);
        assert_eq!(T::from_bytes(&[&bytes[..], &[0]].concat()), None);
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn every_row_is_read_as_it_was_written(
            balances in balances(), entry in entry(), id in id(), tip in tip(), undo in undo(),
        ) {
            round_trips(&balances);
            round_trips(&entry);
            round_trips(&id);
            round_trips(&tip);
            round_trips(&undo);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Balances::from_bytes(&bytes);
            let _ = Entry::from_bytes(&bytes);
            let _ = RuneId::from_bytes(&bytes);
            let _ = Tip::from_bytes(&bytes);
            let _ = Undo::from_bytes(&bytes);
        }

        #[test]
        fn keys_are_in_the_order_of_what_they_name(one in id(), other in id()) {
            prop_assert_eq!(one.cmp(&other), id_key(one).cmp(&id_key(other)));
        }
    }
}
