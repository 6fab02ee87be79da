//! A trader without I/O: book, swaps, wallet and what is durable, as one state machine.
//!
//! | module | noun |
//! |---|---|
//! | [`trader`] | the machine, with its parts below |
//! | [`settings`] | what an operator decides |
//! | [`input`] | what happens: from peers, the chain, the operator |
//! | [`output`] | what to do, in order |
//! | [`chain`] | what is asked of the chain, and what it answers |
//! | [`command`] | what an operator asks, and what it gets |
//! | [`store`] | what is durable |
//! | [`sync`] | the questions and answers of a reconciliation, and their wire form |
//!
//! Invariants: no I/O, no clock, no entropy, no tasks. Nothing is promised to a peer, and no transaction leaves, before what it
//! depends on is in an [`Output::Persist`](output::Output::Persist) further ahead. Whatever strangers can make grow has a bound
//! with a name.

pub mod chain;
pub mod command;
pub mod input;
pub mod output;
pub mod settings;
pub mod store;
pub mod sync;
pub mod trader;

pub use settings::Settings;
pub use trader::{RestoreError, Trader};

/// Time since the Unix epoch.
pub type Time = std::time::Duration;
