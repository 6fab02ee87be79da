//! Pure decisions of a node's connectivity: which relays it uses, which connections it keeps, and when it does something about them.
//!
//! | module | noun |
//! |---|---|
//! | [`relay::estimate`] | what is known of each relay: round-trip time, loss, load, reservation success; and when it is probed |
//! | [`relay::policy`] | which relay is best: one trait, one table of parameters, a registry by name |
//! | [`relay::reservation`] | the home relay and its warm standbys |
//! | [`relay::server`] | what a relay of ours admits, counts, and how it drains |
//! | [`relay::message`] | the messages of circuit relay v2 |
//! | [`relay::load_report`] | the bytes in which a relay tells its load |
//! | [`pool`] | one entry per peer, one dial per peer |
//! | [`limiter`] | who waits, in which order and how long; how many bytes may pass |
//! | [`quality`] | how good a connection is, from 0 to 100, and what to do about it |
//! | [`backoff`] | when to connect again |
//! | [`doubt`] | which connection does not answer any more |
//! | [`prefix`] | which addresses are likely to fail, or to lie, together |
//! | [`rtt`] | the smoothed round-trip time of RFC 6298 |
//!
//! Invariants: no I/O, no clock, no entropy, no tasks. Time is a [`Time`] argument, random bits follow from a seed. Every machine
//! follows one law, that of `darkswap-core`: after any `handle`, drain `poll` until it returns `None`; then sleep until `deadline`.
//! A deadline may lie in the past: then the machine is due. Every map and queue has a named bound. Peers are named
//! by a small key `P: Copy + Ord`, the peer id in the node and a number in tests.
//!
//! Fractions are `f64` in `0.0..=1.0`, made with the four basic operations only: those are exact in IEEE 754, so that every machine
//! computes the same. Logarithms and powers would not be.
//!
//! Deliberately absent: paths to one peer (`darkswap_core::path` dials, punches and closes surplus connections), libp2p, and probes that
//! keep a NAT's mapping: QUIC's keep-alive (4 s), ping (8 s) and the consent checks of ICE do that.

pub mod backoff;
pub mod doubt;
pub mod limiter;
pub mod pool;
pub mod prefix;
pub mod quality;
pub mod relay;
pub mod rtt;

pub use darkswap_core::Time;

/// How properties are tested: the same cases on every run. `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for others.
#[cfg(test)]
fn cases() -> proptest::test_runner::Config {
    use proptest::test_runner::{Config, RngSeed};

    let config = Config::default();
    let rng_seed = if config.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { config.rng_seed };
    Config { rng_seed, failure_persistence: None, ..config }
}
