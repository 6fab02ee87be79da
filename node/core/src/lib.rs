//! Pure decisions of a DarkSwap node.
//!
//! | module | noun |
//! |---|---|
//! | [`path`] | how to reach one peer: direct, through a relay, and when to change |
//! | [`message`] | messages to and from one peer: ids, retries, duplicates |
//! | [`wire`] | the bytes of a message on a stream |
//! | [`backoff`] | how long to wait before the next attempt |
//! | [`random`] | random bits from a seed |
//!
//! Invariants: no I/O, no clock, no entropy, no tasks (the manifest proves it: no tokio, no libp2p). Time is a [`Time`] argument,
//! random bits are arguments. Every machine follows one law: after any `handle`, drain `poll` until it returns `None`; then sleep
//! until `deadline`. Every queue has a named bound.

pub mod backoff;
pub mod message;
pub mod path;
pub mod random;
pub mod wire;

/// Time since an epoch of the caller's choice that does not move.
pub type Time = std::time::Duration;

/// How properties are tested: the same cases on every run. `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for others.
#[cfg(test)]
fn cases() -> proptest::test_runner::Config {
    use proptest::test_runner::{Config, RngSeed};

    let config = Config::default();
    let rng_seed = if config.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { config.rng_seed };
    Config { rng_seed, failure_persistence: None, ..config }
}
