//! The DarkSwap node: libp2p transports on a seam, path choice, relaying, messages and gossip.
//!
//! [`Node::new`] is the only way to make a node, in the shipped binary, in the simulator and in tests; what differs is the
//! [`Runtime`] that is handed in.

pub mod bitcoind;
pub mod certificate_file;
pub mod chain;
pub mod config;
pub mod config_file;
pub mod control;
pub mod event;
pub mod handle;
pub mod ice_server;
pub mod identity;
pub mod limits;
mod message_codec;
mod node;
mod peer_record;
mod private_file;
mod reach;
mod relay_load;
mod relay_server;
pub mod relay_status;
pub mod rune_index;
mod runtime;
mod runtime_tokio;
mod sealed_codec;
pub mod store;
pub mod terminal;
pub mod trading;
pub mod transport;
pub mod wallet_file;

pub use config::Config;
pub use event::Event;
pub use handle::Handle;
pub use node::{Node, NodeError};
pub use runtime::{Runtime, TcpListener, TcpStream, UdpSocket};
pub use runtime_tokio::TokioRuntime;

/// How properties are tested: the same cases on every run. `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for others.
#[cfg(test)]
fn cases() -> proptest::test_runner::Config {
    use proptest::test_runner::{Config, RngSeed};

    let config = Config::default();
    let rng_seed = if config.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { config.rng_seed };
    Config { rng_seed, failure_persistence: None, ..config }
}
