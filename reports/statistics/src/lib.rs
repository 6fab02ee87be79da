//! What paired runs show and what they do not.
//!
//! | module | noun |
//! |---|---|
//! | [`describe`] | mean, median, percentile, standard deviation |
//! | [`bootstrap`] | a confidence interval of a mean, by resampling |
//! | [`effect`] | Cliff's delta: how far two groups lie apart, whatever their unit |
//! | [`permutation`] | the paired sign-flip test: how often chance alone would do this |
//! | [`holm`] | p-values corrected for how many questions were asked |
//! | [`paired`] | two variants over the same seeds: all of the above |
//! | [`sentence`] | the result in plain English, with its unit |
//!
//! One value per run: samples within a run depend on each other, runs of different seeds do not. Two variants under the same seed
//! share what the seed draws, so differences are taken seed by seed.
//!
//! What holds: no entropy, clock or I/O; the same values in the same order give the same bits, since resampling draws from a ChaCha
//! stream of a fixed seed; values that are not finite are refused, and too few values have no result instead of a wrong one.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may stop at once"))]

pub mod bootstrap;
pub mod describe;
pub mod effect;
pub mod holm;
pub mod paired;
pub mod permutation;
pub mod sentence;

mod draw;

/// Fewest runs that a comparison accepts: with one there is no spread, so nothing can be told from chance.
pub const FEWEST: usize = 2;

/// Most values of one group, against time: the bootstrap of so many takes a second.
pub const MOST: usize = 10_000;
