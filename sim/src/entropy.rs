//! Streams of pseudo-random bytes that follow from the seed of a run.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use twox_hash::XxHash3_64;

/// One stream of pseudo-random bytes: ChaCha8 keyed by the seed of the run, with the label's hash as its stream number.
///
/// Streams with different labels are independent, so a host draws the same bytes whatever the other hosts do.
#[derive(Clone)]
pub struct Entropy {
    stream: ChaCha8Rng,
}

impl Entropy {
    /// The stream of the run `seed` that `label` names.
    pub fn new(seed: u64, label: &str) -> Self {
        let mut key = *b"darkswap simulated entropy v1\0\0\0";
        key[24..].copy_from_slice(&seed.to_le_bytes());
        let mut stream = ChaCha8Rng::from_seed(key);
        stream.set_stream(XxHash3_64::oneshot(label.as_bytes()));
        Self { stream }
    }

    /// Fills `bytes` with the next bytes of the stream.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.stream.fill_bytes(bytes);
    }
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entropy").field("stream", &self.stream.get_stream()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64, label: &str) -> [u8; 16] {
        let mut bytes = [0; 16];
        Entropy::new(seed, label).fill(&mut bytes);
        bytes
    }

    #[test]
    fn the_same_seed_and_label_repeat() {
        assert_eq!(draw(1, "relay"), draw(1, "relay"));
    }

    #[test]
    fn seeds_and_labels_separate_streams() {
        assert_ne!(draw(1, "relay"), draw(2, "relay"));
        assert_ne!(draw(1, "relay"), draw(1, "peer"));
    }

    #[test]
    fn the_stream_is_the_one_that_recorded_traces_were_made_with() {
        assert_eq!(u128::from_be_bytes(draw(7, "relay")), 0xd491a6ba_5dfed46f_a2100798_39ae44f5);
    }
}
