//! Maps with a fixed, cheap hasher.
//!
//! The standard hasher takes its keys from the operating system, which a pure crate must not do. Keys here are
//! addresses and ports chosen by scenarios, not by attackers, so resistance against collision attacks is not needed.

use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddrV4;

use indexmap::IndexMap;

/// An index map whose order depends on insertions and removals only.
pub(crate) type FastMap<K, V> = IndexMap<K, V, BuildHasherDefault<FastHasher>>;

const MULTIPLIER: u128 = 0x9E37_79B9_7F4A_7C15;

/// A hasher that multiplies each word of a key into 128 bits and folds the halves, so that low bits of the hash depend
/// on all bits of the key: endpoints often differ in a few middle bits only.
#[derive(Default, Clone, Copy)]
pub(crate) struct FastHasher(u64);

impl FastHasher {
    fn add(&mut self, word: u64) {
        let product = u128::from(self.0.rotate_left(23) ^ word ^ MULTIPLIER as u64) * MULTIPLIER;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for FastHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.add(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.add(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }
}

/// Packs an endpoint into the low 48 bits of a word.
pub(crate) fn pack(endpoint: SocketAddrV4) -> u64 {
    u64::from(endpoint.ip().to_bits()) << 16 | u64::from(endpoint.port())
}
