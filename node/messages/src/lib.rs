//! What happens to messages between two peers above the transport: they are compressed, batched and sealed, and opened again.
//!
//! | module | noun |
//! |---|---|
//! | [`identity`] | the key that a node is known by, and what it signs |
//! | [`batch`] | several small messages in one |
//! | [`compression`] | smaller bytes where that pays, and larger ones within bounds |
//! | [`seal`] | sessions between two identities: encrypted end to end, each message opened once |
//! | [`stored`] | one message to a peer that is not there: encrypted and signed for by the sender's key |
//! | [`challenge`] | a proof, asked for now, that the other end of a session holds its identity's key |
//! | [`wire`] | the bytes of requests and responses |
//!
//! The order is: each message is compressed by itself, then batched, then the batch is sealed. Messages are never compressed
//! together: how well a stranger's text compresses beside a secret would tell the secret.
//!
//! Invariants: no I/O, no clock, no entropy, no tasks. Time is a [`Time`] argument, and whatever draws takes its random bytes as an
//! argument, which the caller uses once. Every map and queue has a named bound, and nothing is allocated because a peer announced
//! a length. What is protected from whom is argued in `docs/decisions/0026-sealed-messages.md`.
//!
//! Deliberately absent: retries, ids and duplicates of messages (`darkswap_core::message`) and libp2p.

pub mod batch;
pub mod challenge;
pub mod compression;
pub mod identity;
pub mod seal;
pub mod stored;
pub mod wire;

pub use darkswap_core::Time;

/// How properties are tested: the same cases on every run. `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for others.
#[cfg(test)]
fn cases() -> proptest::test_runner::Config {
    use proptest::test_runner::{Config, RngSeed};

    let config = Config::default();
    let rng_seed = if config.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { config.rng_seed };
    Config { rng_seed, failure_persistence: None, ..config }
}
