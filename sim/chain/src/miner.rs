//! When blocks come, and what is in them.

mod selection;

use std::time::Duration;

use bitcoin::BlockHash;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

pub(crate) use selection::select;

use crate::full_node::FullNode;

/// Blocks that one call mines at most: two years of them. What is due beyond waits for the next call.
const MAX_DUE: usize = 100_000;
/// Blocks do not come faster than this, so that a miner always gets on.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// The time between two blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// Always the same.
    Fixed(Duration),
    /// Exponentially distributed with this mean, as on the real chain.
    Exponential(Duration),
}

/// Mines at intervals.
#[derive(Debug, Clone)]
pub struct Miner {
    interval: Interval,
    rng: ChaCha8Rng,
    next: Duration,
}

impl Miner {
    /// A miner whose first block comes one interval after `start`.
    pub fn new(interval: Interval, seed: u64, start: Duration) -> Self {
        let mut miner = Self { interval, rng: ChaCha8Rng::seed_from_u64(seed), next: start };
        miner.next = start.saturating_add(miner.draw());
        miner
    }

    /// When the next block comes.
    pub fn next_block(&self) -> Duration {
        self.next
    }

    /// Mines all blocks that are due, each at its own time.
    pub fn mine_due(&mut self, now: Duration, node: &mut FullNode) -> Vec<BlockHash> {
        let mut mined = Vec::new();
        while self.next <= now && mined.len() < MAX_DUE {
            mined.extend(node.mine(self.next, 1));
            self.next = self.next.saturating_add(self.draw());
        }
        mined
    }

    fn draw(&mut self) -> Duration {
        let drawn = match self.interval {
            Interval::Fixed(interval) => interval,
            Interval::Exponential(mean) => {
                // 53 random bits make a number in (0, 1]. Whole milliseconds hide the last digits of the logarithm, which
                // may differ from machine to machine.
                let uniform = ((self.rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
                Duration::from_millis((mean.as_millis() as f64 * -uniform.ln()).round() as u64)
            }
        };
        drawn.max(MIN_INTERVAL)
    }
}
