//! Random numbers of resampling.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The seed of every stream. Any number does; another one would change the last digits of every published interval.
const SEED: u64 = 0x6461_726b_7377_6170;

/// What a stream is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Bootstrap = 1,
    Permutation = 2,
}

/// A stream of random numbers that depends on its purpose only.
#[derive(Debug)]
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    pub(crate) fn new(purpose: Purpose) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        random.set_stream(purpose as u64);
        Self(random)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // The bias of the multiplication is end / 2^64 at most.
        ((u128::from(self.0.next_u64()) * end as u128) >> 64) as usize
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
}
