//! What the simulated chain and its servers do, told by tests.

mod common;

mod consensus;
mod electrum;
mod electrum_client;
mod electrum_lies;
mod funding;
mod mining;
mod policy;
mod properties;
mod reorg;
mod replacement;
mod rpc;
