//! A real chain for tests: bitcoind, electrs and ord, found or built, started and ended per test.
//!
//! | module | noun |
//! |---|---|
//! | [`tool`] | the three programs: which versions fit, where they are looked for, how they are built |
//! | [`setup`] | finds or builds what is missing: `cargo run -p darkswap-regtest -- setup` |
//! | [`mod@env`] | [`TestEnv`]: one chain of its own for one test |
//! | [`key`] | keys of a test, which sign without a wallet |
//! | [`commitment`] | what the name of a new rune is revealed with |
//! | [`ord`] | ord's server, the oracle for runes |
//! | [`program`] | the node's program, built when it has to be |
//! | [`node`] | a node in a process of its own, with a wallet on the chain of the test |
//!
//! Invariants: a test that needs a tool and does not find it fails with the command that provides it; nothing is skipped. Every
//! wait has a bound. What a [`TestEnv`] started ends with it and leaves no folder behind, unless the test failed: then its logs
//! stay, and the message says where.

pub mod commitment;
mod daemon;
pub mod env;
pub mod key;
pub mod node;
pub mod ord;
pub mod program;
pub mod setup;
pub mod tool;
mod wait;

pub use commitment::Commitment;
pub use env::TestEnv;
pub use key::Key;
pub use node::NodeProcess;
pub use ord::OrdServer;
pub use tool::find::tools;
