//! When compression pays.

use std::fmt;

use zstd::bulk;

use super::{Bounds, Form, LEVEL, plain};

/// What pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The shortest message that is tried. A frame costs some 12 bytes, and shorter messages hardly repeat themselves.
    pub minimum: usize,
    /// How many bytes of a longer message are tried first. A sample without a gain saves the effort for the rest.
    pub sample: usize,
    /// The least gain, as one part in so many: 8 asks for an eighth.
    pub gain: usize,
    /// Messages without a gain in a row after which some are not tried.
    pub misses: u32,
    /// How many are not tried then; doubled each time that the next one does not gain either, up to the second value.
    pub pause: (u32, u32),
}

impl Default for Rule {
    fn default() -> Self {
        Self { minimum: 128, sample: 4_096, gain: 8, misses: 4, pause: (16, 1_024) }
    }
}

/// Packs the messages of one stream of them, and learns whether its messages compress.
pub struct Compressor {
    rule: Rule,
    /// What the receiver takes: what would look like a bomb to it goes as it is.
    bounds: Bounds,
    zstd: bulk::Compressor<'static>,
    misses: u32,
    /// The next pause.
    pause: u32,
    /// Messages that are not tried any more.
    skipped: u32,
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("misses", &self.misses)
            .field("skipped", &self.skipped)
            .finish_non_exhaustive()
    }
}

impl Compressor {
    /// A compressor for a receiver with these bounds.
    ///
    /// # Panics
    /// When zstd has no memory for a context.
    #[must_use]
    pub fn new(rule: Rule, bounds: Bounds) -> Self {
        let zstd = bulk::Compressor::new(LEVEL).expect("zstd knows the level and has memory for a context");
        Self { rule, bounds, zstd, misses: 0, pause: rule.pause.0, skipped: 0 }
    }

    /// The message, packed: compressed when that pays.
    #[must_use]
    pub fn pack(&mut self, message: &[u8]) -> Vec<u8> {
        if message.len() < self.rule.minimum {
            return plain(message);
        }
        if self.skipped > 0 {
            self.skipped -= 1;
            return plain(message);
        }
        match self.compressed(message) {
            Some(packed) => {
                (self.misses, self.pause) = (0, self.rule.pause.0);
                packed
            }
            None => {
                self.miss();
                plain(message)
            }
        }
    }

    /// The compressed form, if it is enough smaller.
    fn compressed(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        if message.len() > self.rule.sample.saturating_mul(2) {
            self.frame(&message[..self.rule.sample])?;
        }
        let packed = self.frame(message)?;
        self.bounds.admits(packed.len() - 1, message.len()).then_some(packed)
    }

    fn frame(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let limit = bytes.len() - bytes.len() / self.rule.gain.max(1);
        // Room for what still pays: zstd gives up where it would need more.
        let mut frame = vec![0; 1 + limit];
        let length = self.zstd.compress_to_buffer(bytes, &mut frame[1..]).ok()?;
        frame[0] = Form::Zstd as u8;
        frame.truncate(1 + length);
        Some(frame)
    }

    fn miss(&mut self) {
        self.misses += 1;
        if self.misses >= self.rule.misses {
            self.skipped = self.pause;
            self.pause = self.pause.saturating_mul(2).min(self.rule.pause.1);
            // One more without a gain is enough for the next pause.
            self.misses = self.rule.misses.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use darkswap_core::random::Random;

    use super::*;
    use crate::compression::Inflater;

    const BOUNDS: Bounds = Bounds { message: 1 << 20, ratio: 100 };

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut random = Random::new(seed);
        (0..length).map(|_| random.bits() as u8).collect()
    }

    fn text(length: usize) -> Vec<u8> {
        (0..).flat_map(|n: u32| format!("ask {n} of 20 for 3, ").into_bytes()).take(length).collect()
    }

    fn compressor() -> Compressor {
        Compressor::new(Rule::default(), BOUNDS)
    }

    #[test]
    fn text_gets_smaller_and_comes_back() {
        let text = text(10_000);
        let packed = compressor().pack(&text);
        assert!(packed.len() < 3_000, "{} bytes", packed.len());
        assert_eq!(Inflater::new().unpack(&packed, BOUNDS).unwrap(), text);
    }

    #[test]
    fn what_does_not_gain_goes_as_it_is() {
        for bytes in [noise(1, 10_000), text(100), Vec::new()] {
            let packed = compressor().pack(&bytes);
            assert_eq!(packed, plain(&bytes));
            assert_eq!(Inflater::new().unpack(&packed, BOUNDS).unwrap(), bytes);
        }
    }

    #[test]
    fn our_own_messages_never_look_like_bombs() {
        let zeros = vec![0; 1 << 20];
        let packed = compressor().pack(&zeros);
        assert_eq!(Inflater::new().unpack(&packed, BOUNDS).unwrap(), zeros);
        assert_eq!(packed[0], Form::Plain as u8);
    }

    #[test]
    fn a_stream_that_does_not_compress_is_left_alone_and_tried_again() {
        let mut compressor = compressor();
        for seed in 0..4 {
            let _ = compressor.pack(&noise(seed, 500));
        }
        let text = text(1_000);
        let until_tried =
            |compressor: &mut Compressor| (0..2_000).position(|_| compressor.pack(&text)[0] == Form::Zstd as u8);
        assert_eq!(compressor.clone_state(), (3, 16));
        assert_eq!(until_tried(&mut compressor), Some(16));
        assert_eq!(compressor.clone_state(), (0, 0));
        for seed in 0..4 + 16 + 1 {
            let _ = compressor.pack(&noise(seed, 500));
        }
        assert_eq!(until_tried(&mut compressor), Some(32), "the second pause is twice as long");
    }

    impl Compressor {
        fn clone_state(&self) -> (u32, u32) {
            (self.misses, self.skipped)
        }
    }
}
